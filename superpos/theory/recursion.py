"""All terms of one layer, and from layer to layer. Chapters 6 and 7."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_copies, check_count
from superpos.circuits import ResidualCircuits, carry_bias
from superpos.theory.equations import averaged, interference, read_off, sharing
from superpos.theory.neurons import alike, answers, collisions, copies, grouped, sharers

_SAMPLES = 512  # circuits over which a mean is taken
_DRAWS = 16  # of the noise that a silent circuit reads


@dataclass(frozen=True, eq=False)
class Statistics:
    """The few numbers of one layer of the small circuits, run alone on a batch, from which the theory predicts.

    Attributes:
        d: width of a circuit, without its on-indicator.
        theta: the common threshold θ.
        w_in: |w_in,j|² of every small neuron, own coordinates.
        w_indicator: (b + θ)² of every small neuron, the column of the on-indicator; 0 without one.
        x, y: mean |x|² before and after the layer, on-indicator included.
        change: mean |x − x⁰|² after the layer: what all layers so far are to change.
        t: circuits of a sample of the batch.
        pre: their true pre-activations p.
        columns: their w_out.
        traces: mean product, over pairs of circuits, of Σ_j w_in,j · w_out,j: what they read and write back in phase.
        silent_rows, silent_columns: w_in, with the on-indicator's column, and w_out of a sample of all circuits.
        indicator: whether a circuit has an on-indicator.
    """

    d: int
    theta: float
    x: float
    y: float
    change: float
    w_in: Float[Tensor, "T m"]
    w_indicator: Float[Tensor, "T m"]
    t: Int64[Tensor, " samples"]
    pre: Float[Tensor, "samples m"]
    columns: Float[Tensor, "samples d m"]
    traces: float
    silent_rows: Float[Tensor, "silent m k"]
    silent_columns: Float[Tensor, "silent d m"]
    indicator: bool

    @property
    def kurtosis(self) -> float:
        """The kurtosis ⟨|w|⁴⟩/⟨|w|²⟩² of the rows of w_in with their on-indicator: how unequal the neurons are."""
        w = self.w_in + self.w_indicator
        return (w.square().mean() / w.mean().square().clamp_min(1e-300)).item()


def statistics(
    circuits: ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    *,
    threshold: float | None = None,
) -> list[Statistics]:
    """The statistics of each layer of circuits that run alone on a batch, in order and on the CPU. Chapters 6 and 7."""
    states = circuits.detach().run(active, inputs).double().cpu()
    circuits, active = circuits.detach().to("cpu"), active.cpu()
    w_in, _, theta = carry_bias(circuits, threshold)
    indicator = w_in.shape[-1] - circuits.d
    size = states.square().sum(dim=-1).mean(dim=(1, 2)) + indicator
    change = (states - states[0]).square().sum(dim=-1).mean(dim=(1, 2))
    # Evenly spaced rows of the batch are sample enough.
    flat = active.flatten()
    kept = torch.linspace(0, len(flat) - 1, min(len(flat), _SAMPLES), dtype=torch.float32).long()
    t = flat[kept]
    some = torch.linspace(0, circuits.T - 1, min(circuits.T, _SAMPLES), dtype=torch.float32).long()
    found = []
    for l in range(circuits.L):
        w_out, own = circuits.w_out[l].double(), w_in[l].double()
        pre = circuits.pre_activations(l, active, states[l].to(circuits.stack.dtype))
        found.append(
            Statistics(
                d=circuits.d,
                theta=theta[l],
                x=size[l].item(),
                y=size[l + 1].item(),
                change=change[l + 1].item(),
                w_in=own[..., : circuits.d].square().sum(dim=-1),
                w_indicator=own[..., circuits.d :].square().sum(dim=-1),
                t=t,
                pre=pre.flatten(0, 1)[kept].double(),
                columns=w_out[t],
                traces=_pairs(torch.einsum("tjk,tkj->t", own[..., : circuits.d], w_out)),
                silent_rows=own[some],
                silent_columns=w_out[some],
                indicator=indicator > 0,
            )
        )
    return found


def _pairs(x: Float[Tensor, " T"]) -> float:
    """Mean of x_t x_u over pairs t ≠ u."""
    return ((x.sum().square() - x.square().sum()) / max(len(x) * (len(x) - 1), 1)).item()


@dataclass(frozen=True)
class Terms:
    """The predicted terms of one layer's error for one kind of circuits, mean squares as in `superpos.errors.Terms`."""

    read_off: float
    read_in: float
    averaged: float
    neuron: float
    own: float
    written_back: float
    total: float


@dataclass(frozen=True)
class Prediction:
    """The predicted terms after one layer, for active and inactive circuits.

    They stand against the signal |x|² or against the change |x − x⁰|² that was asked for, both means over the batch.
    """

    active: Terms
    inactive: Terms
    signal: float
    change: float

    @property
    def relative(self) -> float:
        """The mean squared error of active circuits over their mean squared signal."""
        return self.active.total / self.signal

    @property
    def of_update(self) -> float:
        """The mean squared error of active circuits over the mean square of what was to change: doing nothing is 1."""
        return self.active.total / self.change


def layer(
    s: Statistics, T: int, D: int, M: int, S: int, z: int, *, e: float = 0.0, q: float = 0.0
) -> tuple[Prediction, float, float]:
    """The predicted terms of one layer, given what earlier layers left in the stream, and what this one leaves.

    e is the mean square error on an active circuit's own coordinates, q the mean square of what stands on an inactive
    circuit's; both are 0 before the first layer. With others' noise r on one coordinate,

        r_active = ((z−1)(|x|² + e) + (T−z) q)/D        r_inactive = (z(|x|² + e) + (T−z−1) q)/D
        c = ⟨|w_in|²⟩ (r + own/d) + ⟨(b+θ)²⟩ r          σ² = (S m/M)(T−z) c_inactive
        q' = q + E|w_out ĥ_silent|²                      e' = e + E|w_out (ĥ − h)|²
        total_active = e' + d ((z−1)(|y|² + e') + (T−z) q')/D,   total_inactive likewise.

    The neurons of a silent circuit read one and the same noise, so that E|w_out ĥ|² is taken over draws of it; for
    independent weights it is m d ⟨w_out²⟩ (μ² + ν).

    What a silent circuit u hears of an active t, G x_t with G = E_uᵀE_t, and what t hears back of u, Gᵀ w_out ĥ, go
    through the same overlap. With g the noise that u reads in units of its size s, s² = r_inactive + q/d, one of the d
    directions, that along x_t, has E(g·w_out ĥ)² in the place of E|w_out ĥ|², for the part (|x|² + e)/(D s²) of the
    noise that comes from t. And where circuits write back in phase, E g·w_out ĥ = β_u s, the echoes of any two add
    up, and with them those of everything else in the stream:

        (T−z)(T−z−1) ⟨β_u β_v⟩ (|x|² + e + d r_active + 2q)/D²,

    where 2q is what a silent circuit's answer to its own coordinates has in common with the rest. The total leaves out
    what these echoes have in common with errors that stand in the stream already. Chapters 6 and 7. Ours.

    Returns:
        The prediction, and the new e and q.
    """
    m, pi = s.pre.shape[1], sharing(s.pre.shape[1], M, S)
    rho = (S - 1) / (M - 1) if M > 1 else 0.0
    raised = s.pre + s.theta  # what an active small neuron adds to the large neuron it sits on
    values, average, square = grouped(raised), raised.mean().item(), raised.square().mean().item()
    others = max(T - z - 1, 0)  # silent circuits that an inactive one reads

    r_active = read_off(1, D, (z - 1) * (s.x + e) + (T - z) * q)
    r_inactive = read_off(1, D, z * (s.x + e) + others * q)
    c_active = s.w_in * (r_active + e / s.d) + s.w_indicator * r_active
    c_inactive = s.w_in * (r_inactive + q / s.d) + s.w_indicator * r_inactive
    c_silent = c_inactive.mean().item()

    def linear(c: Tensor, speaking: int, silent: int) -> tuple[float, float]:
        """read_in and averaged."""
        noise = interference(silent, m, M, S, c_silent) + interference(speaking, m, M, S, square)
        several = speaking * (speaking - 1) * (pi * average) ** 2
        mixed = (1 - 1 / S) * speaking * pi**2 * (m - 1) / m * M / max(M - 1, 1) * average**2
        return c.mean().item() + noise + several, c.mean().item() + averaged(noise, M, S) + several + mixed

    def around(silent: int) -> tuple[float, tuple[Tensor, Tensor]]:
        """What two copies see in common of the sharers' noise, and the mixture that is left to each."""
        common = interference(silent, m, M, S, c_silent) * rho
        w, v = sharers(silent, pi, c_silent, s.kurtosis)
        return common, (w, v * (1 - rho))

    common, mixture = around(others)
    g, shift = _draws(s, r_inactive, q, common)
    theta = torch.full((), -s.theta, dtype=torch.float64)
    first, second = answers(theta + shift, mixture, collisions(raised, z, pi))
    met = (1 - 1 / S) * z * pi * rho * alike(theta, mixture, values)
    spread = (second - first.square()) / S + met
    y = torch.einsum("ndj,ngj->ngd", s.silent_columns, first)
    scatter = torch.einsum("ngj,ndj->ng", spread, s.silent_columns.square())
    written = (y.square().sum(dim=-1) + scatter).mean().item()
    neuron = (first.square() + spread).mean().item()
    inactive = (q + s.d * r_inactive, *linear(c_inactive, z, others), neuron, written)
    # E g·w_out ĥ by Stein's lemma: a mean over draws would be squared together with its sampling error.
    noise = r_inactive + q / s.d  # that a silent circuit reads, on one coordinate
    size = math.sqrt(noise)
    nudged = [answers(theta + shift + h, mixture, collisions(raised, z, pi))[0] for h in (size, -size)]
    slope = (nudged[0] - nudged[1]).mean().item() / (2 * size)

    common, mixture = around(T - z)
    mean, variance = copies(s.pre, c_active[s.t] + common, mixture, collisions(raised, z - 1, pi), S)
    if z > 1:
        variance = variance + (1 - 1 / S) * (z - 1) * pi * rho * alike(s.pre, mixture, values)
    bias = mean - s.pre.relu()
    own = (s.columns @ bias[..., None]).square().sum() + (s.columns.square().sum(dim=1) * variance).sum()
    own = own.item() / len(s.pre)
    active = (e + s.d * r_active, *linear(c_active, z - 1, T - z), (bias.square() + variance).mean().item(), own)

    x = s.x - float(s.indicator) + e
    echo = (T - z) / D * x / (D * noise) * _along(s, g, y, spread, written)
    gain_square = (T - z) * (T - z - 1) * s.traces * (slope / D) ** 2
    back = echo + gain_square * (x + s.d * r_active + 2 * q)
    e, q = e + own, q + written
    total_active = e + read_off(s.d, D, (z - 1) * (s.y + e) + (T - z) * q) + back
    total_inactive = q + read_off(s.d, D, z * (s.y + e) + others * q) if z < T else float("nan")
    prediction = Prediction(
        active=Terms(*active, written_back=read_off(s.d, D, (T - z) * written) + back, total=total_active),
        inactive=Terms(*inactive, written_back=read_off(s.d, D, others * written), total=total_inactive),
        signal=s.y - float(s.indicator),
        change=s.change,
    )
    return prediction, e, q


def _draws(s: Statistics, r: float, q: float, common: float) -> tuple[Tensor, Tensor]:
    """Noise that silent circuits read, in units of its size on each own coordinate, and its effect on their neurons.

    Drawn from a fixed seed, so that a prediction is one number.
    """
    generator = torch.Generator().manual_seed(0)
    n, m, k = s.silent_rows.shape
    g = torch.randn((n, _DRAWS, k), generator=generator, dtype=torch.float64)
    size = torch.full((k,), r, dtype=torch.float64)
    size[: s.d] += q / s.d
    shift = torch.einsum("njk,ngk->ngj", s.silent_rows, g * size.sqrt())
    shift = shift + math.sqrt(common) * torch.randn((n, _DRAWS, m), generator=generator, dtype=torch.float64)
    return g[..., : s.d], shift


def _along(s: Statistics, g: Tensor, y: Tensor, spread: Tensor, written: float) -> float:
    """E(g·w_out ĥ)² − E|w_out ĥ|², g the noise that a silent circuit reads, in units of its size."""
    echo = (g * y).sum(dim=-1)
    along = torch.einsum("ngd,ndj->ngj", g, s.silent_columns).square() * spread
    return (echo.square() + along.sum(dim=-1)).mean().item() - written


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
    """The predicted terms after every layer: `layer`, carried through the stack. Chapters 6 and 7.

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
