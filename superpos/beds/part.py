"""A matrix of a large network, and the parts that it is the sum of: each circuit's own, and what all share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

_MOST = 1 << 24  # numbers in which circuits are looked at one by one
_SHUFFLES = 64  # of which the best is taken as the control


@dataclass(frozen=True, eq=False)
class Part:
    """A matrix of a large network as a sum, W = Σ_t U_t V_tᵀ + Σ shared, with no rounding in float64. Chapter 15.

    U_t V_tᵀ is the *component* of circuit t. Its r *pieces* are the rank-one products U_tk V_tkᵀ: one for each small
    neuron that the matrix writes to, or reads from, in each lane.

    Attributes:
        path: the name of the `nn.Linear` in the bed's model.
        b: biases of the layer.
        relu: whether a ReLU follows.
        U, V: the factors of all circuits; r is 0 in a matrix where no circuit has weights.
        shared: what belongs to no circuit, by name: wires, gates, entry, the mean of all circuits, the stream.
        layer: the layer of the circuits that the pieces belong to.
        neuron: which small neuron of that layer a piece belongs to.
        mixed: in a control, what stands in the place of Σ_t U_t V_tᵀ: the same numbers, shuffled.
    """

    path: str
    b: Float[Tensor, " out"]
    relu: bool
    U: Float[Tensor, "T out r"]
    V: Float[Tensor, "T in r"]
    shared: Mapping[str, Float[Tensor, "out in"]]
    layer: int
    neuron: Int64[Tensor, " r"]
    mixed: Float[Tensor, "out in"] | None = None

    @property
    def own(self) -> bool:
        """Whether circuits have weights in it."""
        return self.U.shape[-1] > 0

    @cached_property
    def components(self) -> Float[Tensor, "T out in"]:
        """P_t = U_t V_tᵀ, of every circuit."""
        return self.U @ self.V.mT

    @cached_property
    def kept(self) -> Float[Tensor, "out in"]:
        """What all share, in one matrix: the sum of `shared`."""
        zero = self.U.new_zeros(self.U.shape[1], self.V.shape[1])
        return torch.stack([zero, *self.shared.values()]).sum(dim=0)

    @cached_property
    def own_weights(self) -> Float[Tensor, "out in"]:
        """The weights of all circuits together, Σ_t P_t; in a control, shuffled."""
        T, _, r = self.U.shape
        U, V = (x.transpose(0, 1).reshape(x.shape[1], T * r) for x in (self.U, self.V))
        return U @ V.mT if self.mixed is None else self.mixed

    @cached_property
    def W(self) -> Float[Tensor, "out in"]:
        """The matrix itself: what is the circuits' own, and what is shared."""
        return self.own_weights + self.kept

    def shuffled(self, g: torch.Generator) -> "Part":
        """The same, with the circuits' own weights shuffled among the places where they have any.

        Of several shuffles it is the one that has least in common with what was there, in the whole and in the mean of
        the circuits: in a small matrix chance alone, or a mean that is not 0, would leave a good part of it.
        """
        own = self.own_weights
        places = own.flatten().nonzero()[:, 0]
        numbers, mixed = own.flatten()[places], own.flatten().clone()
        shuffles = [numbers[torch.randperm(len(places), generator=g)] for _ in range(_SHUFFLES)]
        circuits = self.components.flatten(1)[:, places] if len(self.U) * len(places) <= _MOST else numbers[None]
        mixed[places] = min(shuffles, key=lambda one: _common(one, numbers, circuits))
        return replace(self, mixed=mixed.view(own.shape))

    def folded(self, *, carries: bool) -> "Part":
        """The same with its biases as the weights of one more input, which is 1; a neuron carries it on."""

        def grown(x: Tensor) -> Tensor:
            return nn.functional.pad(x, (0, 1, 0, int(carries)))

        U, V = nn.functional.pad(self.U, (0, 0, 0, int(carries))), nn.functional.pad(self.V, (0, 0, 0, 1))
        bias, constant = grown(torch.zeros_like(self.kept)), grown(torch.zeros_like(self.kept))
        bias[: len(self.b), -1] = self.b
        shared = {name: grown(x) for name, x in self.shared.items()} | {"bias": bias}
        if carries:
            constant[-1, -1] = 1.0
            shared |= {"constant": constant}
        mixed = None if self.mixed is None else grown(self.mixed)
        return replace(self, b=bias.new_zeros(len(bias)), U=U, V=V, shared=shared, mixed=mixed)


def _common(one: Float[Tensor, " n"], numbers: Float[Tensor, " n"], circuits: Float[Tensor, "T n"]) -> float:
    """What a shuffle has in common with the numbers, and with each circuit where this one has weights."""
    there = one.square() @ (circuits != 0).to(one).mT
    cosines = (circuits @ one) / (there * circuits.square().sum(dim=1)).sqrt().clamp_min(1e-12)
    return cosines.mean().abs().item() + (one @ numbers).abs().item() / numbers.square().sum().item()
