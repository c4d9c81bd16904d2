"""Tables of a chapter, and the numbers in its prose."""

from collections.abc import Sequence

from IPython.display import Markdown
from myst_nb import glue

from superpos.show.claims import number


def table(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> Markdown:
    """A table; numbers are written as `claims.number` writes them."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return Markdown("\n".join(lines))


def say(**values: str | float) -> None:
    """Give the prose its numbers: `say(rms=0.03)` in a cell, then {glue:text}`rms` in the text (`_` becomes `-`)."""
    for name, value in values.items():
        glue(name.replace("_", "-"), _cell(value), display=False)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
