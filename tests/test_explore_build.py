"""Figures with sliders that stop the build of a book (built in small_book.py: see test_small_book.py)."""

import json

import pytest
import small_book
from built_book import with_parts
from small_book import sphinx
from sphinx.errors import ExtensionError
from superbook import explore

from superpos.show.mime import FRAMES as MIME

CONF = """
extensions = ["myst_nb"]
source_suffix = {".ipynb": "myst-nb"}
nb_execution_mode = "off"
suppress_warnings = ["mystnb.unknown_mime_type"]
"""


def test_failing_frame_stops_the_build_and_is_named(tmp_path):
    small_book.write(tmp_path, small_book.INDEX.replace("[T]", "[1 / (T - 3)]"))
    done = small_book.build(tmp_path)
    assert done.returncode != 0
    assert "index.md: " in done.stderr
    assert "fig-bars: the frame T = 3, how = 'dense' cannot be drawn: ZeroDivisionError" in done.stderr
    assert not (tmp_path / "_build/html").exists()


PICTURES = {sheet: {"svg": "<svg/>", "width": 288, "height": 192} for sheet in ("wide", "narrow")}
RECORD = {
    "name": "fig-bars", "start": {"T": 1},
    "parameters": [{"name": "T", "label": "T", "kind": "integer", "values": [1, 2], "texts": ["1", "2"]}],
    "frames": [{"values": {"T": T}, "alt": f"{T}", "pictures": PICTURES, "panels": [], "finding": ""} for T in (1, 2)],
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
    (tmp_path / "conf.py").write_text(CONF + with_parts("explore"))
    (tmp_path / "index.ipynb").write_text(notebook(figure))
    with pytest.raises(ExtensionError, match="index: the cell of 'fig-bars' must be a figure of that name: mystnb"):
        sphinx(tmp_path)


def test_two_figures_of_one_name_are_refused(tmp_path):
    explore.write(RECORD, tmp_path / "fig-bars", "index")
    with pytest.raises(ExtensionError, match="two figures are named 'fig-bars'"):
        explore.write(RECORD, tmp_path / "fig-bars", "index")
