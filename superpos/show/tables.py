"""Tables of a chapter, and the numbers in its prose."""

from collections.abc import Sequence

from IPython.display import Markdown, display

from superpos.words import number

_RECORD = "application/papermill.record/"


def table(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> Markdown:
    """A table; numbers are written as `words.number` writes them."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return Markdown("\n".join(lines))


def say(**values: str | float) -> None:
    """Give the prose its numbers: `say(rms=0.03)` in a cell, then {glue:text}`rms` in the text (`_` becomes `-`)."""
    for name, value in values.items():
        # What myst_nb.glue(…, display=False) leaves in the notebook, without importing Sphinx for it (4 s a chapter).
        record = {"name": name.replace("_", "-"), "mime_prefix": _RECORD}
        display({f"{_RECORD}text/plain": repr(_cell(value))}, metadata={"scrapbook": record}, raw=True)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
