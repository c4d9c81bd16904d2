"""What is added to a figure that is drawn: axes that stay where they are, a line, settings."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from superpos.show.series import BLACK
from superpos.show.sheet import drawing
from superpos.show.titles import legend_above, titled


@drawing
def hold(
    figure: Figure,
    *,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    title: str = "",
    columns: int = 4,
    rows: int = 1,
) -> Figure:
    """The figure with axes and a legend that stay where they are, so that frames of it can be compared.

    `title` is what this frame shows, a sentence; every frame has room for two lines of it, and for so
    many `rows` of a legend.
    """
    ax = figure.axes[0]
    ax.set(xlim=xlim, ylim=ylim)
    if old := [*figure.legends, *filter(None, [ax.get_legend()])]:
        for one in old:
            one.remove()
        legend_above(figure, [ax], columns)
    return titled(figure, title, lines=2, rows=rows) if title else figure


@drawing
def upright(figure: Figure, x: float, name: str = "", y: float = 0.0, *, right: bool = False) -> Figure:
    """The figure with a dotted vertical line at x, and its name at height y, left of the line or right of it."""
    ax = figure.axes[0]
    ax.axvline(x, color=BLACK, lw=1, ls=":")
    side, aside = ("left", 4) if right else ("right", -4)
    ax.annotate(name, (x, y), (aside, 0), textcoords="offset points", ha=side, color=BLACK)
    return figure


@drawing
def adjusted(figure: Figure, *panels: Mapping[str, object], **one: object) -> Figure:
    """The figure with settings of its axes, as `Axes.set` takes them: of each panel, or by name of the only one.

    A panel whose ticks are set has no smaller ones.
    """
    for ax, given in zip(figure.axes, panels or (one,), strict=True):
        ax.set(**given)
        if {"xticks", "yticks"} & given.keys():
            ax.minorticks_off()
    return figure
