"""The planner's answers: what fits, construction by construction, by the rules of the package. The page *Planner*.

The page computes the same in the reader's browser (book/assets/planner.js); here it is computed with the package, for
what the page shows before anyone types, and for the test that compares the two.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from superpos import codes, exact, theory
from superpos.checks import check_count
from superpos.show import mime
from superpos.words import number

S = 6  # slots of a circuit in the redundant and the balanced construction
OF_UPDATE, OF_SIGNAL = 0.1, 0.01  # the errors that are allowed: chapters 8 and 13
NAMES = {
    "dedicated": "side by side",
    "lanes": "exact, z lanes",
    "serial": "exact, one lane",
    "residual": "2024 construction",
    "redundant": "redundant",
    "balanced": "balanced",
}


@dataclass(frozen=True)
class Settings:
    """What is asked: how many circuits fit in width D, how wide T circuits are, or, with both, whether T fit in D.

    Attributes:
        D, T: width, and number of circuits; one of them may be None.
        d: width of a circuit.
        z: active circuits.
        L: layers of a circuit.
        m: neurons of a residual circuit; None for d of them.

    Raises:
        TypeError, ValueError: for a number below 1, neither of D and T, or z > T.
    """

    D: int | None = None
    T: int | None = None
    d: int = 2
    z: int = 2
    L: int = 3
    m: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None:
                check_count(name, value)
        if self.D is None and self.T is None:
            raise ValueError("D and T are both None; give the width, the number of circuits, or both")
        if self.T is not None and self.z > self.T:
            raise ValueError(f"T is {self.T}; it must be at least z = {self.z}: that many are to be active")

    @property
    def neurons(self) -> int:
        """m."""
        return self.m or self.d


@dataclass(frozen=True)
class Answer:
    """What one construction can do with the settings.

    Attributes:
        key: of the construction, in `NAMES`.
        T: circuits: as many as fit in D, or all T if D is None. 0 if not even z fit.
        D: the width that they take; with T and D given, the least for T. None if not even z fit in D.
        fits: whether T circuits fit in D; None if one of them is not given.
        error: to expect of T circuits in width D; 0.0 is none. None if there is no such network.
        layers: besides those of the circuits.
        numbers: weights and biases of one layer.
    """

    key: str
    T: int
    D: int | None
    fits: bool | None
    error: float | None
    layers: int
    numbers: int


@dataclass(frozen=True)
class Rule:
    """The rules of one construction: the most circuits in width D, the width of T, the error of T in D; and its cost.

    Attributes:
        most: the largest T in width D, 0 if fewer than z.
        width: the least width for T.
        takes: what T circuits, the most that D holds, take of it: less where it comes in blocks.
        error: of T circuits in width D; None if there is no such network.
        layers: besides those of the circuits, for T of them.
        numbers: of one layer of T circuits in width D.
    """

    most: Callable[[int], int]
    width: Callable[[int], int]
    takes: Callable[[int, int], int]
    error: Callable[[int, int], float | None]
    layers: Callable[[int], int] = lambda T: 0
    numbers: Callable[[int, int], int] = lambda T, D: D * D + D


def answers(s: Settings) -> list[Answer]:
    """The answer of each construction that is made for such circuits, in the order of `NAMES`."""
    return [_answer(key, rule, s) for key, rule in rules(s).items()]


def rules(s: Settings) -> dict[str, Rule]:
    """The rules of each construction that is made for such circuits.

    One lane is another thing than z of them for z ≥ 2. Residual circuits are predicted for d ≥ 2, balanced ones for
    conditional rotations, d = 4.
    """
    d, z = s.d, s.z
    found = {"dedicated": _dedicated(s), "lanes": _exact(s, z)}
    if z > 1:
        found["serial"] = _exact(s, 1)
    if d > 1:
        found["residual"] = _residual(s)
    found["redundant"] = _coded(s, lambda T, rho: theory.mlps(s.L, T, z, rho).active)
    if d == 4:
        found["balanced"] = _coded(s, lambda T, rho: theory.point(s.L, T, z, rho).active)
    return found


def _answer(key: str, rule: Rule, s: Settings) -> Answer:
    if s.T is None:
        assert s.D is not None
        if not (T := rule.most(s.D)):
            return Answer(key, 0, None, None, None, 0, 0)
        D = rule.takes(T, s.D)
        return Answer(key, T, D, None, rule.error(T, s.D), rule.layers(T), rule.numbers(T, D))
    D = rule.width(s.T)
    numbers = rule.numbers(s.T, D)
    if s.D is None:
        return Answer(key, s.T, D, None, rule.error(s.T, D), rule.layers(s.T), numbers)
    return Answer(key, rule.most(s.D), D, s.D >= D, rule.error(s.T, s.D), rule.layers(s.T), numbers)


def _dedicated(s: Settings) -> Rule:
    def error(T: int, D: int) -> float | None:
        return 0.0 if T * s.d <= D else None

    def most(D: int) -> int:
        return theory.usable("dedicated", D, d=s.d, z=s.z)

    return Rule(most, lambda T: T * s.d, lambda T, D: T * s.d, error, numbers=lambda T, D: T * (s.d**2 + s.d))


def _exact(s: Settings, lanes: int) -> Rule:
    @cache
    def plan(T: int) -> exact.Plan:
        return exact.plan(T, s.d, z=s.z, lanes=lanes)

    def most(D: int) -> int:
        return exact.plan(None, s.d, z=s.z, lanes=lanes, D=D).T if plan(s.z).D <= D else 0

    def error(T: int, D: int) -> float | None:
        return 0.0 if plan(T).D <= D else None

    def layers(T: int) -> int:
        return plan(T).extra + (plan(T).passes - 1) * s.L

    return Rule(most, lambda T: plan(T).D, lambda T, D: plan(T).D, error, layers)


def _residual(s: Settings) -> Rule:
    d, z, m = s.d, s.z, s.neurons
    least = max(d, m)  # M = D

    def expected(T: int, D: int) -> float:
        return theory.update_error(T, D, D, z, d=d, m=m)

    def most(D: int) -> int:
        return theory.usable_circuits(lambda T: expected(T, D), OF_UPDATE) if least <= D else 0

    def width(T: int) -> int:
        return narrowest(lambda D: expected(T, D) <= OF_UPDATE, least)

    def error(T: int, D: int) -> float | None:
        return expected(T, D) if least <= D else None

    return Rule(most, width, lambda T, D: D, error, numbers=lambda T, D: 2 * D * D + D)


def _coded(s: Settings, law: Callable[[int, float], float]) -> Rule:
    """The redundant or the balanced construction on the line code, n = ⌊D/d⌋ slots, to first order in ρ*."""

    def error(T: int, D: int) -> float | None:
        n = D // s.d
        return law(T, line_rho(T, n)) if held(n) >= T else None

    def fits(T: int, D: int) -> bool:
        expected = error(T, D)
        return expected is not None and expected <= OF_SIGNAL

    def most(D: int) -> int:
        n, z = D // s.d, s.z
        if held(n) < z:
            return 0
        if fits(held(n), D):
            return held(n)
        return theory.usable_circuits(lambda T: 0.0 if fits(max(T, z), D) else math.inf, OF_SIGNAL)

    def width(T: int) -> int:
        return s.d * narrowest(lambda n: fits(T, n * s.d), 1)

    return Rule(most, width, lambda T, D: D // s.d * s.d, error)


def held(n: int) -> int:
    """The most circuits that the line code holds on n slots."""
    return codes.max_circuits("line", n, S) if n else 0


def line_rho(T: int, n: int) -> float:
    """ρ* of `codes.line(T, n, S)`, without building it: a whole class of parallel lines uses each of S·q slots once.

    With T = a q + r circuits S·r slots are used a + 1 times and S(q − r) of them a times.
    """
    q = math.isqrt(held(n))
    if q * q < held(n) or q < S:  # disjoint sets
        return 0.0
    a, r = divmod(T, q)
    return (r * (a + 1) * a + (q - r) * a * (a - 1)) / (max(T * (T - 1), 1) * S)


def narrowest(fits: Callable[[int], bool], least: int) -> int:
    """The least number from `least` on that fits, if all larger ones fit too: by doubling and bisection."""
    low, high = least - 1, least
    while not fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Planner:
    """The answers for some settings, as a notebook shows them; the book's build makes the page's planner of it."""

    settings: Settings

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        found = answers(self.settings)
        lines = ["| construction | circuits | width | error | more layers |", "|" + " --- |" * 5]
        lines += [f"| {NAMES[a.key]} | {a.T:,} | {_text(a.D)} | {_text(a.error)} | {a.layers} |" for a in found]
        record = {"settings": asdict(self.settings), "answers": [asdict(a) for a in found]}
        return {"text/markdown": "\n".join(lines), "text/plain": "\n".join(map(str, found)), mime.PLANNER: record}


def _text(value: float | None) -> str:
    return "–" if value is None else number(value)
