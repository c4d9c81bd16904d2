"""The address of the book: while there is none, nothing refers to one. With an address: see test_small_book.py."""

import pytest
from built_book import PAGES, ROOT, SITE, buttons, html, size, stated
from superbook.cards import SIZE


def test_binder_installs_what_the_book_is_made_with():
    pins = {line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    lines = [line for line in (ROOT / ".binder/requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == ".[book]"
    assert set(lines[1:]) <= pins
    assert "jupytext" in "".join(lines)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_refers_to_an_address_that_is_unknown(page):
    soup = html(page)
    assert stated(soup, "canonical") is None
    assert stated(soup, "og:url") is None
    assert not buttons(soup)
    card = stated(soup, "og:image")
    assert card
    assert size((SITE / f"{page}.html").parent / card) == SIZE
    for text in ("mybinder.org", "colab.research", "https://example.org"):
        assert text not in str(soup)


def test_without_an_address_there_is_no_sitemap():
    assert not (SITE / "sitemap.xml").exists()
    assert (SITE / "robots.txt").read_text() == "User-agent: *\nAllow: /\n"
