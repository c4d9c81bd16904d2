"""What a bed's network is given: which circuits are active, and on what. Chapter 16."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.sampling import generator

NONE = -1  # in `active`: no circuit
HELD_OUT, HELD_SEED = 512, 1 << 40  # the samples on which decompositions give their gates, and their seed


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch for a bed: which circuits are active, on what, and what the network is given. Chapter 16.

    Attributes:
        active: the circuits that are active, distinct in a row, first those; `NONE` fills up.
        x: the inputs of these circuits; 0 for none.
        inputs: the input of the bed's model, in float64.
    """

    active: Int64[Tensor, "B z"]
    x: Float[Tensor, "B z d"]
    inputs: Float[Tensor, "B D"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of circuits, drawn uniformly from a pool: one pool for all circuits, or one for each. Chapter 16.

    Attributes:
        pool: T is 1 where all circuits have the same.
    """

    pool: Float[Tensor, "T N d"]

    def draw(self, active: Int64[Tensor, "B z"], seed: int) -> Float[Tensor, "B z d"]:
        """Inputs for the circuits in `active`; 0 for `NONE`."""
        T, N, _ = self.pool.shape
        which = torch.randint(N, active.shape, generator=generator(seed, "pool"))
        x = self.pool[active.clamp_min(0) % T, which]
        return x * (active != NONE)[..., None]
