"""Many small networks as one: what `superpos.compress` returns. Chapter 13."""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos import circuits
from superpos.checks import check_active, check_tensor
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.compression import owners
from superpos.compression.choice import Report, standard
from superpos.compression.records import CompressedRun, Origin
from superpos.exact import ExactNetwork
from superpos.network import Layer, Network

if TYPE_CHECKING:
    from superpos.compression.certificate import Certificate

SAMPLES = 1000  # where there are none of the caller's own


class Compressed(nn.Module):
    """T small networks in one large network.

    `run` takes what the modules take and returns what they return. The large network itself is an ordinary chain of
    layers on an input of its own: `read(network(network.encode(active, inputs)), active)` gives the same outputs.

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
        """Number of modules."""
        return self.network.T

    @property
    def L(self) -> int:
        """Layers of the circuits as MLPs."""
        return self.network.L

    @property
    def D(self) -> int:
        """Width of the widest layer, everything counted."""
        return self.network.D

    @property
    def z(self) -> int:
        """Modules active at once for which it was made."""
        return self._report.z

    @property
    def width_in(self) -> int:
        """Width of the widest module's input."""
        return int(self._inside.max())

    @property
    def width_out(self) -> int:
        """Width of the widest module's output."""
        return int(self._outside.max())

    @property
    def like(self) -> Tensor:
        """A parameter: the dtype and device that inputs must have."""
        return next(self.network.parameters())

    def name(self, t: int) -> str:
        """Module t in words."""
        return str(t) if self.origin.names is None else self.origin.names[t]

    def report(self) -> Report:
        """What was asked, what each construction would need for it, and what was chosen."""
        return self._report

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]) -> CompressedRun:
        """Run the modules in `active` through the large network. Their number may differ from the z it was made for.

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
        """The large network's input: linear in the modules' inputs and in which of them are active."""
        return self.network.encode(active, self._put(active, inputs))

    def forward(self, A: Float[Tensor, "B D0"]) -> Float[Tensor, "B D"]:
        """All layers of the large network on an input that `encode` made."""
        return self.network(A)

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"]) -> Float[Tensor, "B z out"]:
        """The outputs of the modules in `active`, from what `forward` returns."""
        return self._out(self.network.read(A, active, self.L)[..., self.skip :], active)

    def live(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"]) -> Bool[Tensor, "B z"]:
        """Whether what `forward` returns holds an answer of each module in `active`."""
        if isinstance(self.network, ExactNetwork):
            return self.network.live(A, active, self.L)
        return torch.ones_like(active, dtype=torch.bool)

    def states(
        self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]
    ) -> Iterator[tuple[Float[Tensor, "B D"], Float[Tensor, "B z d"]]]:
        """What each circuit layer leaves in the large network, by its own layers and gates, and what is read of it."""
        x = self._put(active, inputs)
        if isinstance(self.network, ExactNetwork):
            left = self.network.trace(self.network.encode(active, x))
        else:
            left = (A for _, A in self.network.states(active, x))
        for l, A in enumerate(left, start=1):
            yield A, self.network.read(A, active, l)[..., self.skip :]

    def dense(self) -> list[tuple[Tensor, ...]]:
        """(W, b) of every layer, A ← ReLU(A Wᵀ + b); `relu` says whether the last one has a ReLU."""
        return self.network.dense()

    @property
    def layers(self) -> list[Layer]:
        """The layers of the large network."""
        return [layer for layer in self.network.layers if isinstance(layer, Layer)]

    @property
    def relu(self) -> bool:
        """Whether the last layer has a ReLU."""
        return bool(getattr(self.layers[-1], "relu", True))

    def circuits(self, chosen: Sequence[int] | None = None) -> MLPCircuits:
        """The circuits as MLPs, all or some, read out of the large network's weights."""
        t = torch.arange(self.T) if chosen is None else torch.tensor(chosen)
        found = owners.circuits_in(self.network, t.to(self.like.device))
        return circuits.unconditional(found) if self.origin.threshold is not None else found

    def small(self) -> MLPCircuits:
        """The modules as circuits: what went in, or, once the network has been to a file, what is in its weights."""
        known = self.circuits() if self.origin.circuits is None else self.origin.circuits
        return known.to(self.like)

    def samples(
        self, active: Int64[Tensor, "B z"] | None, inputs: Float[Tensor, "B z width"] | None, *, seed: int
    ) -> tuple[Int64[Tensor, "B z"], Float[Tensor, "B z width"]]:
        """The samples given; without any, 1,000 random sets on standard normal inputs, cut off at the reach."""
        if active is not None and inputs is not None:
            return active, inputs
        if active is not None or inputs is not None:
            raise ValueError("active and inputs belong together: give both, or neither for standard normal inputs")
        active, x = standard(self.T, SAMPLES, self.z, self.width_in, seed=seed, like=self.like)
        reach = getattr(self.network, "reach", None)
        return active, x if reach is None else x.clamp(-reach, reach)

    def extract(self, t: int) -> nn.Sequential:
        """Module t, read out of the large network's weights: the same function as what went in, to rounding.

        Raises:
            TypeError, IndexError: if t is no index of a module.
            ValueError: if the module shares all its weights with others.
        """
        if isinstance(t, bool) or not isinstance(t, int):
            raise TypeError(f"t is {t!r} ({type(t).__name__}); it must be an int")
        if not 0 <= t < self.T:
            raise IndexError(f"t is {t}; modules are numbered 0 … T − 1 = {self.T - 1}")
        own, widths = self.circuits([t]), self.widths[t].tolist()
        if self.origin.kind == "residual":
            own = ResidualCircuits.from_mlp(own, int(self._inside.max()))
        return circuits.to_module(own, 0, widths)

    def owner(self, l: int, i: int, j: int) -> tuple[int, ...]:
        """The modules to which entry (i, j) of the weights of layer l belongs, l counted as in `dense()`.

        Nobody, (), where the weight is a gate, sorts, or is 0 for good; one module where superposition is exact;
        several where circuits share a weight.
        """
        size = owners.sizes(self.network, l)
        for name, value, most in (("i", i, size[0]), ("j", j, size[1])):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < most:
                raise IndexError(f"{name} is {value!r}; layer {l} has {size[0]} × {size[1]} weights")
        return owners.sharers(self.network, l, i, j)

    def owners(self, l: int) -> Int64[Tensor, "out in"]:
        """The owner of every weight of layer l: −1 for nobody, −2 for several modules (`owner` names them)."""
        out, inside = (torch.arange(size, device=self.like.device) for size in owners.sizes(self.network, l))
        return owners.owner(self.network, l, out[:, None], inside[None, :])

    def neurons(self, l: int) -> Int64[Tensor, "T k"]:
        """The neurons that can hold each module's state after l layers of `dense()`; 0: in the encoded input."""
        if l:
            owners.sizes(self.network, l - 1)
        return owners.neurons(self.network, l)

    def certify(
        self,
        active: Int64[Tensor, "B z"] | None = None,
        inputs: Float[Tensor, "B z width"] | None = None,
        *,
        modules: object = None,
    ) -> "Certificate":
        """What is proved of this network, what is expected, and what is measured on samples of your own.

        Args:
            active, inputs: as for `run`; by default 1,000 random sets of z modules on standard normal inputs.
            modules: what the network is held against; by default the modules that it was made of, or, once it has
                been loaded from a file, those read out of its own weights.
        """
        from superpos.compression.certificate import certify

        return certify(self, active, inputs, modules)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network to one safetensors file, whole or not at all; `superpos.load` reads it.

        Raises:
            FileExistsError: if there is a file and overwrite is not given.
        """
        from superpos.compression.files import save

        save(self, path, overwrite=overwrite)

    def ground_truth(
        self,
        path: str | PathLike[str],
        active: Int64[Tensor, "B z"] | None = None,
        inputs: Float[Tensor, "B z width"] | None = None,
        *,
        seed: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Write a test bed for methods that take networks apart; `superpos.compression.truth` says what is in it."""
        from superpos.compression.truth import ground_truth

        ground_truth(self, path, active, inputs, seed=seed, overwrite=overwrite)

    def extra_repr(self) -> str:
        return f"{self.T} modules, z={self.z}, {self._report.method}, width {self.D}"

    @property
    def skip(self) -> int:
        """Coordinates of a circuit in the large network before its own: those of the on-indicator."""
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


def _first(values: Float[Tensor, "B z k"], widths: Int64[Tensor, "B z"]) -> Float[Tensor, "B z k"]:
    """Each row's first coordinates, as many as its width, and zeros."""
    k = values.shape[-1]
    if bool((widths == k).all()):
        return values
    return torch.where(torch.arange(k, device=values.device) < widths[..., None], values, 0.0)
