"""Figures that answer: every frame drawn while the book is built, any value computed in a live notebook.

`explore` is the one call for both. A page has no kernel, so the book draws a frame for each value of the sliders and
the page swaps them; a notebook with a kernel computes the frame for whatever is asked. One figure, one function.
"""

import base64
import html
import io
import itertools
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from gzip import compress
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

MIME = "application/vnd.superpos.explore+json"
STATIC = "SUPERPOS_STATIC"  # set in the kernels of the book's build: draw every frame
MOST = 60  # frames of one figure
PIXELS = 96  # of a page, per inch
_HEAVY = 30_000  # bytes of a compressed SVG beyond which a bitmap is tried
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

Value = int | float | str


class FrameFailed(RuntimeError):
    """A frame cannot be drawn; the message names the figure and the values, the cause is what `draw` raised."""


@dataclass(frozen=True)
class Slider:
    """One parameter of a figure.

    Attributes:
        label: what stands beside the slider.
        values: those that the book draws, in order; at least two, numbers must increase.
    """

    label: str
    values: Sequence[Value]

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ValueError("a slider has no label; say what it changes, like 'circuits T'")
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise ValueError(
                f"slider {self.label!r} has the values {list(self.values)}; it needs two or more, distinct"
            )
        if self.kind != "choice" and list(self.values) != sorted(self.values):
            raise ValueError(f"slider {self.label!r} has the values {list(self.values)}; numbers must increase")

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
    """One picture: its values, what it shows in words and in numbers, and the file (an SVG's text, a PNG in base64)."""

    values: dict[str, Value]
    alt: str
    kind: Literal["svg", "png"]
    data: str
    panels: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Frames:
    """All frames of a figure, the last slider changing fastest; what a cell shows while the book is built."""

    name: str
    sliders: dict[str, Slider]
    frames: list[Frame]
    start: dict[str, Value]
    width: int
    height: int

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        parameters = [
            {"name": key, "label": s.label, "values": list(s.values), "texts": [*map(s.text, s.values)]}
            for key, s in self.sliders.items()
        ]
        record = {"name": self.name, "width": self.width, "height": self.height, "start": self.start}
        record |= {"parameters": parameters, "frames": [asdict(frame) for frame in self.frames]}
        first = next(frame for frame in self.frames if frame.values == self.start)
        text = f"{self.name}: {len(self.frames)} frames over {', '.join(s.label for s in self.sliders.values())}"
        return {"text/html": f'<div data-figure="{self.name}">{picture(first)}</div>', "text/plain": text, MIME: record}


def explore(
    draw: Callable[..., Figure],
    *,
    name: str,
    alt: Callable[..., str],
    start: Mapping[str, Value] | None = None,
    **sliders: Slider,
) -> Any:
    """A figure with one or two sliders.

    Args:
        draw: takes a value of each slider by name, returns the figure.
        name: the figure's name in the book, a slug; the page's files are named by it.
        alt: takes the same values, says in words what the figure shows.
        start: the values shown first; the first of each slider if not given.
        sliders: `name=Slider(label, values)`, named like the arguments of `draw`; at most 60 frames in all.

    Returns:
        while the book is built, `Frames`; else the live figure, `superpos.show.live.Live`.

    Raises:
        ValueError: the name, the sliders or `start` are not as above.
        FrameFailed: a frame cannot be drawn, has no alt text or another size than the first.
    """
    _check(name, sliders)
    first = {key: slider.values[0] for key, slider in sliders.items()} | dict(start or {})
    for key, value in first.items():
        if key not in sliders or value not in sliders[key].values:
            raise ValueError(f"{name}: the start {key} = {value!r} is not among the values of a slider")
    if os.environ.get(STATIC):
        return _all_frames(draw, name, alt, sliders, first)
    from superpos.show.live import Live  # widgets are for notebooks only

    return Live(draw, name, alt, sliders, first)


def _check(name: str, sliders: Mapping[str, Slider]) -> None:
    if not _SLUG.fullmatch(name):
        raise ValueError(f"name is {name!r}; it must be a slug of a–z, 0–9 and single hyphens, like 'fig-read-off'")
    if not 1 <= len(sliders) <= 2:
        raise ValueError(f"{name} has {len(sliders)} sliders; a figure has one or two")
    counts = [len(slider.values) for slider in sliders.values()]
    if math.prod(counts) > MOST:
        long, other = max(counts), math.prod(counts) // max(counts)
        key = list(sliders)[counts.index(long)]
        step = next((k for k in range(2, long + 1) if -(-long // k) * other <= MOST), None)
        advice = f"thin {key}, for example to every {step}th value, values[::{step}]" if step else "thin both sliders"
        product = " × ".join(map(str, counts))
        raise ValueError(f"{name} would have {math.prod(counts)} frames ({product}), of which at most {MOST}: {advice}")


def _all_frames(
    draw: Callable[..., Figure],
    name: str,
    alt: Callable[..., str],
    sliders: dict[str, Slider],
    start: dict[str, Value],
) -> Frames:
    frames, size = [], None
    for chosen in itertools.product(*(slider.values for slider in sliders.values())):
        values = dict(zip(sliders, chosen, strict=True))
        try:
            figure, text = frame(draw, alt, values)
            size = size or tuple(figure.get_size_inches())
            if tuple(figure.get_size_inches()) != size:
                raise ValueError(f"its size is {figure.get_size_inches()} inches, and the first frame's {size}")
            frames.append(Frame(values, text, *encode(figure), panels(figure)))
        except Exception as error:
            where = ", ".join(f"{key} = {value!r}" for key, value in values.items())
            raise FrameFailed(f"{name}: the frame {where} cannot be drawn: {type(error).__name__}: {error}") from error
    assert size
    return Frames(name, sliders, frames, start, round(size[0] * PIXELS), round(size[1] * PIXELS))


def frame(draw: Callable[..., Figure], alt: Callable[..., str], values: Mapping[str, Value]) -> tuple[Figure, str]:
    """The figure for some values, and its alt text; one that is missing is refused."""
    figure, text = draw(**values), alt(**values)
    if not isinstance(figure, Figure):
        raise TypeError(f"draw returned {type(figure).__name__}; it must return a matplotlib Figure")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("its alt text is empty; say in words what the figure shows")
    return figure, text.strip()


def panels(figure: Figure) -> list[dict[str, Any]]:
    """The numbers of a figure that noted them, panel by panel; else none."""
    from superpos.show.data import Drawn  # the book's build reads this file alone

    return figure.record()["panels"] if isinstance(figure, Drawn) else []


def encode(figure: Figure) -> tuple[Literal["svg", "png"], str]:
    """An SVG; or a bitmap at twice the size in 64 colours, where that is less to load than the SVG compressed.

    The same figure is the same text in every build.
    """
    drawn = _svg(figure)
    packed = len(compress(drawn.encode(), 6, mtime=0))
    if packed > _HEAVY:
        bitmap = _bitmap(figure)
        if len(bitmap) < packed:
            return "png", base64.b64encode(bitmap).decode()
    return "svg", drawn


def _svg(figure: Figure) -> str:
    """What `savefig` writes; that draws once more, to learn a size that is known here."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "superpos", "svg.fonttype": "path"}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _bitmap(figure: Figure) -> bytes:
    from PIL import Image  # comes with matplotlib

    large, small = io.BytesIO(), io.BytesIO()
    figure.savefig(large, format="png", dpi=2 * PIXELS, pil_kwargs={"compress_level": 0})
    Image.open(large).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(small, format="PNG")
    return small.getvalue()


def picture(one: Frame) -> str:
    """The frame as an HTML image that holds all of its data."""
    kind, data = ("svg+xml", base64.b64encode(one.data.encode()).decode()) if one.kind == "svg" else ("png", one.data)
    return f'<img alt="{html.escape(one.alt)}" style="max-width: 100%" src="data:image/{kind};base64,{data}">'
