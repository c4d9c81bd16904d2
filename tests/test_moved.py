"""Old addresses lead to where what they named is now, with and without JavaScript."""

import posixpath

import pytest
from browser import aside, chromium, needs_browser, served
from built_book import PAGES, html
from superbook import moved

MOVED = moved.moves()
NEW = {"book/new": "Code & more", "book/other": "Another"}


def test_names_are_those_of_the_article():
    page = '<p id="menu"></p><article class="bd-article"><h1 id="a">A</h1><p><i id="b"></i></p></article>'
    assert moved.names(page) == ["a", "b"]
    assert moved.names("<p id='a'></p>") == []


def test_first_page_that_has_a_name_is_led_to(tmp_path):
    for page, ids in (("one", "ab"), ("two", "bc")):
        inside = "".join(f'<p id="{name}"></p>' for name in ids)
        (tmp_path / f"{page}.html").write_text(f'<article class="bd-article">{inside}</article>')
    assert moved.found(["one", "two"], tmp_path) == {"a": "one", "b": "one", "c": "two"}


def test_page_escapes_what_it_is_told():
    page = moved.leading("book/old", NEW, {"fig-a": "book/other"})
    assert "Code &amp; more" in page
    assert '<a id="fig-a" href="other.html#fig-a">' in page


@pytest.mark.parametrize("old", MOVED)
def test_links_lead_to_pages_and_names_that_are_there(old):
    links = html(old).select("main a")
    assert len(links) > 20, f"{old} leads to next to nothing"
    for link in links:
        path, _, name = str(link["href"]).partition("#")
        page = posixpath.normpath(posixpath.join("book", path)).removesuffix(".html")
        assert page in PAGES, link
        assert not name or html(page).find(id=name) is not None, f"{page} has no {name}"


@needs_browser
@pytest.mark.parametrize(
    ("address", "lands"),
    [
        ("book/08-many-layers.html", "book/07-many-layers.html"),
        ("book/08-many-layers.html#fig-usable", "book/08-usable-circuits.html#fig-usable"),
        ("book/04-reading.html#fig-read-off", "book/03-embedding-matrix.html#fig-read-off"),
        ("book/04-reading.html#no-such-name", "book/03-embedding-matrix.html"),
    ],
)
def test_a_browser_goes_there(address, lands):
    def goes() -> None:
        with served() as site, chromium() as browser:
            page = browser.new_page()
            page.goto(f"{site}{address}")
            page.wait_for_url(f"{site}{lands}", timeout=10_000)

    aside(goes)
