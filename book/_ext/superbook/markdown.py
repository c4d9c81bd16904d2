"""Each page as plain Markdown beside its HTML, and `llms.txt`, which lists them: for language models, and for notes.

A page is made from its finished HTML, where all numbers and references stand as they are read. A formula is its TeX
again, a figure its picture with the alt text, a box a quotation. https://llmstxt.org says what `llms.txt` is.
"""

import html
import posixpath
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from markdownify import ATX, MarkdownConverter
from sphinx.application import Sphinx

from .address import Address, published
from .citing import chapter_number, citation
from .markup import end
from .places import kept, parts

FORMULA = re.compile(r'<span class="katex(-display)?( for-narrow)?[^"]*">')  # one that is set twice counts once
TEX = re.compile(r'<annotation encoding="application/x-tex">(.*?)</annotation>', re.DOTALL)
SPAN = re.compile(r"<(/?)span\b[^>]*>")
PRE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
INLINE, DISPLAYED = "\ue001", "\ue002"
MARK = re.compile(f"\ue000(\\d+)([{INLINE}{DISPLAYED}])")  # stands for a formula until the rest is Markdown
DROPPED = (
    "script, style, noscript, button, input, .headerlink, .explore-sliders, .explore-said, .cite-figure, .reading-time"
)
LANGUAGE = re.compile(r"highlight-(\w+)")
LANGUAGES = {"ipython3": "python", "default": "", "none": "", "myst-ansi": "text"}


def lightened(body: str) -> tuple[str, list[str]]:
    """A page without what KaTeX draws and without the colours of code, which are most of it: a mark for each formula.

    Beside it the formulas, as they were written.
    """
    formulas, made, at = [], [], 0
    for start in FORMULA.finditer(body):
        if start.start() < at:
            continue
        tex = TEX.search(body, start.end())
        assert tex
        made.append(body[at : start.start()])
        if not start[2]:
            made.append(f"\ue000{len(formulas)}{DISPLAYED if start[1] else INLINE}")
            formulas.append(" ".join(html.unescape(tex[1]).split()))
        at = end(body, start.start())
    light = "".join([*made, body[at:]])
    return PRE.sub(lambda code: SPAN.sub("", code[0]), light), formulas


def language(pre: Tag) -> str:
    """The language of a block of code, as it is named after its fence."""
    around = pre.find_parent(class_=LANGUAGE)
    found = LANGUAGE.search(" ".join(around.get_attribute_list("class"))) if around else None
    return LANGUAGES.get(found[1], found[1]) if found else ""


OPTIONS = {
    "heading_style": ATX,
    "bullets": "-",
    "escape_asterisks": False,
    "escape_underscores": False,
    "sub_symbol": "<sub>",
    "sup_symbol": "<sup>",
    "code_language_callback": language,
}


class Converter(MarkdownConverter):
    """HTML of this book to Markdown: what the library has no rule for."""

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        signature = f"`{' '.join(el.get_text().split())}`"
        return f"\n\n{signature if 'sig' in el.get_attribute_list('class') else ' '.join(text.split())}\n"

    def convert_figcaption(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return f"\n\n{' '.join(text.split())}\n\n"

    def convert_summary(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return f"\n\n**{' '.join(text.split())}**\n\n"

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        classes = el.get_attribute_list("class")
        if "math" in classes and (number := el.select_one(".eqno")):
            formula = text.replace(number.get_text(), "").strip()
            return f"\n\n$$\n{formula} \\tag{{{number.get_text().strip('()')}}}\n$$\n\n"
        if "math" in classes:
            return f"\n\n$$\n{text.strip()}\n$$\n\n"
        if "admonition" in classes or "claim" in classes:
            return self.convert_blockquote(el, text, parent_tags)  # pyright: ignore[reportAttributeAccessIssue]
        return f"\n\n{text.strip()}\n\n" if text.strip() else ""


def markdown(body: str, page: str, pages: Collection[str]) -> str:
    """The body of a page as Markdown; links to other pages of the book lead to theirs, those into a page stay."""
    body, formulas = lightened(body)
    soup = BeautifulSoup(body, "html.parser")
    for dropped in soup.select(DROPPED):
        dropped.decompose()
    for figure in soup.select("figure"):
        for other in figure.select("img")[1:]:  # the same picture, for other windows
            other.decompose()
    for title in soup.select(".admonition > .admonition-title"):
        title.name = "summary"
    for told in soup.select(".claim > dl"):
        pairs = zip(told.select("dt"), told.select("dd"), strict=True)
        told.name, told.string = "p", "; ".join(f"{name.get_text()}: {value.get_text()}" for name, value in pairs) + "."
    for link in soup.select("a[href]"):
        link.attrs.pop("title", None)
        link["href"] = _linked(str(link["href"]), page, pages)
    text = Converter(**OPTIONS).convert_soup(soup)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.splitlines()))
    return "\n".join(_with_formulas(line, formulas) for line in text.strip().splitlines()) + "\n"


def _linked(to: str, page: str, pages: Collection[str]) -> str:
    if to.startswith("#"):
        return f"{posixpath.basename(page)}.html{to}"
    name = to.removesuffix(".html")
    other = posixpath.normpath(posixpath.join(posixpath.dirname(page), name))
    return f"{name}.md" if name != to and other in pages else to


def _with_formulas(line: str, formulas: list[str]) -> str:
    """A line with its formulas; in a table a bar would end the column."""

    def formula(mark: re.Match[str]) -> str:
        tex = formulas[int(mark[1])]
        if line.startswith("|"):
            tex = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return tex if mark[2] == DISPLAYED else f"${tex}$"

    return MARK.sub(formula, line)


def add_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the page as Markdown, and say in the page where it is."""
    if doctree is None:
        return
    path = Path(app.outdir, f"{pagename}.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    body, pages = context["body"], app.env.all_docs
    source = "\0".join([pagename, *sorted(pages), body])
    path.write_bytes(kept(source, ".md", lambda: markdown(body, pagename, pages).encode()))
    link = f'<link rel="alternate" type="text/markdown" href="{path.name}" title="This page as Markdown" />\n'
    context["metatags"] = context.get("metatags", "") + link


def listed(book: str, said: dict[str, str], names: dict[str, str], where: Address) -> str:
    """`llms.txt`: what the book is, and its pages part by part, each with what it is about.

    Args:
        book: its title.
        said: what each page is about.
        names: the title of each page, with its number.
    """
    cff, front = citation(), next(iter(names))
    lines = [
        f"# {book}\n\n> {said[front]}\n",
        f"Version {cff['version']}, {cff['date-released']}. Text under CC BY 4.0, code under MIT. Each page is there "
        f"as HTML, too, under the same name. Every number in it was computed while the book was built, and every "
        f"claim was checked; formulas are TeX. The front page is [{front}.md]({where.of(f'{front}.md')}).",
    ]
    for caption, pages in parts():
        lines.append(f"\n## {caption}\n")
        lines += [f"- [{names[page]}]({where.of(f'{page}.md')}): {said[page]}" for page in pages]
    return "\n".join(lines) + "\n"


def write_list(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        return
    pages = [app.config.root_doc, *(page for _, pages in parts() for page in pages)]
    said = {page: app.env.metadata[page].get("og:description", "") for page in pages}
    numbers = {page: chapter_number(app, page) for page in pages}
    names = {page: f"{numbers[page]}. {app.env.titles[page].astext()}".removeprefix(". ") for page in pages}
    text = listed(app.config.html_title or app.config.project, said, names, published())
    Path(app.outdir, "llms.txt").write_text(text, encoding="utf8")
