"""Which components are said to be one circuit: by labels of what is active, or by what fires together. Chapter 17."""

import torch
from jaxtyping import Bool, Float, Int64
from scipy.linalg import qr
from torch import Tensor

__all__ = ["by_labels", "together"]

_NONE = 1e-12  # a gate that never opens, a component without neighbours


def by_labels(gates: Float[Tensor, "B C"], active: Bool[Tensor, "B T"]) -> Int64[Tensor, " C"]:
    """The circuit whose samples open a component's gate the most, in the mean.

    It is told which circuits are active: what is found with it is not found without supervision.
    """
    on = active.to(gates)
    return (gates.mT @ on / on.sum(dim=0).clamp_min(1)).argmax(dim=1)


def together(gates: Float[Tensor, "B C"], size: Float[Tensor, " C"]) -> Int64[Tensor, " C"]:
    """Components whose gates open together, as one group; nothing is told of what is active, or of how many there are.

    Gates of one circuit often open on the same samples, those of others seldom. Take the graph of components with the
    correlation of two gates, where it is above 0, times the root of both sizes on its edges, S, and the sums D of its
    rows. It is cut where it is thin: N = D^{−1/2} S D^{−1/2} gives as many groups as it has eigenvalues before the
    largest gap (normalised cuts, Shi & Malik 2000), and the eigenvectors are cut into groups by a pivoted QR
    decomposition, without a starting point (Damle, Minden & Ying 2019).

    Args:
        gates: on samples of which nothing is known, many of them.
        size: of each component, |U_c||V_c|: small ones must not decide.
    """
    apart = gates.double() - gates.double().mean(dim=0)
    unit, root = apart / apart.norm(dim=0).clamp_min(_NONE), size.double().sqrt()
    S = root[:, None] * (unit.mT @ unit).clamp_min(0) * root
    scale = S.sum(dim=0).clamp_min(_NONE).rsqrt()
    values, vectors = torch.linalg.eigh(scale[:, None] * S * scale)
    falls = values.flip(0).diff().neg()[1 : max(2, len(values) // 4)]  # two groups at least, four components in each
    K = 2 + int(falls.argmax())
    E = vectors[:, -K:]
    order = qr(E.mT.numpy(), pivoting=True, mode="r")[1]  # pyright: ignore[reportGeneralTypeIssues]
    pivots = torch.from_numpy(order[:K].astype("int64"))
    left, _, right = torch.linalg.svd(E[pivots].mT)
    return (E @ (left @ right)).abs().argmax(dim=1)
