"""The numbers behind a figure, kept with it so that the book can offer them as a file beside the picture.

A figure of this folder is a `Drawn`: a matplotlib figure that also notes, panel by panel, what was drawn. A notebook
shows it as a picture and stores the numbers in the same output, under a MIME type of their own.
"""

import io
import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

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
COORDINATES = ("first coordinate", "second coordinate")  # of a point of the plane
# What a series is: `constructed` are weights and places, chosen and neither measured nor predicted.
KINDS = {"line": "predicted", "weight": "constructed", "arrow": "constructed", "term": "constructed"}
_TEX = {"$": "", r"\hat\alpha": "α̂", r"\alpha": "α", "^2": "²"}  # of labels, as plain text


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
        """The panels in the order in which they were drawn, each with its title and its series.

        A series has a label, what kind it is (`measured`, `predicted` or `constructed`) and columns of equal length,
        each with its name: that of the axis, of the first panel's if its own has none.
        """
        panels: dict[Axes, list[dict[str, Any]]] = {}
        for ax, series in self.noted:
            panels.setdefault(ax, []).append(series)
        first = next(iter(panels), None)
        return {
            "finding": self.finding,
            "panels": [
                {"title": ax.get_title("left"), "series": [_named(one, ax, first or ax) for one in series]}
                for ax, series in panels.items()
            ],
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {mime.DATA: self.record()} if self.noted else {}
        if os.environ.get(STATIC):
            bundle |= {mime.PICTURES: pictures(self, self.again or self._refuse), mime.TEXT: svg(self, "none")}
        return bundle

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


def svg(figure: Figure, letters: Literal["path", "none"] = "path") -> str:
    """The figure's text in SVG: what `savefig` writes, which draws once more to learn a size that is known here.

    Letters are outlines, alike everywhere; or, with "none", text that can be selected, in a font that is there.
    """
    out = io.StringIO()
    fonts = ["DejaVu Sans", "Verdana"]
    with matplotlib.rc_context({"svg.hashsalt": "superpos", "svg.fonttype": letters, "font.sans-serif": fonts}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def note(ax: Axes, drawn: str, label: str, columns: Mapping[str, Any], *, predicted: bool | None = None) -> None:
    """Note one series of a panel: how it is drawn, its name, its columns of equal length; one that is None is not.

    Columns `x` and `y` are named by the axes; `predicted` says whether it is theory if `drawn` does not (`KINDS`).
    """
    if isinstance(ax.figure, Drawn):
        given = {name: numbers(values) for name, values in columns.items() if values is not None}
        kind = KINDS.get(drawn, "measured") if predicted is None else "predicted" if predicted else "measured"
        ax.figure.noted.append((ax, {"label": label, "kind": kind, "columns": given}))


def note_matrix(ax: Axes, values: Tensor, unit: str) -> None:
    """Note a heat map, entry by entry: rows are y, columns are x."""
    y, x = np.indices(values.shape)
    note(ax, "weight", "", {"x": x.ravel(), "y": y.ravel(), unit: values.ravel()})


def _named(series: dict[str, Any], ax: Axes, first: Axes) -> dict[str, Any]:
    """The series with its columns as a list (a notebook sorts what is named), each with the name that readers know."""
    x, y = ax.get_xlabel() or first.get_xlabel(), ax.get_ylabel() or first.get_ylabel()
    names = {"x": f"{x} (column)", "y": f"{y} (row)"} if x == y else {"x": x, "y": y}
    names["error"] = f"{y}: error bar"
    columns = [{"name": plain(names.get(name) or name), "values": v} for name, v in series["columns"].items()]
    return series | {"columns": columns}


def plain(label: str) -> str:
    """A label without the marks of TeX, in one line."""
    for mark, text in _TEX.items():
        label = label.replace(mark, text)
    return " ".join(label.split())


def numbers(values: Any) -> list[float | int | None]:
    """Plain numbers for JSON; what is not finite becomes None."""
    return [_number(float(value)) for value in np.asarray(values, dtype=float)]


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == round(value) and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")
