"""T small ReLU networks ("circuits") as stacked tensors, and families of them. Chapter 2."""

from superpos.circuits.batches import (
    conditional_inputs,
    conditional_state,
    random_active,
    rotation_inputs,
    sphere,
)
from superpos.circuits.conditional import INDICATOR, called, conditional, unconditional
from superpos.circuits.families import conditional_rotations, kaleidoscopes, random_mlps, random_residual, rotations
from superpos.circuits.modules import Modules, ResidualBlock, answers, from_modules, stacked, to_module
from superpos.circuits.stacks import Circuits, MLPCircuits, ResidualCircuits
from superpos.circuits.thresholds import carry_bias
from superpos.circuits.trained import Kind, trained

__all__ = [
    "INDICATOR",
    "Circuits",
    "Kind",
    "MLPCircuits",
    "Modules",
    "ResidualBlock",
    "ResidualCircuits",
    "answers",
    "called",
    "carry_bias",
    "conditional",
    "conditional_inputs",
    "conditional_rotations",
    "conditional_state",
    "from_modules",
    "kaleidoscopes",
    "random_active",
    "random_mlps",
    "random_residual",
    "rotation_inputs",
    "rotations",
    "sphere",
    "stacked",
    "to_module",
    "trained",
    "unconditional",
]
