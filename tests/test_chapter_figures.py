"""The figures with sliders of the chapters: what their frames say and weigh, and that they can be compared."""

import re

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
    "07-error-analysis": "fig-parts",
    "08-many-layers": "fig-grow",
    "09-sharing-neurons": "fig-capacity",
    "10-conditional-rotations": "fig-seizure",
    "11-exact-superposition": "fig-columns",
    "12-how-many-fit": "fig-pays",
}
HEAVIEST = 1.2e6  # bytes of a chapter's frames


def records(chapter: str) -> list[dict]:
    return [o["data"][MIME] for cell in cells(f"book/{chapter}") for o in cell["outputs"] if MIME in o.get("data", {})]


def record(chapter: str) -> dict:
    [one] = [r for r in records(chapter) if r["name"] == CHAPTERS[chapter]]
    return one


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_alt_text_tells_the_frame(chapter):
    one = record(chapter)
    texts = {p["name"]: dict(zip(p["values"], p["texts"], strict=True)) for p in one["parameters"]}
    for frame in one["frames"]:
        for name, value in frame["values"].items():
            assert re.search(rf"\b{re.escape(texts[name][value])}\b", frame["alt"]), (frame["values"], frame["alt"])
    assert len({frame["alt"] for frame in one["frames"]}) == len(one["frames"]) >= 10


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_frames_are_light(chapter):
    frames = [frame for one in records(chapter) for frame in one["frames"]]
    assert sum(len(frame["data"].encode()) for frame in frames) < HEAVIEST


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != "11-exact-superposition"])
def test_axes_stand_still(chapter):
    """The background of the axes, `patch_2` of matplotlib, has one place in all frames."""
    places = [re.search(r'id="patch_2">\s*<path d="([^"]*)"', f["data"]) for f in record(chapter)["frames"]]
    assert len({place[1] for place in places if place}) == 1
    assert all(places)


def test_each_of_three_is_alone_somewhere():
    for frame in record("11-exact-superposition")["frames"]:
        active = {0, *map(int, frame["values"]["others"].split(" and "))}
        assert {int(t) for t in re.findall(r"(\d) alone in lane", frame["alt"])} == active, frame["alt"]


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
