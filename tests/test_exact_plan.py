"""The sizes of exact networks: the best of all there are, and what a width holds."""

import math
from collections.abc import Iterator

import pytest
from exactly import mlps

from superpos import codes, exact
from superpos.exact import Plan
from superpos.exact.plan import smallest_entry
from superpos.exact.sizes import chunks

# --- The code of the entry --------------------------------------------------------------------------------------


def shortest(T: int, z: int) -> int:
    """The fewest slots by trying all: for each degree the fewest elements that have polynomials and columns enough."""
    fewest = T  # each circuit has a slot of its own
    for k in range(2, T.bit_length() + 1):
        S, q = (z - 1) * (k - 1) + 1, 2
        while q**k < T:
            q += 1
        while codes.max_columns(q, k) < S:
            q += 1
        fewest = min(fewest, S * q)
    return fewest


@pytest.mark.parametrize("z", [2, 3, 4, 5, 8])
def test_the_entry_is_the_shortest(z: int) -> None:
    for T in [*range(z, 80), 169, 500, 1000, 1001, 3721, 25_600, 10**6]:
        found = smallest_entry(T, z)
        assert found.q**found.k >= T
        assert found.S == (z - 1) * (found.k - 1) + 1 <= codes.max_columns(found.q, found.k)
        assert found.S * found.q == found.N == shortest(T, z), T


# --- The plan ---------------------------------------------------------------------------------------------------


def widths(T: int, d: int, z: int, lanes: int, constant: bool, N: int, take: int) -> Iterator[int]:
    """The width of every layer, by the table of chapter 12."""
    n, e, numbers = math.isqrt(T - 1) + 1, d + 1, d + constant
    m = next(m for m in range(1, n + 2) if math.comb(m, m // 2) >= n)
    waiting = z * e if lanes < z else 0
    yield lanes * (n * numbers + 2 * m) + waiting
    if z == 1:
        return
    yield from (N * e, N * (d + 2))  # entry, ties
    left, first = e, True
    rounds = []  # how many numbers each mark of a round takes; compare takes take − 1
    while first or left > take - 1:
        rounds.append(min(take, left))
        left, first = left - rounds[-1], False
    for r in range(1, z):
        for i, taken in enumerate(rounds):
            yield N * (e + taken) + (r - (i == 0)) * e
        yield N * (d + 2 + left) + r * e  # compare: X, two in the place of V, and what is left
        yield N * (e + 1) + r * e  # match
        yield N * e + r * e  # clear
    yield N * e + (z - 1) * e  # the last mark
    yield from (lanes * (n + e) + waiting, lanes * (n + m + d) + waiting)  # stairs i and steps i; wires i, stairs j


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("z", [1, 2, 3, 4, 7])
def test_the_plan_is_the_best_of_all(z: int, constant: bool) -> None:
    for T in (max(z, 9), 10, 150, 2000):
        for d in (1, 2, 5):
            for lanes in {1, z - z // 2, z}:
                found = exact.plan(T, d, z=z, lanes=lanes, constant=constant)
                N = 0 if found.entry is None else found.entry.N
                every = {take: max(widths(T, d, z, lanes, constant, N, take)) for take in range(1, d + 2)}
                assert min(every.values()) == found.D
                if z > 1:
                    assert every[found.take] == found.D
                    equal = [exact_with(found, take).extra for take, D in every.items() if found.D == D]
                    assert found.extra == min(equal)


def exact_with(plan: Plan, take: int) -> Plan:
    return Plan(plan.T, plan.d, plan.z, plan.lanes, plan.constant, plan.n, plan.wires, plan.entry, take)


def test_the_network_is_as_planned() -> None:
    for z, lanes in ((1, 1), (2, 2), (3, 2), (4, 1)):
        plan = exact.plan(30, 3, z=z, lanes=lanes)
        network = exact.embed(mlps(30, 3, 2), z=z, lanes=lanes, bound=9.0)
        assert network.plan == plan
        assert network.D == plan.D == max(layer.width for layer in network.layers)  # type: ignore[misc]
        assert len(network.layers) == plan.extra + plan.passes * 2
    wide = exact.plan(100_000, 2, z=3)
    assert (wide.extra, wide.passes) == (4 * 3 + 3, 1)  # as the chapter has it


@pytest.mark.parametrize(("d", "take"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (5, 2), (5, 3), (8, 4), (8, 9)])
def test_every_number_is_taken_once(d: int, take: int) -> None:
    marks, rest = chunks(d, take)
    assert sorted([*(number for mark in marks for number in mark), *rest]) == list(range(d + 1))
    assert marks[0][0] == d  # the key first: it tells the slots apart
    assert all(1 <= len(mark) <= take for mark in marks)
    assert len(rest) <= take - 1
    assert len(marks) == 1 or 2 * take - 1 < d + 1


# T by the sizes of chapter 12 at D = 1000: with z lanes, and with one.
TABLE = {
    2: [(1, 106_276, 106_276), (2, 25_600, 104_976), (3, 11_025, 104_329), (4, 5_929, 103_684), (5, 3_721, 28_561)],
    4: [(1, 38_416, 38_416), (2, 9_216, 37_636), (3, 3_969, 37_249), (4, 2_116, 28_561), (5, 1_296, 2_197)],
    8: [(1, 11_881, 11_881), (2, 2_809, 11_449), (3, 1_225, 11_236), (4, 676, 1_331), (5, 400, 729)],
}


@pytest.mark.parametrize("d", TABLE)
def test_as_many_as_width_1000_holds(d: int) -> None:
    for z, side, serial in TABLE[d]:
        for lanes, least in ((z, side), (1, serial)):
            found = exact.plan(None, d, z=z, D=1000, lanes=lanes)
            assert least <= found.T
            assert found.D <= 1000
            assert exact.plan(found.T + 1, d, z=z, lanes=lanes).D > 1000


def test_a_larger_one_never_needs_less() -> None:
    for z, lanes in ((1, 1), (2, 2), (3, 1), (6, 6)):
        D = [exact.plan(T, 2, z=z, lanes=lanes).D for T in range(z, 100)]
        assert sorted(D) == D


@pytest.mark.parametrize(("z", "lanes"), [(1, 1), (2, 2), (2, 1), (3, 2), (4, 4)])
def test_a_width_holds_what_it_says(z: int, lanes: int) -> None:
    for T in (30, 170, 1000):
        wide = exact.plan(T, 2, z=z, lanes=lanes).D
        for D, holds in ((wide, True), (wide - 1, False)):
            most = exact.plan(None, 2, z=z, D=D, lanes=lanes).T
            assert (most >= T) is holds
            assert exact.plan(most, 2, z=z, lanes=lanes).D <= D < exact.plan(most + 1, 2, z=z, lanes=lanes).D
            with pytest.raises(ValueError, match=f"T = {most + 1} .*holds at most T = {most} with {lanes} lane"):
                exact.plan(most + 1, 2, z=z, D=D, lanes=lanes)
    least = exact.plan(z, 2, z=z, lanes=lanes).D
    assert z <= exact.plan(None, 2, z=z, D=least, lanes=lanes).T
    with pytest.raises(ValueError, match=f"D is {least - 1}; even T = z = {z} circuits of width 2 need D ≥ {least}"):
        exact.plan(None, 2, z=z, D=least - 1, lanes=lanes)
