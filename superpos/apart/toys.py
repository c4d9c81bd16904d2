"""Toy models of superposition: more sparse features than neurons, whose components are known. Chapter 17."""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.apart.apd import Apd
from superpos.apart.spd import BANK, Spd, stake
from superpos.apart.target import Matrix, Target, states
from superpos.checks import check_count, check_seed
from superpos.sampling import generator

__all__ = ["features", "recovered", "toy"]

CHANCE = 0.05  # of a feature to be there
TINY = 1e-12


def features(batch: int, F: int, *, seed: int) -> Float[Tensor, "batch F"]:
    """Sparse features: each is there with chance 0.05, and then uniform in [0, 1]."""
    g = generator(seed, "features")
    there, size = (torch.rand((batch, F), generator=g) for _ in range(2))
    return torch.where(there < CHANCE, size, 0.0)


@cache
def toy(F: int, D: int, *, seed: int = 0, steps: int = 10_000) -> Target:
    """The toy model x ↦ ReLU(Wᵀ W x + b) with F features in D dimensions, trained on x itself. Chapter 17.

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


def price(target: Target, coefficient: float) -> float:
    """The β of SPD that a coefficient of the papers is here, where errors are divided by what is at stake. Chapter 17.

    There a squared error is a mean over samples and outputs: on 5 features in 2 dimensions .0147 is at stake.
    """
    bank = states(target, target.draw(BANK, 0))
    return coefficient / stake(target, bank).item()


def recovered(model: Spd | Apd) -> list[dict[str, dict[str, float]]]:
    """How alike the components of a toy model and what was found are, by matrix: one for each seed. Chapter 17.

    A feature's component is its column of W, all else 0. For each the found component with the largest cosine is taken:
    `cosine` and `length` are the means over features of the cosine and of the ratio of lengths, of whole matrices;
    `mmcs` and `ml2r` are the same of the feature's column alone, as published: what a component has in other columns
    does not count there, so that a component which is right in one column is right.

    Source: Braun et al. (2025); Bushnaq et al. (2025), for W alone.
    """
    W = model.target.apart[0].own
    assert W is not None
    m = model.options.rank if isinstance(model, Apd) else 1
    found = []
    for r in range(len(model.seeds)):
        parts = [_components(V[r], U[r], m) for V, U in zip(model.V, model.U, strict=True)]
        found.append({"W": _alike(parts[0], W), "W.T": _alike(parts[1].mT, W)})
    return found


def _components(V: Float[Tensor, "in Cm"], U: Float[Tensor, "Cm out"], m: int) -> Float[Tensor, "C out in"]:
    return torch.einsum("icm,cmo->coi", V.unflatten(1, (-1, m)), U.unflatten(0, (-1, m)))


def _alike(P: Float[Tensor, "C D F"], W: Float[Tensor, "D F"]) -> dict[str, float]:
    size, columns = W.norm(dim=0), P.norm(dim=1)
    inner = torch.einsum("cdf,df->cf", P, W) / size
    whole = inner / P.flatten(1).norm(dim=1).clamp_min(TINY)[:, None]
    cosine, which = whole.max(dim=0)
    mmcs, column = (inner / columns.clamp_min(TINY)).max(dim=0)
    length = P.flatten(1).norm(dim=1)[which] / size
    ml2r = columns.gather(0, column[None])[0] / size
    kinds = {"cosine": cosine, "length": length, "mmcs": mmcs, "ml2r": ml2r}
    return {name: x.mean().item() for name, x in kinds.items()}
