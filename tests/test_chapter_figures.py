"""The figures with sliders of chapters 1 to 6: what their frames say and weigh, and that frames can be compared."""

import pytest
from built_book import cells

from superpos.show import figures
from superpos.show.explore import MIME

CHAPTERS = {
    "01-storing": "fig-stored",
    "02-small-circuits": "fig-radius",
    "03-embedding-matrix": "fig-floor",
    "04-reading": "fig-no-count",
    "05-writing-to-the-neurons": "fig-mixture",
    "06-writing-back": "fig-threshold",
}
HEAVIEST = 1.2e6  # bytes of a figure's frames


def record(chapter: str) -> dict:
    found = [o["data"][MIME] for cell in cells(f"book/{chapter}") for o in cell["outputs"] if MIME in o.get("data", {})]
    [one] = [r for r in found if r["name"] == CHAPTERS[chapter]]
    return one


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_alt_text_tells_the_frame(chapter):
    one = record(chapter)
    texts = {p["name"]: dict(zip(p["values"], p["texts"], strict=True)) for p in one["parameters"]}
    for frame in one["frames"]:
        for name, value in frame["values"].items():
            assert texts[name][value] in frame["alt"], (frame["values"], frame["alt"])
    assert len({frame["alt"] for frame in one["frames"]}) == len(one["frames"]) >= 10


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_frames_are_light(chapter):
    assert sum(len(frame["data"].encode()) for frame in record(chapter)["frames"]) < HEAVIEST


def test_held_axes_and_legend_stay():
    held = []
    for top in (1.0, 50.0):
        series = [figures.points("measured", [0.0, 1.0], [0.0, top]), figures.line("predicted", [0.0, 1.0], [0.0, top])]
        figure = figures.hold(figures.curves(series, "x", "y"), xlim=(0.0, 2.0), ylim=(0.0, 60.0), title="now")
        figure.draw_without_rendering()
        ax, [legend] = figure.axes[0], figure.legends
        assert ax.get_legend() is None
        assert {text.get_text() for text in legend.get_texts()} == {"measured", "predicted"}
        held.append((ax.get_xlim(), ax.get_ylim(), ax.get_position().bounds, legend.get_window_extent().bounds))
    assert held[0] == held[1]
    assert held[0][:2] == ((0.0, 2.0), (0.0, 60.0))
