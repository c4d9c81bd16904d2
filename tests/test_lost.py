"""The page for addresses that lead nowhere, wherever the book is and whatever folder the address names."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Quiet, listen, needs_browser, until
from bs4 import BeautifulSoup
from built_book import PAGES, SITE, html
from superbook import lost
from superbook.address import Address
from visits import unfit


class Lost(Quiet):
    """As static hosts do it: 404.html in the place of what is missing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        body = (Path(self.directory) / self.server.folder / "404.html").read_bytes()  # type: ignore[attr-defined]
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")


@contextmanager
def hosted(root: Path, folder: str) -> Iterator[str]:
    """A server whose folder of this name holds the book."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Lost, directory=str(root))) as server:
        server.folder = folder  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_it_lists_the_book():
    soup = html("404")
    there = [str(link["data-to"]) for link in soup.select("li a")]
    assert there == [f"{page}.html" for page in PAGES[1:]]
    assert all(link["href"] == f"/{link['data-to']}" for link in soup.select("a"))
    assert soup.select_one('form[role="search"] input[name="q"]')
    assert soup.select_one('meta[name="robots"][content="noindex"]')


def test_with_an_address_it_needs_no_script():
    contents = [("A & B", {"book/a.html": "1. <A>"})]
    soup = BeautifulSoup(lost.page("The book", contents, Address("https://a.org/b/")), "html.parser")
    assert [link["href"] for link in soup.select("a")] == ["https://a.org/b/index.html", "https://a.org/b/book/a.html"]
    assert [form["action"] for form in soup.select("form")] == ["https://a.org/b/search.html"]
    assert not soup.select("script")
    assert "1. <A>" in soup.get_text()


@needs_browser
@pytest.mark.parametrize("folder", ["", "a book"])
def test_its_links_lead_from_any_depth(folder, browser, tmp_path):
    """In a folder of a server, of which it knows nothing, too; and axe finds nothing in it, light or dark."""
    if folder:
        (tmp_path / folder).symlink_to(SITE)
    with hosted(tmp_path if folder else SITE, folder) as address, browser.new_context() as context:
        root = f"{address}{folder}/".replace(" ", "%20") if folder else address
        for missing in ("nothing.html", "book/nothing.html", "book/deep/er/"):
            page, faults = context.new_page(), []
            listen(page, address, faults, missing)
            page.goto(root + missing, wait_until="networkidle")
            until(page, f"() => document.querySelector('li a').href === '{root}book/01-storing.html'")
            assert page.evaluate("document.querySelector('form').action") == f"{root}search.html"
            assert [fault for fault in faults if " 404 " not in fault and "status of 404" not in fault] == []
        if not folder:
            assert unfit(page) == []
            page.emulate_media(color_scheme="dark")
            assert unfit(page, []) == []
            page.get_by_role("searchbox").fill("slots")
            page.keyboard.press("Enter")
            page.wait_for_url("**/search.html?q=slots")


@needs_browser
def test_from_a_disk_its_links_are_beside_it(browser):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((SITE / "404.html").as_uri())
        assert page.evaluate("document.querySelector('li a').href") == (SITE / "book/01-storing.html").as_uri()
