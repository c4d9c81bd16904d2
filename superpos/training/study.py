"""A study: what training finds in one setting, beside what it started from. Chapter 14."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from superpos import balanced, circuits, dedicated, errors, exact, redundant, residual
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.network import Network
from superpos.tensors import machine
from superpos.training.descent import Training
from superpos.training.inside import inside
from superpos.training.network import TrainedNetwork, of_network, random_network
from superpos.training.options import Inputs, Learns, Loss, Options, batch
from superpos.training.ports import ports_of, random_ports

__all__ = ["SAMPLES", "Trained", "adversarial", "construction", "measured", "small_circuits", "start", "trained"]

Small = MLPCircuits | ResidualCircuits
_FIRST = 1000  # steps after which it is looked at first; then they are doubled
_ENOUGH = 0.05  # a doubling that lowers the error by less is the last one
_COPIES = 8  # of a neuron, at most, that a construction may have
_FRESH = 1 << 20  # seed of the samples on which it is measured, apart from those of training
SAMPLES = 16_384  # on which a network is measured


@dataclass(frozen=True)
class Trained:
    """What is trained: sizes, circuits, where it starts, and how. Chapter 14.

    Attributes:
        D, T, z, L: width, circuits, those that are active at once, and the circuits' layers.
        family: "mlps" and "residual" are Gaussian, d = 4; "rotations" are conditional.
        start: "random", or a construction: "exact", "redundant", "balanced", "dedicated", "residual".
        reset: whether only the ports of the construction are taken, and its layers are drawn at random.
        more: layers of the network beyond L.
        neurons: False for a network without them.
        rate: 0 for 0.01 √(32/D).
        steps: at most so many.
        loss, learns, decay, noise, shake, batch: as of `superpos.training.Options`.
    """

    D: int
    T: int
    z: int = 1
    L: int = 2
    family: str = "mlps"
    start: str = "random"
    reset: bool = False
    more: int = 0
    neurons: bool = True
    rate: float = 0.0
    steps: int = 32_000
    loss: Loss = "square"
    learns: Learns = "layers"
    decay: float = 0.0
    noise: float = 0.0
    shake: float = 0.0
    batch: int = 1024

    @property
    def inputs(self) -> Inputs:
        """What its circuits are given."""
        return "points" if self.family == "rotations" else "sphere"

    @property
    def options(self) -> Options:
        """Those of its training."""
        rate = self.rate or 0.01 * math.sqrt(32 / self.D)
        return Options(
            self.z, self.batch, rate, self.loss, self.learns, self.decay, self.noise, self.shake, self.inputs
        )


def small_circuits(setting: Trained, seed: int) -> Small:
    """The circuits of a setting."""
    if setting.family == "mlps":
        return circuits.random_mlps(setting.T, 4, setting.L, seed=seed)
    if setting.family == "residual":
        return circuits.random_residual(setting.T, 4, 4, setting.L, seed=seed)
    return circuits.conditional_rotations(setting.T, setting.L, seed=seed)


def construction(name: str, small: Small, D: int, seed: int, inputs: Inputs = "sphere") -> Network:
    """The network of a construction, in width D, with as many copies as give it the smallest error. Chapter 14.

    Raises:
        ValueError: if it has no such name, cannot carry such circuits, or holds fewer of them in this width.
    """
    if name == "dedicated":
        return dedicated.embed(small)
    makes: dict[str, Callable[[int], Network]]
    if isinstance(small, ResidualCircuits):
        makes = {"residual": lambda S: residual.embed(small, D, D, S, seed=seed)}
    else:
        if name == "exact":
            bound = max(2.0, 2 * torch.linalg.matrix_norm(small.weights, ord=2).cumprod(dim=0).max().item())
            return exact.embed(small, D, z=1, bound=bound, reach=2.0)
        makes = {
            "redundant": lambda S: redundant.embed(small, D, S, seed=seed),
            "balanced": lambda S: balanced.embed(small, D, S, seed=seed),
        }
    if name not in makes:
        allowed = " or ".join(map(repr, ("dedicated", "exact", *makes)))
        raise ValueError(f"name is {name!r}; for {type(small).__name__} it must be {allowed}")
    made, refused = [], None
    for S in range(1, _COPIES + 1):
        try:
            made.append(makes[name](S))
        except ValueError as error:  # the code does not hold so many
            refused = error
    if not made:
        raise ValueError(f"D is {D}: {name} holds no {small.T} circuits there with 1 … {_COPIES} copies") from refused
    active, x = batch(small, 1, 2048, seed=seed, inputs=inputs)
    return min(made, key=lambda net: errors.measure(net, small, active, x).relative[-1].item())


def start(setting: Trained, small: Small, seed: int) -> TrainedNetwork:
    """Where the training of a setting starts."""
    D, layers = setting.D, setting.L + setting.more
    if setting.start == "random":
        ports = random_ports(setting.T, small.d, D, seed=seed)
        M = D if setting.family == "residual" else None
        return random_network(ports, setting.L, seed=seed, layers=layers, neurons=M, relu=setting.neurons)
    made = construction(setting.start, small, D, seed, setting.inputs)
    if setting.reset:
        return random_network(ports_of(made), setting.L, seed=seed, layers=layers, relu=setting.neurons)
    return of_network(made)


def measured(network: Network, small: Small, z: int, inputs: Inputs, seed: int) -> dict[str, float]:
    """The relative squared error of fresh samples, its standard error, and the worst; each over the mean square."""
    active, x = batch(small, z, SAMPLES, seed=seed + _FRESH, inputs=inputs)
    with torch.no_grad():
        found = errors.measure(network, small, active, x)
    signal = found.signal[-1].item()
    return {
        "error": found.active.mean[-1].item() / signal,
        "standard_error": found.active.standard_error[-1].item() / signal,
        "worst": found.active.worst[-1].item() ** 2 / signal,
    }


def adversarial(network: TrainedNetwork, small: Small, z: int, seed: int, *, few: int = 128, steps: int = 30) -> float:
    """The largest squared error that is found by choosing sets and inputs |x|² = d, over the mean square.

    The worst of many random samples are taken, and their inputs go up the error along the sphere.
    """
    active, x = batch(small, z, SAMPLES, seed=seed + 2 * _FRESH)

    def square(t: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        off = network.read(network(network.encode(t, a)), t, network.L) - small.run(t, a)[-1]
        return off.square().sum(dim=-1).amax(dim=1)

    with torch.no_grad():
        unit = small.run(active, x)[-1].square().sum(dim=-1).mean()
        chosen = square(active, x).topk(few).indices
    active, x = active[chosen], x[chosen]
    most = torch.zeros(())
    for _ in range(steps):
        x = x.detach().requires_grad_()
        found = square(active, x)
        most = torch.maximum(most, found.detach().max())
        slope = torch.autograd.grad(found.sum(), x)[0]
        x = x + 0.2 * slope / slope.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        x = x * (small.d**0.5 / x.norm(dim=-1, keepdim=True))
    return (most / unit).item()


def train(setting: Trained, seed: int) -> tuple[TrainedNetwork, dict[str, Any]]:
    """The network that training finds, and its errors as the steps are doubled."""
    small = small_circuits(setting, seed)
    training = Training([start(setting, small, seed)], [small], setting.options, [seed])
    steps, curve = _FIRST, []
    while True:
        network = training.run(steps).settled()[0]
        curve.append((steps, measured(network, small, setting.z, setting.inputs, seed)["error"]))
        drop = 1.0 if len(curve) < 2 else 1 - curve[-1][1] / curve[-2][1]
        if drop < _ENOUGH or 2 * steps > setting.steps:
            return network, {"curve": curve, "drop": drop}
        steps *= 2


def trained(setting: Trained, seed: int) -> dict[str, Any]:
    """All that is measured of one setting with one seed: a row of the stored results. Chapter 14."""
    begin, small = time.time(), small_circuits(setting, seed)
    network, row = train(setting, seed)
    begun, z, T = start(setting, small, seed), setting.z, setting.T
    found = {**row, **measured(network, small, z, setting.inputs, seed)}
    found["before"] = measured(begun, small, z, setting.inputs, seed)["error"]
    found["beyond"] = {
        k: measured(network, small, k, setting.inputs, seed)["error"] for k in (1, 2, 3, 4, 6, 8) if k <= T
    }
    if setting.family == "mlps":
        found["adversary"] = adversarial(network, small, z, seed)
    each = max(2, min(16, 1024 // T))
    found["inside"] = asdict(inside(network, small, seed=seed, each=each, inputs=setting.inputs))
    return {
        **found,
        "seconds": round(time.time() - begin, 1),
        "machine": machine(),
        "script": "scripts/trainings.py",
    }
