"""A test bed: a network that computes in superposition, whose every weight is known by its circuit. Chapter 16."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from os import PathLike
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos.beds import folder
from superpos.beds.part import Part
from superpos.beds.samples import HELD_OUT, HELD_SEED, NONE, Inputs, Samples
from superpos.beds.scoring import Decomposition, Detection, Held, Scores, latents, score
from superpos.checks import check_count
from superpos.circuits import Circuits, ResidualCircuits
from superpos.sampling import distinct, generator


@dataclass(frozen=True, eq=False)
class Bed:
    """A network that computes in superposition, and what each of its weights is for. Chapter 16.

    `model` is all that a method needs to see. `components` is the answer.

    Attributes:
        name, version: which bed it is; what is measured on it names both.
        level: how hard it is: 0 circuits side by side, 1 and 2 exact, 3 balanced, 4 residual.
        words: what it is, in a sentence.
        circuits: the small networks.
        parts: every matrix of the model, in order, and whose its weights are.
        encoder: what the input x of an active circuit, followed by a 1, adds to the model's input.
        z: at most so many circuits are active at once.
        counted: which of the model's outputs count: those that circuits write.
        given: how their inputs are drawn.
        identifiable: False where cutting the network into neurons is better than the truth by the very measure that
            methods minimise: there the answer cannot be found by it, and the bed stands outside the ranking.
        constant: whether biases are the weights of a constant input, the last one.
        control: the seed with which the circuits' own weights were shuffled; None if they were not.
        modules: the names of the circuits, where they have any.
    """

    name: str
    version: int
    level: int
    words: str
    circuits: Circuits
    parts: tuple[Part, ...]
    encoder: Float[Tensor, "T d1 D"]
    z: int
    counted: Bool[Tensor, " out"]
    given: Inputs
    identifiable: bool = True
    constant: bool = False
    control: int | None = None
    modules: tuple[str, ...] | None = None

    @property
    def T(self) -> int:
        """The number of circuits."""
        return self.circuits.T

    @property
    def matrices(self) -> tuple[Part, ...]:
        """The matrices in which circuits have weights: those that are to be taken apart."""
        return tuple(part for part in self.parts if part.own)

    @property
    def components(self) -> dict[str, Float[Tensor, "T out in"]]:
        """The weights of every circuit in every matrix, P_t = U_t V_tᵀ, by the path of the `nn.Linear`."""
        return {part.path: part.components for part in self.matrices}

    @property
    def shared(self) -> dict[str, dict[str, Float[Tensor, "out in"]]]:
        """What belongs to no circuit, by the path of the `nn.Linear` and its name."""
        return {part.path: dict(part.shared) for part in self.parts}

    @cached_property
    def model(self) -> nn.Sequential:
        """The network as it is: `nn.Linear` and `nn.ReLU` in turn, in float32."""
        return self.chain(torch.float32)

    def chain(self, dtype: torch.dtype) -> nn.Sequential:
        """The model in another number format; in float64 its weights are exactly the sum of the parts."""
        return nn.Sequential(*self._layers(dtype))

    def sample(self, batch: int, seed: int) -> tuple[Float[Tensor, "batch D"], Int64[Tensor, "batch z"]]:
        """Inputs of the model, in float32, and the circuits that are active: 1 … z of them in a row, then `NONE`.

        Raises:
            TypeError, ValueError: for a batch below 1, or a seed that is none.
        """
        drawn = self.samples(batch, seed)
        return drawn.inputs.float(), drawn.active

    def samples(self, batch: int, seed: int) -> Samples:
        """The same samples as `sample`, with the inputs of each circuit."""
        check_count("batch", batch)
        active = distinct(batch, self.z, self.T, generator=generator(seed, "active"))
        count = torch.randint(1, self.z + 1, (batch, 1), generator=generator(seed, "count"))
        active = torch.where(torch.arange(self.z) < count, active, NONE)
        x = self.given.draw(active, seed)
        return Samples(active, x, self.encode(active, x))

    def held_out(self) -> Samples:
        """The samples on which decompositions are scored: always the same."""
        return self.samples(HELD_OUT, HELD_SEED)

    def encode(self, active: Int64[Tensor, "B z"], x: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """The model's input for circuits and their inputs: linear in these and in what is active."""
        on = active != NONE
        with_one = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1) * on[..., None]
        T, k, _ = self.encoder.shape
        flat = x.new_zeros(len(x), T, k)
        flat.scatter_add_(1, active.clamp_min(0)[..., None].expand(-1, -1, k), with_one)
        A = flat.flatten(1) @ self.encoder.to(x).flatten(0, 1)
        return torch.cat([A, torch.ones_like(A[:, :1])], dim=1) if self.constant else A

    def active(self, samples: Samples) -> Bool[Tensor, "B T"]:
        """Whether each circuit is active: the importance that its component should have, all its pieces together."""
        found = torch.zeros(len(samples.active), self.T + 1, dtype=torch.bool)
        return found.scatter_(1, samples.active % (self.T + 1), True)[:, : self.T]

    def importance(self, samples: Samples) -> dict[str, Bool[Tensor, "B T r"]]:
        """Which pieces of each circuit's component are needed, by the path of the `nn.Linear`: its expected importance.

        A piece is needed if its circuit is active, its small neuron is on when the circuit runs alone, and the large
        network carries the circuit in the piece's lane: it reads something that is not 0, and a neuron that it writes
        to is on. In an exact network all others can be taken away, or given any mask in [0, 1], without any change.
        """
        needed, states = {}, list(self.states(samples.inputs.double()))
        on, active = self._on(samples), self.active(samples)
        for part, A, after in zip(self.parts, states[:-1], states[1:], strict=True):
            if part.own:
                reads, writes = (_any(X, F) for X, F in ((A, part.V), (after, part.U)))
                needed[part.path] = reads & writes & on[part.layer][..., part.neuron] & active[..., None]
        return needed

    @cached_property
    def held(self) -> Held:
        """What decompositions are scored on: see `Held`."""
        samples = self.held_out()
        first = next(k for k, part in enumerate(self.parts) if part.own)
        start = next(islice(self.states(samples.inputs.double()), first, None))
        parts, says = self.parts[first:], (self.name, self.version, self.control)
        return Held(*says, parts, self.counted, start, self.active(samples), self.importance(samples))

    def score(self, decomposition: Decomposition) -> Scores:
        """What a decomposition is worth.

        Raises:
            TypeError, ValueError: if it is none of this bed; the message says what is expected.
        """
        return score(self.held, decomposition)

    def latents(self, activations: Float[Tensor, "B K"]) -> Detection:
        """How well the latents of a dictionary, on the held-out samples, say which circuits are active.

        Raises:
            TypeError, ValueError: if they are no finite floating-point tensor of this shape.
        """
        return latents(self.held, activations)

    def states(self, A: Float[Tensor, "B D"]) -> Iterator[Float[Tensor, "B width"]]:
        """The input of every matrix in turn, and what the last one leaves."""
        yield A
        for part in self.parts:
            pre = A @ part.W.mT.to(A) + part.b.to(A)
            A = pre.relu() if part.relu else pre
            yield A

    def shuffled(self, seed: int = 0) -> "Bed":
        """The control: the circuits' own weights shuffled among their places, in every matrix; all else stays.

        The same numbers are in the same places, but have nothing in common with any circuit, on either half of a
        chessboard (`Part.shuffled`): what of them a decomposition of it is said to have found is an artefact.
        """
        g = generator(seed, "shuffled")
        return replace(self, parts=tuple(part.shuffled(g) if part.own else part for part in self.parts), control=seed)

    def folded(self) -> "Bed":
        """The same network without biases: they are the weights of one more input, which is 1 and is carried along."""
        if self.constant:
            return self
        last = len(self.parts) - 1
        parts = tuple(part.folded(carries=k < last) for k, part in enumerate(self.parts))
        return replace(self, parts=parts, constant=True)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the bed to a folder, whole or not at all: `superpos.bed.load` reads it, and others can without us.

        README.json in it says what every tensor means (`superpos.beds.folder.FILES`).

        Raises:
            FileExistsError: if there is something and overwrite is not given, or a folder with other files.
            OSError: as `superpos.writing.check_free`, or if the disk has no room for it.
        """
        folder.write(path, self._about(), self._contents(), overwrite=overwrite)

    def _about(self) -> dict[str, Any]:
        last_relu = getattr(self.circuits, "last_relu", None)
        return {
            "name": self.name,
            "bed_version": self.version,
            "level": self.level,
            "words": self.words,
            "circuits": self.T,
            "names": self.modules,
            "active": self.z,
            "identifiable": self.identifiable,
            "constant": self.constant,
            "control": self.control,
            "kind": "residual" if isinstance(self.circuits, ResidualCircuits) else "mlp",
            "last_relu": last_relu,
            "layers": [
                "ReLU" if isinstance(layer, nn.ReLU) else f"Linear({layer.in_features}, {layer.out_features})"
                for layer in self.model
                if isinstance(layer, nn.ReLU | nn.Linear)
            ],
            "matrices": [
                {"path": part.path, "relu": part.relu, "layer": part.layer, "shared": list(part.shared)}
                for part in self.parts
            ],
        }

    def _contents(self) -> dict[str, dict[str, Tensor]]:
        held, found = self.held_out(), {}
        for part in self.parts:
            found |= {f"{name}.{part.path}": getattr(part, name) for name in ("U", "V", "neuron")}
            found |= {f"shared.{part.path}.{name}": x for name, x in part.shared.items()}
            found |= {f"bias.{part.path}": part.b} | ({} if part.mixed is None else {f"mixed.{part.path}": part.mixed})
        names = ("w_in", "w_out", "bias") if isinstance(self.circuits, ResidualCircuits) else ("weights", "biases")
        samples = {"inputs": held.inputs.float(), "active": held.active, "x": held.x}
        return {
            "model.safetensors": dict(self.model.state_dict()),
            "held_out.safetensors": samples | {f"importance.{k}": x for k, x in self.importance(held).items()},
            "components.safetensors": {name: x.clone() for name, x in found.items()},  # parts may share memory
            "circuits.safetensors": {
                **{name: getattr(self.circuits, name) for name in names},
                "pool": self.given.pool,
                "encoder": self.encoder,
                "counted": self.counted,
            },
        }

    def _on(self, samples: Samples) -> list[Bool[Tensor, "B T m"]]:
        """Which small neurons of the active circuits are on, layer by layer, each circuit run alone."""
        t, x, found = samples.active.clamp_min(0), samples.x.double(), []
        circuits, sample = self.circuits.to(torch.float64), torch.arange(len(samples.x))[:, None]
        last_relu = getattr(circuits, "last_relu", True)
        for l in range(circuits.L):
            if isinstance(circuits, ResidualCircuits):
                h = torch.einsum("bzmd,bzd->bzm", circuits.w_in[l, t], x) + circuits.bias[l, t] > 0
                x = circuits.layer(l, t, x)
            else:
                x = circuits.layer(l, t, x)
                h = x > 0 if last_relu or l + 1 < circuits.L else torch.ones_like(x, dtype=torch.bool)
            on = torch.zeros(len(x), self.T + 1, h.shape[-1], dtype=torch.bool)
            on[sample, samples.active % (self.T + 1)] = h
            found.append(on[:, : self.T])
        return found

    def _layers(self, dtype: torch.dtype) -> Iterator[nn.Module]:
        for part in self.parts:
            linear = nn.Linear(part.W.shape[1], part.W.shape[0], bias=bool(part.b.any()), dtype=dtype)
            linear.weight = nn.Parameter(part.W.to(dtype), requires_grad=False)
            if part.b.any():
                linear.bias = nn.Parameter(part.b.to(dtype), requires_grad=False)
            yield linear
            if part.relu:
                yield nn.ReLU()


def _any(A: Float[Tensor, "B width"], factors: Float[Tensor, "T width r"]) -> Bool[Tensor, "B T r"]:
    """Whether a factor of each piece meets an activation that is not 0."""
    return torch.einsum("bi,tir->btr", (A != 0).double(), (factors != 0).double()) > 0
