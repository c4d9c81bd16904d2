"""The foot of every page: what this is, of what version and by whom, and what a reader may do with it or about it."""

from datetime import date
from pathlib import Path
from shutil import copyfile
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from .address import published
from .citing import chapter_number, citation, slug
from .places import ROOT

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def spoken(day: str) -> str:
    """2026-11-22 as 22 November 2026, in any locale."""
    found = date.fromisoformat(day)
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def add(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """What `book/_templates/colophon.html` shows."""
    cff, where, up = citation(), published(), "../" * pagename.count("/")
    number = chapter_number(app, pagename)
    context["colophon"] = {
        "version": cff["version"],
        "day": cff["date-released"],
        "date": spoken(cff["date-released"]),
        "authors": [
            one.get("name") or " ".join(filter(None, map(one.get, ("given-names", "name-particle", "family-names"))))
            for one in cff["authors"]
        ],
        "cite": f"{up}book/cite.html" + (f"#cite-{slug(pagename)}" if number else ""),
        "chapter": bool(number),
        "changes": f"{up}book/changes.html",
        "licence": f"{up}LICENSE.txt",
        "markdown": f"{Path(pagename).name}.md" if doctree is not None else "",
        "edit": where.edit(pagename) if doctree is not None else "",
        "report": where.report(f"{pagename}.html"),
    }


def write_licence(app: Sphinx, exception: Exception | None) -> None:
    """The licence of the code, which has no address elsewhere that names its holders."""
    if exception is None:
        copyfile(ROOT / "LICENSE", Path(app.outdir, "LICENSE.txt"))
