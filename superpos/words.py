"""Figures and rows as text: in words for a terminal, as a table in a notebook."""

import html
import math
from abc import ABC, abstractmethod

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 3) -> str:
    """The text of a figure for reading, to so many digits: 0.0318, 1,024, 2.1·10⁻⁵."""
    if not math.isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -5 < power < digits:
        return f"{value:.{digits - 1 - power}f}"
    if 0 < power < 6:
        return f"{value:,.0f}"
    return f"{mantissa}·10{str(power).translate(_SUPERSCRIPT)}"


def plain(value: object) -> object:
    """The value for JSON: numbers that are not finite, which it does not know, as text."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Rows(ABC):
    """A thing that shows itself as rows of name and text: as text when printed, as a table in a notebook."""

    @abstractmethod
    def rows(self) -> list[tuple[str, str]]:
        """The name and the text of each row, in order."""

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.rows())

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>'
            for name, text in self.rows()
        )
        return f'<table class="rows"><tbody>{cells}</tbody></table>'
