"""The scores of a decomposition of a bed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.part import Part
from superpos.beds.scoring.decomposition import SHARED, Decomposition
from superpos.beds.scoring.held import Held
from superpos.beds.scoring.matching import NOBODY, Likeness, likeness
from superpos.beds.scoring.running import adversarial, replaced
from superpos.beds.scoring.values import Score, mean, off
from superpos.words import Rows

ACTIVE = 0.01  # a gate above it counts as active
LADDER = (20, 40, 80)  # steps of ascent, of which the first is the score


@dataclass(frozen=True)
class Scores(Rows):
    """What a decomposition of a bed is worth; each figure with a standard error over circuits or samples. Chapter 16.

    Groups are matched to circuits once for all matrices, by the Hungarian method; a match is found on one half of the
    weights and scored on the other, so that chance wins nothing.

    Attributes:
        r2: the headline: 1 − |P̂_t − P_t|²/|P_t|², cut at 0, mean over circuits and matrices.
        r2_of: the same of each matrix.
        cosine: ⟨P̂_t, P_t⟩/|P̂_t||P_t|, mean over circuits and matrices.
        purity: of a group's squared inner products with all circuits, the share of its own circuit.
        mmcs, ml2r: for each true piece the largest cosine of any component, and the norm of that component over the
            piece's; means, as papers on such methods give them.
        l0: gates above 0.01, in all matrices of a sample together.
        gate_sum: the sum of the gates.
        needed: how many of the true pieces a sample needs: what l0 is to be held against.
        faithfulness: |W − Σ_c U_c V_cᵀ|²/|W|², over all matrices together; nothing is drawn for it.
        reconstruction: Σ|ŷ − y|²/Σ|y|² of the outputs that count, with components times gates.
        by_groups: the same with the groups of the active circuits alone, whatever the gates say.
        adversarial: the same with the worst masks between the gates and 1, after 20 steps of ascent.
        ladder: the same after more steps.
        components: how many there are in each matrix.
        cap: how many are allowed.
    """

    r2: Score
    r2_of: Mapping[str, Score]
    cosine: Score
    purity: Score
    mmcs: Score
    ml2r: Score
    l0: Score
    gate_sum: Score
    needed: Score
    faithfulness: Score
    reconstruction: Score
    by_groups: Score
    adversarial: Score
    ladder: Mapping[int, Score]
    components: Mapping[str, int]
    cap: Mapping[str, int]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def capped(self) -> bool:
        """Whether no matrix has more components than are allowed."""
        return all(count <= self.cap[path] for path, count in self.components.items())

    def rows(self) -> list[tuple[str, str]]:
        """The scores in words."""
        return [(words, str(getattr(self, name))) for name, words, _ in KINDS]


KINDS = (  # name, in words, and whether more is better (1), less (−1), or neither says anything alone (0)
    ("r2", "R²", 1),
    ("cosine", "cosine", 1),
    ("purity", "purity of groups", 1),
    ("mmcs", "MMCS", 1),
    ("ml2r", "ML2R", 0),
    ("l0", "L0", -1),
    ("gate_sum", "sum of gates", -1),
    ("needed", "true pieces needed", 0),
    ("faithfulness", "error of the weights", -1),
    ("reconstruction", "error with gates", -1),
    ("by_groups", "error with the active groups", -1),
    ("adversarial", "error with the worst masks", -1),
)


def score(held: Held, d: Decomposition, *, capped: bool = True) -> Scores:
    """The scores of a decomposition of a bed. Chapter 16.

    Args:
        held: the bed; of a shuffled one, circuits are those of the original: what is found of them is an artefact.
        d: the decomposition.
        capped: whether to refuse more components than `Held.cap` allows.

    Raises:
        TypeError, ValueError: as `Held.check`.
    """
    held.check(d, capped=capped)
    d = _double(d)
    alike = likeness(held, d)
    cosine, r2 = alike.crossed()
    pieces = [_pieces(part, d.V[part.path], d.U[part.path]) for part in held.matrices]
    chain, y = replaced(held, d, torch.float64), held.outputs
    ladder = adversarial(held, d, LADDER)
    gates = torch.cat([_counted(d, part) for part in held.matrices], dim=1)
    return Scores(
        r2=mean(r2.mean(dim=0)),
        r2_of={part.path: mean(x) for part, x in zip(held.matrices, r2, strict=True)},
        cosine=mean(cosine.mean(dim=0)),
        purity=mean(alike.purity()),
        mmcs=mean(torch.cat([alike for alike, _ in pieces])),
        ml2r=mean(torch.cat([ratio for _, ratio in pieces])),
        l0=mean((gates > ACTIVE).double().sum(dim=1)),
        gate_sum=mean(gates.sum(dim=1)),
        needed=mean(torch.cat([x.flatten(1) for x in held.importance.values()], dim=1).double().sum(dim=1)),
        faithfulness=Score(_faithfulness(held, d), 0.0),
        reconstruction=off(chain.outputs(d.gates), y),
        by_groups=off(chain.outputs(_by_groups(held, d, alike)), y),
        adversarial=ladder[LADDER[0]],
        ladder=ladder,
        components={part.path: d.V[part.path].shape[1] for part in held.matrices},
        cap={part.path: held.cap(part, d.machinery) for part in held.matrices},
        about=dict(d.about),
    )


def _double(d: Decomposition) -> Decomposition:
    """The same in float64."""
    V, U, gates = ({path: x.detach().cpu().double() for path, x in found.items()} for found in (d.V, d.U, d.gates))
    return Decomposition(V, U, {path: x.cpu().long() for path, x in d.group.items()}, gates, d.about)


def _counted(d: Decomposition, part: Part) -> Float[Tensor, "B C"]:
    """The gates that L0 counts: not those of machinery, where that is taken apart as well."""
    gates = d.gates[part.path]
    return gates[:, d.group[part.path] != SHARED] if d.machinery == "decomposed" else gates


def _pieces(part: Part, V: Tensor, U: Tensor) -> tuple[Float[Tensor, " pieces"], Float[Tensor, " pieces"]]:
    """For each true piece that is not 0 the largest cosine of any component, and the ratio of their norms."""
    v, u = (x.transpose(0, 1).flatten(1) for x in (part.V, part.U))
    size = u.norm(dim=0) * v.norm(dim=0)
    v, u, size = v[:, size > 0], u[:, size > 0], size[size > 0]
    norms = U.norm(dim=0) * V.norm(dim=0)
    cosine = (u.mT @ U) * (v.mT @ V) / (size[:, None] * norms).clamp_min(1e-300)
    best, which = cosine.max(dim=1)
    return best, norms[which] / size


def _faithfulness(held: Held, d: Decomposition) -> float:
    """|W − Σ_c U_c V_cᵀ|²/|W|², of W or of the circuits' part of it."""
    goals = [(p, p.W if d.machinery == "decomposed" else p.own_weights) for p in held.matrices]
    left = sum(float((W - d.U[p.path] @ d.V[p.path].mT).square().sum()) for p, W in goals)
    return left / sum(float(W.square().sum()) for _, W in goals)


def _by_groups(held: Held, d: Decomposition, alike: Likeness) -> dict[str, Float[Tensor, "B C"]]:
    """Masks: 1 for the groups of the active circuits, the gates where a component is said to belong to no circuit."""
    matched, active = alike.matching(0, 1), held.active.double()
    circuits = (matched != NOBODY).nonzero()[:, 0]
    on = active.new_zeros(len(active), len(alike.names) + 1)  # the last column for SHARED
    on[:, matched[circuits]] = active[:, circuits]
    masks = {}
    for path, group in d.group.items():
        shared = group == SHARED
        column = torch.searchsorted(alike.names, group).where(~shared, len(alike.names))
        masks[path] = torch.where(shared, d.gates[path], on[:, column])
    return masks
