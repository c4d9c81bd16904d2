"""Decompositions of a bed beside those that need no method. Chapter 16."""

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from superpos.apart.decomposition import Decomposition
from superpos.apart.trivial import TRIVIAL, truth
from superpos.beds import Bed
from superpos.beds.scoring import Scores, score
from superpos.beds.scoring.scores import KINDS

MARK = "*"


@dataclass(frozen=True)
class Table:
    """The scores of decompositions, and beside them those of the truth and of what needs no method. Chapter 16.

    A score is marked where a decomposition without a method reaches it too: by that score, nothing was found.

    Attributes:
        bed: which one, and whether its answer can be found.
        given: the scores of the decompositions, by name; those of a control with its seed.
        trivial: those of the truth and of what needs no method, by name.
        left_out: why others of these are not there.
    """

    bed: str
    given: Mapping[str, Scores]
    trivial: Mapping[str, Scores]
    left_out: Mapping[str, str]

    def won(self, name: str) -> dict[str, list[str]]:
        """Which trivial decompositions reach the scores of the decomposition of that name, by score."""
        mine, found = self.given[name], {}
        for kind, _, better in KINDS:
            reached = [
                other
                for other, scores in self.trivial.items()
                if other in TRIVIAL and better * (_value(scores, kind) - _value(mine, kind)) >= 0
            ]
            if better and reached:
                found[kind] = reached
        return found

    def grid(self) -> list[list[str]]:
        """The cells, row by row, with a head."""
        columns = {**self.given, **self.trivial}
        won = {name: self.won(name) for name in self.given}
        rows = [["score", *columns]]
        for kind, words, _ in KINDS:
            cells = [f"{getattr(s, kind)}{MARK * (kind in won.get(name, ()))}" for name, s in columns.items()]
            rows.append([words, *cells])
        counts = [
            " ".join(f"{count}/{s.cap[path]}" for path, count in s.components.items()) + " too many" * (not s.capped)
            for s in columns.values()
        ]
        return [*rows, ["components", *counts]]

    def notes(self) -> list[str]:
        """What is to be said beside the table."""
        marked = any(self.won(name) for name in self.given)
        said = [f"{MARK} a decomposition that needs no method reaches it"] if marked else []
        return [self.bed, *said, *(f"{name}: {why}" for name, why in self.left_out.items())]

    def figures(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {**asdict(self), "won": {name: self.won(name) for name in self.given}}

    def __str__(self) -> str:
        grid = self.grid()
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines = ["  ".join(f"{x:<{w}}" for x, w in zip(row, widths, strict=True)).rstrip() for row in grid]
        return "\n".join([*lines, *self.notes()])

    def _repr_html_(self) -> str:
        head, *body = ([_marked(cell) for cell in row] for row in self.grid())
        top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
        rows = "".join(
            f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
            for name, *cells in body
        )
        notes = "<br>".join(map(html.escape, self.notes()))
        return f'<table class="scores"><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table><p>{notes}</p>'


def table(bed: Bed, decompositions: Mapping[str, Decomposition], *, trivial: bool = True) -> Table:
    """Decompositions of a bed, or of its shuffled controls, beside those that need no method. Chapter 16.

    Args:
        bed: not shuffled; a decomposition whose `about` has a control is scored on `bed.shuffled(control)`.
        decompositions: by name.
        trivial: whether to score the truth and the others too.

    Raises:
        TypeError, ValueError: if one of them is no decomposition of the bed.
    """
    given = {name: _on(bed, d).score(d) for name, d in decompositions.items()}
    found, left_out = {}, {}
    for name, made in ({"truth": truth, **TRIVIAL} if trivial else {}).items():
        try:
            found[name] = score(bed.held, made(bed), capped=False)
        except ValueError as error:
            left_out[name] = str(error)
    ranked = "" if bed.identifiable else "; not identifiable, outside the ranking"
    return Table(f"{bed.name}, version {bed.version}: {bed.words}{ranked}", given, found, left_out)


def _on(bed: Bed, d: Decomposition) -> Bed:
    """The bed, or its control, that a decomposition is of."""
    seed = d.about.get("control")
    return bed if seed is None else bed.shuffled(seed)


def _marked(cell: str) -> str:
    """A cell in HTML; where there is no room, a page may leave out the spread."""
    value, between, spread = html.escape(cell).partition(" ± ")
    mark = MARK * spread.endswith(MARK)
    return f'{value}<span class="spread">{between}{spread.removesuffix(MARK)}</span>{mark}' if between else value


def _value(scores: Scores, kind: str) -> float:
    return getattr(scores, kind).value
