"""A figure as SVG: small, the same in every build, and for a dark page.

matplotlib writes each letter as an outline. More than half of such a file is blanks, long names, places to the
millionth of a point, and what is said twice; `compact` leaves them out, and a picture looks the same.
"""

import functools
import re

GROUND, INK = "#121212", "#f0f3f6"  # of a dark page: its own ground, and what is black on white
LEAST = 4.5  # contrast to the ground that letters need, by WCAG 2.2

_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SPARE = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*</defs>", re.DOTALL)
_LONG = re.compile(r"(scale\([^)]*\)|base64,[^\"]*|\.\d\d)\d*")  # factors and bitmaps stay as they are
_PATH = re.compile(r'(?<=\sd=")[^"]*')
_SEGMENT = re.compile(r"([A-Za-z])([-\d.\s]*)")
_STYLE = re.compile(r'(?<=\sstyle=")[^"]*')
_SHIFT = re.compile(r' transform="translate\(([-\d.]+) (?:0|([-\d.]+))\)"/>')
_ID = re.compile(r' id="([^"]*)"')
_USED = re.compile(r'(?:href="#|url\(#)([^")]*)')
_COLOUR = re.compile(r"(fill|stroke):(#[0-9a-f]{6})")
_GROUP = re.compile(r"(<g\b[^>]*>|</g>)")
_LETTER = re.compile(r'(?<=\s)d="([^"]*)" transform="scale\(0\.015625\)"')  # on a grid of 64 to a hundredth of its size
_MARK = re.compile(r'<path id="(\w+)"[^>]* style="([^"]*)"/>')
_PLACED = re.compile(r'(<use href="#(\w+)"[^>]*?) style="([^"]*)"')
_BARE = re.compile(r'<g id="(?:patch_1|patch_2)">\s*<path d="[^"]*" style="fill:#ffffff"/>\s*</g>')


def compact(text: str) -> str:
    """The same picture in less than half as many letters: places to a hundredth of a point, short names, no blanks."""
    text = _LETTER.sub(_coarse, _SPARE.sub("", _HEAD.sub("", text)))
    text = _PATH.sub(
        lambda path: _path(path[0]), _STYLE.sub(lambda style: style[0].replace("; ", ";").replace(": ", ":"), text)
    )
    text = text.replace('xlink:href="#', 'href="#')
    text = _SHIFT.sub(lambda by: f' x="{by[1]}"' + (f' y="{by[2]}"' if by[2] else "") + "/>", text)
    names = {name: f"_{k:x}" for k, name in enumerate(dict.fromkeys(_USED.findall(text)))}
    text = _USED.sub(lambda use: use[0].replace(use[1], names[use[1]]), text)
    text = _ID.sub(lambda given: f' id="{names.get(given[1], given[1])}"' if _kept(given[1], names) else "", text)
    return _once(_ungrouped(re.sub(r">\s+<", "><", _LONG.sub(r"\1", text)).strip()))


def _coarse(letter: re.Match[str]) -> str:
    """The outline of a letter on a grid of 8 to a hundredth of its size: to a hundredth of a point as it is drawn."""
    path = re.sub(r"-?[\d.]+", lambda number: str(round(float(number[0]) / 8)), letter[1])
    return f'd="{path}" transform="scale(0.125)"'


def _ungrouped(text: str) -> str:
    """Without the groups that say nothing of what is in them."""
    out, told = [], list[bool]()
    for part in _GROUP.split(text):
        keep = told.pop() if part == "</g>" else part not in ("<g>", "<g/>")
        if part.startswith("<g") and not part.endswith("/>"):
            told.append(keep)
        out += [part] if keep else []
    return "".join(out)


def _once(text: str) -> str:
    """What a mark says of its own look is not said again wherever it is placed: its own word counts."""
    own = {name: {one.partition(":")[0] for one in style.split(";")} for name, style in _MARK.findall(text)}

    def placed(use: re.Match[str]) -> str:
        style = ";".join(one for one in use[3].split(";") if one.partition(":")[0] not in own.get(use[2], ()))
        return f'{use[1]} style="{style}"' if style else use[1]

    return _PLACED.sub(placed, text)


def _kept(name: str, names: dict[str, str]) -> bool:
    """An id that something refers to, or that of the grounds, which `dark` takes away."""
    return name in names or name in ("patch_1", "patch_2")


@functools.lru_cache(maxsize=4096)
def _path(path: str) -> str:
    """A path of lines and curves, each place told from the one before: the numbers are shorter, and so is the file."""
    out, at, start = [], (0.0, 0.0), (0.0, 0.0)
    for command, numbers in _SEGMENT.findall(path):
        flat = [round(float(number), 2) for number in numbers.split()]
        places = list(zip(flat[::2], flat[1::2], strict=True))
        steps = "".join(_number(a - b) for place in places for a, b in zip(place, at, strict=True))
        out.append(command.lower() + steps.lstrip())
        at = places[-1] if places else at
        start = at if command == "M" else start
        at = start if command == "z" else at
    return "".join(out)


def _number(value: float) -> str:
    """The shortest form of a number that may follow another: 3, -3, .5; a sign or a point parts it from that one."""
    text = f"{value:.2f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"
    text = "0" if text in ("-0", "-") else text
    return text if text[0] == "-" else f" {text}"


def dark(text: str) -> str:
    """The picture for a dark page: transparent, its letters and lines as light as they were dark, bitmaps unaltered.

    White letters stand on filled shapes. These become so light that letters in the colour of the page can be read on
    them; black letters, which matplotlib gives no colour, stand on shapes that are light as they are.
    """
    return _COLOUR.sub(lambda found: f"{found[1]}:{darkened(found[2])}", _BARE.sub("", text))


@functools.lru_cache(maxsize=4096)
def darkened(colour: str) -> str:
    """What a colour on white becomes on the dark ground: greys turn over, others are lightened until they stand out."""
    red, green, blue = rgb = _rgb(colour)
    if max(rgb) - min(rgb) < 0.05:
        return _mixed(INK, GROUND, (red + green + blue) / 3)
    return next(light for k in range(51) if contrast(light := _mixed(colour, "#ffffff", k / 50), GROUND) >= LEAST)


@functools.lru_cache(maxsize=64)
def legible(colour: str) -> str:
    """The colour as letters on white may have it: darker, in the same hue, until it can be read."""
    return next(dark for k in range(51) if contrast(dark := _mixed(colour, "#000000", k / 50), "#ffffff") >= LEAST)


def letters(ground: str) -> str:
    """Black or white, whichever can be read better on this colour."""
    return max(("black", "#000000"), ("white", "#ffffff"), key=lambda named: contrast(named[1], ground))[0]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    low, high = sorted(_luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour))
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue


def _mixed(one: str, other: str, share: float) -> str:
    parts = (round(255 * (a + share * (b - a))) for a, b in zip(_rgb(one), _rgb(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)
