"""How many circuits of a residual network are usable, after what was asked. Chapters 8 and 13."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from superpos import circuits
from superpos.checks import check_copies, check_count, check_number
from superpos.theory.recursion import Prediction, layer, statistics

_SAMPLE = 512  # small circuits whose statistics go into the recursion
OF = ("update", "signal")  # what an error is a share of


@dataclass(frozen=True)
class Demand:
    """What is asked of a residual network whose usable number of circuits is sought: sizes, copies and a tolerance.

    T circuits are usable if the error of active circuits after one layer is at most the tolerance. Chapter 8.

    Attributes:
        D: width of the residual stream.
        M: neurons of the layer.
        S: copies of each small neuron.
        z: active circuits.
        threshold: θ, common to all small neurons.
        tolerance: of the error.
        of: what the squared error is a share of: "update", Σ|x̂ − x|²/Σ|x − x⁰|², the change that the layer was to make,
            so that a network that does nothing scores 1; or "signal", Σ|x̂ − x|²/Σ|x|², the source's, by which doing
            nothing scores 1/3 at θ = 0 and 0.13 at θ = 0.7.
        d, m: width and neurons of a circuit.

    Raises:
        TypeError, ValueError: for a number out of range, copies that do not fit, or an unknown share.
    """

    D: int
    M: int
    S: int = 8
    z: int = 1
    threshold: float = 0.0
    tolerance: float = 0.1
    of: str = "update"
    d: int = 4
    m: int = 4

    def __post_init__(self) -> None:
        for name in ("D", "M", "S", "z", "d", "m"):
            check_count(name, getattr(self, name))
        check_copies(self.S, self.m, self.M)
        check_number("threshold", self.threshold)
        check_number("tolerance", self.tolerance, at_least=0.0)
        if self.of not in OF:
            raise ValueError(f"of is {self.of!r}; it must be one of {', '.join(OF)}")


@lru_cache
def predicted_usable(demand: Demand, *, seed: int = 0) -> int:
    """The largest T, to a part in a thousand, whose predicted error after one layer is at most what was asked.

    `layer`, for Gaussian circuits: only a sample of small circuits, drawn from the seed, is looked at. At least T = z;
    0 if even these are too many. `superpos.sweep.usable` measures it. Chapter 8.
    """
    return usable_circuits(predicted_error(demand, seed=seed), demand.tolerance)


def predicted_error(demand: Demand, *, L: int = 1, seed: int = 0) -> Callable[[int], float]:
    """The predicted error after L layers as a function of T, the share that was asked for; T below z counts as z.

    Statistics of the small circuits are collected once, here. Chapter 8.
    """
    s = demand
    small = circuits.random_residual(_SAMPLE, s.d, s.m, L, seed=seed, threshold=s.threshold)
    active = torch.arange(_SAMPLE)[:, None] if s.z == 1 else circuits.random_active(_SAMPLE, _SAMPLE, s.z, seed=seed)
    inputs = circuits.sphere(_SAMPLE, s.z, s.d, seed=seed)
    # These weights are independent: what pairs of a sample have in common is chance, which T circuits would blow up.
    by_layer = [replace(found, traces=0.0) for found in statistics(small, active, inputs)]

    def predict(T: int) -> float:
        e, q, last = 0.0, 0.0, None
        for found in by_layer:
            last, e, q = layer(found, max(T, s.z), s.D, s.M, s.S, s.z, e=e, q=q)
        assert isinstance(last, Prediction)  # check_count: there is a layer
        return last.relative if s.of == "signal" else last.of_update

    return predict


def update_error(T: int, D: int, M: int, z: int, *, d: int = 4, m: int = 4) -> float:
    """The error of the update after one layer of Gaussian circuits, one copy of each neuron, no threshold: closed form.

    With r the noise on a coordinate that an inactive circuit reads, v what is added to the pre-activation of an active
    neuron, N(0, 1), and half the mean square of what is added to a silent one, which is as often positive as negative,

        r = z d/D,   v = (z−1) d/D + (m/M)((T−z) r + z − 1),
        e = d (v/2 − (√v − arctan √v)/π),   q = (d/2)(r + (m/M)((T−z−1) r + z)),

    are the mean squares that an active circuit's own neurons and an inactive circuit's leave; of the update, d/2, it is

        (e + (d/D)((z−1)(3d/2 + e) + (T−z) q)) / (d/2).

    v/2 − (√v − arctan √v)/π is E(ReLU(p + g) − ReLU(p))² for p ~ N(0, 1), g ~ N(0, v). All noise is taken for Gaussian,
    and echoes are left out. So for d ≥ 2 the usable T is within a tenth of `predicted_usable`, which leaves out neither
    and knows copies and thresholds. T below z counts as z. Chapters 6 and 8. Ours.

    Raises:
        TypeError, ValueError: for a number below 1.
    """
    for name, value in (("T", T), ("D", D), ("M", M), ("z", z), ("d", d), ("m", m)):
        check_count(name, value)
    T = max(T, z)
    r = z * d / D
    v = (z - 1) * d / D + m / M * ((T - z) * r + z - 1)
    e = d * (v / 2 - (math.sqrt(v) - math.atan(math.sqrt(v))) / math.pi)
    q = d / 2 * (r + m / M * (max(T - z - 1, 0) * r + z))
    return (e + d / D * ((z - 1) * (1.5 * d + e) + (T - z) * q)) / (d / 2)


def usable_circuits(predict: Callable[[int], float], error: float = 0.1) -> int:
    """The largest T, to a part in a thousand, for which the relative squared error predict(T) is at most `error`.

    predict must grow with T without bound; the answer is bracketed by doubling and found by bisection, and is exact
    below 1,000. It is 0 if not even one circuit is usable. Chapter 8.
    """
    check_number("error", error, at_least=0.0)
    low, high = 0, 1
    while predict(high) <= error:
        low, high = high, 2 * high
        if high > 2**60:
            raise ValueError(f"predict stays at or below error = {error} up to T = 2**60; it must grow with T")
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if predict(middle) <= error else (low, middle)
    return low
