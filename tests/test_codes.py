"""Codes: against plain loops over sets, and what each family promises."""

from collections.abc import Callable
from itertools import combinations, product
from math import comb, gcd

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superpos import codes
from superpos.codes import Code
from superpos.codes.fields import Field, Ring, largest_prime_power, prime_power

BUILD: dict[str, Callable[..., Code]] = {
    "progression": codes.progression,
    "line": codes.line,
    "random": lambda T, n, S, seed=0: codes.random(T, n, S, seed=seed),
    "random_subsets": lambda T, n, S, seed=0: codes.random_subsets(T, n, S, seed=seed),
}
PRIME_POWERS = [2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29, 31, 32, 37, 41, 43, 47, 49]


def sets(code: Code) -> list[frozenset[int]]:
    return [frozenset(row) for row in code.slots.tolist()]


def is_code(code: Code, T: int, n: int, S: int) -> bool:
    """T different sets of S slots, no two slots together in more than one of them."""
    found = sets(code)
    whole = code.slots.shape == (T, S) and all(len(s) == S and s <= set(range(n)) for s in found)
    pairs = [pair for s in found for pair in combinations(sorted(s), 2)]
    return whole and len(set(found)) == T and len(set(pairs)) == len(pairs)


def progressions(n: int, S: int) -> list[tuple[int, ...]]:
    """The posts' rule, step after step, shift after shift, one set at a time."""
    found = []
    for step in range(1, n if S > 1 else 2):
        rest = step
        while S > 1 and rest % S == 0:
            rest //= S
        if any(rest % p == 0 for p in range(2, S)):
            continue
        for shift in range(step):
            for first in range(shift, n - (S - 1) * step, S * step):
                found.append(tuple(first + k * step for k in range(S)))
    return found


def capacity(name: str, n: int, S: int) -> int:
    """The same numbers by counting."""
    if name == "random_subsets":
        return comb(n, S)
    if S == 1 or n < S:
        return n if S == 1 else 0
    if name == "progression":
        return len(progressions(n, S))
    order = max((q for q in PRIME_POWERS if S <= q <= n // S), default=0)
    return order**2 if order else n // S


@pytest.mark.parametrize(("S", "T"), [(3, 3854), (4, 1773), (5, 815), (6, 557), (7, 300), (8, 224)])
def test_the_progression_code_of_250_slots(S: int, T: int) -> None:
    assert codes.max_circuits("progression", 250, S) == T
    code = codes.progression(T, 250, S)
    assert int(code.overlaps[2:].sum()) == 0
    assert len(set(sets(code))) == T


def test_codes_of_250_slots() -> None:
    assert codes.max_circuits("line", 250, 6) == 1681  # 41², 41 the largest prime power ≤ 250/6 = 41.7
    assert is_code(codes.line(1681, 250, 6), 1681, 250, 6)
    assert codes.progression(557, 250, 6).uses.aminmax() == (5, 17)
    # 557 · 6 = 3342 = 13 · 250 + 92: as even as can be
    assert codes.random(557, 250, 6, seed=0).uses.bincount().tolist() == [0] * 13 + [158, 92]


@pytest.mark.parametrize("S", range(1, 13))
@pytest.mark.parametrize("name", codes.NAMES)
def test_max_circuits_is_what_can_be_built(name: str, S: int) -> None:
    for n in range(1, 41):
        most = codes.max_circuits(name, n, S)
        assert most == capacity(name, n, S), n
        if most > 0 and name != "random_subsets":
            assert is_code(BUILD[name](most, n, S), most, n, S), n
        if n >= S:
            with pytest.raises(ValueError, match=f"T is {most + 1}; the {name} code holds at most {most} "):
                BUILD[name](most + 1, n, S)


@pytest.mark.parametrize("S", range(1, 13))
@pytest.mark.parametrize("name", codes.NAMES)
def test_smallest_is_the_inverse_of_max_circuits(name: str, S: int) -> None:
    for T in [*range(1, 40), 557, 1681, 1682]:
        n = codes.smallest(name, T, S)
        assert codes.max_circuits(name, n, S) >= T, T
        assert n == S or codes.max_circuits(name, n - 1, S) < T, T


@pytest.mark.parametrize("name", codes.NAMES)
def test_a_refusal_names_the_slots_that_would_do(name: str) -> None:
    needed = codes.smallest(name, 700, 4)
    with pytest.raises(ValueError, match=rf"n = {needed - 1} slots with S = 4; T = 700 needs n ≥ {needed}$"):
        BUILD[name](700, needed - 1, 4)
    assert BUILD[name](700, needed, 4).T == 700


@given(n=st.integers(1, 60), S=st.integers(1, 8), share=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_two_circuits_share_at_most_one_slot(n: int, S: int, share: float, seed: int) -> None:
    S = min(n, S)
    for name in ("progression", "line", "random"):
        T = max(1, round(share * codes.max_circuits(name, n, S)))
        code = BUILD[name](T, n, S, **({"seed": seed} if name == "random" else {}))
        assert is_code(code, T, n, S), name


@given(n=st.integers(1, 60), S=st.integers(1, 8))
def test_progressions_are_laid_as_the_posts_say(n: int, S: int) -> None:
    S = min(n, S)
    expected = progressions(n, S) if S > 1 else [(i,) for i in range(n)]
    got = [tuple(row) for row in codes.progression(len(expected), n, S).slots.tolist()]
    assert sorted(got) == sorted(expected)
    half = codes.progression(max(1, len(expected) // 2), n, S).slots.tolist()
    assert [tuple(row) for row in half] == got[: len(half)]


@pytest.mark.parametrize(("q", "S"), [(5, 3), (7, 7), (8, 5), (9, 4), (16, 6), (25, 3), (27, 2)])
def test_whole_classes_of_parallel_lines_use_every_slot_equally(q: int, S: int) -> None:
    for classes in (1, 2, q):
        code = codes.line(classes * q, q * S, S)
        assert code.uses.tolist() == [classes] * (q * S)
        assert is_code(code, classes * q, q * S, S)
    # One line fewer than all: the S slots of that line are used once less.
    assert sorted(codes.line(q * q - 1, q * S, S).uses.tolist()) == [q - 1] * S + [q] * (q * S - S)


def test_lines_by_hand() -> None:
    # q = 3, columns c = 0, 1, 2 at slots 0–2, 3–5, 6–8; circuit (a, b) = (t // 3, t mod 3) at 3c + (a c + b mod 3)
    parallel = [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    slope_1 = [[0, 4, 8], [1, 5, 6], [2, 3, 7]]
    slope_2 = [[0, 5, 7], [1, 3, 8], [2, 4, 6]]
    assert codes.line(9, 9, 3).slots.tolist() == parallel + slope_1 + slope_2
    # 2 is a prime power, but too small to cross 3 columns: disjoint sets
    assert codes.line(2, 8, 3).slots.tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize(("T", "n", "S"), [(557, 250, 6), (1200, 250, 6), (40, 60, 4), (200, 100, 5), (20, 12, 2)])
def test_random_uses_its_slots_almost_equally(T: int, n: int, S: int) -> None:
    for seed in range(3):
        code = codes.random(T, n, S, seed=seed)
        least, most = code.uses.aminmax()
        assert most - least <= 2
        assert int(code.overlaps[2:].sum()) == 0


def test_random_at_its_limit_is_a_shuffled_line_code() -> None:
    # All 25 lines of 5 points in a plane of 25: sets drawn one after another do not end there.
    code, line = codes.random(25, 25, 5, seed=0), codes.line(25, 25, 5)
    assert is_code(code, 25, 25, 5)
    assert code.uses.tolist() == [5] * 25
    assert set(sets(code)) != set(sets(line))
    # Slots are taken for one another, circuits too, and nothing else: the columns are sets of parallel slots still.
    assert len(set().union(*sets(code)[:5])) < 25  # the first five are no longer parallel
    columns = {frozenset(column) for column in code.slots.T.tolist()}
    assert len(columns) == len(set.union(*map(set, columns))) / 5 == 5


@pytest.mark.parametrize("name", ["random", "random_subsets"])
@pytest.mark.parametrize(("T", "n", "S"), [(30, 40, 3), (49, 21, 3)])
def test_a_seed_fixes_the_code(name: str, T: int, n: int, S: int) -> None:
    before = torch.get_rng_state()
    first, again, other = (BUILD[name](T, n, S, seed=seed).slots for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_random_subsets_are_different_and_uniform() -> None:
    assert sorted(map(sorted, codes.random_subsets(20, 6, 3, seed=0).slots.tolist())) == [
        list(s) for s in combinations(range(6), 3)
    ]  # all 20 there are
    code = codes.random_subsets(800, 40, 5, seed=0)
    assert len(set(sets(code))) == 800
    assert code.overlaps[2:].sum() > 0
    # 4000 slots taken of 40: 100 each, binomial standard deviation √(800 · 1/8 · 7/8) = 9.4
    assert (code.uses - 100).abs().max() < 4 * 9.4


def test_overlaps_by_hand() -> None:
    code = Code(torch.tensor([[0, 1], [2, 1], [0, 2], [4, 3]]), 6)
    assert (code.T, code.S) == (4, 2)
    assert code.uses.tolist() == [2, 2, 2, 1, 1, 0]
    assert code.overlaps.tolist() == [3, 3, 0]  # the first three meet pairwise, the last meets none of them
    assert code.rho_star == pytest.approx(1 / 8)  # 3 pairs of 6 with (1/2)²; or Σ c(c−1)/(T(T−1)S²) = 6/(12 · 4)
    assert code.rho == pytest.approx(1 / 6 - 1 / 8)  # 1/n − 1/(ST)


@given(
    name=st.sampled_from(codes.NAMES),
    n=st.integers(1, 30),
    S=st.integers(1, 6),
    share=st.floats(0, 1),
    seed=st.integers(0, 10**6),
)
def test_overlaps_are_the_double_loop(name: str, n: int, S: int, share: float, seed: int) -> None:
    S = min(n, S)
    T = max(1, round(share * min(60, codes.max_circuits(name, n, S))))
    check_overlaps(BUILD[name](T, n, S, **({"seed": seed} if "random" in name else {})))


def test_overlaps_of_more_than_one_slot() -> None:
    code = codes.random_subsets(50, 9, 4, seed=1)
    assert (code.overlaps[2:4] > 0).all()
    check_overlaps(code)


def check_overlaps(code: Code) -> None:
    found = sets(code)
    shared = [len(a & b) for a, b in combinations(found, 2)]
    assert code.overlaps.tolist() == [shared.count(k) for k in range(code.S + 1)]
    assert code.uses.tolist() == [sum(i in s for s in found) for i in range(code.n)]
    mean = sum((k / code.S) ** 2 for k in shared) / max(1, len(shared))
    assert code.rho_star == pytest.approx(mean, abs=1e-12)


def test_rho_is_rho_star_of_even_use() -> None:
    # Each of the n = 15 slots holds c = 5 of T = 25 circuits: ρ* = n c(c−1)/(T(T−1)S²) = 300/5400 = 1/18,
    # and ρ = 1/15 − 1/75 = 4/75, the mean over pairs that may be the same circuit twice: ρ* T−1/T.
    code = codes.line(25, 15, 3)
    assert code.rho_star == pytest.approx(1 / 18)
    assert code.rho == pytest.approx(code.rho_star * 24 / 25)


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 49])
def test_field_axioms(q: int) -> None:
    field, x = Field(q), torch.arange(q)
    add, times = (op(x[:, None], x[None, :]) for op in (field.add, field.multiply))
    everything = x.expand(q, q)
    for table in (add, times):
        assert torch.equal(table, table.T)
        assert torch.equal(table[table], table[:, table])  # (x·y)·z = x·(y·z), for all q³
    assert torch.equal(times[:, add], torch.stack([add[row][:, row] for row in times]))  # x(y + z) = xy + xz
    assert torch.equal(add[0], x)
    assert torch.equal(times[1], x)
    assert (times[0] == 0).all()
    # Every row of sums, and every row of products by x ≠ 0, holds every element: −x and 1/x exist.
    assert torch.equal(add.sort(dim=1).values, everything)
    assert torch.equal(times[1:].sort(dim=1).values, everything[1:])


@pytest.mark.parametrize(("q", "p"), [(4, 2), (8, 2), (9, 3), (25, 5), (27, 3), (49, 7)])
def test_p_times_anything_is_zero(q: int, p: int) -> None:
    field, x = Field(q), torch.arange(q)
    total = torch.zeros_like(x)
    for _ in range(p):
        total = field.add(total, x)
    assert (total == 0).all()


def test_the_field_of_four_by_hand() -> None:
    # 2 is x, 3 is x + 1, and x² = x + 1.
    expected = [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]]
    x = torch.arange(4)
    assert Field(4).multiply(x[:, None], x[None, :]).tolist() == expected


@pytest.mark.parametrize("n", [8, 9, 25, 27, 12, 15, 30, 7])
def test_a_ring_has_the_points_it_says(n: int) -> None:
    ring, x = Ring(n), torch.arange(n)
    negative = {int(y): v for v in range(n) for y in x if ring.add(torch.tensor(v), y) == 0}
    values = [ring.point(c) for c in range(ring.points)]
    smallest = min(q for q in PRIME_POWERS if n % q == 0 and gcd(q, n // q) == 1)
    assert len(set(values)) == ring.points == smallest
    for u, v in combinations(values, 2):
        difference = ring.add(torch.tensor(u), torch.tensor(negative[v]))
        assert 1 in ring.multiply(difference.expand(n), x).tolist()  # it has an inverse


def test_prime_powers() -> None:
    primes = [p for p in range(2, 300) if all(p % k for k in range(2, p))]
    expected = {p**k: (p, k) for p, k in product(primes, range(1, 9)) if p**k < 300}
    for q in range(300):
        assert prime_power(q) == expected.get(q)
        assert largest_prime_power(q) == max((p for p in expected if p <= q), default=0)


@pytest.mark.parametrize(
    ("slots", "n", "message"),
    [
        (torch.tensor([[0, 1], [1, 9]]), 5, r"circuit 1 \[1, 9\]; slots lie in 0 … n − 1 = 4"),
        (torch.tensor([[0, 1], [3, 3]]), 5, r"circuit 1 \[3, 3\]; a circuit's slots are distinct"),
        (torch.tensor([[0, 1]], dtype=torch.int32), 5, "int64"),
        (torch.zeros(0, 2, dtype=torch.int64), 5, "T ≥ 1"),
        (torch.tensor([[0, 1]]), 0, "n is 0"),
    ],
)
def test_a_code_of_ones_own_is_checked(slots: torch.Tensor, n: int, message: str, unhooked: None) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        codes.Code(slots, n)


# --- Polynomials: the code of the exact construction's entry ----------------------------------------------------


@given(q=st.integers(2, 30), k=st.integers(1, 4), share=st.floats(0.01, 1.0))
def test_two_circuits_share_few_slots(q: int, k: int, share: float) -> None:
    T, S = max(1, min(300, round(share * q**k))), codes.max_columns(q, k)
    slots = codes.polynomials(torch.arange(T), k, q, S)
    assert slots.shape == (T, S)
    assert torch.equal(slots // q, torch.arange(S).expand(T, S))  # one in each column
    shared = (slots[:, None] == slots).sum(dim=2).fill_diagonal_(0)
    assert shared.max() <= k - 1


@pytest.mark.parametrize(
    ("T", "k", "q", "z"), [(16, 2, 4, 3), (27, 3, 3, 2), (36, 2, 6, 2), (25, 2, 5, 4), (7, 1, 7, 4)]
)
def test_of_z_circuits_each_is_alone_somewhere(T: int, k: int, q: int, z: int) -> None:
    S = (z - 1) * (k - 1) + 1
    slots = codes.polynomials(torch.tensor(list(combinations(range(T), z))), k, q, S)
    single = (slots[:, :, None] == slots[:, None, :]).sum(dim=2) == 1
    assert single.any(dim=2).all()
    if k > 1:  # and with a column less, not so
        assert not single[..., :-1].any(dim=2).all()


def test_polynomials_by_hand() -> None:
    # q = 3, k = 2: circuit t is (t mod 3) + (t // 3) x, at x = 0, 1, 2, and then its leading coefficient.
    assert codes.polynomials(torch.tensor([0, 1, 5, 8]), 2, 3, 4).tolist() == [
        [0, 3, 6, 9],
        [1, 4, 7, 9],
        [2, 3, 7, 10],  # 2 + x: 2, 0, 1
        [2, 4, 6, 11],  # 2 + 2x: 2, 1, 0
    ]
    with pytest.raises(ValueError, match=r"t holds 4 … 9; there are q\^k = 3\^2 polynomials, numbered from 0"):
        codes.polynomials(torch.tensor([4, 9]), 2, 3, 3)
    with pytest.raises(ValueError, match=r"t holds -1 … 2; there are q"):
        codes.polynomials(torch.tensor([2, -1]), 2, 3, 3)
    with pytest.raises(ValueError, match="S is 5; it must be at most 4: polynomials over q = 3 elements have no more"):
        codes.polynomials(torch.arange(9), 2, 3, 5)
    with pytest.raises(ValueError, match="S is 2; it must be at most 1"):
        codes.polynomials(torch.arange(3), 1, 3, 2)
