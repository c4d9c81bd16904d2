"""Many small networks as one large network: put in, run, read out. Chapter 15."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos import circuits
from superpos.checks import check_active, check_tensor
from superpos.circuits import MLPCircuits
from superpos.compression.choice import Report, standard
from superpos.compression.records import CompressedRun, Cost, Origin, cost
from superpos.network import NOBODY, Layer, Network

SAMPLES = 1000  # at least, where there are none of the caller's own
_WORK = 3e12  # multiplications of the layers in the default samples: minutes


class Large(nn.Module):
    """A large network that T small ones went into: what takes their inputs and gives their outputs. Chapter 15.

    Attributes:
        network: the large network, of the construction that was chosen.
        widths: of each module, as `superpos.circuits.stacked` gives them.
        origin: what the modules were.
    """

    widths: Int64[Tensor, "T L1"]

    def __init__(self, network: Network, widths: Int64[Tensor, "T L1"], origin: Origin, report: Report) -> None:
        super().__init__()
        self.network, self.origin, self._report = network, origin, report
        self.register_buffer("widths", widths)
        # Nothing to pad, nothing to cut off: known once, since looking takes a good part of a run.
        self._plain = origin.threshold is None and bool((widths == network.d).all())

    @property
    def T(self) -> int:
        """The number of modules."""
        return self.network.T

    @property
    def L(self) -> int:
        """The number of layers of the circuits as MLPs."""
        return self.network.L

    @property
    def D(self) -> int:
        """The width of the widest layer, everything counted."""
        return self.network.D

    @property
    def z(self) -> int:
        """The number of modules active at once for which it was made."""
        return self._report.z

    @property
    def width_in(self) -> int:
        """The width of the widest module's input."""
        return int(self._inside.max())

    @property
    def width_out(self) -> int:
        """The width of the widest module's output."""
        return int(self._outside.max())

    @property
    def like(self) -> Tensor:
        """A parameter of the network, which has the dtype and device that inputs must have."""
        return next(self.network.parameters())

    def name(self, t: int) -> str:
        """The name of module t, or its number in words."""
        return str(t) if self.origin.names is None else self.origin.names[t]

    @property
    def cost(self) -> Cost:
        """The cost as plain matrices, beside that of the modules."""
        return cost(self.layers, self.widths, self.origin.kind, self.z)

    @property
    def ends(self) -> Int64[Tensor, "T 2"]:
        """The widths of each module's input and output."""
        return torch.stack([self._inside, self._outside], dim=1)

    def report(self) -> Report:
        """The report: what was asked, what each construction would need for it, what was chosen and what it costs."""
        return replace(self._report, cost=self.cost, proved=self.network.promise(self.z).words)

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]) -> CompressedRun:
        """The outputs of the modules in `active`, and the states behind them, by the large network.

        How many are active may differ from the z it was made for; `live` says which have an answer.

        Args:
            active: which modules run in each sample, distinct within a row.
            inputs: what each is given, as wide as the widest module's input; what is beyond a module's own width is
                not looked at.

        Raises:
            TypeError, ValueError: for a wrong shape, dtype, device, index, or a value that is not finite or too large.
        """
        x = inputs if self._plain else self._put(active, inputs)  # the network checks what it is given
        run = self.network.run(active, x)
        estimates = run.estimates[..., self.skip :]
        outputs = estimates[-1] if self._plain else self._out(estimates[-1], active)
        return CompressedRun(estimates, run.on, run.live, outputs=outputs)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]) -> Float[Tensor, "B D0"]:
        """The input of the large network: linear in the modules' inputs and in which of them are active."""
        return self.network.encode(active, self._put(active, inputs))

    def forward(self, A: Float[Tensor, "B D0"]) -> Float[Tensor, "B D"]:
        """The activations that all layers of the large network leave of an input that `encode` made."""
        return self.network(A)

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"]) -> Float[Tensor, "B z out"]:
        """The outputs of the modules in `active`, from what `forward` returns."""
        return self._out(self.network.read(A, active, self.L)[..., self.skip :], active)

    def live(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"]) -> Bool[Tensor, "B z"]:
        """Whether what `forward` returns holds an answer of each module in `active`."""
        return self.network.live(A, active, self.L)

    def states(
        self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]
    ) -> Iterator[tuple[Float[Tensor, "B D"], Float[Tensor, "B z d"]]]:
        """The activations that each circuit layer leaves, all layers and gates being run, and what is read of them."""
        for l, (_, A) in enumerate(self.network.states(active, self._put(active, inputs)), start=1):
            yield A, self.network.read(A, active, l)[..., self.skip :]

    def dense(self) -> list[tuple[Tensor, ...]]:
        """The matrices (W, b) of every layer, A ← ReLU(A Wᵀ + b); `relu` says whether the last one has a ReLU."""
        return self.network.dense()

    @property
    def layers(self) -> list[Layer]:
        """The layers of the large network."""
        return [layer for layer in self.network.layers if isinstance(layer, Layer)]

    @property
    def relu(self) -> bool:
        """Whether the last layer has a ReLU."""
        return bool(getattr(self.layers[-1], "relu", True))

    @property
    def own(self) -> Bool[Tensor, "L1 T d"]:
        """The coordinates of each circuit in the large network that are in use after each of its layers.

        The others are padding: modules may be narrower than the widest.
        """
        skip, widths = self.skip, self.widths.T[..., None]
        number = torch.arange(self.network.d, device=widths.device) - skip
        if self.origin.kind == "residual":  # `as_mlp`: x, then (ReLU(x), ReLU(−x), h) after every block, and x again
            inside, neurons, d = widths[0], widths[1:], int(self._inside.max())
            x, halves = number < inside, (number % d < inside) & (number < 2 * d)
            held = torch.cat([x[None], halves | ((number >= 2 * d) & (number - 2 * d < neurons)), x[None]])
        else:
            held = number < widths
        indicator = number < 0  # which goes through every layer that has a ReLU
        held = held & ~indicator
        held[: None if self.relu else -1] |= indicator
        return held

    def circuits(self, chosen: Sequence[int] | None = None) -> MLPCircuits:
        """The circuits as MLPs, all or some, read out of the large network's weights."""
        t = torch.arange(self.T) if chosen is None else torch.tensor(chosen)
        found = self.network.small(t.to(self.like.device))
        return circuits.unconditional(found) if self.origin.threshold is not None else found

    def small(self) -> MLPCircuits:
        """The modules as circuits: what went in, or, once the network has been to a file, what is in its weights."""
        known = self.circuits() if self.origin.circuits is None else self.origin.circuits
        return known.to(self.like)

    def samples(
        self, active: Int64[Tensor, "B z"] | None, inputs: Float[Tensor, "B z width"] | None, *, seed: int
    ) -> tuple[Int64[Tensor, "B z"], Float[Tensor, "B z width"]]:
        """The samples given; without any, random sets on standard normal inputs, cut off at the reach.

        1,000 of them, or so many that every module runs in one; unless that were too much work.
        """
        if active is not None and inputs is not None:
            return active, inputs
        if active is not None or inputs is not None:
            raise ValueError("active and inputs belong together: give both, or neither for standard normal inputs")
        batch = max(SAMPLES, math.ceil(self.T / self.z))
        if batch * self.z * sum(p.numel() for p in self.network.parameters()) > _WORK:
            batch = SAMPLES
        active, x = standard(self.T, batch, self.z, self.width_in, seed=seed, like=self.like)
        reach = self.network.reach
        return active, x if reach is None else x.clamp(-reach, reach)

    def size(self, l: int) -> tuple[int, int]:
        """The numbers of neurons that layer l of `dense()` has, and that it reads.

        Raises:
            IndexError: for a layer that is not there.
        """
        layers = self.layers
        _check_index("l", l, len(layers), f"layers are numbered 0 … {len(layers) - 1}, as in dense()")
        return layers[l].width, layers[l].fan_in

    def owner(self, l: int, i: int, j: int) -> tuple[int, ...]:
        """The modules to which entry (i, j) of the weights of layer l belongs, l counted as in `dense()`.

        Nobody, (), where the weight is part of the entry, the list or a gate, or is 0 for good, as padding is; one
        module where superposition is exact; several where circuits share a weight.

        Raises:
            IndexError: for a layer or a weight that is not there.
        """
        size = self.size(l)
        for name, value, count in (("i", i, size[0]), ("j", j, size[1])):
            _check_index(name, value, count, f"layer {l} has {size[0]} × {size[1]} weights")
        return self.network.sharers(l, i, j, self.own)

    def owners(self, l: int) -> Int64[Tensor, "out in"]:
        """The owner of every weight of layer l: −1 for nobody, −2 for several modules (`owner` names them)."""
        out, inside = (torch.arange(size, device=self.like.device) for size in self.size(l))
        return self.network.owner(l, out[:, None], inside[None, :], self.own)

    def neurons(self, l: int) -> Int64[Tensor, "T k"]:
        """The neurons that can hold each module's state after l layers of `dense()`; 0: in the encoded input.

        They stand coordinate by coordinate, as many for each; −1 in the place of those for coordinates that a module
        narrower than the widest does not have, and of neurons that take up another coordinate.

        Raises:
            IndexError: if there are fewer layers.
        """
        most = len(self.layers)
        _check_index("l", l, most + 1, f"it counts the layers before these neurons, 0 … {most}")
        step, held = self.network.holders(l)
        own = self.own[step][..., None].expand_as(held)
        return torch.where(own, held, NOBODY).flatten(1)

    def extra_repr(self) -> str:
        return f"{self.T} modules, z={self.z}, {self._report.method}, width {self.D}"

    @property
    def skip(self) -> int:
        """The number of a circuit's coordinates in the large network before its own: those of the on-indicator."""
        return circuits.INDICATOR if self.origin.threshold is not None else 0

    @property
    def _inside(self) -> Int64[Tensor, " T"]:
        return self.widths[:, 0]

    @property
    def _outside(self) -> Int64[Tensor, " T"]:
        return self.widths[:, 0 if self.origin.kind == "residual" else -1]

    def padded(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]) -> Float[Tensor, "B z d"]:
        """The circuits' inputs: each module's own coordinates, then zeros.

        Raises:
            TypeError, ValueError: for a batch that does not fit.
        """
        check_active(active, self.T, device=self.like.device)
        B, z = active.shape
        check_tensor("inputs", inputs, {"B": B, "z": z, "width": self.width_in}, like=self.like)
        own = _first(inputs, self._inside[active])
        return nn.functional.pad(own, (0, self.network.d - self.skip - own.shape[-1]))

    def _put(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]) -> Float[Tensor, "B z d"]:
        """The same, with the on-indicator where there is one."""
        padded = self.padded(active, inputs)
        return padded if self.origin.threshold is None else circuits.called(padded)

    def _out(self, states: Float[Tensor, "B z d"], active: Int64[Tensor, "B z"]) -> Float[Tensor, "B z out"]:
        return _first(states[..., : self.width_out], self._outside[active])


def _check_index(name: str, value: object, count: int, allowed: str) -> None:
    """Refuse anything but an integer below count."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise IndexError(f"{name} is {value!r}; {allowed}")


def _first(values: Float[Tensor, "B z k"], widths: Int64[Tensor, "B z"]) -> Float[Tensor, "B z k"]:
    """Each row's first coordinates, as many as its width, and zeros."""
    k = values.shape[-1]
    if bool((widths == k).all()):
        return values
    return torch.where(torch.arange(k, device=values.device) < widths[..., None], values, 0.0)
