"""The letters of a picture in SVG as matplotlib writes them: how large they are, where they stand, in which colour."""

import functools
import io
import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import resvg_py
from PIL import Image

from superpos.show.vector import LEAST, contrast

_NUMBERS = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
_SEGMENT = re.compile(r"([a-zA-Z])([^a-zA-Z]*)")
_STEP = re.compile(r"(translate|rotate|scale)\(([^)]*)\)")
_SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Letters:
    """A line of a text: points of its size (a subscript is smaller), its colour, its box in points of the picture."""

    size: float
    colour: str
    box: Box


def letters(svg: str) -> tuple[list[Letters], tuple[float, float]]:
    """All lines of text in the order in which they are drawn, and the picture's size in points."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    glyphs = {
        path.attrib["id"]: (path.attrib.get("d", ""), path.attrib.get("transform", ""))
        for path in root.iter(f"{_SVG}path")
        if "id" in path.attrib
    }
    found = []
    for group in root.iter(f"{_SVG}g"):
        matrix = _matrix(group.attrib.get("transform", ""))
        uses = group.findall(f"{_SVG}use")
        if (matrix[1, 1] >= 0 and matrix[0, 0] != 0) or not uses:  # letters are drawn upside down
            continue
        corners = np.concatenate([_corners(use, glyphs) for use in uses])
        x, y = matrix[:, :2] @ corners.T + matrix[:, 2:]
        style = re.search(r"fill:(#\w{6})", group.attrib.get("style", ""))
        size = 100 * float(np.hypot(*matrix[:, 0]))
        found.append(Letters(size, style[1] if style else "#000000", (x.min(), y.min(), x.max(), y.max())))
    return found, (width, height)


def _matrix(transform: str) -> np.ndarray:
    """What turns a place of the group into one of the picture, (2, 3)."""
    whole = np.eye(3)
    for kind, given in _STEP.findall(transform):
        a, b = (*map(float, _NUMBERS.findall(given)), 0.0)[:2]
        step = np.eye(3)
        if kind == "translate":
            step[:2, 2] = a, b
        elif kind == "scale":
            step[0, 0], step[1, 1] = a, b or a
        else:
            turn = np.deg2rad(a)
            step[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        whole = whole @ step
    return whole[:2]


def _corners(use: ElementTree.Element, glyphs: dict[str, tuple[str, str]]) -> np.ndarray:
    """The corners of a letter, (4, 2)."""
    corners = _extent(*glyphs[use.attrib["href"].removeprefix("#")])
    matrix = _matrix(use.attrib.get("transform", ""))
    aside = float(use.attrib.get("x", 0)), float(use.attrib.get("y", 0))
    return corners @ matrix[:, :2].T + matrix[:, 2] + aside


@functools.cache
def _extent(path: str, transform: str) -> np.ndarray:
    """The corners of a path whose places are told from the one before (`vector.compact`), and its control points."""
    at, start, places = np.zeros(2), np.zeros(2), [(0.0, 0.0)] if not path else []
    for command, numbers in _SEGMENT.findall(path):
        assert command in "mlqcz", command
        steps = at + np.array(_NUMBERS.findall(numbers), dtype=float).reshape(-1, 2)
        places += steps.tolist()
        at = start if command == "z" else steps[-1]
        start = at if command == "m" else start
    (left, low), (right, high) = np.min(places, axis=0), np.max(places, axis=0)
    matrix = _matrix(transform)
    return np.array([[left, low], [right, low], [left, high], [right, high]]) @ matrix[:, :2].T + matrix[:, 2]


SHOWN = {"wide": 518, "narrow": 345}  # pixels of a figure: on a wide page, in a window of 360


def faults(found: list[Letters], size: tuple[float, float], sheet: str) -> list[str]:
    """What is wrong with the letters of a picture: below 11 pixels, not whole, or one text on another."""
    pixels, (width, height), told = SHOWN[sheet] / size[0], size, []
    for k, one in enumerate(found):
        left, top, right, bottom = (round(float(edge), 1) for edge in one.box)
        if one.size * pixels < 11:
            told.append(f"{one.size * pixels:.1f} pixels at {left}, {top}")
        if left < 0 or top < 0 or right > width or bottom > height:
            told.append(f"cut at {left}, {top} to {right}, {bottom} of {size}")
        for other in found[:k]:
            if min(one.box[2], other.box[2]) - max(one.box[0], other.box[0]) > 0.3 and (
                min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]) > 0.3
            ):
                told.append(f"two texts at {left}, {top}")
    return told


def unread(found: list[Letters], svg: str, ground: str) -> list[str]:
    """Letters whose contrast to what is most of the picture behind them is below 4.5."""
    pixels, told = behind(svg, ground), []
    for one in found:
        left, top, right, bottom = (round(float(edge)) for edge in one.box)
        here = pixels[top : bottom + 1, left : right + 1].reshape(-1, 3).astype(int) @ [65536, 256, 1]
        colours, counts = np.unique(here, return_counts=True)
        colour = f"#{colours[counts.argmax()]:06x}"
        if contrast(colour, one.colour) < LEAST:
            told.append(f"{one.colour} on {colour} at {left}, {top}")
    return told


def behind(svg: str, ground: str) -> np.ndarray:
    """The picture without its letters, as pixels (height, width, 3), one for each point."""
    bare = re.sub(r'<g[^>]*transform="[^"]*scale\([\d.]+ -[\d.]+\)"[^>]*>(?:(?!</g>).)*</g>', "", svg)
    sized = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', bare, count=2)
    png = resvg_py.svg_to_bytes(svg_string=sized, background=ground, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))
