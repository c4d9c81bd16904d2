"""MLP circuits with an on-indicator, by which they stay silent while they are not called. Chapter 15."""

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_positive
from superpos.circuits.stacks import MLPCircuits

INDICATOR = 2  # how many coordinates the on-indicator takes, before those of the circuit


def conditional(circuits: MLPCircuits, threshold: float) -> MLPCircuits:
    """The same circuits with an on-indicator α = a_0 − a_1 that is 1 when a circuit is meant, and else 0.

    Two more coordinates, before the circuit's own, hold ReLU(2α − 0.5) and ReLU(2α − 1.5): a step, which erases noise
    on α below 0.25. Every bias is carried by α, and a threshold θ taken off in its place:

        a^l = ReLU(w a^{l−1} + (b + θ) α − θ).

    With α = 1 this is the circuit. With α = 0 the circuit answers 0 as long as what it reads stays below θ; and all
    circuits have one bias in common, as `superpos.balanced` needs. A last layer without a ReLU has no threshold and
    no step. Chapter 15; the step is that of conditional rotations, Linsefors & Bushnaq (December 2025).

    Args:
        circuits: any MLP circuits, width d.
        threshold: θ > 0, in units of the activations.

    Returns:
        Circuits of width d + 2, for inputs as `called` makes them.

    Raises:
        TypeError, ValueError: if the threshold is not a number above 0.
    """
    check_positive("threshold", threshold)
    L, T, d = circuits.biases.shape
    weights, biases = circuits.weights.new_zeros(L, T, d + 2, d + 2), circuits.biases.new_zeros(L, T, d + 2)
    weights[..., 2:, 2:] = circuits.weights
    rectified = L if circuits.last_relu else L - 1
    weights[:rectified, :, :2, 0], weights[:rectified, :, :2, 1] = 2.0, -2.0
    biases[:rectified, :, 0], biases[:rectified, :, 1] = -0.5, -1.5
    biases[:rectified, :, 2:] = -threshold
    carried = circuits.biases - biases[..., 2:]
    weights[..., 2:, 0], weights[..., 2:, 1] = carried, -carried
    return MLPCircuits(weights, biases, last_relu=circuits.last_relu)


def called(inputs: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d2"]:
    """The input of a conditional circuit that is meant: α as (1.5, 0.5), then the circuit's own input. Chapter 15."""
    indicator = inputs.new_tensor([1.5, 0.5]).expand(*inputs.shape[:-1], INDICATOR)
    return torch.cat([indicator, inputs], dim=-1)


def unconditional(circuits: MLPCircuits) -> MLPCircuits:
    """The circuits of which `conditional` made these, without on-indicator and threshold. Chapter 15."""
    own = circuits.weights[..., INDICATOR:, :]
    biases = own[..., 0] + circuits.biases[..., INDICATOR:]
    return MLPCircuits(own[..., INDICATOR:].contiguous(), biases, last_relu=circuits.last_relu)
