"""Old addresses: where a page was, a small page stays that leads to where what it held is now.

With JavaScript it goes there at once; without, it shows the links, that of the name behind the "#" marked.
"""

import html
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from .markup import article, lean
from .places import ROOT

ID = re.compile(r'<[a-zA-Z][^<>]*?\sid="([^"]+)"')
LEADS = (
    "const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));"
    'location.replace((named || document.querySelector("a")).href);'
)
LOOK = (
    "html{color-scheme:light dark;background:Canvas}"
    "body{font:1.1rem/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    ":target{outline:3px solid;outline-offset:2px}"
)


def moves() -> dict[str, list[str]]:
    """The pages that each old page became, by the old one."""
    file = ROOT / "book/moved.yml"
    return yaml.safe_load(file.read_text(encoding="utf8")) if file.exists() else {}


def before(page: str) -> list[str]:
    """The old pages of which this one is the first that they became."""
    return [old for old, pages in moves().items() if pages[0] == page]


def names(page: str) -> list[str]:
    """All names that an address of this page can end in, in the order of the page; it is given as HTML."""
    return [html.unescape(name) for name in ID.findall(lean(article(page)))]


def leading(old: str, titles: Mapping[str, str], places: Mapping[str, str]) -> str:
    """The page that stays at an old address.

    Args:
        old: the old page.
        titles: of the pages that it became.
        places: the page that has each name now.
    """

    def link(page: str, name: str, text: str) -> str:
        target = posixpath.relpath(f"{page}.html", posixpath.dirname(old))
        known = f' id="{html.escape(name)}"' if name else ""
        hash_ = f"#{html.escape(name)}" if name else ""
        return f'<li><a{known} href="{html.escape(target)}{hash_}">{html.escape(text)}</a></li>'

    pages = "\n".join(link(page, "", title) for page, title in titles.items())
    parts = "\n".join(link(page, name, name) for name, page in places.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<title>This page has moved</title>\n'
        f"<style>{LOOK}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>This page has moved</h1>\n<p>What stood here is now in</p>\n<ul>\n{pages}\n</ul>\n"
        f"<h2>Its parts</h2>\n<ul>\n{parts}\n</ul>\n</main>\n<script>{LEADS}</script>\n</body>\n</html>\n"
    )


def found(pages: Iterable[str], site: Path) -> dict[str, str]:
    """The page on which each name stands: the first of them that has it."""
    places: dict[str, str] = {}
    for page in pages:
        for name in names((site / f"{page}.html").read_text(encoding="utf8")):
            places.setdefault(name, page)
    return places


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """A page at each old address; one that is a page of the book is an error."""
    if exception is not None:
        return
    for old, pages in moves().items():
        if strange := [page for page in pages if page not in app.env.all_docs]:
            raise ExtensionError(f"book/moved.yml: {old} leads to {strange[0]!r}, which is no page of the book")
        if old in app.env.all_docs:
            raise ExtensionError(f"book/moved.yml: {old} is a page of the book")
        titles = {page: app.env.titles[page].astext() for page in pages}
        path = Path(app.outdir) / f"{old}.html"
        path.write_text(leading(old, titles, found(pages, Path(app.outdir))), encoding="utf8")
