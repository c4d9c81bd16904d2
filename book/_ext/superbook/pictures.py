"""Figures that can be cited as files: picture and numbers of each, at addresses that stay.

Which figures these are stands in `book/key-figures.yml`; those with sliders are added, of them the first frame as SVG.
A picture is the one that the page shows; the numbers are those that its cell recorded (`superpos.show.data`).
"""

import base64
import html
import json
import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resvg_py
import yaml
from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from superpos.show.mime import DATA, TEXT

from .explore import FOLDER
from .markup import lean, named
from .numbers import SCHEMA, document, table, written
from .places import ROOT, executed, kept

WIDTH = 1200  # pixels
ROOT_TAG = re.compile(r"<svg\b[^>]*>", re.DOTALL)
SIZE = re.compile(r'\s(?:width|height)="[^"]*"')
BOX = re.compile(r'viewBox="\s*[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)\s*"')


def key_figures() -> dict[str, list[str]]:
    """The key figures of each page."""
    return yaml.safe_load((ROOT / "book/key-figures.yml").read_text(encoding="utf8"))


def svg_root(svg: str) -> re.Match[str]:
    found = ROOT_TAG.search(svg)
    if found is None or BOX.search(found[0]) is None:
        raise ExtensionError("a picture has no <svg> with a viewBox")
    return found


def proportions(svg: str) -> float:
    """Width over height."""
    box = BOX.search(svg_root(svg)[0])
    assert box
    return float(box[1]) / float(box[2])


def sized(svg: str, attributes: str) -> str:
    """The <svg> alone, with these attributes in the place of its size (which may be in pt; resvg refuses that)."""
    root = svg_root(svg)
    tag = SIZE.sub("", root[0])
    return f"{tag[:4]} {attributes}{tag[4:]}{svg[root.end() :]}"


def vector(picture: Path) -> str:
    """The picture as SVG; a bitmap stands in one."""
    if picture.suffix == ".svg":
        return picture.read_text(encoding="utf8")
    data = picture.read_bytes()
    width, height = struct.unpack(">II", data[16:24])  # where each PNG says its size
    link = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    return f'{head}<image width="{width}" height="{height}" href="{link}"/></svg>'


def png(svg: str) -> bytes:
    """The picture on white, `WIDTH` pixels wide."""
    return drawn(sized(svg, f'width="{WIDTH}" height="{round(WIDTH / proportions(svg))}"'))


def drawn(svg: str, *fonts: Path) -> bytes:
    """The picture as PNG, on white, with these fonts alone: the same on every machine."""
    files = [str(font) for font in fonts]

    def make() -> bytes:
        return bytes(
            resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True, font_files=files)
        )

    return kept("\0".join([svg, *(font.name for font in fonts)]), ".png", make)


def recorded(notebook: Path, kind: str) -> dict[str, Any]:
    """What the cell of each named figure of an executed notebook left of this kind, where it left some."""
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf8"))["cells"]:
        name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", ()):
            if name and kind in output.get("data", {}):
                found[name] = output["data"][kind]
    return found


def described(svg: str, title: str, words: str) -> str:
    """The picture as others use it: its size, what it is and what it shows are said in it."""
    root = svg_root(svg)
    said = f"<title>{html.escape(title)}</title><desc>{html.escape(words)}</desc>"
    return f'{root[0][:-1]} role="img">{said}{svg[root.end() :]}'


@dataclass(frozen=True)
class KeyFigure:
    """A figure that can be cited, on its finished page: the <figure>, its picture's file and alt text, its numbers, and
    its picture as SVG whose letters can be selected; `key` if it is one of book/key-figures.yml."""

    page: str
    name: str
    tag: Tag
    picture: Path
    alt: str
    record: dict[str, Any] | None
    text: str
    key: bool

    @property
    def finding(self) -> str:
        """The sentence above the picture."""
        frames = self.record["frames"] if self.record else ()
        return next((frame["finding"] for frame in frames if frame.get("start", True)), self.name)

    @property
    def kinds(self) -> list[str]:
        """Endings of the files that there are of it."""
        vectors, bitmap = self.picture.suffix == ".svg", self.key or self.picture.suffix != ".svg"
        return [*["svg"][:vectors], *["png"][:bitmap], *(["csv", "json"] if self.record else [])]


def citable(app: Sphinx, page: str) -> list[str]:
    """The figures of a page that can be cited: the key figures, and all that have sliders."""
    key, slides = key_figures().get(page, []), Path(app.outdir) / app.builder.imagedir / FOLDER
    numbered = app.env.toc_fignumbers.get(page, {}).get("figure", {})
    return [*key, *(name for name in numbered if name not in key and (slides / name / "data.json").is_file())]


def figures_of(app: Sphinx, page: str, body: str) -> list[KeyFigure]:
    """The figures of a page that can be cited, found in its HTML; one that is not there is an error."""
    names, key = citable(app, page), key_figures().get(page, [])
    if not names:
        return []
    found = []
    noted, texts = (recorded(executed(app, page), kind) for kind in (DATA, TEXT))
    for name in names:
        tag = BeautifulSoup(lean(named(body, name)), "html.parser").find("figure")
        image = tag.find("img", src=True) if tag else None
        if tag is None or image is None:
            raise ExtensionError(f"book/key-figures.yml: {page} has no <figure id={name!r}> with an <img>")
        source = str(image["src"]).partition("?")[0]
        place = (Path(app.outdir) / f"{page}.html").parent.joinpath(source).resolve()
        slides = tag.select_one(".explore") is not None
        record = json.loads((place.parent / "data.json").read_text(encoding="utf8")) if slides else None
        if name in noted:
            record = document(noted[name] | {"name": name}, page)
        alt, text = str(image.get("alt", "")), texts.get(name, "")
        found.append(KeyFigure(page, name, tag, place, alt, record, text, name in key))
    return found


def write_picture(out: Path, figure: KeyFigure) -> None:
    """All files of one figure."""
    at = out / f"figures/{figure.name}"
    at.parent.mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name(SCHEMA), at.with_name(SCHEMA))
    if not figure.picture.is_file():
        raise ExtensionError(f"the picture of {figure.name} is not a file: {figure.picture}")
    svg = vector(figure.picture)
    if figure.picture.suffix == ".svg":
        told = described(figure.text or svg, figure.finding, figure.alt)
        at.with_suffix(".svg").write_text(told, encoding="utf8")
        if figure.key:
            at.with_suffix(".png").write_bytes(png(svg))
    else:
        shutil.copyfile(figure.picture, at.with_suffix(".png"))
    if figure.record:
        at.with_suffix(".json").write_text(written(figure.record), encoding="utf8")
        at.with_suffix(".csv").write_text(table(figure.record), encoding="utf8")
