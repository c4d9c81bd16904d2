"""One picture of a figure with sliders, and all of them: what a slider is, how a frame is drawn and kept.

The floor under `explore`, which draws every frame, and `live`, which draws the one that is asked for.
"""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from matplotlib.figure import Figure

from superpos.show import mime
from superpos.show.data import Drawn, pictures
from superpos.show.sheet import WIDE

Value = int | float | str


@dataclass(frozen=True)
class Slider:
    """One parameter of a figure.

    Attributes:
        label: what stands beside the slider.
        values: those that the book draws, in order; at least two, numbers must increase.
        story: whether they are steps that one follows in their order: a page has previous and next, and the finding of
            each frame is its sentence.
    """

    label: str
    values: Sequence[Value]
    story: bool = False

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ValueError("a slider has no label; say what it changes, like 'circuits T'")
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise ValueError(
                f"slider {self.label!r} has the values {list(self.values)}; it needs two or more, distinct"
            )
        if self.kind != "choice" and list(self.values) != sorted(self.values):
            raise ValueError(f"slider {self.label!r} has the values {list(self.values)}; numbers must increase")
        if self.story and self.kind != "choice":
            raise ValueError(f"slider {self.label!r} is a story of the numbers {list(self.values)}; name its steps")

    @property
    def kind(self) -> Literal["integer", "number", "choice"]:
        """What lies between two values: whole numbers, any number, or nothing."""
        numbers = [v for v in self.values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) < len(self.values):
            return "choice"
        return "integer" if all(isinstance(v, int) for v in numbers) else "number"

    def text(self, value: Value) -> str:
        """A value as it is read: 1,024, 0.35, two lanes."""
        return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


@dataclass(frozen=True)
class Frame:
    """One picture: its values, what it shows in words and in numbers, how it is drawn on each sheet, and the sentence
    above it."""

    values: dict[str, Value]
    alt: str
    pictures: dict[str, dict[str, Any]]
    panels: list[dict[str, Any]] = field(default_factory=list)
    finding: str = ""


@dataclass(frozen=True)
class Frames:
    """All frames of a figure, the last slider changing fastest; what a cell shows while the book is built.

    `text` is the first of them as SVG whose letters can be selected.
    """

    name: str
    sliders: dict[str, Slider]
    frames: list[Frame]
    start: dict[str, Value]
    text: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        parameters = [
            {"name": key, "label": s.label, "kind": "story" if s.story else s.kind}
            | {"values": list(s.values), "texts": [*map(s.text, s.values)]}
            for key, s in self.sliders.items()
        ]
        record: dict[str, Any] = {"name": self.name, "start": self.start}
        record |= {"parameters": parameters, "frames": [asdict(frame) for frame in self.frames]}
        first = next(frame for frame in self.frames if frame.values == self.start)
        text = f"{self.name}: {len(self.frames)} frames over {', '.join(s.label for s in self.sliders.values())}"
        return {
            "text/html": f'<div data-figure="{self.name}">{inline(first.pictures[WIDE.name]["svg"], first.alt)}</div>',
            "text/plain": text,
            mime.FRAMES: record,
            mime.TEXT: self.text,
        }


def frame(draw: Callable[..., Figure], alt: Callable[..., str], values: Mapping[str, Value]) -> tuple[Figure, str]:
    """The figure for some values, and its alt text; one that is missing is refused."""
    figure, text = draw(**values), alt(**values)
    if not isinstance(figure, Figure):
        raise TypeError(f"draw returned {type(figure).__name__}; it must return a matplotlib Figure")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("its alt text is empty; say in words what the figure shows")
    return figure, text.strip()


def complete(draw: Callable[..., Figure], alt: Callable[..., str], values: Mapping[str, Value]) -> Frame:
    """The frame for some values, drawn on every sheet."""
    figure, text = frame(draw, alt, values)
    drawn = pictures(figure, partial(draw, **values))
    return Frame(dict(values), text, drawn, panels(figure), finding(figure))


def panels(figure: Figure) -> list[dict[str, Any]]:
    """The numbers of a figure that noted them, panel by panel; else none."""
    return figure.record()["panels"] if isinstance(figure, Drawn) else []


def finding(figure: Figure) -> str:
    """The sentence above a figure: its finding, or the title of its only axes."""
    said = figure.finding if isinstance(figure, Drawn) else ""
    return said or (figure.axes[0].get_title("left") if len(figure.axes) == 1 else "")


def inline(svg: str, alt: str) -> str:
    """A picture as an HTML image that holds all of its data."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'
