"""The files of the built site: nothing from elsewhere, no dead link, a description. In a browser: see test_pages.py."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from built_book import PAGES, SITE, html

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
        if not target.resolve().is_file():
            dead.append(tag["href"])
        elif link.fragment and target.suffix == ".html":
            there = html(str(target.resolve().relative_to(SITE.resolve()).with_suffix("")))
            if there.find(id=unquote(link.fragment)) is None:
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


@pytest.mark.parametrize("page", BUILT)
def test_no_id_twice(page):
    ids = [str(tag["id"]) for tag in html(page).find_all(id=True)]
    assert not {name for name in ids if ids.count(name) > 1}
