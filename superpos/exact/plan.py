"""How wide an exact network has to be, or how many circuits a width holds. Chapter 11."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from superpos import codes
from superpos.checks import check_count, check_number
from superpos.codes import missing, missing_estimate
from superpos.network import Promise


@dataclass(frozen=True)
class Plan:
    """The sizes of an exact network: S columns, each of q lanes of n_g slots; a slot is d + 2 neurons. Chapter 11.

    Attributes:
        T, d: circuits, and their width.
        z: circuits active at once for which it is made.
        S: columns, in each of which a circuit has one copy.
        n_g: slots of a lane; a lane has room for n_g² circuits.
        missing: the fraction of active circuits without a live copy, in the mean over all sets of z. 0 if S = z.
    """

    T: int
    d: int
    z: int
    S: int
    n_g: int
    missing: float

    @property
    def q(self) -> int:
        """The number of lanes of a column: one for each active circuit."""
        return self.z

    @property
    def k(self) -> int:
        """The coefficients, in number, of the line that gives a circuit its slots.

        Two circuits share a slot in at most k − 1 columns.
        """
        return 2

    @property
    def D(self) -> int:
        """The width of the widest layer, all gates counted: S q n_g (d + 2)."""
        return self.S * self.q * self.n_g * (self.d + 2)

    def promise(self, active: int) -> Promise:
        """The properties proved for sets of that many active circuits, and the fraction of these without a live copy.

        For more of them than z the fraction is an estimate, which takes slots to be drawn at random. Chapter 11.
        """
        few = f"every set of at most {self.S} is computed exactly"
        more = "" if self.z == self.S and active <= self.z else ", of larger ones every answer that is not flagged"
        if active <= self.z:
            return Promise(few + more, missing(self.T, self.n_g, self.S, active))
        return Promise(few + more, missing_estimate(self.n_g, self.S, self.z, active))


def plan(T: int | None, d: int, *, z: int = 1, D: int | None = None, tolerance: float = 0.0) -> Plan:
    """The sizes of the narrowest exact network for T circuits, or of that for most circuits if T is None. Chapter 11.

    All S, q and n_g that the code and the tolerance admit are looked at, D = S q n_g (d + 2).

    Args:
        T: circuits; None for as many as D holds.
        d: their width.
        z: how many are active at once.
        D: width at most; may be left out if T is given.
        tolerance: fraction of active circuits that may be left without a live copy, in [0, 1).

    Raises:
        ValueError: if D is too narrow; the message gives the narrowest that fits and the largest T that D holds. Or
            for z < 1, z > T, or a tolerance outside [0, 1).
    """
    check_count("d", d)
    check_count("z", z)
    check_number("tolerance", tolerance, at_least=0.0)
    if tolerance >= 1:
        raise ValueError(f"tolerance is {tolerance}; it must be in [0, 1): 0 leaves no circuit without a copy")
    if D is not None:
        check_count("D", D)
    if T is None:
        if D is None:
            raise ValueError("T and D are both None; give the number of circuits, or the width that has to hold them")
        return _most(d, z, D, tolerance)
    check_count("T", T)
    if z > T:
        raise ValueError(f"z is {z}; it must be at most T = {T}: no more circuits can be active")
    found = min(_fitting(T, d, z, tolerance), key=lambda p: (p.D, p.missing, -p.S))
    if D is not None and found.D > D:
        try:
            most = f"holds at most T = {_most(d, z, D, tolerance).T}"
        except ValueError:
            most = "holds none"
        raise ValueError(
            f"D is {D}; T = {T} circuits of width {d} with z = {z} and tolerance {tolerance:g} need D ≥ {found.D}, "
            f"and D = {D} {most}"
        )
    return found


def _fitting(T: int, d: int, z: int, tolerance: float) -> Iterator[Plan]:
    """For each number of columns the narrowest network that keeps to the tolerance."""
    least = math.isqrt(T - 1) + 1
    for S in range(1, z + 1):
        guess = least if z == S else max(least, _slots(T, S, z, tolerance))
        low, high = max(least, guess * 19 // 20) - 1, guess  # more slots lose fewer circuits
        while _lost(T, high, S, z) > tolerance:
            low, high = high, high + high // 20 + 1
        while high - low > 1:
            n = (low + high) // 2
            low, high = (low, n) if _lost(T, n, S, z) <= tolerance else (n, high)
        # Nearly, but not quite, as n grows: look a few slots back.
        near = map(lambda n: _with_columns(n, S), range(max(least, high - 8), high + 1))
        n = next(n for n in near if missing(T, n, S, z) <= tolerance)
        yield Plan(T, d, z, S, n, missing(T, n, S, z))


def _lost(T: int, n: int, S: int, z: int) -> float:
    """What is missing with n slots, or the next number of slots that has S columns."""
    return missing(T, _with_columns(n, S), S, z)


def _with_columns(n: int, S: int) -> int:
    while codes.max_columns(n) < S:
        n += 1
    return n


def _slots(T: int, S: int, z: int, tolerance: float) -> int:
    """Roughly the slots on which S columns keep to the tolerance.

    From (1 − (1 − p)^{z−1})^S = tolerance, with p = (T/n − 1)/(T − 1) the chance that two circuits share a slot.
    """
    p = 1 - (1 - tolerance ** (1 / S)) ** (1 / (z - 1))
    return math.ceil(T / (1 + p * (T - 1)))


def _most(d: int, z: int, D: int, tolerance: float) -> Plan:
    """The largest T that width D holds."""
    found = []
    for S in range(1, z + 1):
        room = D // (S * z * (d + 2))
        n = next((n for n in range(room, 0, -1) if codes.max_columns(n) >= S), 0)
        if n * n < z:
            continue
        low, high = max(n, z - 1), n * n + 1  # n circuits share no slot in the first column; missing grows with T
        if z == S or (tolerance and missing(n * n, n, S, z) <= tolerance):
            low = n * n
        while high - low > 1 and tolerance:
            T = (low + high) // 2
            low, high = (T, high) if missing(T, n, S, z) <= tolerance else (low, T)
        if low >= z:
            found.append(Plan(low, d, z, S, n, missing(low, n, S, z)))
    if not found:
        raise ValueError(f"D is {D}; even T = z = {z} circuits of width {d} need D ≥ {plan(z, d, z=z).D}")
    return max(found, key=lambda p: (p.T, -p.D, -p.missing))
