"""The numbers behind a figure, kept with it so that the book can offer them as a file beside the picture.

A figure of this folder is a `Drawn`: a matplotlib figure that also notes, panel by panel, what was drawn. A notebook
shows it as a picture and stores the numbers in the same output, under a MIME type of their own.
"""

import io
import math
import os
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from torch import Tensor

from superpos.show import mime
from superpos.show.mime import STATIC
from superpos.show.sheet import SHEETS, WIDE, on
from superpos.show.vector import compact

PIXELS = 96  # of a page, per inch
DIGITS = 6  # significant; whole numbers are kept whole


class Drawn(Figure):
    """A figure that knows its numbers: what `note` was told, with the titles and labels of the axes.

    Attributes:
        finding: the sentence above it, set by `titles.titled`.
        again: draws it anew, on another sheet; set by `sheet.drawing`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.noted: list[tuple[Axes, dict[str, Any]]] = []
        self.finding = ""
        self.again: Callable[[], Figure] | None = None

    def record(self) -> dict[str, Any]:
        """The panels in the order in which they were drawn, each with what its axes are and its series."""
        panels: dict[Axes, list[dict[str, Any]]] = {}
        for ax, series in self.noted:
            panels.setdefault(ax, []).append(series)
        return {
            "finding": self.finding,
            "panels": [
                {
                    "title": ax.get_title("left") or self.finding,
                    "x": ax.get_xlabel(),
                    "y": ax.get_ylabel(),
                    "series": series,
                }
                for ax, series in panels.items()
            ],
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {mime.DATA: self.record()} if self.noted else {}
        return bundle | ({mime.PICTURES: pictures(self, self.again or self._refuse)} if os.environ.get(STATIC) else {})

    def _refuse(self) -> Figure:
        raise TypeError("this figure cannot be drawn for a phone: mark the function that draws it with figures.drawing")


def pictures(figure: Figure, again: Callable[[], Figure]) -> dict[str, dict[str, Any]]:
    """A figure of the wide page on every sheet: its SVG and its size in pixels of the page, by the sheet's name."""
    found = {WIDE.name: _picture(figure)}
    for one in SHEETS:
        if one != WIDE:
            with on(one):
                found[one.name] = _picture(again())
    return found


def _picture(figure: Figure) -> dict[str, Any]:
    width, height = (round(PIXELS * inches) for inches in figure.get_size_inches())
    return {"svg": compact(svg(figure)), "width": width, "height": height}


def svg(figure: Figure) -> str:
    """The figure's text in SVG: what `savefig` writes, which draws once more to learn a size that is known here."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "superpos", "svg.fonttype": "path"}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def note(ax: Axes, kind: str, label: str, **columns: Any) -> None:
    """Note one series of a panel: how it is drawn, its name, its columns of equal length; one that is None is not."""
    if isinstance(ax.figure, Drawn):
        given = {name: numbers(values) for name, values in columns.items() if values is not None}
        ax.figure.noted.append((ax, {"kind": kind, "label": label, **given}))


def note_matrix(ax: Axes, values: Tensor, unit: str) -> None:
    """Note a heat map, entry by entry: rows are y, columns are x."""
    y, x = np.indices(values.shape)
    note(ax, "matrix", unit, x=x.ravel(), y=y.ravel(), value=values.ravel())


def numbers(values: Any) -> list[float | int | None]:
    """Plain numbers for JSON; what is not finite becomes None."""
    return [_number(float(value)) for value in np.asarray(values, dtype=float)]


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == round(value) and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")
