"""Finished HTML, cut by its text; and what is made once."""

import pytest
from bs4 import BeautifulSoup
from built_book import PAGES, SITE
from superbook import markup
from superbook.places import kept


def test_an_element_ends_where_it_is_closed():
    page = '<p>a</p><div id="x"><div>b<br></div><divider></divider></div><div>c</div>'
    assert markup.named(page, "x") == '<div id="x"><div>b<br></div><divider></divider></div>'
    assert markup.named(page, "y") == ""
    with pytest.raises(ValueError, match="not closed"):
        markup.end("<div><div></div>", 0)
    with pytest.raises(ValueError, match="no element"):
        markup.end("text", 0)


@pytest.mark.parametrize("page", ["index", "book/03-embedding-matrix", "book/notation"])
def test_a_lean_page_says_the_same(page):
    """All that a reader of MathML has, and nothing of what is drawn; the page is much smaller."""
    assert page in PAGES
    whole = (SITE / f"{page}.html").read_text()
    small = markup.lean(whole)
    read = BeautifulSoup(whole, "html.parser")
    for drawn in read.select(".katex-html"):
        drawn.decompose()
    assert str(BeautifulSoup(small, "html.parser")) == str(read)
    assert len(small) < len(whole)


def test_a_thing_is_made_once(tmp_path, monkeypatch):
    made = []

    def make() -> bytes:
        made.append(1)
        return b"x"

    monkeypatch.setenv("BOOK_KEPT", str(tmp_path / "kept"))
    assert [kept("a", ".png", make), kept("a", ".png", make)] == [b"x", b"x"]
    assert len(made) == 1
    assert kept("b", ".png", make) == b"x"
    assert len(made) == 2
    monkeypatch.delenv("BOOK_KEPT")
    kept("a", ".png", make)
    assert len(made) == 3
