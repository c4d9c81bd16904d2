"""Figures with sliders in a book of one page: built afresh, from the cache, and stopped by what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from built_book import ROOT, with_parts
from sphinx.errors import ExtensionError
from superbook import explore

from superpos.show.mime import FRAMES as MIME

CONF = """
extensions = ["myst_nb"]
nb_execution_mode = "{mode}"
nb_execution_raise_on_error = True
suppress_warnings = ["mystnb.unknown_mime_type"]
numfig = True
"""
PAGE = """---
kernelspec: {{name: python3, display_name: Python 3}}
file_format: mystnb
---

# A page

{{numref}}`fig-bars` has bars.

```{{code-cell}} ipython3
{figure}
from matplotlib.figure import Figure
from superpos.show.explore import Slider, explore

def draw(T, how):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar([0], [{height}])
    return figure

def alt(T, how):
    return f"A {{how}} bar of height {{T}}."

T, how = Slider("circuits T", [1, 2, 3]), Slider("how", ["dense", "sparse"])
explore(draw, name="fig-bars", alt=alt, start={{"T": 2}}, T=T, how=how)
```
"""
FIGURE = """---
mystnb:
  figure: {name: fig-bars, caption: A bar.}
---"""


def build(folder: Path, page: str, mode: str = "force", *parts: str) -> subprocess.CompletedProcess[str]:
    """Build a book of this page into `folder/_build/html`, in a process of its own."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "conf.py").write_text(CONF.format(mode=mode) + with_parts(*parts, "explore"))
    (source / ("index.ipynb" if page.startswith("{") else "index.md")).write_text(page)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'book/_ext'}", "SUPERPOS_STATIC": "1"}
    environment |= {"BOOK_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "sphinx", "-W", "-E", "-b", "html", str(source), str(folder / "_build/html")]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of one page as it is built first, and beside it (`again`) as it is built from the cache."""
    folder = tmp_path_factory.mktemp("book")
    page = PAGE.format(figure=FIGURE, height="T")
    for name in ("again", "html"):
        done = build(folder, page, "cache", "execution")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("Executed notebook" in done.stdout) == (name == "again")
        if name == "again":
            (folder / "_build").rename(folder / "first")
    return folder


def test_figure_keeps_its_number_caption_and_address(book):
    page = BeautifulSoup((book / "first/html/index.html").read_text(), "html.parser")
    figure = page.select_one("figure#fig-bars")
    assert figure
    assert "Fig. 1" in figure.get_text()
    assert "A bar." in figure.get_text()
    assert page.select_one('a[href="#fig-bars"]')
    image, inputs = figure.select_one(".explore > img"), figure.select("input")
    assert image
    assert image["alt"] == "A dense bar of height 2."
    assert image["src"] == "_images/explore/fig-bars/2.svg"  # T = 2 comes after the two of T = 1
    assert (image["width"], image["height"]) == ("288", "192")  # 3 and 2 inches of 96 pixels
    assert [(i["max"], i["value"], i["aria-valuetext"]) for i in inputs] == [("2", "1", "2"), ("1", "0", "dense")]
    labels = [label.get_text() for i in inputs for label in figure.select(f'label[for="{i["id"]}"]')]
    assert labels == ["circuits T", "how"]
    assert not [script for script in figure.select("script, [style]")]  # the site's policy allows none
    assert page.select_one('script[src*="explore.js"]')


def test_frames_are_files_and_say_what_they_show(book):
    folder = book / "first/html/_images/explore/fig-bars"
    data = json.loads((folder / "data.json").read_text())
    assert data["parameters"][0] == {"name": "T", "label": "circuits T", "values": [1, 2, 3]}
    assert [f["file"] for f in data["frames"]] == [f"{k}.svg" for k in range(6)]
    assert [f["start"] for f in data["frames"]] == [False, False, True, False, False, False]
    assert data["frames"][5]["values"] == {"T": 3, "how": "sparse"}
    assert data["frames"][5]["alt"] == "A sparse bar of height 3."
    assert sorted(p.name for p in folder.iterdir()) == [*(f"{k}.svg" for k in range(6)), "data.json"]
    assert len({(folder / f"{k}.svg").read_bytes() for k in range(0, 6, 2)}) == 3


def test_the_same_from_the_cache(book):
    first, again = files(book / "first"), files(book / "_build")
    assert first["jupyter_execute/index.ipynb"] == again["jupyter_execute/index.ipynb"]
    kept = [name for name in first if name.startswith("html/_images") or name.endswith(".html")]
    assert len(kept) > 8
    assert {name: first[name] for name in kept} == {name: again[name] for name in kept}


def test_failing_frame_stops_the_build_and_is_named(tmp_path):
    done = build(tmp_path, PAGE.format(figure=FIGURE, height="1 / (T - 3)"), "cache", "execution")
    assert done.returncode != 0
    assert "index.md: " in done.stderr
    assert "fig-bars: the frame T = 3, how = 'dense' cannot be drawn: ZeroDivisionError" in done.stderr


RECORD = {
    "name": "fig-bars", "width": 288, "height": 192, "start": {"T": 1},
    "parameters": [{"name": "T", "label": "T", "values": [1, 2], "texts": ["1", "2"]}],
    "frames": [{"values": {"T": T}, "alt": f"{T}", "kind": "svg", "data": "<svg/>", "panels": []} for T in (1, 2)],
}  # fmt: skip


def notebook(figure: dict[str, str]) -> str:
    """A page whose cell, executed already, shows the frames as a figure with these settings of MyST-NB."""
    output = {"output_type": "display_data", "metadata": {}, "data": {MIME: RECORD, "text/html": "<img>"}}
    cell = {"cell_type": "code", "source": "0", "execution_count": 1, "outputs": [output]}
    cell["metadata"] = {"mystnb": {"figure": figure}} if figure else {}
    title = {"cell_type": "markdown", "metadata": {}, "source": "# A page"}
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    return json.dumps({"cells": [title, cell], "metadata": language, "nbformat": 4, "nbformat_minor": 4})


@pytest.mark.parametrize("figure", [{}, {"name": "fig-other", "caption": "A bar."}])
def test_frames_outside_their_figure_are_refused(figure, tmp_path):
    done = build(tmp_path, notebook(figure), "off")
    assert done.returncode != 0
    assert "index: the cell of 'fig-bars' must be a figure of that name: mystnb: figure: {name: fig-bars" in done.stderr


def test_two_figures_of_one_name_are_refused(tmp_path):
    explore.write(RECORD, tmp_path / "fig-bars")
    with pytest.raises(ExtensionError, match="two figures with sliders are named 'fig-bars'"):
        explore.write(RECORD, tmp_path / "fig-bars")
