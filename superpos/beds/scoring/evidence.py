"""Evidence: how well latents say which circuits are active, circuit by circuit. Chapter 16."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from superpos.checks import check_tensor


@dataclass(frozen=True, eq=False)
class Match:
    """How well the best latent of each circuit says that it is active. Chapter 16.

    Latent and threshold are those of the largest F1 on the even samples; what is here is of the odd ones. The area
    under the curve has a latent of its own, that of the largest area on the even samples.

    Attributes:
        precision: of the samples on which the latent is above the threshold, on how many the circuit is active.
        recall: of the samples on which the circuit is active, on how many the latent is above the threshold.
        f1: their harmonic mean.
        mcc: the correlation of the two, Matthews' coefficient.
        auc: how often a sample with the circuit has a larger latent than one without; ties count one half.
    """

    precision: Float[Tensor, " T"]
    recall: Float[Tensor, " T"]
    f1: Float[Tensor, " T"]
    mcc: Float[Tensor, " T"]
    auc: Float[Tensor, " T"]

    def means(self) -> dict[str, float]:
        """The mean of each over the circuits, by its name."""
        return {field.name: getattr(self, field.name).mean().item() for field in fields(self)}


def match(latents: Float[Tensor, "B K"], active: Bool[Tensor, "B T"]) -> Match:
    """How well latents say which circuits are active: the best latent of each, chosen on other samples. Chapter 16.

    Raises:
        TypeError, ValueError: if `latents` is no batch, `active` has not one row for each, or a circuit is active on
            all samples of a half or on none.
    """
    check_tensor("latents", latents, {"B": None, "K": None})
    if not isinstance(active, Tensor) or active.dtype != torch.bool or active.dim() != 2:
        raise TypeError("active must be a torch.Tensor of bool (B, T)")
    if len(active) != len(latents):
        raise ValueError(f"active has {len(active)} rows; it must have one for each of the {len(latents)} of latents")
    (seen, known), (x, y) = ((latents[k::2], active[k::2]) for k in (0, 1))
    for half in (known, y):
        if not (half.any(dim=0) & ~half.all(dim=0)).all():
            t = int((half.any(dim=0) & ~half.all(dim=0)).logical_not().nonzero()[0])
            raise ValueError(f"active has circuit {t} on all or none of {len(half)} samples; give more samples")
    which, threshold = _best(seen, known)
    said = x[:, which] > threshold
    tp, fp, fn, tn = ((a & b).sum(dim=0).double() for a, b in ((said, y), (said, ~y), (~said, y), (~said, ~y)))
    norm = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt().clamp_min(1)
    by_area, area = areas(seen, known).argmax(dim=0), areas(x, y)
    return Match(
        precision=tp / (tp + fp).clamp_min(1),
        recall=tp / (tp + fn),
        f1=2 * tp / (2 * tp + fp + fn),
        mcc=(tp * tn - fp * fn) / norm,
        auc=area.gather(0, by_area[None])[0],
    )


def areas(latents: Float[Tensor, "B K"], active: Bool[Tensor, "B T"]) -> Float[Tensor, "K T"]:
    """The area under the curve of every latent for every circuit, from ranks (Mann and Whitney). Chapter 16."""
    ordered = latents.mT.sort(dim=1).values.contiguous()
    given = latents.mT.contiguous()
    ranks = (torch.searchsorted(ordered, given) + torch.searchsorted(ordered, given, right=True) + 1).double() / 2
    on = active.double()
    n = on.sum(dim=0)
    return (ranks @ on - n * (n + 1) / 2) / (n * (len(on) - n))


def _best(latents: Float[Tensor, "B K"], active: Bool[Tensor, "B T"]) -> tuple[Tensor, Tensor]:
    """The latent and the threshold of the largest F1 of each circuit: halfway to the next smaller value.

    A threshold just below a sample without the circuit is never the best one.
    """
    ordered, which, threshold = latents.mT.sort(dim=1).values.contiguous(), [], []
    for on in active.mT:
        values = latents[on].sort(dim=0, descending=True).values.mT.contiguous()
        below = torch.searchsorted(ordered, values)
        right = torch.arange(1, values.shape[1] + 1, device=values.device)
        f1 = torch.where(below > 0, 2 * right / (len(latents) - below + len(right)), -1.0)  # never yes to all
        k, i = divmod(int(f1.argmax()), len(right))
        which.append(k)
        threshold.append((values[k, i] + ordered[k, max(0, int(below[k, i]) - 1)]) / 2)
    return torch.tensor(which, device=latents.device), torch.stack(threshold)
