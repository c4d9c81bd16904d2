"""A browser for the tests that open the built site in one, and what it complains about."""

import functools
import gzip
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from built_book import SITE
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium here: apt-get install chromium"
)


T = TypeVar("T")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Packed(Quiet):
    """As a host sends a site: text is compressed, and a connection kept."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        body, text = path.read_bytes(), path.suffix in (".html", ".css", ".js", ".svg", ".json")
        body = gzip.compress(body) if text else body
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        if text:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def served(folder: os.PathLike[str] = SITE, host: type[Quiet] = Quiet) -> Iterator[str]:
    """The address of a folder, by default of the site, on the loopback."""
    handler = functools.partial(host, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium; in CI a machine without it fails, elsewhere the test is skipped (`needs_browser`)."""
    assert CHROMIUM, "CI must have Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def aside(work: Callable[[], T]) -> T:
    """Do this in a thread of its own: the one that holds a browser has an event loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


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


def until(page: Page, condition: str) -> None:
    """Wait for a condition of the page; Playwright's own way needs a script that the pages' policy forbids."""
    for _ in range(50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"after five seconds not yet: {condition}")
