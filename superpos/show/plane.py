"""Circuits with a state of one number in a stream of two: where each stores it, and what each reads. Chapter 3."""

from collections.abc import Sequence

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from superpos.show.data import Drawn, note
from superpos.show.lanes import OWNERS
from superpos.show.series import BLACK, WIDTH
from superpos.show.titles import titled
from superpos.show.walking import QUIET, text

_LEFT, _RIGHT, _HIGH, _WORDS = -1.4, 3.35, 1.35, 1.65  # of the plane, in lengths of a direction; where the words begin


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
    figure = Drawn(figsize=(WIDTH, WIDTH * 2 * _HIGH / (_RIGHT - _LEFT)), layout="constrained")
    ax = figure.subplots()
    ax.set(xlim=(_LEFT, _RIGHT), ylim=(-_HIGH, _HIGH), aspect="equal")
    ax.set_axis_off()
    top = 0.42 * (len(E) - 1)
    for t, e in enumerate(E[..., 0].tolist()):
        colour, foot = OWNERS[t], [float(reads[t]) * c for c in e]
        ax.plot([-1.3 * e[0], 1.3 * e[0]], [-1.3 * e[1], 1.3 * e[1]], color=colour, lw=0.9)
        ax.text(1.2 * e[0], 1.2 * e[1], str(t + 1), ha="center", va="center", color=colour, weight="bold",
                bbox={"fc": "white", "ec": "none", "pad": 1.5})  # fmt: skip
        if t in active:
            to = tuple(float(held[t]) * c for c in e)
            ax.annotate("", to, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.6, "shrinkB": 0})
        ax.plot([float(X[0]), foot[0]], [float(X[1]), foot[1]], color=colour, ls=":", lw=1.6)
        ax.plot(*foot, "o", ms=7, color=colour, mec="white")
        wrong = "" if abs(reads[t] - held[t]) < QUIET else f", not {text(held[t])}"
        told = f"{t + 1} stores {text(held[t])}\nreads {text(reads[t])}{wrong}"
        ax.text(_WORDS, top - 0.84 * t, told, va="center", color=colour, linespacing=1.3)
    ax.plot(*X.tolist(), "o", ms=8, color=BLACK, zorder=5)
    at = float(X[0]), float(X[1])
    ax.annotate("stream", at, xytext=(-6, 9), textcoords="offset points", ha="right", color=BLACK)
    note(ax, "reads", "circuits", holds=held, value=reads)
    for artist in ax.get_children():
        artist.set_in_layout(False)  # words must not move the axes: frames are compared
    return titled(figure, finding, lines=2)
