"""Predictions, one function an equation. Chapters 3 to 14.

Symbols as on the notation page. Nothing here looks at a large network: the small circuits, run alone on a batch, and
the sizes T, D, M, S are all that goes in. r is the mean square noise with which ONE coordinate of a circuit is read.

Source: Bushnaq & Mendel (2024) for what the terms are; the mixture over sharers, the recursion over layers and the
usable number of circuits are our own.
"""

from superpos.codes import served
from superpos.theory.capacity import counting_bound, readout_floor, usable
from superpos.theory.demand import Demand, predicted_error, predicted_usable, update_error, usable_circuits
from superpos.theory.equations import averaged, gaussian_self_term, interference, read_off, sharing
from superpos.theory.lanes import (
    circuits_in_lanes,
    hall_bound,
    lanes_by_code,
    lanes_by_sorting,
    lanes_pay_from,
    matching_bound,
    width_of_lanes,
)
from superpos.theory.neurons import collisions, copies, rectified, sharers
from superpos.theory.overlap import Linear, Masked, harm, indicator, masked, mlps, point
from superpos.theory.recursion import (
    Prediction,
    Statistics,
    Terms,
    layer,
    layers,
    statistics,
)
from superpos.theory.seizure import first_excess, largest_without, leak, onset, rotations, seizure_limit
from superpos.theory.slots import Rotations
from superpos.theory.training import tangent, without_neurons

__all__ = [
    "Demand",
    "Linear",
    "Masked",
    "Prediction",
    "Rotations",
    "Statistics",
    "Terms",
    "averaged",
    "circuits_in_lanes",
    "collisions",
    "copies",
    "counting_bound",
    "first_excess",
    "gaussian_self_term",
    "hall_bound",
    "harm",
    "indicator",
    "interference",
    "lanes_by_code",
    "lanes_by_sorting",
    "lanes_pay_from",
    "largest_without",
    "layer",
    "layers",
    "leak",
    "masked",
    "matching_bound",
    "mlps",
    "onset",
    "point",
    "predicted_error",
    "predicted_usable",
    "read_off",
    "readout_floor",
    "rectified",
    "rotations",
    "seizure_limit",
    "served",
    "sharers",
    "sharing",
    "statistics",
    "tangent",
    "update_error",
    "usable",
    "usable_circuits",
    "width_of_lanes",
    "without_neurons",
]
