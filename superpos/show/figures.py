"""One style for every figure of the book. Nothing outside this folder draws."""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import Tensor

from superpos.show.adding import adjusted, hold, upright
from superpos.show.data import COORDINATES, Drawn, note, note_matrix
from superpos.show.series import (
    BLACK,
    COLOURS,
    DASHES,
    LEVEL,
    MARKERS,
    Series,
    Values,
    both,
    draw,
    ends,
    legend,
    level,
    line,
    mark,
    name_level,
    plain,
    points,
)
from superpos.show.sheet import WIDE, drawing, sheet
from superpos.show.titles import legend_above, titled

__all__ = [
    "Series",
    "adjusted",
    "agreement",
    "both",
    "coincidence",
    "curves",
    "drawing",
    "histogram",
    "hold",
    "level",
    "line",
    "matrix",
    "pair",
    "pair_of_matrices",
    "points",
    "style",
    "titled",
    "trajectories",
    "upright",
]


def style() -> None:
    """Set the look of every figure, and fixed identifiers so that a figure is the same file on every build."""
    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#666666",
            **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), "#222222"),
            "axes.titlesize": WIDE.text,
            "axes.titlelocation": "left",
            "axes.grid": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "font.size": WIDE.text,
            "legend.frameon": False,
            "legend.fontsize": WIDE.text,
            "legend.handlelength": 1.5,
            "legend.columnspacing": 1.4,
            "figure.facecolor": "white",
            "svg.hashsalt": "superpos",
            "svg.fonttype": "path",
        }
    )
    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})


@drawing
def curves(
    series: Sequence[Series],
    xlabel: str,
    ylabel: str,
    *,
    log: Literal["", "x", "y", "xy"] = "",
    height: float = 3.7,
    marks: Mapping[str, float] | None = None,
    ylim: tuple[float, float] | None = None,
    direct: bool = False,
) -> Figure:
    """Points and lines over one axis; `marks` draws horizontal lines, named where there is room.

    `direct` puts the names of series at their right ends, in their colours, in place of a legend.
    """
    figure, axes = _axes(height)
    draw(axes[0], series, log)
    axes[0].set(xlabel=xlabel, ylabel=ylabel, **({"ylim": ylim} if ylim else {}))
    for value in (marks or {}).values():
        axes[0].axhline(value, **LEVEL)
    for name, value in (marks or {}).items():
        name_level(axes[0], series, name, value, others=[other for other in (marks or {}).values() if other != value])
    if direct:
        ends(axes[0], series)
    else:
        legend(axes[0])
    return figure


@drawing
def pair(
    left: Sequence[Series],
    right: Sequence[Series],
    xlabels: tuple[str, str],
    ylabels: tuple[str, str],
    titles: tuple[str, str],
    *,
    log: Literal["", "x", "y", "xy"] = "",
    height: float = 3.4,
    direct: bool = False,
    together: bool = False,
) -> Figure:
    """Two figures of the same kind side by side: one legend above for both, or, if the right one has labels, two,
    unless all stand `together` above; or, with `direct`, names at the right ends of lines."""
    figure, axes = _axes(height, columns=2)
    for ax, series, xlabel, ylabel, title in zip(axes, (left, right), xlabels, ylabels, titles, strict=True):
        draw(ax, series, log)
        ylabel = ylabel or (ylabels[0] if sheet().stacked else "")  # the one beside it no longer stands there
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if direct:
        ends(axes[0], left)
        ends(axes[1], right)
    elif axes[1].get_legend_handles_labels()[1] and not together:
        legend(axes[0])
        legend(axes[1])
    else:
        legend_above(figure, axes, 3)
    return figure


@drawing
def pair_of_matrices(named: Mapping[str, Tensor], *, label: str, unit: str, height: float = 3.1) -> Figure:
    """Square heat maps side by side, each on its own scale but in the same colours: blue below zero, white at zero,
    red above; white to blue where nothing is negative in any of them."""
    figure, axes = _axes(height, columns=len(named))
    signed = any(bool((matrix < 0).any()) for matrix in named.values())
    for ax, (title, matrix) in zip(axes, named.items(), strict=True):
        _heat(ax, matrix, unit, horizontal=not sheet().stacked, signed=signed)
        ax.set(title=title, xlabel=label, ylabel=label if ax is axes[0] or sheet().stacked else "", aspect="equal")
    return figure


@drawing
def matrix(values: Tensor, xlabel: str, ylabel: str, *, unit: str, height: float = 3.0) -> Figure:
    """One heat map: blue below zero, white at zero, red above; white to blue where nothing is negative."""
    figure, axes = _axes(height)
    _heat(axes[0], values, unit, horizontal=False, signed=bool((values < 0).any()))
    axes[0].set(xlabel=xlabel, ylabel=ylabel)
    return figure


@drawing
def histogram(
    named: Mapping[str, Values],
    xlabel: str,
    *,
    curves: Mapping[str, tuple[Values, Values]] | None = None,
    log: bool = False,
    bins: int = 60,
    height: float = 3.4,
    span: tuple[float, float] | None = None,
) -> Figure:
    """Densities of samples, with predicted densities as lines over them."""
    figure, axes = _axes(height)
    for i, (name, values) in enumerate(named.items()):
        flat = np.asarray(values, dtype=float).ravel()
        density, edges, _ = axes[0].hist(
            flat, bins=bins, range=span, density=True, histtype="stepfilled", color=COLOURS[i], alpha=0.4, label=name
        )
        note(axes[0], "density", name, {"x": (edges[:-1] + edges[1:]) / 2, "y": density})
    for i, (name, (x, y)) in enumerate((curves or {}).items()):
        axes[0].plot(np.asarray(x), np.asarray(y), color=BLACK, ls=DASHES[i % 7], lw=1.5, label=name)
        note(axes[0], "line", name, {"x": x, "y": y})
    axes[0].set(xlabel=xlabel, ylabel="density", yscale="log" if log else "linear")
    plain(axes[0])
    legend(axes[0])
    return figure


@drawing
def agreement(
    named: Mapping[str, tuple[Values, Values, Values]], *, band: float = 0.1, unit: str = "mean square"
) -> Figure:
    """Measured over predicted, against the prediction on a logarithmic axis: 1 is agreement, the grey band ± `band`.

    `named` holds (predicted, measured, standard error) of each kind of quantity.
    """
    figure, axes = _axes(4.2)
    ax = axes[0]
    ax.axhspan(1 - band, 1 + band, color="#e3e3e3", label=f"within {band:.0%}")
    ax.axhline(1, color=BLACK, lw=0.9)
    for i, (name, values) in enumerate(named.items()):
        predicted, measured, error = (np.asarray(x, dtype=float) for x in values)
        mark(ax, i, name, predicted, measured / predicted, error / predicted)
        note(ax, "points", name, {"x": predicted, "y": measured / predicted, "error": error / predicted})
    ax.set(
        xscale="log", xlabel=f"predicted {unit}", ylabel="measured / predicted", ylim=(1 - 2.5 * band, 1 + 2.5 * band)
    )
    plain(ax)
    legend_above(figure, [ax], 4)
    return figure


@drawing
def trajectories(rows: Mapping[str, tuple[Tensor, Tensor]], *, height: float = 3.6) -> Figure:
    """Points in the plane that move from step to step: true ones and estimates, a row of panels for each name.

    `rows` holds (true, estimated), each (panels, steps, 2); beside a point stand its steps.
    """
    panels = len(next(iter(rows.values()))[0])
    figure = Drawn(figsize=(sheet().width, sheet().tall * height), layout="constrained")
    grid = figure.subplots(len(rows), panels, squeeze=False, sharex=True, sharey=True)
    around = np.linspace(0, 2 * np.pi, 100)
    for i, (line_of_axes, (name, pair_of_paths)) in enumerate(zip(grid, rows.items(), strict=True)):
        for k, (ax, true, estimated) in enumerate(zip(line_of_axes, *pair_of_paths, strict=True), panels * i):
            ax.plot(np.cos(around), np.sin(around), color="#cccccc", lw=0.8)
            for path, c, label in ((true, 0, "true"), (estimated, 1, "estimated")):
                x, y = np.asarray(path, dtype=float).T
                ax.plot(x, y, color=COLOURS[c], ls=DASHES[c], marker=MARKERS[c], ms=3.5, lw=1, label=label)
                at = {"panel": [k] * len(x), "step": range(len(x)), COORDINATES[0]: x, COORDINATES[1]: y}
                note(ax, "both", f"{name}, {label}", at, predicted=label == "true")
            for steps, (x, y) in _met(np.asarray(estimated, dtype=float)):
                out = 9 / max(np.hypot(x, y), 1e-9)  # points, away from the centre
                at = {"xytext": (out * x, out * y), "textcoords": "offset points", "ha": "center", "va": "center"}
                ax.annotate(", ".join(map(str, steps)), (x, y), in_layout=False, **at)  # it moves no axes
            ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        line_of_axes[0].set_ylabel(name)
    legend_above(figure, [grid[0, 0]], 2)
    return figure


@drawing
def coincidence(x: Values, y: Values, xlabel: str, ylabel: str, *, band: float, height: float = 4.4) -> Figure:
    """Whole numbers y against x: the more cases fall on a place, the larger its mark; shaded, |y − x| ≤ `band`."""
    figure, axes = _axes(height)
    ax = axes[0]
    places, cases = np.unique(np.stack([np.asarray(x), np.asarray(y)]), axis=1, return_counts=True)
    ends = np.array([places.min() - 0.7, places.max() + 0.7])
    ax.fill_between(ends, ends - band, ends + band, color="#e3e3e3", lw=0)
    ax.plot(ends, ends, color=BLACK, lw=0.9)
    ax.scatter(places[0], places[1], s=45 * cases, color=COLOURS[0], zorder=3)
    note(ax, "points", "", {"x": places[0], "y": places[1], "cases": cases})
    for place, count in zip(places.T, cases, strict=True):
        ax.annotate(str(count), place, xytext=(7, -10), textcoords="offset points")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=ends, ylim=ends, aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _met(path: np.ndarray) -> list[tuple[list[int], np.ndarray]]:
    """The steps of a path, and where; those that come back share a place."""
    met: list[tuple[list[int], np.ndarray]] = []
    for step, place in enumerate(path):
        near = [steps for steps, other in met if np.linalg.norm(place - other) < 0.4 * np.linalg.norm(other)]
        if near:
            near[0].append(step)
        else:
            met.append(([step], place))
    return met


def _axes(height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    here = sheet()
    rows = columns if here.stacked else 1
    figure = Drawn(figsize=(here.width, here.tall * height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns // rows, squeeze=False).flat)


def _heat(ax: Axes, values: Tensor, unit: str, *, horizontal: bool, signed: bool) -> None:
    limit = float(values.abs().max())
    low, colours = (-limit, "RdBu_r") if signed else (0, "Blues")
    note_matrix(ax, values, unit)
    image = ax.imshow(np.asarray(values), cmap=colours, vmin=low, vmax=limit, interpolation="nearest", aspect="auto")
    ax.grid(False)
    ax.spines[["top", "right"]].set_visible(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    assert ax.figure is not None
    ax.figure.colorbar(image, ax=ax, label=unit, location="bottom" if horizontal else "right", pad=0.03)
