"""Spoil any layer of any construction: what is measured, the certificate and the chapter's claims see it."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from superpos import balanced, circuits, dedicated, errors, exact, redundant, residual
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.compression import Compressed, compress
from superpos.exact import ExactNetwork
from superpos.exact.cells import Cell
from superpos.exact.gates import Places
from superpos.exact.layers import Clear, ClearTies, Compare, Keys, Mark
from superpos.network import Layer, Network
from superpos.show import claims

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
    "exact 3 in turn": (lambda: exact.embed(TRAINED, z=3, lanes=2, bound=500.0, reach=8.0), TRAINED, 3),
}
LAYERS = {"residual": 2, "redundant": 3, "balanced": 3, "dedicated": 3, "dedicated residual": 2}
LAYERS |= {"exact 1": 3, "exact 2": 9 + 4 + 3, "exact 3": 17 + 4 + 3, "exact 3 in turn": 27 + 2 * (4 + 3)}
EVERY = [(name, l) for name, count in LAYERS.items() for l in range(count)]
COMPRESSED = {"exact 1": 3, "exact 2": 16, "dedicated 1": 3, "balanced 1": 3, "redundant 1": 3}
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


CONSTANTS = [(z, l) for z, count in ((1, 3), (2, 16)) for l in range(count)]


@pytest.mark.parametrize(("z", "l"), CONSTANTS)
def test_every_constant_of_the_exact_network_matters(z: int, l: int) -> None:
    """The numbers that are not weights of a circuit: biases of stairs, what silences, the shift of the input."""
    network = _compressed(f"exact {z}")
    layer: Any = network.layers[l]
    last = l == len(network.layers) - 1  # it has no ReLU: slots beside a circuit's own are not read after it
    changes: dict[str, Any] = {name: 0.0 for name in ("C", "shift") if layer.relu and getattr(layer, name, 0)}
    assert ("C" in changes) == (isinstance(layer, Cell) and not last)
    assert ("shift" in changes) == (z > 1 and l == len(network.layers) - 3)
    if isinstance(layer, ClearTies | Clear | Mark | Places):
        changes["keys"] = Keys(layer.keys.B, 0.0)
        assert z > 1
    if layer.b.any():
        changes["b"] = 0 * layer.b
    assert ("b" in changes) == (not isinstance(layer, Cell | Mark | Compare | Clear | ClearTies | Places))
    for name, value in changes.items():
        network = _compressed(f"exact {z}")
        setattr(network.layers[l], name, value)
        assert not network.certify().holds, name


# --- The claims of chapter 15 ---------------------------------------------------------------------------------------

BOOK = Path(__file__).parent.parent / "book"


def cells(chapter: str) -> list[str]:
    """The code of a chapter's cells, without their options."""
    text = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    code = [cell.split("\n```")[0] for cell in text.split("ipython3\n")[1:]]
    return [re.sub(r"^(:.*\n|---\n[\s\S]*?\n---\n)", "", cell) for cell in code]


CELLS = cells("15-compress-your-own")
STACK, _, HELD_OUT = circuits.trained()
STORIES = {  # the cells that lead to claims, the claims, and z of the network that they are about
    "a thousand": (["active = circuits.random", "for W, b in network"], ["thousand-outputs", "thousand-classes"], 1),
    "certified": (["three = compress"], ["none-wrong"], 3),
    "too many": (["MOST, COUNTS"], ["one-too-many", "as-many-as-made-for"], 2),
}
# As many as will do.
FEWER = {"1000": "100", "5000": "500", "4000": "400", "range(1, 9)": "range(1, 4)", "(1, 2, 3, 4)}": "(2,)}"}


@cache
def modules() -> list[nn.Module]:
    return [circuits.to_module(STACK, t, [8] * 4) for t in range(100)]


def linear_spoilt(network: Compressed, l: int | None, how: str) -> Compressed:
    """The weights themselves, so that the plain matrices have it too."""
    if l is None:
        return network
    layer: Any = network.layers[l]
    plain, leaves, b = layer.linear, layer.leaves, layer.b
    order = torch.randperm(layer.width, generator=torch.Generator().manual_seed(0))
    if how == "silenced":
        layer.linear, layer.b = lambda a: {name: 0 * x for name, x in plain(a).items()}, 0 * b
    else:
        layer.linear, layer.b = lambda a: leaves.split(leaves.join(plain(a))[:, order]), b[order]
    return network


def told(story: str, l: int | None, how: str) -> list[bool]:
    """Which of its claims hold in a story of the chapter; none if the story stops before."""
    before, names, _ = STORIES[story]

    def spoilt(_: Any, **asked: Any) -> Compressed:
        return linear_spoilt(compress(STACK[:100], **asked), l, how)

    known: dict[str, Any] = {"torch": torch, "circuits": circuits, "claims": claims, "samples": HELD_OUT}
    known |= {"stack": STACK, "modules": STACK[:100], "compress": spoilt}
    if story == "a thousand":
        known |= {"modules": modules(), "network": spoilt(None)}
    try:
        for words in before:
            (cell,) = [cell for cell in CELLS if words in cell]
            for large, small in FEWER.items():
                cell = cell.replace(large, small)
            exec(cell, known)
    except ValueError:  # an activation beyond the bound stops the build
        return [False] * len(names)
    found = []
    for name in names:
        (cell,) = [cell for cell in CELLS if f'"{name}"' in cell]
        try:
            exec(cell, known)
            found.append(True)
        except claims.ClaimFailed:
            found.append(False)
    return found


@pytest.mark.parametrize("story", STORIES)
def test_the_claims_of_the_chapter_see_a_spoilt_layer(story: str) -> None:
    _, names, z = STORIES[story]
    assert told(story, None, "") == [True] * len(names)
    for l in range(exact.plan(100, 8, z=z).extra + 3):
        for how in SPOIL:
            assert told(story, l, how) == [False] * len(names), (l, how)


# --- A claim of chapter 12 ------------------------------------------------------------------------------------------

ELEVEN = cells("12-exact-superposition")


def claimed(l: int | None, how: str) -> bool:
    """Whether 300 MLPs with biases are computed, as the chapter claims it, by a network with one layer spoilt."""

    def embed(*given: Any, **asked: Any) -> Any:
        return linear_spoilt(exact.embed(*given, **asked), l, how)  # type: ignore[arg-type]

    (cell,) = [cell for cell in ELEVEN if '"mlps-with-biases"' in cell]
    known = {"torch": torch, "circuits": circuits, "claims": claims, "errors": errors}
    try:
        exec(cell.replace("3000", "300"), known | {"exact": SimpleNamespace(embed=embed)})
    except claims.ClaimFailed:
        return False
    return True


def test_a_claim_of_chapter_11_sees_a_spoilt_layer() -> None:
    assert claimed(None, "")
    layers = len(exact.embed(circuits.rotations(300, 5, seed=0), z=2).layers)
    assert layers == 11 + 5  # those that hand out lanes, and five of the circuits
    assert not [(l, how) for l in range(layers) for how in SPOIL if claimed(l, how)]
