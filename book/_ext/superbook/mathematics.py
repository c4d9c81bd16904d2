r"""Mathematics is set while the book is built, by KaTeX: a page carries finished HTML and MathML, and no script for it.

KaTeX (vendor/katex) runs in this process, in the JavaScript engine V8. Its HTML is for the eye and hidden from
screen readers; the MathML beside it is for them. A formula that KaTeX cannot set is a warning that names the page and
the formula, and so stops the build.

A displayed formula that is too long for a phone is set twice, and the style sheet shows one of the two. Where its lines
break on a narrow page stands in a comment of TeX, which is code there and which everything else passes over: a line
that begins with `%\\` or with `%&`.
"""

import functools
import html
import json
import re
from collections.abc import Callable
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from .places import ROOT

KATEX = ROOT / "vendor/katex/katex.min.js"
STYLES = ("katex/katex.min.css", "mathematics.css")
OPTIONS = {"output": "htmlAndMathml", "throwOnError": True}
# Of the commands that write HTML, only the one with which terms.py marks a term.
SET = r"""function set(tex, options) { return katex.renderToString(tex, {
    ...JSON.parse(options), trust: asked => asked.command === "\\htmlData",
    strict: fault => fault === "htmlExtension" ? "ignore" : "error"}) }"""
CLASSES = "math notranslate nohighlight"
SEAM = '</span><span class="katex-base">'  # where a line may break within a formula; <wbr> says so in a held one, too
BRACKETS, MARKS = re.compile(r"[(\[“]*$"), re.compile(r"[.,;:)\]”]*")  # before and after a formula, on its line
MARKED = re.compile(
    r'([(\[“]*)(<(span|div) class="math[^"]*">)\s*\\([(\[])(.*?)\\[)\]]\s*(</\3>)([.,;:)\]”]*)', re.DOTALL
)
SHORT = 9  # signs of a formula that is not broken, as z = 1 and D = M = 1024
TOKEN = re.compile(r"\\(begin|end)\s*\{|\\(\\)|\\.", re.DOTALL)
NARROW = re.compile(r"(?:\\q?quad|\\;|\s)*(?<!\\)%(?=\\\\)|(?<!\\)%(?=&)")  # space before the end of a line is dropped
NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|alignat|gather)\}")
log = logging.getLogger(__name__)


class Unset(ValueError):
    """KaTeX cannot set a formula; the message says why."""


@functools.cache
def katex() -> Callable[[str, str], str]:
    """KaTeX's function from TeX and options (as JSON) to HTML, in an engine of its own."""
    engine = MiniRacer()
    engine.eval(KATEX.read_text(encoding="utf8"))
    engine.eval(SET)
    return functools.partial(engine.call, "set")


@functools.cache
def typeset(tex: str, display: bool = False) -> str:
    """The HTML and MathML of a formula; `Unset` if it has none."""
    try:
        made = katex()(tex.strip(), json.dumps(OPTIONS | {"displayMode": display}))
    except JSEvalException as error:
        reason = re.search(r"ParseError: .*", str(error))
        raise Unset(reason[0] if reason else str(error)) from None
    if display:
        return made
    signs = re.sub(r"<[^<>]*>|\s|&\w+;", "", made[made.index('<span class="katex-html"') :])
    if len(signs) <= SHORT:
        return made.replace('<span class="katex">', '<span class="katex held">', 1)
    return made.replace(SEAM, f"</span><wbr>{SEAM[7:]}")


def breaks_lines(tex: str) -> bool:
    r"""Whether `\\` stands outside every environment, where KaTeX would not break the line."""
    depth = 0
    for token in TOKEN.finditer(tex):
        depth += {"begin": 1, "end": -1}.get(token[1], 0)
        if token[2] and depth == 0:
            return True
    return False


def displayed(tex: str, nowrap: bool = False) -> str:
    r"""What Sphinx means by a displayed formula: an empty line starts another equation, `\\` another line.

    An environment of amsmath (`nowrap`) is taken as it is, but for the numbers that it would count for itself.
    """
    if nowrap:
        return NUMBERED.sub(r"\\\1{\2*}", tex)
    parts = [part for part in re.split(r"\n\s*\n", tex) if part.strip()]
    lines = [rf"\begin{{split}}{part}\end{{split}}" if breaks_lines(part) else part for part in parts]
    return lines[0] if len(lines) == 1 else r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"


def settings(tex: str) -> dict[str, str]:
    r"""The formula for a wide and for a narrow page, by the class of each; one without a class where both are the same.

    `a = b %\\ &+ c` is broken before the plus on a narrow page; spaces at the end of a line are dropped.
    """
    if not NARROW.search(tex):
        return {"": tex}
    wide = "\n".join(line for line in tex.splitlines() if not re.match(r"\s*%(\\\\|&)", line))
    return {"for-wide": wide, "for-narrow": NARROW.sub("", tex)}


def attempt(tex: str, display: bool, page: str, location: Any = None) -> str:
    """The formula as HTML; one that cannot be set is shown as it was written, with a warning."""
    try:
        return typeset(tex, display)
    except Unset as reason:
        said = " ".join(tex.split())  # on one line, where scripts/build.py finds it
        log.warning("%s: KaTeX cannot set $%s$: %s", page, said, reason, location=location, type="mathematics")
        return f"<code>{html.escape(tex)}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    formula = attempt(node.astext(), False, self.builder.current_docname, node)
    self.body.append(self.starttag(node, "span", "", CLASS=CLASSES) + formula + "</span>")
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.math_block) -> None:
    """A displayed formula, after its number: the style sheet puts the number at the right."""
    self.body.append(self.starttag(node, "div", CLASS=CLASSES))
    if node["number"] and not node["nowrap"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    for name, tex in settings(node.get("marked", node.astext())).items():
        made = attempt(displayed(tex, node["nowrap"]), True, self.builder.current_docname, node)
        self.body.append(made.replace('class="katex-display"', f'class="katex-display {name}"', 1) if name else made)
    self.body.append("</div>\n")
    raise nodes.SkipNode


def set_marked(text: str, page: str, location: Any = None) -> str:
    r"""Set the formulas that a cell's own HTML marks, as `<span class="math">\(...\)</span>` or `<div ...>\[...\]`."""

    def formula(found: re.Match[str]) -> str:
        before, start, kind, opening, tex, end, marks = found.groups()
        made = before + start + attempt(html.unescape(tex), opening == "[", page, location) + end + marks
        return f'<span class="held">{made}</span>' if (before or marks) and kind == "span" else made

    return MARKED.sub(formula, text)


def set_outputs(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Set the mathematics of the cells' outputs, which reach the page as they are."""
    for node in list(doctree.findall(nodes.raw)):
        if "html" in node.get("format", "").split() and "math" in node.astext():
            text = set_marked(node.astext(), docname, node)
            changed = nodes.raw(node.rawsource, text, **node.attributes)
            node.replace_self(changed)


def hold(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Hold each formula together with what touches it: else a line may begin with a comma, or end with a bracket."""
    for formula in list(doctree.findall(nodes.math)):
        parent, place = formula.parent, formula.parent.index(formula)
        before, after = (
            "".join(one.astext() for one in beside if isinstance(one, nodes.Text))
            for beside in (parent[max(place - 1, 0) : place], parent[place + 1 : place + 2])
        )
        opened, marks = BRACKETS.search(before), MARKS.match(after)
        if opened and marks and opened[0] + marks[0]:
            held = nodes.inline("", opened[0], formula, nodes.Text(marks[0]), classes=["held"])
            parent[place - bool(before) : place + 1 + bool(after)] = [
                nodes.Text(before[: opened.start()]), held, nodes.Text(after[marks.end() :]),
            ]  # fmt: skip


def as_written(title: str) -> str:
    """A title in which each formula is its TeX again: a browser's tab shows no markup."""
    soup = BeautifulSoup(title, "html.parser")
    for formula in soup.select(".math"):
        tex = formula.select_one("annotation")
        formula.replace_with(tex.get_text() if tex else formula.get_text())
    return str(soup)


def mend_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Load KaTeX's styles on the pages with mathematics alone, and keep markup out of the title."""
    if 'class="katex' in context.get("body", ""):
        for i, name in enumerate(STYLES):
            app.add_css_file(name, priority=400 + i)
    if 'class="katex' in context.get("title", ""):
        context["title"] = as_written(context["title"])


def choose(app: Sphinx, config: Config) -> None:
    config.html_math_renderer = "katex"


def register(app: Sphinx) -> None:
    app.add_html_math_renderer("katex", (visit_math, None), (visit_displaymath, None))
