"""Light and dark from the first moment, with and without JavaScript.

The theme's scripts write `data-theme` on <html>, and its style sheets ask for nothing else. So book/assets/scheme.js
writes it before anything is painted; and for a page without JavaScript all rules that ask for it are gathered in a
style sheet that asks the system instead. That sheet also has book/assets/without-scripts.css: it hides controls that
would be dead, and shows what they would have opened.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tinycss2
from sphinx.application import Sphinx
from tinycss2.ast import AtRule, Node, QualifiedRule

from .places import pages

WITHOUT = "without-scripts.css"
UNKNOWN = "auto"  # what `data-theme` says until a script has written it
ASKED = {  # by a rule for a scheme -> by the same rule in the sheet for pages without scripts
    "light": "@media print, (prefers-color-scheme: light)",
    "dark": "@media screen and (prefers-color-scheme: dark)",
}
INLINE = re.compile(r'<script data-cfasync="false">.*?</script>', re.DOTALL)
HIDING = re.compile(r"<!--\s*this give us a css class.*?</noscript>", re.DOTALL)
ROOT = re.compile(r'<html[^>]* data-content_root="([^"]*)"')
SHEET = re.compile(r'<link\b[^>]*href="([^"?]*_static/[^"?]*\.css)')


def theme(scheme: str) -> re.Pattern[str]:
    """How a selector asks for a scheme."""
    return re.compile(rf"""\[data-theme=(["']?){scheme}\1\]""")


def selectors(prelude: Sequence[Node]) -> list[str]:
    """The selectors of a list, each as text."""
    found: list[list[Node]] = [[]]
    for part in prelude:
        if part == ",":
            found.append([])
        else:
            found[-1].append(part)
    return [tinycss2.serialize(one).strip() for one in found]


def rules(sheet: Iterable[Node], scheme: str) -> Iterator[str]:
    """The rules that ask for a scheme, asking for none: those selectors alone that do, in the order of the sheet."""
    asks = theme(scheme)
    for rule in sheet:
        if isinstance(rule, QualifiedRule):
            mine = [asks.sub(f"[data-theme={UNKNOWN}]", one) for one in selectors(rule.prelude) if asks.search(one)]
            if mine:
                yield f"{','.join(mine)}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif isinstance(rule, AtRule) and rule.content and rule.lower_at_keyword in ("media", "supports"):
            inner = "".join(rules(parsed(rule.content), scheme))
            if inner:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}"


def parsed(css: str | Iterable[Node]) -> Sequence[Node]:
    """The rules of a sheet, or of what stands in braces."""
    return tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)


def without_scripts(sheets: Iterable[str]) -> str:
    """What style sheets say of light and dark, for a page on which nothing writes `data-theme`."""
    read = [parsed(sheet) for sheet in sheets if "data-theme" in sheet]
    said = {scheme: "\n".join(one for sheet in read for one in rules(sheet, scheme)) for scheme in ASKED}
    return "".join(f"{asked} {{\n{said[scheme]}\n}}\n" for scheme, asked in ASKED.items())


def merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """All that stands in some lists, each thing behind the one that it follows first."""
    found: list[str] = []
    for names in lists:
        place = 0
        for name in names:
            if name not in found:
                found.insert(place, name)
            place = found.index(name) + 1
    return found


KATEX = re.compile(r'<link[^>]* href="([^"]*)katex\.min\.css')


def lighten(page: str) -> str:
    """The page with the script that settles its scheme, and the sheet for readers without scripts."""
    root = ROOT.search(page)
    if root is None:  # a page without the theme
        return page
    formulas = KATEX.search(page)
    fonts = f' data-fonts="{formulas[1]}fonts/"' if formulas else ""
    page = INLINE.sub(f'<script src="{root[1]}_static/scheme.js"{fonts}></script>', page)
    page = HIDING.sub("", page)
    sheet = f'<noscript><link rel="stylesheet" href="{root[1]}_static/{WITHOUT}"></noscript>'
    return page.replace("</head>", f"{sheet}\n  </head>", 1)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write the sheet, and let every page of the theme load it and the script."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    read = {path: path.read_text(encoding="utf8") for path in pages(site)}
    linked = merged([name.partition("_static/")[2] for name in SHEET.findall(page)] for page in read.values())
    own = site / "_static" / WITHOUT
    sheets = [(site / "_static" / name).read_text(encoding="utf8") for name in linked]
    own.write_text(without_scripts(sheets) + own.read_text(encoding="utf8"), encoding="utf8")
    for path, page in read.items():
        path.write_text(lighten(page), encoding="utf8")
