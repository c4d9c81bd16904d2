"""The notebooks that the pages offer run from top to bottom, wherever they are, with the package alone."""

import asyncio
import shutil

import nbformat
import pytest
from browser import aside
from built_book import PAGES, ROOT, SITE, cells
from nbclient import NotebookClient
from nbformat import NotebookNode

QUICK = ["book/02-small-circuits", "book/04-writing-to-the-neurons"]
OF_THE_BUILD = ("MATPLOTLIBRC", "SUPERPOS_STATIC")


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


@pytest.mark.parametrize("page", [page for page in PAGES if cells(page)])
def test_offered_notebook_is_executed(page):
    notebook = nbformat.read(SITE / f"_sources/{page}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(cell.execution_count for cell in code(notebook))
    assert any(cell.outputs for cell in code(notebook))


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
