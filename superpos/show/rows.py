"""What is said in rows of a name and a text: in words for a terminal, as a table in a notebook."""

import html
from abc import ABC, abstractmethod


class Rows(ABC):
    """Something with `rows`."""

    @abstractmethod
    def rows(self) -> list[tuple[str, str]]:
        """Name and text of each row."""

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.rows())

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>'
            for name, text in self.rows()
        )
        return f'<table class="rows"><tbody>{cells}</tbody></table>'
