"""The notebooks that the pages offer: executed, in plain Markdown, with a first cell that installs the package.

They are made when all numbers are known, from the executed chapters. What the texts refer to is left beside those, in
`names.json`: JupyterLab shows the chapters with the numbers of this build (see the package `chapters`).
"""

import json
from pathlib import Path
from typing import Any, cast

from chapters import cells, names
from chapters.plain import Plain
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.domains.std import StandardDomain
from sphinx_exercise.nodes import exercise_subtitle
from sphinxcontrib.bibtex.domain import BibtexDomain

from superpos.show.mime import FRAMES, PICTURES, TEXT

from .address import Address, published
from .citing import chapter_number, citation
from .places import executed

KEPT = ("kernelspec", "language_info")  # of a notebook's metadata
LABELS = {"figure": "Fig. {}", "displaymath": "({})"}  # kinds that are numbered -> how one refers to them
OTHERS = {"table": "Table {}", "code-block": "Listing {}", "section": ""}
INSTALL = """\
# Installs the package, unless it is there already.
REPOSITORY = "{repository}"{comment}
import importlib.util

if importlib.util.find_spec("superpos") is None:
    if not REPOSITORY:
        raise ModuleNotFoundError("superpos is not installed: put where its repository is into REPOSITORY")
    package = f"superpos[book] @ git+{{REPOSITORY}}{branch}" if "://" in REPOSITORY else f"{{REPOSITORY}}[book]"
    %pip install --quiet "{{package}}"
    importlib.invalidate_caches()
    if importlib.util.find_spec("superpos") is None:
        raise ModuleNotFoundError(f"pip has not installed superpos from {{REPOSITORY}}; it says why above")
"""
UNKNOWN = (
    "  # put in where the book's repository is: https://github.com/OWNER/NAME, or a folder such as /home/me/superpos"
)


def offer(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Offer the executed notebook beside the source; the theme does so only where the book has a repository."""
    if executed(app, pagename).exists():
        context["ipynb_source"] = f"{pagename}.ipynb"


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """Write the names of this build, and every notebook that is offered."""
    if exception is not None:
        return
    known, where = known_names(app), published()
    known.write(executed(app, "names").with_name(names.FILE))
    for page, told in known.pages.items():
        if told.runs:
            notebook = offered(json.loads(executed(app, page).read_text(encoding="utf8")), page, known, where)
            path = Path(app.outdir) / f"_sources/{page}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf8")


def offered(notebook: dict[str, Any], page: str, known: names.Names, where: Address) -> dict[str, Any]:
    """An executed notebook as it is offered: nothing in it is MyST's, and nothing in it needs the book's files."""
    plain = Plain(page, known, lambda target, anchor: link(known, where, page, target, anchor))
    made: list[dict[str, Any]] = [about(page, known, where), install(where)]
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            made.append(markdown(cell["id"], plain(source)))
            continue
        metadata = {key: value for key, value in cell["metadata"].items() if key != "mystnb"}
        made.append(cell | {"source": source, "metadata": cells.fold(metadata)})
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if PICTURES in data:  # the same picture, in half as many letters
                data["image/svg+xml"] = data[PICTURES]["wide"]["svg"]
            for kind in (FRAMES, PICTURES, TEXT):  # one picture is enough: a notebook draws the others
                data.pop(kind, None)
        if caption := plain.caption(cell["metadata"]):
            made.append(markdown(f"{cell['id']}-caption", caption))
    return notebook | {
        "cells": made,
        "metadata": {key: notebook["metadata"][key] for key in KEPT if key in notebook["metadata"]},
    }


def markdown(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def about(page: str, known: names.Names, where: Address) -> dict[str, Any]:
    """The first cell: what this is, where it is from, and how to run it."""
    told, title = known.pages[page], known.pages["index"].title
    part = f"Chapter {told.number} of" if told.number else "A page of"
    book = f"[{title}]({where.site})" if where.site else f"*{title}*"
    what = [
        f"{part} {book}, version {citation()['version']}, as a notebook that runs.",
        f"Its page: <{where.of(f'{page}.html')}>." if where.site else "",
        "The numbers in the text are those of the book; run the cells, and the outputs are yours.",
        "Folded cells open by a click, and figures with sliders move once their cells have run.",
        "" if where.site else "Links to other chapters open their notebooks, if these lie in the same folder.",
    ]
    how = [
        "**To run it** you need Python 3.11 or newer, Jupyter and git.",
        "The next cell installs the package `superpos`, with PyTorch and all else that the cells need, into the "
        "environment of this notebook; where the package is installed, it does nothing.",
        "Text under CC BY 4.0, code under MIT.",
    ]
    return markdown("about", "\n>\n".join("> " + " ".join(filter(None, lines)) for lines in (what, how)))


def install(where: Address) -> dict[str, Any]:
    """The second cell: it installs the package from the repository, or asks for its address while that is unknown."""
    text = INSTALL.format(
        repository=where.repository,
        comment="" if where.repository else UNKNOWN,
        branch=f"@{where.branch}" if where.repository else "",
    )
    cell = {"cell_type": "code", "execution_count": None, "id": "install", "metadata": {}, "outputs": []}
    return cell | {"source": text.rstrip("\n")}


def link(known: names.Names, where: Address, here: str, page: str, anchor: str) -> str:
    """The address of a place: in this notebook, on the site, or in another notebook of the same folder."""
    told = known.pages.get(page)
    behind = f"#{anchor}" if anchor else ""
    if page == here:
        return behind
    if where.site:
        return where.of(f"{page}.html{behind}")
    return f"{page.rpartition('/')[2]}.ipynb" if told and told.runs else ""


def known_names(app: Sphinx) -> names.Names:
    """What the texts of this build refer to."""
    return names.Names(pages=known_pages(app), targets=known_targets(app), sources=known_sources(app))


def known_pages(app: Sphinx) -> dict[str, names.Page]:
    return {
        page: names.Page(
            app.env.titles[page].astext(), chapter_number(app, page), executed(app, page).exists(), values(app, page)
        )
        for page in sorted(app.env.all_docs)
    }


def values(app: Sphinx, page: str) -> dict[str, str]:
    """What the cells of a page give to its text."""
    path = executed(app, page).with_suffix(".glue.json")
    if not path.exists():
        return {}
    glued = json.loads(path.read_text(encoding="utf8"))
    found = {key: output["data"].get("text/plain", "") for key, output in glued.items()}
    return {key: "".join(text).strip("'") for key, text in found.items()}


def known_targets(app: Sphinx) -> dict[str, names.Target]:
    """Every label: of equations, and of all that can be referred to by number or title."""
    std = cast(StandardDomain, app.env.get_domain("std"))
    maths = cast(MathDomain, app.env.get_domain("math"))
    placed = {label: (page, anchor) for label, (page, anchor) in std.anonlabels.items()}
    placed |= {label: (page, f"equation-{label}") for label, (page, _) in maths.equations.items()}
    placed |= {label: (told["docname"], label) for label, told in getattr(app.env, "proof_list", {}).items()}
    exercises = getattr(app.env, "sphinx_exercise_registry", {})
    found = {}
    for label, (page, anchor) in sorted(placed.items()):
        number = numbered(app, page, anchor)
        title = "" if number else str(std.labels.get(label, ("", "", ""))[2])  # some are translated late
        if label in exercises:
            title = subtitle(exercises[label]["node"])
        found[label] = names.Target(page, anchor, number, title)
    return found


def subtitle(exercise: nodes.Element) -> str:
    """What an exercise is called, its formulas as they are written."""
    parts = (part for title in exercise.findall(exercise_subtitle) for part in title.children)
    return "".join(f"${part.astext()}$" if isinstance(part, nodes.math) else part.astext() for part in parts)


def numbered(app: Sphinx, page: str, anchor: str) -> str:
    """The number of what stands there, with its kind; empty if it has none."""
    for kind, ids in app.env.toc_fignumbers.get(page, {}).items():
        if anchor in ids:
            number = ".".join(map(str, ids[anchor]))
            form = LABELS.get(kind) or OTHERS.get(kind, f"{kind.rpartition(':')[2].capitalize()} {{}}")
            return form.format(number)
    return ""


def known_sources(app: Sphinx) -> dict[str, names.Source]:
    """The bibliography, as the pages cite it."""
    domain = cast(BibtexDomain, app.env.get_domain("cite"))
    return {
        key: names.Source(authors(entry.persons.get("author", [])), entry.fields["year"], entry.fields.get("url", ""))
        for key, entry in sorted(domain.bibdata.data.entries.items())
    }


def authors(persons: list[Any]) -> str:
    """One name, two, or the first of them and others."""
    last = [" ".join(str(part) for part in (*person.rich_prelast_names, *person.rich_last_names)) for person in persons]
    if len(last) > 2:
        return f"{last[0]} et al."
    return " and ".join(last)
