"""All that the extensions make of a small book, published at an address: built afresh, and from the cache."""

import functools
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
import small_book
import yaml
from bs4 import BeautifulSoup, Tag
from built_book import ROOT, buttons, size, stated
from small_book import FIGURES, NOTEBOOKS, PAGES
from superbook.cards import SIZE

URL, REPOSITORY = "https://example.org/superpos/", "https://github.com/owner/name"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book as it is built first, in `first`, and from the executed chapters, in `again`; warnings are errors."""
    root = tmp_path_factory.mktemp("book")
    small_book.write(root)
    for folder in ("first", "again"):
        done = small_book.build(root, folder, SITE_URL=URL.rstrip("/"), REPOSITORY=f"{REPOSITORY}.git")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("executed notebook" in done.stdout) == (folder == "first")
    return root


@pytest.fixture
def published(book: Path) -> Path:
    return book / "first/html"


@functools.cache
def read(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{page}.html").read_text(), "html.parser")


def leading(page: str) -> str:
    """What the card of a page is named after: its first key figure, or the page itself."""
    return FIGURES.get(page, [Path(page).name])[0]


# --- An address -----------------------------------------------------------------------------------------------------


def test_every_page_states_its_address_and_picture(published):
    for page in PAGES:
        soup = read(published, page)
        assert stated(soup, "canonical") == stated(soup, "og:url") == f"{URL}{page}.html", page
        card = f"figures/{leading(page)}-card.png"
        assert stated(soup, "og:image") == stated(soup, "twitter:image") == URL + card, page
        assert stated(soup, "og:image:alt") == stated(soup, "twitter:image:alt")
        assert len(str(stated(soup, "og:image:alt"))) > 40
        assert stated(soup, "twitter:card") == "summary_large_image"
        assert stated(soup, "og:title")
        assert stated(soup, "og:description")
        assert size(published / card) == SIZE


def test_sitemap_and_robots(published):
    tree = ElementTree.parse(published / "sitemap.xml")
    found = [str(loc.text) for loc in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert sorted(found) == sorted(f"{URL}{page}.html" for page in PAGES)
    assert f"Sitemap: {URL}sitemap.xml\n" in (published / "robots.txt").read_text()


def test_every_notebook_can_be_launched(published, book):
    for page in PAGES:
        found = buttons(read(published, page))
        source = found.pop("Source of this page")
        assert source == f"{REPOSITORY}/blob/main/{page}.md?plain=1"
        assert (book / f"{page}.md").is_file()
        if page not in NOTEBOOKS:
            assert not found
            continue
        binder, colab = found.pop("Run this page on Binder"), found.pop("Run this page on Colab")
        assert binder.startswith("https://mybinder.org/v2/gh/owner/name/main?urlpath=")
        opened = unquote(binder.partition("urlpath=")[2])
        assert opened == f"lab/tree/{page}.md?factory=Jupytext%20Notebook"
        file = f"_sources/{page}.ipynb"
        assert colab == f"https://colab.research.google.com/github/owner/name/blob/gh-pages/{file}"
        assert (published / file).is_file()
        assert not found


def test_every_page_can_be_edited_and_reported(published, book):
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/book.yml").read_text())
    assert "address" in {field["id"] for field in form["body"]}
    for page in PAGES:
        leads = {link.get_text(): str(link["href"]) for link in read(published, page).select(".colophon a")}
        assert leads["Edit this page"] == f"{REPOSITORY}/edit/main/{page}.md"
        report = urlsplit(leads["Report an error"])
        assert report.geturl().startswith(f"{REPOSITORY}/issues/new?")
        assert parse_qs(report.query) == {"template": ["book.yml"], "address": [f"{URL}{page}.html"]}


def test_lost_addresses_and_the_list_lead_to_the_site(published):
    links = read(published, "404").select("a, form")
    assert all(str(link.get("href") or link["action"]).startswith(URL) for link in links)
    assert len(links) == 2 + len(PAGES) - 1
    assert not read(published, "404").select("script")
    assert f"({URL}book/01-lines.md): What this page is about." in (published / "llms.txt").read_text()
    assert "error_page 404 /superpos/404.html;" in (published / "headers/nginx.conf").read_text()


def test_notebooks_install_the_repository_first(published):
    for page in NOTEBOOKS:
        about, install, *_ = json.loads((published / f"_sources/{page}.ipynb").read_text())["cells"]
        assert f"<{URL}{page}.html>" in about["source"]
        assert f'REPOSITORY = "{REPOSITORY}"' in install["source"]
        assert 'f"superpos[book] @ git+{REPOSITORY}@main"' in install["source"]


def test_notebooks_link_to_the_site(published):
    index = (published / "_sources/index.ipynb").read_text()
    assert f"[Lines]({URL}book/01-lines.html)" in index
    assert "[Fig. 1](#fig-bars) has bars" in index


def test_entries_and_frames_state_the_address(published):
    for page in FIGURES:
        soup = read(published, page)
        for name in FIGURES[page]:
            control = below(soup, name)
            entry, frame = (pre.get_text() for pre in control.select("pre"))
            assert f"{{{URL}{page}.html#{name}}}" in entry
            assert f'src="{URL}embed/{name}.html"' in frame
            assert control.select_one(f'a[href="{URL}{page}.html#{name}"]')
            alone = read(published, f"embed/{name}")
            assert alone.select_one(f'.origin a[href="{URL}{page}.html#{name}"]')
            assert stated(alone, "canonical") == f"{URL}{page}.html"
    cite = read(published, "book/cite").get_text()
    assert cite.count(URL) == 2  # the book, and its one chapter


def below(soup: BeautifulSoup, name: str) -> Tag:
    figure = soup.find("figure", id=name)
    assert figure
    control = figure.find_next_sibling()
    assert control
    assert control.name == "details"
    return control


def test_addresses_of_the_site_lead_to_files(published):
    """What begins with the site's address is in the site, and no path begins twice."""
    for path in published.rglob("*.html"):
        for link in re.findall(rf'"{re.escape(URL)}([^"]*)"', path.read_text()):
            file = unquote(urlsplit(link).path) or "index.html"
            assert (published / file).is_file(), f"{path.name}: {link}"


# --- Sliders --------------------------------------------------------------------------------------------------------


def test_figure_keeps_its_number_caption_and_address(published):
    page = BeautifulSoup((published / "index.html").read_text(), "html.parser")
    figure = page.select_one("figure#fig-bars")
    assert figure
    assert "Fig. 1" in figure.get_text()
    assert "A bar." in figure.get_text()
    assert page.select_one('a[href="#fig-bars"]')
    image, inputs = figure.select_one(".explore > .scheme-light > img"), figure.select("input")
    assert image
    assert image["alt"] == "A dense bar of height 2, drawn for the tests of a book."
    assert image["src"] == "_images/explore/fig-bars/2.svg"  # T = 2 comes after the two of T = 1
    assert (image["width"], image["height"]) == ("288", "192")  # 3 and 2 inches of 96 pixels
    slider, *buttons = inputs
    assert (slider["max"], slider["value"], slider["aria-valuetext"]) == ("2", "1", "2")
    assert [label.get_text() for label in figure.select(f'label[for="{slider["id"]}"]')] == ["circuits T"]
    assert [(i["type"], i.has_attr("checked")) for i in buttons] == [("radio", True), ("radio", False)]
    assert [legend.get_text() for legend in figure.select("legend")] == ["how"]
    links = [(a["href"], a.get_text()) for a in figure.select("noscript li a")]
    assert links[2] == ("_images/explore/fig-bars/2.svg", "circuits T: 2, how: dense")
    assert not [script for script in figure.select("script, [style]")]  # the site's policy allows none
    assert page.select_one('script[src*="explore.js"]')


def test_frames_are_files_and_say_what_they_show(published):
    folder = published / "_images/explore/fig-bars"
    data = json.loads((folder / "data.json").read_text())
    assert data["parameters"][0] == {"name": "T", "label": "circuits T", "values": [1, 2, 3]}
    assert [f["file"] for f in data["frames"]] == [f"{k}.svg" for k in range(6)]
    assert [f["start"] for f in data["frames"]] == [False, False, True, False, False, False]
    assert data["frames"][5]["values"] == {"T": 3, "how": "sparse"}
    assert data["frames"][5]["alt"] == "A sparse bar of height 3, drawn for the tests of a book."
    ends = (".svg", "-dark.svg", "-narrow.svg", "-narrow-dark.svg")
    assert {p.name for p in folder.iterdir()} == {f"{k}{end}" for k in range(6) for end in ends} | {"data.json"}
    assert len({(folder / f"{k}.svg").read_bytes() for k in range(0, 6, 2)}) == 3


def test_the_same_from_the_cache(book):
    first, again = files(book / "first"), files(book / "again")
    assert len(first) > 100
    assert [name for name in first.keys() | again.keys() if first.get(name) != again.get(name)] == []


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "build.log"
    }
