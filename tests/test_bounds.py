"""Private lanes on paper: plain formulas and bounds by hand, and what is served beyond z against counted sets."""

import math
from collections import Counter
from itertools import combinations, product

import pytest
import torch

from superpos import codes, theory
from superpos.sampling import generator

Block = tuple[int, ...]  # from a slot to a slot


# Formulas.


def test_lanes_by_hand() -> None:
    assert theory.circuits_in_lanes(12, 1, 2) == 9  # 12/(2·2) = 3 slots a lane
    assert theory.circuits_in_lanes(12, 1, 1) == 36  # serial
    assert theory.circuits_in_lanes(12, 1, 2, constant=False) == 36  # 12/(2·1) = 6
    assert theory.width_of_lanes(9, 1, 2) == 12
    assert theory.width_of_lanes(36, 1, 2, constant=False) == 12
    assert [theory.lanes_by_sorting(1000, 2, z) for z in (2, 3, 4)] == [62**2, 27**2, 15**2]  # 1000/16, /36, /64
    # D/d = (D/R(d+1))² at D = R²(d+1)²/d: 4·9/2 = 18, where 9 fit side by side and 18²/6² = 9 in lanes.
    assert theory.lanes_pay_from(2, 2) == 18
    assert theory.circuits_in_lanes(18, 2, 2) == 9


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (2, [729, 2023, 6561, 30752, 304704]),
        (3, [304, 775, 2401, 11264, 110000]),
        (4, [171, 529, 1332, 6561, 61504]),
    ],
)
def test_lanes_by_code(z: int, expected: list[int]) -> None:
    assert [theory.lanes_by_code(D, 2, z) for D in (1000, 2000, 4000, 10000, 40000)] == expected


def test_lanes_by_code_at_the_edges() -> None:
    assert theory.lanes_by_code(1000, 2, 1) == 250**2
    # z = 2, k = 2: S = 2, q = 2, one slot: 2·2·1·4 + 2·2 = 20 neurons, T = min(2², 2·1²) = 2.
    assert [theory.lanes_by_code(D, 2, 2) for D in (19, 20)] == [0, 2]


# Bounds.


def test_the_bound_of_lanes_by_hand() -> None:
    # Two lanes of 6/(1+1)/2 slots hold 2·(3/2)² = 4.5 copies: two circuits have one, the others two: 2 + 2.5/2 = 3.25.
    assert theory.hall_bound(6, 1, 2, 2) == 3
    # Three lanes of two slots, 12 copies, z = 3: C(3, 2) = 3 pairs of lanes, 2 circuits each, in 6 copies: 6 + 6/3.
    assert theory.hall_bound(12, 1, 3, 3) == 8
    assert theory.hall_bound(12, 1, 3, 12) == 3  # twelve lanes of half a slot have three copies, one a circuit
    assert theory.hall_bound(12, 1, 1, 1) == 36  # 6²: every block, once


@pytest.mark.parametrize("z", [2, 3, 4])
def test_the_fewest_lanes_are_best_where_there_is_width(z: int) -> None:
    assert max(range(z, 12), key=lambda lanes: theory.hall_bound(1000, 2, z, lanes)) == z
    assert theory.circuits_in_lanes(1000, 2, z) <= theory.hall_bound(1000, 2, z, z)


@pytest.mark.parametrize(("sizes", "z"), [((1, 1), 2), ((1, 2), 2), ((1, 1, 1), 2), ((1, 1, 1), 3), ((1, 1, 2), 3)])
def test_no_choice_of_copies_is_above_the_bound_of_lanes(sizes: tuple[int, ...], z: int) -> None:
    """All ways to place copies of circuits in lanes, as many as its blocks, so that any z circuits find lanes."""
    lanes = len(sizes)
    kinds = [set(kind) for size in range(1, lanes + 1) for kind in combinations(range(lanes), size)]

    def served(chosen: tuple[int, ...]) -> bool:
        """Hall's condition, for the sets of lanes that each circuit has."""
        sets = [kinds[i] for i in chosen]
        rooms = all(sum(r in s for s in sets) <= n * n for r, n in enumerate(sizes))
        few = (group for j in range(1, z + 1) for group in combinations(sets, j))
        return rooms and all(len(set().union(*group)) >= len(group) for group in few)

    def most(chosen: tuple[int, ...], first: int) -> int:
        more = ((*chosen, i) for i in range(first, len(kinds)))
        return max((most(c, c[-1]) for c in more if served(c)), default=len(chosen))

    found = most((), 0)
    # Lanes of any widths: the leading term is that of z equal lanes, (N/z)², N slots in all.
    assert found <= (sum(sizes) / z) ** 2 + (z - 1) * math.comb(lanes, z - 1)
    if len(set(sizes)) == 1:
        assert found <= theory.hall_bound(sum(sizes) * 2, 1, z, lanes)


def matchings(blocks: set[Block]) -> list[tuple[Block, Block]]:
    """Pairs of blocks between which there is none."""
    return [
        (e, f)
        for e, f in combinations(sorted(blocks), 2)
        if e[0] != f[0] and e[1] != f[1] and not {(e[0], f[1]), (f[0], e[1])} & blocks
    ]


def test_induced_matchings_of_every_pattern_of_three_slots() -> None:
    cells = list(product(range(3), repeat=2))
    for size in range(10):
        for blocks in combinations(cells, size):
            assert 2 * len(matchings(set(blocks))) <= 9 * (9 - size) / 4, blocks


def test_the_bound_of_two_active_by_hand() -> None:
    # N = 2: 4T + 2 ≤ √(2² + 16·6) = 10. N = 4: 4T + 14 ≤ √(14² + 64·20) = 38.4.
    assert [theory.matching_bound(N) for N in range(1, 7)] == [1, 2, 3, 6, 9, 12]
    assert theory.matching_bound(10**6) / 10**12 == pytest.approx((math.sqrt(5) - 1) / 4, rel=1e-5)
    for N in range(2, 200):  # two lanes, and a circuit of a single copy in each
        assert theory.matching_bound(N) >= N * N // 4 + 1


@pytest.mark.parametrize(("N", "expected"), [(2, 2), (3, 3)])
def test_every_pattern_of_few_slots_is_below_the_bound(N: int, expected: int) -> None:
    """All patterns, and all ways to give their blocks to T circuits so that any two of these can run at once."""
    cells = list(product(range(N), repeat=2))

    def shared(pairs: list[tuple[Block, Block]], T: int, owner: dict[Block, int]) -> bool:
        """Whether the blocks that `owner` leaves free can be given out so that each pair of circuits has a matching."""
        met = {frozenset((owner[e], owner[f])) for e, f in pairs if e in owner and f in owner}
        if sum(len(pair) == 2 for pair in met) == math.comb(T, 2):
            return True
        free = next((block for pair in pairs for block in pair if block not in owner), None)
        if free is None:
            return False
        known = len(set(owner.values()))  # circuits are numbered as they come
        return any(shared(pairs, T, {**owner, free: t}) for t in range(min(known + 1, T)))

    def possible(T: int) -> bool:
        patterns = (set(blocks) for size in range(len(cells) + 1) for blocks in combinations(cells, size))
        found = (pairs for blocks in patterns if len(pairs := matchings(blocks)) >= math.comb(T, 2))
        return any(shared(pairs, T, {}) for pairs in found)

    assert possible(expected)
    assert not possible(expected + 1)
    assert theory.matching_bound(N) == expected


# What is served beyond z.


def by_counting(q: int, S: int, z: int, c: int) -> float:
    """The same fraction, over all ways to put c circuits on slots of S columns, each as likely."""
    total = 0
    for slots in product(product(range(q), repeat=c), repeat=S):
        counts = [Counter(column) for column in slots]
        total += min(z, sum(any(counts[s][slots[s][t]] == 1 for s in range(S)) for t in range(c)))
    return total / q ** (c * S) / c


@pytest.mark.parametrize(("q", "S", "z", "c"), [(2, 2, 1, 3), (3, 2, 2, 3), (2, 3, 2, 4), (3, 2, 3, 5), (2, 2, 4, 5)])
def test_served_is_what_counting_gives(q: int, S: int, z: int, c: int) -> None:
    assert theory.served(q, S, z, c) == pytest.approx(by_counting(q, S, z, c), rel=1e-12)


def test_served_by_hand() -> None:
    assert theory.served(4, 5, 3, 3) == 1.0  # by the code
    assert theory.served(10, 1, 3, 12) == 0.25  # one column, a slot for each circuit: three of twelve
    # One place; three circuits on two slots of a column: one is alone unless all three meet, 1 − 2/8. Two columns:
    # none in either, 1/16. (1 − 1/16) / 3.
    assert theory.served(2, 2, 1, 3) == pytest.approx(15 / 48)
    assert theory.served(8, 5, 2, 1000) < 1e-12  # no one is alone


@pytest.mark.parametrize(
    ("T", "k", "q", "z", "counts"),
    [
        (169, 4, 4, 2, (3, 4, 6, 12)),
        (729, 5, 4, 2, (3, 6, 12)),
        (1000, 3, 10, 2, (3, 6, 24)),  # F_2 × F_5: three columns
        (49, 3, 4, 3, (4, 6, 9)),
        (11025, 5, 8, 3, (9, 30)),
        (225, 3, 7, 4, (5, 12, 24)),
        (3721, 3, 16, 5, (15, 40)),
    ],
)
def test_served_is_what_codes_leave(T: int, k: int, q: int, z: int, counts: tuple[int, ...]) -> None:
    S, samples, g = (k - 1) * (z - 1) + 1, 4000, generator(0)
    slots = codes.polynomials(torch.arange(T), k, q, S)
    for c in counts:
        active = torch.stack([torch.randperm(T, generator=g)[:c] for _ in range(samples)])
        taken = slots[active]
        on = torch.zeros(samples, S * q).scatter_add_(1, taken.flatten(1), torch.ones(samples, c * S))
        single = (on.gather(1, taken.flatten(1)).view_as(taken) == 1).any(dim=2)
        measured = single.sum(dim=1).clamp(max=z).double() / c
        doubt = 3 * measured.std().item() / math.sqrt(samples)
        assert abs(measured.mean().item() - theory.served(q, S, z, c)) <= 0.1 * measured.mean().item() + doubt, c
        assert doubt <= 0.05 * measured.mean().item()  # or the line above would say little


def test_refused_bounds(unhooked: None) -> None:
    cases = [
        (lambda: theory.lanes_by_code(10, 2, 0), ValueError, "z is 0"),
        (lambda: theory.lanes_by_sorting(10, 0, 2), ValueError, "d is 0"),
        (lambda: theory.circuits_in_lanes(0, 2, 2), ValueError, "D is 0"),
        (lambda: theory.width_of_lanes(10, 2, 0), ValueError, "lanes is 0"),
        (lambda: theory.lanes_pay_from(2, 0), ValueError, "lanes is 0"),
        (lambda: theory.hall_bound(100, 2, 3, 2), ValueError, "lanes is 2; z = 3 .* lanes ≥ 3"),
        (lambda: theory.matching_bound(0), ValueError, "N is 0"),
        (lambda: codes.served(4, 5, 0, 3), ValueError, "z is 0"),
        (lambda: codes.served(4, 5, 2, -1), ValueError, "c is -1"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()
