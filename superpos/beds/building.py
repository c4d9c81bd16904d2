"""From a network of any construction to a bed. Chapter 16."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.bed import Bed
from superpos.beds.pieces import on_grid, parts
from superpos.beds.samples import Inputs
from superpos.circuits import Circuits, MLPCircuits
from superpos.network import Network

_SOME = 256  # inputs of every circuit at once
VERSION = 1  # of the beds that come with the package: raised whenever a number of one of them changes


def make(
    name: str,
    level: int,
    words: str,
    network: Network,
    small: Circuits,
    z: int,
    given: Inputs,
    *,
    identifiable: bool = True,
    modules: tuple[str, ...] | None = None,
) -> Bed:
    """The bed of a network of any construction, of the circuits that it was made of, in float64. Chapter 16.

    Raises:
        TypeError, ValueError: as `superpos.beds.pieces.parts`.
    """
    found = parts(network, small)
    writes = found[-1].U.abs().sum(dim=(0, 2)) > 0
    return Bed(
        name,
        VERSION,
        level,
        words,
        small,
        found,
        encoder(network),
        z,
        writes,
        given,
        identifiable=identifiable,
        modules=modules,
    )


def encoder(network: Network) -> Float[Tensor, "T d1 D"]:
    """What each circuit's input, followed by a 1, adds to the encoded input: `encode` is linear in these.

    A network of float64 is asked for it, unit input by unit input, none beyond its reach.
    """
    T, d = network.T, network.d
    size = 1.0 if network.reach is None else min(1.0, 2.0 ** math.floor(math.log2(network.reach)))
    unit = size * torch.cat([torch.eye(d), torch.zeros(1, d)]).double()
    active = torch.arange(T).repeat_interleave(d + 1)[:, None]
    rows = network.encode(active, unit.repeat(T, 1)[:, None]).view(T, d + 1, -1)
    return on_grid(torch.cat([(rows[:, :d] - rows[:, d:]) / size, rows[:, d:]], dim=1))


def raised(small: MLPCircuits, given: Inputs) -> MLPCircuits:
    """Circuits whose last layer has a ReLU that cuts nothing off: their outputs are raised to be positive.

    In an exact network without a last ReLU the slots that nobody reads hold what inactive circuits write there, and
    their weights would be needed for an output that does not count. With the ReLU come the gates that silence them.
    Each coordinate is raised by a power of two that is at least the lowest output on the given inputs; by nothing, if
    none is negative.
    """
    if small.last_relu:
        return small
    some = given.pool.to(small.stack).split(_SOME, dim=1)
    low = -torch.stack([_outputs(small, x.expand(small.T, -1, -1)).amin(dim=(0, 1)) for x in some]).amin(dim=0)
    by = torch.where(low > 0, 2.0 ** low.clamp_min(2.0**-20).log2().ceil(), 0.0)
    biases = torch.cat([small.biases[:-1], small.biases[-1:] + by])
    return replace(small, biases=biases, last_relu=True)


def _outputs(small: MLPCircuits, x: Float[Tensor, "T N d"]) -> Float[Tensor, "T N d"]:
    """What every circuit makes of N inputs of its own, without a last ReLU."""
    for l, (w, b) in enumerate(zip(small.weights, small.biases, strict=True)):
        pre = x @ w.mT + b[:, None]
        x = pre.relu() if l + 1 < small.L else pre
    return x
