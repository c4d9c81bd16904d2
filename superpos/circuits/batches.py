"""Which circuits are active, and on what: batches to run."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count
from superpos.circuits.conditional import called
from superpos.sampling import distinct, generator


def random_active(T: int, batch: int, z: int, *, seed: int) -> Int64[Tensor, "batch z"]:
    """Draw for every sample z distinct circuits of T, uniformly."""
    check_count("T", T)
    check_count("batch", batch)
    check_count("z", z, at_most=T, why=f"only T = {T} circuits exist")
    return distinct(batch, z, T, generator=generator(seed, "active"))


def sphere(batch: int, z: int, d: int, *, seed: int) -> Float[Tensor, "batch z d"]:
    """Draw states uniformly from the sphere |x|² = d, so that a coordinate is 1 in the root mean square."""
    for name, value in (("batch", batch), ("z", z), ("d", d)):
        check_count(name, value)
    x = torch.randn((batch, z, d), generator=generator(seed, "sphere"), dtype=torch.float32)
    return x * (math.sqrt(d) / x.norm(dim=-1, keepdim=True))


def rotation_inputs(x: Float[Tensor, "batch z 2"]) -> Float[Tensor, "batch z 2"]:
    """What the plain rotation is given for the point x, |x| ≤ 1: a = x + 1."""
    return x + 1


def conditional_inputs(x: Float[Tensor, "batch z 2"]) -> Float[Tensor, "batch z 4"]:
    """What an active conditional rotation is given for the point x, |x| = 1: (1.5, 0.5, x_0 + 1, x_1 + 1)."""
    return called(x + 1)


def conditional_state(a: Float[Tensor, "*batch 4"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 2"]]:
    """Read a conditional rotation: the on-indicator α = a_0 − a_1 and the point (a_2 − α, a_3 − α)."""
    alpha = a[..., 0] - a[..., 1]
    return alpha, a[..., 2:] - alpha[..., None]
