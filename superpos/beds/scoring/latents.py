"""Whether the latents of a dictionary say which circuits are active."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.scoring.held import Held
from superpos.beds.scoring.values import Score, mean
from superpos.checks import check_tensor
from superpos.words import Rows


@dataclass(frozen=True)
class Detection(Rows):
    """How well the best latent of each circuit says whether it is active; means over circuits. Chapter 15.

    That is no evidence for the circuit's weights: at the input it is the same for a network and its shuffled control.

    Attributes:
        precision: of the samples where the latent is on, the share in which the circuit is active.
        recall: of the samples where the circuit is active, the share in which the latent is on.
        f1: the harmonic mean of both.
        mcc: the correlation of on and active, Matthews' coefficient.
    """

    precision: Score
    recall: Score
    f1: Score
    mcc: Score

    def rows(self) -> list[tuple[str, str]]:
        """The figures in words."""
        return [(words, str(getattr(self, name))) for name, words in _WORDS]


_WORDS = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"), ("mcc", "MCC"))


def latents(held: Held, activations: Float[Tensor, "B K"]) -> Detection:
    """How well a dictionary's latents say which circuits are active. Chapter 15.

    For each circuit the latent and the threshold with the best F1 on the even held-out samples are taken, and scored
    on the odd ones. A latent is on where it is above its threshold.

    Args:
        held: the bed.
        activations: of all latents on the held-out samples.

    Raises:
        TypeError, ValueError: if they are no finite floating-point tensor of this shape.
    """
    check_tensor("activations", activations, {"B": len(held.active), "K": None})
    a = activations.detach().cpu().double()
    which, threshold = _best(a[::2], held.active[::2])
    on, active = a[1::2, which] > threshold, held.active[1::2]
    hit, false, missed = ((x & y).sum(dim=0).double() for x, y in ((on, active), (on, ~active), (~on, active)))
    rest = len(on) - hit - false - missed
    spread = ((hit + false) * (hit + missed) * (rest + false) * (rest + missed)).sqrt()
    return Detection(
        precision=mean(hit / (hit + false).clamp_min(1)),
        recall=mean(hit / (hit + missed).clamp_min(1)),
        f1=mean(2 * hit / (2 * hit + false + missed).clamp_min(1)),
        mcc=mean((hit * rest - false * missed) / spread.clamp_min(1)),
    )


def _best(a: Float[Tensor, "B K"], active: Tensor) -> tuple[Tensor, Float[Tensor, " T"]]:
    """For each circuit the latent and the threshold between two samples that have the best F1."""
    value, order = a.sort(dim=0, descending=True)
    below = torch.cat([value[1:], value[-1:] - 1])
    count = torch.arange(1, len(a) + 1)[:, None]
    which, threshold = [], []
    for mine in active.T:
        f1 = 2 * mine[order].cumsum(dim=0) / (count + mine.sum())
        best = int(f1.where(value > below, -1.0).argmax())  # a threshold does not part equal values
        row, k = divmod(best, a.shape[1])
        which.append(k)
        threshold.append((value[row, k] + below[row, k]) / 2)
    return torch.tensor(which), torch.stack(threshold)
