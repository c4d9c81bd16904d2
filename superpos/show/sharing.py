"""Pictures of circuits that share slots: whom one meets, when a slot switches on, how a point leaves its circle."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from superpos.codes import Code
from superpos.show.data import COORDINATES, Drawn, note
from superpos.show.series import BLACK, COLOURS
from superpos.show.sheet import drawing, sheet
from superpos.show.vector import letters

_PALE = "#c9c9c9"


def shared(code: Code, t: int) -> Tensor:
    """How many slots each circuit shares with circuit t, (T,); with itself 0."""
    common = (code.slots[:, :, None] == code.slots[t]).any(dim=2).sum(dim=1)
    common[t] = 0
    return common


@drawing
def meetings(code: Code, t: int, *, height: float = 3.5) -> Figure:
    """Circuits as columns, slots as rows: circuit t in blue, in orange those it shares a slot with, others in grey.

    A shared slot is ringed: once where two circuits share one slot, twice where they share more.
    """
    figure = Drawn(figsize=(sheet().width, sheet().tall * height), layout="constrained")
    ax = figure.subplots()
    met = shared(code, t)
    for row in code.slots[t].tolist():
        ax.axhline(row, color=COLOURS[0], lw=5, alpha=0.18, zorder=0)
    for u, slots in enumerate(code.slots.tolist()):
        role = "chosen" if u == t else "meets it" if met[u] else "does not"
        colour = {"chosen": COLOURS[0], "meets it": COLOURS[1], "does not": _PALE}[role]
        ax.plot([u, u], [min(slots), max(slots)], color=colour, lw=1, alpha=0.6, zorder=1)
        ax.scatter([u] * len(slots), slots, s=58, color=colour, marker="s", zorder=2)
        note(ax, "weight", role, {"circuit": [u] * len(slots), "slot": slots})
        for slot in set(slots) & set(code.slots[t].tolist()) if met[u] else ():
            for size in (150, 270)[: min(int(met[u]), 2)]:
                ax.scatter(u, slot, s=size, facecolor="none", edgecolor=COLOURS[1], lw=1.4, zorder=3)
    ax.set(xlabel="circuit", ylabel="slot", xlim=(-0.7, code.T - 0.3), ylim=(code.n - 0.4, -0.6))
    ax.set_xticks(range(0, code.T, 2))
    ax.set_yticks(range(0, code.n, 3))
    ax.grid(False)
    return figure


@drawing
def switch(
    S: int, linked: int, chi: float, levels: Sequence[float], *, step: float = 0.25, height: float = 3.2
) -> Figure:
    """An idle slot that reads the S slots of an active circuit, `linked` of them at 1/S, the others at −χ.

    On the right, or below, what it reads with 0, 1, 2 … of them linked, as rungs of a
    ladder; from `step` on it is switched on.
    """
    here = sheet()
    if here.stacked:
        figure = Drawn(figsize=(here.width, 1.9 * here.tall * height), layout="constrained")
        left, right = figure.subplots(2, 1)
    else:
        figure = Drawn(figsize=(here.width, here.tall * height), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    on = levels[linked] > step
    middle = (S - 1) / 2
    for k in range(S):
        own = k < linked
        colour, style = (COLOURS[1], {"lw": 2.4}) if own else (_PALE, {"lw": 1.2, "ls": (0, (3, 2))})
        left.annotate(
            "", (0.93, middle), (0.07, k), arrowprops={"arrowstyle": "->", "color": colour, "shrinkB": 12, **style}
        )
        left.scatter(0, k, s=210, color=COLOURS[0], zorder=3)
        left.text(0, k, "1", color="white", ha="center", va="center", fontsize=sheet().text, zorder=4)
        weight = f"1/{S}" if own else f"−{chi:.3f}"
        at = (0.36, k + 0.36 * (middle - k))
        left.text(*at, weight, ha="center", va="center", fontsize=sheet().text, color=BLACK, bbox=_paper(), zorder=5)
        note(left, "weight", f"from slot {k}", {"slot": [k], "weight": [1 / S if own else -chi]})
    left.scatter(1, middle, s=520, color=COLOURS[1] if on else "white", edgecolor=BLACK, zorder=3)
    state = {"s": "on", "color": letters(COLOURS[1])} if on else {"s": "off"}
    left.text(1, middle, **state, ha="center", va="center", fontsize=sheet().text, zorder=4)
    left.text(0, S - 0.35, "slots of the\nactive circuit", ha="center", va="bottom", fontsize=sheet().text)
    left.text(1, middle + 0.21 * S, "idle slot", ha="center", va="bottom", fontsize=sheet().text)
    left.set(xlim=(-0.28, 1.2), ylim=(-0.7, 1.28 * S + 0.6))
    left.axis("off")
    _ladder(right, levels, linked, step)
    return figure


def _ladder(ax: Axes, levels: Sequence[float], linked: int, step: float) -> None:
    """What the slot reads, a rung for each number of links, and the level from which it is on."""
    ax.axhspan(step, 1.08, color=COLOURS[1], alpha=0.12)
    ax.axhline(step, xmax=0.26, color=BLACK, lw=1, ls=(0, (4, 3)))  # up to the names of the rungs
    ax.text(2.0, 1.03, "above ¼: switched on", ha="right", va="top", fontsize=sheet().text)
    for k, y in enumerate(levels):
        chosen = k == linked
        ax.plot([0.1, 0.5], [y, y], color=COLOURS[0] if chosen else _PALE, lw=4 if chosen else 2)
        words = f"{k} linked: {y:.2f}".replace("-", "−")
        ax.text(
            0.57, y, words, va="center", fontsize=sheet().text, color=BLACK, fontweight="bold" if chosen else "normal"
        )
    note(ax, "levels", "idle slot", {"linked slots": range(len(levels)), "on-indicator read": levels})
    ax.set(xlim=(0, 2.05), ylim=(-0.45, 1.08), ylabel="on-indicator that the idle slot reads")
    ax.set_xticks([])
    ax.grid(False)


@drawing
def circle(
    rows: Mapping[str, tuple[Tensor, Tensor, Tensor]], *, reach: float = 1.4, kept: bool = False, height: float = 1.55
) -> Figure:
    """A point of the plane, layer by layer: true on its circle, and as it is read, joined by the error.

    `rows` holds (true, read, on-indicator), (layers, 2), (layers, 2) and (layers,), a row of panels each; a point
    outside the panel is an arrow at its edge. The on-indicator is the one that is read, α̂, or the one `kept`, α.
    """
    indicator = "$\\alpha$" if kept else "$\\hat\\alpha$"
    count, here = len(next(iter(rows.values()))[0]), sheet()
    lines = 2 if here.stacked else 1  # of panels, for each row
    size = (here.width, here.tall * height * len(rows) * lines)
    figure = Drawn(figsize=size, layout="constrained")
    across = -(-count // lines)
    grid = figure.subplots(len(rows) * lines, across, squeeze=False, sharex=True, sharey=True)
    for spare in grid.reshape(len(rows), -1)[:, count:].flat:
        spare.set_axis_off()
    for axes, (name, (true, read, alpha)) in zip(grid.reshape(len(rows), -1)[:, :count], rows.items(), strict=True):
        for k, ax in enumerate(axes):
            _on_circle(ax, np.asarray(true[k], dtype=float), np.asarray(read[k], dtype=float), reach)
            layer = f"layer {k}" if k else "input"
            ax.set_title(f"{layer}\n{indicator} = {float(alpha[k]):.2f}", fontsize=sheet().text, loc="center")
            for label, path in (("true", true), ("read", read)):
                at = {"layer": [k], **dict(zip(COORDINATES, path[k : k + 1].T, strict=True))}
                note(ax, "points", f"{name}, {label}".strip(", "), at, predicted=label == "true")
        axes[0].set_ylabel(name, fontsize=sheet().text)
    return figure


def _on_circle(ax: Axes, true: np.ndarray, read: np.ndarray, reach: float) -> None:
    around = np.linspace(0, 2 * np.pi, 100)
    ax.plot(np.cos(around), np.sin(around), color=_PALE, lw=1)
    size = float(np.abs(read).max())
    shown = read if size <= reach else read * reach / size
    ax.plot(*zip(true, shown, strict=True), color=COLOURS[1], lw=1.4)
    ax.scatter(*true, s=38, color=COLOURS[0], zorder=3)
    if size <= reach:
        ax.scatter(*shown, s=38, facecolor="white", edgecolor=COLOURS[1], lw=1.6, marker="s", zorder=4)
    else:  # it is out of the panel
        tip = {"arrowstyle": "-|>", "color": COLOURS[1], "lw": 1.6, "mutation_scale": 13}
        (x, y), (a, b) = shown, shown - 0.35 * shown / np.linalg.norm(shown)
        ax.annotate("", (x, y), (a, b), arrowprops=tip)
    ax.set(aspect="equal", xlim=(-1.08 * reach, 1.08 * reach), ylim=(-1.08 * reach, 1.08 * reach))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _paper() -> dict[str, object]:
    return {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"}
