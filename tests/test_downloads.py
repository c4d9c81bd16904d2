"""The notebooks that the pages offer: in plain Markdown, with what the pages say; they run from top to bottom, wherever
they are, with the package alone."""

import ast
import asyncio
import functools
import re
import shutil
import sys
import tomllib
from collections import Counter
from types import SimpleNamespace

import nbformat
import pytest
from browser import aside
from built_book import EXECUTED, PAGES, ROOT, SITE, article, cells
from chapters import names
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from superbook import notebooks
from superbook.address import Address

QUICK = ["book/02-small-circuits", "book/04-writing-to-the-neurons"]
OFFERED = [page for page in PAGES if cells(page)]
OF_THE_BUILD = ("MATPLOTLIBRC", "SUPERPOS_STATIC")
LEFT = re.compile(  # what MyST adds to Markdown: roles, directives, labels of formulas and of places, settings of cells
    r"\{[\w:-]+\}`[^`\s]|^\s*>?\s*(?:`{3,}|:{3,})\{|^:{3,}|\$\$[ \t]*\([\w-]+\)|^\([\w:-]+\)=|mystnb", re.MULTILINE
)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


@functools.cache
def offered(page: str) -> NotebookNode:
    """The notebook as it is downloaded; who changes it makes a copy."""
    return nbformat.read(SITE / f"_sources/{page}.ipynb", as_version=4)


def text(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("page", OFFERED)
def test_offered_notebook_is_executed(page):
    notebook = offered(page)
    nbformat.validate(notebook)
    first, install, *others = notebook.cells
    assert "as a notebook that runs" in first.source
    assert "find_spec" in install.source
    ours = [cell for cell in others if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.source for cell in ours] == [cell["source"] for cell in cells(page) if cell["source"].strip()]
    assert all(cell.execution_count for cell in ours)
    assert any(cell.outputs for cell in ours)


@pytest.mark.parametrize("page", OFFERED)
def test_nothing_of_myst_is_left(page):
    notebook = offered(page)
    shown = [text(notebook), *(str(cell.metadata) for cell in notebook.cells)]
    for cell in code(notebook):
        shown += [str(output.data.get(kind, "")) for output in cell.outputs for kind in ("text/markdown", "text/html")
                  if "data" in output]  # fmt: skip
    assert not [found[0] for part in shown for found in LEFT.finditer(part)]


@pytest.mark.parametrize(
    "example", ["a {eq}`b`", ":::{note}", "> ```{code-cell}", "$$ a $$ (eq-a)", "(label)=", "{'mystnb': 1}"]
)
def test_what_counts_as_myst(example):
    assert LEFT.search(example)
    assert not LEFT.search("so $a_{b}$ and `{b}` (eq. 5)\n```python\nx[:, 0]\n```")


@pytest.mark.parametrize("page", OFFERED)
def test_numbers_and_references_are_those_of_the_page(page):
    """Values; numbers of formulas, figures and boxes; and each reference leads where the page's does."""
    told = names.read(EXECUTED / names.FILE)
    source, said = (ROOT / f"{page}.md").read_text(), text(offered(page))
    asked = re.findall(r"\{glue:text\}`([^`]+)`", source)
    on_page = [tag.get_text() for tag in article(page).select(".pasted-text") if not tag.find_parent(class_="terms")]
    assert Counter(told.pages[page].values[key] for key in asked) == Counter(on_page)

    numbered = {tag.get_text().strip("()#") for tag in article(page).select("div.math .eqno")}
    assert set(re.findall(r"\\tag\{([\d.]+)\}", said)) == numbered

    named = article(page).select(".caption-number, details:not(.terms) > summary")  # terms are of the page alone
    titles = [" ".join(tag.get_text().split()) for tag in named if not tag.find_parent("noscript")]
    for title in (one.rstrip(". ") for one in titles if not one.startswith(("Code", "Imports", "Cite"))):
        assert title.split(" (")[0] in said, title

    for link in article(page).select(".bd-article a.internal[href], a.internal[href]"):
        if link.find_parent(class_="claim"):  # the box is made by whoever runs the notebook
            continue
        path, _, anchor = str(link["href"]).partition("#")
        shown = " ".join(link.get_text().split())
        if anchor.startswith("ref-"):
            one = told.sources[anchor.removeprefix("ref-")]
            assert (f"[{shown}]({one.url})" if one.url else shown) in said
        elif anchor:
            here = (
                re.escape(f"#{anchor}") if not path else re.escape(path.rpartition("/")[2].replace(".html", ".ipynb"))
            )
            assert re.search(rf"\[{re.escape(shown)}\]\({here}\)", said), (shown, link["href"])


@pytest.mark.parametrize("page", OFFERED)
def test_links_lead_somewhere(page):
    """To a place in the notebook, to another notebook, or to the source."""
    said, known = text(offered(page)), {f"{other.rpartition('/')[2]}.ipynb" for other in OFFERED}
    for target in re.findall(r"\]\(([^()\s]*)\)", said):
        if target.startswith("#"):
            assert f'<a id="{target[1:]}"></a>' in said, target
        else:
            assert target in known or target.startswith("https://"), target


@pytest.mark.parametrize("page", OFFERED)
def test_cells_that_the_page_hides_are_folded(page):
    hidden = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
    for cell in code(offered(page))[1:]:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == bool(hidden & set(cell.metadata.get("tags", []))), cell.source
    assert any(cell.metadata.get("jupyter") for cell in offered(page).cells)


def test_links_lead_to_the_site_where_it_has_an_address():
    told, where = (
        names.read(EXECUTED / names.FILE),
        Address(site="https://example.org/s/", repository="https://e.org/r"),
    )
    here, other = "book/05-writing-back", "book/06-error-analysis"
    assert notebooks.link(told, where, here, other, "eq") == "https://example.org/s/book/06-error-analysis.html#eq"
    assert notebooks.link(told, where, here, here, "eq") == "#eq"
    assert notebooks.link(told, Address(), here, other, "eq") == "06-error-analysis.ipynb"
    assert notebooks.link(told, Address(), here, "book/notation", "") == ""  # no notebook: its name, no link
    assert "https://example.org/s/book/05-writing-back.html" in notebooks.about(here, told, where)["source"]


# --- To install the package -----------------------------------------------------------------------------------------


def installed(
    where: Address, monkeypatch: pytest.MonkeyPatch, *, there: bool, put_in: str = "", works: bool = True
) -> list[str]:
    """What the second cell gives to pip, which works or does not."""
    given: list[str] = []
    shell = SimpleNamespace(run_line_magic=lambda name, line, *_: given.append(f"{name} {line}"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if there or (given and works) else None)
    source = notebooks.install(where)["source"].replace('REPOSITORY = ""', f'REPOSITORY = "{put_in}"')
    space = {"get_ipython": lambda: shell}
    exec(TransformerManager().transform_cell(source), space)
    return [line.format(**space) for line in given]


def test_the_second_cell_installs_from_the_repository(monkeypatch):
    where = Address(repository="https://github.com/owner/name")
    assert installed(where, monkeypatch, there=False) == [
        'pip install --quiet "superpos[book] @ git+https://github.com/owner/name@main"'
    ]
    assert installed(where, monkeypatch, there=True) == []


def test_without_a_repository_it_says_what_to_put_there(monkeypatch):
    assert installed(Address(), monkeypatch, there=True) == []  # harmless where the package is installed
    with pytest.raises(ModuleNotFoundError, match="put where its repository is into REPOSITORY"):
        installed(Address(), monkeypatch, there=False)
    for put_in, package in (
        ("https://example.org/superpos", "superpos[book] @ git+https://example.org/superpos"),
        ("/home/me/superpos", "/home/me/superpos[book]"),
    ):
        assert installed(Address(), monkeypatch, there=False, put_in=put_in) == [f'pip install --quiet "{package}"']


def test_an_installation_that_fails_is_said(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="pip has not installed superpos from /nowhere"):
        installed(Address(), monkeypatch, there=False, put_in="/nowhere", works=False)


def test_what_the_cells_import_is_installed():
    """Standard library, the package, what it depends on, and its extra `book`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["book"]]
    for extra in re.findall(r"superpos\[([\w,]+)\]", " ".join(asked)):
        asked += [line for name in extra.split(",") for line in extras[name]]
    allowed = {re.split(r"[^\w-]", line)[0].lower() for line in asked} | set(sys.stdlib_module_names)
    for page in OFFERED:
        for cell in code(offered(page))[1:]:
            for node in ast.walk(ast.parse(cell.source)):
                found = [node.module] if isinstance(node, ast.ImportFrom) else []
                found += [one.name for one in node.names] if isinstance(node, ast.Import) else []
                assert {str(name).partition(".")[0] for name in found} <= allowed, f"{page}: {found}"


@pytest.mark.parametrize("page", QUICK)
def test_downloaded_notebook_runs(page, tmp_path, monkeypatch):
    """In a folder of its own, with a copy of the package on PYTHONPATH for `pip install`, and no way to the rest."""
    for name in OF_THE_BUILD:
        monkeypatch.delenv(name, raising=False)
    installed, downloads = tmp_path / "installed", tmp_path / "downloads"
    shutil.copytree(ROOT / "superpos", installed / "superpos", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(installed))
    downloads.mkdir()
    notebook = nbformat.read(shutil.copy(SITE / f"_sources/{page}.ipynb", downloads), as_version=4)
    for cell in code(notebook):
        cell.outputs = []
    client = NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(downloads)}})
    aside(lambda: asyncio.run(client.async_execute()))  # `execute` leaves its event loop open
    kinds = {kind for cell in code(notebook) for output in cell.outputs for kind in output.get("data", {})}
    assert kinds & {"image/svg+xml", "image/png"}
    assert "application/vnd.jupyter.widget-view+json" in kinds  # figures with sliders are live
