"""A page loads what it uses: styles and scripts that it has no use for are left out, and the site holds no dead files.

The theme loads everything everywhere, among it half a megabyte of icons; those in use are drawn in
book/assets/icons.css.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from .places import pages

VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>\s*')
LEFT = re.compile(r'\s*<meta name="docsearch:[^>]*>|\s*<footer class="bd-footer">\s*</footer>')  # of other services
TWICE = re.compile(r"(<title>)(.*) &#8212; \2(</title>)")  # the front page is named as the book is
NEVER = re.compile(r"(?!)")
# What an asset's name, or an inline script, begins with or contains -> what a page that needs it contains.
NEEDED_BY = {
    "DOCUMENTATION_OPTIONS.": NEVER,  # told to a version switcher and a search while typing, and the book has neither
    "doctools": NEVER,  # helps Sphinx's search and its highlighting, in place of which stands searching.py
    "sphinx_highlight": NEVER,
    "copybutton": re.compile(r'class="highlight"'),
    "clipboard": re.compile(r'class="highlight"'),
    "toggle": re.compile(r'class="[^"]*\b(?:toggle|dropdown)\b'),
    "sphinx-design": re.compile(r'class="[^"]*\bsd-'),
    "design-tabs": re.compile(r'class="[^"]*\bsd-tab'),
    "proof.css": re.compile(r'class="[^"]*\bproof\b'),
    "exercise.css": re.compile(r'class="[^"]*\b(?:exercise|solution)\b'),
    "reference.css": re.compile(r'<dl class="py '),
    "mystnb": re.compile(r'class="[^"]*\bcell\b'),
}
SEARCH = re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
ICONS = re.compile(r"\s*(?:<!-- So that users can add custom icons -->\s*)?<script[^>]*/fontawesome\.js[^>]*></script>")
SCRIPT = re.compile(r'<script(?= src="(?![^"]*/(?:embed|scheme)\.js))')  # they decide which picture is loaded
ON_CLICK = {'onclick="window.print()"': 'data-click="print"', 'onclick="toggleFullScreen()"': 'data-click="fullscreen"'}
ICON_FONT = re.compile(r"@font-face\{[^{}]*Font Awesome[^{}]*\}")
ICON_NAME = re.compile(r'(--[\w-]+:)"[\ue000-\uf8ff]"')  # as a variable, for a sign before a link
ICON_RULE = re.compile(r'(?<=[}{])\.fa-[\w-]+:before(?:,\.fa-[\w-]+:before)*\{content:"[^"]*"\}')
DEAD = (
    "**/*.map",
    "**/*webpack-macros.html",
    "katex/katex.min.js",  # it ran while the book was built
    "doctools.js",
    "language_data.js",
    "searchtools.js",
    "sphinx_highlight.js",
    "locales",
    "images/logo_*",
    "scripts/fontawesome.js*",
    "vendor/fontawesome",
)


def needed(asset: str, body: str) -> bool:
    """Whether a page with this body has a use for the asset: a file's name, or an inline script."""
    return all(use.search(body) for part, use in NEEDED_BY.items() if part in asset)


def what(asset: Any) -> str:
    """The name of a style sheet or script, or the text of an inline one."""
    return str(asset.filename or getattr(asset, "attributes", {}).get("body", ""))


def drop_assets(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Leave out the styles and scripts that this page has no use for."""
    body = context.get("body", "")
    for kind in ("css_files", "script_files"):
        context[kind] = [asset for asset in context[kind] if needed(what(asset), body)]


def lighten(page: str) -> str:
    """A page without the theme's icons and without Sphinx's search.

    Nothing that is drawn waits for its scripts: one after another they would keep the page white for a second on a slow
    network.
    """
    page = TWICE.sub(r"\1\2\3", LEFT.sub("", ICONS.sub("", page)))
    head, viewport, rest = page.partition('<meta name="viewport"')
    page = head + viewport + VIEWPORT.sub("", rest)
    for handler, name in ON_CLICK.items():  # a strict policy allows no handler in an attribute: see page.js
        page = page.replace(handler, name)
    return SCRIPT.sub("<script defer", SEARCH.sub("", page))


def without_icons(styles: str) -> str:
    """The theme's styles without the icon font, its two thousand names, and signs that no other font has."""
    return ICON_NAME.sub(r'\1""', ICON_RULE.sub("", ICON_FONT.sub("", styles)))


def finish(app: Sphinx, error: Exception | None) -> None:
    """Lighten every page that was written, and delete the files that no page loads."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    for path in pages(site):
        path.write_text(lighten(path.read_text(encoding="utf8")), encoding="utf8")
    styles = site / "_static/styles/pydata-sphinx-theme.css"
    styles.write_text(without_icons(styles.read_text(encoding="utf8")), encoding="utf8")
    for path in [path for pattern in DEAD for path in sorted((site / "_static").glob(pattern))]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def register(app: Sphinx) -> None:
    app.add_css_file("icons.css", priority=600)
    app.add_js_file("page.js", loading_method="defer")
