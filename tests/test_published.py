"""The address of the book: with one, everything refers to it; without, nothing does."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup, Tag
from built_book import NUMBERED, PAGES, ROOT, SITE, cells, html
from superbook.pictures import CARD, key_figures

URL, REPOSITORY = "https://example.org/superpos/", "https://github.com/owner/name"
NOTEBOOKS = [page for page in PAGES if cells(page)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The site as it is built for an address, from the same executed chapters; warnings are errors there too."""
    folder = tmp_path_factory.mktemp("published")
    addresses = {"SITE_URL": URL.rstrip("/"), "REPOSITORY": f"{REPOSITORY}.git"}
    command = [sys.executable, "scripts/build.py", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | addresses, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executed notebook" not in done.stdout, "an address must not change what chapters depend on"
    yield folder / "html"
    shutil.rmtree(folder)


@functools.cache
def read(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{page}.html").read_text(), "html.parser")


def stated(soup: BeautifulSoup, name: str) -> str | None:
    """What a <meta> or the canonical <link> of the page says; a name that stands twice is an error."""
    found = [
        tag
        for tag in soup.find_all(["meta", "link"])
        if name in (tag.get("property"), tag.get("name"), *(tag.get("rel") or ()))
    ]
    assert len(found) <= 1, f"{name} stands {len(found)} times"
    return str(found[0].get("content") or found[0]["href"]) if found else None


def size(picture: Path) -> tuple[int, int]:
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def leading(page: str) -> str:
    """The key figure that stands for a page: its own first one, or the front page's."""
    return key_figures().get(page, key_figures()["index"])[0]


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
        assert size(published / card) == CARD


def test_sitemap_and_robots(published):
    tree = ElementTree.parse(published / "sitemap.xml")
    found = [str(loc.text) for loc in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert sorted(found) == sorted(f"{URL}{page}.html" for page in PAGES)
    assert f"Sitemap: {URL}sitemap.xml\n" in (published / "robots.txt").read_text()


def buttons(soup: BeautifulSoup) -> dict[str, str]:
    """What the header's links to other sites say, and where they lead."""
    links = [link for link in soup.select(".article-header-buttons a[href]") if urlsplit(str(link["href"])).netloc]
    return {str(link.get("title")): str(link["href"]) for link in links}


def test_every_notebook_can_be_launched(published):
    for page in PAGES:
        found = buttons(read(published, page))
        source = found.pop("Source of this page")
        assert source == f"{REPOSITORY}/blob/main/{page}.md?plain=1"
        assert (ROOT / f"{page}.md").is_file()
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


def test_notebooks_install_the_repository_first(published):
    for page in NOTEBOOKS:
        first = json.loads((published / f"_sources/{page}.ipynb").read_text())["cells"][0]
        assert first["source"] == f'%pip install --quiet "superpos[show,sweep] @ git+{REPOSITORY}@main"'


def test_binder_installs_what_the_book_is_made_with():
    pins = {line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    lines = [line for line in (ROOT / ".binder/requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == ".[show,sweep]"
    assert set(lines[1:]) <= pins
    assert "jupytext" in "".join(lines)


def test_entries_and_frames_state_the_address(published):
    for page in ("index", *NUMBERED):
        soup = read(published, page)
        for name in key_figures()[page]:
            control = below(soup, name)
            entry, frame = (pre.get_text() for pre in control.select("pre"))
            assert f"{{{URL}{page}.html#{name}}}" in entry
            assert f'src="{URL}embed/{name}.html"' in frame
            assert control.select_one(f'a[href="{URL}{page}.html#{name}"]')
            alone = read(published, f"embed/{name}")
            assert alone.select_one(f'.origin a[href="{URL}{page}.html#{name}"]')
            assert stated(alone, "canonical") == f"{URL}{page}.html"
    cite = read(published, "book/cite").get_text()
    assert cite.count(URL) == 1 + len(NUMBERED)


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


@pytest.mark.parametrize("page", PAGES)
def test_nothing_refers_to_an_address_that_is_unknown(page):
    soup = html(page)
    assert stated(soup, "canonical") is None
    assert stated(soup, "og:url") is None
    assert not buttons(soup)
    card = stated(soup, "og:image")
    assert card
    assert size((SITE / f"{page}.html").parent / card) == CARD
    for text in ("mybinder.org", "colab.research", URL):
        assert text not in str(soup)


def test_without_an_address_there_is_no_sitemap():
    assert not (SITE / "sitemap.xml").exists()
    assert (SITE / "robots.txt").read_text() == "User-agent: *\nAllow: /\n"
