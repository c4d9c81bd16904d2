"""A chapter's file as the cells of a notebook, and back: what was not changed is written as it stood, byte for byte.

Every cell carries its part of the file in its metadata. What MyST adds to Markdown is shown plain; such a cell is
read-only, since no text can be made of it again. Cells that the page hides are folded.
"""

import re
from collections.abc import Callable
from typing import Any

from jupytext.myst import myst_to_notebook, notebook_to_myst
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

OWN = "superpos"  # in the metadata: a cell's part of the file, its place, what is shown for it
LOOKS = {OWN, "jupyter", "collapsed", "scrolled", "trusted", "execution", "editable", "deletable", "ExecuteTime"}
FOLDED = {  # what the page hides -> what the notebook folds
    "hide-input": ("source_hidden",),
    "remove-input": ("source_hidden",),
    "hide-output": ("outputs_hidden",),
    "remove-output": ("outputs_hidden",),
    "hide-cell": ("source_hidden", "outputs_hidden"),
    "remove-cell": ("source_hidden", "outputs_hidden"),
}
OTHER_FORMAT = re.compile(r"^---\n(?:.*\n)*? *format_name: *(?!myst\b)\w+", re.MULTILINE)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
Caption = Callable[[dict[str, Any]], str]  # metadata of a code cell -> what is to stand below it, or nothing


class Locked(ValueError):
    """A cell that is shown plain was changed; the message says which."""


def ours(text: str) -> bool:
    """Whether a file of Markdown is to be opened this way: not if it says that it is of another notebook format."""
    head = text[: text.find("\n---\n", 3) + 5] if text.startswith("---\n") else ""
    return not OTHER_FORMAT.search(head)


def fold(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a code cell, with what folds it in a notebook."""
    hidden = {what: True for tag in metadata.get("tags", []) for what in FOLDED.get(tag, ())}
    return metadata | {"jupyter": metadata.get("jupyter", {}) | hidden} if hidden else metadata


def opened(text: str, plain: Callable[[str], str], caption: Caption) -> NotebookNode:
    """The notebook that is shown for a file's text."""
    notebook = myst_to_notebook(text, add_source_map=True)
    starts = [
        start - (cell.cell_type != "markdown")  # jupytext counts from the line behind the fence
        for start, cell in zip(notebook.metadata.pop("source_map"), notebook.cells, strict=True)
    ]
    lines = text.splitlines(keepends=True)
    pieces = ["".join(lines[a:b]) for a, b in zip([0, *starts], [*starts, len(lines)], strict=True)]
    shown = []
    for place, (cell, piece) in enumerate(zip(notebook.cells, pieces[1:], strict=True)):
        own = {"text": piece, "place": place}
        if cell.cell_type == "markdown" and (said := plain(cell.source)) != cell.source:
            cell.metadata |= {OWN: own | {"shown": said}, "editable": False}
            cell.source = said
        else:
            cell.metadata = NotebookNode(fold(cell.metadata) | {OWN: own})
        shown.append(cell)
        if cell.cell_type == "code" and (said := caption(cell.metadata)):
            own = {"text": "", "place": place, "shown": said}
            shown.append(new_markdown_cell(said, metadata={OWN: own, "editable": False}))
    notebook.cells = shown
    for k, cell in enumerate(shown):
        cell["id"] = f"cell-{k}"
    notebook.metadata.setdefault("kernelspec", KERNEL)
    notebook.metadata[OWN] = {"head": pieces[0], "cells": len(starts)}
    return notebook


def saved(notebook: NotebookNode) -> str:
    """The text of the file: the part of each cell that was not changed, and new text for the others.

    Raises:
        Locked: a cell that is shown plain was changed.
    """
    own = notebook.metadata[OWN]
    text, place, markdown = own["head"], -1, False
    for cell in notebook.cells:
        mine = cell.metadata.get(OWN, {})
        piece, at = written(cell)
        if not piece:
            continue
        if at is not None and at == place + 1:  # as it stood, and behind what it stood behind
            text += piece
        else:
            between = "+++\n\n" if markdown and cell.cell_type == "markdown" else ""
            text = f"{text.rstrip()}\n\n{between}{piece.lstrip()}"
        place, markdown = mine.get("place", -2) if at is not None else -2, cell.cell_type == "markdown"
    return text if place == own["cells"] - 1 else text.rstrip() + "\n"


def written(cell: NotebookNode) -> tuple[str, int | None]:
    """The text of a cell, and its place in the file if nothing but its content can differ from what stands there."""
    mine = cell.metadata.get(OWN)
    if mine and "shown" in mine:
        if cell.cell_type != "markdown" or cell.source != mine["shown"]:
            start = " ".join(mine["shown"].split())[:60]
            raise Locked(
                f"the text that begins “{start}…” is shown with its numbers and boxes in place, so it cannot be "
                "changed here: undo that, and change it in the chapter's file (Open With, Editor)"
            )
        return mine["text"], mine["place"]
    if mine:
        same = as_it_stood(cell, mine["text"])
        if same is not None:
            return same, mine["place"]
    return fresh(cell), None


def as_it_stood(cell: NotebookNode, piece: str) -> str | None:
    """The cell's part of the file, with its present content in it; none if more than the content differs."""
    before = myst_to_notebook(piece).cells
    if len(before) != 1:
        return None
    head, _, tail = piece.rpartition(before[0].source)
    if not before[0].source or cell.source == before[0].source:
        changed = piece if cell.source == before[0].source else None
    else:
        changed = head + cell.source + tail
    after = myst_to_notebook(changed).cells if changed else []
    return changed if len(after) == 1 and alike(cell, after[0]) else None


def alike(cell: NotebookNode, other: NotebookNode) -> bool:
    """The same kind, content and metadata, but for how a cell looks in the notebook."""
    kept = [{k: v for k, v in one.metadata.items() if k not in LOOKS} for one in (cell, other)]
    sources = [one.source.rstrip() if one.cell_type == "markdown" else one.source for one in (cell, other)]
    return cell.cell_type == other.cell_type and kept[0] == kept[1] and sources[0] == sources[1]


def fresh(cell: NotebookNode) -> str:
    """The text of a new cell, or of one whose kind or options were changed; none of an empty one."""
    if not cell.source.strip():
        return ""
    metadata = {key: value for key, value in cell.metadata.items() if key not in LOOKS}
    alone = new_notebook(cells=[NotebookNode(cell | {"metadata": metadata})])
    return notebook_to_myst(alone, default_lexer="ipython3").strip() + "\n"
