"""The built book, for the tests that read it: `make test` builds it before they run."""

import functools
import json
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build/html"
EXECUTED = ROOT / "_build/jupyter_execute"


def _toc() -> tuple[list[str], list[str]]:
    """All pages in order, and those of them that are numbered chapters."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages, numbered = [toc["root"]], []
    for part in toc["parts"]:
        files = [chapter["file"] for chapter in part["chapters"]]
        pages += files
        numbered += files if part.get("numbered") else []
    return pages, numbered


PAGES, NUMBERED = _toc()


def with_parts(*parts: str) -> str:
    """Lines for the `conf.py` of a small book that takes the steps of these parts of book/_ext alone."""
    return (
        "from superbook import STEPS, attach\n"
        f"def setup(app): attach(app, [step for step in STEPS if step.part in {parts}])\n"
    )


@functools.cache
def html(page: str) -> BeautifulSoup:
    """The page as it was built."""
    path = SITE / f"{page}.html"
    assert path.exists(), f"{path.relative_to(ROOT)} is missing: run `make book`, or `make test` for all of it"
    return BeautifulSoup(path.read_text(), "html.parser")


def article(page: str) -> BeautifulSoup:
    """A copy of what the page says, without its navigation."""
    found = html(page).select_one("article.bd-article")
    assert found is not None, f"{page} has no article"
    return BeautifulSoup(str(found), "html.parser")


def cells(page: str) -> list[dict]:
    """The code cells of the page as they were executed; none if it is not a notebook."""
    path = EXECUTED / f"{page}.ipynb"
    if not path.exists():
        return []
    found = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    return [cell | {"source": "".join(cell["source"])} for cell in found]
