"""What a text refers to, as the last build knew it: titles, numbers, sources, and the values that cells computed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "names.json"  # beside the executed chapters


@dataclass(frozen=True)
class Page:
    """A page of the book: its title, its chapter's number if it has one, whether it is a notebook, and the values that
    its cells give to its text."""

    title: str
    number: str = ""
    runs: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What a label names: the page, the anchor on it, its number, such as (5.3) or Fig. 5.2, and its title."""

    page: str
    anchor: str
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class Source:
    """An entry of the bibliography: authors and year as a text cites them, and where it can be read."""

    authors: str
    year: str
    url: str


@dataclass(frozen=True)
class Names:
    """All of these by page, by label and by key; what is missing is not known."""

    pages: Mapping[str, Page] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf8")


def read(path: Path) -> Names:
    """The names that a build left; none if there is no build."""
    if not path.exists():
        return Names()
    found = json.loads(path.read_text(encoding="utf8"))
    kinds = {"pages": Page, "targets": Target, "sources": Source}
    return Names(**{key: {name: kind(**told) for name, told in found[key].items()} for key, kind in kinds.items()})
