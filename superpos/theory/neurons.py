"""What noise does to rectified neurons: Gaussian, given how many small neurons share a large one. Chapters 4 to 6."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_NODES = 10  # of the Gauss–Hermite quadrature over noise that all copies share
_BINS = 64  # into which the values of neurons are grouped
_GRID = 3072  # points of a table over where a neuron is centred
_COUNTS = 32  # into which numbers of sharers are grouped: finer, since a threshold lives on their tail


def rectified(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the mean square of a rectified Gaussian: E ReLU(x) and E ReLU(x)² for x ~ N(mean, variance).

        E ReLU(x) = s φ(a) + m Φ(a),   E ReLU(x)² = (m² + s²) Φ(a) + m s φ(a),   s² = variance, a = m/s.

    At mean 0 these are √(v/2π) and v/2; far below 0 they are the Gaussian tail that a threshold leaves. Chapter 5.
    """
    s = variance.sqrt()
    a = (mean / s.clamp_min(1e-30)).clamp(-1e9, 1e9)
    density = torch.exp(-a.square() / 2) / math.sqrt(2 * math.pi)
    below = torch.special.ndtr(a)
    return s * density + mean * below, (mean.square() + variance) * below + mean * s * density


def copies(
    p: Float[Tensor, "*n"],
    shared: Float[Tensor, "*n"],
    sharers: tuple[Float[Tensor, " K"], Float[Tensor, " K"]],
    collisions: tuple[Float[Tensor, " C"], Float[Tensor, " C"]],
    S: int,
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """The mean and the variance of S noisy copies of one small neuron, averaged: ĥ = (1/S) Σ_n ReLU(p + g + ε_n).

    g ~ N(0, shared) is common to the copies. ε_n differs between them: Gaussian of variance v_k with probability w_k
    (`sharers`), plus the value of active neurons met on the same large neuron (`collisions`, weights and values).
    Given g the copies are independent, so that with ψ(g) = E[ReLU | g] the mean is E ψ(g) and the variance
    E[Var(ReLU | g)]/S + Var ψ(g). Chapters 4 and 6. Ours.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    nodes, over = (torch.from_numpy(x).to(p.device) for x in (nodes, weights / weights.sum()))
    centre = p[..., None] + shared.sqrt()[..., None] * nodes
    first, second = answers(centre, sharers, collisions)
    mean = first @ over
    return mean, (second - first.square()) @ over / S + first.square() @ over - mean.square()


def answers(
    centre: Float[Tensor, "*n"],
    sharers: tuple[Float[Tensor, " K"], Float[Tensor, " K"]],
    collisions: tuple[Float[Tensor, " C"], Float[Tensor, " C"]],
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """The mean and the mean square of one large neuron, E ReLU(centre + ε) and E ReLU(centre + ε)².

    ε is the noise of sharers and collisions, as `copies` takes them. Both moments are functions of the one number
    `centre`: they are tabulated, on the CPU, and looked up for every centre. Chapter 4. Ours.
    """
    device, centre = centre.device, centre.cpu()
    w, v, u, values = (x.cpu() for x in (*sharers, *collisions))
    low, high = centre.min().item(), centre.max().item() + 1e-9
    step = (high - low + (values.max() - values.min()).item()) / _GRID
    fine = torch.linspace(
        low + values.min().item() - step, high + values.max().item() + step, _GRID, dtype=torch.float32
    ).double()
    grid = torch.linspace(low, high, _GRID // 2, dtype=torch.float32).double()
    tables = [moment @ w for moment in rectified(fine[:, None], v)]
    found = []
    for table in tables:
        mixed = torch.from_numpy(np.interp(grid[:, None] + values, fine, table)) @ u
        found.append(torch.from_numpy(np.interp(centre, grid, mixed)).to(device))
    return found[0], found[1]


def sharers(n: int, probability: float, c: float, kurtosis: float) -> tuple[Tensor, Tensor]:
    """The noise on one large neuron as a mixture: the weights and variances of Gaussians, by how many neurons share it.

    Of n circuits, each with a neuron there with probability π, Binomial(n, π/κ) are taken to share it, with variance
    κc each. Their sum has mean nπc and variance n c²(πκ − π²), as that of n neurons of unequal |w_in,j|² with kurtosis
    κ has. Counts are grouped into at most 32 bins. Chapter 4. Ours.
    """
    rate = probability / max(kurtosis, 1.0)
    spread = math.sqrt(n * rate)
    k = torch.arange(max(0, int(n * rate - 7 * spread)), int(min(n, n * rate + 8 * spread + 12)) + 1).double()
    # By the ratios of neighbours: at astronomical n the logarithms of factorials would cancel to nothing.
    odds = math.log(rate / (1 - rate)) if 0 < rate < 1 else math.copysign(1e30, rate - 0.5)
    steps = torch.log((n - k[:-1]) / (k[:-1] + 1)) + odds
    log_w = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
    log_w = log_w - log_w.max()
    w = log_w.exp()
    of = torch.arange(len(k)) * min(len(k), _COUNTS) // len(k)
    grouped = torch.zeros(int(of[-1]) + 1, dtype=torch.float64).index_add(0, of, w)
    counts = torch.zeros_like(grouped).index_add(0, of, w * k) / grouped.clamp_min(1e-300)
    return grouped / grouped.sum(), counts * (max(kurtosis, 1.0) * c)


def collisions(values: Float[Tensor, "n m"], z: int, probability: float) -> tuple[Tensor, Tensor]:
    """The weights and values of what z active circuits add to a large neuron: nothing, or a value drawn like `values`.

    Each of the z circuits has a neuron there with probability π. One collision (j = 1 of Binomial(z, π)) is described
    by bins of equal weight; for j ≥ 2 of them the mean and the variance of the sum are kept. Chapter 4. Ours.
    """
    bins = grouped(values).double()
    bins = (bins - bins.mean()) * (values.std(correction=0) / bins.std(correction=0).clamp_min(1e-30)) + bins.mean()
    weights, found = [bins.new_full((1,), (1 - probability) ** z)], [bins.new_zeros(1)]
    for j in range(1, z + 1):
        weight = math.comb(z, j) * probability**j * (1 - probability) ** (z - j)
        weights.append(torch.full_like(bins, weight / len(bins)))
        found.append(j * bins.mean() + math.sqrt(j) * (bins - bins.mean()))
        if j > z * probability and weight < 1e-4:
            break
    w = torch.cat(weights)
    return w / w.sum(), torch.cat(found)


def alike(
    p: Float[Tensor, "*n"],
    sharers: tuple[Float[Tensor, " K"], Float[Tensor, " K"]],
    values: Float[Tensor, " bins"],
) -> Float[Tensor, "*n"]:
    """The variance that two copies share if they meet the same active neuron.

    It is the variance of E ReLU(p + value + ε) over the values met. Two copies meet the same one with
    probability π (S−1)/(M−1) for each active circuit. Chapter 5. Ours.
    """
    w, v = sharers
    return (rectified((p[..., None] + values)[..., None], v)[0] @ w).var(dim=-1, correction=0)


def grouped(values: Float[Tensor, "*n"]) -> Float[Tensor, " bins"]:
    """A sample of 64 values that stands for a larger one: means of 64 equal parts of the values in order."""
    ordered = values.flatten().sort().values
    at = torch.linspace(0, len(ordered) - 1, 16 * _BINS, dtype=torch.float64).round().long()
    return ordered[at].view(_BINS, -1).mean(dim=1)
