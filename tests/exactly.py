"""What the tests of the exact construction share: circuits, sets, and the network as plain matrices."""

import math
from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from superpos import circuits
from superpos.circuits import MLPCircuits
from superpos.exact import ExactNetwork
from superpos.exact.cells import Cell


def mlps(T: int, d: int, L: int, *, seed: int = 0, last: bool = True) -> MLPCircuits:
    """MLPs whose weights and biases share a mean, as trained ones do."""
    g = torch.Generator().manual_seed(seed)
    weights = 0.1 + 0.9 * torch.randn(L, T, d, d, generator=g) / math.sqrt(d)
    return MLPCircuits(weights, 0.2 + 0.3 * torch.randn(L, T, d, generator=g), last_relu=last)


def points(batch: int, z: int, *, seed: int = 0) -> Tensor:
    """Inputs of plain rotations."""
    return circuits.rotation_inputs(circuits.sphere(batch, z, 2, seed=seed) / 2**0.5)


def every_set(T: int, z: int) -> Tensor:
    return torch.tensor(list(combinations(range(T), z)))


def neighbours(T: int, batch: int, z: int, *, seed: int = 0) -> Tensor:
    """Sets of z numbers in a row."""
    g = torch.Generator().manual_seed(seed)
    return torch.randint(T - z + 1, (batch, 1), generator=g) + torch.arange(z)


def tied(code: Tensor, batch: int, z: int, *, seed: int = 0, among: int = 4096) -> Tensor:
    """Sets of z circuits whose first is alone in as few columns as a search finds.

    The first is drawn. Each further one is, of `among` others, one that shares most of the columns in which the first
    was alone until then: k − 1 of them at most, two polynomials having no more values in common.
    """
    g = torch.Generator().manual_seed(seed)
    T, rows = len(code), []
    for _ in range(batch):
        row = [int(torch.randint(T, (), generator=g))]
        others = torch.randperm(T, generator=g)[:among] if among < T else torch.randperm(T, generator=g)
        same = code[others] == code[row[0]]
        free = torch.ones(code.shape[1], dtype=torch.bool)
        same[others == row[0]] = False
        for _ in range(z - 1):
            score = (same & free).sum(dim=1).float()
            score[torch.isin(others, torch.tensor(row))] = -1
            best = int(score.argmax())
            row.append(int(others[best]))
            free &= ~same[best]
        rows.append(row)
    return torch.tensor(rows)


def bounded(c: MLPCircuits, active: Tensor, x: Tensor) -> float:
    return 1.01 * c.run(active, x).abs().max().item()


def through(
    network: ExactNetwork, active: Tensor, x: Tensor, *, rounded: Callable[[Tensor], Tensor] = lambda x: x
) -> list[Tensor]:
    """The encoded input and what each layer leaves: nothing but plain matrices and a plain ReLU.

    Args:
        rounded: what the arithmetic does to the numbers that a product reads.
    """
    found, layers = [network.encode(active, x)], network.dense()
    for k, (W, b) in enumerate(layers):
        A = rounded(found[-1]) @ rounded(W).mT + b
        found.append(A.relu() if network.layers[k].relu else A)
    return found


def read(network: ExactNetwork, states: list[Tensor], active: Tensor) -> Tensor:
    """What plain matrices say of the active circuits after every layer of theirs: from `through`."""
    after = [A for layer, A in zip(network.layers, states[1:], strict=True) if layer.computes]
    assert len(after) == len(network.depths)
    return torch.stack([network.read(A, active, l) for l, A in zip(network.depths, after, strict=True)])


def worst(network: ExactNetwork, c: MLPCircuits, active: Tensor, x: Tensor) -> float:
    """The largest |δx|² over circuits and their layers, by plain matrices. Each has one lane, and its slots alone."""
    states = through(network, active, x)
    truth = c.run(active, x)[list(network.depths)]
    occupied(network, states, active)
    return (read(network, states, active) - truth).square().sum(dim=-1).max().item()


def occupied(network: ExactNetwork, states: list[Tensor], active: Tensor) -> None:
    """Whether, after every cell, each active circuit has one lane, and all else in the lanes is exactly 0."""
    plan, L, had = network.plan, network.L, torch.zeros_like(active)
    i, j = active // plan.n, active % plan.n
    cells = [(layer, A) for layer, A in zip(network.layers, states[1:], strict=True) if isinstance(layer, Cell)]
    assert len(cells) == plan.passes * L
    for step, (layer, A) in enumerate(cells):
        a, at = layer.leaves.split(A), i if step % L % 2 else j
        own_i, own_j = (
            (a[name][:, None] == network.sets[slot][:, :, None]).all(dim=-1)  # sample, circuit, lane
            for name, slot in (("wire i", i), ("wire j", j))
        )
        mine = own_i & own_j
        empty = (a["wire i"] == 0).all(dim=-1) & (a["wire j"] == 0).all(dim=-1)
        empty &= plan.n > 1  # a lane of one slot has no wire that is ever on, and is always its circuit's
        assert (mine.sum(dim=1) + empty == 1).all()  # a lane is that of one circuit, or of none
        had += mine.sum(dim=2) * (step % L == 0)
        slot = (mine.mT[..., None] & (torch.arange(plan.n) == at[:, None, :, None])).any(dim=2)
        if layer.relu:
            assert (a["slot"][~slot] == 0).all()
        if plan.constant:
            assert (a["slot"][slot][:, -1] == 1).all()
    assert (had == 1).all()  # in all passes together each has had one lane
