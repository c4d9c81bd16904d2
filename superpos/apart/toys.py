"""Toy models of superposition: more sparse features than neurons, whose components are known. Chapter 16."""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.apart.target import Matrix, Target
from superpos.checks import check_count, check_seed
from superpos.sampling import generator

CHANCE = 0.05  # of a feature to be there


def features(batch: int, F: int, *, seed: int) -> Float[Tensor, "batch F"]:
    """Sparse features: each is there with chance 0.05, and then uniform in [0, 1]."""
    g = generator(seed, "features")
    there, size = (torch.rand((batch, F), generator=g) for _ in range(2))
    return torch.where(there < CHANCE, size, 0.0)


@cache
def toy(F: int, D: int, *, seed: int = 0, steps: int = 10_000) -> Target:
    """The toy model x ↦ ReLU(Wᵀ W x + b) with F features in D dimensions, trained on x itself. Chapter 16.

    Both matrices are to be taken apart. The true components of W are its columns, one for each feature.

    Source: Elhage et al. (2022); as a test of parameter decomposition, Braun et al. (2025).
    """
    check_count("D", D)
    check_count("F", F)
    check_seed("seed", seed)
    g = generator(seed, "toy")
    W = (torch.randn((D, F), generator=g) / math.sqrt(D)).requires_grad_()
    b = torch.zeros(F, requires_grad=True)
    optimizer = torch.optim.Adam([W, b], lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        x = features(1024, F, seed=seed + (step << 20))
        loss = ((x @ W.mT @ W + b).relu() - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    W, b = W.detach(), b.detach()
    zero = torch.zeros_like
    matrices = (
        Matrix("W", W, zero(W), W.new_zeros(D), relu=False),
        Matrix("W.T", W.mT.contiguous(), zero(W.mT), b, relu=True),
    )
    return Target(matrices, torch.ones(F, dtype=torch.bool), lambda batch, seed: features(batch, F, seed=seed))


def mmcs(
    V: Float[Tensor, "in C"], U: Float[Tensor, "out C"], true_V: Float[Tensor, "in K"], true_U: Float[Tensor, "out K"]
) -> tuple[float, float]:
    """The mean over true components of the largest cosine to a found one, and the mean ratio of their lengths (ML2R).

    The cosine is that of the rank-one matrices, cos(U, U') cos(V, V').

    Source: Braun et al. (2025).
    """
    unit = [x / x.norm(dim=0).clamp_min(1e-12) for x in (V, U, true_V, true_U)]
    cosine = (unit[2].mT @ unit[0]) * (unit[3].mT @ unit[1])
    best, which = cosine.max(dim=1)
    length = U.norm(dim=0) * V.norm(dim=0)
    ratio = length[which] / (true_U.norm(dim=0) * true_V.norm(dim=0))
    return best.mean().item(), ratio.mean().item()
