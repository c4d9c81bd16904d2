"""The sheet that a figure is drawn on: that of a wide page, or that of a phone, where panels stand below each other.

Whatever draws asks `sheet()` how wide its figure is and how large its letters are. A function that draws is marked by
`drawing`, so that its figure can be drawn again on another sheet.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, cast

import matplotlib
from matplotlib.figure import Figure

P = ParamSpec("P")
LOOK = ("font.size", "axes.titlesize", "legend.fontsize")  # what of matplotlib's settings is a size of letters


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on.

    Attributes:
        name: as the files of the site have it.
        width: of a figure, in inches of 96 pixels.
        text, title: points of its letters and of its finding. 11 pixels or more where a window of 360 pixels gives a
            narrow figure 345, and a wide one is shown as large as it is.
        stacked: whether panels stand below each other.
        tall: how tall a panel is, as a share of its height on a wide page.
    """

    name: str
    width: float
    text: float
    title: float
    stacked: bool = False
    tall: float = 1.0


WIDE = Sheet("wide", width=5.4, text=11.5, title=12.0)
NARROW = Sheet("narrow", width=3.6, text=8.7, title=9.3, stacked=True, tall=0.86)
SHEETS = (WIDE, NARROW)
_now: ContextVar[Sheet] = ContextVar("sheet", default=WIDE)


def sheet() -> Sheet:
    """The one that is drawn on now."""
    return _now.get()


@contextmanager
def on(one: Sheet) -> Iterator[None]:
    """Draw on this sheet."""
    before = _now.set(one)
    try:
        with matplotlib.rc_context(dict.fromkeys(LOOK, one.text)):
            yield
    finally:
        _now.reset(before)


def drawing(function: Callable[P, Figure]) -> Callable[P, Figure]:
    """Mark a function that draws: the figure that it returns has `again`, a function that draws it anew.

    A figure among the arguments is drawn anew as well, so that what is added to one is added to the other.
    """

    @functools.wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        made = [getattr(given, "again", None) for given in args]  # now: the function may return the figure it was given
        figure = function(*args, **kwargs)

        def again() -> Figure:
            anew = tuple(redraw() if redraw else given for redraw, given in zip(made, args, strict=True))
            return drawn(*cast(Any, anew), **kwargs)

        figure.again = again  # pyright: ignore[reportAttributeAccessIssue]
        return figure

    return drawn
