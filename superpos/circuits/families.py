"""Families of small circuits with known mathematics: random ones and rotations. Chapters 2, 9 and 10."""

import math

import torch
from torch import Tensor

from superpos.checks import check_count, check_number
from superpos.circuits.stacks import MLPCircuits, ResidualCircuits
from superpos.sampling import generator


def random_mlps(T: int, d: int, L: int, *, seed: int) -> MLPCircuits:
    """T Gaussian MLPs without biases, of width d with L layers: what nothing is known about. Chapter 2.

    The weights are drawn from N(0, 2/d), so that a layer with its ReLU keeps the mean square of its input.

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.
    """
    _check_sizes(T=T, d=d, L=L)
    weights = torch.randn((L, T, d, d), generator=generator(seed), dtype=torch.float32) * math.sqrt(2 / d)
    return MLPCircuits(weights, weights.new_zeros(L, T, d))


def random_residual(T: int, d: int, m: int, L: int, *, seed: int, threshold: float = 0.0) -> ResidualCircuits:
    """T Gaussian residual circuits, L layers of m neurons on a state of d coordinates. Chapter 2.

    w_in has variance 1/d, w_out variance 1/m, and every bias is −θ. On inputs with |x|² = d a pre-activation is
    N(−θ, 1), so that the threshold counts in standard deviations.

    Raises:
        TypeError, ValueError: for a size below 1, a threshold below 0, or a seed that is none.
    """
    _check_sizes(T=T, d=d, m=m, L=L)
    check_number("threshold", threshold, at_least=0.0)
    g = generator(seed)
    w_in = torch.randn((L, T, m, d), generator=g, dtype=torch.float32) / math.sqrt(d)
    w_out = torch.randn((L, T, d, m), generator=g, dtype=torch.float32) / math.sqrt(m)
    return ResidualCircuits(w_in, w_out, w_in.new_full((L, T, m), -float(threshold)))


def rotations(T: int, L: int, *, seed: int) -> MLPCircuits:
    """T rotations of the plane, MLP circuits of width d = 2, each by an angle of its own in every layer. Chapter 2.

    They work on a = x + 1 for points |x| ≤ 1, as `rotation_inputs` makes it:

        w_t = R(θ_t),  b_t = 1 − R(θ_t)·(1, 1).

    Since w a + b = R x + 1 ≥ 0, the ReLU changes nothing, and the circuit rotates exactly. θ_t is uniform in [0, 2π).
    To a = 0 a circuit answers ReLU(b) ≠ 0: it is not silent while nobody calls it.

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.
    """
    _check_sizes(T=T, L=L)
    c, s = _angles(T, seed)
    w = torch.stack([torch.stack([c, -s], dim=-1), torch.stack([s, c], dim=-1)], dim=-2)
    b = 1 - w.sum(dim=-1)
    return MLPCircuits(w.repeat(L, 1, 1, 1), b.repeat(L, 1, 1), bound=2.0)


def conditional_rotations(T: int, L: int, *, seed: int) -> MLPCircuits:
    """T rotations that carry an on-indicator α of their own, MLP circuits of width d = 4, silent while inactive.

    With c = cos θ_t, s = sin θ_t the rows of w are (2, −2, 0, 0), (2, −2, 0, 0),
    (2 − (c−s), −2 + (c−s), c, −s), (2 − (s+c), −2 + (s+c), s, c), and b = (−0.5, −1.5, −1, −1).
    Inputs as `conditional_inputs` makes them, states as `conditional_state` reads them: the first two neurons are
    a step in α, ReLU(2α − 0.5) − ReLU(2α − 1.5), that erases noise on α below 0.25. An inactive circuit is all zero.
    Chapters 2 and 10.

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.

    Source: Linsefors & Bushnaq, "Rotations in Superposition" (December 2025).
    """
    _check_sizes(T=T, L=L)
    c, s = _angles(T, seed)
    two, none = torch.full_like(c, 2), torch.zeros_like(c)
    u, v = c - s, s + c
    rows = [(two, -two, none, none), (two, -two, none, none), (2 - u, u - 2, c, -s), (2 - v, v - 2, s, c)]
    w = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    b = c.new_tensor([-0.5, -1.5, -1.0, -1.0])
    return MLPCircuits(w.repeat(L, 1, 1, 1), b.repeat(L, T, 1), bound=2.0)


def kaleidoscopes(T: int, L: int, *, seed: int) -> MLPCircuits:
    """T circuits without bias, d = 4: a point x of the plane in the neurons ReLU(x), ReLU(−x).

    A layer folds the plane along random axes, x_j ← |x_j|, and turns it: |a| stays what it is, and no weight has a mean
    in common. Chapter 9. Ours.

    Raises:
        TypeError, ValueError: for a size below 1, or a seed that is none.
    """
    _check_sizes(T=T, L=L)
    g = generator(seed)
    angle = 2 * math.pi * torch.rand((L, T), generator=g, dtype=torch.float32)
    c, s = angle.cos(), angle.sin()
    turn = torch.stack([c, -s, s, c], dim=-1).view(L, T, 2, 2)
    fold = (torch.rand((L, T, 1, 2), generator=g, dtype=torch.float32) < 0.5) * 2 - 1
    plus = torch.cat([turn, fold * turn], dim=-1)  # of ReLU(x), of ReLU(−x)
    return MLPCircuits(torch.cat([plus, -plus], dim=-2), plus.new_zeros(L, T, 4))


def _angles(T: int, seed: int) -> tuple[Tensor, Tensor]:
    angle = 2 * math.pi * torch.rand(T, generator=generator(seed), dtype=torch.float32)
    return angle.cos(), angle.sin()


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        check_count(name, value)
