"""What methods make of all beds, beside what needs no method: the rows of a table over levels. Chapter 17."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from superpos.apart.decomposition import Decomposition
from superpos.apart.submissions import Submission
from superpos.apart.trivial import TRIVIAL, truth
from superpos.beds import Bed, bed
from superpos.beds.scoring import Score
from superpos.beds.scoring.matching import likeness
from superpos.beds.scoring.values import mean

MARK, NONE = "*", "–"
UNLABELLED = "-unlabelled"  # ends the name of a method whose groups were made without labels
WORDS = {  # of the methods of `scripts/submissions.py`; another one has the name that it was given
    "spd": "SPD as published",
    "spd-input": "SPD, gates read all",
    "spd-weighted": "SPD, and weighted",
    "apd": "APD",
}
HEAD = ("bed", "cut by", "R², labels", "R², no labels", "cosine", "at work", "control cosine")
_SHOWN = ("neurons", "each weight alone", "truth")


@dataclass(frozen=True)
class Known:
    """The scores that tell whether circuits were found, of a decomposition that needs no method. Chapter 17."""

    r2: Score
    cosine: Score
    l0: Score


@dataclass(frozen=True)
class Row:
    """A method on a bed, with labels of what is active and without; one of them may not be there. Chapter 17."""

    bed: str
    method: str
    labelled: Submission | None
    unlabelled: Submission | None

    @property
    def best(self) -> Submission:
        """The submission with labels, or that without, if there is no other."""
        found = self.labelled or self.unlabelled
        assert found is not None
        return found

    @property
    def words(self) -> str:
        """The method's name for a reader."""
        return WORDS.get(self.method, self.method)


def known(of: Bed) -> dict[str, Known]:
    """The truth and what needs no method, by name, with the scores that submissions are held against. Chapter 17.

    A bed with a matrix of more weights than `superpos.apart.trivial.LARGEST` has no "each weight alone".
    """
    found = {}
    for name, made in {"truth": truth, **TRIVIAL}.items():
        try:
            d = made(of)
        except ValueError:
            continue
        cosine, r2 = likeness(of.held, _double(d)).crossed()
        gates = torch.cat([d.gates[part.path] for part in of.matrices], dim=1)
        found[name] = Known(mean(r2.mean(dim=0)), mean(cosine.mean(dim=0)), mean(gates.double().sum(dim=1)))  # 0 or 1
    return found


def beaten(s: Submission, others: Mapping[str, Known]) -> list[str]:
    """What needs no method, finds as much as a submission and has no more components at work. Chapter 17."""
    trivial = {name: k for name, k in others.items() if name in TRIVIAL}
    return [name for name, k in trivial.items() if k.r2.value >= s.r2.value and k.l0.value <= s.l0.value]


def by_method(found: Sequence[Submission]) -> list[Row]:
    """Submissions by bed and method, those with labels beside those without, in the order in which they come."""
    pairs: dict[tuple[str, str], dict[bool, Submission]] = {}
    for s in found:
        pairs.setdefault((s.bed, s.method.removesuffix(UNLABELLED)), {})[s.labels] = s
    return [Row(*name, pair.get(True), pair.get(False)) for name, pair in pairs.items()]


def table(found: Sequence[Submission]) -> list[list[str]]:
    """The cells of a table over all beds that have a submission, without its head, which is `HEAD`. Chapter 17.

    A submission has a mark where something that needs no method finds as much with no more at work. A bed on which
    neurons are better than the truth, by what methods minimise, is said to be not identifiable.
    """
    rows = by_method(found)
    return [cells for name in dict.fromkeys(row.bed for row in rows) for cells in _of_bed(bed(name), rows)]


def _of_bed(of: Bed, rows: Sequence[Row]) -> Iterator[list[str]]:
    others = known(of)
    called = of.name + ("" if of.identifiable else " (not identifiable)")
    for row in rows:
        if row.bed == of.name:
            mark = MARK if beaten(row.best, others) else ""
            r2 = [NONE if s is None else _figure(s.r2) for s in (row.labelled, row.unlabelled)]
            null = row.best.control_cosine
            control = NONE if null is None else f"{null.value:.3f}".replace("-", "−")
            yield [called, row.words + mark, *r2, f"{row.best.cosine.value:.2f}", f"{row.best.l0.value:.1f}", control]
    for name in _SHOWN:
        if name in others:
            k = others[name]
            yield [called, name, f"{k.r2.value:.2f}", NONE, f"{k.cosine.value:.2f}", f"{k.l0.value:.1f}", NONE]


def _figure(score: Score) -> str:
    return f"{score.value:.2f} ± {score.standard_error:.2f}"


def _double(d: Decomposition) -> Decomposition:
    V, U = ({path: x.double() for path, x in factors.items()} for factors in (d.V, d.U))
    return Decomposition(V, U, d.group, d.gates, d.about)
