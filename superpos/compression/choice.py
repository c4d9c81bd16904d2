"""Which construction for which circuits: what each would need, and the narrowest that does. Chapter 15."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos import dedicated
from superpos.circuits import MLPCircuits
from superpos.compression.records import Cost
from superpos.compression.unproved import UNPROVED, Recipe, recipe, threshold
from superpos.exact.build import check_numbers, plan_for
from superpos.sampling import generator, turns
from superpos.words import Rows, number

METHODS = ("exact", "dedicated", *UNPROVED)
_WIDEST = 16384  # of an unproved network that is tried: each of its layers takes a gigabyte
_BATCH = 512  # samples with which an unproved construction is tried


@dataclass(frozen=True)
class Option:
    """A construction that was looked at: what it would need, or why it cannot do what is asked. Chapter 15.

    Attributes:
        method: its name.
        D: the width that it would have; None where it does not do.
        why: in words.
        error: the relative squared error expected of its outputs, where nothing is proved; else None.
    """

    method: str
    D: int | None
    why: str
    error: float | None = None


@dataclass(frozen=True)
class Report(Rows):
    """The reasons for a network: what was asked, what each construction needs for it, what was chosen. Chapter 15.

    Attributes:
        T, d, L: circuits as MLPs, their width and layers.
        z, tolerance, D: as asked of `superpos.compress`.
        side_by_side: neurons of the widest layer without superposition, the yardstick.
        method, width: what was chosen.
        options: all constructions that were looked at, the chosen one among them.
        proved: of the network that was built, in the words of its certificate; empty if nothing is.
        cost: of that network, beside the modules.
    """

    T: int
    d: int
    L: int
    z: int
    tolerance: float
    D: int | None
    side_by_side: int
    method: str
    width: int
    options: tuple[Option, ...]
    proved: str = ""
    cost: Cost | None = None

    @property
    def pays(self) -> bool:
        """Whether the network is narrower than the circuits side by side."""
        return self.width < self.side_by_side

    def rows(self) -> list[tuple[str, str]]:
        asked = f"{self.T:,} circuits of width {self.d} with {self.L} layers, any {self.z} of them active"
        asked += f", tolerance {self.tolerance:g}" + ("" if self.D is None else f", width at most {self.D:,}")
        pays = f"width {self.width:,}, side by side {self.side_by_side:,}: "
        narrower = f"{number(self.side_by_side / self.width)} times narrower"
        pays += narrower if self.pays else "superposition does not pay"
        looked = [(o.method, o.why if o.D is None else f"width {o.D:,}: {o.why}") for o in self.options]
        built = [] if self.cost is None else [("proved", self.proved or "nothing"), *self.cost.rows()]
        return [("asked", asked), ("chosen", f"{self.method}, {pays}"), *built, *looked]

    @staticmethod
    def from_dict(stored: dict) -> "Report":
        """The report again, from what `dataclasses.asdict` made of it."""
        options = tuple(Option(**option) for option in stored["options"])
        cost = Cost(**stored["cost"]) if stored.get("cost") else None
        return Report(**{**stored, "options": options, "cost": cost})


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen construction: its report and, where it is unproved, the recipe by which the network is built."""

    report: Report
    recipe: Recipe | None


def choose(
    small: MLPCircuits,
    *,
    z: int,
    tolerance: float,
    D: int | None,
    method: str,
    seed: int,
    bound: float,
    reach: float,
    side_by_side: int,
) -> Choice:
    """The narrowest network that does what is asked, among all constructions or with one given. Chapter 15.

    Args:
        bound, reach: of activations and inputs, for which an exact network would be made.

    Raises:
        ValueError: if none does; the message says what each would need.
    """
    wide = small.T * small.d
    active, inputs = standard(small.T, _BATCH, z, small.d, seed=seed, like=small.stack)
    recipes: dict[str, Recipe] = {}
    asked = METHODS if method == "auto" else (method,)
    options: list[Option] = []
    for name in asked:
        if name == "dedicated":
            options.append(Option(name, wide, f"each circuit has neurons of its own: {dedicated.PROMISE.words}"))
        elif name == "exact":
            options.append(_exact(small, z, bound, reach))
        elif tolerance == 0:
            options.append(Option(name, None, "nothing is proved of it: it needs a tolerance above 0"))
        else:
            theta = threshold(small, active, inputs) if name == "balanced" else None
            recipes[name] = recipe(name, small, theta)
            # It has to be narrower than what is proved already, and one with as many slots as circuits is no use.
            widest = min(small.T * recipes[name].circuits.d, _WIDEST)
            limit = min([widest, *(o.D - 1 for o in options if o.D is not None)])
            options.append(_unproved(recipes[name], limit, tolerance, seed, active, inputs))
    found = [o for o in options if o.D is not None and (D is None or o.D <= D)]
    if not found:
        others = [] if method in ("auto", "exact", "dedicated") else [_exact(small, z, bound, reach)]
        needs = "; ".join(f"{o.method} needs D ≥ {o.D}" if o.D else f"{o.method}: {o.why}" for o in [*options, *others])
        given = "method is exact" if method == "exact" else f"tolerance is {tolerance}"
        raise ValueError(
            f"{given if D is None else f'D is {D}'}; {small.T} circuits of width {small.d} with z = {z} and tolerance "
            f"{tolerance:g} do not fit: {needs}"
        )
    best = min(found, key=lambda o: o.D or 0)
    assert best.D is not None
    report = Report(small.T, small.d, small.L, z, tolerance, D, side_by_side, best.method, best.D, tuple(options))
    return Choice(report, recipes.get(best.method))


def standard(
    T: int, batch: int, z: int, width: int, *, seed: int, like: Tensor
) -> tuple[Int64[Tensor, "batch z"], Float[Tensor, "batch z width"]]:
    """A batch for networks of whose inputs nothing is known: random sets of z, on standard normal numbers.

    The circuits take turns: none is active again before all others have been. Chapter 15.
    """
    x = torch.randn((batch, z, width), generator=generator(seed, "normal"), dtype=torch.float32)
    return turns(T, batch, z, generator=generator(seed, "active")).to(like.device), x.to(like)


def _exact(small: MLPCircuits, z: int, bound: float, reach: float) -> Option:
    plan = plan_for(small, z=z)
    if not math.isfinite(bound):
        why = f"no bound on activations that {small.stack.dtype} holds follows from the weights: give one as bound"
        return Option("exact", None, why)
    try:
        check_numbers(small, plan, bound, reach)
    except ValueError as refusal:
        return Option("exact", None, str(refusal))
    lanes = f"{plan.lanes} lane{'s' * (plan.lanes > 1)} of {plan.n} slot{'s' * (plan.n > 1)}"
    entry = "" if plan.entry is None else f", {plan.entry.N} slots at the entry"
    return Option("exact", plan.D, f"{lanes}{entry}: {plan.promise(z).words}")


def _unproved(
    made: Recipe,
    limit: int,
    tolerance: float,
    seed: int,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
) -> Option:
    """The narrowest width ≤ limit whose expected error keeps to the tolerance; or why there is none."""
    name, d = made.method, made.circuits.d
    if made.least > limit:
        return Option(name, None, f"its code holds the circuits from D = {made.least:,} on")

    @cache
    def error(n: int) -> float:
        return made.expected(n * d, seed, active, inputs)[-1].item()

    try:
        n = _narrowest(error, made.least // d, limit // d, tolerance)
        off = error(n or limit // d)
    except ValueError as refusal:
        return Option(name, None, str(refusal))
    why = f"outputs expected to be off by {number(off)} of their squared size"
    if n is None:
        return Option(name, None, f"{why} at D = {limit // d * d:,}, more than the tolerance")
    return Option(name, n * d, why, off)


def _narrowest(error: Callable[[int], float], low: int, high: int, tolerance: float) -> int | None:
    """The smallest n in low … high with error(n) ≤ tolerance, to 2%, where the error falls with n; None without one."""
    n, wrong = low, low - 1
    while error(n) > tolerance:
        if n >= high:
            return None
        wrong, n = n, min(2 * n, high)  # doubled: a network is never much wider than it has to be
    while n - wrong > max(1, n // 50):
        middle = (wrong + n) // 2
        wrong, n = (wrong, middle) if error(middle) <= tolerance else (middle, n)
    return n
