"""The parts of every matrix of a network, by construction: whose each weight is, in factors. Chapter 16."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.beds.part import Part
from superpos.blocks import BlockLayer, BlockNetwork
from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits
from superpos.dedicated import DedicatedNetwork
from superpos.exact.cells import Cell
from superpos.exact.layers import ExactLayer
from superpos.exact.network import ExactNetwork
from superpos.network import Network
from superpos.residual import ResidualNetwork

_GRID = 2.0**24
_LARGEST = 2.0**28


def on_grid(x: Tensor) -> Tensor:
    """Numbers rounded to multiples of 2⁻²⁴, in float64: their sums are exact in any order.

    Raises:
        ValueError: if one is 2²⁸ or more, so that sums may not be.
    """
    if x.numel() and not (most := x.abs().max().item()) < _LARGEST:
        raise ValueError(
            f"network has a number of {most:.3g}; those of a bed stay below {_LARGEST:.3g}, so that sums are exact"
        )
    return (x.double() * _GRID).round() / _GRID


@dataclass(frozen=True, eq=False)
class Plain:
    """One plain matrix and its parts, without a name: see `Part`."""

    b: Float[Tensor, " out"]
    relu: bool
    U: Float[Tensor, "T out r"]
    V: Float[Tensor, "T in r"]
    shared: dict[str, Float[Tensor, "out in"]]
    layer: int = 0

    def neuron(self, count: int) -> Int64[Tensor, " r"]:
        """The small neuron of each piece: pieces stand lane after lane, in each one a piece for each neuron."""
        return torch.arange(self.U.shape[-1]) % max(count, 1)


def parts(network: Network, circuits: Circuits) -> tuple[Part, ...]:
    """The matrices of a network as a plain chain A ← ReLU(A Wᵀ + b), and the parts of each. Chapter 16.

    Weights are rounded to multiples of 2⁻²⁴, so that parts add up to them with no rounding. A residual layer becomes
    two matrices: its stream is carried past the neurons by 2 D more of them, x = ReLU(x) − ReLU(−x).

    Args:
        network: of any construction.
        circuits: what it was made of.

    Raises:
        TypeError: if the construction is not known, or the circuits are of the wrong kind.
    """
    plain = list(matrices(network, circuits))
    steps = [k + sum(earlier.relu for earlier in plain[:k]) for k in range(len(plain))]
    return tuple(
        Part(str(step), p.b, p.relu, p.U, p.V, p.shared, p.layer, p.neuron(_width(circuits)))
        for step, p in zip(steps, plain, strict=True)
    )


@singledispatch
def matrices(network: Network, circuits: Circuits) -> Iterator[Plain]:
    """The plain matrices of a network, in order, with the parts of each."""
    raise TypeError(f"network is {type(network).__name__}; nothing is known of whose its weights are")


@matrices.register
def _(network: DedicatedNetwork, circuits: Circuits) -> Iterator[Plain]:
    """Circuit t's block on the diagonal."""
    if not isinstance(circuits, MLPCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; circuits side by side must be MLPCircuits here")
    T, d = circuits.T, circuits.d
    unit = torch.eye(T * d, dtype=torch.float64).view(T, d, T * d).mT  # of circuit t's neurons
    for l in range(circuits.L):
        w, b = (on_grid(x[l]) for x in (circuits.weights, circuits.biases))
        yield Plain(b.flatten(), circuits.last_relu or l + 1 < circuits.L, unit, unit @ w.mT, {}, l)


@matrices.register
def _(network: ExactNetwork, circuits: Circuits) -> Iterator[Plain]:
    """Between slots i and j of every lane; entry, list, wires, constants and gates are shared."""
    for l, layer in enumerate(network.layers):
        assert isinstance(layer, ExactLayer)
        W, b = (on_grid(x.detach().cpu()) for x in layer.dense())
        if isinstance(layer, Cell):
            U, V = _cell(network, layer)
            W = torch.where(torch.einsum("tor,tir->oi", U.abs(), V.abs()) > 0, 0.0, W)
            yield Plain(b, layer.relu, U, V, _named(layer, W), network._step(l))
        else:
            none = W.new_zeros(network.T, 1, 0)
            U, V = none.expand(-1, len(W), -1), none.expand(-1, W.shape[1], -1)
            yield Plain(b, layer.relu, U, V, {layer.title: W})


def _cell(network: ExactNetwork, cell: Cell) -> tuple[Float[Tensor, "T out r"], Float[Tensor, "T in r"]]:
    """Row k of (w_t, b_t) in each lane, and where it writes to."""
    T, d, (lanes, _, numbers) = network.T, network.d, cell.leaves.shapes["slot"]
    i, j = network._pair(torch.arange(T))
    to, source = (i, j) if cell.back else (j, i)
    w, b = (x.detach().cpu().double().flatten(0, 1)[:T] for x in (cell.weights, cell.biases))
    rows = on_grid(torch.cat([w, (b - cell.shift * w.sum(dim=-1))[..., None]], dim=-1)[..., :numbers])
    U = w.new_zeros(T, cell.width, lanes * d)
    V = w.new_zeros(T, cell.fan_in, lanes * d)
    t = torch.arange(T)[:, None]
    for lane in range(lanes):
        at, read = (x.at("slot")[lane][slot] for x, slot in ((cell.leaves, to), (cell.reads, source)))
        for k in range(d):
            U[t[:, 0], at[:, k], lane * d + k] = 1.0
            V[t, read, lane * d + k] = rows[:, k]
    return U, V


def _named(cell: Cell, W: Float[Tensor, "out in"]) -> dict[str, Float[Tensor, "out in"]]:
    """What is not the circuits' own in a cell: the wires, the gates, the constants, and what the list carries on."""
    slots, found = cell.leaves.at("slot"), {}
    d = cell.weights.shape[-1]
    rows = {"gates": slots[..., :d].flatten(), "constants": slots[..., d:].flatten()}
    rows |= {"wires": torch.cat([cell.leaves.at(name).flatten() for name in ("wire i", "wire j")])}
    rest = torch.ones(len(W), dtype=torch.bool)
    for name, chosen in rows.items():
        found[name] = torch.zeros_like(W).index_copy_(0, chosen, W[chosen])
        rest[chosen] = False
    found["list"] = W * rest[:, None]
    return {name: x for name, x in found.items() if x.any()}


@matrices.register
def _(network: BlockNetwork, circuits: Circuits) -> Iterator[Plain]:
    """On the pairs of slots that circuit t links; the mean of all circuits is shared."""
    own, T, d, n = on_grid(network._own(circuits).cpu()), network.T, network.d, network.n
    slots, t = network.slots.cpu(), torch.arange(network.T)[:, None]
    for l, layer in enumerate(network.layers):
        assert isinstance(layer, BlockLayer)
        W, b = (on_grid(x.detach().cpu()) for x in layer.dense())
        U, V = (W.new_zeros(T, d * n, d if l else 0) for _ in range(2))
        for k in range(U.shape[-1]):
            U[t, k * n + slots[l], k] = 1.0
            for c in range(d):
                V[t, c * n + slots[l - 1], k] = own[l, :, k, c, None]
        left = W - torch.einsum("tor,tir->oi", U, V)
        name = "mean" if l else "identity"
        yield Plain(b, layer.relu, U, V, {name: left} if left.abs().max() > 8 / _GRID else {}, l)


@matrices.register
def _(network: ResidualNetwork, circuits: Circuits) -> Iterator[Plain]:
    """The neurons that read circuit t's state, and what it writes back; the stream is carried past them."""
    if not isinstance(circuits, ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; a residual network carries ResidualCircuits")
    E, (m, S) = network.E.cpu().double(), network.neurons.shape[2:]
    D, M, t = E.shape[1], network.M, torch.arange(network.T)[:, None]
    past = torch.cat([torch.eye(D), -torch.eye(D)]).double()
    for l, layer in enumerate(network._layers()):
        _, b, _ = layer.dense()
        b = on_grid(b.detach().cpu())
        w_in, w_out = (x[l].cpu().double() for x in (circuits.w_in, circuits.w_out))
        if network.indicator:
            w_in = torch.cat([w_in, (circuits.bias[l].cpu() - b[0])[..., None]], dim=-1)
        reads, writes = on_grid(w_in @ E.mT), on_grid(E[..., : network.d] @ w_out / S)
        carriers = E.new_zeros(network.T, M + 2 * D, m)
        for k in range(m):
            carriers[t, network.neurons[l, :, k].cpu(), k] = 1.0
        stream = torch.cat([E.new_zeros(M, D), past])
        yield Plain(torch.cat([b, b.new_zeros(2 * D)]), True, carriers, reads.mT, {"stream": stream}, l)
        yield Plain(b.new_zeros(D), False, writes, carriers, {"stream": stream.mT}, l)


def _width(circuits: Circuits) -> int:
    """How many small neurons a circuit has in a layer."""
    return circuits.w_in.shape[2] if isinstance(circuits, ResidualCircuits) else circuits.d
