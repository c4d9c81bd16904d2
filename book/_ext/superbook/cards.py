"""The picture that other services show beside a link to a page: its title, its question and its first key figure.

It is drawn in the size that they ask for, and read in less than half of it: letters are large. Text is set in DejaVu
Sans, from the files that Matplotlib brings, so that a card is the same on every machine.
"""

import html
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import matplotlib
from docutils import nodes
from PIL import ImageFont
from sphinx.application import Sphinx

from .address import Address, published
from .explore import FOLDER
from .pictures import drawn, key_figures, proportions, sized, vector
from .plaintext import plain

SIZE = WIDE, HIGH = 1200, 630  # pixels; what the large services ask for
EDGE, GAP, LEAD = 40, 24, 1.25  # pixels; line spacing
TITLES, LETTERS, COLUMN = (68, 60, 54), 42, 480  # sizes of letters; width of a question that stands beside the figure
LONG = 130  # letters of a question; of a longer one the last sentence is shown, which asks
FONTS = Path(matplotlib.get_data_path(), "fonts/ttf")
REGULAR, BOLD = FONTS / "DejaVuSans.ttf", FONTS / "DejaVuSans-Bold.ttf"


@cache
def _font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


def broken(text: str, width: float, size: int, file: Path = REGULAR) -> list[str]:
    """The lines of a text, none wider than `width` unless it is a single word."""
    lines: list[str] = []
    for word in text.split():
        if lines and _font(file, size).getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@dataclass(frozen=True)
class Words:
    """Lines at a place: `top` is the upper edge of the first."""

    lines: list[str]
    size: int
    top: float
    weight: str = "normal"

    @property
    def bottom(self) -> float:
        return self.top + len(self.lines) * self.size * LEAD

    def svg(self) -> str:
        fill = "#111111" if self.weight == "bold" else "#333333"
        return "".join(
            f'<text x="{EDGE}" y="{self.top + (k + 0.8) * self.size * LEAD:.1f}" font-family="DejaVu Sans" '
            f'font-weight="{self.weight}" font-size="{self.size}" fill="{fill}">{html.escape(line)}</text>'
            for k, line in enumerate(self.lines)
        )


@dataclass(frozen=True)
class Box:
    """Room for the figure, and how large it becomes in it."""

    left: float
    top: float
    wide: float

    @property
    def width(self) -> float:
        return min(WIDE - EDGE - self.left, max(0, HIGH - EDGE / 2 - self.top) * self.wide)

    def svg(self, picture: str) -> str:
        height = self.width / self.wide
        left = self.left + (WIDE - EDGE - self.left - self.width) / 2
        top = self.top + (HIGH - EDGE / 2 - self.top - height) / 2
        return sized(picture, f'x="{left:.2f}" y="{top:.2f}" width="{self.width:.2f}" height="{height:.2f}"')


def headed(title: str) -> Words:
    """The title, as large as it fits in one line, else in more."""
    fits = (size for size in TITLES if len(broken(title, WIDE - 2 * EDGE, size, BOLD)) == 1)
    size = next(fits, TITLES[-1])
    return Words(broken(title, WIDE - 2 * EDGE, size, BOLD), size, EDGE / 2, "bold")


def card(title: str, question: str, picture: str) -> bytes:
    """The card as PNG; `picture` is an SVG. The question stands above the figure or beside it, where that is larger."""
    head, wide = headed(title), proportions(picture)
    top = head.bottom + GAP / 2
    above = Words(broken(question, WIDE - 2 * EDGE, LETTERS), LETTERS, top)
    beside = Words(broken(question, COLUMN, LETTERS), LETTERS, top + GAP)
    below, right = Box(EDGE, above.bottom + GAP, wide), Box(EDGE + COLUMN + GAP, top, wide)
    said, box = (above, below) if below.width >= right.width else (beside, right)
    root = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{HIGH}">'
    return drawn(f"{root}{head.svg()}{said.svg()}{box.svg(picture)}</svg>", REGULAR, BOLD)


def asked(text: str) -> str:
    """What a card has room for."""
    if len(text) <= LONG:
        return text
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", text)
    return next((s for s in reversed(sentences) if s.endswith("?")), sentences[0])


def said(node: nodes.Node) -> str:
    """All that a part of a page says, in one line, its formulas as plain text."""
    texts = (part for part in node.findall() if isinstance(part, nodes.Text))
    return " ".join("".join(plain(t) if isinstance(t.parent, nodes.math) else t for t in texts).split())


def question(doctree: nodes.document, described: str) -> str:
    """What the page asks: its box *The question*, else the beginning of its description."""
    for box in doctree.findall(nodes.admonition):
        if "question" in box["classes"]:
            return asked(" ".join(said(part) for part in box.children if not isinstance(part, nodes.title)))
    return re.split(r"(?<=[.!?:]) (?=[A-Z])", described, maxsplit=1)[0].rstrip(":")


def tags(name: str, alt: str, where: Address, up: str) -> str:
    """The page's picture, for services that show a card of a link."""
    file = f"figures/{name}-card.png"
    image = where.of(file) if where.site else up + file
    given = {
        "og:image": image,
        "og:image:type": "image/png",
        "og:image:width": str(WIDE),
        "og:image:height": str(HIGH),
        "og:image:alt": alt,
    }
    made = [f'<meta property="{key}" content="{html.escape(value)}" />\n' for key, value in given.items()]
    twitter = {"twitter:card": "summary_large_image", "twitter:image": image, "twitter:image:alt": alt}
    return "".join([*made, *(f'<meta name="{key}" content="{html.escape(v)}" />\n' for key, v in twitter.items())])


def front(app: Sphinx) -> tuple[Path, str]:
    """Picture and alt text of the front page's key figure, which has sliders, for pages that have none."""
    folder = Path(app.outdir) / app.builder.imagedir / FOLDER / key_figures()[app.config.root_doc][0]
    frames = json.loads((folder / "data.json").read_text(encoding="utf8"))["frames"]
    return next((folder / frame["file"], frame["alt"]) for frame in frames if frame["start"])


def add_card(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Draw the page's card and name it in the page; each key figure has one, the first of a page is the page's."""
    if doctree is None:
        return
    shown = [(f.name, f.picture, f.alt) for f in context.get("citable", ()) if f.key]
    shown = shown or [(PurePosixPath(pagename).name, *front(app))]
    title = said(app.env.titles[pagename])
    asks = question(doctree, (context.get("meta") or {}).get("og:description", ""))
    folder = Path(app.outdir) / "figures"
    folder.mkdir(exist_ok=True)
    for name, picture, _ in shown:
        (folder / f"{name}-card.png").write_bytes(card(title, asks, vector(picture)))
    name, _, alt = shown[0]
    card_tags = tags(name, f"{title}. {asks} {alt}", published(), "../" * pagename.count("/"))
    context["metatags"] = context.get("metatags", "") + card_tags
