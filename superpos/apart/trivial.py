"""Decompositions of a bed that need no method: what a score must not mistake for an answer. Chapter 16."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos.apart.decomposition import SHARED, Decomposition
from superpos.beds import Bed, Part
from superpos.sampling import generator

LARGEST = 4096  # of a matrix with more weights, they are not taken one by one
_LEAST = 1e-9  # a smaller change of a neuron is rounding
_ALONE = 2  # times as much as any other circuit, one feeds a component alone

Factors = tuple[Float[Tensor, "in C"], Float[Tensor, "out C"]]


def truth(bed: Bed) -> Decomposition:
    """The answer: every piece of every circuit, on where it is needed. Chapter 16."""
    V, U, group, gates = {}, {}, {}, {}
    for part in bed.matrices:
        live = (part.U.norm(dim=1) * part.V.norm(dim=1) > 0).flatten()
        v, u = (x.transpose(0, 1).flatten(1)[:, live] for x in (part.V, part.U))
        V[part.path], U[part.path] = v, u
        group[part.path] = torch.arange(bed.T).repeat_interleave(part.V.shape[-1])[live]
        gates[part.path] = bed.held.importance[part.path].flatten(1)[:, live].float()
    return Decomposition(V, U, group, gates, _about(bed, "truth"))


def neurons(bed: Bed) -> Decomposition:
    """One component for each neuron: the row that it reads with, or the column that it writes. Chapter 16."""
    return _cut(bed, "neurons", lambda part: part.neurons)


def singular(bed: Bed) -> Decomposition:
    """One component for each singular value. Chapter 16."""
    return _cut(bed, "singular vectors", lambda part: part.directions)


def weights(bed: Bed) -> Decomposition:
    """One component for each weight that is not 0. Chapter 16.

    Raises:
        ValueError: if a matrix has more than 4,096 of these.
    """
    for part in bed.matrices:
        count = int(part.own_weights.count_nonzero())
        if count > LARGEST:
            raise ValueError(
                f"the matrix {part.path!r} has {count:,} weights; one by one, at most {LARGEST:,} are taken"
            )
    return _cut(bed, "each weight alone", _weights)


def random(bed: Bed, seed: int = 0) -> Decomposition:
    """The rows in a random orthonormal basis: faithful, and cut at random. Chapter 16."""
    g = generator(seed, "random components")

    def rows(part: Part) -> Factors:
        W = part.own_weights
        Q = torch.linalg.qr(torch.randn(len(W), len(W), generator=g, dtype=W.dtype)).Q
        return W.mT @ Q, Q

    return _cut(bed, "random", rows)


TRIVIAL: dict[str, Callable[[Bed], Decomposition]] = {
    "neurons": neurons,
    "singular vectors": singular,
    "each weight alone": weights,
    "random": random,
}  # decompositions that need no method, by name


def _about(bed: Bed, method: str) -> dict[str, object]:
    return {**bed.held.says, "method": method, "steps": 0, "seed": None, "labels": True, "machinery": "kept"}


def _cut(bed: Bed, method: str, factors: Callable[[Part], Factors]) -> Decomposition:
    """Components of every matrix, gated by ablation, in the group of the circuit whose samples use them most."""
    V, U, group, gates = {}, {}, {}, {}
    for part, A in zip(bed.held.parts, _states(bed), strict=True):
        if part.own:
            v, u = V[part.path], U[part.path] = factors(part)
            counts = bed.counted if part is bed.parts[-1] else torch.ones_like(part.b, dtype=torch.bool)
            gates[part.path] = _needed(part, A, v, u * counts[:, None]).float()
            group[part.path] = _mostly(bed, gates[part.path], (A @ v).abs() * u.norm(dim=0))
    return Decomposition(V, U, group, gates, _about(bed, method))


def _states(bed: Bed) -> list[Float[Tensor, "B width"]]:
    """What each of the matrices from the first that is taken apart reads."""
    states = [bed.held.start]
    for part in bed.held.parts[:-1]:
        pre = states[-1] @ part.W.mT + part.b
        states.append(pre.relu() if part.relu else pre)
    return states


def _needed(part: Part, A: Float[Tensor, "B in"], V: Tensor, U: Tensor) -> Bool[Tensor, "B C"]:
    """Whether a layer leaves something else if a component is left out of it."""
    pre, adds = A @ part.W.mT + part.b, A @ V
    found = torch.zeros_like(adds, dtype=torch.bool)
    for c, u in enumerate(U.mT):
        rows = u.nonzero()[:, 0]
        with_it = pre[:, rows]
        without = with_it - adds[:, c, None] * u[rows]
        change = with_it.relu() - without.relu() if part.relu else with_it - without
        found[:, c] = (change.abs() > _LEAST).any(dim=1)
    return found


def _mostly(bed: Bed, gates: Float[Tensor, "B C"], adds: Float[Tensor, "B C"]) -> Int64[Tensor, " C"]:
    """The circuit in whose samples each component adds most, on average.

    What is never needed belongs to the circuit that alone would feed it, or to none.
    """
    active = bed.held.active.to(adds)
    mean = active.mT / active.sum(dim=0)[:, None]
    first, second = (mean @ adds).topk(2, dim=0).values
    alone = (mean @ adds).argmax(dim=0).where(first > _ALONE * second, SHARED)
    return (mean @ (gates * adds)).argmax(dim=0).where(gates.any(dim=0), alone)


def _weights(part: Part) -> Factors:
    W = part.own_weights
    i, j = W.nonzero().mT
    return torch.eye(W.shape[1]).to(W)[:, j], torch.eye(W.shape[0]).to(W)[:, i] * W[i, j]
