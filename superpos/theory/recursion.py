"""All terms of one layer, and from layer to layer. Chapters 7 and 8."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_copies, check_count, check_number
from superpos.circuits import ResidualCircuits
from superpos.residual import carry_bias
from superpos.theory.equations import averaged, interference, read_off, sharing
from superpos.theory.neurons import collisions, copies, grouped, sharers

_SAMPLES = 512  # circuits of a batch over which a mean is taken


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the theory needs to know of one layer of the small circuits, run alone on a batch.

    Attributes:
        d: width of a circuit, without its on-indicator.
        theta: the common threshold θ.
        w_out: ⟨Σ_j |w_out,j|²⟩ over the columns j of w_out.
        w_out_sum: ⟨|Σ_j w_out,j|²⟩, which multiplies what all neurons of a circuit have in common.
        w_in: |w_in,j|² of every small neuron, own coordinates.
        w_indicator: (b + θ)² of every small neuron, the column of the on-indicator; 0 without one.
        x, y: mean |x|² before and after the layer, on-indicator included.
        t: circuits of a sample of the batch.
        pre: their true pre-activations p.
        columns: their w_out.
    """

    d: int
    theta: float
    w_out: float
    w_out_sum: float
    x: float
    y: float
    w_in: Float[Tensor, "T m"]
    w_indicator: Float[Tensor, "T m"]
    t: Int64[Tensor, " samples"]
    pre: Float[Tensor, "samples m"]
    columns: Float[Tensor, "samples d m"]

    @property
    def kurtosis(self) -> float:
        """⟨|w|⁴⟩/⟨|w|²⟩² of the rows of w_in with their on-indicator: how unequal the neurons are."""
        w = self.w_in + self.w_indicator
        return (w.square().mean() / w.mean().square().clamp_min(1e-300)).item()


def statistics(
    circuits: ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    *,
    threshold: float | None = None,
) -> list[Statistics]:
    """Run the circuits alone on a batch and collect, for each layer, what the predictions need."""
    w_in, _, theta = carry_bias(circuits, threshold)
    states = circuits.run(active, inputs).double()
    indicator = w_in.shape[-1] - circuits.d
    size = states.square().sum(dim=-1).mean(dim=(1, 2)) + indicator
    # Evenly spaced rows of the batch are sample enough.
    flat = active.flatten()
    kept = torch.linspace(0, len(flat) - 1, min(len(flat), _SAMPLES)).long()
    t = flat[kept]
    found = []
    for l in range(circuits.L):
        w_out, own = circuits.w_out[l].double(), w_in[l].double()
        pre = circuits.pre_activations(l, active, states[l].to(circuits.stack.dtype))
        found.append(
            Statistics(
                d=circuits.d,
                theta=theta[l],
                w_out=w_out.square().sum(dim=(1, 2)).mean().item(),
                w_out_sum=w_out.sum(dim=2).square().sum(dim=1).mean().item(),
                x=size[l].item(),
                y=size[l + 1].item(),
                w_in=own[..., : circuits.d].square().sum(dim=-1),
                w_indicator=own[..., circuits.d :].square().sum(dim=-1),
                t=t,
                pre=pre.flatten(0, 1)[kept].double(),
                columns=w_out[t],
            )
        )
    return found


@dataclass(frozen=True)
class Terms:
    """Predicted mean squares of one layer, the terms of `superpos.errors.Terms` for circuits of one kind."""

    read_off: float
    read_in: float
    averaged: float
    neuron: float
    own: float
    written_back: float
    total: float


@dataclass(frozen=True)
class Prediction:
    """Predicted terms after one layer, for active and inactive circuits, and the signal |x|² they stand against."""

    active: Terms
    inactive: Terms
    signal: float

    @property
    def relative(self) -> float:
        """Mean squared error of active circuits over their mean squared signal."""
        return self.active.total / self.signal


def layer(
    s: Statistics, T: int, D: int, M: int, S: int, z: int, *, e: float = 0.0, q: float = 0.0
) -> tuple[Prediction, float, float]:
    """All terms of one layer, given what earlier layers left in the stream, and what this one leaves.

    e is the mean square error on an active circuit's own coordinates, q the mean square of what stands on an inactive
    circuit's; both are 0 before the first layer. With others' noise r on one coordinate,

        r_active = ((z−1)(|x|² + e) + (T−z) q)/D        r_inactive = (z(|x|² + e) + (T−z−1) q)/D
        c = ⟨|w_in|²⟩ (r + own/d) + ⟨(b+θ)²⟩ r          σ² = (S m/M)(T−z) c_inactive
        q' = q + |Σ_j w_out,j|² μ² + |w_out|² ν          e' = e + E|w_out (ĥ − h)|²
        total_active = e' + d ((z−1)(|y|² + e') + (T−z) q')/D,   total_inactive likewise,

    where μ and ν are mean and variance of an inactive circuit's averaged copies. Chapters 7 and 8.

    Returns:
        The prediction, and the new e and q.
    """
    m = s.pre.shape[1]
    raised = s.pre + s.theta  # what an active small neuron adds to the large neuron it sits on

    def noise(speaking: int, silent: int, left: float) -> tuple[float, Tensor]:
        """r, and c of every small neuron, for a circuit that reads `speaking` active and `silent` inactive others."""
        r = read_off(1, D, speaking * (s.x + e) + silent * q)
        return r, s.w_in * (r + left / s.d) + s.w_indicator * r

    def heard(c: Tensor, speaking: int, silent: int, p: Tensor) -> tuple[float, float, Tensor, Tensor]:
        """read_in, averaged, and mean and variance of the averaged copies, with own noise c and true values p."""
        of_silent = interference(silent, m, M, S, c_silent)
        of_active = interference(speaking, m, M, S, raised.square().mean().item())
        # Two copies partly see the same sharers: that part of σ² is common to them.
        common = of_silent * (S - 1) / (M - 1) if M > 1 else 0.0
        w, v = sharers(silent, sharing(m, M, S), c_silent, s.kurtosis)
        own = v * (1 - common / of_silent) if of_silent > 0 else v
        mean, variance = copies(p, c + common, (w, own), collisions(raised, speaking, sharing(m, M, S)), S)
        c_mean = c.mean().item()
        return c_mean + of_silent + of_active, c_mean + averaged(of_silent + of_active, M, S), mean, variance

    r_inactive, c_inactive = noise(z, max(T - z - 1, 0), q)
    c_silent = c_inactive.mean().item()
    few = grouped(c_inactive)
    read_in, average, mean, variance = heard(few, z, max(T - z - 1, 0), torch.full_like(few, -s.theta))
    neuron = (mean.square() + variance).mean().item()
    written = s.w_out_sum * mean.mean().item() ** 2 + s.w_out * (neuron - mean.mean().item() ** 2)
    inactive = (q + s.d * r_inactive, read_in, average, neuron, written)

    r_active, c_active = noise(z - 1, T - z, e)
    read_in, average, mean, variance = heard(c_active[s.t], z - 1, T - z, s.pre)
    bias = mean - s.pre.relu()
    own = (s.columns @ bias[..., None]).square().sum() + (s.columns.square().sum(dim=1) * variance).sum()
    own = own.item() / len(s.pre)
    active = (e + s.d * r_active, read_in, average, (bias.square() + variance).mean().item(), own)

    e, q = e + own, q + written
    total_active = e + read_off(s.d, D, (z - 1) * (s.y + e) + (T - z) * q)
    total_inactive = q + read_off(s.d, D, z * (s.y + e) + max(T - z - 1, 0) * q)
    prediction = Prediction(
        active=Terms(*active, written_back=read_off(s.d, D, (T - z) * written), total=total_active),
        inactive=Terms(*inactive, written_back=read_off(s.d, D, max(T - z - 1, 0) * written), total=total_inactive),
        signal=s.y - float(s.w_indicator.any()),
    )
    return prediction, e, q


def layers(
    circuits: ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    D: int,
    M: int,
    S: int,
    *,
    threshold: float | None = None,
) -> list[Prediction]:
    """Predict every term after every layer: `layer`, carried through the stack. Chapters 7 and 8.

    Args:
        circuits: the small circuits; only they, run alone, are looked at.
        active, inputs: a batch of what they run on.
        D, M, S: the large network, as in `superpos.residual.embed`.
        threshold: as in `superpos.residual.embed`.

    Raises:
        TypeError, ValueError: for what `superpos.residual.embed` or `circuits.run` would refuse.
    """
    collected = statistics(circuits, active, inputs, threshold=threshold)
    check_count("D", D)
    check_copies(S, circuits.m, M)
    e = q = 0.0
    found = []
    for s in collected:
        prediction, e, q = layer(s, circuits.T, D, M, S, active.shape[1], e=e, q=q)
        found.append(prediction)
    return found


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
