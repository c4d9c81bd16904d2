"""Experiments over many settings: one function measures one setting with one seed. Chapters 6, 7, 8, 10 and 11.

So a stored result can be recomputed alone. `scripts/sweeps.py` runs them all; `stored` reads what it wrote.
"""

import json
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import TypeVar

import torch

from superpos import balanced, circuits, errors, residual, theory
from superpos.sweep.capacity import Capacity
from superpos.theory import Demand

_TERMS = ("read_off", "read_in", "averaged", "neuron", "own", "written_back", "total")


@dataclass(frozen=True)
class Setting:
    """A setting of `one_layer` and `many_layers`: all that decides an error of the residual construction. Chapter 6.

    T circuits of width d with m neurons, z of them active, stand in a network of width D with M neurons a layer and
    S copies of each small neuron.
    """

    D: int
    M: int
    T: int
    z: int
    S: int
    d: int = 4
    m: int = 4
    threshold: float = 0.0


@dataclass(frozen=True)
class RotationSetting:
    """A setting of `rotations`: T conditional ones, z active, balanced in width 4n with S slots each. Chapter 10."""

    D: int
    T: int
    S: int
    z: int
    code: str = "progression"


K = TypeVar("K", Setting, RotationSetting, Capacity, Demand)


def setting(row: dict, kind: type[K] = Setting) -> K:
    """The setting of a stored row: its fields, without what was measured. Chapter 6."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})


def stored(name: str, /, **where: float | int | str) -> list[dict]:
    """The rows of one experiment that `scripts/sweeps.py` has run, as they ship with the package.

    Args:
        name: of the experiment: "answers", "capacity", "dictionaries", "echoes", "far", "held", "idle", "layers",
            "limits", "reference", "rotations", "seizure", "tasks", "terms", "tuned" or "usable"; "nine", which
            `scripts/nine.py` makes; "descents" and "toys", of scripts of these names; or "published", our run of the
            published code of rotations with its settings. A number of "usable" is told apart by all fields of its
            `Demand`: D, M, S, z, threshold, tolerance and of, "update" or "signal".
        where: what a row must hold to be taken, e.g. T=256, threshold=0.5.

    Raises:
        ValueError: if there is no such experiment, or no such row; the message says what there is.
    """
    folder = files("superpos") / "data"
    names = sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))
    if name not in names:
        raise ValueError(f"name is {name!r}; the stored experiments are {', '.join(names)}")
    rows = json.loads((folder / f"{name}.json").read_text(encoding="utf8"))
    chosen = [row for row in rows if all(row.get(key) == value for key, value in where.items())]
    if not chosen:
        there = {key: sorted({row[key] for row in rows if key in row}) for key in where}
        raise ValueError(f"no row of {name!r} has {where}; there are {there}")
    return chosen


def one_layer(setting: Setting, seed: int, *, batch: int = 512) -> dict[str, list[float]]:
    """The terms of the error of one layer, each [measured, predicted], for active and for inactive circuits. Chapter 6.

    Gaussian circuits, inputs on the sphere |x|² = d; circuits, large network, active sets and inputs are all drawn
    anew from the seed.
    """
    s = setting
    small = circuits.random_residual(s.T, s.d, s.m, 1, seed=seed, threshold=s.threshold)
    large = residual.embed(small, s.D, s.M, s.S, seed=seed)
    active = circuits.random_active(s.T, batch, s.z, seed=seed)
    x = circuits.sphere(batch, s.z, s.d, seed=seed)
    predicted = theory.layers(small, active, x, s.D, s.M, s.S)[0]
    measured = {
        "active": errors.terms(large, small, active, x),
    }
    if s.z < s.T:
        others = _inactive(active, s.T, seed=seed)
        measured["inactive"] = errors.terms(large, small, active, x, others=others)
    found = {}
    for kind, terms in measured.items():
        for name in _TERMS:
            pair = getattr(terms, name).mean.item(), getattr(getattr(predicted, kind), name)
            found[f"{kind} {name}"] = list(pair)
    return found


def many_layers(setting: Setting, seed: int, *, L: int, batch: int = 256) -> dict[str, list[float]]:
    """The relative squared error of active circuits after each of L layers, measured and predicted. Chapter 7.

    Circuits, large network, active sets and inputs are drawn anew from the seed.
    """
    s = setting
    small = circuits.random_residual(s.T, s.d, s.m, L, seed=seed, threshold=s.threshold)
    active = circuits.random_active(s.T, batch, s.z, seed=seed)
    x = circuits.sphere(batch, s.z, s.d, seed=seed)
    measured = errors.measure(residual.embed(small, s.D, s.M, s.S, seed=seed), small, active, x)
    predicted = theory.layers(small, active, x, s.D, s.M, s.S)
    return {"measured": measured.relative.tolist(), "predicted": [p.relative for p in predicted]}


def answers(setting: Setting, seed: int, *, batch: int = 4096) -> dict[str, float]:
    """The errors of single answers of one layer, not their mean alone: how bad are the rare ones? Chapter 8.

    An answer is the estimate of one active circuit in one sample. Circuits, large network, active sets and inputs are
    drawn anew from the seed.

    Returns:
        "of_update" and "of_signal", Σ|x̂ − x|² over Σ|x − x⁰|² and over Σ|x|²; "lost", the share of answers whose
        squared error is larger than the mean square of what was to change; "worst", the largest squared error among
        the best 999 of 1,000, over that mean.
    """
    s = setting
    small = circuits.random_residual(s.T, s.d, s.m, 1, seed=seed, threshold=s.threshold)
    active = circuits.random_active(s.T, batch, s.z, seed=seed)
    x = circuits.sphere(batch, s.z, s.d, seed=seed)
    truth = small.run(active, x)[1]
    estimate = residual.embed(small, s.D, s.M, s.S, seed=seed).run(active, x).estimates[1]
    change = (truth - x).square().sum(dim=-1).mean()
    each = (estimate - truth).square().sum(dim=-1).flatten() / change
    return {
        "of_update": errors.of_update(estimate, truth, x).error.item(),
        "of_signal": errors.relative(estimate, truth).error.item(),
        "lost": (each > 1).double().mean().item(),
        "worst": each.quantile(0.999).item(),
    }


def held_by_few(setting: Setting, seed: int, *, L: int, batch: int = 256, few: int = 3) -> dict[str, list[float]]:
    """The share of the inactive circuits' squared states that the worst few samples hold, after each of L layers.

    Were all samples alike, it would be few/batch. Drawn as in `many_layers`. Chapter 7.
    """
    s = setting
    small = circuits.random_residual(s.T, s.d, s.m, L, seed=seed, threshold=s.threshold)
    large = residual.embed(small, s.D, s.M, s.S, seed=seed)
    active = circuits.random_active(s.T, batch, s.z, seed=seed)
    shares = []
    for l, (_, X) in zip(large.depths, large.states(active, circuits.sphere(batch, s.z, s.d, seed=seed)), strict=True):
        states = large.read_all(X, l).square().sum(dim=-1)
        by_sample = states.scatter(1, active, 0.0).sum(dim=1).sort(descending=True).values
        shares.append((by_sample[:few].sum() / by_sample.sum()).item())
    return {"held": shares}


def rotations(setting: RotationSetting, seed: int, *, L: int, batch: int | None = None) -> dict[str, list[float]]:
    """The errors of conditional rotations after each of L layers, and the share of neurons on. Chapter 10.

    Circuits, network, active sets and angles are drawn anew from the seed. `batch` None takes every circuit once, z
    must then be 1.

    Returns:
        Mean squares "point active", "point inactive", "indicator active", "indicator inactive", the largest |δ|
        "worst point", "worst indicator" of active circuits, and "on".
    """
    s = setting
    small = circuits.conditional_rotations(s.T, L, seed=seed)
    large = balanced.embed(small, s.D, s.S, seed=seed, code=s.code)
    active = torch.arange(s.T)[:, None] if batch is None else circuits.random_active(s.T, batch, s.z, seed=seed)
    x = circuits.conditional_inputs(circuits.sphere(active.shape[0], active.shape[1], 2, seed=seed) / 2**0.5)
    found = errors.rotations(large, small, active, x)
    return {
        "point active": found.point.active.mean.tolist(),
        "point inactive": found.point.inactive.mean.tolist(),
        "indicator active": found.indicator.active.mean.tolist(),
        "indicator inactive": found.indicator.inactive.mean.tolist(),
        "worst point": found.point.active.worst.tolist(),
        "worst indicator": found.indicator.active.worst.tolist(),
        "on": found.point.on.mean(dim=1).tolist(),
    }


def _inactive(active: torch.Tensor, T: int, *, seed: int, count: int = 4) -> torch.Tensor:
    """Up to `count` inactive circuits for every sample, drawn uniformly."""
    z = active.shape[1]
    drawn = circuits.random_active(T, len(active), min(T, z + count), seed=seed + 1)
    clash = (drawn[:, :, None] == active[:, None, :]).any(dim=2)
    # At most z of the drawn ones are active: moving those to the end leaves inactive ones in front.
    return drawn.gather(1, clash.int().argsort(dim=1, stable=True))[:, : drawn.shape[1] - z]
