"""The built book, for the tests that read it: `make test` builds it before they run."""

import functools
import json
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

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


def article(page: str) -> Tag:
    """What the page says, without its navigation; whoever changes it makes a copy."""
    found = html(page).select_one("article.bd-article")
    assert found is not None, f"{page} has no article"
    return found


@functools.cache
def parts(page: str) -> dict[str, Tag]:
    """All that has an id on the page, by its id: a search for each would read the whole page again."""
    return {str(tag["id"]): tag for tag in reversed(html(page).find_all(id=True))}


@functools.cache
def cells(page: str) -> list[dict]:
    """The code cells of the page as they were executed; none if it is not a notebook."""
    path = EXECUTED / f"{page}.ipynb"
    if not path.exists():
        return []
    found = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    return [cell | {"source": "".join(cell["source"])} for cell in found]


def stated(soup: BeautifulSoup, name: str) -> str | None:
    """What a <meta> or the canonical <link> of the page says; a name that stands twice is an error."""
    found = [
        tag
        for tag in soup.find_all(["meta", "link"])
        if name in (tag.get("property"), tag.get("name"), *(tag.get("rel") or ()))
    ]
    assert len(found) <= 1, f"{name} stands {len(found)} times"
    return str(found[0].get("content") or found[0]["href"]) if found else None


def size(picture: Path) -> tuple[int, int]:
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def buttons(soup: BeautifulSoup) -> dict[str, str]:
    """What the header's links to other sites say, and where they lead."""
    links = [link for link in soup.select(".article-header-buttons a[href]") if urlsplit(str(link["href"])).netloc]
    return {str(link.get("title")): str(link["href"]) for link in links}
