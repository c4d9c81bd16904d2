"""Claims: the directive `claims-table`, all that the chapters of this build recorded; the sources in a claim's box."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib.bibtex.domain import BibtexDomain

from superpos.show.claims import KINDS, Claim
from superpos.show.mime import CLAIM
from superpos.words import number

from .places import executed

SOURCE = re.compile(r"(?<=<dt>source</dt><dd>)\w+(?=</dd>)")  # in the box of a claim (superpos/show/claims.py)
COLUMNS = ("Claim", "Predicted", "Measured", "Allowed", "Kind", "Source", "Where")
WIDTHS = (36, 10, 14, 13, 9, 12, 6)
SHOWS = {
    "derived": "The prediction was calculated or proved without a look at the measurement. So agreement speaks for the "
    "derivation and for what was built; it says nothing about settings that were not measured.",
    "published": "The predicted figure or formula is a source's, and the measurement is ours. So agreement speaks for "
    "the source, in our setting; it does not show that its reasons are the right ones.",
    "guard": "The bound was set after the measurement had been seen. So it stops the build if what is found changes; "
    "it is no evidence that anything was understood.",
}


def toc_order(app: Sphinx) -> Iterator[str]:
    """The pages of the book, in the order of its table of contents."""
    site_map = app.config.external_site_map

    def walk(name: str) -> Iterator[str]:
        yield name
        for child in site_map[name].child_files():
            yield from walk(child)

    return walk(site_map.root.docname)


def claims_of(notebook: Path) -> list[Claim]:
    """The claims that an executed notebook recorded; one that was checked but not shown is an error."""
    found: list[Claim] = []
    for cell in json.loads(notebook.read_text(encoding="utf8"))["cells"]:
        records = [out["data"][CLAIM] for out in cell.get("outputs", []) if CLAIM in out.get("data", {})]
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.count("claims.check(") > len(records):
            raise ExtensionError(
                f"{notebook.stem}: a claim is checked but not recorded. Let the call stand last in its cell, "
                f"or pass its value to display():\n{source}"
            )
        found += [Claim(**record) for record in records]
    if failed := [claim for claim in found if not claim.holds]:
        raise ExtensionError(f"{notebook.stem}: claims that do not hold are recorded:\n" + "\n".join(map(str, failed)))
    return found


def collect(app: Sphinx) -> dict[str, list[Claim]]:
    """The claims of each page that has some; the same name on two claims is an error."""
    pages = {page: claims_of(path) for page in toc_order(app) if (path := executed(app, page)).exists()}
    seen: dict[str, str] = {}
    for page, claims in pages.items():
        for claim in claims:
            if claim.name in seen:
                raise ExtensionError(f"two claims are named {claim.name!r}: in {seen[claim.name]} and in {page}")
            seen[claim.name] = page
    return {page: claims for page, claims in pages.items() if claims}


def row(claim: Claim) -> str:
    source = "our own" if claim.source == "ours" else f"{{cite:p}}`{claim.source}`"
    figures = (f"{claim.relation} {number(claim.predicted)}", claim.measured_text, claim.allowed_text)
    return _row(claim.statement, *figures, claim.kind, source, f"{{ref}}`there <claim-{claim.name}>`")


def by_kind(claims: Sequence[Claim]) -> str:
    """How many claims there are of each kind, and what a claim of that kind can show and cannot, as a table in MyST."""
    counts = Counter(claim.kind for claim in claims)
    rows = (_row(f"*{kind}*: {KINDS[kind]}", str(counts[kind]), SHOWS[kind]) for kind in KINDS)
    return _table(("Kind", "Claims", "What it can show, and what it cannot"), (22, 8, 70), rows)


def _row(*cells: str) -> str:
    return "* - " + "\n  - ".join(cells)


def _table(columns: Sequence[str], widths: Sequence[int], rows: Iterable[str]) -> str:
    options = f":header-rows: 1\n:widths: {' '.join(map(str, widths))}\n:class: claims"
    return "\n".join((":::{list-table}", options, "", _row(*columns), *rows, ":::"))


class ClaimsTable(SphinxDirective):
    """One table for each page that makes claims, written as MyST so that maths, citations and links are its own."""

    def run(self) -> list[nodes.Node]:
        std = cast(StandardDomain, self.env.get_domain("std"))
        pages = collect(self.env.app)
        every = [claim for claims in pages.values() for claim in claims]
        if not every:
            return self.parse_text_to_nodes("No claim is recorded.")
        text = [f"{len(every)} claims are made in this book, and all of them hold.", by_kind(every)]
        for page, claims in pages.items():
            for claim in claims:
                std.anonlabels[f"claim-{claim.name}"] = (page, f"claim-{claim.name}")
                std.labels[f"claim-{claim.name}"] = (page, f"claim-{claim.name}", claim.statement)
            text += [f":::{{rubric}} {{doc}}`/{page}`\n:::", _table(COLUMNS, WIDTHS, map(row, claims))]
        return self.parse_text_to_nodes("\n\n".join(text))


def read_last(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Read the page of claims after all others: their executed notebooks are what it is made from."""
    docnames.sort(key=lambda name: (name.endswith("claims"), name))


def cite(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Cite the source in the box of each claim, which holds its key."""
    domain = cast(BibtexDomain, app.env.get_domain("cite"))
    keys = {citation.key for citation in domain.citations}
    for box in list(doctree.findall(nodes.raw)):
        text, key = box.astext(), SOURCE.search(box.astext())
        if key and key[0] in keys:
            cited = domain.resolve_xref(app.env, docname, app.builder, "p", key[0], pending_xref(), nodes.inline())
            start, end = (nodes.raw(part, part, format="html") for part in (text[: key.start()], text[key.end() :]))
            box.replace_self(nodes.container("", start, cited, end, classes=box["classes"]))


def register(app: Sphinx) -> None:
    app.add_directive("claims-table", ClaimsTable)
