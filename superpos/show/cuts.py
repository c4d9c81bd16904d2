"""Pictures of decompositions: how a matrix is cut into components, and how much of its circuits was found."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from superpos.show.data import Drawn, note
from superpos.show.lanes import OWNERS, ink
from superpos.show.series import BLACK, COLOURS, MARKERS
from superpos.show.sheet import drawing, sheet
from superpos.show.titles import legend_above

_IDLE = 0.3  # how opaque a component is that is not at work


@dataclass(frozen=True, eq=False)
class Cutting:
    """A matrix as a sum of components: what they weigh, and which are at work in one sample.

    Attributes:
        title: how it is cut.
        below: what that costs, in a line or two.
        V, U: the components U_c V_cᵀ.
        on: which of them are at work.
    """

    title: str
    below: str
    V: Float[Tensor, "in C"]
    U: Float[Tensor, "out C"]
    on: Bool[Tensor, " C"]


@drawing
def cuttings(owner: Int64[Tensor, "out in"], cuts: Sequence[Cutting], *, height: float = 3.9) -> Figure:
    """Matrices side by side whose weights have the colours of the circuits that own them; a frame is a component."""
    here = sheet()
    shape = (len(cuts), 1) if here.stacked else (1, len(cuts))
    figure = Drawn(figsize=(here.width, here.tall * height * (shape[0] if here.stacked else 1)), layout="constrained")
    for ax, cut in zip(figure.subplots(*shape, squeeze=False).flat, cuts, strict=True):
        _cutting(ax, owner, cut)
    return figure


def _cutting(ax: Axes, owner: Int64[Tensor, "out in"], cut: Cutting) -> None:
    out, width = owner.shape
    weight = torch.zeros(out, width)
    for c in range(cut.V.shape[1]):
        rows, columns = (x[:, c].nonzero()[:, 0] for x in (cut.U, cut.V))
        if not len(rows) or not len(columns):
            continue
        on = bool(cut.on[c])
        for i in rows.tolist():
            for j in columns.tolist():
                t = int(owner[i, j])
                weight[i, j] += 1
                ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fc=OWNERS[t % 9], alpha=1 if on else _IDLE, lw=0))
        left, top = float(columns.min()) - 0.42, float(rows.min()) - 0.42
        size = float(columns.max() - columns.min()) + 0.84, float(rows.max() - rows.min()) + 0.84
        ax.add_patch(Rectangle((left, top), *size, fill=False, ec=BLACK, lw=2.4 if on else 0.8, zorder=3))
    for t in owner.unique().tolist():
        at = (owner == t).nonzero().double().mean(dim=0)
        box = {"boxstyle": "round,pad=0.12", "fc": OWNERS[t % 9], "ec": "none"}
        ax.text(
            float(at[1]),
            float(at[0]),
            str(t),
            ha="center",
            va="center",
            color=ink(t),
            fontsize=sheet().text,
            bbox=box,
            zorder=4,
        )
    note(ax, "component", cut.title, {"at work": cut.on.int().tolist()})
    ax.set(xlim=(-0.5, width - 0.5), ylim=(out - 0.5, -0.5), aspect="equal", title=cut.title, xlabel=cut.below)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)


@dataclass(frozen=True)
class Found:
    """How much a method found: a score, its standard error, and the same on the shuffled control."""

    name: str
    value: float
    error: float = 0.0
    control: float | None = None


@drawing
def found(rows: Sequence[Found], xlabel: str, *, height: float | None = None) -> Figure:
    """A bar for each method, and a cross for the same on a network in which nothing is to be found."""
    here = sheet()
    figure = Drawn(figsize=(here.width, height or 0.9 + 0.55 * len(rows)), layout="constrained")
    ax = figure.subplots()
    places = range(len(rows))
    ax.barh(places, [row.value for row in rows], xerr=[row.error for row in rows], color=COLOURS[0], height=0.55)
    known = [(k, row.control) for k, row in enumerate(rows) if row.control is not None]
    if known:
        ax.plot([x for _, x in known], [k for k, _ in known], "x", color=BLACK, ms=8, mew=2, label="shuffled control")
    for row in rows:
        note(ax, "bar", row.name, {xlabel: [row.value], "standard error": [row.error], "control": [row.control or 0.0]})
    ax.set_yticks(places, [row.name for row in rows])
    ax.set(xlim=(min(0.0, *(x or 0.0 for _, x in known)) if known else 0.0, 1.0), xlabel=xlabel)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    if known:
        legend_above(figure, [ax], 1)
    return figure


@drawing
def levels(rows: Sequence[tuple[str, Sequence[Found]]], xlabel: str) -> Figure:
    """A line for each bed with a mark for each method on it, and a cross for the same on the shuffled control."""
    here, names = sheet(), list(dict.fromkeys(one.name for _, found in rows for one in found))
    figure = Drawn(figsize=(here.width, 1.0 + 0.5 * len(rows)), layout="constrained")
    ax = figure.subplots()
    for k, name in enumerate(names):
        shift = 0.5 * ((k + 0.5) / len(names) - 0.5)
        placed = [(place + shift, one) for place, (_, found) in enumerate(rows) for one in found if one.name == name]
        y, x, error = [at for at, _ in placed], [one.value for _, one in placed], [one.error for _, one in placed]
        ax.errorbar(x, y, xerr=error, fmt=MARKERS[k % 7], color=COLOURS[k % 7], ms=6, label=name)
        known = [(at, one.control) for at, one in placed if one.control is not None]
        ax.plot([c for _, c in known], [at for at, _ in known], "x", color=BLACK, ms=5, mew=1.2, zorder=1)
    for row, found in rows:
        for one in found:
            note(ax, "points", f"{row}, {one.name}", {xlabel: [one.value], "standard error": [one.error]})
    ax.plot([], [], "x", color=BLACK, ms=5, mew=1.2, label="shuffled control")
    ax.set_yticks(range(len(rows)), [row for row, _ in rows])
    ax.set(xlim=(-0.03, 1.03), ylim=(len(rows) - 0.5, -0.5), xlabel=xlabel)
    legend_above(figure, [ax], 3)
    return figure
