r"""Notes on the terms of key equations: what a symbol is, in words, with its size in this chapter.

`book/terms.yml` has the words, one entry a symbol, and for each equation its terms with the sentence that gives their
size. A number of this sentence is a value that the chapter glues (`{name}`), never typed. In the formula each term is
marked, so that assets/terms.js finds it; the notes are a folded list below, which is all that a page without
JavaScript has.
"""

import ast
import functools
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from docutils import nodes
from myst_nb.ext.glue.crossref import read_glue_cache
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

from . import mathematics
from .places import ROOT

SOURCE = ROOT / "book/terms.yml"
# A comment is one token: mathematics.py has in it where a line breaks on a narrow page, and no term goes over that.
TOKEN = re.compile(r"%[^\n]*\n?|\\[A-Za-z]+|\\.|\s+|[^\\\s]", re.DOTALL)
WORDS = {r"\text", r"\begin", r"\end", r"\mathbb", r"\operatorname"}  # what they are given in braces is no mathematics
PART_OF = {
    r"\hat",
    r"\bar",
    r"\mathbb",
    r"\mathcal",
    r"\delta",
    r"\Delta",
    "^",
    "_",
}  # the next token is part of theirs
GIVEN = {r"\frac": 2, r"\tfrac": 2, r"\dfrac": 2, r"\sqrt": 1}  # how many single tokens they take without braces
MARK = re.compile(r"\\htmlData\{term=\d+\}\{")
ANNOTATION = re.compile(r'(<annotation encoding="application/x-tex">)([^<]*\\htmlData[^<]*)(</annotation>)')
PIECE = re.compile(r"\$([^$]+)\$([,;:]?)|\{([\w-]+)\}( ×)?")  # a formula with its comma, a number


@dataclass(frozen=True)
class Note:
    """What is said of one term of an equation.

    Attributes:
        symbol: its TeX, as the notation page writes it.
        words: what it is; the same in all equations.
        here: its size in this one.
        written: its TeX as it stands in the equation, in all ways in which it does.
    """

    symbol: str
    words: str
    here: str
    written: tuple[str, ...]


def _note(symbol: Mapping[str, str], given: str | Mapping[str, Any]) -> Note:
    here = given if isinstance(given, str) else given["here"]
    written = [] if isinstance(given, str) else given.get("as", [])
    ways = tuple([written] if isinstance(written, str) else written) or (symbol["tex"],)
    return Note(symbol["tex"], symbol["words"], here, ways)


def parse(text: str) -> dict[str, tuple[Note, ...]]:
    """The notes of each equation, by its label; a term of which nothing is said is an error."""
    said = yaml.safe_load(text)
    symbols, found = said["symbols"], {}
    for label, terms in said["equations"].items():
        if unknown := [name for name in terms if name not in symbols]:
            raise ExtensionError(f"book/terms.yml: {label} has {unknown[0]!r}, which is not among its symbols")
        found[label] = tuple(_note(symbols[name], given) for name, given in terms.items())
    if unused := set(symbols) - {name for terms in said["equations"].values() for name in terms}:
        raise ExtensionError(f"book/terms.yml: no equation has the symbols {', '.join(sorted(unused))}")
    return found


@functools.cache
def notes() -> dict[str, tuple[Note, ...]]:
    return parse(SOURCE.read_text(encoding="utf8")) if SOURCE.exists() else {}


# --- Terms within TeX -------------------------------------------------------------------------------------------------

Token = tuple[str, int, int]  # as written, from, to


def _tokens(tex: str) -> list[Token]:
    return [(m[0], m.start(), m.end()) for m in TOKEN.finditer(tex) if not m[0].isspace()]


def _in_words(tokens: Sequence[Token]) -> set[int]:
    """The tokens that stand in a text or name an environment."""
    inside, opened = set(), 0
    for i, (token, *_) in enumerate(tokens):
        if opened:
            inside.add(i)
            opened += {"{": 1, "}": -1}.get(token, 0)
        elif token == "{" and i and tokens[i - 1][0] in WORDS:
            opened = 1
    return inside


def _is_given(tokens: Sequence[Token], at: int) -> bool:
    r"""Whether the token is one that `\frac` and the like take without braces: a mark there needs braces around it."""
    before = [token for token, *_ in tokens[max(0, at - 2) : at]]
    near = bool(before) and before[-1] in GIVEN
    return near or (len(before) == 2 and GIVEN.get(before[0]) == 2 and before[1] != "{")


def _places(tokens: Sequence[Token], term: str, taken: set[int]) -> Iterator[range]:
    """Where the term stands as a symbol of its own, and not in words or in a term that has its mark already."""
    words, wanted = _in_words(tokens), [token for token, *_ in _tokens(term)]
    texts = [token for token, *_ in tokens]
    for i in range(len(texts) - len(wanted) + 1):
        place = range(i, i + len(wanted))
        after = texts[place.stop] if place.stop < len(texts) else ""
        whole = after not in {"^", "_", "'"} and (i == 0 or texts[i - 1] not in PART_OF)
        if texts[i : place.stop] == wanted and whole and not taken & set(place) and not words >= set(place):
            yield place


def marked(tex: str, given: Sequence[Note], where: str = "the equation") -> str:
    r"""The formula with a mark around every term, `\htmlData{term=…}{…}`; a term that does not stand in it is an error.

    A token with an index, a power or a hat of its own is another term than the one without.
    """
    tokens = _tokens(tex)
    taken, marks = set(), []
    ways = [(way, k) for k, note in enumerate(given) for way in note.written]
    for way, k in sorted(ways, key=lambda pair: -len(_tokens(pair[0]))):  # a term may stand within a longer one
        places = list(_places(tokens, way, taken))
        if not places:
            raise ExtensionError(f"book/terms.yml: {where} has no term {way!r} in {' '.join(tex.split())!r}")
        for place in places:
            taken.update(place)
            marks.append((tokens[place.start][1], tokens[place.stop - 1][2], k, _is_given(tokens, place.start)))
    for start, stop, k, braces in sorted(marks, reverse=True):
        made = rf"\htmlData{{term={k}}}{{{tex[start:stop]}}}"
        tex = tex[:start] + (f"{{{made}}}" if braces else made) + tex[stop:]
    return tex


def unmarked(tex: str) -> str:
    """The formula without its marks, for those who copy it."""
    while found := MARK.search(tex):
        depth, end = 1, found.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(tex[end], 0) * (tex[end - 1] != "\\")
            end += 1
        tex = tex[: found.start()] + tex[found.end() : end - 1] + tex[end:]
    return tex


# --- The notes in the page --------------------------------------------------------------------------------------------


class Notes(nodes.General, nodes.Element):
    """The folded list below an equation: `of`, the equation's id; `notes`, pairs of what it is and where."""


def values(app: Sphinx, page: str) -> dict[str, str]:
    """What the chapter glued, by name."""
    glued = read_glue_cache(app.env.mystnb_config.output_folder, page)  # type: ignore[attr-defined]
    return {name: str(ast.literal_eval(output["data"]["text/plain"])) for name, output in glued.items()}


def sentence(text: str, glued: Mapping[str, str], where: str) -> str:
    """The text as HTML, with formulas set, and numbers in the place of their names."""

    def piece(found: re.Match[str]) -> str:
        if found[1]:
            formula = mathematics.attempt(html.unescape(found[1]), False, where)
            return f'<span class="held"><span class="{mathematics.CLASSES}">{formula}</span>{found[2]}</span>'
        if found[3] not in glued:
            raise ExtensionError(f"book/terms.yml: {where} glues no value {found[3]!r}")
        times = "\N{NO-BREAK SPACE}×" if found[4] else ""
        return f'<span class="pasted-text">{html.escape(glued[found[3]])}</span>{times}'

    return PIECE.sub(piece, html.escape(text, quote=False))


def item(note: Note, glued: Mapping[str, str], where: str) -> str:
    """The whole note: the symbol, what it is, and its size here."""
    return sentence(f"${note.symbol}$, {note.words}; here {note.here}.", glued, where)


def put_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mark the terms of the page's key equations, and put the list of notes below each."""
    for equation in list(doctree.findall(nodes.math_block)):
        given = notes().get(equation.get("label") or "")
        if given:
            where = f"{docname}, {equation['label']}"
            equation["marked"] = marked(equation.astext(), given, where)
            glued = values(app, docname)
            said = [item(note, glued, where) for note in given]
            place = equation.parent.index(equation) + 1
            equation.parent.insert(place, Notes(of=equation["ids"][0], notes=said))


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Refuse notes on an equation that the book does not have."""
    if missing := set(notes()) - set(env.get_domain("math").data["objects"]):
        raise ExtensionError(f"book/terms.yml: no page has an equation {', '.join(sorted(missing))}")


def visit(self: HTML5Translator, node: Notes) -> None:
    items = "".join(f"<li>{said}</li>" for said in node["notes"])
    self.body.append(
        f'<details class="terms" data-of="{node["of"]}"><summary>Terms of this equation</summary>'
        f"<ul>{items}</ul></details>\n"
    )
    raise nodes.SkipNode


def mend_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Whoever copies the TeX gets it without marks; script and styles are for the pages with notes alone."""
    body = context.get("body", "")
    if '<details class="terms"' in body:
        context["body"] = ANNOTATION.sub(lambda found: found[1] + unmarked(found[2]) + found[3], body)
        app.add_css_file("terms.css", priority=820)  # after reading.css
        app.add_js_file("terms.js", loading_method="defer", priority=820)  # after previews.js, whose box it shares


def register(app: Sphinx) -> None:
    app.add_node(Notes, html=(visit, None))
