"""Code on a narrow page: a line that does not fit goes on below, further to the right than it began.

Each line is an element of its own, and says by how many letters it is indented; the style sheet does the rest.
"""

import re
from collections.abc import Iterator

from pygments.formatters import HtmlFormatter
from sphinx.application import Sphinx

MARKUP = re.compile(r"<[^>]*>")


def indent(line: str) -> int:
    """By how many letters a line of HTML is indented."""
    text = MARKUP.sub("", line)
    return len(text) - len(text.lstrip(" "))


def line(text: str) -> str:
    """One line of code as an element."""
    by = indent(text)
    style = f' style="--by: {by}ch"' if by else ""
    return f'<span class="line"{style}>{text}</span>'


class Lines(HtmlFormatter):
    """Pygments' HTML, with an element for every line."""

    def wrap(self, source: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        return super().wrap((is_code, line(text) if is_code else text) for is_code, text in source)


def choose(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.builder.highlighter.formatter = Lines  # type: ignore[attr-defined]
