"""Where things stand: the repository, the notebook of a page, the pages of a built site."""

from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[3]


def executed(app: Sphinx, page: str) -> Path:
    """The page's notebook as it was executed; there is none of a page without code."""
    return Path(app.outdir).parent / f"jupyter_execute/{page}.ipynb"


def pages(site: Path) -> list[Path]:
    """Every page of a built site."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]
