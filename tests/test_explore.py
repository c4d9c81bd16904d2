"""Figures with sliders: what is refused, the frames of the book, and the widgets of a notebook."""

import ipywidgets as widgets
import pytest
from matplotlib.figure import Figure

from superpos.show import figures
from superpos.show.data import STATIC
from superpos.show.explore import FrameFailed, Slider, explore
from superpos.show.figures import curves, line
from superpos.show.live import Live
from superpos.show.mime import FRAMES as MIME


def draw(T: int = 1, z: float = 1.0) -> Figure:
    if T == 13:
        raise ValueError("T is 13; thirteen circuits do not fit")
    return curves([line("", [0.0, 1.0], [0.0, float(T * z)])], "x", "$y^{2}$", height=2.0)


def alt(T: int = 1, z: float = 1.0) -> str:
    return f"A line to {T * z:g}."


@pytest.fixture
def static(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATIC, "1")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STATIC, raising=False)


@pytest.mark.parametrize(
    ("sliders", "message"),
    [
        ({}, "0 sliders"),
        ({k: Slider(k, [1, 2]) for k in "abc"}, "3 sliders"),
        ({"T": Slider("T", list(range(10))), "z": Slider("z", list(range(9)))}, r"90 frames \(10 × 9\).*values\[::2\]"),
        ({"T": Slider("T", list(range(61)))}, r"61 frames.*thin T.*values\[::2\]"),
        ({"T": Slider("T", list(range(70))), "z": Slider("z", list(range(70)))}, "thin both"),
    ],
)
def test_too_few_or_too_many(static, sliders, message):
    with pytest.raises(ValueError, match=message):
        explore(draw, name="fig-line", alt=alt, **sliders)


@pytest.mark.parametrize("name", ["", "Fig", "../fig", "a_b"])
def test_name_is_a_slug(static, name):
    with pytest.raises(ValueError, match="slug"):
        explore(draw, name=name, alt=alt, T=Slider("T", [1, 2]))


@pytest.mark.parametrize("start", [{"T": 3}, {"q": 1}])
def test_start_is_a_frame(static, start):
    with pytest.raises(ValueError, match="start"):
        explore(draw, name="fig-line", alt=alt, start=start, T=Slider("T", [1, 2]))


def test_a_story_has_steps_with_sentences(static):
    def told(step: str, said: bool = True) -> Figure:
        figure = draw()
        return figures.titled(figure, f"Now {step}.") if said else figure

    step = Slider("step", ["reads", "writes"], story=True)
    record = explore(told, name="fig-line", alt=lambda step: step, step=step)._repr_mimebundle_()[MIME]
    assert record["parameters"][0]["kind"] == "story"
    assert [frame["finding"] for frame in record["frames"]] == ["Now reads.", "Now writes."]
    with pytest.raises(FrameFailed, match=r"step = 'reads' .* has no finding"):
        explore(lambda step: told(step, said=False), name="fig-line", alt=lambda step: step, step=step)
    with pytest.raises(ValueError, match=r"story of the numbers \[1, 2\]; name its steps"):
        Slider("step", [1, 2], story=True)


@pytest.mark.parametrize(
    ("label", "values", "message"),
    [(" ", [1, 2], "label"), ("T", [1], "two or more"), ("T", [1, 1], "distinct"), ("T", [2, 1], "increase")],
)
def test_slider_refuses(label, values, message):
    with pytest.raises(ValueError, match=message):
        Slider(label, values)


def test_all_frames_in_order(static):
    frames = explore(draw, name="fig-line", alt=alt, start={"T": 2}, T=Slider("T", [1, 2]), z=Slider("z", [1.0, 2.5]))
    bundle = frames._repr_mimebundle_()
    record = bundle[MIME]
    values = [frame["values"] for frame in record["frames"]]
    assert values == [{"T": 1, "z": 1.0}, {"T": 1, "z": 2.5}, {"T": 2, "z": 1.0}, {"T": 2, "z": 2.5}]
    assert [frame["alt"] for frame in record["frames"]] == [f"A line to {v:g}." for v in (1, 2.5, 2, 5)]
    assert record["start"] == {"T": 2, "z": 1.0}
    assert 'alt="A line to 2."' in bundle["text/html"]
    assert "4 frames" in bundle["text/plain"]
    sizes = {name: (one["width"], one["height"]) for name, one in record["frames"][0]["pictures"].items()}
    assert sizes == {"wide": (518, 192), "narrow": (346, 165)}  # 5.4 by 2 inches of 96 pixels, 3.6 by 0.86 · 2
    assert record["parameters"][1]["texts"] == ["1", "2.5"]
    assert len({one["svg"] for frame in record["frames"] for one in frame["pictures"].values()}) == 8


def test_frames_are_the_same_in_every_build(static):
    one, two = (explore(draw, name="fig-line", alt=alt, T=Slider("T", [1, 2])).frames for _ in range(2))
    assert one == two
    assert "<dc:date>" not in one[0].pictures["wide"]["svg"]


def test_failing_frame_is_named(static):
    with pytest.raises(FrameFailed, match=r"fig-line: the frame T = 13, z = 2 .* thirteen circuits do not fit"):
        explore(draw, name="fig-line", alt=alt, T=Slider("T", [12, 13]), z=Slider("z", [2, 3]))


def test_frame_without_alt_text_or_figure_is_refused(static):
    with pytest.raises(FrameFailed, match=r"T = 2 .*alt text is empty"):
        explore(draw, name="fig-line", alt=lambda T: "" if T == 2 else "One.", T=Slider("T", [1, 2]))
    with pytest.raises(FrameFailed, match="must return a matplotlib Figure"):
        explore(lambda T: None, name="fig-line", alt=alt, T=Slider("T", [1, 2]))  # pyright: ignore


def test_frames_have_one_size(static):
    with pytest.raises(FrameFailed, match=r"T = 2 .*size"):
        explore(lambda T: Figure(figsize=(3, T)), name="fig-line", alt=alt, T=Slider("T", [1, 2]))


def test_values_as_they_are_read():
    assert Slider("T", [1, 1024]).text(1024) == "1,024"
    assert Slider("θ", [0.1, 0.7]).text(0.30000000000000004) == "0.3"
    assert Slider("what runs", ["one", "two"]).text("two") == "two"


def test_live_figure_computes_any_value(live):
    figure = explore(draw, name="fig-line", alt=alt, T=Slider("circuits T", [1, 5, 9]), z=Slider("z", [1.0, 2.0]))
    assert isinstance(figure, Live)
    T, z = figure.controls.values()
    assert (T.description, T.min, T.max, T.step, z.min, z.max) == ("circuits T", 1, 9, 1, 1.0, 2.0)
    first = figure.image.value
    T.value, z.value = 4, 1.5  # between the values of the book
    assert figure.values == {"T": 4, "z": 1.5}
    assert "A line to 6." in figure.words.value
    assert 'alt="A line to 6."' in figure.image.value
    assert figure.image.value != first
    assert figure.progress.layout.visibility == "hidden"


def test_live_figure_says_what_the_package_says(live):
    figure = explore(draw, name="fig-line", alt=alt, T=Slider("T", [12, 14]))
    with pytest.raises(ValueError, match="thirteen circuits do not fit"):
        figure.show(T=13)
    figure.controls["T"].value = 13
    assert "ValueError: T is 13; thirteen circuits do not fit" in figure.image.value
    assert not figure.words.value
    figure.controls["T"].value = 14
    assert "A line to 14." in figure.words.value
    with pytest.raises(TypeError, match="no slider is named q"):
        figure.show(q=1)


def test_live_choices(live):
    def chosen(how: str) -> Figure:
        return draw(T=len(how))

    figure = explore(chosen, name="fig-line", alt=lambda how: how, how=Slider("how", ["one lane", "two"]))
    buttons = figure.controls["how"]
    assert isinstance(buttons, widgets.RadioButtons)  # a slider of kinds shows no name
    assert buttons.options == (("one lane", "one lane"), ("two", "two"))
    buttons.value = "two"
    assert figure.values == {"how": "two"}
    assert "two" in figure.words.value


def test_progress_shows_while_a_frame_takes_long(live):
    seen = []

    def slow(T: int) -> Figure:
        if T == 2:
            import time

            time.sleep(0.35)
            seen.append((figure.progress.layout.visibility, figure.progress.value))
        return draw(T)

    figure = explore(slow, name="fig-line", alt=alt, T=Slider("T", [1, 2]))
    figure.controls["T"].value = 2
    assert seen[0][0] == "visible"
    assert seen[0][1] > 0
    assert figure.progress.layout.visibility == "hidden"
