"""The beds that come with the package: fixed networks, each with a name and a version. Chapter 16."""

import math
from collections.abc import Callable
from functools import cache
from os import PathLike

import torch

from superpos import balanced, circuits, dedicated, exact, residual
from superpos.beds.bed import Bed
from superpos.beds.building import make, raised
from superpos.beds.loading import load
from superpos.beds.pieces import on_grid
from superpos.beds.samples import Inputs
from superpos.circuits import MLPCircuits

_POOL = 4096  # inputs from which those of the circuits are drawn
_SELDOM = 0.2  # of the inputs at least for which each neuron is on, and off


def _gaussian(T: int, d: int, seed: int, L: int = 2) -> MLPCircuits:
    """Gaussian circuits whose every neuron is on for some inputs and off for others.

    A weight behind a ReLU that never opens is not to be found by anybody: such a neuron is drawn again.
    """
    small = circuits.random_mlps(T, d, L, seed=seed)
    w, again = on_grid(small.weights), iter(range(seed + 1, seed + 1000))
    x = circuits.sphere(_POOL, T, d, seed=1).double().transpose(0, 1)
    for l in range(L):
        while True:
            on = (x @ w[l].mT > 0).double().mean(dim=1)
            rare = (on < _SELDOM) | (on > 1 - _SELDOM)
            if not rare.any():
                break
            fresh = on_grid(circuits.random_mlps(T, d, 1, seed=next(again)).weights[0])
            w[l] = torch.where(rare[..., None], fresh, w[l])
        x = (x @ w[l].mT).relu()
    return MLPCircuits(w, small.biases.double())


def _sphere(d: int) -> Inputs:
    return Inputs(on_grid(circuits.sphere(_POOL, 1, d, seed=1)).transpose(0, 1))


def _dedicated(name: str, T: int, z: int) -> Bed:
    small = _gaussian(T, 4, seed=0)
    words = f"{T} circuits side by side, two layers, at most {z} active: no superposition"
    return make(name, 0, words, dedicated.embed(small), small, z, _sphere(4))


def _exact(name: str, T: int, d: int, z: int) -> Bed:
    small, reach = _gaussian(T, d, seed=0), math.sqrt(d)
    network = exact.embed(small, z=z, bound=_bound(small, reach), reach=reach)
    words = f"{T} circuits in exact superposition, two layers of width {network.cells[0].width}, at most {z} active"
    return make(name, 1 if z == 1 else 2, words, network, small, z, _sphere(d))


def _trained(name: str, T: int) -> Bed:
    small, _, samples = circuits.trained("inseparable")
    small = small[:T]
    small = MLPCircuits(on_grid(small.weights), on_grid(small.biases), last_relu=small.last_relu)
    active = torch.arange(T).repeat_interleave(_POOL // T)[:, None]
    x = on_grid(samples.mlp.draw(active, seed=0)[0][:, 0]).view(T, -1, small.d)
    reach, small = float(x.abs().max()), raised(small, Inputs(x))
    network = exact.embed(small, bound=_bound(small, reach), reach=reach)
    words = f"{T} circuits trained on tasks of their own, in exact superposition, one active; their outputs are raised"
    return make(name, 1, words, network, small, 1, Inputs(x))


def _balanced(name: str) -> Bed:
    small = circuits.conditional_rotations(48, 2, seed=0)
    small = MLPCircuits(on_grid(small.weights), on_grid(small.biases))
    angle = torch.linspace(0, 2 * math.pi, _POOL + 1, dtype=torch.float64)[:-1]
    x = on_grid(circuits.conditional_inputs(torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None]))
    network = balanced.embed(small, 192, 5, seed=0, code="line")
    words = "48 conditional rotations in the balanced construction, one layer of width 192, at most 2 active"
    return make(name, 3, words, network, small, 2, Inputs(x.transpose(0, 1)))


def _residual(name: str) -> Bed:
    small = circuits.random_residual(32, 4, 4, 1, seed=0, threshold=0.5).to(torch.float64)
    network = residual.embed(small, 96, 512, 4, seed=0)
    words = "32 residual circuits, one layer of width 96 with 512 neurons, at most 2 active"
    return make(name, 4, words, network, small, 2, _sphere(4))


def _thin(name: str) -> Bed:
    small = _gaussian(48, 4, seed=0, L=3)
    small = MLPCircuits(small.weights, small.biases - 0.75)
    network = balanced.embed(small, 160, 3, seed=0, code="line", split=False)
    words = "48 circuits with three copies of each neuron on 40 slots, two layers, at most 2 active"
    return make(name, 3, words, network, small, 2, _sphere(4), identifiable=False)


def _bound(small: MLPCircuits, reach: float) -> float:
    return small.activation_bound(reach)


_MADE: dict[str, Callable[[str], Bed]] = {
    "dedicated-16": lambda name: _dedicated(name, 16, 4),
    "exact-9": lambda name: _exact(name, 9, 2, 1),
    "exact-16": lambda name: _exact(name, 16, 4, 1),
    "exact-64": lambda name: _exact(name, 64, 4, 1),
    "trained-16": lambda name: _trained(name, 16),
    "exact-16-z2": lambda name: _exact(name, 16, 2, 2),
    "exact-16-z3": lambda name: _exact(name, 16, 2, 3),
    "balanced-48": _balanced,
    "residual-32": _residual,
    "thin-48": _thin,
}


def names() -> tuple[str, ...]:
    """The names of the beds, by level."""
    return tuple(_MADE)


class Beds:
    """The test beds: `bed(name)` gives one, `bed.names()` the names, `bed.load(path)` one of a folder. Chapter 16."""

    def __call__(self, name: str) -> Bed:
        """The bed of that name: a network that computes in superposition, and its circuits.

        Raises:
            ValueError: if there is none.
        """
        return _made(name)

    def names(self) -> tuple[str, ...]:
        """The names of the beds that come with the package, by level."""
        return names()

    def load(self, path: str | PathLike[str]) -> Bed:
        """The bed that `Bed.save` or `Compressed.ground_truth` wrote to a folder: bit for bit the same.

        Raises:
            FileNotFoundError: if there is no such folder, or a file of it is missing.
            ValueError: if it is of another format, of a newer version, or damaged.
        """
        return load(path)


bed = Beds()  # `bed(name)` is a test bed; `bed.names()` the names, `bed.load(path)` one of a folder. Chapter 16


@cache
def _made(name: str) -> Bed:
    if name not in _MADE:
        raise ValueError(f"name is {name!r}; the beds are {', '.join(_MADE)}")
    return _MADE[name](name)
