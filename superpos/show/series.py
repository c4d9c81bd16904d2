"""Curves and points: what a series is, the colours and marks of the book, and how one is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogFormatterMathtext, MaxNLocator, NullFormatter
from matplotlib.transforms import Transform
from torch import Tensor

from superpos.show.data import note
from superpos.show.sheet import sheet
from superpos.show.titles import Ends, legend_above, legend_over

# Okabe & Ito's palette: distinct for every kind of colour vision. Marker and line style are the second cue.
# One colour has one meaning in the whole book:
#   0  blue: what the chapter is about, the construction as it is; in pictures of the mechanism, the active circuit;
#   1  orange: the other way to do it (no threshold, one copy …); there, the circuit that should be silent;
#   2 … 4  further settings, in the order in which the book names them;
#   5  black: what needs no superposition, side by side; thin and dashed, doing nothing and levels to be compared, which
#      are drawn by `level` and `marks`;
#   6  yellow: one more setting.
# What is measured and what is predicted for it share a colour: `group`. The same setting has the same group everywhere.
BLACK = "#333333"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", BLACK, "#E69F00")
LEVEL = {"color": BLACK, "lw": 0.9, "ls": (0, (4, 3))}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)))

Values = Sequence[float] | Tensor | np.ndarray


@dataclass(frozen=True, eq=False)
class Series:
    """One set of points or one curve of a figure; made by `points`, `line`, `both` and `level`.

    Attributes:
        kind: how it is drawn.
        label: its name in the legend; empty for none.
        x, y: its values.
        error: half the length of the error bars (one standard error, unless the figure says otherwise).
        predicted: whether it is theory and no measurement; None: lines are, points are not.
        group: series of one group share colour and marker: what is measured and what is predicted for it.
    """

    kind: Literal["points", "line", "both", "level"]
    label: str
    x: Values
    y: Values
    error: Values | None = None
    group: int | None = None
    predicted: bool | None = None


points, line, both = (partial(Series, kind) for kind in ("points", "line", "both"))
level = partial(Series, "level", group=COLOURS.index(BLACK))


def draw(ax: Axes, series: Sequence[Series], log: str) -> None:
    """Points and lines over one axis."""
    others = DASHES[:5] + DASHES[6:]  # dotted is the first black line of a figure, and no coloured one
    coloured, black = cycle(others), cycle((DASHES[5], *others))
    named = {one.group: one.label for one in series if one.label and one.group is not None}
    for i, one in enumerate(series):
        group = i if one.group is None else one.group
        x, y = np.asarray(one.x, dtype=float), np.asarray(one.y, dtype=float)
        columns = {"x": x, "y": y, "error": one.error}
        note(ax, one.kind, one.label or named.get(group, ""), columns, predicted=one.predicted)
        if one.kind == "level":
            ax.plot(x, y, label=one.label, **LEVEL)
        elif one.kind != "points":
            label = one.label if one.kind == "line" else None
            dash = next(black if group % 7 == 5 else coloured)
            ax.plot(x, y, color=COLOURS[group % 7], ls=dash, lw=1.6, label=label)
        if one.kind in ("points", "both"):
            mark(ax, group, one.label, x, y, one.error)
    ax.set(xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
    plain(ax)
    at: list[float] = []
    for value in sorted({float(value) for one in series for value in np.asarray(one.x, dtype=float)}):
        if "x" not in log or not at or value > 1.1 * at[-1]:  # labels must not lie on each other
            at.append(value)
    if "x" in log and len(at) <= 10:  # the values themselves are the better ticks
        ax.set_xticks(at, [f"{value:,.0f}" if value >= 1 else f"{value:.2g}" for value in at], rotation=0)
        ax.set_xticks([], minor=True)
    elif "x" in log:
        ax.xaxis.set_minor_formatter(NullFormatter())
    elif all(value == round(value) for value in at):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


class _Plain(LogFormatterMathtext):
    """Ticks of a logarithmic axis as one reads them, 0.01 and 1,000, with a power of ten only beyond."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        return f"{x:,.6g}" if text and 0.9e-3 < x < 1.1e4 else text


def plain(ax: Axes) -> None:
    """Plain numbers on the axes that are logarithmic."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(_Plain())
            axis.set_minor_formatter(_Plain(labelOnlyBase=False, minor_thresholds=(1, 0.4)))


def mark(ax: Axes, i: int, label: str, x: Values, y: Values, error: Values | None) -> None:
    """Points in the i-th colour and shape, with error bars."""
    yerr = None if error is None else np.asarray(error, dtype=float)
    ax.errorbar(
        np.asarray(x), np.asarray(y), yerr=yerr, color=COLOURS[i % 7], marker=MARKERS[i % 7], ms=5, ls="", lw=1.2,
        capsize=2, label=label,
    )  # fmt: skip


def ends(ax: Axes, series: Sequence[Series]) -> None:
    """The names of series at their right ends, each in its colour."""
    named = []
    for i, one in enumerate(series):
        places = np.column_stack([np.asarray(one.x, dtype=float), np.asarray(one.y, dtype=float)])
        seen = places[np.isfinite(places).all(axis=1)]
        if one.label and len(seen):
            colour = COLOURS[(i if one.group is None else one.group) % 7]
            named.append((one.label, colour, *seen[seen[:, 0].argmax()]))
    wide = max((TextPath((0, 0), name, size=sheet().text).get_extents().width for name, *_ in named), default=0.0)
    if sheet().stacked and wide > 0.22 * 72 * sheet().width:
        legend(ax)  # there is no room beside the lines
    elif named:
        Ends(ax, named)


def name_level(ax: Axes, series: Sequence[Series], name: str, level: float, *, others: Sequence[float] = ()) -> None:
    """The name of a horizontal line where no series runs through it: at an end, above the line rather than below it,
    and only then between the ends; if there is no such place, where it is farthest from all. `others` are lines too."""
    size = 72 * np.array(ax.figure.bbox.size) / ax.figure.dpi  # points of the figure, of which the axes have a share
    wide, high = (
        TextPath((0, 0), name, size=sheet().text).get_extents().width / (0.58 * size[0]),
        1.3 * sheet().text / (0.75 * size[1]),
    )
    to_axes = ax.transData - ax.transAxes  # shares of the axes
    paths = [_path(one, to_axes) for one in series]
    y0 = float(to_axes.transform([(ax.get_xlim()[1], level)])[0, 1])
    paths += [np.array([[0, y], [1, y]]) for y in (to_axes.transform([(ax.get_xlim()[1], o)])[0, 1] for o in others)]
    ends = sorted((0.01, 1 - wide), key=lambda left: -_clear(paths, left, wide, y0, y0))  # the freer end first
    places = [(left, va) for va in ("bottom", "top") for left in ends]
    places += [(left, va) for va in ("bottom", "top") for left in np.linspace(0.01, 1 - wide, 9)[1:-1]]
    room = [_clear(paths, left, wide, *((y0, y0 + high) if va == "bottom" else (y0 - high, y0))) for left, va in places]
    left, va = places[next((k for k, r in enumerate(room) if r > 0.01), int(np.argmax(room)))]
    at, side = ((1.0, level), "right") if left == 1 - wide else ((left, level), "left")
    ax.annotate(name, at, xycoords=("axes fraction", "data"), ha=side, va=va)


def _path(one: Series, to_axes: Transform) -> np.ndarray:
    """Places of a series in shares of the axes, close to each other where it is a line."""
    places = to_axes.transform(np.column_stack([np.asarray(one.x, dtype=float), np.asarray(one.y, dtype=float)]))
    places = places[np.isfinite(places).all(axis=1)]
    if one.kind == "points" or len(places) < 2:
        return places
    steps, fine = np.arange(len(places)), np.linspace(0, len(places) - 1, 40 * len(places))
    return np.column_stack([np.interp(fine, steps, places[:, k]) for k in (0, 1)])


def _clear(paths: Sequence[np.ndarray], left: float, wide: float, low: float, high: float) -> float:
    """How far the nearest path is above or below a box, in shares of the axes; below 0 if one runs through it."""
    gaps = [
        np.maximum(low - path[:, 1], path[:, 1] - high)[
            (path[:, 0] > left - 0.005) & (path[:, 0] < left + wide + 0.005)
        ]
        for path in paths
    ]
    return float(min((gap.min() for gap in gaps if gap.size), default=1.0))


def legend(ax: Axes) -> None:
    """A legend, if anything has a name: where there is room, or on a phone above."""
    handles, labels = ax.get_legend_handles_labels()
    assert ax.figure is not None
    if labels and sheet().stacked and len(ax.figure.axes) == 1:
        legend_above(ax.figure, [ax], 3)  # pyright: ignore[reportArgumentType]
    elif labels and sheet().stacked:
        legend_over(ax)
    elif labels:
        ax.legend(handles, labels)
