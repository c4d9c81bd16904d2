"""Where methods find what they return: a decomposition stands in the floor of the beds, which score it. Chapter 16."""

from superpos.beds.scoring import SHARED, Decomposition

__all__ = ["SHARED", "Decomposition"]
