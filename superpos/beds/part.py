"""A matrix of a large network, and the parts that it is the sum of: each circuit's own, and what all share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import normalize

_MOST = 1 << 24  # numbers in which circuits are looked at one by one
_RANK = 1e-9  # a smaller share of the largest singular value is rounding
_ROUNDS, _PAIRS = 512, 512  # exchanges that make a control unlike the circuits, each the best of so many


@dataclass(frozen=True, eq=False)
class Part:
    """A matrix of a large network as a sum, W = Σ_t U_t V_tᵀ + Σ shared, with no rounding in float64. Chapter 16.

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

    @cached_property
    def neurons(self) -> tuple[Float[Tensor, "in C"], Float[Tensor, "out C"]]:
        """V and U of the circuits' own weights, cut into what neurons read; without a ReLU, into what they write."""
        W = self.own_weights if self.relu else self.own_weights.mT
        used = W.any(dim=1)
        unit, weights = torch.eye(len(W)).to(W)[:, used], W[used].mT
        return (weights, unit) if self.relu else (unit, weights)

    @cached_property
    def directions(self) -> tuple[Float[Tensor, "in C"], Float[Tensor, "out C"]]:
        """V and U of the circuits' own weights, cut into singular vectors."""
        U, s, V = torch.linalg.svd(self.own_weights, full_matrices=False)
        live = s > _RANK * s[0]
        return V.mT[:, live], (U * s)[:, live]

    @cached_property
    def halves(self) -> Float[Tensor, "2 out in"]:
        """1 on the white squares of a chessboard, and on the black ones; 0 elsewhere."""
        out, width = self.W.shape
        colour = (torch.arange(out, device=self.U.device)[:, None] + torch.arange(width, device=self.U.device)) % 2
        return torch.stack([colour == half for half in (0, 1)]).to(self.U)

    def shuffled(self, g: torch.Generator) -> "Part":
        """The same, with the circuits' own weights shuffled among the places where they have any.

        Chance alone would leave part of a small matrix as it was. So numbers are exchanged until what is there has
        nothing in common with the circuits, neither on the white nor on the black half of any of them.
        """
        own = self.own_weights
        places = own.flatten().nonzero()[:, 0]
        mixed = own.flatten().clone()
        rows, columns = places // own.shape[1], places % own.shape[1]
        few = len(self.U) * len(places) <= _MOST
        circuits = (self.U[:, rows] * self.V[:, columns]).sum(dim=2) if few else own.flatten()[None, places]
        halves = (self.halves.flatten(1)[:, None, places] * circuits).flatten(0, 1)
        shuffle = torch.randperm(len(places), generator=g).to(places.device)
        mixed[places] = _unlike(mixed[places][shuffle], normalize(halves, dim=1), g)
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


def _unlike(one: Float[Tensor, " n"], known: Float[Tensor, "k n"], g: torch.Generator) -> Float[Tensor, " n"]:
    """The numbers in an order in which their inner products with what is known are as small as exchanges make them."""
    one, inner, columns = one.clone(), known @ one, known.mT.contiguous()
    for _ in range(_ROUNDS):
        here, there = torch.randint(len(one), (2, _PAIRS), generator=g).to(one.device)
        after = inner + (columns[here] - columns[there]) * (one[there] - one[here])[:, None]
        best = after.square().sum(dim=1).argmin()
        if after[best].square().sum() < inner.square().sum():
            swap = torch.stack([here[best], there[best]])
            one[swap], inner = one[swap.flip(0)], after[best]
    return one
