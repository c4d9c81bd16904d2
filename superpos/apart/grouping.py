"""Which components are said to be one circuit: by labels of what is active, or by what fires together. Chapter 16."""

import torch
from jaxtyping import Bool, Float, Int64
from scipy.linalg import qr
from torch import Tensor

from superpos.sampling import generator


def by_labels(gates: Float[Tensor, "B C"], active: Bool[Tensor, "B T"]) -> Int64[Tensor, " C"]:
    """The circuit whose samples open a component's gate the most, in the mean.

    It is told which circuits are active: what is found with it is not found without supervision.
    """
    on = active.to(gates)
    return (gates.mT @ on / on.sum(dim=0).clamp_min(1)).argmax(dim=1)


def together(gates: Float[Tensor, "B C"], *, seed: int) -> Int64[Tensor, " C"]:
    """Components whose gates open together, as one group; nothing is told of what is active, or of how many there are.

    Gates of one circuit are correlated, those of different circuits are not. The number K of groups is the number of
    eigenvalues of the correlations that exceed the largest which the same gates have after each was shuffled by itself
    (Horn's parallel analysis, 1965). The K eigenvectors are cut into groups by a pivoted QR decomposition, without a
    starting point (Damle, Minden & Ying 2019).
    """
    X = gates.double() - gates.double().mean(dim=0)
    size = X.norm(dim=0)
    X = X / size.clamp_min(1e-12)
    g = generator(seed, "parallel analysis")
    order = torch.rand(X.shape, generator=g, dtype=torch.float64).argsort(dim=0)
    chance = torch.linalg.eigvalsh(X.gather(0, order).mT @ X.gather(0, order))[-1]
    values, vectors = torch.linalg.eigh(X.mT @ X)
    K = max(int((values > chance).sum()), 1)
    E = vectors[:, -K:]
    pivots = torch.from_numpy(qr(E.mT.numpy(), pivoting=True, mode="r")[1][:K].astype("int64"))
    left, _, right = torch.linalg.svd(E[pivots].mT)
    return (E @ (left @ right)).abs().argmax(dim=1)
