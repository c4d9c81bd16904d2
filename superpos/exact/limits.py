"""What an exact network refuses: numbers beyond those from which its gates were made, and too coarse arithmetic."""

import math

import torch
from torch import Tensor

SLACK = 1.01  # the gates hold for activations up to the bound and a little more, so that rounding cannot cross it


def check_bound(name: str, values: Tensor, bound: float | None) -> None:
    """Refuse activations beyond the bound from which the gates were made."""
    if bound is None or not values.numel():
        return
    largest = values.abs().max().item()
    if not largest <= SLACK * bound:
        raise ValueError(
            f"{name} is {largest:.6g} in size, but the bound is {bound:g}: embed the circuits with "
            f"bound={math.ceil(largest) if math.isfinite(largest) else '…'} or more"
        )


def check_inputs(inputs: Tensor, reach: float | None, *, nonnegative: bool) -> None:
    """Refuse inputs beyond the reach, or negative ones where the network was made without them."""
    check_bound("inputs", inputs, reach)
    if nonnegative and inputs.numel() and inputs.min() < 0:
        raise ValueError(
            f"inputs holds {inputs.min().item():.6g}, and the network was made for inputs of at least 0: embed the "
            "circuits with nonnegative=False"
        )


def check_known(bound: float | None, what: str) -> None:
    """Refuse what needs a bound where none is known."""
    if bound is None:
        raise ValueError(
            f"bound is None; {what} needs the largest |activation| of any circuit: give it to superpos.exact.embed "
            "as bound=…, e.g. (1.5 * circuits.run(active, inputs).abs().max()).item() of inputs like your own. "
            "run does not need it"
        )


def check_arithmetic(like: Tensor, bound: float | None, *, keyed: bool) -> None:
    """Refuse to run the layers without a bound, or, where there are keys, in arithmetic that does not hold them."""
    check_known(bound, "forward")
    coarse = torch.get_float32_matmul_precision()
    if keyed and like.dtype == torch.float32 and coarse != "highest":
        raise ValueError(
            f"float32 matrix products are of precision {coarse!r} (TF32 or bfloat16), which does not hold keys: call "
            "torch.set_float32_matmul_precision('highest')"
        )
    if keyed and torch.is_autocast_enabled(like.device.type):
        raise ValueError("torch.autocast is on, whose products do not hold keys: leave it around this network")
