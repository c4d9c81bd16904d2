"""Figures with sliders, on a page: the frames that a cell drew become files, and one figure swaps them.

The frames come from the executed notebook (superpos.show.frames left them in the cell's output), so that a page whose
notebook is in the execution cache has them as well. Number, caption and address are MyST-NB's and Sphinx's.
"""

import json
import posixpath
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

from superpos.show.mime import FRAMES, PICTURES
from superpos.show.vector import dark

from . import controls
from .numbers import document, written
from .places import executed

FOLDER = "explore"  # in the site's folder of images
PHONE = "(max-width: 600px)"  # as in book.css
SCHEMES = ("light", "dark")


class explorer(nodes.General, nodes.Element):
    """What stands in the figure: the picture and its sliders, made of the record in `record`."""


def records(notebook: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """What each cell of an executed notebook drew, by the cell's place; a figure without sliders is a single frame."""
    found = {}
    for place, cell in enumerate(notebook["cells"]):
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if FRAMES in data:
                found[place] = data[FRAMES]
            elif PICTURES in data:
                alone = {"values": {}, "alt": "", "pictures": data[PICTURES], "panels": [], "finding": ""}
                found[place] = {"name": "", "start": {}, "parameters": [], "frames": [alone]}
    return found


def put_in(app: Sphinx, doctree: nodes.document) -> None:
    """Write the frames of this page's figures, and let an `explorer` take the place of what the cells show."""
    path = executed(app, app.env.docname)
    if not path.exists():
        return
    for place, record in records(json.loads(path.read_text(encoding="utf8"))).items():
        [cell] = [n for n in doctree.findall(nodes.container) if n.get("cell_index") == place]
        figures = list(cell.findall(nodes.figure))
        names = [name for figure in figures for name in figure["names"]]
        if len(names) != 1 or record["name"] not in ("", names[0]):
            raise ExtensionError(
                f"{app.env.docname}: the cell of {record['name'] or 'a figure'!r} must be a figure of that name: "
                f"mystnb: figure: {{name: {record['name'] or 'fig-…'}, caption: …}}"
            )
        [shown] = [
            n
            for n in figures[0].children
            if isinstance(n, nodes.Element) and not isinstance(n, nodes.caption | nodes.legend)
        ]
        for image in figures[0].findall(nodes.image):  # of a figure without sliders; alt text is the cell's
            record["frames"][0]["alt"] = image.get("alt", "")
        folder = Path(app.outdir) / app.builder.imagedir / FOLDER
        write(record | {"name": names[0]}, folder / names[0], app.env.docname)
        shown.replace_self(explorer(record=record | {"name": names[0], "frames": described(record)}))


def described(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames without their pictures: the file of each, its values, what it shows, whether it is the first."""
    return [
        {"file": f"{k}.svg", "values": f["values"], "alt": f["alt"], "start": f["values"] == record["start"]}
        | {"finding": f["finding"]}
        | {"sizes": {name: (one["width"], one["height"]) for name, one in f["pictures"].items()}}
        for k, f in enumerate(record["frames"])
    ]


def files(k: int, pictures: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The files of the k-th frame: for a wide page and for a phone, and of each one for a dark page."""
    return {
        named(f"{k}.svg", sheet, scheme): one["svg"] if scheme == "light" else dark(one["svg"])
        for sheet, one in pictures.items()
        for scheme in SCHEMES
    }


def named(file: str, sheet: str, scheme: str) -> str:
    """A frame's file for this sheet and scheme: 0.svg of a wide light page, 0-narrow-dark.svg of a dark phone."""
    more = "".join(f"-{part}" for part in (sheet, scheme) if part not in ("wide", "light"))
    return file.replace(".svg", f"{more}.svg")


def write(record: dict[str, Any], folder: Path, page: str) -> None:
    """The frames and, beside them, what they show: `data.json`. A figure that is there already has the same name."""
    if folder.exists():
        raise ExtensionError(f"two figures are named {record['name']!r}")
    folder.mkdir(parents=True)
    for k, frame in enumerate(record["frames"]):
        for file, text in files(k, frame["pictures"]).items():
            (folder / file).write_text(text, encoding="utf8")
    if not record["parameters"]:
        return
    frames = [f | told for told, f in zip(described(record), record["frames"], strict=True)]
    (folder / "data.json").write_text(written(document(record | {"frames": frames}, page)), encoding="utf8")


def pictured(folder: str, frame: dict[str, Any]) -> str:
    """The frame for every page: one <picture> for each scheme, of which a style shows one, wide or narrow by itself.

    What is not shown is not loaded: a lazy image waits until it is.
    """
    wide, narrow = frame["sizes"]["wide"], frame["sizes"]["narrow"]
    parts = []
    for scheme in SCHEMES:
        at, phone = (f"{folder}/{named(frame['file'], sheet, scheme)}" for sheet in ("wide", "narrow"))
        parts.append(
            f'<picture class="scheme-{scheme}"><source media="{PHONE}" srcset="{controls.escape(phone)}" '
            f'width="{narrow[0]}" height="{narrow[1]}">'
            f'<img alt="{controls.escape(frame["alt"])}" src="{controls.escape(at)}" '
            f'width="{wide[0]}" height="{wide[1]}" loading="lazy"></picture>\n'
        )
    return "".join(parts)


def markup(record: dict[str, Any], images: str) -> str:
    """The first frame, and if there are others what changes it, and a way to them where there is no script."""
    folder = posixpath.join(images, FOLDER, record["name"])
    frames = record["frames"]
    first = next(frame for frame in frames if frame["start"])
    shown = pictured(folder, first)
    if not record["parameters"]:
        return f'<div class="drawn">\n{shown}</div>\n'
    told = controls.told([[f["file"], f["alt"]] for f in frames])
    return (
        f'<div class="explore drawn" data-folder="{controls.escape(folder)}" data-frames="{told}">\n{shown}'
        f'{controls.controls(record)}<p class="explore-fault" role="status"></p>\n'
        f'<p class="explore-said" aria-live="polite"></p>\n{controls.others(record, folder)}</div>\n'
    )


def visit_explorer(self: HTML5Translator, node: explorer) -> None:
    self.body.append(markup(node["record"], self.builder.imgpath))
    raise nodes.SkipNode


def load_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script and the look, on pages that have such a figure."""
    drawn = list(doctree.findall(explorer)) if doctree else []
    if any(node["record"]["parameters"] for node in drawn):
        app.add_js_file("explore.js", loading_method="defer")
        app.add_css_file("explore.css")


def register(app: Sphinx) -> None:
    app.add_node(explorer, html=(visit_explorer, None))
