"""404.html: what a server shows for an address that leads nowhere, whatever folder the address names.

Links of such a page cannot be relative. They begin with the site's address; while that is unknown, a script looks for
the folder, of those in the address, that holds the site. The page loads nothing, so that nothing of it can be missing.
"""

import html
from collections.abc import Iterable, Mapping
from pathlib import Path

from sphinx.application import Sphinx

from .address import Address, published
from .citing import chapter_number
from .moved import LOOK
from .places import parts

FORM = (
    "input,button{font:inherit;padding:.3rem .6rem}h2{font-size:1.1rem}ul{list-style:none;padding:0}li{line-height:1.7}"
)
# A file of this book at the root of the site; the folders are tried from the longest on, so that a book within another
# site finds itself. From a disk, where no server shows this page, it lies at the root.
FIND = """
const lead = root => document.querySelectorAll("[data-to]").forEach(link =>
  link.setAttribute(link.localName === "form" ? "action" : "href", root + link.dataset.to));
async function find() {
  if (location.protocol === "file:") return lead("");
  const folders = location.pathname.split("/").slice(0, -1);
  for (let depth = folders.length; depth > 0; depth--) {
    const root = folders.slice(0, depth).join("/") + "/";
    const found = await fetch(root + "llms.txt", {method: "HEAD"}).catch(() => null);
    if (found?.ok) return lead(root);
  }
}
find();
"""


def page(book: str, contents: Iterable[tuple[str, Mapping[str, str]]], where: Address) -> str:
    """The page; `contents` has the parts of the book, the title of each page by its path."""
    root, script = where.site or "/", "" if where.site else f"<script>{FIND}</script>\n"

    def link(to: str, text: str) -> str:
        return f'<a href="{html.escape(root + to)}" data-to="{html.escape(to)}">{html.escape(text)}</a>'

    listed = "".join(
        f"<h2>{html.escape(part)}</h2>\n<ul>\n"
        + "".join(f"<li>{link(path, title)}</li>\n" for path, title in titles.items())
        + "</ul>\n"
        for part, titles in contents
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="robots" content="noindex">\n<title>No such page: {html.escape(book)}</title>\n'
        f"<style>{LOOK}{FORM}</style>\n</head>\n<body>\n<main>\n<h1>There is no such page</h1>\n"
        f"<p>At this address there is no page of {link('index.html', book)}. Addresses of its pages, figures and "
        "claims stay; perhaps this one was cut or mistyped.</p>\n"
        f'<form role="search" action="{html.escape(root)}search.html" data-to="search.html">\n'
        '<label>Search the book: <input type="search" name="q"></label> <button>Search</button>\n</form>\n'
        f"{listed}</main>\n{script}</body>\n</html>\n"
    )


def write_page(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        return

    def title(name: str) -> str:
        return f"{chapter_number(app, name)}. {app.env.titles[name].astext()}".removeprefix(". ")

    contents = [(part, {f"{name}.html": title(name) for name in names}) for part, names in parts()]
    book = app.config.html_title or app.config.project
    Path(app.outdir, "404.html").write_text(page(book, contents, published()), encoding="utf8")
