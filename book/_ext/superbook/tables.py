"""Tables on a narrow page: those that do not fit become cards, one for each row.

The first cell of a row is then its title, and every other cell has the name of its column above it; so has a title that
is a figure. The names stand in the page already, hidden while the table is one. On a phone a short cell never breaks,
whether there are cards or not.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

ROOM = 40  # letters that stand side by side on a phone
SHORT = 16  # letters that a line is not broken between
BROKEN, PROSE = 11, 24  # letters in a line of a longer one, and of sentences
GAP = 2  # between two columns
FIGURES = re.compile(r"[\d\s.,×±%-]+")
COMMAND = re.compile(r"\\[a-zA-Z]+|\\.")
UNSEEN = re.compile(r"[{}^_\s]")
Table = list[list[nodes.entry]]


def length(node: nodes.Node) -> int:
    """About how many letters wide a text is; a command of TeX is one letter."""
    return sum(len(piece) for piece in pieces(node))


def pieces(node: nodes.Node) -> Iterator[str]:
    """The text from formula to formula; a formula without what is not seen."""
    for text in node.findall(nodes.Text):
        yield UNSEEN.sub("", COMMAND.sub("x", text)) if isinstance(text.parent, nodes.math) else text


def rows_of(table: nodes.table) -> tuple[Table, Table]:
    """The cells of head and body, row by row; none if a cell spans others."""
    parts: list[Table] = []
    for kind in (nodes.thead, nodes.tbody):
        rows = [row for part in table.findall(kind) for row in part.findall(nodes.row)]
        parts.append([[cell for cell in row.children if isinstance(cell, nodes.entry)] for row in rows])
    spans = any(cell.get(name) for part in parts for row in part for cell in row for name in ("morecols", "morerows"))
    return ([], []) if spans else (parts[0], parts[1])


def is_prose(column: list[nodes.entry]) -> bool:
    """Whether its cells are sentences, on the whole."""
    return sum(map(length, column)) > (SHORT + 4) * len(column)


def least(head: nodes.entry, column: list[nodes.entry]) -> int:
    """The letters that a column needs: for the longest word of its head, its short cells, and a line of each other."""
    words = (len(word) for piece in pieces(head) for word in piece.split())
    line = PROSE if is_prose(column) else BROKEN
    return max([*words, *(length(cell) if length(cell) <= SHORT else line for cell in column)])


def kinds(head: list[nodes.entry], columns: list[list[nodes.entry]]) -> list[str]:
    """What becomes of a table on a phone: nothing if it fits; else cards. Described: a card says what its title is.

    Headed: the other columns have numbers for names, and the first name says of what.
    """
    if sum(least(*column) + GAP for column in zip(head, columns, strict=True)) <= ROOM:
        return []
    if all(FIGURES.fullmatch(name.astext()) for name in head[1:]):
        return ["cards", "headed"]
    return ["cards", "described"] if [is_prose(column) for column in columns[:2]] == [False, True] else ["cards"]


def named(cell: nodes.entry, head: nodes.entry) -> None:
    """Put the name of its column into a cell."""
    text = [child.deepcopy() for part in head.children for child in part.children]
    cell.insert(0, nodes.paragraph("", "", *text, classes=["column"]))


def plain_tables(doctree: nodes.document) -> Iterator[tuple[nodes.table, list[nodes.entry], Table]]:
    """The tables with one row of names, and no cell that spans others."""
    for table in list(doctree.findall(nodes.table)):
        head, body = rows_of(table)
        if len(head) == 1 and body and {len(row) for row in body} == {len(head[0])}:
            yield table, head[0], body


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mark the short cells of all tables, and the tables that become cards."""
    for table, head, body in plain_tables(doctree):
        found = kinds(head, [list(column) for column in zip(*body, strict=True)])
        for row in body:
            for cell, name in zip(row, head, strict=True):
                size = length(cell)
                cell["classes"].append("short" if 0 < size <= SHORT else "long" if size else "empty")
                if found and size and (cell is not row[0] or FIGURES.fullmatch(cell.astext())):
                    named(cell, name)
        table["classes"] += found
