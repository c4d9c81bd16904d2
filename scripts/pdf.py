"""The whole book as one PDF: Chromium prints all pages of the built site as one document.

    python scripts/pdf.py BUILD_FOLDER

The document is made of the articles of BUILD_FOLDER/html, in the order of the table of contents, and printed to
BUILD_FOLDER/superpos.pdf: with bookmarks, links that lead to pages of the PDF, and tags for screen readers. Its dates
are that of the release, so that one build and one browser give one file.

The site then offers it: a copy stands beside the front page, which links to it where its source has a mark. A site that
was built without this, on a machine without Chromium say, has neither file nor link.
"""

import html
import io
import logging
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from packing import packed
from playwright.sync_api import PdfMargins, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
# Nothing can be pressed on paper, nothing is dark, and the book does not offer itself.
DROPPED = ".scheme-dark, source, script, noscript, button, .headerlink, .reading-time, .cite-figure, .offered"
REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls")
FOOT = '<p style="width: 100%; text-align: center; font: 8pt sans-serif"><span class="pageNumber"></span></p>'
NAME = "superpos.pdf"
OFFER = re.compile(rf'(<!-- {NAME} -->)(?:<span class="offered">.*?</span>)?')  # index.md has the mark
Place = tuple[int, str, str]  # level, title and id of a heading
MARGIN = PdfMargins(top="18mm", bottom="20mm", left="20mm", right="20mm")


def order(toc: dict) -> list[str]:
    """The root, then every chapter."""
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def mark(page: str, name: str = "") -> str:
    """The id, in the one document, of a page or of what has this id on it."""
    return f"{page.replace('/', '-')}--{name}"


def moved(href: str, page: str, pages: list[str]) -> str | None:
    """A link of `page` as it stands in the one document; None if it leads to a file that is not in it."""
    link = urlsplit(href)
    if link.scheme or link.netloc:
        return href
    there = os.path.normpath(os.path.join(os.path.dirname(page), unquote(link.path))) if link.path else f"{page}.html"
    name, kind = os.path.splitext(there)
    return f"#{mark(name, unquote(link.fragment))}" if kind == ".html" and name in pages else None


def file(address: str, page: str, site: Path) -> str:
    """A file that `page` loads, as the one document, which stands beside the site's folder, addresses it."""
    return os.path.normpath(os.path.join(site.name, os.path.dirname(page), address))


def chapter(soup: BeautifulSoup, page: str, pages: list[str], site: Path) -> Tag:
    """The article of a page, its ids and links as they are in the one document."""
    article = soup.select_one("article.bd-article")
    assert article is not None, f"{page} has no article"
    for dropped in article.select(DROPPED):
        dropped.decompose()
    for tag in article.find_all(True):
        if tag.get("id"):
            tag["id"] = mark(page, str(tag["id"]))
        for name in REFERENCES:
            if tag.get(name):
                tag[name] = " ".join(mark(page, one) for one in str(tag[name]).split())
        if tag.get("src"):
            tag["src"] = file(str(tag["src"]), page, site)
            tag.attrs.pop("loading", None)  # nobody scrolls to a picture on paper
        if tag.get("href") and (href := moved(str(tag["href"]), page, pages)):
            tag["href"] = href
        else:
            tag.attrs.pop("href", None)
    article["id"] = mark(page)
    return article


def settle(article: Tag) -> dict[str, str]:
    """Move the id of each section to its heading, and tell which ids, of labels before it, mean the same place.

    Of a section whose heading is moved to the next page Chromium says that it begins on the page before.
    """
    same: dict[str, str] = {}
    for heading in article.select("section[id] > :is(h1, h2, h3, h4, h5, h6)"):
        assert heading.parent is not None
        heading["id"] = name = str(heading.parent["id"])
        del heading.parent["id"]
        same |= {str(label["id"]): name for label in heading.find_previous_siblings("span", id=True)}
    return same


def styles(soups: list[BeautifulSoup], pages: list[str], site: Path) -> list[str]:
    """The style sheets of all pages, each once; those of the page with the most come first, in its order."""
    loaded = [
        [file(str(link["href"]), page, site) for link in soup.select('link[rel="stylesheet"]')]
        for soup, page in zip(soups, pages, strict=True)
    ]
    return list(dict.fromkeys(name for names in sorted(loaded, key=len, reverse=True) for name in names))


def headings(article: Tag) -> list[Place]:
    """Level, title and id of the chapter and of its sections; a formula in a title is text."""
    found = []
    for heading in article.select("h1, h2"):
        title = BeautifulSoup(str(heading), "html.parser")
        for formula in title.select(".katex-mathml"):
            formula.decompose()
        place = article if heading.name == "h1" else heading
        found.append((int(heading.name[1]), " ".join(title.get_text().split()), str(place["id"])))
    return found


def contents(places: list[Place]) -> str:
    """A list of links: they make the places that the bookmarks lead to as well."""
    items = [
        f'<li class="level-{level}"><a href="#{name}">{html.escape(title)}</a></li>' for level, title, name in places
    ]
    return "\n".join(['<nav class="book-contents"><p class="rubric">Contents</p>', "<ul>", *items, "</ul>", "</nav>"])


def document(site: Path, pages: list[str], title: str) -> tuple[str, list[Place]]:
    """The book as one page of HTML, and its headings; the contents stand after the front page."""
    soups = [BeautifulSoup((site / f"{page}.html").read_text(encoding="utf8"), "html.parser") for page in pages]
    links = "\n".join(f'<link rel="stylesheet" href="{name}">' for name in styles(soups, pages, site))
    front, *others = articles = [chapter(soup, page, pages, site) for soup, page in zip(soups, pages, strict=True)]
    same = {f"#{label}": f"#{name}" for article in articles for label, name in settle(article).items()}
    for link in (link for article in articles for link in article.select("a[href]")):
        link["href"] = same.get(str(link["href"]), str(link["href"]))
    places = [place for article in articles for place in headings(article)]
    body = "\n".join([str(front), contents(places), *map(str, others)])
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-mode="light">\n<head>\n<meta charset="utf-8">\n'
        f'<title>{html.escape(title)}</title>\n{links}\n</head>\n<body class="one-document">\n'
        f'<main class="bd-main"><div class="bd-content"><div class="bd-article-container">\n{body}\n'
        f"</div></div></main>\n</body>\n</html>\n"
    ), places


def printed(page: Path, browser: str) -> bytes:
    """The page as a PDF."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        tab = chromium.new_page(color_scheme="light", reduced_motion="reduce")
        tab.goto(page.resolve().as_uri(), wait_until="load", timeout=120_000)
        tab.evaluate("document.fonts.ready.then(() => Promise.all([...document.images].map(image => image.decode())))")
        pdf = tab.pdf(
            format="A4", margin=MARGIN, print_background=True, display_header_footer=True,
            header_template="<span></span>", footer_template=FOOT, tagged=True,
        )  # fmt: skip
        chromium.close()
    return pdf


def finished(pdf: bytes, places: list[Place], title: str, date: str) -> bytes:
    """The PDF with bookmarks, and with this date, of eight digits, in place of the time of its making."""
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it finds that Chromium counts its objects otherwise
    reader = PdfReader(io.BytesIO(pdf))
    marks = reader.named_destinations
    writer, chapter = PdfWriter(clone_from=reader), None
    for level, heading, name in places:
        there = marks[f"/{name}"]
        page = reader.get_destination_page_number(there)
        parent, fit = chapter if level > 1 else None, Fit.xyz(top=there.top)
        item = writer.add_outline_item(title=heading, page_number=page, parent=parent, fit=fit)
        chapter = item if level == 1 else chapter
    moment = f"D:{date}000000Z"
    writer.metadata = {"/Title": title, "/CreationDate": moment, "/ModDate": moment}
    return packed(writer)


def offered(front: str, size: int) -> str:
    """The front page with a link to the PDF, of so many bytes, at its mark; once, however often it is offered."""
    link = f'<span class="offered"> The book is also <a href="{NAME}">one PDF</a> ({size / 1e6:.0f} MB).</span>'
    assert OFFER.search(front), "index.md has no mark for the PDF"
    return OFFER.sub(rf"\1{link}", front)


def offer(pdf: Path, site: Path) -> None:
    """Put the PDF into the site, and then the link to it: a reader never follows one that leads nowhere."""
    front, aside = site / "index.html", site / "index.html.new"
    shutil.copyfile(pdf, site / NAME)
    try:
        aside.write_text(offered(front.read_text(encoding="utf8"), pdf.stat().st_size), encoding="utf8")
        aside.replace(front)
    finally:
        aside.unlink(missing_ok=True)


def main(build: Path) -> int:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("superpos: the PDF needs Chromium. On Debian or Ubuntu: apt-get install chromium", file=sys.stderr)
        return 1
    toc, config, citation = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf8")) for name in ("_toc.yml", "_config.yml", "CITATION.cff")
    )
    page, aside, pdf = build / "superpos.html", build / f"{NAME}.new", build / NAME
    try:
        text, places = document(build / "html", order(toc), config["title"])
        page.write_text(text, encoding="utf8")
        aside.write_bytes(
            finished(printed(page, browser), places, config["title"], f"{citation['date-released']:%Y%m%d}")
        )
    finally:
        page.unlink(missing_ok=True)
    aside.replace(pdf)
    offer(pdf, build / "html")
    print(f"The book as one PDF: {pdf}, which the site offers now")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
