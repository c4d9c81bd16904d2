"""The sizes of an exact network: what was planned, and the neurons that each of its layers leaves. Chapter 12."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from superpos import codes
from superpos.exact.layout import Layout
from superpos.network import Promise


@dataclass(frozen=True)
class Entry:
    """The code of the entry: polynomials of degree below k over q elements, in S columns. Chapter 12.

    Attributes:
        k, q, S: any two circuits share a slot in at most k − 1 of S columns of q slots.
    """

    k: int
    q: int
    S: int

    @property
    def N(self) -> int:
        """The slots of all columns."""
        return self.S * self.q


@dataclass(frozen=True)
class Plan:
    """The sizes of an exact network: lanes of n slots, and for z ≥ 2 the entry that hands them out. Chapter 12.

    Raises:
        ValueError: for sizes of which nothing is proved.

    Attributes:
        T, d: circuits, and their width.
        z: circuits active at once for which it is made.
        lanes: how many of these run side by side; the others wait.
        constant: whether a slot has a constant 1 beside the d coordinates, which carries the bias.
        n: slots of a lane; circuit t is the pair (i, j) of them with t = i n + j, so that n² ≥ T.
        wires: m, of which half are on for each of the n slots.
        entry: the code of the entry; None for z = 1.
        take: how many numbers of a slot the entry takes out in one layer: more is wider, fewer is deeper.
    """

    T: int
    d: int
    z: int
    lanes: int
    constant: bool
    n: int
    wires: int
    entry: Entry | None
    take: int

    def __post_init__(self) -> None:
        """Refuse sizes of which the theorem says nothing: those of a file may be anything."""
        at_least_one = (self.T, self.d, self.z, self.lanes, self.n, self.wires)
        fits = all(type(x) is int and x >= 1 for x in at_least_one) and type(self.constant) is bool
        fits = fits and self.n**2 >= self.T and self.lanes <= self.z <= self.T
        fits = fits and self.wires <= self.n <= math.comb(self.wires, self.wires // 2)
        if fits and self.entry is not None:
            k, q, S = self.entry.k, self.entry.q, self.entry.S
            fits = all(type(x) is int and x >= 1 for x in (k, q, S, self.take)) and self.take <= self.d + 1
            fits = fits and k <= self.entry.N <= self.T <= q**k  # with N = T every circuit has a slot of its own
            fits = fits and (self.z - 1) * (k - 1) + 1 <= S <= codes.max_columns(q, k)
        if not fits or (self.entry is None) != (self.z == 1):
            raise ValueError(f"{self} is no plan of an exact network: superpos.exact.plan makes one")

    @property
    def numbers(self) -> int:
        """The numbers that a slot holds: the state, and the constant where there is one."""
        return self.d + self.constant

    @property
    def passes(self) -> int:
        """How many times the lanes are used, one after the other."""
        return -(-self.z // self.lanes)

    @property
    def D(self) -> int:
        """The width of the widest layer, everything counted."""
        return width(self)

    @property
    def extra(self) -> int:
        """The number of layers besides those of the circuits: 4 z + 3 for one pass, if one layer a round takes all out.

        With several passes the layers of the circuits stand there `passes` times.
        """
        return extra(self)

    def promise(self, active: int) -> Promise:
        """The properties proved for sets of that many active circuits, and the fraction of these that has no answer.

        For more of them than z the fraction is an estimate, which takes slots to be drawn at random. Chapter 12.
        """
        few = f"every set of at most {self.z} is computed exactly"
        if active <= self.z:
            return Promise(few)
        served = 0.0 if self.entry is None else codes.served(self.entry.q, self.entry.S, self.z, active)
        return Promise(f"{few}, of larger ones every answer that is not flagged", 1 - served)


@dataclass(frozen=True)
class Stage:
    """What one layer leaves.

    Attributes:
        kind: of the layer: the name of its class in words.
        number: which round, or pass, counted from 1.
        leaves: its neurons.
        takes: which numbers of the first occupied slot it takes out: coordinates 0 … d − 1, and d, the key.
    """

    kind: str
    number: int
    leaves: Layout
    takes: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """Its name, with the round or pass where there are several."""
        return f"{self.kind} {self.number}" if self.number else self.kind


def encoded(plan: Plan) -> Layout:
    """The input of the network: the slots of the entry, or with z = 1 the one lane itself."""
    if plan.entry is None:
        return lanes(plan)
    return Layout.of(state=(plan.entry.N, plan.d), key=(plan.entry.N,))


def lanes(plan: Plan) -> Layout:
    """The lanes, before and after every cell."""
    R, wires = plan.lanes, plan.wires
    return Layout.of(slot=(R, plan.n, plan.numbers), wire_i=(R, wires), wire_j=(R, wires), list=_waiting(plan))


def before(plan: Plan) -> Iterator[Stage]:
    """The layers that make the list: none for z = 1."""
    if plan.entry is None:
        return
    N, d, e = plan.entry.N, plan.d, plan.d + 1
    slots = {"state": (N, d), "key": (N,)}
    yield Stage("ties", 0, Layout.of(**slots, tie=(N,)))
    yield Stage("clear ties", 0, Layout.of(**slots))
    marks, rest = chunks(d, plan.take)
    for r in range(1, plan.z):
        for i, takes in enumerate(marks):
            known = (r - 1 + (i > 0), e)
            yield Stage("mark", r, Layout.of(**slots, taken=(N, len(takes)), list=known), takes)
        listed = (r, e)
        both = Layout.of(state=(N, d), above=(N,), below=(N,), taken=(N, len(rest)), list=listed)
        yield Stage("compare", r, both, rest)
        yield Stage("match", r, Layout.of(**slots, match=(N,), list=listed))
        yield Stage("clear", r, Layout.of(**slots, list=listed))
    every = (d, *range(d))
    yield Stage("mark", plan.z, Layout.of(taken=(N, e), list=(plan.z - 1, e)), every)


def gates(plan: Plan, number: int) -> Iterator[Stage]:
    """The layers that give the places of the list their lanes, in one pass."""
    R, n, m = plan.lanes, plan.n, plan.wires
    known = {"waiting": (R, plan.d), "list": _waiting(plan)}
    number = number if plan.passes > 1 else 0
    yield Stage("stairs i", number, Layout.of(stair_i=(R, n), number=(R,), **known))
    yield Stage("steps i", number, Layout.of(step_i=(R, n), number=(R,), **known))
    yield Stage("wires i", number, Layout.of(wire_i=(R, m), stair_j=(R, n), **known))
    yield Stage("places", number, lanes(plan))


def chunks(d: int, take: int) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Which numbers of a slot each `mark` of a round takes out, and which its `compare`: the key first.

    `mark` leaves X, V and what it takes, `compare` X, two numbers in the place of V, and what it takes: one fewer.
    """
    left, marks = (d, *range(d)), []
    while not marks or len(left) > take - 1:
        marks.append(left[:take])
        left = left[take:]
    return marks, left


def width(plan: Plan) -> int:
    """The width of the widest layer, everything counted."""
    widths = [encoded(plan).width, lanes(plan).width, *(stage.leaves.width for stage in before(plan))]
    if plan.entry is not None:
        widths += [stage.leaves.width for stage in gates(plan, 1)]
    return max(widths)


def extra(plan: Plan) -> int:
    """The number of layers besides those of one circuit, of which there are `passes` times as many."""
    return sum(1 for _ in before(plan)) + (4 * plan.passes if plan.entry is not None else 0)


def _waiting(plan: Plan) -> tuple[int, int]:
    """The list, which is carried along where places wait for a pass, or are done."""
    return (plan.z, plan.d + 1) if plan.passes > 1 else (0, 0)
