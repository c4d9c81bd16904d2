"""How tall the frame of an embedded figure is: as tall as the figure on a phone, less where the frame is wide.

A frame does not grow with what it holds, and its line may be pasted where no script and no style sheet runs. So it
stands in a container whose width its own style can ask for: on a phone it has room for a picture of that width and for
all else, in a wide frame one height; where that is not understood it has the tallest. The room that words take is
estimated, since only a browser knows its fonts.
"""

import math

from bs4 import Tag

from .plaintext import text_of

MOST, PHONE, LEAST = 720, 420, 320  # pixels of a frame: at most, where it becomes a phone's, at least
PADS, PICTURES = {False: 16, True: 8}, {False: 518, True: 416}  # as in embed.css: beside the text; widest picture
LINE, SMALL = 21.6, 19.7  # pixels of a line of the caption, of the line below it
LETTER, TIGHT = 7.4, 6.8  # pixels of a letter there, on the wide side
SPARE = 1  # lines: letters of other systems are wider
BUTTON, GAP, BASIS = 40, 6.4, 224  # of what changes a figure, as in explore.css
SECOND = 14.4  # the second line of a step's buttons on a phone


def framed(attributes: str, figure: Tag) -> str:
    """The line to copy into another page."""
    phone, wide = range(LEAST, PHONE + 1, 10), height(figure, range(PHONE + 1, MOST + 1, 10))
    tall = max(wide, height(figure, phone))
    aside, grows = height(figure, phone, picture=False), f"{proportion(figure, phone=True):.3f}"
    fits = f"{aside}px + {grows} * min(100cqw, {PICTURES[True]}px)"
    own = f"; height: clamp({wide}px, ({PHONE + 1}px - 100cqw) * 9999, {fits})" if tall > wide else ""
    return (
        f'<div style="container-type: inline-size; max-width: {MOST}px"><iframe {attributes} '
        f'width="{MOST}" height="{tall}" loading="lazy" style="width: 100%; border: 0{own}"></iframe></div>'
    )


def height(figure: Tag, widths: range, *, picture: bool = True) -> int:
    """Room for the figure, or for all but its picture, in a frame of any of these widths."""
    caption = figure.find("figcaption")
    letters = len(text_of(caption)) if isinstance(caption, Tag) else 0
    return math.ceil(max(beside(figure, letters, width) + picture * pictured(figure, width) for width in widths))


def proportion(figure: Tag, *, phone: bool) -> float:
    """The height of the picture over its width."""
    image = figure.select_one(".drawn source" if phone else ".drawn img")
    assert image is not None, f"{figure.get('id')} has no picture with its sizes"
    return float(str(image["height"])) / float(str(image["width"]))


def pictured(figure: Tag, width: int) -> float:
    """Room for the picture; on a phone it is as wide as the frame."""
    phone = width <= PHONE
    return min(PICTURES[phone], width if phone else width - 2 * PADS[phone]) * proportion(figure, phone=phone)


def beside(figure: Tag, letters: int, width: int) -> float:
    """What changes the picture, the caption of so many letters, the line below, and the space around them."""
    phone = width <= PHONE
    room = width - 2 * PADS[phone]
    below = 9.6 + LINE * (lines(letters, LETTER, room) + SPARE) + 9.6 + SMALL * lines(90, TIGHT, room)
    second = SECOND if phone and figure.select_one(".explore-story") else 0
    return 2 * PADS[phone] + below + changing(figure, min(room, PICTURES[False])) + second


def lines(letters: int, letter: float, room: float) -> int:
    return math.ceil(letters * letter / room)


def changing(figure: Tag, room: float) -> float:
    """Room for the sliders, buttons and steps of a figure, and for the link to what it shows."""
    parts = figure.select("[data-values]")
    if not parts:
        return 0.0
    beside = len(parts) == 2 and room >= 2 * BASIS + 4 * GAP and not figure.select_one(".explore-story")
    each = [part_height(part, room / 2 - 2 * GAP if beside else room) for part in parts]
    return GAP + (max(each) if beside else sum(each) + GAP * (len(each) - 1)) + GAP + SMALL


def part_height(part: Tag, room: float) -> float:
    """A line of words and what is pressed below it, which for buttons may be several rows."""
    rows, left = 1, room
    for button in part.select("label:has(> [type=radio])"):
        width = LETTER * len(text_of(button)) + 32 + GAP
        rows, left = (rows, left - width) if width <= left + GAP else (rows + 1, room - width)
    return 22 + 3.2 + rows * BUTTON + (rows - 1) * GAP
