"""Errors of the redundant and the balanced construction to first order in the overlap of codes. Chapters 9, 10 and 13.

ρ is the mean squared overlap of two circuits, E_{t≠u}[(⟨e_t|e_u⟩/S)²]: `Code.rho` where all slots are used equally
often, or `Code.rho_star`, exactly, of a given code.

Source: Linsefors & Bushnaq (2025); for rotations their (6.4), (6.41), (6.43), (6.55) and (6.57), with the errata of
chapter 11 mended. The posts have no ρ*.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """The predicted mean squared errors after one layer, to first order in the overlap ρ. Chapters 9 and 10.

    Attributes:
        active: |x̂_t − x_t|² of active circuits.
        inactive: |x̂_u|² of inactive ones.
    """

    active: float
    inactive: float


def mlps(l: int, T: int, z: int, rho: float, *, state: float = 1.0, pre: float = 1.0) -> Linear:
    """The predicted errors of the redundant construction, for circuits without bias, after layer l = 1, 2, …:

        inactive: z ρ E|a|²        active: l ρ (z−1) E|w a|² + (l−1) T ρ² z E|w a|².

    The first active term is what z−1 others add where they share a slot (embedding overlap), the second what comes
    back through inactive circuits (propagation). Both are of first order in Tρ. The inactive formula holds at layer 1
    if circuits without bias are meant: nothing silences what they hear. E|w a|² is the error of a pre-activation:
    after the ReLU the state's error is about half of it, which is about E|a|². Chapter 9.

    Args:
        l: layer.
        T, z: circuits, and how many of them are active.
        rho: ρ or ρ*.
        state: E|a|².
        pre: E|w a|².

    Source: Linsefors & Bushnaq (June 2025).
    """
    return Linear(active=rho * pre * (l * (z - 1) + (l - 1) * T * rho * z), inactive=z * rho * state)


def indicator(z: int, rho: float) -> Linear:
    """The predicted errors of the on-indicator α of conditional rotations: 0 while active, E δα² = zρ while inactive.

    The step in α erases it in active circuits. Chapter 10.

    Source: Linsefors & Bushnaq (December 2025).
    """
    return Linear(active=0.0, inactive=z * rho)


def point(l: int, T: int, z: int, rho: float) -> Linear:
    """The predicted errors of the rotating vector of conditional rotations, |x| = 1, after layer l:

        inactive: z ρ        active: (l−1) T ρ² (z + 8(z−1)) + 9 l ρ (z−1).

    8(z−1): an error ε on α is erased from α, but moves both components of x by 2ε. At z = 1 the inactive error of
    layer 1 is ρ* exactly, over all circuits and inputs of both signs. Chapter 10.

    Source: Linsefors & Bushnaq (December 2025), with the errata of chapter 11 mended.
    """
    propagated = (l - 1) * T * rho**2 * (z + 8 * (z - 1))
    return Linear(active=propagated + 9 * l * rho * (z - 1), inactive=z * rho)


@dataclass(frozen=True)
class Masked:
    """The predicted mean squared errors of active circuits whose network lost weights of inactive ones. Chapter 13.

    Attributes:
        after: |x̂_t(μ) − x_t|².
        change: |x̂_t(μ) − x̂_t|², against the network before.
    """

    after: float
    change: float


def masked(l: int, T: int, z: int, rho: float, *, mean: float, square: float, pre: float = 1.0) -> Masked:
    """The predicted errors of the redundant construction with a factor μ, the same or random, on inactive circuits:

        after: E|w a|² (l ρ (z−1) + (l−1) T E[μ²] ρ² z)        change: E|w a|² (l−1) T E[(1−μ)²] ρ² z.

    What comes back through an inactive circuit carries its μ once; what active circuits add to one another does not.
    So a network that has lost a share of its inactive circuits errs as one that never had them, and one without any
    makes, at z = 1, no error at all, at every depth. Otherwise of first order in Tρ, as `mlps`. Chapter 13. Ours.

    Args:
        l, T, z, rho, pre: as in `mlps`.
        mean, square: Eμ and E[μ²]: 0 and 0 if they are dropped, p and p if kept with probability p, ½ and ⅓ if uniform.
    """
    among = mlps(l, 0, z, rho, pre=pre).active
    back = mlps(l, T, z, rho, pre=pre).active - among
    return Masked(after=among + square * back, change=(1 - 2 * mean + square) * back)


def harm(T: int, S: int, rho: float) -> float:
    """The predicted factor by which an adversary who may drop any inactive circuits raises the mean squared error.

    After layer 2, at z = 1, the error of one coordinate is a sum s of one v_u for each circuit that shares a slot with
    the active one before and after the layer. Of these there are λ = T (S²ρ)², Poisson, if v is Gaussian and no ReLU
    stands behind it. Without those that pull the other way it is (|s| + Σ_u |v_u|)/2. With |s| and the sum taken as
    independent the mean square grows by

        ½ + √λ/π + λ/2π,

    in proportion to T: the more circuits, the more an adversary can choose from. Chapter 13. Ours.
    """
    links = T * (S * S * rho) ** 2
    return 0.5 + math.sqrt(links) / math.pi + links / (2 * math.pi)
