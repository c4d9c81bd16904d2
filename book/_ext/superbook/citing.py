"""How to cite: BibTeX entries of the book, its chapters and its figures. Version and date stand in CITATION.cff alone.

The directive `bibtex` writes the entry of the book, or one for each numbered chapter, when the page is built. While the
book has no address, `url` begins with `UNKNOWN`: it says what to put there, and copy.js puts it where a page was read
from a server. There is no `urldate`: the day of reading is the reader's, the version says what was read.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from . import latex, moved
from .address import Address, published
from .places import ROOT, reading_order

UNKNOWN = "ADDRESS-OF-THIS-SITE/"  # as in assets/copy.js
KINDS = ("book", "chapters")


def citation() -> dict[str, Any]:
    """What CITATION.cff says; dates stay text."""
    return yaml.load((ROOT / "CITATION.cff").read_text(encoding="utf8"), yaml.BaseLoader)


def author(person: Mapping[str, str]) -> str:
    """A person or a body of the CFF, as BibTeX wants it."""
    if "name" in person:
        return f"{{{latex.escaped(person['name'])}}}"
    names = (person.get("name-particle", ""), person["family-names"])
    family = " ".join(filter(None, names))
    return latex.escaped(", ".join(filter(None, (family, person.get("given-names", "")))))


def key(cff: Mapping[str, Any], name: str = "") -> str:
    """The key of an entry: the same for every version, so that a bibliography can be updated."""
    short = re.split(r"\W", cff["title"], maxsplit=1)[0].lower()
    return f"{short}-{name}" if name else short


def entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    """One BibTeX entry; empty fields are left out."""
    lines = "".join(f"  {name:<9} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@{kind}{{{key},\n{lines}}}"


def _common(cff: Mapping[str, Any], where: Address, path: str) -> dict[str, str]:
    """Fields of all entries. `version` and `date` are biblatex's; `note` says the same to plain BibTeX."""
    return {
        "author": " and ".join(map(author, cff["authors"])),
        "year": cff["date-released"][:4],
        "date": cff["date-released"],
        "version": cff["version"],
        "note": f"Version {cff['version']}, {cff['date-released']}",
        "url": f"{where.site or UNKNOWN}{path}",
    }


def titled(cff: Mapping[str, Any]) -> str:
    """The book's title."""
    return latex.protected(latex.escaped(cff["title"]))


def book_entry(cff: Mapping[str, Any], where: Address) -> str:
    return entry("book", key(cff), {"title": titled(cff), **_common(cff, where, "")})


def part_entry(cff: Mapping[str, Any], where: Address, path: str, name: str, title: str, chapter: str = "") -> str:
    """A chapter, or with its label in the title a figure: a part of the book, at an address of its own.

    The title is LaTeX.
    """
    titles = {"title": latex.protected(title), "booktitle": titled(cff), "chapter": chapter}
    return entry("incollection", key(cff, name), titles | _common(cff, where, path))


def chapter_number(app: Sphinx, page: str) -> str:
    """The chapter's number as text; empty for a page that has none."""
    number = app.env.toc_secnumbers.get(page, {}).get("", ())
    return ".".join(map(str, number or ()))


def chapters(app: Sphinx) -> Iterator[tuple[str, str, nodes.title]]:
    """Page, number and title of each numbered chapter, in order."""
    for page in reading_order(app.env):
        if number := chapter_number(app, page):
            yield page, number, app.env.titles[page]


def slug(page: str) -> str:
    """A page's name in keys of entries: without the number, which may change."""
    return re.sub(r"^\d+-", "", Path(page).name)


class entries(nodes.General, nodes.Element):
    """Stands for BibTeX entries until all titles and numbers are known."""


class Bibtex(SphinxDirective):
    """`bibtex` of the `book` or of its `chapters`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [entries(kind=directives.choice(self.arguments[0], KINDS))]


def _literal(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="bibtex")


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the entries in their places."""
    cff, where = citation(), published()
    for node in list(doctree.findall(entries)):
        if node["kind"] == "book":
            node.replace_self(_literal(book_entry(cff, where)))
            continue
        made: list[nodes.Node] = []
        for page, number, title in chapters(app):
            uri = app.builder.get_relative_uri(docname, page)
            link = nodes.reference("", f"{number}. {title.astext()}", refuri=uri, internal=True)
            ids = dict.fromkeys(f"cite-{slug(name)}" for name in (page, *moved.before(page)))
            made.append(nodes.paragraph("", "", link, ids=[*ids]))
            named = latex.of_title(title)
            made.append(_literal(part_entry(cff, where, f"{page}.html", slug(page), named, number)))
        node.replace_self(made)


def register(app: Sphinx) -> None:
    app.add_node(entries)
    app.add_directive("bibtex", Bibtex)
