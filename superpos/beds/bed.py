"""A test bed: a network that computes in superposition, whose every weight is known by its circuit. Chapter 15."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos.beds.part import Part
from superpos.beds.scoring import Decomposition, Detection, Held, Scores, latents, score
from superpos.checks import check_count
from superpos.circuits import Circuits, ResidualCircuits
from superpos.sampling import distinct, generator

NONE = -1  # in `active`: no circuit
HELD_OUT, HELD_SEED = 512, 1 << 40  # the samples on which decompositions give their gates, and their seed


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch for a bed: which circuits are active, on what, and what the network is given. Chapter 15.

    Attributes:
        active: the circuits that are active, distinct in a row, first those; `NONE` fills up.
        x: the inputs of these circuits; 0 for none.
        inputs: the input of the bed's model.
    """

    active: Int64[Tensor, "B z"]
    x: Float[Tensor, "B z d"]
    inputs: Float[Tensor, "B D"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """How the inputs of circuits are drawn: uniformly from a pool, one for all circuits or one for each. Chapter 15."""

    pool: Float[Tensor, "T N d"]

    def draw(self, active: Int64[Tensor, "B z"], seed: int) -> Float[Tensor, "B z d"]:
        """Inputs for the circuits in `active`; 0 for `NONE`."""
        T, N, _ = self.pool.shape
        which = torch.randint(N, active.shape, generator=generator(seed, "pool"))
        x = self.pool[active.clamp_min(0) % T, which]
        return x * (active != NONE)[..., None]


@dataclass(frozen=True, eq=False)
class Bed:
    """A network that computes in superposition, and what each of its weights is for. Chapter 15.

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
        """Inputs of the model, and the circuits that they are for: 1 … z of them in a row, then `NONE`.

        Raises:
            TypeError, ValueError: for a batch below 1, or a seed that is none.
        """
        drawn = self.samples(batch, seed)
        return drawn.inputs, drawn.active

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
        T, k, D = self.encoder.shape
        flat = x.new_zeros(len(x), T, k)
        flat.scatter_add_(1, active.clamp_min(0)[..., None].expand(-1, -1, k), with_one)
        A = flat.flatten(1) @ self.encoder.to(x).flatten(0, 1)
        return torch.cat([A, torch.ones_like(A[:, :1])], dim=1) if self.constant else A

    def active(self, samples: Samples) -> Bool[Tensor, "B T"]:
        """Which circuits are active: the importance that a circuit's component should have."""
        found = torch.zeros(len(samples.active), self.T + 1, dtype=torch.bool)
        return found.scatter_(1, samples.active % (self.T + 1), True)[:, : self.T]

    def importance(self, samples: Samples) -> dict[str, Bool[Tensor, "B T r"]]:
        """Which pieces of each circuit's component are needed, by the path of the `nn.Linear`.

        A piece is needed if its circuit is active, its small neuron is on, and the network carries the circuit in the
        piece's lane: elsewhere what it reads is 0.
        """
        needed, states = {}, list(self.states(samples.inputs.double()))
        on, active = self._on(samples), self.active(samples)
        for part, A in zip(self.parts, states, strict=False):
            if part.own:
                reads = torch.einsum("bi,tir->btr", (A != 0).double(), part.V.abs()) > 0
                needed[part.path] = reads & on[part.layer][..., part.neuron] & active[..., None]
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

        Nothing of the circuits is left in it, but the same numbers in the same places: what a decomposition of it is
        said to have found of the circuits is an artefact of the score.
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
