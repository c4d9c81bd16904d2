"""A figure's finding stands above all else, and names at the ends of lines lie on nothing."""

import itertools

import numpy as np
import pytest
import torch
from lettering import faults, letters
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from superpos import circuits, codes, compress
from superpos.show import compression, figures, frames, lanes, sharing
from superpos.show.data import svg
from superpos.show.figures import both, line, points
from superpos.show.lanes import Lane
from superpos.show.sheet import NARROW, SHEETS, WIDE, on
from superpos.show.titles import Ends, broken, spread
from superpos.show.vector import compact, legible

LONG = "The error grows by a factor in every layer, and with four times as many circuits that factor is larger"
figures.style()
X = [1.0, 2.0, 3.0, 4.0]


def close(count: int):
    """Lines that end nearly at one place."""
    return [both(f"T = {256 * (k + 1):,}", X, [0.1, 0.2, 0.3, 0.4 + 0.001 * k]) for k in range(count)]


def drawn(figure: Figure):
    """The renderer of the figure, once it has been drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


DRAW = {
    "one": lambda: figures.curves(close(3), "layer", "error"),
    "pair": lambda: figures.pair(close(3), [line("", X, X)], ("a", "b"), ("y", ""), ("left", "right")),
    "together": lambda: figures.pair(close(3), close(2), ("a", "b"), ("y", ""), ("left", "right"), together=True),
    "agreement": lambda: figures.agreement({"e": (X, X, [0.1] * 4), "q": (X, X, [0.1] * 4)}),
}


@pytest.fixture(params=SHEETS, ids=[sheet.name for sheet in SHEETS])
def sheet(request):
    """What the test draws on."""
    with on(request.param):
        yield request.param


@pytest.mark.parametrize("kind", DRAW)
@pytest.mark.parametrize("finding", [LONG, "It grows"])
def test_finding_stands_above_all(kind, finding, sheet):
    bare = DRAW[kind]()
    height, axes_of_bare = bare.get_size_inches()[1], bare.axes[0]
    drawn(bare)
    tall = axes_of_bare.bbox.height
    figure = figures.titled(DRAW[kind](), finding)
    renderer = drawn(figure)
    [said] = figure.texts
    box = said.get_window_extent(renderer)
    assert 0 <= box.x0 < 0.1 * figure.dpi
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    panels = [around for ax in figure.axes if (around := ax.get_tightbbox(renderer))]
    for other in (*legends, *panels):
        assert other.y1 <= box.y0
    for legend, panel in itertools.product(legends, panels):
        assert panel.y1 <= legend.y0
    assert figure.get_size_inches()[1] > height + sheet.title / 72 * len(broken(finding, sheet.width - 0.12))
    assert figure.axes[0].bbox.height > 0.95 * tall  # the sentence takes nothing from the picture


def named(name: str, count: int):
    """Lines without an error, each with this name and its number."""
    return [line(f"{name}{k}", X, X) for k in range(count)]


LEGENDS = {
    "above": lambda: figures.agreement({f"a name of some length {k}": (X, X, [0.1] * 4) for k in range(5)}),
    "of one panel": lambda: figures.curves(named("progression, z = ", 6), "x", "y"),
    "of two panels": lambda: figures.pair(
        named("line code, z = ", 4), named("line code, z = ", 4), ("x", "x"), ("y", "y"), ("left", "right")
    ),
    "for want of room": lambda: figures.curves(named("S, doing something ", 3), "x", "y", direct=True),
}


@pytest.mark.parametrize("kind", LEGENDS)
def test_a_legend_is_as_wide_as_the_figure_at_most(kind, sheet):
    figure = LEGENDS[kind]()
    renderer = drawn(figure)
    legends = [*figure.legends, *filter(None, (ax.get_legend() for ax in figure.axes))]
    assert legends or (sheet is WIDE and kind == "for want of room")
    for legend in legends:
        box = legend.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_a_name_of_both_panels_stands_once_in_the_legend(sheet):
    figure = DRAW["together"]()
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [series.label for series in close(3)]


def test_a_legend_of_a_phone_lies_over_no_line():
    with on(NARROW):
        for kind in LEGENDS:
            figure = LEGENDS[kind]()
            renderer = drawn(figure)
            boxes = [legend.get_window_extent(renderer) for legend in figure.legends]
            boxes += [legend.get_window_extent(renderer) for ax in figure.axes if (legend := ax.get_legend())]
            assert boxes
            assert not any(box.overlaps(ax.bbox) for box in boxes for ax in figure.axes)


EXACT = {
    "cells": lambda: lanes.cells([Lane("nine", []), Lane("one", [4])], owners=True),
    "cells and curves": lambda: lanes.cells_and_curves([Lane("two", [1, 8]), Lane("", [8])], close(3), "D", "T"),
    "meetings": lambda: sharing.meetings(codes.line(9, 6, 2), 0),
    "switch": lambda: sharing.switch(6, 2, 0.02, [-0.1, 0.1, 0.3]),
    "circle": lambda: sharing.circle({"": (torch.ones(6, 2), torch.ones(6, 2), torch.ones(6))}),
    "owners": lambda: compression.owners(compress(circuits.random_mlps(9, 2, 1, seed=0)), 0),
}


@pytest.mark.parametrize("kind", DRAW | EXACT)
def test_letters_are_large_and_whole_and_lie_on_none(kind, sheet):
    figure = figures.titled((DRAW | EXACT)[kind](), LONG)
    found, size = letters(compact(svg(figure)))
    assert len(found) > 10
    assert not faults(found, size, sheet.name)


@pytest.mark.parametrize("kind", DRAW | EXACT)
def test_a_figure_is_drawn_again_on_another_sheet(kind):
    """With all that was added to it; a panel below another where one stood beside it."""
    figure = figures.titled((DRAW | EXACT)[kind](), "It grows")
    with on(NARROW):
        anew = figure.again()  # pyright: ignore[reportAttributeAccessIssue]
    assert anew.get_size_inches()[0] == pytest.approx(NARROW.width)
    assert anew.record() == figure.record()  # pyright: ignore[reportAttributeAccessIssue]


def test_finding_is_kept_with_the_numbers():
    figure = figures.titled(DRAW["pair"](), LONG)
    told = figure.record()  # pyright: ignore[reportAttributeAccessIssue]
    assert told["finding"] == LONG
    assert [panel["title"] for panel in told["panels"]] == ["left", "right"]
    one = figures.titled(DRAW["one"](), LONG).record()  # pyright: ignore[reportAttributeAccessIssue]
    assert (one["finding"], one["panels"][0]["title"]) == (LONG, "")


def test_a_finding_is_said_once_and_says_something():
    with pytest.raises(ValueError, match="is empty"):
        figures.titled(DRAW["one"](), "  ")
    with pytest.raises(ValueError, match="has a finding, 'It grows'"):
        figures.titled(figures.titled(DRAW["one"](), "It grows"), "It falls")
    with pytest.raises(ValueError, match="needs 2 lines, room is for 1"):
        figures.titled(DRAW["one"](), LONG, lines=1)


def test_frames_agree_in_size_whatever_they_find():
    """Axes stand still, whether the sentence takes one line or two."""
    places = []
    for title in ("It grows", LONG):
        figure = figures.hold(DRAW["one"](), xlim=(0.0, 5.0), ylim=(0.0, 1.0), title=title)
        drawn(figure)
        places.append((*figure.get_size_inches(), *figure.axes[0].bbox.bounds))
    assert places[0] == pytest.approx(places[1])


@pytest.mark.parametrize("count", [2, 5])
def test_names_at_the_ends_lie_on_nothing(count):
    figure = figures.curves(close(count), "layer", "error", direct=True)
    renderer = drawn(figure)
    [ends] = [artist for artist in figure.axes[0].get_children() if isinstance(artist, Ends)]
    boxes = [name.get_window_extent(renderer) for name in ends.names]
    assert [name.get_text() for name in ends.names] == [one.label for one in close(count)]
    assert [name.get_color() for name in ends.names] == [legible(one.get_color()) for one in figure.axes[0].lines[1::2]]
    assert all(a.y1 <= b.y0 for a, b in itertools.pairwise(boxes))
    for box in boxes:
        assert figure.axes[0].bbox.x1 < box.x0
        assert box.x1 <= figure.bbox.x1
    assert figure.axes[0].get_legend() is None


def test_names_follow_their_ends():
    """When limits are set later, as `hold` does, the names move with the lines."""
    series = [line("low", X, [1.0] * 4), points("high", X, [2.0] * 4), line("", X, X)]
    figure = figures.hold(figures.curves(series, "x", "y", direct=True), xlim=(0.0, 5.0), ylim=(0.0, 10.0))
    renderer = drawn(figure)
    [ends] = [artist for artist in figure.axes[0].get_children() if isinstance(artist, Ends)]
    middles = {name.get_text(): name.get_window_extent(renderer) for name in ends.names}
    for name, y in (("low", 1), ("high", 2)):
        at = figure.axes[0].transData.transform((4, y))[1]
        assert middles[name].y0 < at < middles[name].y1


def test_spread_by_hand():
    # 0 and 1 are a gap of 2 apart around their middle 0.5; 9 stays
    assert spread([0.0, 1.0, 9.0], 2.0, -10.0, 10.0) == [-0.5, 1.5, 9.0]
    # below the limit: 0 is the lowest, the next follows at a gap
    assert spread([0.0, 1.0], 2.0, 0.0, 10.0) == [0.0, 2.0]
    # the order of what is given is the order of what comes back
    assert spread([1.0, 0.0], 2.0, -10.0, 10.0) == [1.5, -0.5]
    # 0 and 1 are moved to −0.5 and 1.5, which is too near to 3: the three share their middle, 4/3
    assert spread([0.0, 1.0, 3.0], 2.0, -10.0, 10.0) == pytest.approx([4 / 3 - 2, 4 / 3, 4 / 3 + 2])


@pytest.mark.parametrize(("y", "side"), [([0.1, 0.2, 0.5, 0.9], "left"), ([0.9, 0.5, 0.2, 0.1], "right")])
@pytest.mark.parametrize("log", ["", "y"])
def test_a_level_is_named_where_there_is_room(y, side, log):
    figure = figures.curves([line("", X, y)], "x", "y", log=log, marks={"doing nothing": 1.0})
    [name] = [text for text in figure.axes[0].texts if text.get_text() == "doing nothing"]
    assert name.get_horizontalalignment() == side


def test_no_line_runs_through_the_name_of_a_level():
    """Steep lines cross both levels on the left, and a slow one the lower level on the right."""
    layers = np.arange(1.0, 9.0)
    slow, steep = 2e-3 * 2.5 ** (layers - 1), [start * 27 ** (layers - 1) for start in (0.09, 0.01)]
    series = [line(name, layers, y) for name, y in zip(("a", "b", "c"), (slow, *steep), strict=True)]
    levels = {"answering zero": 1.0, "one tenth": 0.1}
    figure = figures.curves(series, "layer", "error", log="y", marks=levels, direct=True)
    renderer, ax = drawn(figure), figure.axes[0]
    fine = np.linspace(1, 8, 2000)
    for name in (text for text in ax.texts if text.get_text() in levels):
        box = name.get_window_extent(renderer)
        for one in series:
            path = ax.transData.transform(np.column_stack([fine, np.exp(np.interp(fine, layers, np.log(one.y)))]))
            assert not any(box.contains(*place) for place in path), (name.get_text(), one.label)


def test_a_frame_says_the_finding_or_the_title_of_its_only_axes():
    one = DRAW["one"]()
    one.axes[0].set_title("A title of its own")
    assert frames.finding(one) == "A title of its own"
    assert frames.finding(figures.titled(one, LONG)) == LONG
    pair = DRAW["pair"]()
    assert frames.finding(pair) == ""  # the title of a panel is none of the figure
    assert frames.finding(figures.titled(pair, LONG)) == LONG
