"""Below each key figure, and each with sliders, a control *Cite / embed*, and for each a page of its own for a frame.

The control is a <details>: it opens without JavaScript, `copy.js` adds buttons to what is to be copied. A page to embed
is made from the figure on the finished page, so that one with a slider is taken along with its script.
"""

import copy
import html
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bs4 import Tag
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from . import framing, latex
from .address import Address, published
from .citing import UNKNOWN, chapter_number, citation, part_entry
from .pictures import KeyFigure, citable, figures_of, write_picture
from .places import reading_order
from .plaintext import text_of

LABELS = {"svg": "SVG", "png": "PNG", "csv": "numbers as CSV", "json": "numbers as JSON"}
NUMBER = re.compile(r"^Fig\.\s*([\d.]+)\s+(.*)$")
PART = re.compile(r"^(?:Left|Right|Above|Below): ")  # a caption that begins with a part of the picture
END = re.compile(r"(?<=[.!?]) (?=[A-Z])|(?<!\\)[:;] ")
# In the page, not in its style sheet: until that is there a browser takes both pictures for visible, and loads both.
SCHEMES = """<style>
.scheme-light { display: block; }
.scheme-dark, :root[data-theme="dark"] .scheme-light { display: none; }
:root[data-theme="dark"] .scheme-dark { display: block; }
@media screen and (prefers-color-scheme: dark) {
  :root:not([data-theme]) .scheme-light { display: none; }
  :root:not([data-theme]) .scheme-dark { display: block; }
}
@media print {
  :root .scheme-light { display: block !important; }
  :root .scheme-dark { display: none !important; }
}
</style>
"""
LINKS = ("src", "srcset", "href", "data-folder")


def numbered(caption: str) -> tuple[str, str]:
    """A figure's number and, without it, how its caption begins; in plain text or in LaTeX."""
    found = NUMBER.match(caption)
    number, rest = (found[1], found[2]) if found else ("", caption)
    first = END.split(PART.sub("", rest), maxsplit=1)[0].rstrip(".:")
    return number, first[:1].upper() + first[1:]


def number_and_title(figure: KeyFigure, say: Callable[[Tag], str] = text_of) -> tuple[str, str]:
    """The figure's number, and its finding or, where each frame has its own, how its caption begins; `say` reads it."""
    caption = figure.tag.find("figcaption")
    number, first = numbered(say(caption) if isinstance(caption, Tag) else figure.alt)
    finding = (figure.record or {}).get("finding", "").rstrip(".")
    return number, (finding if say is text_of else latex.escaped(finding)) or first


def iframe(figure: KeyFigure, where: Address) -> str:
    """The line to copy into another page."""
    number, title = number_and_title(figure)
    name = html.escape(f"Figure {number}: {title}" if number else title)
    return framing.framed(f'src="{where.of(f"embed/{figure.name}.html")}" title="{name}"', figure.tag)


def copied(text: str, label: str, embed: str = "") -> str:
    """A text that is meant to be copied; `embed` is the page whose address `copy.js` completes in it."""
    more = f' data-embed="{embed}"' if embed else ""
    return f'<pre class="copied" tabindex="0" role="group" aria-label="{label}"{more}>{html.escape(text)}</pre>'


def control(figure: KeyFigure, bibtex: str, frame: str, up: str, where: Address) -> str:
    """The control below a figure; `up` leads from its page to the root of the site."""
    links = ", ".join(f'<a href="{up}figures/{figure.name}.{kind}">{LABELS[kind]}</a>' for kind in figure.kinds)
    page = f"{up}embed/{figure.name}.html"
    asked = '<span class="embed-hint"> (put the address of this site before <code>embed/</code>)</span>'
    hint = "" if where.site else asked
    address = where.of(f"{figure.page}.html#{figure.name}") if where.site else f"#{figure.name}"
    named = f'<span class="visually-hidden"> figure {number_and_title(figure)[0]}</span>'
    return (
        f'<details class="cite-figure"><summary>Cite / embed{named}</summary>\n'
        f'<p>Address of this figure: <a href="{address}">{html.escape(f"{figure.page}.html#{figure.name}")}</a>. '
        f"Files: {links}.</p>\n"
        f"<p>BibTeX:</p>\n{copied(bibtex, 'BibTeX entry')}\n"
        f'<p>To embed <a href="{page}">the figure alone</a> in a page{hint}:</p>\n'
        f"{copied(frame, 'HTML of the frame', page)}\n"
        f"<p>It is light or dark as its page is; <code>?theme=light</code> or <code>?theme=dark</code> behind "
        f"<code>.html</code> decides it.</p>\n</details>\n"
    )


def after_figure(body: str, name: str, added: str) -> str:
    """The page with something put behind the figure of this name; figures are not nested."""
    start = re.search(rf'<figure\b[^>]*\bid="{re.escape(name)}"', body)
    assert start
    end = body.index("</figure>", start.end()) + len("</figure>")
    return f"{body[:end]}\n{added}{body[end:]}"


def add_controls(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Controls below a page's key figures and those with sliders."""
    if doctree is None:
        return
    where, cff, up = published(), citation(), "../" * pagename.count("/")
    figures = context["citable"] = figures_of(app, pagename, context["body"])
    for figure in figures:
        number, title = number_and_title(figure, latex.of)
        path, named = f"{pagename}.html#{figure.name}", f"Figure {number}: {title}"
        bibtex = part_entry(cff, where, path, figure.name, named, chapter_number(app, pagename))
        added = control(figure, bibtex, iframe(figure, where), up, where)
        context["body"] = after_figure(context["body"], figure.name, added)
    if figures or UNKNOWN in context["body"]:
        app.add_js_file("copy.js", loading_method="defer")


def rebased(value: str, page: Path, at: Path) -> str:
    """A link of `page` as it must stand in `at`; what is no file of the site stays."""
    file, mark, rest = value.partition("#")
    file, query, asked = file.partition("?")
    target = page.parent / file if file else page
    if re.match(r"[a-z][a-z0-9+.-]*:|//", value) or not value or not target.exists():
        return value
    return os.path.relpath(target, at.parent).replace(os.sep, "/") + query + asked + mark + rest


def alone(figure: KeyFigure, page: Path, at: Path) -> Tag:
    """The figure as the page to embed has it: formulas that need no script, links that lead out of the frame."""
    tag = copy.copy(figure.tag)
    for mark in tag.select(".headerlink"):
        mark.decompose()
    for formula in tag.select(".katex"):
        mathml = formula.select_one("math")
        assert mathml
        for annotation in mathml.select("annotation"):
            annotation.decompose()
        formula.replace_with(mathml.extract())
    for element in tag.find_all(True):
        for name, value in list(element.attrs.items()):
            if isinstance(value, str) and name in LINKS:
                element[name] = rebased(value, page, at)
        if element.name == "a":
            element["target"] = "_top"
    for source in tag.select("source[media]"):
        source["media"] = f"(max-width: {framing.PHONE}px)"  # of the frame
    return tag


def embed_page(figure: KeyFigure, site: Path, where: Address, heading: str, book: str) -> str:
    """A page that holds the figure alone, for a frame of any width on any site."""
    page, at = site / f"{figure.page}.html", site / f"embed/{figure.name}.html"
    tag, back = alone(figure, page, at), f"{figure.page}.html#{figure.name}"
    link = where.of(back) if where.site else f"../{back}"
    head = '<link rel="icon" href="../_static/logo.svg">\n<link rel="stylesheet" href="../_static/embed.css">\n'
    head = SCHEMES + head + '<script src="../_static/embed.js"></script>\n'
    if tag.select_one(".explore"):
        head += '<link rel="stylesheet" href="../_static/explore.css">\n'
        head += '<script defer src="../_static/explore.js"></script>\n'
    if where.site:
        head += f'<link rel="canonical" href="{html.escape(where.of(f"{figure.page}.html"))}">\n'
    number, title = number_and_title(figure)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="robots" content="noindex">\n'
        f"<title>{html.escape(f'Figure {number}: {title}')}</title>\n{head}</head>\n<body>\n<main>\n{tag}\n"
        f'<p class="origin">From <a href="{html.escape(link)}" target="_top">{html.escape(heading)}</a>, '
        f"{html.escape(book)}</p>\n</main>\n</body>\n</html>\n"
    )


def write_figures(app: Sphinx, exception: Exception | None) -> None:
    """The files and the page of every figure that can be cited, once the pages are finished."""
    if exception is not None:
        return
    site, where = Path(app.outdir), published()
    (site / "embed").mkdir(exist_ok=True)
    for page in reading_order(app.env):
        figures = figures_of(app, page, (site / f"{page}.html").read_text(encoding="utf8"))
        for figure in figures:
            write_picture(site, figure)
            heading, book = app.env.titles[page].astext(), app.config.html_title or app.config.project
            heading = heading if page != app.config.root_doc else "the front page"
            (site / f"embed/{figure.name}.html").write_text(
                embed_page(figure, site, where, heading, book), encoding="utf8"
            )


class key_figure_list(nodes.General, nodes.Element):
    """Stands for the list of figures that can be cited until their numbers are known."""


class KeyFigures(SphinxDirective):
    """`key-figures`: every figure that can be cited, with its address and that of its page to embed."""

    def run(self) -> list[nodes.Node]:
        return [key_figure_list()]


def fill_list(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(key_figure_list)):
        items = nodes.bullet_list()
        for page in reading_order(app.env):
            numbers = app.env.toc_fignumbers.get(page, {}).get("figure", {})
            for number, name in sorted((numbers.get(name, ()), name) for name in citable(app, page)):
                text = f"Figure {'.'.join(map(str, number))}".strip()
                there = nodes.reference(
                    "", text, refuri=f"{app.builder.get_relative_uri(docname, page)}#{name}", internal=True
                )
                alone = nodes.reference(
                    "", "alone", refuri=f"{'../' * docname.count('/')}embed/{name}.html", internal=True
                )
                said = [there, nodes.Text(f" of {app.env.titles[page].astext()}, "), alone]
                items += nodes.list_item("", nodes.paragraph("", "", *said))
        node.replace_self(items)


def register(app: Sphinx) -> None:
    app.add_css_file("cite.css")
    app.add_node(key_figure_list)
    app.add_directive("key-figures", KeyFigures)
