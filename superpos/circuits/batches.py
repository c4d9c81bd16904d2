"""Batches to run: which circuits are active, and on what. Chapters 2 and 10."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count
from superpos.circuits.conditional import called
from superpos.sampling import distinct, generator


def random_active(T: int, batch: int, z: int, *, seed: int) -> Int64[Tensor, "batch z"]:
    """The numbers of z distinct circuits of T for every sample, drawn uniformly: `active` of a batch. Chapter 2.

    Raises:
        TypeError, ValueError: for a size below 1, z > T, or a seed that is none.
    """
    check_count("T", T)
    check_count("batch", batch)
    check_count("z", z, at_most=T, why=f"only T = {T} circuits exist")
    return distinct(batch, z, T, generator=generator(seed, "active"))


def sphere(batch: int, z: int, d: int, *, seed: int) -> Float[Tensor, "batch z d"]:
    """Random states, uniform on the sphere |x|² = d: a coordinate is 1 in the root mean square. Chapter 2.

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.
    """
    for name, value in (("batch", batch), ("z", z), ("d", d)):
        check_count(name, value)
    x = torch.randn((batch, z, d), generator=generator(seed, "sphere"), dtype=torch.float32)
    return x * (math.sqrt(d) / x.norm(dim=-1, keepdim=True))


def rotation_inputs(x: Float[Tensor, "batch z 2"]) -> Float[Tensor, "batch z 2"]:
    """The input a = x + 1 of a plain rotation, for a point |x| ≤ 1 of the plane. Chapter 2."""
    return x + 1


def conditional_inputs(x: Float[Tensor, "batch z 2"]) -> Float[Tensor, "batch z 4"]:
    """The input of a conditional rotation that is active, for a point x of the plane with |x| = 1. Chapters 2 and 10.

    It is (1.5, 0.5, x_0 + 1, x_1 + 1): the on-indicator α = 1.5 − 0.5 = 1, then the point.
    """
    return called(x + 1)


def conditional_state(a: Float[Tensor, "*batch 4"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 2"]]:
    """The on-indicator α = a_0 − a_1 of a conditional rotation's state, and its point a_2 − α, a_3 − α. Chapter 10."""
    alpha = a[..., 0] - a[..., 1]
    return alpha, a[..., 2:] - alpha[..., None]
