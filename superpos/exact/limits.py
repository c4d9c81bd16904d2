"""What an exact network refuses: numbers beyond those from which its gates were made, and too coarse arithmetic."""

import math

import torch
from torch import Tensor

from superpos.exact.sizes import Plan

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


def check_keys(dtype: torch.dtype, plan: Plan) -> None:
    """Refuse a number format that does not hold the keys, integers up to 2 n² for z ≥ 2, or what silences n of them."""
    info = torch.finfo(dtype)
    most = math.isqrt(round(1 / info.eps))
    while 4 * most**3 >= info.max:
        most -= 1
    if plan.z > 1 and plan.n > most:
        raise ValueError(
            f"circuits are {dtype}, which counts to {2 / info.eps:.0f} and ends at {info.max:.3g}; with z = {plan.z} "
            f"keys of T = {plan.T} circuits go up to 2n² = {2 * plan.n**2}, and up to 4n³ = {4 * plan.n**3} is taken "
            f"off to silence them: at most n = {most}, T = {most**2} fit, or call "
            f".to({'torch.float32' if info.bits < 32 else 'torch.float64'}) on them"
        )


def check_arithmetic(like: Tensor, bound: float | None, plan: Plan) -> None:
    """Refuse to run the layers without a bound, or, where there are keys, in arithmetic that does not hold them."""
    check_known(bound, "forward")
    check_keys(like.dtype, plan)
    keyed = plan.entry is not None
    try:
        coarse = torch.get_float32_matmul_precision()
    except RuntimeError:  # torch will not name one where it was set for some devices alone
        coarse = "mixed"
    if keyed and like.dtype == torch.float32 and coarse != "highest":
        raise ValueError(
            f"float32 matrix products are of precision {coarse!r} (TF32 or bfloat16), which does not hold keys: call "
            "torch.set_float32_matmul_precision('highest')"
        )
    if keyed and torch.is_autocast_enabled(like.device.type):
        raise ValueError("torch.autocast is on, whose products do not hold keys: leave it around this network")
