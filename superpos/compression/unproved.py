"""The constructions without a proof, for any MLP circuits: built, and what error to expect of one. Chapter 13.

No law holds for arbitrary trained circuits: those of chapters 9 and 10 are for their own families. So the error is
foretold by building the network twice more, with other seeds, and running these twins.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos import balanced, circuits, codes, redundant
from superpos.blocks import BlockNetwork
from superpos.circuits import MLPCircuits
from superpos.network import parts
from superpos.sampling import generator

COPIES = 6  # slots of a circuit, as in the posts
CODE = "line"  # holds most circuits, and uses all slots alike
UNPROVED = ("balanced", "redundant")
_TWINS = 2


@dataclass(frozen=True, eq=False)
class Recipe:
    """Circuits as an unproved construction takes them.

    Attributes:
        method: "balanced" or "redundant".
        circuits: what is embedded: for "balanced" with an on-indicator.
        threshold: θ of `superpos.circuits.conditional`; None where there is no on-indicator.
    """

    method: str
    circuits: MLPCircuits
    threshold: float | None

    @property
    def least(self) -> int:
        """The narrowest network that holds the circuits, whatever its error."""
        return self.circuits.d * codes.smallest(CODE, self.circuits.T, COPIES)

    def build(self, D: int, seed: int) -> BlockNetwork:
        """The network of the largest width ≤ D.

        Raises:
            ValueError: if the circuits break an assumption of the construction, or D is below `least`.
        """
        embed = balanced.embed if self.method == "balanced" else redundant.embed
        return embed(self.circuits, D // self.circuits.d * self.circuits.d, COPIES, seed=seed, code=CODE)

    def expected(
        self, D: int, seed: int, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
    ) -> Float[Tensor, " L"]:
        """Σ|x̂ − x|²/Σ|x|² of active circuits after each layer, in the mean over twins of the network."""
        seeds = torch.randint(2**62, (_TWINS,), generator=generator(seed, "twins")).tolist()
        return torch.stack([relative_errors(self, self.build(D, s), active, inputs) for s in seeds]).mean(dim=0)


def recipe(method: str, small: MLPCircuits, threshold: float | None) -> Recipe:
    """Circuits made ready; "balanced" gives them an on-indicator with that threshold."""
    return Recipe(method, small if threshold is None else circuits.conditional(small, threshold), threshold)


def threshold(small: MLPCircuits, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> float:
    """θ: the root mean square of hidden activations, so that what inactive circuits hear stays below it."""
    states = small.run(active, inputs)[1:]
    hidden = states if small.last_relu or len(states) == 1 else states[:-1]
    return hidden.square().mean().sqrt().item() or 1.0


def relative_errors(
    recipe: Recipe, network: BlockNetwork, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
) -> Float[Tensor, " L"]:
    """Measured on a batch of the circuits' own inputs, layer by layer; of an on-indicator nothing is counted."""
    skip = 0 if recipe.threshold is None else circuits.INDICATOR
    off, size = (torch.zeros(recipe.circuits.L, dtype=torch.float64) for _ in range(2))
    for t, own in parts(network.D, active, inputs):
        x = own if recipe.threshold is None else circuits.called(own)
        truth = recipe.circuits.run(t, x)[1:, ..., skip:].double()
        estimate = network.run(t, x).estimates[1:, ..., skip:].double()
        off += (estimate - truth).square().sum(dim=(1, 2, 3)).cpu()
        size += truth.square().sum(dim=(1, 2, 3)).cpu()
    return off / size
