"""One picture of a figure with sliders, and all of them: what a slider is, how a frame is drawn and kept.

The floor under `explore`, which draws every frame, and `live`, which draws the one that is asked for.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from gzip import compress
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image  # comes with matplotlib

from superpos.show import mime
from superpos.show.data import Drawn

PIXELS = 96  # of a page, per inch
_HEAVY = 30_000  # bytes of a compressed SVG beyond which a bitmap is tried

Value = int | float | str


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
    """One picture: its values, what it shows in words and in numbers, the file (an SVG's text, a PNG in base64), and
    the sentence above it."""

    values: dict[str, Value]
    alt: str
    kind: Literal["svg", "png"]
    data: str
    panels: list[dict[str, Any]] = field(default_factory=list)
    finding: str = ""


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
        return {
            "text/html": f'<div data-figure="{self.name}">{picture(first)}</div>',
            "text/plain": text,
            mime.FRAMES: record,
        }


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
    return figure.record()["panels"] if isinstance(figure, Drawn) else []


def finding(figure: Figure) -> str:
    """The sentence above a figure: its finding, or the title of its only axes."""
    said = figure.finding if isinstance(figure, Drawn) else ""
    return said or (figure.axes[0].get_title("left") if len(figure.axes) == 1 else "")


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
    large, small = io.BytesIO(), io.BytesIO()
    figure.savefig(large, format="png", dpi=2 * PIXELS, pil_kwargs={"compress_level": 0})
    Image.open(large).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(small, format="PNG")
    return small.getvalue()


def picture(one: Frame) -> str:
    """The frame as an HTML image that holds all of its data."""
    kind, data = ("svg+xml", base64.b64encode(one.data.encode()).decode()) if one.kind == "svg" else ("png", one.data)
    return f'<img alt="{html.escape(one.alt)}" style="max-width: 100%" src="data:image/{kind};base64,{data}">'
