"""Spoil any layer of any construction: what is measured, and the certificate, see it."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from superpos import balanced, circuits, dedicated, errors, exact, redundant, residual
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.compression import Compressed, compress
from superpos.exact import ExactNetwork
from superpos.exact.layers import OneHot
from superpos.network import Layer, Network

T, B = 64, 300
TRAINED = circuits.trained()[0][:T]
MLPS, BLOCKS = circuits.random_mlps(T, 4, 3, seed=0), circuits.random_residual(T, 4, 3, 2, seed=0)
ROTATIONS = circuits.conditional_rotations(T, 3, seed=0)

# Construction, circuits, active at once. What each has of layers: (name, number of layer).
MADE: dict[str, tuple[Callable[[], Network], Any, int]] = {
    "residual": (lambda: residual.embed(BLOCKS, 512, 512, 6, seed=0), BLOCKS, 1),
    "redundant": (lambda: redundant.embed(MLPS, 4 * 64, 4, seed=0, code="line"), MLPS, 1),
    "balanced": (lambda: balanced.embed(ROTATIONS, 4 * 64, 6, seed=0, code="line"), ROTATIONS, 1),
    "dedicated": (lambda: dedicated.embed(MLPS), MLPS, 3),
    "dedicated residual": (lambda: dedicated.embed(BLOCKS), BLOCKS, 3),
    "exact 1": (lambda: exact.embed(TRAINED, z=1, bound=500.0, reach=8.0), TRAINED, 1),
    "exact 2": (lambda: exact.embed(TRAINED, z=2, bound=500.0, reach=8.0), TRAINED, 2),
    "exact 3": (lambda: exact.embed(TRAINED, z=3, bound=500.0, reach=8.0), TRAINED, 3),
}
LAYERS = {"residual": 2, "redundant": 3, "balanced": 3, "dedicated": 3, "dedicated residual": 2}
LAYERS |= {"exact 1": 3, "exact 2": 3 + 3, "exact 3": 4 + 3}
EVERY = [(name, l) for name, count in LAYERS.items() for l in range(count)]
COMPRESSED = {"exact 1": 3, "exact 2": 6, "exact 3": 7, "dedicated 1": 3, "balanced 1": 3, "redundant 1": 3}
CERTIFIED = [(name, l) for name, count in COMPRESSED.items() for l in range(count)]


def silenced(layer: Layer) -> None:
    """Its output is 0."""
    layer.neurons = lambda A: torch.zeros(len(A), len(_neurons(layer)))  # type: ignore[method-assign]


def permuted(layer: Layer) -> None:
    """The rows of its weights change places: each neuron computes what another should."""
    plain, order = layer.neurons, torch.randperm(len(_neurons(layer)), generator=torch.Generator().manual_seed(0))
    layer.neurons = lambda A: plain(A)[:, order]  # type: ignore[method-assign]


def _neurons(layer: Layer) -> Tensor:
    return layer.dense()[1]


SPOIL = {"silenced": silenced, "permuted": permuted}


@cache
def sound(name: str) -> tuple[Tensor, Tensor, Any]:
    """A batch, and the errors of the network as it should be."""
    make, small, z = MADE[name]
    active = circuits.random_active(T, B, z, seed=1)
    x = circuits.conditional_inputs(circuits.sphere(B, z, 2, seed=1) / 2**0.5) if small is ROTATIONS else None
    x = circuits.sphere(B, z, small.d, seed=1) if x is None else x
    network = make()
    assert len(network.layers) == LAYERS[name], "a layer is not spoiled here"
    return active, x, errors.measure(network, small, active, x)


@pytest.mark.parametrize("how", SPOIL)
@pytest.mark.parametrize(("name", "l"), EVERY)
def test_what_is_measured_sees_a_spoilt_layer(name: str, l: int, how: str) -> None:
    make, small, _ = MADE[name]
    active, x, before = sound(name)
    network = make()
    layer = network.layers[l]
    assert isinstance(layer, Layer)
    SPOIL[how](layer)
    after = errors.measure(network, small, active, x)
    assert before.relative[-1] < 0.1
    assert after.relative[-1] > 0.2
    assert after.relative[-1] > 4 * before.relative[-1]
    if isinstance(network, ExactNetwork):
        assert before.relative[-1] < 1e-9
        # The shortcut runs no layer, and so sees nothing: it measures nothing.
        truth = small.run(active, x)[-1]
        assert errors.relative(network.run(active, x).estimates[-1], truth).error < 1e-9


@cache
def _circuits(method: str) -> MLPCircuits | ResidualCircuits:
    return MLPS if method == "redundant" else TRAINED


def _compressed(name: str) -> Compressed:
    method, z = name.split()
    return compress(
        _circuits(method), z=int(z), method=method, tolerance=0.0 if method in ("exact", "dedicated") else 0.2
    )


@cache
def holds(name: str) -> bool:
    network = _compressed(name)
    assert len(network.layers) == COMPRESSED[name], "a layer is not spoiled here"
    return network.certify().holds


@pytest.mark.parametrize("how", SPOIL)
@pytest.mark.parametrize(("name", "l"), CERTIFIED)
def test_the_certificate_sees_a_spoilt_layer(name: str, l: int, how: str) -> None:
    assert holds(name)
    network = _compressed(name)
    SPOIL[how](network.layers[l])
    found = network.certify()
    assert not found.holds
    assert not any(m.altered for m in found.modules)  # by running it, not by its weights


@pytest.mark.parametrize(("z", "l"), [(z, l) for z in (1, 2, 3) for l in range({1: 3, 2: 6, 3: 7}[z])])
def test_every_constant_of_the_exact_network_matters(z: int, l: int) -> None:
    """The numbers that are not weights of a circuit: gates, the staircase, the shift of the input.

    `OneHot` silences crowded lanes with its constant, but no lane is read that holds more than one circuit: what it
    keeps is that such lanes are 0, which tests/test_exact.py asks for.
    """
    network = _compressed(f"exact {z}")
    layer: Any = network.layers[l]
    last, first = l == len(network.layers) - 1, l == len(network.layers) - 3
    changes = [name for name in ("C", "shift") if getattr(layer, name, 0)]
    unread = last or isinstance(layer, OneHot)  # slots beside a circuit's own are not read after the last layer
    changes = [name for name in changes if not (unread and name == "C")]
    if layer.b.any():
        changes.append("b")
    assert ("shift" in changes) == (z > 1 and first)
    for name in changes:
        network = _compressed(f"exact {z}")
        spoilt: Any = network.layers[l]
        if name == "b":
            spoilt.b.data.zero_()
        else:
            setattr(spoilt, name, 0.0)
        assert not network.certify().holds, name
