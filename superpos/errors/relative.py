"""The relative squared error of an answer: beside the signal, or beside what was to be changed. Chapters 6 to 13."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Relative(NamedTuple):
    """The relative squared error of a batch, and its standard error. Chapter 6.

    Attributes:
        error: Σ|x̂ − x|² / Σ|x|².
        standard_error: of it, over the samples of the batch, to first order; 0 of a single sample.
    """

    error: Float[Tensor, "*layer"]
    standard_error: Float[Tensor, "*layer"]


def relative(estimate: Float[Tensor, "*layer B z d"], truth: Float[Tensor, "*layer B z d"]) -> Relative:
    """The relative squared error of estimates, Σ|x̂ − x|² / Σ|x|² over samples and circuits, one for each layer.

    It is a ratio of two means over samples, e of |x̂ − x|² and s of |x|²; the standard error of r = ⟨e⟩/⟨s⟩ is that of
    the mean of e − r s, over ⟨s⟩. Sums are taken in double precision. Where nothing is to be said, Σ|x|² = 0, r is 0
    if nothing was said and infinite otherwise; NaN among the estimates gives NaN. Chapter 6.

    Raises:
        ValueError: if the two have different shapes.
    """
    _check_alike("estimate", estimate, truth.shape)
    return _relative(estimate.double() - truth.double(), truth.double())


def of_update(
    estimate: Float[Tensor, "*layer B z d"], truth: Float[Tensor, "*layer B z d"], before: Float[Tensor, "B z d"]
) -> Relative:
    """The error of the update, Σ|x̂ − x|² / Σ|x − x_before|² over samples and circuits, one for each layer.

    `before` is the state that the network was given, x_before. A network that leaves it as it is scores exactly 1. By
    `relative` the same network scores little where the layers were to change little. Sums, standard errors and 0/0 are
    as there. Chapter 6.

    Raises:
        ValueError: if the states have different shapes.
    """
    _check_alike("estimate", estimate, truth.shape)
    _check_alike("before", before, truth.shape[-3:])
    return _relative(estimate.double() - truth.double(), truth.double() - before.double())


def _check_alike(name: str, x: Tensor, shape: torch.Size) -> None:
    if x.shape != shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}, truth {tuple(shape)}; they must be alike")


def _relative(error: Float[Tensor, "*layer B z d"], asked: Float[Tensor, "*layer B z d"]) -> Relative:
    off, size = (x.square().sum(dim=(-2, -1)) for x in (error, asked))
    total_off, total = off.mean(dim=-1), size.mean(dim=-1)
    ratio = share(total_off, total)
    batch = off.shape[-1]
    if batch == 1:
        return Relative(ratio, torch.zeros_like(ratio))
    spread = (off - ratio[..., None] * size).std(dim=-1) / batch**0.5
    return Relative(ratio, share(spread, total))


def share(off: Float[Tensor, "*#some"], size: Float[Tensor, "*#some"]) -> Float[Tensor, "*some"]:
    """The ratio off / size of two sums of squares, what was wrong over what should be there; 0 where both are 0."""
    return torch.where((size == 0) & (off == 0), 0.0, off / size)
