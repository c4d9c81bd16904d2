"""Experiments over many settings, on one machine or a cluster. Chapters 6, 7, 8, 10, 11 and 13.

One function measures one setting with one seed, so that a stored result can be recomputed alone; `run` does it for many
of them. `scripts/sweeps.py` makes the stored results, `stored` reads them. Only `run` needs joblib, and is imported
when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from superpos.circuits import kaleidoscopes
from superpos.sweep.capacity import CONSTRUCTIONS, Capacity, capacity, predicted_capacity
from superpos.sweep.demands import measured_error, usable
from superpos.sweep.experiments import (
    RotationSetting,
    Setting,
    answers,
    held_by_few,
    many_layers,
    one_layer,
    rotations,
    setting,
    stored,
)
from superpos.sweep.rows import store
from superpos.sweep.seizure import limit, stray
from superpos.sweep.tasks import accuracy, affine, linear_accuracy
from superpos.theory import Demand, predicted_usable, seizure_limit

if TYPE_CHECKING:
    from superpos.sweep.jobs import run

__all__ = [
    "CONSTRUCTIONS",
    "Capacity",
    "Demand",
    "RotationSetting",
    "Setting",
    "accuracy",
    "affine",
    "answers",
    "capacity",
    "held_by_few",
    "kaleidoscopes",
    "limit",
    "linear_accuracy",
    "many_layers",
    "measured_error",
    "one_layer",
    "predicted_capacity",
    "predicted_usable",
    "rotations",
    "run",
    "seizure_limit",
    "setting",
    "store",
    "stored",
    "stray",
    "usable",
]


def __getattr__(name: str) -> object:
    """`run`, and what it needs."""
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f"{__name__}.jobs").run
    except ImportError as error:
        raise ImportError("superpos.sweep.run needs joblib and tqdm: pip install 'superpos[sweep]'") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
