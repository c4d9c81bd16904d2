"""A large MLP of d blocks of n slots, in which circuit t's neuron i sits at t's slots of block i. Chapter 9."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear

from superpos.circuits import Circuits, MLPCircuits
from superpos.codes import incidence
from superpos.network import NOBODY, SEVERAL, Layer, Network

__all__ = ["BlockNetwork", "network", "superpose"]

_NUMBERS = 1 << 20  # of the weights made at once: few enough to stay near the processor until they are in order


class BlockLayer(Layer):
    """A ← ReLU(W A + b ⊗ 1), b one number for each of the d blocks; W None is the identity."""

    def __init__(self, W: Float[Tensor, "D D"] | None, b: Float[Tensor, " d"], n: int, relu: bool = True) -> None:
        super().__init__()
        self.W = None if W is None else nn.Parameter(W, requires_grad=False)
        self.b = nn.Parameter(b.repeat_interleave(n), requires_grad=False)
        self.relu = relu

    @property
    def width(self) -> int:
        return len(self.b)

    def pre_activations(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """W A + b ⊗ 1."""
        return A + self.b if self.W is None else linear(A, self.W, self.b)

    def rectified(self, pre: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Its ReLU, unless the layer has none."""
        return pre.relu() if self.relu else pre

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return self.rectified(self.pre_activations(A))

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return neurons

    def dense(self) -> tuple[Tensor, Tensor]:
        W = torch.eye(self.width, dtype=self.b.dtype, device=self.b.device) if self.W is None else self.W
        return W, self.b


class BlockNetwork(Network):
    """T MLP circuits in one MLP of width D = d n: d blocks of n slots, of which each circuit has S. Chapter 9.

    Neuron k of the network is slot k mod n of block k div n. Layer 0 is in the encoding: A^0 = Σ_t w_t^1 a_t ⊗ e_t^1,
    and the first layer's matrix is the identity.

    Attributes:
        slots: the slots of each circuit in each layer, the ones of e_t^l.
        first: w^1 of all circuits.
        unit: what one unit of a neuron's estimate stands for in the caller's circuits: 1 unless biases were rescaled.
        ideal: whether a run silences, after every layer, the slots that no active circuit uses. No network can do
            this; it shows what the others' neurons cost.
        centred: whether the mean of all weights is shared, so that a circuit's own are what it differs from it by.
    """

    slots: Int64[Tensor, "L T S"]
    first: Float[Tensor, "T d d"]
    unit: Float[Tensor, "L T d"]

    def __init__(
        self,
        first: Float[Tensor, "T d d"],
        slots: Int64[Tensor, "L T S"],
        layers: list[BlockLayer],
        *,
        unit: Float[Tensor, "L T d"],
        ideal: bool = False,
        centred: bool = False,
    ) -> None:
        super().__init__()
        self.T, self.d, self.n = slots.shape[1], first.shape[1], layers[0].width // first.shape[1]
        self.ideal, self.centred = ideal, centred
        for name, tensor in (("slots", slots), ("first", first), ("unit", unit)):
            self.register_buffer(name, tensor)
        self.layers = nn.ModuleList(layers)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """A^0 = Σ_t w_t^1 a_t ⊗ e_t^1."""
        A = inputs.new_zeros(len(inputs), self.d, self.n)
        pre = (self.first[active] @ inputs[..., None])[..., 0]
        S = self.slots.shape[2]
        return A.scatter_add_(2, self._places(active, 1), pre.mT.repeat_interleave(S, dim=2)).flatten(1)

    def states(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Iterator[tuple[Tensor, Tensor]]:
        if not self.ideal:
            yield from super().states(active, inputs)
            return
        A = self.encode(active, inputs)
        for l, layer in enumerate(self._layers(), start=1):
            A = layer(A) * self._used(A, active, l)
            yield A, A

    def masked(
        self,
        circuits: Circuits,
        active: Int64[Tensor, "B z"],
        inputs: Float[Tensor, "B z d"],
        mask: Float[Tensor, "B T"],
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The `states` with the weights of circuit t multiplied by mask_t.

        Its own are (1/S) w_t ⊗ |e_t⟩⟨e_t|; in the balanced construction with Δw_t in the place of w_t, since the mean
        w̄ ⊗ 𝒲 is machinery that all share, as the biases are. Nothing of layer 1 is masked: it is in the encoding.
        """
        A, w = self.encode(active, inputs), self._own(circuits)
        e = [incidence(slots, self.n, A) for slots in self.slots]
        missing = (1 - mask).mT[..., None]
        for l, layer in enumerate(self.layers):
            assert isinstance(layer, BlockLayer)
            pre = layer.pre_activations(A)
            if l:
                heard = (e[l - 1] @ self.blocks(A).permute(2, 0, 1).flatten(1)).unflatten(1, (len(A), self.d))
                told = e[l].mT @ (missing * (heard @ w[l].mT)).flatten(1)
                pre = pre - told.unflatten(1, (len(A), self.d)).permute(1, 2, 0).flatten(1)
            A = layer.rectified(pre) * self._used(A, active, l + 1) if self.ideal else layer.rectified(pre)
            yield A, A

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        """(1/S)⟨e_t^l|A^l⟩: the mean over a circuit's slots.

        Raises:
            ValueError: for layer 0, where w_t^1 a_t stands in the place of the input.
        """
        self._check_layer(layer)
        copies = A.unflatten(1, (self.d, self.n)).gather(2, self._places(active, layer))
        mean = copies.unflatten(2, (active.shape[1], -1)).mean(dim=-1)
        return mean.mT * self.unit[layer - 1, active]

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        """The same for all T circuits: A^l times the sparse n × T matrix of all e_t^l / S."""
        self._check_layer(layer)
        slots = A.unflatten(1, (self.d, self.n)).permute(2, 0, 1).flatten(1)
        mean = embedding_bag(self.slots[layer - 1], slots, mode="mean").unflatten(1, (len(A), self.d))
        return mean.transpose(0, 1) * self.unit[layer - 1]

    def blocks(self, neurons: Float[Tensor, "B D"]) -> Float[Tensor, "B d n"]:
        return neurons.unflatten(1, (self.d, self.n))

    def owner(self, l: int, i: Tensor, j: Tensor, own: Bool[Tensor, "L1 T d"]) -> Tensor:
        """Neuron b n + r is slot r of block b: two slots are linked by the circuits that have both."""
        found = torch.full_like(i + j, NOBODY)
        if l == 0:  # the identity: the first layer of the circuits is in the encoding
            return found
        n = self.n
        for to in range(self.d):
            for source in range(self.d):
                here = (i // n == to) & (j // n == source)
                if not here.any():
                    continue
                count, one = self._links(l, (own[l + 1, :, to] & own[l, :, source]).nonzero()[:, 0])
                pair = i % n * n + j % n
                found = torch.where(here, torch.where(count[pair] > 1, SEVERAL, one[pair]), found)
        return found

    def sharers(self, l: int, i: int, j: int, own: Bool[Tensor, "L1 T d"]) -> tuple[int, ...]:
        if l == 0:
            return ()
        n = self.n
        both = (self.slots[l] == i % n).any(dim=1) & (self.slots[l - 1] == j % n).any(dim=1)
        return tuple((both & own[l + 1, :, i // n] & own[l, :, j // n]).nonzero()[:, 0].tolist())

    def holders(self, l: int) -> tuple[int, Int64[Tensor, "T d k"]]:
        """The encoded input holds what the first layer of the circuits makes of it, before the ReLU."""
        step = max(l, 1)
        block = torch.arange(self.d, device=self.slots.device)[:, None]
        return step, block * self.n + self.slots[step - 1][:, None, :]

    def small(self, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
        """A link that only one circuit has carries 1/S of its weight. Biases are those that all have in common."""
        n, d, S = self.n, self.d, self.slots.shape[2]
        layers = [layer for layer in self.layers if isinstance(layer, BlockLayer)]
        weights, biases = [self.first[t]], [layer.b.view(d, n)[:, 0].expand(len(t), d) for layer in layers]
        everyone = torch.arange(self.T, device=t.device)
        for l, layer in enumerate(layers[1:], start=1):
            assert layer.W is not None
            count, _ = self._links(l, everyone)
            pairs = (self.slots[l, t, :, None] * n + self.slots[l - 1, t, None, :]).flatten(1)
            alone = count[pairs] == 1
            if not alone.any(dim=1).all():
                lost = int(t[~alone.any(dim=1)][0])
                raise ValueError(f"circuit {lost} shares all its weights in layer {l} with others, and cannot be read")
            link = pairs.gather(1, alone.int().argmax(dim=1, keepdim=True))[:, 0]
            weights.append(S * layer.W.view(d, n, d, n)[:, link // n, :, link % n])
        w, b = torch.stack(weights), torch.stack(biases)
        return MLPCircuits(w.detach(), b.detach(), last_relu=layers[-1].relu)

    def _links(self, l: int, t: Int64[Tensor, " some"]) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
        """For two slots, to n + source, how many of these circuits link them, and one of those, or NOBODY."""
        pairs = (self.slots[l, t, :, None] * self.n + self.slots[l - 1, t, None, :]).flatten(1)
        count = torch.bincount(pairs.flatten(), minlength=self.n**2)
        one = torch.full_like(count, NOBODY)
        one[pairs.flatten()] = t.repeat_interleave(pairs.shape[1])
        return count, one

    def _own(self, circuits: Circuits) -> Float[Tensor, "L T d d"]:
        """What the network has of each circuit by itself, w_t/S or Δw_t/S, in its own units."""
        if not isinstance(circuits, MLPCircuits):
            raise TypeError(f"circuits is {type(circuits).__name__}; a network of blocks carries MLPCircuits")
        w, unit = circuits.weights, self.unit
        later = w[1:] * unit[:-1, :, None, :] / unit[1:, :, :, None]
        own = torch.cat([w[:1], later - later.mean(dim=1, keepdim=True) if self.centred else later])
        return own / self.slots.shape[2]

    def _used(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B D"]:
        """1 on the slots of the active circuits, 0 elsewhere."""
        return A.new_zeros(len(A), self.d, self.n).scatter_(2, self._places(active, layer), 1.0).flatten(1)

    def _places(self, active: Int64[Tensor, "B z"], layer: int) -> Int64[Tensor, "B d zS"]:
        """The slots of the active circuits, for every block."""
        return self.slots[layer - 1, active].flatten(1)[:, None, :].expand(-1, self.d, -1)

    def _check_layer(self, layer: int) -> None:
        if not 1 <= layer <= len(self.slots):
            raise ValueError(
                f"layer is {layer}; circuits are read after layers 1 … {len(self.slots)}: "
                "the encoding already carries w^1 times the input"
            )


def superpose(
    w: Float[Tensor, "T d d"],
    to: Int64[Tensor, "T S"],
    source: Int64[Tensor, "T S"],
    n: int,
    *,
    linked: Float[Tensor, "d d"] | None = None,
    unlinked: Float[Tensor, "d d"] | None = None,
) -> Float[Tensor, "D D"]:
    """The weights of one layer, Σ_t w_t ⊗ |e_t^l⟩⟨e_t^{l−1}|, and one more matrix for all pairs of slots.

    Chapters 9 and 10. Slot r of block i reads slot c of block j with the weight Σ_t w_t,ij over the circuits t that
    have r in `to` and c in `source`; to this comes linked_ij, once, where there is such a circuit, and unlinked_ij
    where there is none.

    A slab of rows at a time is added up with the d×d weights of a pair of slots side by side, where they share a
    cache line, and is then put in the order of blocks. Nothing but the slab is allocated beside the result.
    """
    T, S, d = len(w), to.shape[1], w.shape[1]
    W, numbers = w.new_empty(d, n, d, n), d * d
    flat = w.reshape(T, numbers)
    base = torch.zeros_like(unlinked) if linked is None and unlinked is not None else linked
    order = to.flatten().argsort()
    rows, circuit = to.flatten()[order], order // S
    slab = max(1, _NUMBERS // (n * numbers))
    pairs = w.new_empty(min(slab, n) * n, numbers)
    bounds = torch.searchsorted(rows, torch.arange(0, n + slab, slab, device=rows.device)).tolist()
    for start, low, high in zip(range(0, n, slab), bounds[:-1], bounds[1:], strict=True):
        part, t = pairs[: min(slab, n - start) * n], circuit[low:high]
        part.copy_(part.new_zeros(1, numbers) if unlinked is None else unlinked.reshape(1, numbers))
        pair = ((rows[low:high] - start)[:, None] * n + source[t]).flatten()
        if base is not None:
            part.index_copy_(0, pair, base.reshape(1, numbers).expand(len(pair), -1))
        part.index_add_(0, pair, flat[t].repeat_interleave(S, dim=0))
        W[:, start : start + slab].copy_(part.view(-1, n, d, d).permute(2, 0, 3, 1))
    return W.view(d * n, d * n)


def network(
    circuits: MLPCircuits,
    weights: list[Float[Tensor, "D D"]],
    slots: Int64[Tensor, "L T S"],
    n: int,
    *,
    unit: Float[Tensor, "L T d"] | None = None,
    ideal: bool = False,
    centred: bool = False,
) -> BlockNetwork:
    """The network of circuits with common biases, from the matrices of its layers 2 … L as `superpose` makes them.

    The first layer of the circuits is in the encoding. Chapter 9.
    """
    layers = [
        BlockLayer(W, circuits.biases[l, 0], n, relu=circuits.last_relu or l < circuits.L - 1)
        for l, W in enumerate([None, *weights])
    ]
    unit = torch.ones_like(circuits.biases) if unit is None else unit
    first = circuits.weights[0].detach().clone()
    return BlockNetwork(first, slots, layers, unit=unit.detach(), ideal=ideal, centred=centred)
