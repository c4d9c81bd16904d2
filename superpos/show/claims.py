"""Claims of a chapter, each checked where it is made and recorded for the page *Claims*.

`check` compares a prediction with a measurement. It returns a `Claim`, which a notebook shows as a small box
when it stands last in its cell; one that does not hold raises `ClaimFailed` and so stops the build. Only where
somebody runs the cell by hand, it is shown as what it is, and the notebook goes on.
"""

import html
import math
import os
import re
import warnings
from dataclasses import asdict, dataclass
from typing import Any

from IPython.core.getipython import get_ipython

from superpos.show import mime
from superpos.words import number

RELATIONS = ("≈", "≤", "≥")
KINDS = {
    "derived": "derived beside measured",
    "published": "measured beside published",
    "guard": "guard against change",
}
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KEY = re.compile(r"[A-Za-z][\w:-]*")
_MATHS = re.compile(r"\$([^$]+)\$")
_FAILED = ' style="border: 2px solid #c0392b; border-radius: 6px; padding: 0.7rem 1rem"'  # no page ever shows one


class ClaimFailed(AssertionError):
    """A claim does not hold; the message has all figures."""


@dataclass(frozen=True)
class Claim:
    """What `check` was told; see there for the meaning of each field."""

    name: str
    statement: str
    predicted: float
    measured: float
    standard_error: float
    tolerance: float
    relation: str
    kind: str
    source: str

    @property
    def margin(self) -> float:
        """How far `measured` may lie from `predicted`, in the direction(s) that `relation` restricts."""
        margin = self.tolerance * abs(self.predicted)
        return max(margin, 2 * self.standard_error) if self.relation == "≈" else margin

    @property
    def holds(self) -> bool:
        """Whether the measurement agrees with the prediction; NaN and infinity never do."""
        if not all(map(math.isfinite, (self.predicted, self.measured, self.standard_error))):
            return False
        excess = self.measured - self.predicted
        if self.relation == "≈":
            return abs(excess) <= self.margin
        return (excess if self.relation == "≤" else -excess) <= self.margin

    @property
    def measured_text(self) -> str:
        """The measurement, with its standard error if it has one."""
        error = f" ± {number(self.standard_error, 2)}" if self.standard_error else ""
        return number(self.measured) + error

    @property
    def allowed_text(self) -> str:
        """What the measurement may be."""
        if self.relation == "≈":
            two_errors = 2 * self.standard_error > self.tolerance * abs(self.predicted)
            rule = "2 s.e." if two_errors else f"{100 * self.tolerance:g}%"
            return f"± {number(self.margin, 2)} ({rule})"
        bound = self.predicted + (self.margin if self.relation == "≤" else -self.margin)
        return f"{self.relation} {number(bound)}"

    def __str__(self) -> str:
        figures = (
            f"predicted {self.relation} {number(self.predicted)}",
            f"measured {self.measured_text}",
            f"allowed {self.allowed_text}",
            f"kind: {KINDS[self.kind]}",
            f"source: {self.source}",
        )
        mark = "✓" if self.holds else "✗"
        return f"{mark} {self.statement}\n  " + "; ".join(figures)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/html": self._html(), "text/plain": str(self), mime.CLAIM: asdict(self)}

    def _html(self) -> str:
        cells = {
            "predicted": f"{self.relation} {number(self.predicted)}",
            "measured": self.measured_text,
            "allowed": self.allowed_text,
            "kind": KINDS[self.kind],
            "source": "our own" if self.source == "ours" else self.source,
        }
        terms = "".join(f"<div><dt>{k}</dt><dd>{html.escape(v)}</dd></div>" for k, v in cells.items())
        sign, says, look = ("✓", "holds", "") if self.holds else ("✗", "does not hold", _FAILED)
        mark = f'<span class="claim-mark" role="img" aria-label="{says}">{sign}</span>'
        said = _typeset(self.statement)
        if not self.holds:
            said = f"<strong>This claim does not hold.</strong> {said}"
        return f'<div class="claim" id="claim-{self.name}"{look}><p>{mark} {said}</p><dl>{terms}</dl></div>'


def check(
    name: str,
    statement: str,
    *,
    predicted: float | int,
    measured: float | int,
    standard_error: float | int = 0.0,
    tolerance: float | int = 0.10,
    relation: str = "≈",
    kind: str,
    source: str,
) -> Claim:
    """Check one claim and record it.

    Args:
        name: a slug; the claim's address on its page is `#claim-<name>`.
        statement: one sentence, which may contain `$maths$`.
        predicted, measured, standard_error: the figures, in one unit.
        tolerance: as a fraction of the prediction, in [0, 1).
        relation: "≈" holds if |measured − predicted| ≤ max(tolerance·|predicted|, 2·standard_error);
            "≤" if measured ≤ predicted + tolerance·|predicted|, "≥" likewise.
        kind: what the claim can show. "derived": the prediction was calculated or proved without a look at the
            measurement. "published": a source's number or formula beside our measurement. "guard": the bound was set
            after the measurement, so the claim fails only if something changes.
        source: a key of `book/references.bib`, or "ours".

    Raises:
        ClaimFailed: it does not hold, or a figure is NaN or infinite. In a notebook that somebody runs by hand it is
            a warning instead, and the claim that is returned says what failed.
        TypeError, ValueError: an argument is not as above.
    """
    figures = {"predicted": predicted, "measured": measured, "standard_error": standard_error}
    for argument, value in (figures | {"tolerance": tolerance}).items():
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise TypeError(f"{argument} is {value!r}; it must be a float (or an int)")
    for argument, value in {
        "name": name,
        "statement": statement,
        "relation": relation,
        "kind": kind,
        "source": source,
    }.items():
        if not isinstance(value, str):
            raise TypeError(f"{argument} is {value!r}; it must be a str")
    if not _SLUG.fullmatch(name):
        raise ValueError(f"name is {name!r}; it must be a slug of a–z, 0–9 and single hyphens, like 'read-off-noise'")
    if not statement.strip() or "\n" in statement:
        raise ValueError(f"statement is {statement!r}; it must be one sentence on one line")
    if standard_error < 0:
        raise ValueError(f"standard_error is {standard_error!r}; it must be 0 or more")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}; it must be in [0, 1)")
    if relation not in RELATIONS:
        raise ValueError(f"relation is {relation!r}; it must be one of {', '.join(RELATIONS)}")
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if not _KEY.fullmatch(source):
        raise ValueError(f"source is {source!r}; it must be a key of references.bib, or 'ours'")
    claim = Claim(
        name,
        statement.strip(),
        float(predicted),
        float(measured),
        float(standard_error),
        float(tolerance),
        relation,
        kind,
        source,
    )
    if not claim.holds:
        failure = (
            f"claim {name!r} does not hold: {statement.strip()} (predicted {relation} {predicted!r}, measured "
            f"{measured!r}, standard error {standard_error!r}, tolerance {tolerance!r}, source {source})"
        )
        if not _by_hand():
            raise ClaimFailed(failure)
        warnings.warn(failure, stacklevel=2)
    return claim


def _by_hand() -> bool:
    """Whether somebody at a notebook runs this cell: its front end could ask them for input.

    A program that runs a notebook (the book's build, nbclient, `jupytext --execute`) tells the kernel that it cannot.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if kernel is not None else {}
    return bool(request.get("content", {}).get("allow_stdin")) and not os.environ.get(mime.STATIC)


def _typeset(statement: str) -> str:
    """HTML of a statement, its `$maths$` marked as notebooks and the build of the book read it."""
    parts = _MATHS.split(statement)
    return "".join(
        f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>' if i % 2 else html.escape(part)
        for i, part in enumerate(parts)
    )
