"""Finished HTML, cut by its text: to parse a whole page costs most of a second, and most of a page is drawn formulas.

KaTeX writes each formula twice, as MathML and as some dozen boxes for the eye. Who only reads a page needs the first.
"""

import re

DRAWN = '<span class="katex-html" aria-hidden="true">'


def end(html: str, start: int) -> int:
    """Where the element that begins at `start` ends."""
    tag = re.match(r"<([a-zA-Z][\w-]*)", html[start : start + 40])
    if tag is None:
        raise ValueError(f"no element begins at {html[start : start + 40]!r}")
    depth = 0
    for mark in re.compile(rf"<(/?){tag[1]}(?=[\s>/])").finditer(html, start):
        depth += -1 if mark[1] else 1
        if depth == 0:
            return html.index(">", mark.start()) + 1
    raise ValueError(f"<{tag[1]}> is not closed")


def lean(html: str) -> str:
    """The page without what KaTeX draws; the MathML of each formula stays, with its TeX."""
    parts, at = [], 0
    while (start := html.find(DRAWN, at)) >= 0:
        parts.append(html[at:start])
        at = end(html, start)
    return "".join([*parts, html[at:]])


def named(html: str, name: str) -> str:
    """The element with this id, as it stands; empty if there is none."""
    found = re.search(rf'<[a-zA-Z][\w-]*\s[^<>]*\bid="{re.escape(name)}"', html)
    return html[found.start() : end(html, found.start())] if found else ""


def article(html: str) -> str:
    """The text of a page, without what is around it; empty if it has none."""
    start = html.find('<article class="bd-article')
    return html[start : end(html, start)] if start >= 0 else ""
