"""Going back: which circuit owns a weight, which neurons carry a circuit, and the circuits out of the weights.

One function a question and one case a construction. Layers are those of `dense()`, from 0. Chapter 13.
"""

from functools import singledispatch

import torch
from jaxtyping import Int64
from torch import Tensor

from superpos.blocks import BlockLayer, BlockNetwork
from superpos.circuits import MLPCircuits
from superpos.dedicated import DedicatedNetwork, OwnMLPLayer
from superpos.exact import ExactNetwork
from superpos.exact.layers import Cell, LaneLayer
from superpos.network import Layer, Network

NOBODY, SEVERAL = -1, -2


@singledispatch
def owner(network: Network, l: int, i: Int64[Tensor, "..."], j: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """The circuit to which entry (i, j) of W of layer l belongs; NOBODY, or SEVERAL (`sharers` says which)."""
    raise NotImplementedError(type(network).__name__)


@singledispatch
def sharers(network: Network, l: int, i: int, j: int) -> tuple[int, ...]:
    """All circuits to which entry (i, j) of W of layer l belongs."""
    device = next(network.parameters()).device
    t = int(owner(network, l, torch.tensor(i, device=device), torch.tensor(j, device=device)))
    return () if t == NOBODY else (t,)


@singledispatch
def neurons(network: Network, l: int) -> Int64[Tensor, "T k"]:
    """The neurons that may hold the state of each circuit after l layers; 0: in the encoded input."""
    raise NotImplementedError(type(network).__name__)


@singledispatch
def circuits_in(network: Network, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
    """The circuits with these numbers, read out of the large network's weights.

    Raises:
        ValueError: if a circuit has no weight of its own, so that it cannot be read.
    """
    raise NotImplementedError(type(network).__name__)


def sizes(network: Network, l: int) -> tuple[int, int]:
    """How many neurons layer l has, and how many it reads.

    Raises:
        IndexError: for a layer that is not there.
    """
    layers = [layer for layer in network.layers if isinstance(layer, Layer)]
    if isinstance(l, bool) or not isinstance(l, int) or not 0 <= l < len(layers):
        raise IndexError(f"l is {l!r}; layers are numbered 0 … {len(layers) - 1}, as in dense()")
    out, first = layers[l].width, layers[0]
    if l:
        return out, layers[l - 1].width
    if isinstance(first, LaneLayer):  # fewer lanes before they are sorted
        S, _, n, c = first.shape
        return out, S * first.lanes * n * c
    return out, out


# Exact: neuron ((s z + r) n + i)(d + 2) + c is number c on slot i of lane r in column s.


@owner.register
def _(network: ExactNetwork, l: int, i: Tensor, j: Tensor) -> Tensor:
    layer = network.layers[l]
    if not isinstance(layer, Cell):  # sorting
        return torch.full_like(i + j, NOBODY)
    n, d = network.plan.n_g, network.d
    lane_to, to, c = i // (n * (d + 2)), i // (d + 2) % n, i % (d + 2)
    lane, source, number = j // (n * (d + 2)), j // (d + 2) % n, j % (d + 2)
    column = lane // network.plan.z
    pair = to * n + source if layer.back else source * n + to
    own = network.circuit[column, pair]
    # The gate of the sender, number d, carries the bias; all else is gates and silence.
    return torch.where((lane == lane_to) & (c < d) & (number <= d), own, NOBODY)


@neurons.register
def _(network: ExactNetwork, l: int) -> Tensor:
    S, _, n, c = _layer(network, 0).shape
    sorting = len(network.layers) - network.L
    lanes = _layer(network, l - 1).shape[1] if l else _layer(network, 0).lanes
    slot = network.there if (l - sorting) > 0 and (l - sorting) % 2 else network.here
    lane = torch.arange(S * lanes, device=slot.device).view(S, lanes, 1)
    place = (lane * n + slot[:, None, :]) * c  # column, lane, circuit
    return (place[..., None] + torch.arange(network.d, device=slot.device)).permute(2, 0, 1, 3).flatten(1)


@circuits_in.register
def _(network: ExactNetwork, t: Tensor) -> MLPCircuits:
    i, j = network.here[0, t], network.there[0, t]
    w, b = (torch.stack([getattr(c, name)[0, i, j] for c in network.cells]) for name in ("cells", "biases"))
    return MLPCircuits(w.detach(), b.detach(), last_relu=network.cells[-1].relu)


# Dedicated: circuit t has neurons t d … t d + d − 1.


@owner.register
def _(network: DedicatedNetwork, l: int, i: Tensor, j: Tensor) -> Tensor:
    return torch.where(i // network.d == j // network.d, i // network.d, NOBODY)


@neurons.register
def _(network: DedicatedNetwork, l: int) -> Tensor:
    device = next(network.parameters()).device
    return torch.arange(network.T * network.d, device=device).view(network.T, network.d)


@circuits_in.register
def _(network: DedicatedNetwork, t: Tensor) -> MLPCircuits:
    layers = [layer for layer in network.layers if isinstance(layer, OwnMLPLayer)]
    w, b = (torch.stack([getattr(layer, name)[t] for layer in layers]) for name in "wb")
    return MLPCircuits(w.detach(), b.detach(), last_relu=layers[-1].relu)


# Blocks: neuron b n + r is slot r of block b. Two slots are linked by the circuits that have both.


@owner.register
def _(network: BlockNetwork, l: int, i: Tensor, j: Tensor) -> Tensor:
    if l == 0:  # the identity: the first layer of the circuits is in the encoding
        return torch.full_like(i + j, NOBODY)
    n = network.n
    count, own = _links(network, l)
    pair = i % n * n + j % n
    return torch.where(count[pair] > 1, SEVERAL, own[pair])


@sharers.register
def _(network: BlockNetwork, l: int, i: int, j: int) -> tuple[int, ...]:
    if l == 0:
        return ()
    to, source = network.slots[l] == i % network.n, network.slots[l - 1] == j % network.n
    return tuple((to.any(dim=1) & source.any(dim=1)).nonzero()[:, 0].tolist())


@neurons.register
def _(network: BlockNetwork, l: int) -> Tensor:
    slots = network.slots[max(l - 1, 0)]
    block = torch.arange(network.d, device=slots.device)[:, None]
    return (block * network.n + slots[:, None, :]).flatten(1)


@circuits_in.register
def _(network: BlockNetwork, t: Tensor) -> MLPCircuits:
    """A link that only one circuit has carries 1/S of its weight. Biases are common here: every unit is 1."""
    n, d, S = network.n, network.d, network.slots.shape[2]
    layers = [layer for layer in network.layers if isinstance(layer, BlockLayer)]
    weights, biases = [network.first[t]], [layer.b.view(d, n)[:, 0].expand(len(t), d) for layer in layers]
    for l, layer in enumerate(layers[1:], start=1):
        assert layer.W is not None
        count, _ = _links(network, l)
        pairs = (network.slots[l, t, :, None] * n + network.slots[l - 1, t, None, :]).flatten(1)
        alone = count[pairs] == 1
        if not alone.any(dim=1).all():
            lost = int(t[~alone.any(dim=1)][0])
            raise ValueError(f"circuit {lost} shares all its weights in layer {l} with others, and cannot be read out")
        link = pairs.gather(1, alone.int().argmax(dim=1, keepdim=True))[:, 0]
        weights.append(S * layer.W.view(d, n, d, n)[:, link // n, :, link % n])
    w, b = torch.stack(weights), torch.stack(biases)
    return MLPCircuits(w.detach(), b.detach(), last_relu=layers[-1].relu)


def _links(network: BlockNetwork, l: int) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
    """For two slots, to n + source, how many circuits link them, and one of those, or NOBODY."""
    n = network.n
    pairs = network.slots[l][:, :, None] * n + network.slots[l - 1][:, None, :]
    count = torch.bincount(pairs.flatten(), minlength=n * n)
    own = torch.full_like(count, NOBODY)
    own[pairs.flatten()] = torch.arange(network.T, device=own.device).repeat_interleave(pairs[0].numel())
    return count, own


def _layer(network: ExactNetwork, l: int) -> LaneLayer:
    layer = network.layers[l]
    assert isinstance(layer, LaneLayer)
    return layer
