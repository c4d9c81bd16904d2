"""Circuits with a state of one number in a stream of two: where each stores it, and what each reads. Chapter 3."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from superpos.show.data import Drawn, note
from superpos.show.lanes import OWNERS
from superpos.show.series import BLACK
from superpos.show.sheet import drawing, sheet
from superpos.show.titles import titled
from superpos.show.vector import legible
from superpos.show.walking import QUIET, text

_LEFT, _RIGHT, _HIGH, _WORDS = -1.4, 3.35, 1.35, 1.65  # of the plane, in lengths of a direction; where the words begin
_SQUARE = 1.6  # the right end of a plane with its words below
_LINE = 0.2  # inches of a line of words below the plane
_END, _NUMBER = 1.1, 0.15  # of a direction, unless its circuit reads more; from there to its number
_WIDE, _AWAY = 0.27, (0.42, 0.24)  # half the word "stream"; its middle from the point, sidewards and upwards


@drawing
def plane(E: Float[Tensor, "T 2 1"], active: Sequence[int], x: Float[Tensor, " z"], finding: str) -> Figure:
    """Directions of circuits in a stream of width 2, what the active ones store, and what all read: E_tᵀ X.

    Arrows are what is stored, the black point is the stream, and a dotted line falls from it on each direction: where
    it lands is what that circuit reads. Chapter 3.

    Args:
        E: the embedding matrices.
        active: the circuits that store something.
        x: what they store.
        finding: said above it.
    """
    held = E.new_zeros(len(E)).index_copy(0, E.new_tensor(list(active)).long(), x)
    X = (E[..., 0] * held[:, None]).sum(dim=0)
    reads = E[..., 0] @ X
    here = sheet()
    right = _SQUARE if here.stacked else _RIGHT
    inch = (right - _LEFT) / here.width  # in lengths of a direction
    low = -_HIGH - (len(E) * _LINE * inch if here.stacked else 0.0)
    figure = Drawn(figsize=(here.width, (_HIGH - low) / inch), layout="constrained")
    ax = figure.subplots()
    ax.set(xlim=(_LEFT, right), ylim=(low, _HIGH), aspect="equal")
    ax.set_axis_off()
    top = 0.42 * (len(E) - 1)
    for t, e in enumerate(E[..., 0].tolist()):
        colour, foot = OWNERS[t], [float(reads[t]) * c for c in e]
        end = max(_END, float(reads[t]))
        ax.plot([-1.3 * e[0], end * e[0]], [-1.3 * e[1], end * e[1]], color=colour, lw=0.9)
        ax.text(
            (end + _NUMBER) * e[0],
            (end + _NUMBER) * e[1],
            str(t + 1),
            ha="center",
            va="center",
            color=legible(colour),
            weight="bold",
        )
        if t in active:
            to = tuple(float(held[t]) * c for c in e)
            ax.annotate("", to, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.6, "shrinkB": 0})
        ax.plot([float(X[0]), foot[0]], [float(X[1]), foot[1]], color=colour, ls=":", lw=1.6)
        ax.plot(*foot, "o", ms=7, color=colour, mec="white")
        wrong = "" if abs(reads[t] - held[t]) < QUIET else f", not {text(held[t])}"
        told = f"{t + 1} stores {text(held[t])}", f"reads {text(reads[t])}{wrong}"
        words = {"va": "center", "color": legible(colour), "linespacing": 1.3}
        if here.stacked:
            ax.text(_LEFT, low + (len(E) - t - 0.5) * _LINE * inch, ", ".join(told), **words)
        else:
            ax.text(_WORDS, top - 0.84 * t, "\n".join(told), **words)
    ax.plot(*X.tolist(), "o", ms=8, color=BLACK, zorder=5)
    ax.text(
        *_free(X, E[..., 0], reads, _WORDS if not here.stacked else right),
        "stream",
        ha="center",
        va="center",
        color=BLACK,
    )
    note(ax, "reads", "circuits", {"circuit": range(1, len(E) + 1), "stores": held, "reads": reads})
    for artist in ax.get_children():
        artist.set_in_layout(False)  # words must not move the axes: frames are compared
    return titled(figure, finding, lines=2)


def _free(X: Tensor, e: Tensor, reads: Tensor, end: float) -> tuple[float, float]:
    """Where near the stream, left of `end`, a word lies on no direction, number or dotted line, as far as can be."""
    share = torch.linspace(0, 1, 50)[:, None]
    feet, numbers = reads[:, None] * e, (reads[:, None].clamp(min=_END) + _NUMBER) * e
    lines = torch.cat([*(-1.3 * a + share * 2.4 * a for a in e), *(X + share * (foot - X) for foot in feet), numbers])
    angle = torch.linspace(0, 2 * torch.pi, 25)[:-1]
    middles = X + torch.stack([_AWAY[0] * angle.cos(), _AWAY[1] * angle.sin()], dim=1)
    word = torch.tensor([[s * _WIDE, 0.0] for s in (-1, -0.5, 0, 0.5, 1)])
    gaps = torch.cdist((middles[:, None] + word).flatten(0, 1), lines).view(len(angle), -1).amin(dim=1)
    gaps[middles[:, 0] + _WIDE > end - 0.1] = -1
    x, y = middles[int(gaps.argmax())].tolist()
    return x, y
