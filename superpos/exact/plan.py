"""How wide an exact network has to be, or how many circuits a width holds. Chapter 12."""

import math
from collections.abc import Iterator
from functools import lru_cache

from superpos import codes
from superpos.checks import check_count
from superpos.exact.sizes import Entry, Plan


def plan(
    T: int | None, d: int, *, z: int = 1, D: int | None = None, lanes: int | None = None, constant: bool = True
) -> Plan:
    """The sizes of the narrowest exact network for T circuits, or of that for most circuits if T is None. Chapter 12.

    All codes of the entry, and all ways to take a circuit out of it, are looked at; of equally narrow networks it is
    the one with fewest layers.

    Args:
        T: circuits; None for as many as D holds.
        d: their width.
        z: how many are active at once.
        D: width at most; may be left out if T is given.
        lanes: how many of them run side by side, z if it is None; with fewer the others wait, and the network is
            deeper, by the circuits' own layers for each further pass.
        constant: whether slots have a constant, which carries biases and lets inputs be negative.

    Raises:
        ValueError: if D is too narrow; the message gives the narrowest that fits and the largest T that D holds, side
            by side and one after another. Or for z < 1, z > T, lanes outside 1 … z.
    """
    for name, value in (("d", d), ("z", z)):
        check_count(name, value)
    side = z if lanes is None else lanes
    check_count("lanes", side, at_most=z, why=f"no more than z = {z} circuits run at once")
    if not isinstance(constant, bool):
        raise TypeError(f"constant is {constant!r} ({type(constant).__name__}); it must be a bool")
    if D is not None:
        check_count("D", D)
    if T is None:
        if D is None:
            raise ValueError("T and D are both None; give the number of circuits, or the width that has to hold them")
        return _most(d, z, side, constant, D)
    check_count("T", T)
    if z > T:
        raise ValueError(f"z is {z}; it must be at most T = {T}: no more circuits can be active")
    found = _narrowest(T, d, z, side, constant)
    if D is not None and found.D > D:
        holds = f"{_held(d, z, side, constant, D)} with {_lanes(side)}"
        if side > 1:
            holds += f", and {_held(d, z, 1, constant, D)} with one after another (lanes=1)"
        raise ValueError(
            f"D is {D}; T = {T} circuits of width {d} with z = {z} and {_lanes(side)} need D ≥ {found.D}; "
            f"D = {D} holds {holds}"
        )
    return found


def _narrowest(T: int, d: int, z: int, lanes: int, constant: bool) -> Plan:
    n = math.isqrt(T - 1) + 1
    wires = next(m for m in range(1, n + 2) if math.comb(m, m // 2) >= n)
    if z == 1:
        return Plan(T, d, z, lanes, constant, n, wires, None, 0)
    entry = smallest_entry(T, z)  # every layer is narrower on fewer slots
    takes = (Plan(T, d, z, lanes, constant, n, wires, entry, take) for take in range(1, d + 2))
    return min(takes, key=lambda p: (p.D, p.extra, p.take))


@lru_cache
def smallest_entry(T: int, z: int) -> Entry:
    """The code of the fewest slots on which each of any z of T circuits is alone somewhere. Chapter 12."""
    return min(_entries(T, z), key=lambda entry: (entry.N, entry.k))


def _entries(T: int, z: int) -> Iterator[Entry]:
    """For each degree the smallest number of elements that has polynomials and columns enough."""
    yield Entry(1, T, 1)
    fewest = T
    for k in range(2, T.bit_length() + 2):
        S = (z - 1) * (k - 1) + 1
        q = max(2, S - 1, round(T ** (1 / k)) - 1)
        while S * q <= fewest and (q**k < T or codes.max_columns(q, k) < S):
            q += 1
        if S * q <= fewest:
            fewest = S * q
            yield Entry(k, q, S)


def _most(d: int, z: int, lanes: int, constant: bool, D: int) -> Plan:
    """The largest T that width D holds: a larger one never needs less."""
    low, high = z - 1, max(z, (D // max(1, lanes * (d + constant)) + 1) ** 2)
    while high - low > 1:
        T = (low + high) // 2
        low, high = (T, high) if _narrowest(T, d, z, lanes, constant).D <= D else (low, T)
    if low < z:
        least = _narrowest(z, d, z, lanes, constant).D
        raise ValueError(f"D is {D}; even T = z = {z} circuits of width {d} need D ≥ {least}")
    return _narrowest(low, d, z, lanes, constant)


def _held(d: int, z: int, lanes: int, constant: bool, D: int) -> str:
    try:
        return f"at most T = {_most(d, z, lanes, constant, D).T}"
    except ValueError:
        return "none"


def _lanes(side: int) -> str:
    return f"{side} lane{'s' * (side > 1)}"
