"""Test beds: networks that compute in superposition, whose circuits are known. Chapter 15."""

from superpos.beds.bed import NONE, Bed, Inputs, Samples
from superpos.beds.instances import bed, names
from superpos.beds.part import Part

__all__ = ["NONE", "Bed", "Inputs", "Part", "Samples", "bed", "names"]
