"""A page with figures that answer, made of their records alone: no chapter is executed, no book is built."""

import itertools
import shutil
from pathlib import Path
from typing import Any

from built_book import ROOT
from superbook import explore

PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="book.css"><link rel="stylesheet" href="explore.css">
<script defer src="explore.js"></script>
</head><body><main class="bd-article">{figures}</main></body></html>"""
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20"><rect width="{x}" height="20" fill="#{colour}"/></svg>'
)
STEPS = ["entry", "reads", "neurons", "writes"]
SIZES = {"wide": (300, 200), "narrow": (150, 200)}


def parameter(name: str, kind: str, values: list[Any]) -> dict[str, Any]:
    return {"name": name, "label": f"the {name}", "kind": kind, "values": values, "texts": [f"{v}" for v in values]}


def record(name: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    """What a cell leaves of a figure with these parameters, whose second value each is the first that is shown."""
    frames = []
    for k, values in enumerate(itertools.product(*(p["values"] for p in parameters))):
        chosen = dict(zip((p["name"] for p in parameters), values, strict=True))
        pictures = {
            sheet: {"svg": SVG.format(x=k + 1, colour=colour), "width": width, "height": height}
            for (sheet, (width, height)), colour in zip(SIZES.items(), ("0072b2", "d55e00"), strict=True)
        }
        said = ", ".join(f"{key} is {value}" for key, value in chosen.items())
        frames.append(
            {"values": chosen, "alt": f"{said}.", "pictures": pictures, "panels": [], "finding": f"Now {said}."}
        )
    start = {p["name"]: p["values"][1] for p in parameters}
    return {"name": name, "start": start, "parameters": list(parameters), "frames": frames}


FIGURES = (
    record("fig-sizes", parameter("T", "integer", [1, 2, 4, 8, 1024]), parameter("how", "choice", ["dense", "sparse"])),
    record("fig-story", parameter("step", "story", STEPS)),
)


def write(folder: Path) -> None:
    """The page, `index.html`, and all that it loads."""
    for one in FIGURES:
        explore.write(one, folder / explore.FOLDER / one["name"], "index")
    for name in ("book.css", "explore.css", "explore.js"):
        shutil.copy(ROOT / "book/assets" / name, folder / name)
    figures = "".join(
        f'<p style="height: 1200px"></p><figure id="{one["name"]}">{explore.markup(told(one), "")}</figure>'
        for one in FIGURES
    )
    (folder / "index.html").write_text(PAGE.format(figures=figures))


def told(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"frames": explore.described(one)}
