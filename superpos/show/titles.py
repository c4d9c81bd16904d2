"""Words of a figure: the finding above it, and names at the ends of its lines.

Both are measured, not guessed: what is said is broken where the figure ends, and no name lies on another.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox

from superpos.show.data import Drawn
from superpos.show.sheet import drawing, sheet
from superpos.show.vector import legible

_LEAD, _EDGE, _BELOW = 1.3, 0.06, 0.1  # line spacing; inches beside and above what is said, and below it
_ROW = 1.6  # of a legend, in heights of its letters
_ASIDE, _GAP = 5, 1.08  # points between a line's end and its name; from name to name, in heights of a name


@drawing
def titled(figure: Figure, finding: str, *, lines: int = 0, rows: int = 0) -> Figure:
    """The figure with its finding, a sentence, above everything: the figure grows by what the sentence needs.

    Args:
        figure: one with a constrained layout, as all of `figures` are; its legends come to stand below the sentence.
        finding: what the figure shows, as a sentence. It is broken to the width.
        lines: keep room for so many, so that frames of one figure agree in size; 0 for as many as there are.
        rows: keep room for so many of a legend, if there is one.

    Raises:
        ValueError: the finding is empty, needs more than `lines` lines, or has been said before.
    """
    here = sheet()
    lines = -(-6 * lines // 5) if here.stacked else lines  # a narrow page has room for fewer words in a line
    width, height = figure.get_size_inches()
    said = broken(finding, width - 2 * _EDGE)
    if not said:
        raise ValueError("a figure's finding is empty; say what it shows, as a sentence")
    if lines and len(said) > lines:
        raise ValueError(f"the finding {finding!r} needs {len(said)} lines, room is for {lines}; say it shorter")
    if isinstance(figure, Drawn):
        if figure.finding:
            raise ValueError(f"the figure has a finding, {figure.finding!r}; it has one")
        figure.finding = finding
    top = _EDGE + (lines or len(said)) * here.title * _LEAD / 72 + _BELOW
    figure.set_size_inches(width, height + top)
    height += top
    figure.text(
        _EDGE / width, 1 - _EDGE / height, "\n".join(said), ha="left", va="top", fontsize=here.title, linespacing=_LEAD,
        color="#111111",
    )  # fmt: skip
    for legend in figure.legends:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((0, 1 - top / height), transform=figure.transFigure)
        renderer = RendererAgg(1, 1, figure.dpi)
        top += (
            max(legend.get_window_extent(renderer).height / figure.dpi, (_ROW * rows + 0.8) * here.text / 72) + _BELOW
        )
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine), "a finding needs a layout that makes room"
    engine.set(rect=(0, 0, 1, 1 - top / height))
    return figure


def legend_above(figure: Figure, axes: Sequence[Axes], columns: int) -> None:
    """The legend of these axes above all panels, in so many columns, or in as many as the width has room for.

    What has one name in several panels stands there once.
    """
    named = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    for count in range(min(len(named), columns), 0, -1):
        made = figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=count)
        if count == 1 or made.get_window_extent(RendererAgg(1, 1, figure.dpi)).width <= figure.bbox.width:
            return
        made.remove()


def legend_over(ax: Axes) -> None:
    """The legend of these axes over them, in as many columns as the figure has room for, their title over it."""
    handles, labels = ax.get_legend_handles_labels()
    title, renderer = ax.get_title("left"), RendererAgg(1, 1, ax.figure.dpi)  # pyright: ignore
    for count in range(len(labels), 0, -1):
        made = ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=count)
        box = made.get_window_extent(renderer)
        if count == 1 or box.width <= 0.8 * ax.figure.bbox.width:  # pyright: ignore
            break
    if labels and title:
        ax.set_title(title, pad=72 * box.height / ax.figure.dpi + 4)  # pyright: ignore


def broken(text: str, width: float, size: float = 0.0) -> list[str]:
    """The lines of a text, none wider than `width` inches unless it is a single word."""
    size = size or sheet().title
    lines, width = list[str](), 0.97 * width  # a screen's letters are a little wider than their outlines
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and TextPath((0, 0), longer, size=size).get_extents().width <= 72 * width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to those wanted as a gap between neighbours allows, in the order of `wanted`, within the limits.

    Neighbours that are too near are moved apart together, so that their middle stays.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[tuple[float, list[int]]] = []  # (middle, members from below)
    for i in order:
        middle, members = wanted[i], [i]
        while groups:
            before, some = groups[-1]
            if before + gap * (len(some) - 1) / 2 + gap <= middle - gap * (len(members) - 1) / 2:
                break
            groups.pop()
            members = some + members
            middle = sum(wanted[k] for k in members) / len(members)
        half = gap * (len(members) - 1) / 2
        groups.append((max(low + half, min(high - half, middle)), members))
    places = [0.0] * len(wanted)
    for middle, members in groups:
        for k, i in enumerate(members):
            places[i] = middle + gap * (k - (len(members) - 1) / 2)
    for below, above in pairwise(order):  # a limit may have pushed two groups together
        places[above] = max(places[above], places[below] + gap)
    return places


class Ends(Artist):
    """Names right of the ends of lines, in their colours as far as these can be read.

    They are placed while the figure is drawn, when its axes stand.
    """

    def __init__(self, ax: Axes, named: Sequence[tuple[str, str, float, float]], size: float = 0.0) -> None:
        """`named` holds (name, colour, x, y) of each, x and y in data."""
        super().__init__()
        self._ax, self._ends = ax, [(float(x), float(y)) for *_, x, y in named]
        self.names = [
            Text(0, 0, name, color=legible(colour), fontsize=size or sheet().text - 0.3, va="center")
            for name, colour, *_ in named
        ]
        for name in self.names:
            name.set_figure(ax.figure)
        ax.add_artist(self)
        self.set_clip_on(False)

    def _place(self, renderer: Any) -> None:
        ends = self._ax.transData.transform(self._ends)
        inside = self._ax.bbox
        left = inside.x1 + renderer.points_to_pixels(_ASIDE)
        high = max(name.get_window_extent(renderer).height for name in self.names)
        wanted = [min(max(y, inside.y0), inside.y1) for y in ends[:, 1]]
        for name, y in zip(self.names, spread(wanted, _GAP * high, inside.y0, inside.y1), strict=True):
            name.set_position((left, y))

    def get_window_extent(self, renderer: Any = None) -> Bbox:
        renderer = renderer or RendererAgg(1, 1, self._ax.figure.dpi)  # pyright: ignore[reportOptionalMemberAccess]
        self._place(renderer)
        return Bbox.union([name.get_window_extent(renderer) for name in self.names])

    def draw(self, renderer: Any) -> None:
        self._place(renderer)
        for name in self.names:
            name.draw(renderer)
