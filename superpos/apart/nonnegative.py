"""Non-negative matrix factors: activations as sums of parts that only add. Chapter 17."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_count, check_tensor
from superpos.sampling import generator

__all__ = ["Factors", "factors", "split"]

_ROUNDS = 60
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of non-negative activations, one for each seed: A ≈ F D, all entries ≥ 0. Chapter 17.

    Attributes:
        decoder: D, whose rows have length 1.
        rounds: how many times latents are improved, with the rows fixed.
        errors: |A − F D|² / |A|², round by round.
    """

    decoder: Float[Tensor, "R K n"]
    rounds: int
    errors: Float[Tensor, "rounds R"]

    def latents(self, A: Float[Tensor, "B n"]) -> Float[Tensor, "R B K"]:
        """The latents F of every seed on a batch of activations: the best ones for these rows D.

        Raises:
            TypeError, ValueError: if A is no batch of activations such as it was made from, none below 0.
        """
        check_tensor("A", A, {"B": None, "n": self.decoder.shape[-1]}, like=self.decoder)
        _check_sign(A)
        F = A.new_ones(len(self.decoder), len(A), self.decoder.shape[1])
        for _ in range(self.rounds):
            F = _improved(F, A, self.decoder)
        return F

    def decode(self, F: Float[Tensor, "R B K"]) -> Float[Tensor, "R B n"]:
        """What latents stand for."""
        return F @ self.decoder


def factors(A: Float[Tensor, "N n"], latents: int, seeds: Sequence[int], *, rounds: int = _ROUNDS) -> Factors:
    """Non-negative factors of activations by multiplicative updates, one for each seed, all at once. Chapter 17.

    F ← F · (A Dᵀ) / (F D Dᵀ) and D ← D · (Fᵀ A) / (Fᵀ F D) in turn: |A − F D|² falls in each [Lee & Seung 2000].

    Raises:
        TypeError, ValueError: if A is no batch of activations or one is below 0, or a number is out of range.
    """
    check_tensor("A", A, {"N": None, "n": None})
    check_count("latents", latents)
    check_count("rounds", rounds)
    if not seeds:
        raise ValueError("seeds is empty; it must hold at least one integer")
    _check_sign(A)
    draws = [generator(seed, "factors") for seed in seeds]
    F, D = (
        torch.stack([torch.rand(shape, generator=g, dtype=torch.float32) for g in draws]).to(A)
        for shape in ((len(A), latents), (latents, A.shape[1]))
    )
    total, errors = A.square().sum().clamp_min(_TINY), []
    for _ in range(rounds):
        F = _improved(F, A, D)
        D = _improved(D.mT, A.mT, F.mT).mT
        errors.append((A - F @ D).square().sum(dim=(1, 2)) / total)
    length = D.norm(dim=-1, keepdim=True).clamp_min(_TINY)
    return Factors(D / length, rounds, torch.stack(errors))


def split(A: Float[Tensor, "B n"]) -> Float[Tensor, "B n2"]:
    """Activations of both signs as non-negative ones: what is above 0, then what is below. Chapter 17."""
    return torch.cat([A.relu(), (-A).relu()], dim=1)


def _improved(F: Float[Tensor, "R B K"], A: Float[Tensor, "B n"], D: Float[Tensor, "R K n"]) -> Float[Tensor, "R B K"]:
    return F * (A @ D.mT) / (F @ (D @ D.mT)).clamp_min(_TINY)


def _check_sign(A: Tensor) -> None:
    if (A < 0).any():
        raise ValueError(f"A holds {A.min().item():.3g}; every entry must be at least 0: give split(A)")
