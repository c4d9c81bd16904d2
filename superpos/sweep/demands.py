"""How many circuits of a residual network are usable, found by measuring. Chapter 8."""

import math

from superpos import circuits, errors, residual
from superpos.checks import check_count, check_seed
from superpos.theory import Demand, predicted_usable

_BATCH = 1024  # samples for one T


def usable(demand: Demand, seed: int) -> dict[str, float]:
    """The T at which the error of active circuits after one layer is the tolerance, measured. Chapter 8.

    A secant search in log T and log error, without a look at the theory, until the error is within 10% of the target;
    then the last step's interpolation; 0 if even the fewest, z or 2, are too many. Circuits, network and inputs are
    drawn from the seed, anew for each T.

    Returns:
        "T", a fraction where the search interpolates; "predicted", what `superpos.theory.predicted_usable` says.
    """
    check_seed("seed", seed)
    points: list[tuple[float, float]] = []
    least = max(2, demand.z)
    T = max(4, least, demand.D // demand.d)
    for _ in range(12):
        points.append((math.log(T), math.log(measured_error(demand, T, seed) / demand.tolerance)))
        if abs(points[-1][1]) < 0.1 and len(points) > 1:
            break
        if points[-1][1] > 0 and least >= T:
            return {"T": 0.0, "predicted": predicted_usable(demand)}
        T = max(least, round(math.exp(_crossing(points))))
    return {"T": math.exp(_crossing(points)), "predicted": predicted_usable(demand)}


def measured_error(demand: Demand, T: int, seed: int) -> float:
    """The error of T circuits after one layer, measured, as the share that was asked for. Chapter 8.

    Gaussian circuits, |x|² = d; circuits, network, active sets and 1,024 inputs are drawn from the seed.
    """
    check_count("T", T)
    s = demand
    small = circuits.random_residual(T, s.d, s.m, 1, seed=seed, threshold=s.threshold)
    large = residual.embed(small, s.D, s.M, s.S, seed=seed)
    active = circuits.random_active(T, _BATCH, s.z, seed=seed)
    x = circuits.sphere(_BATCH, s.z, s.d, seed=seed)
    truth, estimate = small.run(active, x)[1], large.run(active, x).estimates[1]
    found = errors.relative(estimate, truth) if s.of == "signal" else errors.of_update(estimate, truth, x)
    return found.error.item()


def _crossing(points: list[tuple[float, float]]) -> float:
    """Where log error crosses 0: a line through the last two points, of slope 2 through the first alone."""
    (x, y) = points[-1]
    slope = 2.0
    if len(points) > 1 and points[-2][0] != x:
        slope = min(4.0, max(0.5, (y - points[-2][1]) / (x - points[-2][0])))
    return x - y / slope
