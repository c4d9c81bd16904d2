"""Which group is which circuit, and how alike their weights are."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from superpos.beds.part import Part
from superpos.beds.scoring.decomposition import SHARED, Decomposition
from superpos.beds.scoring.held import Held
from superpos.errors.relative import share

NOBODY = -1  # the group of a circuit that has none


@dataclass(frozen=True, eq=False)
class Likeness:
    """Inner products of groups and circuits over each half of the weights, and what follows from them. Chapter 16.

    The halves are the squares of a chessboard, by colour. A match is found on one half and scored on the other, and
    the other way round: the best of many groups owes something to chance, but only on the half on which it was chosen.

    Attributes:
        names: the numbers of the groups, without `SHARED`.
        inner: ⟨P̂_g, P_t⟩ by half and matrix.
        group, circuit: |P̂_g|² and |P_t|² by half and matrix.
    """

    names: Int64[Tensor, " G"]
    inner: Float[Tensor, "2 L G T"]
    group: Float[Tensor, "2 L G"]
    circuit: Float[Tensor, "2 L T"]

    def matching(self, *halves: int) -> Int64[Tensor, " T"]:
        """The group of each circuit, as an index of `names`, or `NOBODY`: the Hungarian method on the mean cosine.

        One matching holds for all matrices together.
        """
        norms = (self.group.sum(dim=0)[..., None] * self.circuit.sum(dim=0)[..., None, :]).sqrt()
        cosine = share(self.inner[list(halves)].sum(dim=0), norms).mean(dim=0)
        groups, circuits = (torch.as_tensor(x) for x in linear_sum_assignment(cosine.numpy(), maximize=True))
        return torch.full((cosine.shape[1],), NOBODY).index_copy_(0, circuits, groups)

    def crossed(self) -> tuple[Float[Tensor, "L T"], Float[Tensor, "L T"]]:
        """The cosine ⟨P̂, P⟩/|P̂||P| and R² = 1 − |P̂ − P|²/|P|², cut at 0, of every circuit in every matrix.

        Each half is that of the group which the other half has found.
        """
        P, matched = self.circuit.sum(dim=0), [self.matching(1), self.matching(0)]
        inner = sum(_of(x, g) for x, g in zip(self.inner, matched, strict=True))
        size = sum(_of(x[..., None].expand_as(self.inner[0]), g) for x, g in zip(self.group, matched, strict=True))
        assert isinstance(inner, Tensor)
        return share(inner, (size * P).sqrt()), (1 - share(size - 2 * inner + P, P)).clamp_min(0.0)

    def purity(self) -> Float[Tensor, " T"]:
        """Of a group's squared inner products with P_t/|P_t|, over all circuits and matrices, the share of its own.

        0 for a circuit that has no group.
        """
        squares = share(self.inner.sum(dim=0).square(), self.circuit.sum(dim=0)[:, None]).sum(dim=0)
        return _of(share(squares, squares.sum(dim=-1, keepdim=True)), self.matching(0, 1))


def likeness(held: Held, d: Decomposition) -> Likeness:
    """The inner products of all groups of a decomposition with all circuits."""
    names = torch.cat([d.group[part.path] for part in held.matrices]).unique()
    names = names[names != SHARED]
    found = [_inner(part, d, names) for part in held.matrices]
    return Likeness(names, *(torch.stack(x, dim=1) for x in zip(*found, strict=True)))


def _inner(part: Part, d: Decomposition, names: Int64[Tensor, " G"]) -> tuple[Tensor, Tensor, Tensor]:
    """Over both halves of a matrix: ⟨P̂_g, P_t⟩, |P̂_g|², |P_t|²."""
    V, U, group = d.V[part.path], d.U[part.path], d.group[part.path]
    white = part.halves.flatten(1).to(U)
    P = part.components.flatten(1)
    inner, size = U.new_zeros(2, len(names), len(P)), U.new_zeros(2, len(names))
    for g, name in enumerate(names):
        mine = group == name
        if mine.any():
            half = (U[:, mine] @ V[:, mine].mT).flatten() * white
            inner[:, g], size[:, g] = half @ P.mT, half.square().sum(dim=1)
    return inner, size, white @ P.square().mT


def _of(x: Float[Tensor, "*some G T"], g: Int64[Tensor, " T"]) -> Float[Tensor, "*some T"]:
    """What each circuit has from its group; 0 without one."""
    return x[..., g, torch.arange(len(g))] * (g != NOBODY) if x.shape[-2] else x.new_zeros(*x.shape[:-2], len(g))
