"""Pictures of the exact construction: cells and lanes, each weight in the colour of the circuit owning it."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from superpos.show.data import Drawn, note
from superpos.show.series import BLACK, Series, draw, ends
from superpos.show.sheet import drawing, sheet
from superpos.show.vector import letters

# Six of Okabe & Ito's colours and three more; no grey, which means several circuits on one slot. The number of the
# circuit stands beside each: colour is never the only cue.
OWNERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6D31", "#A3B100", "#5D3A9B")
_WRONG = "#B00020"


@dataclass(frozen=True)
class Lane:
    """What is drawn of a cell of n slots: which circuits are active in it. Circuit t = n i + j goes from i to j."""

    title: str
    active: Sequence[int]
    n: int = 3


@drawing
def cells(lanes: Sequence[Lane], *, owners: bool = False, height: float = 3.1) -> Figure:
    """Cells side by side, states on the left (slot i) and where they go on the right (slot j); `owners` adds, in
    front, the matrix of weights with the number of the circuit that owns each."""
    here, count = sheet(), len(lanes)
    if owners and here.stacked:
        figure = Drawn(figsize=(here.width, 1.8 * here.tall * height), layout="constrained")
        grid = figure.add_gridspec(2, count, height_ratios=(1, 1.2))
        matrix, places = grid[0, :], [grid[1, k] for k in range(count)]
    else:
        figure = Drawn(figsize=(here.width, here.tall * height), layout="constrained")
        grid = figure.add_gridspec(1, count + owners)
        matrix, places = grid[0, 0], [grid[0, k + owners] for k in range(count)]
    if owners:
        _matrix(figure.add_subplot(matrix), lanes[0].n)
    for place, lane in zip(places, lanes, strict=True):
        _cell(figure.add_subplot(place), lane)
    return figure


@drawing
def cells_and_curves(
    lanes: Sequence[Lane], series: Sequence[Series], xlabel: str, ylabel: str, *, height: float = 3.3
) -> Figure:
    """Cells on the left, at most two, curves on logarithmic axes on the right; or the curves below."""
    here, count = sheet(), len(lanes)
    if here.stacked:
        figure = Drawn(figsize=(here.width, 1.9 * here.tall * height), layout="constrained")
        grid = figure.add_gridspec(2, 4)
        first = 2 - count  # one cell stands in the middle
        places, below = [grid[0, first + 2 * k : first + 2 * k + 2] for k in range(count)], grid[1, :]
    else:
        figure = Drawn(figsize=(here.width, here.tall * height), layout="constrained")
        grid = figure.add_gridspec(1, count + 1, width_ratios=[*[2.6 / (1 + count)] * count, 1.25])
        *places, below = (grid[0, k] for k in range(count + 1))
    for place, lane in zip(places, lanes, strict=True):
        _cell(figure.add_subplot(place), lane)
    right = figure.add_subplot(below)
    draw(right, series, "xy")
    right.set(xlabel=xlabel, ylabel=ylabel)
    right.set_xticks(right.get_xticks()[::2], [tick.get_text() for tick in right.get_xticklabels()[::2]])  # narrow
    ends(right, series)
    return figure


def _cell(ax: Axes, lane: Lane) -> None:
    n, pairs = lane.n, [divmod(t, lane.n) for t in lane.active]
    lit, heard = {i for i, _ in pairs}, {j for _, j in pairs}
    for t in range(n * n):
        i, j = divmod(t, n)
        own, wrong = t in lane.active, i in lit and j in heard and t not in lane.active
        style = (
            {"lw": 3.2, "color": OWNERS[t % 9], "zorder": 3}
            if own
            else {"lw": 1.1, "color": OWNERS[t % 9], "alpha": 0.55}
        )
        if wrong:
            style = {"lw": 2.0, "color": _WRONG, "ls": (0, (3, 2)), "zorder": 2}
        ax.plot([0, 1], [i, j], **style)
        state = "active" if own else "wrongly heard" if wrong else "silent"
        note(ax, "weight", state, {"circuit": [t], "from slot i": [i], "to slot j": [j]})
        if own or not pairs:
            disc = {"boxstyle": "circle,pad=0.08", "fc": OWNERS[t % 9], "ec": "none"}
            way = 0.4 if own else 1 / (n + 1)  # where no disc lies on another; those of all are equally far apart here
            at = (way, i + way * (j - i))
            ax.annotate(str(t), at, fontsize=sheet().text, ha="center", va="center", zorder=4, color=ink(t), bbox=disc)
    collide = len(pairs) > 1
    for slot in range(n):
        for x, on in ((0, slot in lit), (1, slot in heard)):
            face = "white" if not on else _WRONG if collide and x == 1 else BLACK
            ax.scatter(x, slot, s=190, color=face, edgecolor=BLACK, zorder=5)
            if on and collide and x == 1:
                ax.text(x, slot, "✗", color="white", ha="center", va="center", fontsize=sheet().text, zorder=6)
        for x, align, aside in ((0, "right", -9), (1, "left", 9)):  # points: beside the disc, however narrow the axes
            at = {"xytext": (aside, 0), "textcoords": "offset points"}
            ax.annotate(str(slot), (x, slot), ha=align, va="center", fontsize=sheet().text, **at)
    ax.set(xlim=(-0.45, 1.45), ylim=(-0.35, n - 0.65), title=lane.title)
    ax.set_xticks([0, 1], ["slot i", "slot j"])
    _bare(ax)
    ax.invert_yaxis()


def _matrix(ax: Axes, n: int) -> None:
    places = [divmod(t, n) for t in range(n * n)]
    slots = {"from slot i": [i for i, _ in places], "to slot j": [j for _, j in places]}
    note(ax, "weight", "owner", {**slots, "circuit": range(n * n)})
    for t, (i, j) in enumerate(places):
        ax.add_patch(Rectangle((i - 0.47, j - 0.47), 0.94, 0.94, color=OWNERS[t % 9]))
        ax.text(i, j, str(t), ha="center", va="center", color=ink(t), fontsize=sheet().text)
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal", title="who owns a weight")
    ax.set(xlabel="from slot i", ylabel="to slot j", xticks=range(n), yticks=range(n))
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def ink(t: int) -> str:
    """The letters that can be read on the colour of circuit t."""
    return letters(OWNERS[t % 9])


def _bare(ax: Axes) -> None:
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_yticks([])
