"""One layer drawn: what each circuit reads of the stream, what the neurons answer, what is written back.

One drawing for chapters 4 to 7, of circuits with d = m = 1 in a residual network of any number of layers. All numbers
are the network's own: `walk` takes them from its layers, `picture` draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from torch import Tensor

from superpos.show.data import Drawn, note
from superpos.show.lanes import OWNERS, ink
from superpos.show.plane import plane
from superpos.show.series import BLACK
from superpos.show.sheet import drawing, sheet
from superpos.show.titles import titled
from superpos.show.vector import legible
from superpos.show.walking import PARTS, QUIET, Step, text, walk

__all__ = ["Step", "picture", "plane", "terms", "walk"]


@dataclass(frozen=True)
class _Places:
    """Where things stand, in inches from the upper left corner."""

    wide: float  # the drawing
    reads: float  # the middles of the columns
    neuron: float
    writes: float
    row: float  # the height of a row
    foot: float  # below the rows
    box: tuple[float, float]  # a box's width and height
    radius: float  # of a neuron
    below: float  # from the middle of a neuron to the words below it,
    under: float  # and from that of a box
    along: float = 0.33  # of an arrow to a neuron, to its number
    above: bool = False  # whether a circuit's name stands above its box; else left of it
    head: float = 0.4  # above the rows


_WIDE = _Places(5.3, 1.26, 2.95, 4.7, row=0.8, foot=0.72, box=(0.62, 0.36), radius=0.27, below=0.39, under=0.31)
_WIDE_FEW = replace(_WIDE, row=1.05)  # arrows carry numbers, which need room
_NARROW = _Places(3.55, 1.02, 2.05, 3.07, row=0.7, foot=0.9, box=(0.5, 0.28), radius=0.23, below=0.32, under=0.28)
_NARROW_FEW = replace(_NARROW, reads=0.29, neuron=1.8, row=1.15, along=0.45, above=True)
_WHITE = {"fc": "white", "ec": "none", "pad": 0.8}  # behind letters on a line
_PALE, _GREY = "#8a8a8a", "#555555"


@drawing
def picture(step: Step, *, finding: str = "") -> Figure:
    """The step drawn: boxes for states, circles for neurons (filled: they answer), arrows for weights. Chapters 4 to 7.

    Colours are the circuits'; a neuron that several circuits share is grey. Arrows carry their weights where they are
    few, and are thick where something flows.

    Args:
        step: of `walk`.
        finding: said above it in the place of the step's own sentence.
    """
    figure, _ = _drawn(step)
    return titled(figure, finding or step.said, lines=2 if finding else 3)


@drawing
def terms(step: Step, finding: str) -> Figure:
    """The layer drawn, with the names of the terms of its error where they enter. Chapter 6.

    Args:
        step: the last part of a layer of `walk`, one in which silent circuits read something.
        finding: said above it.

    Raises:
        ValueError: the step is another.
    """
    if step.part != "writes" or not _murmurs(step) or not step.silent:
        raise ValueError(f"the step is {step.title!r}; terms are drawn where silent circuits read and have written")
    figure, (rows, places) = _drawn(step)
    ax, at, t, u = figure.axes[0], _places(step), step.active[0], step.silent[0]
    n, aside = int(step.carriers[u, 0]), at.under
    named = {
        "read-off": (at.reads, rows[u] + aside),
        "read-in": ((at.reads + at.neuron) / 2 - 0.1, (rows[u] + places[n]) / 2),
        "neuron": (at.neuron + at.radius + 0.0285 * sheet().text, places[n]),
        "own": (at.writes, rows[t] - aside),
        "written back": ((at.neuron + at.writes) / 2 + 0.25, sum(ax.get_ylim()) - at.foot + 0.32),
    }
    for name, (x, y) in named.items():
        word = ax.text(x, y, name, ha="center", va="center", weight="bold", bbox=_WHITE, zorder=6)
        word.set_in_layout(False)
        note(ax, "term", name, {"inches from the left": [x], "inches from the top": [y]})
    return titled(figure, finding)


def _few(step: Step) -> bool:
    """Arrows carry their numbers."""
    return step.carriers.numel() <= 4


def _places(step: Step) -> _Places:
    if sheet().stacked:
        return _NARROW_FEW if _few(step) else _NARROW
    return _WIDE_FEW if _few(step) else _WIDE


def _drawn(step: Step) -> tuple[Figure, list[list[float]]]:
    """The figure, and how far down the circuits and the neurons stand."""
    T, M = len(step.reads), len(step.neurons)
    at = _places(step)
    tall = max(T, M) * at.row
    high = at.head + tall + (at.foot if _murmurs(step) else 0.0)
    figure = Drawn(figsize=(sheet().width, high * sheet().width / at.wide), layout="constrained")
    ax = figure.subplots()
    ax.set(xlim=(0, at.wide), ylim=(high, 0), aspect="equal")
    ax.set_axis_off()
    rows, places = ([at.head + (k + 0.5) * tall / count for k in range(count)] for count in (T, M))
    done = PARTS.index(step.part)
    heads = (at.reads, "reads"), (at.neuron, f"neurons, layer {step.layer + 1}"), (at.writes, "writes")
    for k, (x, head) in enumerate(heads[: 1 + done]):
        ax.text(x, 0.15, head, ha="center", va="center", color=BLACK, weight="bold" if k == done else "normal")
    if done > 0:
        _arrows(ax, step, rows, places)
        _neurons(ax, step, places)
    _states(ax, step, rows)
    if _murmurs(step):
        _loop(ax, step, high)
    for artist in ax.get_children():
        artist.set_in_layout(False)  # texts must not move the axes: steps are compared
    return figure, [rows, places]


def _murmurs(step: Step) -> bool:
    return max(step.heard, default=0.0) > QUIET**2


def _states(ax: Axes, step: Step, rows: Sequence[float]) -> None:
    at = _places(step)
    for t, y in enumerate(rows):
        holds = f"holds {text(step.holds[t])}" if t in step.active else "silent"
        name = f"circuit {t + 1}\n{holds}"
        height, va = (y - at.box[1] / 2 - 0.05, "bottom") if at.above else (y, "center")
        ax.text(0.02, height, name, va=va, color=legible(OWNERS[t]), linespacing=1.25)
        _box(ax, (at.reads, y), at.box, step.reads[t], t, t in step.active)
        if step.part == "writes":
            _box(ax, (at.writes, y), at.box, step.writes[t], t, t in step.active)
            words = {"ha": "center", "va": "center", "color": BLACK, "bbox": _WHITE, "zorder": 3.6}
            ax.text(at.writes, y + at.under, f"should be {text(step.should[t])}", **words)
    numbers = range(1, len(rows) + 1)
    note(ax, "reads", "circuits", {"circuit": numbers, "holds": step.holds, "reads": step.reads})
    if step.part == "writes":
        note(ax, "writes", "circuits", {"circuit": numbers, "writes": step.writes, "should write": step.should})


def _neurons(ax: Axes, step: Step, places: Sequence[float]) -> None:
    at = _places(step)
    numbers = range(1, len(places) + 1)
    note(ax, "neurons", "large neurons", {"neuron": numbers, "given": step.given, "answers": step.neurons})
    for n, y in enumerate(places):
        owners = [t for t, some in enumerate(step.carriers.tolist()) if n in some]
        if not owners:
            continue  # nobody's neuron
        on = bool(step.neurons[n] > 0)
        colour = OWNERS[owners[0]] if len(owners) == 1 else _GREY
        ax.add_patch(Circle((at.neuron, y), at.radius, fc=colour if on else "white", ec=colour, lw=1.8, zorder=4))
        letters = BLACK if not on else "white" if len(owners) != 1 else ink(owners[0])
        ax.text(at.neuron, y, text(step.neurons[n]), ha="center", va="center", zorder=5, color=letters)
        parts = [step.w_in[t] * step.reads[t] for t in owners]
        parts = [part for part in parts if abs(part) > QUIET]
        told = f"ReLU({_sum(parts) if _few(step) and parts else text(step.given[n])})"
        ax.text(at.neuron, y + at.below, told, ha="center", va="center", zorder=3.6, bbox=_WHITE)


def _arrows(ax: Axes, step: Step, rows: Sequence[float], places: Sequence[float]) -> None:
    S, at = step.carriers.shape[1], _places(step)
    left, right = at.neuron - at.radius, at.neuron + at.radius
    for t, y in enumerate(rows):
        for n in step.carriers[t].tolist():
            w, flows = step.w_in[t], abs(step.w_in[t] * step.reads[t]) > QUIET
            _arrow(ax, (at.reads + at.box[0] / 2, y), (left, places[n]), w, t, bool(flows), at.along * _few(step))
            note(ax, "arrow", f"circuit {t + 1} to neuron {n + 1}", {"weight": [w]})
            if step.part == "writes":
                w, flows = step.w_out[t] / S, abs(step.w_out[t] * step.neurons[n]) > QUIET
                rise = places[n] - y  # the number keeps clear of the words below boxes and neurons
                along = 0.42 if rise > 0.1 else 0.66 if rise < -0.1 else 0.5
                start, end = (right, places[n]), (at.writes - at.box[0] / 2, y)
                _arrow(ax, start, end, w, t, bool(flows), along * _few(step))
                note(ax, "arrow", f"neuron {n + 1} to circuit {t + 1}", {"weight": [w]})


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], w: Tensor, t: int, flows: bool, number: float
) -> None:
    """A weight, in the colour of the circuit that owns it, thick where something flows; its number so far along."""
    style = {"arrowstyle": "-|>", "color": OWNERS[t], "lw": 2.2 if flows else 0.9, "shrinkA": 1, "shrinkB": 1}
    ax.annotate("", end, start, arrowprops=style, zorder=3 if flows else 2)
    if number:
        x, y = (a + number * (b - a) for a, b in zip(start, end, strict=True))
        ax.text(x, y, f"× {text(w)}", ha="center", va="center", color=legible(OWNERS[t]), bbox=_WHITE, zorder=3.7)


def _loop(ax: Axes, step: Step, high: float) -> None:
    """What is written goes into the stream, and is read again; below, what that has come to."""
    at = _places(step)
    top, low, now = high - at.foot + 0.08, high - at.foot + 0.32, step.layer > 0 and step.part == "reads"
    style = {"color": BLACK if now else _PALE, "lw": 2.2 if now else 1.0}
    ax.plot([at.writes, at.writes, at.reads, at.reads], [top, low, low, top + 0.1], **style)
    ax.annotate("", (at.reads, top - 0.02), (at.reads, low), arrowprops={"arrowstyle": "-|>", **style})
    ax.text(
        (at.reads + at.neuron) / 2,
        low,
        "the stream",
        ha="center",
        va="center",
        color=BLACK if now else _GREY,
        bbox=_WHITE,
    )
    so_far = " → ".join(text(value) for value in step.heard)
    gap = "\n" if sheet().stacked else " "
    ax.text(0.02, high - 0.04, f"mean square read by silent circuits:{gap}{so_far}", va="bottom", linespacing=1.25)
    read = {"layers before": range(len(step.heard)), "mean square read by silent circuits": step.heard}
    note(ax, "heard", "the stream", read)


def _box(ax: Axes, at: tuple[float, float], size: tuple[float, float], value: Tensor, t: int, active: bool) -> None:
    loud = abs(value) > QUIET
    face = OWNERS[t] if active else "white"
    style = "round,pad=0,rounding_size=0.08"
    (x, y), (wide, tall) = at, size
    corner = (x - wide / 2, y - tall / 2)
    ax.add_patch(FancyBboxPatch(corner, wide, tall, boxstyle=style, fc=face, ec=OWNERS[t], lw=1.8, zorder=4))
    if loud and not active:
        shade = FancyBboxPatch(corner, wide, tall, boxstyle=style, fc=OWNERS[t], ec="none", alpha=0.3, zorder=4)
        ax.add_patch(shade)
    ax.text(x, y, text(value), ha="center", va="center", zorder=5, color=ink(t) if active else BLACK)


def _sum(parts: Sequence[Tensor]) -> str:
    """0.80 − 0.50."""
    first, *rest = [float(part) for part in parts]
    return text(first) + "".join(f" {'−' if part < 0 else '+'} {text(abs(part))}" for part in rest)
