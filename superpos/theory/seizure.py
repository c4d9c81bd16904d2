"""Beyond first order: when the slots that should be silent switch on. Chapter 11. Ours."""

import math
from collections.abc import Callable

from superpos import codes
from superpos.checks import check_count
from superpos.codes import Code
from superpos.theory.overlap import point
from superpos.theory.slots import Field, Rotations


def leak(T: int, n: int, S: int, z: int) -> float:
    """The standard deviation of the on-indicator that an idle slot reads in layer 2: √(z(e^x − 1)/S) with x = TS²/n².

    A slot r is linked to each of the zS slots that are on with probability p = 1 − e^{−x}, and then reads
    1/S + χ = 1/(S(1−p)), so that y = (K − zSp)/(S(1−p)) with K of them linked: the variance is zp/(S(1−p)). For small x
    the result is √(zTS)/n. What is above ¼ switches neurons on. Chapter 11.
    """
    return math.sqrt(z * math.expm1(T * S**2 / n**2) / S)


def rotations(code: Code, z: int, L: int, *, seed: int = 0) -> list[Rotations]:
    """The predicted errors of L layers of the balanced construction of conditional rotations, idle slots included.

    In layer 2 and later, a slot with a circuits on it reads

    - of each active circuit K of its S slots: each of the a circuits shares a slot with it with probability
      π = Σ_s (c_s − 1)/(T−1), c_s the uses of its slots, and one slot is read once. y gets (1/S+χ) K − χ S;
    - of the idle slots a normal sum, with mean Σ_c E𝒲 Eα and variance
      Σ_c E𝒲² var α + (1/S+χ)² [(Eα)² var(links) + a S(S−1)(1−p)² cov(α, α')], α and α' on two slots of one circuit;
    - turned points of mean square K|x̂_t|²/S² + a E|x̂_u|², x̂_u what an inactive circuit reads of its idle slots;
    - the circuit's own α̂, x̂, which all its S slots read.

    Two circuits share a given slot with probability (a−1)/(T−1), and never two. Chapter 11.

    Args:
        code: of the circuits; only how often its slots are used is looked at.
        z: active circuits.
        L: layers.
        seed: of the sample that the means are taken over.

    Returns:
        One prediction a layer.
    """
    check_count("z", z, at_most=code.T)
    check_count("L", L)
    field = Field(code, z, seed)
    return [field.step(l) for l in range(1, L + 1)]


def onset(code: Code, z: int, L: int, *, factor: float = 2.0, seed: int = 0) -> int | None:
    """The first layer in which the predicted error of active circuits is `factor` times the linear law `point`.

    None if there is no such layer among the first L.
    At z = 1 the first layer has no error by either, and does not count. Chapter 11.
    """
    predicted = [layer.point.active for layer in rotations(code, z, L, seed=seed)]
    return first_excess(predicted, code.T, z, code.rho_star, factor=factor)


def first_excess(errors: list[float], T: int, z: int, rho: float, *, factor: float = 2.0) -> int | None:
    """The first layer in which errors, measured or predicted, are `factor` times the linear law `point`, or None.

    `errors` are those of active circuits, layer by layer from the first. Chapter 11.
    """
    for l, error in enumerate(errors, start=1):
        law = point(l, T, z, rho).active
        if law > 0 and error >= factor * law:
            return l
    return None


def seizure_limit(n: int, S: int, z: int, *, code: str, L: int = 20) -> int:
    """The largest T, to 3%, with which fewer than a third of the idle slots are on after L layers: see `rotations`.

    Or what the code holds, if that is less. With few circuits the share stays small, with many it grows to about half;
    between them it creeps up from layer to layer. `superpos.sweep.limit` measures it. Chapter 11.

    Args:
        n: slots.
        S: slots of each circuit.
        z: active circuits.
        code: "line" or "progression".
        L: layers.
    """

    def seizes(T: int) -> bool:
        return rotations(getattr(codes, code)(T, n, S), z, L)[-1].idle_on > 1 / 3

    return largest_without(seizes, n, codes.max_circuits(code, n, S))


def largest_without(seizes: Callable[[int], bool], start: int, most: int) -> int:
    """The largest T in 1 … most, to 3%, that does not seize: bracketed by doubling or halving, then log T is halved.

    What is asked may be a network (`superpos.sweep.limit`) or its prediction (`seizure_limit`). Chapter 11.
    """
    low, high = 0, most + 1
    T = max(1, min(start, most))
    while low < T < high:
        low, high = (low, T) if seizes(T) else (T, high)
        T = min(2 * T, most) if high > most else max(T // 2, 1)
        if low and high <= most:
            break
    while high - low > 1 and low and high > 1.03 * low:
        middle = min(max(round(math.sqrt(low * high)), low + 1), high - 1)
        low, high = (low, middle) if seizes(middle) else (middle, high)
    return low
