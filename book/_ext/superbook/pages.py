"""Small repairs of what the theme and the extensions make of a page.

Solutions fold without JavaScript, nothing comes from elsewhere, no id stands twice, and every page has a description.
"""

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import solution_node

DESCRIPTIONS = {"search": "Search this book."}
DOUBLED_IDS = {"exercise-content", "solution-content", "proof-content"}
DESCRIPTION = re.compile(r'<meta name="description" content="[^"]*" />\n')
BOOK_NAME = re.compile(r'<meta property="og:site_name" content="[^"]*" />\n')
PAGE_ADDRESS = re.compile(r'<meta property="og:url" content="[^"]*" />\n')


class folded(nodes.General, nodes.Element):
    """A <details>, closed at first."""


class fold_title(nodes.General, nodes.TextElement):
    """Its <summary>."""


def visit_folded(self: HTML5Translator, node: folded) -> None:
    self.body.append(self.starttag(node, "details"))


def visit_fold_title(self: HTML5Translator, node: fold_title) -> None:
    self.body.append(self.starttag(node, "summary", ""))


def mend_doctree(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Fold solutions and hints of class `dropdown`, and drop the ids that two extensions give twice."""
    for section in doctree.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if name not in DOUBLED_IDS]
    for box in [*doctree.findall(solution_node), *doctree.findall(nodes.admonition)]:
        if "dropdown" in box["classes"]:
            title, *content = box.children
            name = fold_title("", title.astext(), classes=["admonition-title"])
            box["classes"].remove("dropdown")  # the rest of its classes and its ids go to <details>
            box.replace_self(folded("", name, *content, classes=["admonition"]))


def mend_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """One description on every page: the card's, where it has one. No name twice, no address while there is none."""
    context["css_files"] = [f for f in context["css_files"] if "thebe" not in str(f.filename)]
    tags = context.get("metatags", "")
    text = (context.get("meta") or {}).get("og:description") or DESCRIPTIONS.get(pagename if doctree is None else "")
    if text:
        tags = DESCRIPTION.sub("", tags) + f'<meta name="description" content="{html.escape(text)}" />\n'
    if pagename == app.config.root_doc:
        tags = BOOK_NAME.sub("", tags)  # it is the page's title already
    if not app.config.ogp_site_url:
        tags = PAGE_ADDRESS.sub("", tags)
    context["metatags"] = tags


def without_thebe(app: Sphinx) -> None:
    """Jupyter Book always loads sphinx-thebe, which adds a kernel service's address to every page."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def register(app: Sphinx) -> None:
    app.add_node(folded, html=(visit_folded, lambda self, node: self.body.append("</details>\n")))
    app.add_node(fold_title, html=(visit_fold_title, lambda self, node: self.body.append("</summary>\n")))
