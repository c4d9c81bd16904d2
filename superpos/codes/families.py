"""Families of codes; in all but `random_subsets` two circuits share at most one slot. Chapter 9."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from superpos.checks import check_count, check_seed
from superpos.codes.code import Code
from superpos.codes.fields import Field, largest_prime_power
from superpos.sampling import distinct, generator


def progression(T: int, n: int, S: int) -> Code:
    """The code of the posts: arithmetic progressions of S terms laid end to end, for one step after another.

    For a step st and every shift below it: {i, i+st, …, i+(S−1)st}, then the S terms that follow. The steps are
    chosen so that of two of them one divides the other at least S times over, or their common multiple is at least S
    times each, so that two circuits share at most one slot. The first slots are used most, the last least. Chapter 9.

    Raises:
        ValueError: if the code holds fewer than T circuits; the message says how many, and how many slots would do.

    Source: Linsefors & Bushnaq (June 2025).
    """
    _check("progression", T, n, S)
    rows: list[Tensor] = []
    for st in _steps(n, S):
        first = torch.arange(st)[:, None] + torch.arange(0, n, S * st)  # (shift, progression)
        rows.append(first[first + (S - 1) * st < n][:, None] + torch.arange(S) * st)
        if sum(map(len, rows)) >= T:
            break
    return Code(torch.cat(rows)[:T], n)


def line(T: int, n: int, S: int) -> Code:
    """The code of lines over F_q: circuit (a, b) sits in column s at slot a·c_s + b, S columns of q slots each.

    Two lines meet at most once, so two circuits share at most one slot. All b of one a are taken before the next a:
    they are parallel, and use each of the S·q slots once, so that uses differ by at most one. q is the largest prime
    power ≤ n/S; where it is below S no two columns can be crossed, and the code is ⌊n/S⌋ disjoint sets. Chapter 9.

    Raises:
        ValueError: if the code holds fewer than T circuits; the message says how many, and how many slots would do.
    """
    _check("line", T, n, S)
    q = _order(n, S)
    if q == 0:
        return Code(torch.arange(T)[:, None] + torch.arange(S) * (n // S), n)
    field, t, column = Field(q), torch.arange(T)[:, None], torch.arange(S)[None, :]
    return Code(column * q + field.add(field.multiply(t // q, column), t % q), n)


def random(T: int, n: int, S: int, *, seed: int) -> Code:
    """A code of sets drawn at random, any two with at most one slot in common, and all slots used almost equally often.

    Set after set takes its slots among those used least so far, at random, passing over slots that already share a
    circuit with one it has. Where that ends before T sets (near what can be held), the line code with its slots
    and circuits shuffled is taken. Chapter 9.

    Raises:
        ValueError: if the code holds fewer than T circuits; the message says how many, and how many slots would do.
    """
    _check("random", T, n, S)
    check_seed("seed", seed)
    g = generator(seed, "code")
    slots = _greedy(T, n, S, g)
    if slots is None:
        shuffled = torch.randperm(n, generator=g)
        slots = shuffled[line(T, n, S).slots][torch.randperm(T, generator=g)]
    return Code(slots, n)


def random_subsets(T: int, n: int, S: int, *, seed: int) -> Code:
    """A code of different sets of S slots, drawn uniformly and independently: two may share several slots. Chapter 9.

    Raises:
        ValueError: if n slots have fewer than T different sets of S.
    """
    _check("random_subsets", T, n, S)
    check_seed("seed", seed)
    g = generator(seed, "code")
    slots = distinct(T, S, n, generator=g)
    while len(again := _repeated(slots)):
        slots[again] = distinct(len(again), S, n, generator=g)
    return Code(slots, n)


def max_circuits(name: str, n: int, S: int) -> int:
    """The largest T that a code of that name holds on n slots, S for each circuit; 0 where n < S.

    A single slot (S = 1) says nothing of how circuits share: then every code holds n. Chapter 9.

    Raises:
        ValueError: for an unknown name, or a count below 1.
    """
    if name not in NAMES:
        raise ValueError(f"name is {name!r}; the codes are {', '.join(NAMES)}")
    check_count("n", n)
    check_count("S", S)
    if name == "random_subsets":
        return math.comb(n, S)
    if S == 1 or n < S:
        return n if S == 1 else 0
    if name == "progression":
        return sum(_laid(n, S, st) for st in _steps(n, S))
    return _order(n, S) ** 2 or n // S


def smallest(name: str, T: int, S: int) -> int:
    """The smallest number n of slots on which a code of that name holds T circuits, S slots each. Chapter 9."""
    check_count("T", T)
    check_count("S", S)
    high = S
    while max_circuits(name, high, S) < T:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if max_circuits(name, middle, S) >= T else (middle, high)
    return high


_TRIES = 50  # fresh starts for one set of the random code
NAMES = ("progression", "line", "random", "random_subsets")  # the families of codes


def _check(name: str, T: int, n: int, S: int) -> None:
    check_count("T", T)
    check_count("n", n)
    check_count("S", S, at_most=n, why=f"a circuit's slots are distinct, and there are n = {n}")
    most = max_circuits(name, n, S)
    if most < T:
        raise ValueError(
            f"T is {T}; the {name} code holds at most {most} circuits on n = {n} slots with S = {S}; "
            f"T = {T} needs n ≥ {smallest(name, T, S)}"
        )


def _greedy(T: int, n: int, S: int, g: Generator) -> Int64[Tensor, "T S"] | None:
    met = np.eye(n, dtype=bool)  # which slots are the same or share a circuit
    uses, rows = np.zeros(n), np.empty((T, S), dtype=np.int64)
    for row in rows:
        for _ in range(_TRIES):
            order = uses + torch.rand(n, generator=g, dtype=torch.float32).numpy()
            for i in range(S):
                row[i] = order.argmin()
                if not np.isfinite(order[row[i]]):
                    break  # every slot has met one of those chosen
                order[met[row[i]]] = np.inf
            else:
                break
        else:
            return None
        uses[row] += 1
        met[np.ix_(row, row)] = True
    return torch.from_numpy(rows)


def _steps(n: int, S: int) -> Iterator[int]:
    """Steps 1, 2, … for which S terms fit in n slots: no prime factor below S but those of S^k, S composite."""
    for st in range(1, (n - 1) // (S - 1) + 1 if S > 1 else 2):
        rest = st
        while S > 1 and rest % S == 0:
            rest //= S
        if all(rest % p for p in range(2, S)):
            yield st


def _laid(n: int, S: int, st: int) -> int:
    """How many progressions of S terms and step st lie end to end on n slots, over all shifts below st."""
    short, longer = divmod(n, st)  # terms of a shift; how many shifts have one more
    return longer * ((short + 1) // S) + (st - longer) * (short // S)


def _order(n: int, S: int) -> int:
    """q of the line code, or 0 where no field is large enough for S columns."""
    q = largest_prime_power(n // S)
    return q if 1 < S <= q else 0


def _repeated(slots: Int64[Tensor, "T S"]) -> Int64[Tensor, " again"]:
    """Circuits whose set an earlier circuit has already."""
    _, which = torch.unique(slots.sort(dim=1).values, dim=0, return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(slots)).scatter_reduce(0, which, torch.arange(len(slots)), "amin")
    return (first[which] != torch.arange(len(slots))).nonzero()[:, 0]
