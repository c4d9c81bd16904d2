"""Figures with sliders, on a page: the frames that a cell drew become files, and one figure swaps them.

The frames come from the executed notebook (superpos.show.frames left them in the cell's output), so that a page whose
notebook is in the execution cache has them as well. Number, caption and address are MyST-NB's and Sphinx's.
"""

import base64
import html
import json
import posixpath
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

from superpos.show.mime import FRAMES

from .places import executed

FOLDER = "explore"  # in the site's folder of images


class explorer(nodes.General, nodes.Element):
    """What stands in the figure: the picture and its sliders, made of the record in `record`."""


def records(notebook: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The record that each cell of an executed notebook left, by the cell's place."""
    found = {}
    for place, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            if FRAMES in output.get("data", {}):
                found[place] = output["data"][FRAMES]
    return found


def put_in(app: Sphinx, doctree: nodes.document) -> None:
    """Write the frames of this page's figures, and let an `explorer` take the place of what the cells show."""
    path = executed(app, app.env.docname)
    if not path.exists():
        return
    for place, record in records(json.loads(path.read_text(encoding="utf8"))).items():
        [cell] = [n for n in doctree.findall(nodes.container) if n.get("cell_index") == place]
        figures = list(cell.findall(nodes.figure))
        if [name for figure in figures for name in figure["names"]] != [record["name"]]:
            raise ExtensionError(
                f"{app.env.docname}: the cell of {record['name']!r} must be a figure of that name: "
                f"mystnb: figure: {{name: {record['name']}, caption: …}}"
            )
        bundles = [n for n in figures[0].findall(nodes.container) if n.get("nb_element") == "mime_bundle"]
        write(record, Path(app.outdir) / app.builder.imagedir / FOLDER / record["name"])
        bundles[0].replace_self(explorer(record=record | {"frames": described(record)}))


def described(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames without their pictures: the file of each, its values, what it shows, whether it is the first."""
    return [
        {"file": f"{k}.{f['kind']}", "values": f["values"], "alt": f["alt"], "start": f["values"] == record["start"]}
        for k, f in enumerate(record["frames"])
    ]


def write(record: dict[str, Any], folder: Path) -> None:
    """The frames and, beside them, what they show: `data.json`. A figure that is there already has the same name."""
    if folder.exists():
        raise ExtensionError(f"two figures with sliders are named {record['name']!r}")
    folder.mkdir(parents=True)
    for k, frame in enumerate(record["frames"]):
        data = frame["data"].encode() if frame["kind"] == "svg" else base64.b64decode(frame["data"])
        (folder / f"{k}.{frame['kind']}").write_bytes(data)
    parameters = [{key: p[key] for key in ("name", "label", "values")} for p in record["parameters"]]
    frames = [told | {"panels": f["panels"]} for told, f in zip(described(record), record["frames"], strict=True)]
    data = {"figure": record["name"], "parameters": parameters, "frames": frames}
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf8")


def markup(record: dict[str, Any], images: str) -> str:
    """The first frame, the sliders (hidden until the script works) and a way to the data where it does not."""
    folder = posixpath.join(images, FOLDER, record["name"])
    frames, escape = record["frames"], lambda value: html.escape(str(value))
    first = next(frame for frame in frames if frame["start"])
    told = escape(json.dumps([[f["file"], f["alt"]] for f in frames], ensure_ascii=False))
    sliders = "".join(slider(record, k) for k in range(len(record["parameters"])))
    return (
        f'<div class="explore" data-folder="{escape(folder)}" data-frames="{told}">\n'
        f'<img alt="{escape(first["alt"])}" src="{escape(folder)}/{first["file"]}" '
        f'width="{record["width"]}" height="{record["height"]}">\n'
        f'<div class="explore-sliders" role="group" aria-label="Change the figure" hidden>\n{sliders}</div>\n'
        f'<p class="explore-said" aria-live="polite"></p>\n'
        f"<noscript><p>Without JavaScript the sliders do not work: what all {len(frames)} pictures show is in "
        f'<a href="{escape(folder)}/data.json">the data of this figure</a>.</p></noscript>\n</div>\n'
    )


def slider(record: dict[str, Any], k: int) -> str:
    """The k-th slider: it counts through its values, and says which one it is at."""
    parameter = record["parameters"][k]
    name, texts = f"{record['name']}-{parameter['name']}", parameter["texts"]
    at = parameter["values"].index(record["start"][parameter["name"]])
    return (
        f'<div><label for="{name}">{html.escape(parameter["label"])}</label>\n'
        f'<output for="{name}">{html.escape(texts[at])}</output>\n'
        f'<input type="range" id="{name}" min="0" max="{len(texts) - 1}" step="1" value="{at}" autocomplete="off" '
        f'aria-valuetext="{html.escape(texts[at])}" '
        f'data-texts="{html.escape(json.dumps(texts, ensure_ascii=False))}"></div>\n'
    )


def visit_explorer(self: HTML5Translator, node: explorer) -> None:
    self.body.append(markup(node["record"], self.builder.imgpath))
    raise nodes.SkipNode


def load_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script and the look, on pages that have such a figure; the offered notebook keeps the first frame alone."""
    if doctree is None or next(doctree.findall(explorer), None) is None:
        return
    app.add_js_file("explore.js", loading_method="defer")
    app.add_css_file("explore.css")
    offered = Path(app.outdir) / f"_sources/{pagename}.ipynb"
    if offered.exists():
        notebook = json.loads(offered.read_text(encoding="utf8"))
        for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
            output.get("data", {}).pop(FRAMES, None)
        offered.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf8")


def register(app: Sphinx) -> None:
    app.add_node(explorer, html=(visit_explorer, None))
