"""A figure and its standard error."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.errors import relative
from superpos.words import number

_ROUNDING = 1e-12  # of float64; a figure below it is written as 0


@dataclass(frozen=True)
class Score:
    """A figure and its standard error, over circuits or over samples; 0 where nothing is drawn. Chapter 16."""

    value: float
    standard_error: float

    def __str__(self) -> str:
        value, error = (0.0 if abs(x) < _ROUNDING else x for x in (self.value, self.standard_error))
        return f"{number(value)} ± {number(error, 1)}"


def mean(x: Float[Tensor, " n"]) -> Score:
    """The mean of figures, and its standard error; of one figure 0."""
    spread = x.std() / len(x) ** 0.5 if len(x) > 1 else torch.zeros(())
    return Score(float(x.mean()), float(spread))


def off(estimate: Float[Tensor, "B out"], truth: Float[Tensor, "B out"]) -> Score:
    """The relative squared error Σ|ŷ − y|² / Σ|y|² of outputs, and its standard error over samples."""
    found = relative(estimate[:, None], truth[:, None])
    return Score(float(found.error), float(found.standard_error))
