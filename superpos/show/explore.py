"""Figures that answer: every frame drawn while the book is built, any value computed in a live notebook.

`explore` is the one call for both. A page has no kernel, so the book draws a frame for each value of the sliders and
the page swaps them; a notebook with a kernel computes the frame for whatever is asked. One figure, one function.
"""

import itertools
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from superpos.show.data import STATIC, svg
from superpos.show.frames import Frames, Slider, Value, complete
from superpos.show.live import Live

MOST = 60  # frames of one figure
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class FrameFailed(RuntimeError):
    """A frame cannot be drawn; the message names the figure and the values, the cause is what `draw` raised."""


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
        FrameFailed: a frame cannot be drawn, has no alt text or another size than the first one, or is the step of a
            story and has no finding.
    """
    _check(name, sliders)
    first = {key: slider.values[0] for key, slider in sliders.items()} | dict(start or {})
    for key, value in first.items():
        if key not in sliders or value not in sliders[key].values:
            raise ValueError(f"{name}: the start {key} = {value!r} is not among the values of a slider")
    if os.environ.get(STATIC):
        return _all_frames(draw, name, alt, sliders, first)
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
    frames, sizes = [], []
    for chosen in itertools.product(*(slider.values for slider in sliders.values())):
        values = dict(zip(sliders, chosen, strict=True))
        try:
            frames.append(complete(draw, alt, values))
            if any(slider.story for slider in sliders.values()) and not frames[-1].finding:
                raise ValueError("a step of a story has no finding; say in a sentence what happens, by figures.titled")
            sizes.append([(one["width"], one["height"]) for one in frames[-1].pictures.values()])
            if sizes[-1] != sizes[0]:
                raise ValueError(f"its sizes are {sizes[-1]} pixels, wide and narrow, and the first frame's {sizes[0]}")
        except Exception as error:
            where = ", ".join(f"{key} = {value!r}" for key, value in values.items())
            raise FrameFailed(f"{name}: the frame {where} cannot be drawn: {type(error).__name__}: {error}") from error
    return Frames(name, sliders, frames, start, svg(draw(**start), "none"))
