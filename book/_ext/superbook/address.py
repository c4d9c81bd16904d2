"""Where the book is published, and what of a page depends on it; all of it is left out while the address is unknown.

With an address of the site: canonical links, `og:url` and `sitemap.xml`. With an address of the repository: links to
each page's source and to the forms that change it or report an error, and buttons that open its notebook on Binder and
on Colab.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from .places import ROOT

GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")


@dataclass(frozen=True)
class Address:
    """The addresses of `book/site.yml`, in a standard form; what is unknown is empty.

    Attributes:
        site: ends with a slash.
        repository: does not.
        branch: of the repository, that holds the sources.
        notebooks: branch and folder of the repository that hold the executed notebooks.
    """

    site: str = ""
    repository: str = ""
    branch: str = "main"
    notebooks: str = "gh-pages/_sources"

    def of(self, path: str) -> str:
        """The full address of a file of the site, or its path from the site's root."""
        return self.site + path

    def source(self, page: str) -> str:
        """Where the page's source can be read; empty if there is no repository."""
        if not GITHUB.fullmatch(self.repository):
            return self.repository
        return f"{self.repository}/blob/{self.branch}/{page}.md?plain=1"

    def edit(self, page: str) -> str:
        """Where the page's source can be changed; empty if there is no repository that has a form for it."""
        found = GITHUB.fullmatch(self.repository)
        return f"{self.repository}/edit/{self.branch}/{page}.md" if found else ""

    def report(self, path: str) -> str:
        """The repository's form for errors of the book (.github/ISSUE_TEMPLATE/book.yml), with the page filled in."""
        if not GITHUB.fullmatch(self.repository):
            return ""
        return f"{self.repository}/issues/new?template=book.yml&address={quote(self.of(path), safe='')}"

    def launches(self, page: str) -> dict[str, str]:
        """Services that run the page's notebook. Both need GitHub; Colab opens `.ipynb` only."""
        found = GITHUB.fullmatch(self.repository)
        if not found:
            return {}
        branch, _, folder = self.notebooks.partition("/")
        opened = quote(f"lab/tree/{page}.md?factory={quote('Jupytext Notebook')}", safe="")
        return {
            "Binder": f"https://mybinder.org/v2/gh/{found[1]}/{self.branch}?urlpath={opened}",
            "Colab": f"https://colab.research.google.com/github/{found[1]}/blob/{branch}/{folder}/{page}.ipynb",
        }


def address(given: Mapping[str, str], environment: Mapping[str, str]) -> Address:
    """The addresses as the file gives them, or the environment; one that cannot be one is refused."""
    site = environment.get("SITE_URL", given.get("site_url") or "").strip()
    repository = environment.get("REPOSITORY", given.get("repository") or "").strip()
    for name, value in (("site_url", site), ("repository", repository)):
        if value and not re.fullmatch(r"https?://[^\s/]+\S*", value):
            raise ExtensionError(f"{name} is {value!r}; it must begin with https:// (or be empty)")
    repository = repository.rstrip("/").removesuffix(".git")
    rest = {name: given[name] for name in ("branch", "notebooks") if given.get(name)}
    return Address(f"{site.rstrip('/')}/" if site else "", repository, **rest)


def published() -> Address:
    """The addresses of this book."""
    return address(yaml.safe_load((ROOT / "book/site.yml").read_text(encoding="utf8")), os.environ)


def settle(app: Sphinx, config: Config) -> None:
    """Tell Sphinx and the cards the address; canonical links and `og:url` follow from it."""
    config.html_baseurl = config.ogp_site_url = published().site


def header_buttons(where: Address, page: str, *, runs: bool) -> list[dict[str, Any]]:
    """The theme's descriptions of the buttons in a page's header; `runs` if the page is a notebook."""
    buttons: list[dict[str, Any]] = []
    launches = where.launches(page) if runs else {}
    if launches:
        links = [
            {"type": "link", "text": name, "url": url, "tooltip": f"Run this page on {name}"}
            for name, url in launches.items()
        ]
        group = {"type": "group", "icon": "fas fa-play", "tooltip": "Run this page", "label": "launch-buttons"}
        buttons.append(group | {"buttons": links})
    if where.repository:
        link = {"type": "link", "url": where.source(page), "icon": "fas fa-code", "label": "source-file-button"}
        buttons.append(link | {"tooltip": "Source of this page"})
    return buttons


def add_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None:
        runs = "kernelspec" in app.env.metadata[pagename]
        context["header_buttons"] = [*header_buttons(published(), pagename, runs=runs), *context["header_buttons"]]


def sitemap(where: Address, pages: Iterable[str]) -> str:
    """The list of pages for search engines. No dates: a page's date would be the build's."""
    lines = "".join(f"  <url><loc>{escape(where.of(f'{page}.html'))}</loc></url>\n" for page in pages)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return f"{head}{lines}</urlset>\n"


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """`robots.txt`, and `sitemap.xml` if the site has an address.

    `.nojekyll` keeps GitHub's pages from leaving out the folders whose names begin with `_`.
    """
    where, out = published(), Path(app.outdir)
    if exception is not None:
        return
    (out / ".nojekyll").touch()
    robots = "User-agent: *\nAllow: /\n"
    if where.site:
        (out / "sitemap.xml").write_text(sitemap(where, sorted(app.env.all_docs)), encoding="utf8")
        robots += f"\nSitemap: {where.of('sitemap.xml')}\n"
    (out / "robots.txt").write_text(robots, encoding="utf8")
