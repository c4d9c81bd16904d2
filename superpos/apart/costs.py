"""What the loss of SPD says of components that are given: the truth, neurons, or what was found. Chapter 17."""

import math
from dataclasses import dataclass

import torch

from superpos.apart.decomposition import Decomposition
from superpos.apart.spd import Options
from superpos.beds import Bed
from superpos.beds.scoring.running import replaced
from superpos.sampling import generator

__all__ = ["Cost", "cost"]


@dataclass(frozen=True)
class Cost:
    """The loss of SPD for given components and gates, on the held-out samples of a bed. Chapter 17.

    Attributes:
        faithfulness: Σ |W − Σ_c U_c V_cᵀ|²/|W|² over the matrices.
        error: of the outputs with masks drawn as the method draws them, over what is at stake, the error if all
            components are left out.
        alone: the same with the masks of one matrix at a time, all else being open; the mean over the matrices.
        price: Σ_c g_c^p (|U_c||V_c|/unit)^q over all matrices, the mean over samples.
    """

    faithfulness: float
    error: float
    alone: float
    price: float

    def total(self, beta: float) -> float:
        """The loss, with β the price of a gate."""
        return self.faithfulness + self.error + self.alone + beta * self.price


def cost(bed: Bed, d: Decomposition, options: Options, *, seed: int = 0) -> Cost:
    """What SPD, told these options, would have to pay for a decomposition. Chapter 17.

    Args:
        bed: or its control.
        d: with the machinery left in place.
        options: masks, p and q are used.
        seed: of the masks.

    Raises:
        TypeError, ValueError: if `d` is no decomposition of the bed, or takes the machinery apart as well.
    """
    bed.held.check(d, capped=False)
    if d.machinery != "kept":
        raise ValueError(f"d has machinery {d.machinery!r}; what SPD pays is known where it is 'kept'")
    held, g = bed.held, generator(seed, "masks")
    gates = {path: x.double() for path, x in d.gates.items()}
    opened = {path: torch.ones_like(x) for path, x in gates.items()}
    chain, right = replaced(held, d, torch.float64), held.outputs
    at_stake = (chain.outputs({path: 0 * x for path, x in gates.items()}) - right).square().mean().item()

    def off(masks: dict[str, torch.Tensor]) -> float:
        return (chain.outputs(masks) - right).square().mean().item() / at_stake

    masks = {}
    for path, x in gates.items():
        r = torch.rand(x.shape, generator=g, dtype=torch.float64)
        masks[path] = x + (1 - x) * (r if options.masks == "uniform" else (r < 0.5).double())
    faithfulness = price = 0.0
    for part in held.matrices:
        V, U, W = d.V[part.path].double(), d.U[part.path].double(), part.own_weights
        faithfulness += ((W - U @ V.mT).square().sum() / W.square().sum()).item()
        size = V.norm(dim=0) * U.norm(dim=0) / (W.norm() / math.sqrt(min(W.shape)))
        price += (gates[part.path] ** options.p * size**options.q).sum(dim=1).mean().item()
    alone = [off(opened | {path: x}) for path, x in masks.items()] if len(masks) > 1 else [0.0]
    return Cost(faithfulness, off(masks), sum(alone) / len(alone), price)
