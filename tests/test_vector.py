"""Figures as SVG: the small form shows the same picture, and the dark one can be read."""

import io
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
import resvg_py
import torch
from PIL import Image

from superpos.show import figures, vector
from superpos.show.data import svg

LINES = [figures.both("measured $x^2$", [1.0, 2.0, 3.0], [1.0, 4.0, 9.0]), figures.line("−0.5", [1.0, 3.0], [2.0, 2.0])]


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    """That of the book, whichever test has run before."""
    with matplotlib.rc_context():
        figures.style()
        yield


def drawn(text: str) -> np.ndarray:
    """The picture as greys from 0 to 255, eight pixels to the point: what differs by less cannot be seen."""
    size = text.replace('pt"', '"')
    picture = resvg_py.svg_to_bytes(svg_string=size, background="#ffffff", skip_system_fonts=True, zoom=8)
    return np.asarray(Image.open(io.BytesIO(bytes(picture))).convert("L")).astype(float)


@pytest.mark.parametrize("kind", ["curves", "matrix"])
def test_small_form_is_the_same_picture(kind):
    ramp = torch.linspace(-1, 1, 12).view(3, 4)
    figure = figures.curves(LINES, "x", "y") if kind == "curves" else figures.matrix(ramp, "x", "y", unit="entry")
    whole = svg(figure)
    small = vector.compact(whole)
    assert len(small) < 0.56 * len(whole)
    assert "<g>" not in small
    one, two = drawn(whole), drawn(small)
    rows, columns = (min(a, b) for a, b in zip(one.shape, two.shape, strict=True))  # a size is rounded as well
    assert np.abs(one[:rows, :columns] - two[:rows, :columns]).mean() < 0.2
    assert (
        kind == "matrix"
        or np.abs(one[:rows, :columns] - drawn(whole.replace("#0072b2", "#d55e00"))[:rows, :columns]).mean() > 0.2
    )


@pytest.mark.parametrize("colour", [*figures.COLOURS, figures.BLACK, "#111111", "#666666", "#8c6d31", "#b00020"])
def test_dark_colours_stand_out(colour):
    colour = colour.lower()
    least = 4.5 if colour not in ("#666666",) else 3.0  # of the axes: no letters
    assert vector.contrast(vector.darkened(colour), vector.GROUND) >= least


def test_contrast_is_that_of_the_standard():
    assert vector.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert vector.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's well-known near miss


def test_dark_picture_has_no_ground_and_keeps_bitmaps():
    text = vector.compact(svg(figures.curves(LINES, "x", "y")))
    assert text.count("fill:#ffffff") == 2  # figure and axes
    changed = vector.dark(text)
    assert "#ffffff" not in changed
    assert "#0072b2" not in changed
    with_bitmap = text.replace("</svg>", '<image href="data:image/png;base64,fill:#0072b2"/></svg>')
    assert "base64,fill:#0072b2" in with_bitmap
