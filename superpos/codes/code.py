"""A code, the slots that each circuit occupies, and how its sets overlap. Chapter 9."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count


@dataclass(frozen=True, eq=False)
class Code:
    """A code: T sets of S slots among n, of which circuit t occupies `slots[t]`. Chapter 9.

    Attributes:
        slots: the slots of each circuit, distinct within a row.
        n: number of slots there are.

    Raises:
        TypeError, ValueError: if slots is not int64 (T, S), of slots in 0 … n − 1 that are distinct within a row.
    """

    slots: Int64[Tensor, "T S"]
    n: int

    def __post_init__(self) -> None:
        check_count("n", self.n)
        if not isinstance(self.slots, Tensor) or self.slots.dtype != torch.int64 or self.slots.dim() != 2:
            kind = f"{tuple(self.slots.shape)} of {self.slots.dtype}" if isinstance(self.slots, Tensor) else "no tensor"
            raise TypeError(f"slots is {kind}; it must be a torch.Tensor of int64 (T, S)")
        if 0 in self.slots.shape:
            raise ValueError(f"slots has shape {tuple(self.slots.shape)}; it must be (T, S) with T ≥ 1 and S ≥ 1")
        outside = (self.slots < 0) | (self.slots >= self.n)
        ordered = self.slots.sort(dim=1).values
        twice = ordered[:, 1:] == ordered[:, :-1]
        for wrong, why in (
            (outside, f"slots lie in 0 … n − 1 = {self.n - 1}"),
            (twice, "a circuit's slots are distinct"),
        ):
            if wrong.any():
                t = int(wrong.any(dim=1).nonzero()[0])
                raise ValueError(f"slots gives circuit {t} {self.slots[t].tolist()}; {why}")

    @property
    def T(self) -> int:
        """The number of circuits."""
        return self.slots.shape[0]

    @property
    def S(self) -> int:
        """The number of slots of one circuit."""
        return self.slots.shape[1]

    @cached_property
    def uses(self) -> Int64[Tensor, " n"]:
        """The number c_i of circuits on each slot i."""
        return torch.bincount(self.slots.flatten(), minlength=self.n)

    @cached_property
    def overlaps(self) -> Int64[Tensor, " S1"]:
        """The number of pairs of circuits that share exactly k slots, k = 0 … S, at entry k."""
        pairs = []
        order = self.slots.flatten().argsort(stable=True)
        for circuits in (order // self.S).split(self.uses.tolist()):
            pair = torch.combinations(circuits)
            pairs.append(pair[:, 0] * self.T + pair[:, 1])  # argsort is stable: the smaller circuit comes first
        shared = torch.unique(torch.cat(pairs), return_counts=True)[1]
        histogram = torch.bincount(shared, minlength=self.S + 1)
        histogram[0] = self.T * (self.T - 1) // 2 - len(shared)
        return histogram

    @property
    def rho(self) -> float:
        """The mean squared overlap E_{t≠u}[(⟨e_t|e_u⟩/S)²] if every slot were used equally often: ρ ≈ 1/n − 1/(ST).

        Source: Linsefors & Bushnaq (June 2025).
        """
        return 1 / self.n - 1 / (self.S * self.T)

    @cached_property
    def rho_star(self) -> float:
        """The mean squared overlap ρ*, taken over all pairs of this code.

        Where no two circuits share more than one slot, ρ* = Σ_i c_i(c_i − 1)/(T(T−1)S²). Ours.
        """
        # Σ_{t,u}⟨e_t|e_u⟩² = ‖Σ_t |e_t⟩⟨e_t|‖²: how many circuits have both of two slots, squared and added up.
        both = (self.slots[:, :, None] * self.n + self.slots[:, None, :]).flatten()
        together = torch.unique(both, return_counts=True)[1]
        pairs = max(self.T * (self.T - 1), 1)
        return (together.square().sum().item() - self.T * self.S**2) / (pairs * self.S**2)


def incidence(slots: Int64[Tensor, "rows S"], n: int, like: Tensor) -> Float[Tensor, "rows n"]:
    """The embedding vectors e_t ∈ {0,1}^n as the rows of a sparse matrix: a 1 where row t has a slot. Chapter 9.

    It has the dtype and the device of `like`, and can be applied and transposed under autograd.
    """
    rows = torch.arange(len(slots), device=slots.device)[:, None].expand_as(slots)
    ones = torch.ones(slots.numel(), dtype=like.dtype, device=like.device)
    place = torch.stack([rows.flatten(), slots.flatten()])
    return torch.sparse_coo_tensor(place, ones, (len(slots), n), check_invariants=False)
