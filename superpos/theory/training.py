"""The error of a network that is trained between fixed ports, as far as it can be predicted. Chapter 14."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_count, check_number
from superpos.sampling import generator

_ANGLES = 400  # at which a function of an angle is known
_FEW = 50  # the same, where each takes many circuits
_DEGREES = 24  # of spherical harmonics in four dimensions
_CIRCUITS = 20_000


def without_neurons(T: int, d: int, D: int, *, affine: float) -> float:
    """The least relative error of a network without neurons, z = 1, between random ports. Chapter 14.

    A linear map has D² weights, and T d (d + 1) numbers are asked of it: for each output of each circuit the best
    affine function of its inputs. A random part D²/T d(d+1) of these can be had, if that is less than all:

        error = 1 − affine · min(1, D²/T d(d+1)).

    Args:
        T, d, D: circuits, their width, that of the network.
        affine: share of the answers' square that affine functions of the inputs explain, circuit by circuit.

    Raises:
        TypeError, ValueError: for a size below 1, or a share outside [0, 1].
    """
    for name, value in (("T", T), ("d", d), ("D", D)):
        check_count(name, value)
    check_number("affine", affine, at_least=0.0)
    if affine > 1:
        raise ValueError(f"affine is {affine}; it must be at most 1, the whole")
    return 1 - affine * min(1.0, D * D / (T * d * (d + 1)))


def tangent(T: int, D: int, L: int, *, seed: int = 0) -> float:
    """The relative error of a network whose weights hardly move while it is trained, d = 4, z = 1. Chapter 14.

    There the network is linear in its L D² weights, and its features are those of the tangent kernel of its first
    weights, with eigenvalue λ_k for each of the (k + 1)² harmonics of degree k of an input on the sphere. Of the power
    p_k that Gaussian circuits have in degree k the part κ/(λ_k + κ) is left, with κ such that the weights suffice:

        Σ_k p_k κ/(λ_k + κ),    T d Σ_k (k + 1)² λ_k/(λ_k + κ) = L D².

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.

    Source: Jacot et al. (2018) for the kernel; what random features explain is counted as in ridgeless regression.
    """
    for name, value in (("T", T), ("D", D), ("L", L)):
        check_count(name, value)
    power, eigenvalues = _power(L, seed), _spectrum(L)
    dimensions = torch.arange(1, _DEGREES + 1, dtype=torch.float64).square()
    low, high = -40.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        used = 4 * T * (dimensions * eigenvalues / (eigenvalues + math.exp(middle))).sum().item()
        low, high = (middle, high) if used > L * D * D else (low, middle)
    kappa = math.exp(low)
    return (power * kappa / (eigenvalues + kappa)).sum().item()


def _harmonics(angles: int) -> tuple[Float[Tensor, " a"], Float[Tensor, "k a"]]:
    """Cosines, and sin((k + 1) θ)/sin θ times their weights: with these a function of an angle is cut into degrees."""
    theta = (torch.arange(_ANGLES, dtype=torch.float64) + 0.5) * math.pi / angles
    k = torch.arange(1, _DEGREES + 1, dtype=torch.float64)[:, None]
    return theta.cos(), (k * theta).sin() * theta.sin() * 2 / angles


def _spectrum(L: int) -> Float[Tensor, " k"]:
    """λ_k of the tangent kernel of L layers, for inputs (a, 1) with |a|² = 4."""
    c, parts = _harmonics(_ANGLES)
    same, kernel = (4 * c + 1) / 5, torch.zeros_like(c)
    for _ in range(L):
        angle = same.clamp(-1, 1).acos()
        kernel = (same + kernel) * (1 - angle / math.pi)
        same = (same * (math.pi - angle) + (1 - same.square()).clamp_min(0).sqrt()) / math.pi
    return (parts @ kernel / torch.arange(1, _DEGREES + 1)).clamp_min(1e-12)


def _power(L: int, seed: int) -> Float[Tensor, " k"]:
    """The share of the square of Gaussian circuits' answers, L layers and d = 4, in each degree of the input."""
    c, parts = _harmonics(_FEW)
    g = generator(seed, "power")
    w = torch.randn((L, _CIRCUITS, 4, 4), generator=g, dtype=torch.float64) * math.sqrt(0.5)
    one, other = torch.randn((2, _CIRCUITS, 4), generator=g, dtype=torch.float64)
    one = one / one.norm(dim=1, keepdim=True)
    other = other - (other * one).sum(dim=1, keepdim=True) * one
    other = other / other.norm(dim=1, keepdim=True)

    def answers(a: Tensor) -> Tensor:
        for layer in w:
            a = (layer @ a[..., None])[..., 0].relu()
        return a

    first = answers(one)
    alike = [(first * answers(x * one + math.sqrt(1 - x * x) * other)).sum(dim=1).mean() for x in c.tolist()]
    found = (parts @ torch.stack(alike) * torch.arange(1, _DEGREES + 1)).clamp_min(0)
    return found / found.sum()
