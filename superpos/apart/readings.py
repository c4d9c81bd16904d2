"""Readings that nobody had to learn: what a dictionary is to be better than, and the truth. Chapter 17."""

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds import Part
from superpos.sampling import generator


def both_ways(A: Float[Tensor, "B n"], M: Float[Tensor, "n K"]) -> Float[Tensor, "B K2"]:
    """Activations along directions, each way: ReLU(A M) and ReLU(−A M). Chapter 17."""
    along = (A - A.mean(dim=0)) @ M
    return torch.cat([along.relu(), (-along).relu()], dim=1)


def neurons(A: Float[Tensor, "B n"]) -> Float[Tensor, "B n2"]:
    """Each neuron by itself, above and below 0. Chapter 17."""
    return torch.cat([A.relu(), (-A).relu()], dim=1)


def principal(A: Float[Tensor, "B n"]) -> Float[Tensor, "B n2"]:
    """Along the principal components of these activations, each way. Chapter 17."""
    return both_ways(A, torch.linalg.eigh(torch.cov(A.mT)).eigenvectors)


def random(A: Float[Tensor, "B n"], count: int, *, seed: int) -> Float[Tensor, "B K2"]:
    """Along random directions, each way. Chapter 17."""
    M = torch.randn(A.shape[1], count, generator=generator(seed, "directions"), dtype=torch.float32)
    return both_ways(A, M.to(A))


def truth(part: Part, A: Float[Tensor, "B in"], after: Float[Tensor, "B out"]) -> Float[Tensor, "B T"]:
    """What each circuit's own component of a matrix reads, or what stands where it writes, whichever is less.

    min(|V_tᵀ a|, |U_tᵀ a'|), with a the matrix's input and a' what its layer leaves. Chapter 17.
    """
    read, wrote = (torch.einsum("bi,tir->btr", x, M.to(x)).norm(dim=-1) for x, M in ((A, part.V), (after, part.U)))
    return torch.minimum(read, wrote)
