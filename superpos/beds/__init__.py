"""Test beds: networks that compute in superposition, whose circuits are known. Chapter 16."""

from superpos.beds.bed import Bed
from superpos.beds.building import make, raised
from superpos.beds.cuts import Cut, Losses, beaten, losses
from superpos.beds.instances import Beds, bed, names
from superpos.beds.loading import load
from superpos.beds.part import Part
from superpos.beds.pieces import on_grid
from superpos.beds.samples import NONE, Inputs, Samples

__all__ = [
    "NONE",
    "Bed",
    "Beds",
    "Cut",
    "Inputs",
    "Losses",
    "Part",
    "Samples",
    "beaten",
    "bed",
    "load",
    "losses",
    "make",
    "names",
    "on_grid",
    "raised",
]
