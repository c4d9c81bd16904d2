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


def recipe(method: str, small: MLPCircuits, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Recipe:
    """Circuits made ready: "balanced" gives them an on-indicator, with θ the root mean square of their activations."""
    if method == "redundant":
        return Recipe(method, small, None)
    states = small.run(active, inputs)[1:]
    hidden = states if small.last_relu or len(states) == 1 else states[:-1]
    threshold = hidden.square().mean().sqrt().item() or 1.0
    return Recipe(method, circuits.conditional(small, threshold), threshold)


def relative_errors(
    recipe: Recipe, network: BlockNetwork, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
) -> Float[Tensor, " L"]:
    """Measured on a batch of the circuits' own inputs, layer by layer; of an on-indicator nothing is counted."""
    skip = 0 if recipe.threshold is None else circuits.INDICATOR
    x = inputs if recipe.threshold is None else circuits.called(inputs)
    truth, estimate = (run[1:, ..., skip:] for run in (recipe.circuits.run(active, x), network.run(active, x).estimates))
    return (estimate - truth).square().sum(dim=(1, 2, 3)) / truth.square().sum(dim=(1, 2, 3))
