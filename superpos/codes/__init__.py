"""Codes: which slots each of T circuits occupies: S of n (chapter 9), or one in each of S columns (chapter 12)."""

from superpos.codes.code import Code, incidence
from superpos.codes.families import NAMES, line, max_circuits, progression, random, random_subsets, smallest
from superpos.codes.placing import place
from superpos.codes.polynomials import max_columns, polynomials
from superpos.codes.singles import served

__all__ = [
    "NAMES",
    "Code",
    "incidence",
    "line",
    "max_circuits",
    "max_columns",
    "place",
    "polynomials",
    "progression",
    "random",
    "random_subsets",
    "served",
    "smallest",
]
