"""Whether the latents of a dictionary say which circuits are active."""

from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

from superpos.beds.scoring.evidence import match
from superpos.beds.scoring.held import Held
from superpos.beds.scoring.values import Score, mean
from superpos.checks import check_tensor
from superpos.words import Rows


@dataclass(frozen=True)
class Detection(Rows):
    """How well the best latent of each circuit says whether it is active; means over circuits. Chapter 16.

    That is no evidence for the circuit's weights: at the input it is the same for a network and its shuffled control.

    Attributes:
        precision: of the samples where the latent is on, the share in which the circuit is active.
        recall: of the samples where the circuit is active, the share in which the latent is on.
        f1: the harmonic mean of both.
        mcc: the correlation of on and active, Matthews' coefficient.
        auc: how often a sample with the circuit has a larger latent than one without, of the latent that is best so.
    """

    precision: Score
    recall: Score
    f1: Score
    mcc: Score
    auc: Score

    def rows(self) -> list[tuple[str, str]]:
        """The figures in words."""
        return [(words, str(getattr(self, name))) for name, words in _WORDS]


_WORDS = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"), ("mcc", "MCC"), ("auc", "AUC"))


def latents(held: Held, activations: Float[Tensor, "B K"]) -> Detection:
    """How well a dictionary's latents say which circuits are active. Chapter 16.

    For each circuit the latent and the threshold with the best F1 on the even held-out samples are taken, and scored
    on the odd ones. A latent is on where it is above its threshold. A circuit that is active on none of the even or of
    the odd samples, or on all of them, is left out.

    Args:
        held: the bed.
        activations: of all latents on the held-out samples.

    Raises:
        TypeError, ValueError: if they are no finite floating-point tensor of this shape.
    """
    check_tensor("activations", activations, {"B": len(held.active), "K": None})
    both = [half.any(dim=0) & ~half.all(dim=0) for half in (held.active[::2], held.active[1::2])]
    if not (both[0] & both[1]).any():
        raise ValueError("no circuit is active on some of the even and some of the odd held-out samples")
    found = match(activations.detach().cpu().double(), held.active[:, both[0] & both[1]])
    return Detection(**{field.name: mean(getattr(found, field.name)) for field in fields(found)})
