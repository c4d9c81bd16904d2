"""Residual circuits whose biases are silent while inactive: one threshold, the rest carried. Chapter 4."""

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_number
from superpos.circuits.stacks import ResidualCircuits


def carry_bias(
    circuits: ResidualCircuits, threshold: float | None = None
) -> tuple[Float[Tensor, "L T m k"], Float[Tensor, "L T k m"], list[float]]:
    """The weights of circuits without biases but a threshold −θ^l, with the on-indicator's column, and the θ^l.

    The indicator's column of w_in is b + θ, its row of w_out is 0, so that it stays 1 in an active circuit and 0 in an
    inactive one. Without any b + θ ≠ 0 there is no such coordinate (k = d). Chapter 4.

    Raises:
        TypeError, ValueError: if circuits is not ResidualCircuits, or the threshold not a number ≥ 0 or None.
    """
    if not isinstance(circuits, ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; the residual construction takes ResidualCircuits")
    if threshold is not None:
        check_number("threshold", threshold, at_least=0.0)
    theta = [_common_threshold(b) for b in circuits.bias] if threshold is None else [float(threshold)] * circuits.L
    rest = circuits.bias + circuits.bias.new_tensor(theta)[:, None, None]
    if not rest.any():
        return circuits.w_in, circuits.w_out, theta
    w_in = torch.cat([circuits.w_in, rest[..., None]], dim=-1)
    w_out = torch.cat([circuits.w_out, torch.zeros_like(circuits.w_out[:, :, :1])], dim=-2)
    return w_in, w_out, theta


def _common_threshold(bias: Float[Tensor, "T m"]) -> float:
    first = bias[0, 0].item()
    return -first if first <= 0 and bool((bias == first).all()) else 0.0
