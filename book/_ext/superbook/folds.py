"""Folded code: one fold for what a figure, a table or a check was made by, named after it.

A chapter makes a figure in several short cells; a reader who opens its code wants all of it, and nothing between. The
fold stands below what the code made: one looks first.
"""

from collections.abc import Iterator

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

from .pages import fold_title, folded


def cells(doctree: nodes.document) -> Iterator[nodes.container]:
    """The code cells of a page, in order."""
    yield from (n for n in doctree.findall(nodes.container) if n.get("nb_element") == "cell_code")


def source(cell: nodes.container) -> HideCodeCellNode | None:
    """The folded code of a cell; none if its code is shown, or left out."""
    return next((n for n in cell.children if isinstance(n, HideCodeCellNode)), None)


def numbered(app: Sphinx, docname: str, cell: nodes.container) -> str:
    """The number of the figure that a cell draws; empty if it draws none."""
    numbers = app.env.toc_fignumbers.get(docname, {}).get("figure", {})
    found = [numbers[name] for figure in cell.findall(nodes.figure) for name in figure["ids"] if name in numbers]
    return ".".join(map(str, found[0])) if found else ""


def title(app: Sphinx, docname: str, cell: nodes.container) -> str:
    """What the fold of a cell is called: by what the cell shows."""
    if number := numbered(app, docname, cell):
        return f"Code of Fig. {number}"
    if "claims.check(" in cell.astext():
        return "Code of this check"
    if next(cell.findall(nodes.table), None) is not None or "<table" in cell.astext():
        return "Code of this table"
    if len(cell.children) > 1:
        return "Code of what is shown here"
    return "Imports" if cell.astext().lstrip().startswith(("import ", "from ")) else "Code"


def follower(cell: nodes.container) -> nodes.container | None:
    """The folded cell that stands directly behind a folded cell which shows nothing."""
    if source(cell) is None or len(cell.children) > 1:
        return None
    after = next(iter(cell.findall(descend=False, siblings=True, include_self=False)), None)
    if not isinstance(after, nodes.container) or after.get("nb_element") != "cell_code":
        return None
    return after if source(after) is not None else None


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Join the folds that make one thing together, and name each; imports stay by themselves."""
    for cell in list(cells(doctree)):
        after, mine = follower(cell), source(cell)
        if after is not None and mine is not None and title(app, docname, cell) != "Imports":
            theirs = source(after)
            assert theirs is not None
            theirs[:0] = mine.children
            cell.parent.remove(cell)
    for cell in cells(doctree):
        if (hidden := source(cell)) is not None:
            name = fold_title("", title(app, docname, cell))
            cell.remove(hidden)
            cell.append(folded("", name, *hidden.children, classes=["code-fold"]))  # below what it made
