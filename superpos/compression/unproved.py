"""The constructions without a proof, for any MLP circuits: built, and what error to expect of one. Chapter 15.

No law holds for arbitrary trained circuits: those of chapters 9 and 10 are for their own families. So the error is
foretold by building the network twice more, with other seeds, and running these twins.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos import balanced, circuits, codes, redundant
from superpos.blocks import BlockLayer, BlockNetwork
from superpos.circuits import MLPCircuits
from superpos.errors import relative
from superpos.network import parts
from superpos.sampling import generator

COPIES = 6  # slots of a circuit, as in the posts
CODE = "line"  # holds most circuits, and uses all slots alike
UNPROVED = ("balanced", "redundant")
_TWINS = 2
_ROUNDINGS = 64  # in the last place of the largest weight: one is a sum over the circuits that share it


@dataclass(frozen=True, eq=False)
class Recipe:
    """The circuits as an unproved construction takes them, and how it builds its network of them. Chapter 15.

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
        """The width of the narrowest network that holds the circuits, whatever its error."""
        return self.circuits.d * codes.smallest(CODE, self.circuits.T, COPIES)

    def build(self, D: int, seed: int) -> BlockNetwork:
        """The network of the largest width ≤ D.

        Raises:
            ValueError: if the circuits break an assumption of the construction, or D is below `least`.
        """
        embed = balanced.embed if self.method == "balanced" else redundant.embed
        return embed(self.circuits, D // self.circuits.d * self.circuits.d, COPIES, seed=seed, code=CODE)

    def to(self, like: Tensor) -> "Recipe":
        """The same recipe in another dtype, on another device: those of `like`."""
        return replace(self, circuits=self.circuits.to(like))

    def altered(self, network: BlockNetwork, eps: float) -> Bool[Tensor, " T"]:
        """The circuits whose weights in the network are not their own, up to rounding: True for each such circuit.

        Circuits share weights, so that one of them cannot be read by itself. But with the slots that the network gives
        them, all its weights follow from the circuits, and every one is compared. One that is wrong counts against all
        circuits that have a part in it.

        Args:
            eps: of the numbers in the network, or of the circuits if these are coarser.
        """
        d, n, slots = self.circuits.d, network.n, network.slots
        layers = [layer for layer in network.layers if isinstance(layer, BlockLayer)]
        first = self.circuits.weights[0]
        altered = ~((network.first - first).abs() <= _ROUNDINGS * eps * first.abs().amax()).flatten(1).all(dim=1)
        common = torch.stack([layer.b.view(d, n) for layer in layers])
        own = self.circuits.biases
        altered |= ~((common - own[:, :1].mT).abs() <= 2 * eps * own[:, :1].mT.abs()).all()
        altered |= ~(network.unit == 1).flatten(2).all(dim=2).all(dim=0)
        matrix = balanced.matrix if self.method == "balanced" else redundant.matrix
        for l, layer in enumerate(layers[1:], start=1):
            assert layer.W is not None
            made = matrix(self.circuits.weights[l], slots[l], slots[l - 1], n)
            off = ~((layer.W - made).abs() <= _ROUNDINGS * eps * made.abs().max())
            pairs = off.view(d, n, d, n).any(dim=2).any(dim=0)
            altered |= pairs[slots[l][:, :, None], slots[l - 1][:, None, :]].flatten(1).any(dim=1)
            pairs[slots[l][:, :, None], slots[l - 1][:, None, :]] = False
            altered |= pairs.any()  # what no circuit links is there for all of them
        return altered

    def expected(
        self, D: int, seed: int, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
    ) -> Float[Tensor, " L"]:
        """The expected relative squared error Σ|x̂ − x|²/Σ|x|² of active circuits after each layer.

        It is the mean over twins of the network, built with other seeds and run on this batch.
        """
        seeds = torch.randint(2**62, (_TWINS,), generator=generator(seed, "twins")).tolist()
        return torch.stack([relative_errors(self, self.build(D, s), active, inputs) for s in seeds]).mean(dim=0)


def recipe(method: str, small: MLPCircuits, threshold: float | None) -> Recipe:
    """The recipe of circuits for an unproved method; "balanced" gives them an on-indicator with that threshold."""
    return Recipe(method, small if threshold is None else circuits.conditional(small, threshold), threshold)


def threshold(small: MLPCircuits, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> float:
    """The threshold θ for an on-indicator: the root mean square of hidden activations.

    What inactive circuits hear then stays below it. Chapter 15.
    """
    states = small.run(active, inputs)[1:]
    hidden = states if small.last_relu or len(states) == 1 else states[:-1]
    return hidden.square().mean().sqrt().item() or 1.0


def relative_errors(
    recipe: Recipe, network: BlockNetwork, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
) -> Float[Tensor, " L"]:
    """The relative squared error after each layer, measured on a batch of the circuits' own inputs.

    An on-indicator, which is no part of a circuit's own state, is not counted. Chapter 15.
    """
    skip = 0 if recipe.threshold is None else circuits.INDICATOR
    truth, estimate = [], []
    for t, own in parts(network.D, active, inputs):
        x = own if recipe.threshold is None else circuits.called(own)
        truth.append(recipe.circuits.run(t, x)[1:, ..., skip:])
        states = enumerate(network.states(t, x), start=1)
        estimate.append(torch.stack([network.read(A, t, l)[..., skip:] for l, (_, A) in states]))
    return relative(torch.cat(estimate, dim=1), torch.cat(truth, dim=1)).error.cpu()
