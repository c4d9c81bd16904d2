"""Where a method starts: at components that are known, or near them, to tell what it cannot find from what it leaves.
Chapter 17.
"""

from collections.abc import Sequence

import torch

from superpos.apart.spd import Options, Spd
from superpos.apart.target import Target
from superpos.beds.cuts import Cut
from superpos.checks import check_number
from superpos.sampling import generator

__all__ = ["started"]


def started(target: Target, options: Options, seeds: Sequence[int], cut: Cut, *, noise: float = 0.0) -> Spd:
    """SPD before its first step, with the components of a cut; their gates are drawn as ever. Chapter 17.

    What there is of components beside those of the cut writes nothing at first, but can learn to.

    Args:
        target: the network.
        options: with as many components as the cut has in any matrix, or more.
        seeds: of gates, of noise and of what is drawn in training; one start for each.
        cut: the components, by the paths of the target's matrices.
        noise: the size of what is added to each factor, as a share of its own.

    Raises:
        ValueError: if the cut has more components than `options` allows.
    """
    check_number("noise", noise, at_least=0.0)
    model = Spd(target, options, seeds)
    for k, m in enumerate(target.apart):
        live = cut.V[m.path].any(dim=0) & cut.U[m.path].any(dim=0)  # not the pieces of weights that are 0
        V, U = cut.V[m.path][:, live].float(), cut.U[m.path][:, live].float()
        n = V.shape[1]
        if n > options.components:
            raise ValueError(f"options has {options.components} components; the cut has {n} in the matrix {m.path!r}")
        even = (U.norm(dim=0) / V.norm(dim=0)).sqrt()
        with torch.no_grad():
            model.V[k].zero_()
            for r, seed in enumerate(seeds):
                for held, F in ((model.V[k][r, :, :n], V * even), (model.U[k][r, :n].mT, U / even)):
                    drawn = torch.randn(F.shape, generator=generator(seed, f"noise {k}"))
                    held.copy_(F + noise * F.norm(dim=0) / len(F) ** 0.5 * drawn)
    return model
