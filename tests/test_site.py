"""The built site: nothing from elsewhere, no dead link, and every page sound in a browser, however wide or dark."""

import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest
from built_book import PAGES, SITE, html
from playwright.sync_api import ConsoleMessage, Page, Request, Response, sync_playwright

BUILT = [*PAGES, "search"]
FETCHES = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHROMIUM_FLAGS += ["--disable-background-networking", "--disable-component-update"]


def elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc) or address.startswith("//")


@pytest.mark.parametrize("page", BUILT)
def test_page_loads_nothing_from_elsewhere(page):
    soup = html(page)
    loaded = [str(tag[attr]) for name, attr in FETCHES.items() for tag in soup.find_all(name) if tag.has_attr(attr)]
    loaded += [str(tag["href"]) for tag in soup.find_all("link") if tag.has_attr("href")]
    assert not [address for address in loaded if elsewhere(address)]
    inline = "\n".join(tag.get_text() for tag in soup.find_all(["script", "style"]))
    assert not re.findall(r"https?://[^\s\"')]+", inline)
    assert "application/vnd.jupyter.widget" not in str(soup), "a widget without its kernel loads scripts; use a figure"


def test_styles_load_nothing_from_elsewhere():
    for path in SITE.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^\s)]+", path.read_text()), path


@pytest.mark.parametrize("page", BUILT)
def test_links_resolve(page):
    dead = []
    for tag in html(page).find_all("a", href=True):
        link = urlsplit(str(tag["href"]))
        if link.scheme or link.netloc:
            continue
        target = (SITE / f"{page}.html").parent / unquote(link.path) if link.path else SITE / f"{page}.html"
        if not target.resolve().is_file():
            dead.append(tag["href"])
        elif link.fragment and target.suffix == ".html":
            there = html(str(target.resolve().relative_to(SITE.resolve()).with_suffix("")))
            if there.find(id=unquote(link.fragment)) is None:
                dead.append(tag["href"])
    assert not dead


@pytest.mark.parametrize("page", BUILT)
def test_page_describes_itself(page):
    soup = html(page)
    assert soup.title
    assert soup.title.get_text(strip=True)
    descriptions = soup.find_all("meta", attrs={"name": "description"})
    assert [bool(str(tag["content"]).strip()) for tag in descriptions] == [True]
    assert not [str(tag) for tag in soup.find_all("img") if not tag.has_attr("alt")]
    assert not [str(tag) for tag in soup.select("article img") if not str(tag["alt"]).strip()]


@pytest.mark.parametrize("page", BUILT)
def test_no_id_twice(page):
    ids = [str(tag["id"]) for tag in html(page).find_all(id=True)]
    assert not {name for name in ids if ids.count(name) > 1}


@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_our_own(page):
    soup = html(page)
    scripts = [str(tag["src"]) for tag in soup.find_all("script", src=True)]
    if soup.select("article .math"):
        assert [s for s in scripts if "_static/mathjax/tex-chtml-full.js" in s]
    assert (SITE / "_static/mathjax/tex-chtml-full.js").is_file()
    assert len(list((SITE / "_static/mathjax/output/chtml/fonts/woff-v2").glob("*.woff"))) > 20


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site, served on the loopback."""
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def listen(page: Page, address: str, faults: list[str], where: str) -> None:
    """Note every request to elsewhere, every one that fails, and every error."""

    def request(asked: Request) -> None:
        if not asked.url.startswith((address, "data:", "blob:")):
            faults.append(f"{where}: asks for {asked.url}")

    def response(answer: Response) -> None:
        if answer.status >= 400:
            faults.append(f"{where}: {answer.status} {answer.url}")

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"{where}: {message.text}")

    page.on("request", request)
    page.on("response", response)
    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"{where}: {error}"))


OVERFLOW = """() => [document.documentElement, ...document.querySelectorAll('.bd-article-container')]
    .map(box => box.scrollWidth - box.clientWidth).filter(excess => excess > 0)"""
MATHS = "() => window.MathJax?.startup?.promise?.then(() => document.querySelectorAll('mjx-merror').length)"


@pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium here: apt-get install chromium"
)
def test_pages_in_a_browser(address):
    """No request to elsewhere, no failed one, no error, no formula that fails, nothing wider than the window."""
    assert CHROMIUM, "CI must have Chromium: apt-get install chromium"
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
            for name in BUILT:
                page, where = context.new_page(), f"{name}, {scheme}"
                listen(page, address, faults, where)
                page.goto(f"{address}{name}.html", wait_until="load")
                if page.evaluate(MATHS):
                    faults.append(f"{where}: a formula that MathJax cannot set")
                for width in (1280, 390):
                    page.set_viewport_size({"width": width, "height": 900})
                    if excess := page.evaluate(OVERFLOW):
                        faults.append(f"{where}: {excess} px too wide at {width}")
                page.close()
            context.close()
        browser.close()
    assert not faults, "\n".join(faults)
