"""How many circuits fit: what each construction can use, and the limits that no construction passes. Chapter 13."""

import math
from collections.abc import Callable

from superpos import codes
from superpos.checks import check_count, check_number
from superpos.theory.demand import Demand, predicted_error, usable_circuits
from superpos.theory.overlap import mlps
from superpos.theory.seizure import rotations

_ROUNDING = 1e-12  # an error below it is none


def usable(
    construction: str, D: int, *, d: int = 4, S: int = 6, z: int = 1, L: int = 1, tolerance: float = 0.01
) -> int:
    """The largest T whose predicted squared error of active circuits, over their squared signal, is ≤ tolerance.

    - dedicated: D//d, without error.
    - redundant: `mlps` after L layers, |a|² = 1 and E|a|² in the place of E|w a|², ρ* of the line code. This is the
      law of circuits that forget what they hear while inactive; those without a bias do not, and use fewer.
    - balanced: `rotations` after L layers, conditional rotations on the line code; the error of their point x.
    - residual: `layer` L times over, M = D neurons a layer, m = d, for Gaussian circuits without a threshold.

    The line code bounds the second and third. The exact construction is not here: its T is no estimate but a plan,
    `superpos.exact.plan(None, d, z=z, D=D).T`, and plans stand on this module's floor.
    `superpos.sweep.predicted_capacity` answers for all five. Chapter 13.

    Args:
        construction: "dedicated", "redundant", "balanced" or "residual".
        D: width of the large network; where D is no multiple of d, the blocks are ⌊D/d⌋ wide.
        d: width of a circuit; 4 for "balanced".
        S: copies, or slots, of each circuit; "dedicated" has one.
        z: active circuits.
        L: layers.
        tolerance: of the relative squared error.

    Returns:
        T, to a part in a thousand, exact below 1,000; 0 if the error of even T = z circuits is too large, or fewer
        than z fit.

    Raises:
        TypeError, ValueError: for an unknown construction, or a number out of range.
    """
    for name, value in (("D", D), ("d", d), ("S", S), ("z", z), ("L", L)):
        check_count(name, value)
    check_number("tolerance", tolerance, at_least=0.0)
    if construction == "dedicated":
        return D // d if D // d >= z else 0
    if construction == "residual":
        if S * d > D:
            return 0
        asked = Demand(D, D, S, z, tolerance=tolerance, of="signal", d=d, m=d)
        return _largest(predicted_error(asked, L=L), z, D * D // (d * d), tolerance)
    if construction not in ("redundant", "balanced"):
        there = "dedicated, redundant, balanced or residual; for exact ask superpos.exact.plan(None, d, z=z, D=D)"
        raise ValueError(f"construction is {construction!r}; it must be {there}")
    if construction == "balanced" and d != 4:
        raise ValueError(f"d is {d}; the balanced construction is predicted for conditional rotations, d = 4")
    n = D // d
    predict = _redundant(n, S, z, L) if construction == "redundant" else _balanced(n, S, z, L)
    return _largest(predict, z, codes.max_circuits("line", n, S) if n else 0, tolerance)


def counting_bound(D: int, d: int) -> int:
    """The largest T for which T·L·(d² + d) ≤ L·(D² + D).

    The left side counts the numbers in the weights and biases of T circuits of width d, the right side those of a
    network of width D, both with L layers. A network whose weights each carry at most one number of one circuit holds
    no more. Chapter 13.
    """
    check_count("D", D)
    check_count("d", d)
    return (D * D + D) // (d * d + d)


def readout_floor(F: int, d: int) -> float:
    """The least sum of squares Σ_{i≠j} M_ij² that F features, read linearly from d dimensions, hear of each other.

        Σ_{i≠j} M_ij² ≥ F(F−d)/d   for M = R E with E ∈ R^{d×F}, R ∈ R^{F×d} and M_ii = 1.

    M has rank at most d, so that F² = (tr M)² ≤ d ‖M‖²; of ‖M‖² the diagonal is F. For F ≤ d the floor is 0.
    Chapter 13.

    Source: Welch's bound; for a linear read-out "Linear-Readout Floors and Threshold Recovery in Computation in
    Superposition" (2026).
    """
    check_count("F", F)
    check_count("d", d)
    return F * max(F - d, 0) / d


def _largest(predict: Callable[[int], float], least: int, most: int, tolerance: float) -> int:
    """The largest T in least … most with predict(T) ≤ tolerance; 0 if there is none."""
    tolerance = max(tolerance, _ROUNDING)
    if most < least:
        return 0
    if predict(most) <= tolerance:
        return most
    return usable_circuits(lambda T: math.inf if most <= T else predict(max(T, least)), tolerance)


def _redundant(n: int, S: int, z: int, L: int) -> Callable[[int], float]:
    def predict(T: int) -> float:
        uses = codes.line(T, n, S).uses
        rho = (uses * (uses - 1)).sum().item() / (max(T * (T - 1), 1) * S**2)  # ρ*: no two circuits share two slots
        return mlps(L, T, z, rho).active

    return predict


def _balanced(n: int, S: int, z: int, L: int) -> Callable[[int], float]:
    return lambda T: rotations(codes.line(T, n, S), z, L)[-1].point.active
