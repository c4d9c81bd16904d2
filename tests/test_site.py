"""The files of the built site: nothing from elsewhere, no dead link, a description. In a browser: see test_pages.py."""

import re
from collections import Counter
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from built_book import NUMBERED, PAGES, ROOT, SITE, html, parts
from fontTools.ttLib import TTFont
from superbook import citing
from superbook.cards import REGULAR
from superbook.colophon import spoken
from superbook.places import pages

BUILT = [*PAGES, "search"]
FETCHES = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}


def elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc) or address.startswith("//")


@pytest.mark.parametrize("page", BUILT)
def test_page_loads_nothing_from_elsewhere(page):
    soup = html(page)
    loaded = [str(tag[attr]) for name, attr in FETCHES.items() for tag in soup.find_all(name) if tag.has_attr(attr)]
    loaded += [str(tag["href"]) for tag in soup.find_all("link") if tag.has_attr("href")]
    assert not [address for address in loaded if elsewhere(address)]
    inline = "\n".join(tag.get_text() for tag in soup.find_all(["script", "style"]))
    assert not re.findall(r"https?://[^\s\"')]+", inline)
    assert "application/vnd.jupyter.widget" not in str(soup), "a widget without its kernel loads scripts; use a figure"


def test_styles_load_nothing_from_elsewhere():
    for path in SITE.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^\s)]+", path.read_text()), path


@pytest.mark.parametrize("page", BUILT)
def test_links_resolve(page):
    dead = []
    for tag in html(page).find_all("a", href=True):
        link = urlsplit(str(tag["href"]))
        if link.scheme or link.netloc:
            continue
        target = (SITE / f"{page}.html").parent / unquote(link.path) if link.path else SITE / f"{page}.html"
        here = target.resolve()
        part = unquote(link.fragment) if target.suffix == ".html" else ""
        if not here.is_file() or (part and part not in parts(str(here.relative_to(SITE.resolve()).with_suffix("")))):
            dead.append(tag["href"])
    assert not dead


@pytest.mark.parametrize("page", BUILT)
def test_page_describes_itself(page):
    soup = html(page)
    assert soup.title
    assert soup.title.get_text(strip=True)
    descriptions = soup.find_all("meta", attrs={"name": "description"})
    assert [bool(str(tag["content"]).strip()) for tag in descriptions] == [True]
    assert not [str(tag) for tag in soup.find_all("img") if not tag.has_attr("alt")]
    assert not [str(tag) for tag in soup.select("article img") if not str(tag["alt"]).strip()]


# Of a font that has more signs than those of most systems.
SIGNS = frozenset(TTFont(REGULAR).getBestCmap() or ()) | set(range(32))


@pytest.mark.parametrize("page", BUILT)
def test_every_sign_is_in_common_fonts(page):
    """Formulas bring fonts of their own; what a style sheet writes is looked at in the browser: see visits.py."""
    other = {id(text) for tag in html(page).select(".katex, script, style") for text in tag.strings}
    seen = {sign for text in html(page).strings if id(text) not in other for sign in text}
    missing = {f"{sign} U+{ord(sign):04X}" for sign in seen if ord(sign) not in SIGNS}
    assert not missing


@pytest.mark.parametrize("page", BUILT)
def test_nothing_is_left_of_other_services(page):
    text = (SITE / f"{page}.html").read_text()
    assert text.count('name="viewport"') == 1
    for left in ("ethical", "docsearch", "version-warning", "banner", "readthedocs"):
        assert left not in text, left


@pytest.mark.parametrize("page", BUILT)
def test_the_foot_says_what_this_is(page):
    """Version and date, author, licences, changes; while there is no repository, no links to one."""
    foot = html(page).select_one("footer .colophon")
    assert foot
    cff = citing.citation()
    text = " ".join(foot.get_text().split())
    assert f"version {cff['version']} of {spoken(cff['date-released'])}, by {cff['authors'][0]['name']}." in text
    leads = {link.get_text(): (SITE / f"{page}.html").parent / str(link["href"]) for link in foot.select("a")}
    assert leads.pop("CC BY 4.0")
    assert leads["MIT"].read_text().startswith("MIT License")
    assert leads["What has changed"].read_text().count("Unreleased")
    named = {"MIT", "What has changed", "Cite this chapter" if page in NUMBERED else "How to cite"}
    assert set(leads) == named | ({"This page as Markdown"} if page in PAGES else set())


def test_days_are_written_out():
    assert spoken("2026-11-02") == "2 November 2026"


def test_there_is_no_page_that_nothing_leads_to():
    moved = yaml.safe_load((ROOT / "book/moved.yml").read_text())
    known = {*BUILT, *moved, "404"} | {f"embed/{path.stem}" for path in (SITE / "embed").glob("*.html")}
    assert {path.relative_to(SITE).with_suffix("").as_posix() for path in pages(SITE)} == known


@pytest.mark.parametrize("page", BUILT)
def test_no_id_twice(page):
    count = Counter(str(tag["id"]) for tag in html(page).find_all(id=True))
    assert not {name for name, times in count.items() if times > 1}
