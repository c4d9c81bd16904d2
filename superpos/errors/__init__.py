"""Measured errors: by the state of a circuit (active or not), by layer, and by the term that makes them. Chapter 7."""

from superpos.errors.measured import Errors, RotationErrors, Summary, measure, rotations
from superpos.errors.relative import Relative, relative
from superpos.errors.terms import Terms, terms

__all__ = ["Errors", "Relative", "RotationErrors", "Summary", "Terms", "measure", "relative", "rotations", "terms"]
