"""What makes the pages comfortable to read: how long a chapter takes, previews of what a link points to, sound markup.

The markup is mended where axe finds a fault of the theme or of an extension; `book/_templates` holds the rest.
"""

import html
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

from .markup import article, lean, named
from .places import kept, pages

WORDS_PER_MINUTE = 200
SECONDS = {"figure": 15, "div.math": 10, ".claim": 5}  # for what is looked at: a picture, a displayed formula, a check
SECONDS_PER_LINE = 2  # of code that is shown
NOT_READ = "pre, script, noscript, style, table, details, .explore, .claim, .headerlink, .reading-time"
PREVIEWED = "div.math, figure, div.citation, .proof, .exercise, .claim"  # as in assets/previews.js, with the next two
NOT_PREVIEWED = (
    ".for-narrow, script, noscript, button, details, .headerlink, .explore-sliders, .explore-fault, .explore-said"
)
INTERNAL = re.compile(r'<a class="[^"]*\binternal\b[^"]*" href="([^"#]*#[^"]+)"')
FORGOTTEN = ("id", "tabindex", "href", "name", "aria-busy", "data-folder", "data-frames")  # no id twice, no dead weight
MENDED = {
    '<summary aria-label="Toggle hidden content">': "<summary>",  # a label that hides what the summary says
    ' role="doc-biblioentry"': ' role="listitem"',  # a role that is deprecated, in what is a list already
    '<aside class="margin': '<aside role="note" class="margin',  # a landmark inside a landmark
}


def words(body: str) -> int:
    """How many words a reader reads: no code, no output, no table, no folded solution; a formula is one word."""
    return _words(BeautifulSoup(lean(body), "html.parser"))


def _words(text: BeautifulSoup) -> int:
    for formula in text.select(".math"):
        formula.replace_with(" formula ")
    for other in text.select(NOT_READ):
        other.decompose()
    return len(text.get_text(" ").split())


def minutes(body: str) -> int:
    """How long a page takes, all of it but what is folded: to read its words, to look at the rest."""
    text = BeautifulSoup(lean(body), "html.parser")
    for folded in text.select("details"):
        folded.decompose()
    looked = sum(seconds * len(text.select(kind)) for kind, seconds in SECONDS.items())
    lines = sum(len(code.get_text().strip().splitlines()) for code in text.select(".cell_input pre"))
    return max(1, round(_words(text) / WORDS_PER_MINUTE + (looked + SECONDS_PER_LINE * lines) / 60))


def with_reading_time(body: str) -> str:
    """The page with its reading time under its title."""
    count = int(kept(body, ".minutes", lambda: str(minutes(body)).encode()))
    line = f'<p class="reading-time">About {count} minute{"s"[: count > 1]}</p>'
    return body.replace("</h1>", f"</h1>\n{line}", 1)


def mend_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Mend the body's markup, and tell the reading time of a numbered chapter."""
    body = context.get("body", "")
    for fault, sound in MENDED.items():
        body = body.replace(fault, sound)
    if app.env.toc_secnumbers.get(pagename):
        body = with_reading_time(body)
    context["body"] = body


def copied(target: Tag, page: str) -> str:
    """What a preview shows of `target`: its markup as it is, without ids and links, with addresses from the root."""
    soup = BeautifulSoup(str(target), "html.parser")
    for dropped in soup.select(NOT_PREVIEWED):
        dropped.decompose()
    for tag in soup.find_all(True):
        for name in FORGOTTEN:
            tag.attrs.pop(name, None)
        for name in ("src", "srcset"):
            if tag.get(name):
                tag[name] = posixpath.normpath(posixpath.join(posixpath.dirname(page), str(tag[name])))
    return str(soup).strip()


def linked(pages: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Page and id of everything that another page links to."""
    for page, text in pages.items():
        for href in INTERNAL.findall(article(text)):
            path, _, name = html.unescape(href).partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            if target != page and target in pages:
                yield target, name


def previews(site: Path) -> dict[str, dict[str, str]]:
    """The previews of what other pages link to, by page and id; those of its own a page takes from itself."""
    texts = {page.relative_to(site).as_posix(): page.read_text(encoding="utf8") for page in pages(site)}
    found: dict[str, dict[str, str]] = {}
    for page, name in sorted(set(linked(texts))):
        target = BeautifulSoup(named(texts[page], name), "html.parser").find(id=name)
        if isinstance(target, Tag) and target.css.match(PREVIEWED):
            found.setdefault(page, {})[name] = copied(target, page)
    return found


def write_previews(app: Sphinx, error: Exception | None) -> None:
    """A script for each page that others link to, loaded when such a link is first looked at.

    A script, because a page that is opened from a disk may load one, and nothing else of its folder.
    """
    if error is not None:
        return
    for page, found in previews(Path(app.outdir)).items():
        path = Path(app.outdir, "_static/previews", page).with_suffix(".js")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found, ensure_ascii=False, indent=0)
        path.write_text(f'(window.previews ??= {{}})["{page}"] = {text};\n', encoding="utf8")


def register(app: Sphinx) -> None:
    app.add_css_file("reading.css", priority=810)  # after book.css
    app.add_js_file("tips.js", loading_method="defer")  # the box that previews and notes on terms share
    app.add_js_file("previews.js", loading_method="defer")
    app.add_js_file("scrolling.js", loading_method="defer")
