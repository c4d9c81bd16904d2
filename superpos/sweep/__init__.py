"""Experiments over many settings, on one machine or a cluster. Chapters 7, 8, 10 and 12.

One function measures one setting with one seed, so that a stored result can be recomputed alone; `run` does it for many
of them. `scripts/sweeps.py` makes the stored results, `stored` reads them.
"""

from superpos.circuits import kaleidoscopes
from superpos.sweep.capacity import CONSTRUCTIONS, Capacity, capacity, predicted_capacity
from superpos.sweep.experiments import (
    RotationSetting,
    Setting,
    accuracy,
    many_layers,
    one_layer,
    rotations,
    setting,
    stored,
    usable,
)
from superpos.sweep.run import run, store
from superpos.theory import predicted_usable, seizure_limit

__all__ = [
    "CONSTRUCTIONS",
    "Capacity",
    "RotationSetting",
    "Setting",
    "accuracy",
    "capacity",
    "kaleidoscopes",
    "many_layers",
    "one_layer",
    "predicted_capacity",
    "predicted_usable",
    "rotations",
    "run",
    "seizure_limit",
    "setting",
    "store",
    "stored",
    "usable",
]
