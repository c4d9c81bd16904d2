"""Searching the book: what its sections say in prose, as a script that the search page alone loads.

Sphinx's own search is left out: it knows code, outputs and the page's furniture as well, and no formula. Each section
is one entry, so is each definition of the package and each reference; book/assets/search.js finds in them and shows
them, by MiniSearch (vendor/minisearch). A script, because a page that is opened from a disk may load one, and nothing
else of its folder.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

from .mathematics import settings
from .pages import fold_title, folded
from .plaintext import plain, text_of

SCRIPTS = ("minisearch/minisearch.js", "search-entries.js", "search.js")
KEPT = "prose of each page"  # in the metadata of a page, while the site is written
# What is no prose: code, what cells print, labels of boxes and folds, and what stands for something else.
SKIPPED = (
    nodes.literal_block, nodes.doctest_block, nodes.comment, nodes.image, nodes.label, nodes.system_message,
    nodes.substitution_definition, addnodes.toctree, addnodes.desc_signature, fold_title,
)  # fmt: skip
TITLES = (nodes.title, nodes.rubric)
LEFT_OUT = {"cell_input", "claims"}  # each claim stands in its chapter as well
LEFT = re.compile(r"\\[A-Za-z]+\*?|[&\\]")  # of a displayed formula: environments, columns, lines
ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[lcr|]*\})?")


@dataclass(frozen=True)
class Entry:
    """A part of a page that can be found.

    Attributes:
        title: of the section, or the name of what is defined.
        anchor: on the page; empty for its beginning.
        text: its prose, formulas as plain text.
        folded: the prose of its folded solutions and hints.
    """

    title: str
    anchor: str
    text: str
    folded: str = ""


def formula(tex: str) -> str:
    """A formula, as a wide page has it, as one line of plain text, in which no command is left."""
    wide, *_ = settings(tex).values()
    return " ".join(LEFT.sub(" ", plain(ENVIRONMENT.sub(" ", wide))).split())


def line(node: nodes.Node) -> str:
    """What a paragraph says."""
    if isinstance(node, nodes.math | nodes.math_block):
        return formula(node.astext())
    if isinstance(node, (*SKIPPED, nodes.raw)):
        return ""
    if isinstance(node, nodes.subscript | nodes.superscript):
        return plain(f"{'_' if isinstance(node, nodes.subscript) else '^'}{{{node.astext()}}}")
    return "".join(map(line, node.children)) if node.children else node.astext()


def apart(node: nodes.Node) -> bool:
    """Whether a node makes an entry of its own; the sections inside boxes have no title, and make none."""
    if isinstance(node, nodes.section):
        return isinstance(next(iter(node.children), None), nodes.title)
    return isinstance(node, addnodes.desc | nodes.citation)


def prose(node: nodes.Node) -> Iterator[str]:
    """Every paragraph of a node, but for what stands apart, what is folded, and what is said elsewhere as well."""
    if isinstance(node, nodes.raw):  # what a cell shows: of it the sentence of a claim
        if 'class="claim"' in node.astext():
            claims = BeautifulSoup(node.astext(), "html.parser").select(".claim > p")
            yield from (text_of(sentence).removeprefix("✓") for sentence in claims)
    elif isinstance(node, nodes.TextElement):
        yield "" if isinstance(node, TITLES) else line(node)
    elif isinstance(node, nodes.Element) and not LEFT_OUT & set(node.get("classes", ())):
        shows = "cell_output" in node.get("classes", ())
        shown = node.findall(lambda inner: isinstance(inner, nodes.caption | nodes.raw))
        yield from (text for inner in shown for text in prose(inner)) if shows else within(node)


def within(node: nodes.Element) -> Iterator[str]:
    """Every paragraph in a node that is its own: neither folded nor apart."""
    own = (child for child in node.children if not (apart(child) or isinstance(child, folded)))
    yield from (text for child in own for text in prose(child))


def inside(node: nodes.Node, wanted: Callable[[nodes.Node], bool]) -> Iterator[nodes.Element]:
    """The nearest nodes of a kind inside a node, those of its entries left to them."""
    for child in node.children:
        if isinstance(child, nodes.Element) and wanted(child):
            yield child
        elif not apart(child):
            yield from inside(child, wanted)


def solution(node: nodes.Node) -> bool:
    return isinstance(node, folded) and "code-fold" not in node["classes"]


def joined(texts: Iterable[str]) -> str:
    return " ".join(" ".join(texts).split())


def named(part: nodes.Element) -> tuple[str, str]:
    """Title and anchor of what makes an entry; a reference has no title."""
    holder = next(part.findall(addnodes.desc_signature)) if isinstance(part, addnodes.desc) else part
    ids = holder.get("ids") or [""]
    title = holder.get("fullname", "") if holder is not part else ""
    if isinstance(part, nodes.section):
        title = joined([line(part.children[0])])
    return title, "" if isinstance(part.parent, nodes.document) else ids[0]


def entries(part: nodes.Element, above: str = "") -> Iterator[Entry]:
    """What can be found in a page, or in a part of it, in order; a reference is titled by its section."""
    if not isinstance(part, nodes.document):
        title, anchor = named(part)
        above = title or above
        hidden = (text for fold in inside(part, solution) for text in within(fold))
        yield Entry(above, anchor, joined(within(part)), joined(hidden))
    for inner in inside(part, apart):
        yield from entries(inner, above)


def keep(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Note what a page says; it is written when all pages have said it."""
    app.env.metadata[docname][KEPT] = list(entries(doctree))


def script(pages: Iterable[tuple[str, str, list[Entry]]]) -> str:
    """All entries as a script: pages (title, address); of an entry its page, title, anchor, prose and folded prose."""
    listed = list(pages)
    data = {
        "pages": [[title, address] for title, address, _ in listed],
        "entries": [[i, e.title, e.anchor, e.text, e.folded] for i, (_, _, es) in enumerate(listed) for e in es],
    }
    return f"window.searchEntries = {json.dumps(data, ensure_ascii=False, indent=0)};\n"


def write(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The script with all entries, and the page that searches in them."""
    if app.builder.format != "html":
        return
    pages = [
        (numbered_title(app, name), f"{name}.html", app.env.metadata[name].pop(KEPT, []))
        for name in [app.config.root_doc, *order(app)]
    ]
    (Path(app.outdir) / "_static/search-entries.js").write_text(script(pages), encoding="utf8")
    yield "search", {"title": "Search"}, "search.html"


def numbered_title(app: Sphinx, page: str) -> str:
    number = app.env.toc_secnumbers.get(page, {}).get("", ())
    return f"{'.'.join(map(str, number or ()))}. {line(app.env.titles[page])}".removeprefix(". ")


def order(app: Sphinx) -> Iterator[str]:
    """Every page but the first, in the order of the table of contents."""

    def below(page: str) -> Iterator[str]:
        for child in app.env.toctree_includes.get(page, ()):
            yield child
            yield from below(child)

    return below(app.config.root_doc)


def without_sphinx(app: Sphinx) -> None:
    """Sphinx makes no index of words, and no page for it."""
    if isinstance(app.builder, StandaloneHTMLBuilder):
        app.builder.search = False


def mend_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The scripts and styles of the page that searches."""
    if page == "search":
        app.add_css_file("search.css", priority=820)  # after book.css
        for name in SCRIPTS:
            app.add_js_file(name, loading_method="defer")
