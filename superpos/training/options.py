"""What training is told, and the batches that it sees. Chapter 14."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count, check_number, check_positive
from superpos.circuits import Circuits, conditional_inputs, random_active, sphere

__all__ = ["Options", "batch"]

Learns = Literal["layers", "last layer", "ports", "everything"]
Loss = Literal["square", "fourth", "worst"]
Inputs = Literal["sphere", "points"]


@dataclass(frozen=True)
class Options:
    """What training is told. Chapter 14.

    Attributes:
        z: how many circuits are active in a sample.
        batch, rate: of Adam.
        loss: over samples and circuits: "square" is the mean of |x̂ − x|², "fourth" the root of the mean of |x̂ − x|⁴,
            "worst" the mean of |x̂ − x|² over the worst hundredth of the batch; each over the mean of |x|².
        learns: "layers"; the "last layer" alone, those before it being random features; "ports" alone; or "everything".
        decay: of weights, by AdamW, as a share of the rate.
        noise: standard deviation of noise on every activation, in units of their root mean square in the layer.
        shake: the same on every weight, in units of their root mean square in the matrix.
        inputs: on the "sphere" |x|² = d; or "points", of conditional rotations.
    """

    z: int = 1
    batch: int = 1024
    rate: float = 3e-3
    loss: Loss = "square"
    learns: Learns = "layers"
    decay: float = 0.0
    noise: float = 0.0
    shake: float = 0.0
    inputs: Inputs = "sphere"

    def __post_init__(self) -> None:
        for name in ("z", "batch"):
            check_count(name, getattr(self, name))
        check_positive("rate", self.rate)
        for name in ("decay", "noise", "shake"):
            check_number(name, getattr(self, name), at_least=0.0)
        for name, kind in (("loss", Loss), ("learns", Learns), ("inputs", Inputs)):
            if getattr(self, name) not in get_args(kind):
                allowed = " or ".join(map(repr, get_args(kind)))
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {allowed}")


def batch(
    circuits: Circuits, z: int, size: int, *, seed: int, inputs: Inputs = "sphere"
) -> tuple[Int64[Tensor, "size z"], Float[Tensor, "size z d"]]:
    """Random active sets, and inputs for them: as training sees them, and as it is measured. Chapter 14.

    They are on the device of the circuits, and inputs of their dtype.
    """
    like = circuits.stack
    active = random_active(circuits.T, size, z, seed=seed).to(like.device)
    if inputs == "points":
        return active, conditional_inputs(sphere(size, z, 2, seed=seed) / math.sqrt(2)).to(like)
    return active, sphere(size, z, circuits.d, seed=seed).to(like)
