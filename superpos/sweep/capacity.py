"""How many circuits each construction can use: the largest T is searched for by measuring. Chapter 13."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from superpos import balanced, circuits, codes, dedicated, errors, exact, redundant, residual, theory
from superpos.checks import check_count, check_number, check_seed
from superpos.circuits import Circuits
from superpos.network import Network

CONSTRUCTIONS = ("balanced", "dedicated", "exact", "redundant", "residual")  # what can be asked for
_WIDTHS = {"balanced": (4,), "dedicated": (2, 4), "exact": (2, 4), "redundant": (4,)}
_CODE = "line"  # of the balanced and the redundant construction: of the codes it holds most
_STEP = 1.03  # T is found to this factor
_ROUNDING = 1e-9  # relative squared error that float32 makes of exact arithmetic


@dataclass(frozen=True)
class Capacity:
    """The question of how many circuits of width d, z of them active, run through L layers in a network of width D.

    Chapter 13.

    Attributes:
        construction: one of `CONSTRUCTIONS`. "balanced" carries conditional rotations, "redundant" the folds and turns
            of chapter 9, "residual" Gaussian circuits with m = d neurons and M = D, "dedicated" and "exact"
            conditional rotations for d = 4 and plain ones for d = 2.
        D: width at most; networks of d blocks have the next multiple of d.
        d: width of a circuit.
        S: copies, or slots, of a circuit. "exact" chooses its own, "dedicated" has one: there S is not looked at.
        z: active circuits.
        L: layers.
        tolerance: of the squared error of active circuits after layer L over their squared signal.

    Raises:
        TypeError, ValueError: for an unknown construction, a width d it has no circuits for, or a number out of range.
    """

    construction: str
    D: int
    d: int = 4
    S: int = 6
    z: int = 1
    L: int = 1
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        if self.construction not in CONSTRUCTIONS:
            raise ValueError(f"construction is {self.construction!r}; it must be one of {', '.join(CONSTRUCTIONS)}")
        for name in ("D", "d", "S", "z", "L"):
            check_count(name, getattr(self, name))
        check_number("tolerance", self.tolerance, at_least=0.0)
        if self.tolerance >= 1:
            raise ValueError(f"tolerance is {self.tolerance}; it must be in [0, 1): at 1 a network may read 0 always")
        widths = _WIDTHS.get(self.construction, (self.d,))
        if self.d not in widths:
            there = " or ".join(map(str, widths))
            raise ValueError(f"d is {self.d}; the circuits of the {self.construction} construction have d = {there}")


def capacity(setting: Capacity, seed: int, *, batch: int | None = None) -> dict[str, float | int | None]:
    """The largest T, to 3%, whose error is at most the tolerance: a search in log T without theory. Chapter 13.

    The error of one T is Σ|x̂ − x|²/Σ|x|² over the active circuits of a batch, after layer L; of conditional rotations
    x is the point that rotates. Circuits, network, active sets and inputs are drawn anew from the seed. For a while
    torch works on one thread, so that the numbers do not depend on where this runs.

    Of the exact construction the search starts with all that `superpos.exact.plan` admits, in z lanes side by side.

    Args:
        setting: what is asked.
        seed: of all that is drawn.
        batch: samples for one T; None takes 512, or 4096 for one layer of "balanced", whose error is that of a few
            unlucky sets of circuits.

    Returns:
        "T", 0 if even T = z is too many; "predicted", what `predicted_capacity` says; "most", the T that the code, the
        plan or the width holds; "error" and its "standard_error" over the batch, at T, None if T = 0; "batch".
    """
    samples = _samples(setting) if batch is None else batch
    check_count("batch", samples)
    check_seed("seed", seed)
    found: dict[int, tuple[float, float]] = {}

    def fits(T: int) -> bool:
        found[T] = measured(setting, T, seed, batch=samples)
        return found[T][0] <= max(setting.tolerance, _ROUNDING)

    most, predicted = _most(setting), predicted_capacity(setting)
    with _one_thread():
        T = _search(fits, setting.z, most, most if setting.construction == "exact" else setting.D // setting.d)
    error, doubt = found.get(T, (None, None))
    return {
        "T": T,
        "predicted": predicted,
        "most": most,
        "error": error,
        "standard_error": doubt,
        "batch": samples,
    }


@lru_cache
def predicted_capacity(setting: Capacity) -> int:
    """The T that theory says a construction can use: `superpos.theory.usable`, for "exact" `superpos.exact.plan`.

    0 if fewer than z circuits fit or are usable. Chapter 13.
    """
    s = setting
    if s.construction == "exact":
        return _most(s)
    with _one_thread():
        return theory.usable(s.construction, s.D, d=s.d, S=s.S, z=s.z, L=s.L, tolerance=s.tolerance)


def measured(setting: Capacity, T: int, seed: int, *, batch: int = 512) -> tuple[float, float]:
    """The relative squared error of T active circuits after the last layer, and its standard error: (error, doubt).

    Circuits, network, active sets and inputs are drawn from the seed; the layers are run, all of them. Chapter 13.
    """
    small, large = _build(setting, T, seed)
    active = circuits.random_active(T, batch, setting.z, seed=seed)
    x = _inputs(setting, batch, seed)
    # By the layers: `run` of the exact construction is a shortcut.
    answer = large.read(large(large.encode(active, x)), active, setting.L)
    truth, estimate = (_state(setting, states) for states in (small.run(active, x)[-1], answer))
    found = errors.relative(estimate, truth)
    return found.error.item(), found.standard_error.item()


def _build(setting: Capacity, T: int, seed: int) -> tuple[Circuits, Network]:
    """T circuits of the setting's family, and the network that carries them."""
    s = setting
    if s.construction == "residual":
        small = circuits.random_residual(T, s.d, s.d, s.L, seed=seed)
        return small, residual.embed(small, s.D, s.D, s.S, seed=seed)
    if s.construction == "redundant":
        small = circuits.kaleidoscopes(T, s.L, seed=seed)
        return small, redundant.embed(small, s.D // s.d * s.d, s.S, seed=seed, code=_CODE)
    family = circuits.rotations if s.d == 2 else circuits.conditional_rotations
    small = family(T, s.L, seed=seed)
    if s.construction == "balanced":
        return small, balanced.embed(small, s.D // s.d * s.d, s.S, seed=seed, code=_CODE)
    if s.construction == "exact":
        return small, exact.embed(small, s.D, z=s.z)
    return small, dedicated.embed(small)


def _samples(setting: Capacity) -> int:
    return 4096 if setting.construction == "balanced" and setting.L == 1 else 512


def _inputs(setting: Capacity, batch: int, seed: int) -> Float[Tensor, "batch z d"]:
    if setting.construction == "residual":
        return circuits.sphere(batch, setting.z, setting.d, seed=seed)
    x = circuits.sphere(batch, setting.z, 2, seed=seed) / 2**0.5
    if setting.construction == "redundant":
        return torch.cat([x.relu(), (-x).relu()], dim=-1)
    return circuits.rotation_inputs(x) if setting.d == 2 else circuits.conditional_inputs(x)


def _state(setting: Capacity, a: Float[Tensor, "batch z d"]) -> Float[Tensor, "batch z k"]:
    """What is compared: of conditional rotations the point, of others the state itself."""
    conditional = setting.construction not in ("redundant", "residual") and setting.d == 4
    return circuits.conditional_state(a)[1] if conditional else a


def _most(setting: Capacity) -> int:
    """The T that the code, the plan or the width holds, whatever the error; 0 if that is less than z."""
    s, n = setting, setting.D // setting.d
    if s.construction == "exact":
        try:
            return exact.plan(None, s.d, z=s.z, D=s.D).T
        except ValueError:  # too narrow for any z circuits
            return 0
    if s.construction == "residual":
        most = s.D**2 // s.d**2 if s.S * s.d <= s.D else 0  # as many small weights as large ones
    else:
        most = codes.max_circuits(_CODE, n, s.S) if n and s.construction != "dedicated" else n
    return most if most >= s.z else 0


def _search(fits: Callable[[int], bool], least: int, most: int, start: int) -> int:
    """The largest T in least … most that fits, to a factor `_STEP`, bracketed by doubling; 0 if `least` does not."""
    if most < least:
        return 0
    low, high, T = least - 1, most + 1, min(max(start, least), most)
    while low < T < high:
        low, high = (T, high) if fits(T) else (low, T)
        T = min(2 * T, most) if high > most else max(T // 2, least)
        if low >= least and high <= most:
            break
    while high - low > 1 and high > _STEP * low:
        middle = min(max(round(math.sqrt(low * high)), low + 1), high - 1)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low if low >= least else 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over several threads are rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
