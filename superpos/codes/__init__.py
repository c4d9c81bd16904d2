"""Codes: which slots each of T circuits occupies, S of n (chapter 9), or a pair in each of S columns (chapter 11)."""

from superpos.codes.code import Code
from superpos.codes.columns import columns, max_columns
from superpos.codes.families import NAMES, line, max_circuits, progression, random, random_subsets, smallest
from superpos.codes.missing import missing, missing_estimate

__all__ = [
    "NAMES",
    "Code",
    "columns",
    "line",
    "max_circuits",
    "max_columns",
    "missing",
    "missing_estimate",
    "progression",
    "random",
    "random_subsets",
    "smallest",
]
