"""A large MLP of d blocks of n slots, in which circuit t's neuron i sits at t's slots of block i. Chapter 9."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear

from superpos import codes
from superpos.checks import check_count, check_seed
from superpos.circuits import MLPCircuits
from superpos.codes import Code
from superpos.network import NOBODY, SEVERAL, Layer, Network
from superpos.sampling import generator

__all__ = ["BlockNetwork", "network", "place", "superpose"]

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

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        pre = A + self.b if self.W is None else linear(A, self.W, self.b)
        return pre.relu() if self.relu else pre

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
    ) -> None:
        super().__init__()
        self.T, self.d, self.n, self.ideal = slots.shape[1], first.shape[1], layers[0].width // first.shape[1], ideal
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
            own = A.new_zeros(len(A), self.d, self.n).scatter_(2, self._places(active, l), 1.0)
            A = layer(A) * own.flatten(1)
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

    def _places(self, active: Int64[Tensor, "B z"], layer: int) -> Int64[Tensor, "B d zS"]:
        """The slots of the active circuits, for every block."""
        return self.slots[layer - 1, active].flatten(1)[:, None, :].expand(-1, self.d, -1)

    def _check_layer(self, layer: int) -> None:
        if not 1 <= layer <= len(self.slots):
            raise ValueError(
                f"layer is {layer}; circuits are read after layers 1 … {len(self.slots)}: "
                "the encoding already carries w^1 times the input"
            )


def place(T: int, d: int, L: int, D: int, S: int, *, seed: int, code: str | Code) -> Int64[Tensor, "L T S"]:
    """The slots of T circuits among n = D/d in every layer: one code's sets, permuted anew in later ones. Chapter 9.

    Args:
        code: the name of a family in `superpos.codes`, or a code of one's own.

    Raises:
        ValueError: if D is no multiple of d, S is not in 1 … n, or the code does not hold T circuits; the message
            says how many it holds and which D would do.
    """
    check_count("D", D)
    if D % d:
        near = max(D // d, 1) * d
        raise ValueError(f"D is {D}; it must be a multiple of d = {d}, e.g. {near} or {near + d}")
    n = D // d
    check_count("S", S, at_most=n, why=f"a circuit's slots are distinct, and there are n = D/d = {n}")
    check_seed("seed", seed)
    own, *later = torch.randint(2**62, (L,), generator=generator(seed, "slots")).tolist()
    slots = _sets(T, n, d, S, code, own)
    permuted = [slots[torch.randperm(T, generator=generator(s))] for s in later]
    return torch.stack([slots, *permuted])


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

    Chapters 9 and 10. Slot r of block i hears slot c of block j with the weight Σ_t w_t,ij over the circuits t that
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
) -> BlockNetwork:
    """The network of circuits with common biases, from the matrices of its layers 2 … L as `superpose` makes them.

    The first layer of the circuits is in the encoding. Chapter 9.
    """
    layers = [
        BlockLayer(W, circuits.biases[l, 0], n, relu=circuits.last_relu or l < circuits.L - 1)
        for l, W in enumerate([None, *weights])
    ]
    unit = torch.ones_like(circuits.biases) if unit is None else unit
    return BlockNetwork(circuits.weights[0].detach().clone(), slots, layers, unit=unit.detach(), ideal=ideal)


def _sets(T: int, n: int, d: int, S: int, code: str | Code, seed: int) -> Int64[Tensor, "T S"]:
    if isinstance(code, Code):
        if (code.T, code.n, code.S) != (T, n, S):
            raise ValueError(
                f"code has T = {code.T} circuits on n = {code.n} slots with S = {code.S}; it must have T = {T}, "
                f"n = D/d = {n}, S = {S}"
            )
        return code.slots
    if code not in codes.NAMES:
        raise ValueError(f"code is {code!r}; it must be a Code or one of {', '.join(codes.NAMES)}")
    most = codes.max_circuits(code, n, S)
    if most < T:
        raise ValueError(
            f"circuits has T = {T}; the {code} code holds at most {most} circuits at D = {d * n} (n = D/d = {n} "
            f"slots) with S = {S}; T = {T} needs D ≥ {d * codes.smallest(code, T, S)}"
        )
    seeded = {"seed": seed} if code in ("random", "random_subsets") else {}
    return getattr(codes, code)(T, n, S, **seeded).slots
