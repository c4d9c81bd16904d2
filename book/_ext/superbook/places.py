"""Where things stand: the repository, the notebook of a page, the pages of a built site."""

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parents[3]


def executed(app: Sphinx, page: str) -> Path:
    """The page's notebook as it was executed; there is none of a page without code."""
    return Path(app.outdir).parent / f"jupyter_execute/{page}.ipynb"


def reading_order(env: BuildEnvironment, page: str = "") -> Iterator[str]:
    """All pages as the table of contents has them, the front page first."""
    page = page or env.config.root_doc
    yield page
    for below in env.toctree_includes.get(page, ()):
        yield from reading_order(env, below)


def parts() -> list[tuple[str, list[str]]]:
    """The parts of the book: the name of each, and its pages in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    return [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]]


def pages(site: Path) -> list[Path]:
    """Every page of a built site."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]


@functools.cache
def _made_by() -> str:
    """A name for the state of these sources."""
    texts = [path.read_bytes() for path in sorted((ROOT / "book/_ext").rglob("*.py"))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def kept(source: str, kind: str, make: Callable[[], bytes]) -> bytes:
    """What is made of a text, made once: it is kept beside the executed notebooks, under a name made of the text.

    Another state of these sources makes it anew, and so does another version of the libraries: their pins are in the
    name of the folder.
    """
    folder = os.environ.get("BOOK_KEPT")  # set by execution.prepare
    if not folder:
        return make()
    at = Path(folder) / f"{hashlib.sha256(f'{_made_by()}{source}'.encode()).hexdigest()[:32]}{kind}"
    if not at.exists():
        at.parent.mkdir(parents=True, exist_ok=True)
        aside = at.with_suffix(f".{os.getpid()}")
        aside.write_bytes(make())
        aside.rename(at)
    return at.read_bytes()
