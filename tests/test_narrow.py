"""Tables and code for a narrow page: which tables become cards, and where a line of code goes on."""

import pytest
from built_book import PAGES, article, cells
from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.python import PythonLexer
from superbook import listings, tables

CODE = """def f(x):
    \"\"\"One.

    Two.\"\"\"
    return [
        x,
    ]
"""


def table(*rows):
    """A table of these cells, the first row its head; a cell that begins with $ is a formula."""

    def cell(text):
        inner = nodes.math(text, text[1:]) if text.startswith("$") else nodes.Text(text)
        return nodes.entry("", nodes.paragraph("", "", inner) if text else nodes.comment())

    head, *body = [nodes.row("", *map(cell, row)) for row in rows]
    return nodes.table("", nodes.tgroup("", nodes.thead("", head), nodes.tbody("", *body)))


def mended(*rows):
    """The classes of a table and of its cells, and what stands in them."""
    made = table(*rows)
    tables.mend(None, nodes.section("", made), "page")  # type: ignore[arg-type]
    body = next(made.findall(nodes.tbody))
    rows = [row.findall(nodes.entry) for row in body.findall(nodes.row)]
    return made["classes"], [[(cell["classes"], cell.astext()) for cell in row] for row in rows]


def test_a_table_that_fits_stays_one():
    """2 + 16 + 3·2 letters and a formula of 3 are fewer than 40."""
    classes, [row] = mended(["z", "width", r"$\\sqrt{zTS}"], ["12", "sixteen letters.", ""])
    assert not classes
    assert row == [(["short"], "12"), (["short"], "sixteen letters."), (["empty"], "")]


def test_one_that_does_not_becomes_cards():
    """Each cell has the name of its column, a formula as one; the first has it where it is a figure."""
    classes, [first, second] = mended(
        ["n", "$z=1", "measured", "allowed"],
        ["1,000", "106,276 / 166,833", "2,883 ± 101", "2,883 ± 311"],
        ["more", "", "2,883 ± 101", "none, of course"],
    )
    assert classes == ["cards"]
    assert [text for _, text in first] == [
        "n\n\n1,000", "z=1\n\n106,276 / 166,833", "measured\n\n2,883 ± 101", "allowed\n\n2,883 ± 311",
    ]  # fmt: skip
    assert [kinds for kinds, _ in first] == [["short"], ["long"], ["short"], ["short"]]
    assert second[:2] == [(["short"], "more"), (["empty"], "")]


def test_a_card_may_say_what_its_title_is():
    """24 letters of sentences, 14 of code, 8 of chapters and 3 gaps of 2 are more than 40."""
    row = ["$T", "number of small circuits, and what else", "circuits.shape", "chapters"]
    assert mended(["symbol", "meaning", "in code", "where"], row)[0] == ["cards", "described"]
    assert mended(["symbol", "meaning"], row[:2])[0] == []


def test_cards_named_by_numbers_keep_what_they_number():
    """Without the first name, "error at layer", nobody knows what a 2 above a figure is."""
    row = ["as published", "0.00843", "0.132 ± 0.001", "0.639 ± 0.002"]
    assert mended(["error at layer", "2", "3", "4"], row)[0] == ["cards", "headed"]
    assert mended(["error at layer", "2", "3", "last"], row)[0] == ["cards"]


def test_a_cell_that_spans_others_is_left():
    wide = table(["a" * 20, "b" * 20, "c" * 20], ["1", "2", "3"])
    next(wide.findall(nodes.entry))["morecols"] = 1
    assert list(tables.plain_tables(nodes.section("", wide))) == []  # type: ignore[arg-type]


def test_a_line_of_code_is_an_element():
    made = highlight(CODE, PythonLexer(), listings.Lines())
    starts = [part.split(">")[0] for part in made.split('<span class="line"')[1:]]
    assert starts == ["", *[f' style="--by: {by}ch"' if by else "" for by in (4, 0, 4, 4, 8, 4)]]
    plain = highlight(CODE, PythonLexer(), HtmlFormatter())
    assert listings.MARKUP.sub("", made) == listings.MARKUP.sub("", plain)


@pytest.mark.parametrize("page", [page for page in PAGES if cells(page)])
def test_code_on_the_page_is_the_cell_that_ran(page):
    """Also what the button copies: no letter and no line is added."""
    shown = [code.get_text().strip("\n") for code in article(page).select(".cell_input pre")]
    ran = [cell["source"].strip("\n") for cell in cells(page)]
    assert set(shown) <= set(ran)
