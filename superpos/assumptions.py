"""What the redundant and the balanced construction assume of the circuits, each as a check. Chapters 9 and 10."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.circuits import MLPCircuits
from superpos.sampling import generator

_SIGMAS = 6.0  # a mean weight so many standard deviations from 0 is no chance
_NOISE = 0.1  # what a silent circuit is given, root mean square of a coordinate
_GAIN, _WORST = 2.0, 1000.0  # allowed growth of its mean square: of the mean circuit a layer, of one over all layers
_DRAWS = 16


def check_no_bias(circuits: MLPCircuits) -> None:
    """Refuse circuits with biases: b_t^l = 0.

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: naming the circuit with the largest bias.
    """
    _check_mlps(circuits)
    if circuits.biases.any():
        l, t, i = _largest(circuits.biases.abs())
        raise ValueError(
            f"circuits: biases[{l}, {t}, {i}] is {circuits.biases[l, t, i]:.3g}, the largest, of circuit {t}; the "
            "redundant construction takes circuits without biases: use superpos.balanced.embed, which takes one "
            "common to all circuits"
        )


def check_uncorrelated(circuits: MLPCircuits) -> None:
    """Refuse weights with a mean in common: |w̄_ij| √T ≤ 6 rms_t(w_ij) in every layer that hears the large network.

    The others' weights w̄ add up in proportion to T, their differences to √T.

    Raises:
        ValueError: naming the weight, and the circuit that has most of it.
    """
    w = circuits.weights[1:]
    if not len(w):
        return
    mean = w.mean(dim=1)
    sigmas = mean.abs() * circuits.T**0.5 / w.square().mean(dim=1).sqrt().clamp_min(1e-30)
    l, i, j = _largest(sigmas)
    if sigmas[l, i, j] > _SIGMAS:
        t = int((w[l, :, i, j] * mean[l, i, j].sign()).argmax())
        raise ValueError(
            f"circuits: weight ({i}, {j}) of layer {l + 2} has the mean {mean[l, i, j]:.3g} over the T = {circuits.T} "
            f"circuits, {sigmas[l, i, j]:.0f} standard deviations from 0 (at most {_SIGMAS:.0f} are chance); circuit "
            f"{t} has the most, {w[l, t, i, j]:.3g}. Correlated weights are what superpos.balanced.embed is for"
        )


def with_common_bias(circuits: MLPCircuits) -> tuple[MLPCircuits, Float[Tensor, "L T d"]]:
    """The same circuits with one bias b^l ≤ 0 for all, and the unit of each neuron: a_t = unit_t · a'_t.

    ReLU(s x) = s ReLU(x) for s > 0, so a neuron can be counted in units of |b_t| / |b|, with b the geometric
    mean: b' = b, w'_ij = w_ij unit_j^{l−1} / unit_i^l. The biases of a neuron must for this be negative in all circuits
    or 0 in all. A positive one is refused: an inactive circuit would answer it. The units of circuits that have a
    common bias already are 1, and the circuits are returned as they are.

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: naming a circuit that stands in the way.
    """
    _check_mlps(circuits)
    b = circuits.biases
    _check_silent(circuits)
    if bool((b == b[:, :1]).all()):
        return circuits, torch.ones_like(b)
    zero, negative = b == 0, b < 0
    mixed = (zero.any(dim=1) & negative.any(dim=1)).nonzero()
    if len(mixed):
        l, i = mixed[0].tolist()
        t, u = int(zero[l, :, i].int().argmax()), int(negative[l, :, i].int().argmax())
        raise ValueError(
            f"circuits: biases[{l}, {t}, {i}] of circuit {t} is 0 and biases[{l}, {u}, {i}] of circuit {u} is "
            f"{b[l, u, i]:.3g}; they cannot be rescaled to a common bias, since a positive factor keeps a sign: give "
            "neuron "
            f"{i} a negative bias in all circuits, or 0 in all"
        )
    size = torch.where(zero, 1.0, b.abs())
    common = size.log().mean(dim=1, keepdim=True).exp()
    unit = size / common
    weights = circuits.weights / unit[..., None]
    weights[1:] *= unit[:-1, :, None, :]
    return replace(circuits, weights=weights, biases=torch.where(zero, 0.0, -common)), unit


def check_robust(circuits: MLPCircuits) -> None:
    """Refuse circuits that, when inactive, amplify noise.

    In the place of a state 0 every circuit is given Gaussian noise δ of root mean square 0.1 a coordinate, and answers
    ReLU(w δ + b). The gain E|answer|²/E|δ|² may be at most 2 in the mean over circuits in each of the layers 2 … L, and
    its product over these layers at most 1000 in any circuit: its own noise would then be louder than a signal of 1.

    Raises:
        ValueError: naming the circuit that amplifies most.
    """
    drawn = torch.randn((circuits.d, _DRAWS), generator=generator(0, "noise"), dtype=torch.float32)
    noise, total = _NOISE * drawn.to(circuits.stack), circuits.stack.new_ones(circuits.T)
    cure = "scale its weights down, or give its neurons negative biases, which silence noise"
    for l in range(1, circuits.L):
        answer = (circuits.weights[l] @ noise + circuits.biases[l, :, :, None]).relu()
        gain = answer.square().sum(dim=1).mean(dim=1) / noise.square().sum(dim=0).mean()
        if gain.mean() > _GAIN:
            t = int(gain.argmax())
            raise ValueError(
                f"circuits: inactive, layer {l + 1} multiplies the mean square of small noise by {gain.mean():.3g} in "
                f"the mean over circuits (at most {_GAIN:g} is allowed); circuit {t} the most, by {gain[t]:.3g}: {cure}"
            )
        total *= gain
    if total.max() > _WORST:
        t = int(total.argmax())
        raise ValueError(
            f"circuits: circuit {t}, inactive, multiplies the mean square of small noise by {total[t]:.3g} over layers "
            f"2 … {circuits.L} (at most {_WORST:g} is allowed): {cure}"
        )


def _check_silent(circuits: MLPCircuits) -> None:
    """Refuse a circuit that answers 0 with something else than 0."""
    answer = circuits.biases.relu()
    if not circuits.last_relu:
        answer[-1] = circuits.biases[-1].abs()
    if not answer.any():
        return
    l, t, i = _largest(answer)
    signs = circuits.biases[l, :, i]
    other = f" and that of circuit {int(signs.argmin())} is {signs.min():.3g}" if signs.min() < 0 else ""
    why = "" if circuits.last_relu or l < circuits.L - 1 else " (the last layer has no ReLU)"
    raise ValueError(
        f"circuits: biases[{l}, {t}, {i}] of circuit {t} is {circuits.biases[l, t, i]:.3g}{other}; an inactive circuit "
        f"{t} would answer 0 with {answer[l, t, i]:.3g}{why}. Biases must be ≤ 0: carry a positive one by an "
        "on-indicator among the circuit's own coordinates, as superpos.circuits.conditional_rotations do"
    )


def _check_mlps(circuits: object) -> None:
    if not isinstance(circuits, MLPCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; this construction takes MLPCircuits")


def _largest(values: Tensor) -> list[int]:
    """Index of the largest entry."""
    return [int(i) for i in torch.unravel_index(values.argmax(), values.shape)]
