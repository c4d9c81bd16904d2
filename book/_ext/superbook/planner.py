"""The planner: what fits, by settings that the reader types. The page's script is book/assets/planner.js.

A cell of the page computes the answers for the settings that it starts with, by the package; the script's own function
makes the table of them, in V8, as it will in the reader's browser. So the words stand in one place, and the table is
there without JavaScript.
"""

import functools
import html
import json
from typing import Any

from docutils import nodes
from py_mini_racer import MiniRacer
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from superpos.show.mime import PLANNER

from .places import ROOT, executed

SCRIPT = ROOT / "book/assets/planner.js"
CALLS = """function call(name, given) { return JSON.stringify(planner[name](...JSON.parse(given))) }
function values() { return JSON.stringify([planner.LIMITS, planner.CHOSEN]) }
function names(settings) {
  const s = JSON.parse(settings);
  return JSON.stringify(Object.fromEntries(Object.entries(planner.TOLD).map(([key, { name }]) => [key, name(s)])));
}"""
FIELDS = {
    "D": "width <var>D</var> of the network",
    "T": "circuits <var>T</var>",
    "d": "width <var>d</var> of a circuit",
    "z": "active circuits <var>z</var>",
    "L": "layers <var>L</var> of a circuit",
    "m": "residual neurons <var>m</var>",
}
EMPTY = {"D": "empty: as wide as needed", "T": "empty: as many as fit", "m": "empty: <var>d</var>"}


class planner(nodes.General, nodes.Element):
    """What stands in the place of the cell's output: the settings and answers are in `record`."""


@functools.cache
def engine() -> MiniRacer:
    """The page's script, without a page."""
    made = MiniRacer()
    made.eval(SCRIPT.read_text(encoding="utf8"))
    made.eval(CALLS)
    return made


def call(name: str, *given: Any) -> Any:
    """What a function of the script answers."""
    return json.loads(engine().call("call", name, json.dumps(given)))


def put_in(app: Sphinx, doctree: nodes.document) -> None:
    """Let the planner take the place of what the cell shows."""
    path = executed(app, app.env.docname)
    if not path.exists():
        return
    for place, cell in enumerate(json.loads(path.read_text(encoding="utf8"))["cells"]):
        for record in (o["data"][PLANNER] for o in cell.get("outputs", []) if PLANNER in o.get("data", {})):
            [found] = [n for n in doctree.findall(nodes.container) if n.get("cell_index") == place]
            found.replace_self(planner(record=record))


def field(name: str, most: int, value: int | None) -> str:
    """A labelled field, with its range and the place of what is wrong with it."""
    hint = f"1 to {most:,}" + (f"; {EMPTY[name]}" if name in EMPTY else "")
    return (
        f'<div><label for="planner-{name}">{FIELDS[name]}</label>\n'
        f'<input id="planner-{name}" name="{name}" inputmode="numeric" autocomplete="off" value="{value or ""}" '
        f'aria-describedby="planner-{name}-hint planner-{name}-wrong">\n'
        f'<small class="planner-hint" id="planner-{name}-hint">{hint}</small>\n'
        f'<strong class="planner-wrong" id="planner-{name}-wrong"></strong></div>\n'
    )


def markup(record: dict[str, Any]) -> str:
    """The form, which the script opens, the table for the settings that it starts with, and code to copy."""
    settings, answers = record["settings"], record["answers"]
    (limits, chosen), names = (
        json.loads(engine().call(*given)) for given in (["values"], ["names", json.dumps(settings)])
    )
    fields = "".join(field(name, most, settings[name]) for name, most in limits.items())
    fitting = {row["key"]: row for row in answers if row["D"]}
    options = "".join(
        f'<option value="{key}"{" selected" if key == chosen else ""}>{names[key]}</option>' for key in fitting
    )
    code = html.escape(call("code", fitting[chosen], settings))
    return (
        '<form class="planner"><fieldset disabled>\n'
        f'<legend class="visually-hidden">Settings</legend>\n{fields}</fieldset></form>\n'
        "<noscript><p>Without JavaScript nothing can be typed here: the table is for one setting, computed by the "
        "package when the book was built.</p></noscript>\n"
        f'<div id="planner-table">{call("table", settings, answers)}</div>\n'
        '<output class="visually-hidden" id="planner-heard"></output>\n'
        '<div class="planner-code"><p><label for="planner-chosen">Code that builds</label> '
        f'<select id="planner-chosen" autocomplete="off">{options}</select></p>\n'
        f'<pre class="copied" id="planner-built" tabindex="0" role="group" aria-label="Code">{code}</pre>\n'
        "<p>Link to these settings</p>\n"
        '<pre class="copied" id="planner-link" data-button="Copy link" tabindex="0" role="group" '
        f'aria-label="Link">planner.html{call("toAddress", settings)}</pre></div>\n'
    )


def visit_planner(self: HTML5Translator, node: planner) -> None:
    self.body.append(markup(node["record"]))
    raise nodes.SkipNode


def load_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Script and look, on the page that has a planner."""
    if doctree is None or next(doctree.findall(planner), None) is None:
        return
    app.add_js_file("copy.js", loading_method="defer")
    app.add_js_file("planner.js", loading_method="defer")
    app.add_css_file("planner.css")


def register(app: Sphinx) -> None:
    app.add_node(planner, html=(visit_planner, None))
