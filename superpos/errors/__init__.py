"""Measured errors: by the state of a circuit (active or not), by layer, and by the term that makes them. Chapter 6."""

from superpos.errors.ablation import Ablated, Squares, ablated, adversary
from superpos.errors.measured import Errors, RotationErrors, Summary, measure, rotations
from superpos.errors.relative import Relative, of_update, relative
from superpos.errors.terms import Terms, terms

__all__ = [
    "Ablated",
    "Errors",
    "Relative",
    "RotationErrors",
    "Squares",
    "Summary",
    "Terms",
    "ablated",
    "adversary",
    "measure",
    "of_update",
    "relative",
    "rotations",
    "terms",
]
