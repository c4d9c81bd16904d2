"""Codes: which S of n slots each of T circuits occupies. Chapter 9."""

from superpos.codes.code import Code
from superpos.codes.families import NAMES, line, max_circuits, progression, random, random_subsets, smallest

__all__ = ["NAMES", "Code", "line", "max_circuits", "progression", "random", "random_subsets", "smallest"]
