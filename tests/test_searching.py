"""Searching the book: what can be found, and the page that finds it while one types."""

import gzip
import json
import re
from collections.abc import Callable, Iterator

import pytest
from browser import listen, needs_browser, until
from built_book import PAGES, SITE, article, cells
from playwright.sync_api import Browser, Page
from small_book import sphinx
from superbook import plaintext
from visits import unfit

FIELD, SAID, FOUND = ".bd-search-container input", "#search-said", "#search-results li > a"
BEGIN = "window.searchEntries = "


# --- What can be found ------------------------------------------------------------------------------------------------

SOURCE = """# A page of $\\sigma$

A first paragraph with $W\\in\\mathbb{R}^{D\\times F}$ and `a_name`.

```python
code_is_left_out()
```

## A section

$$
\\begin{aligned}a &= \\frac{b-1}{c} \\\\ d &
%&
= e\\end{aligned}
$$ (eq-a)

| a cell |
| --- |
| of a table |

:::{note}
In a box, see {eq}`eq-a`.
:::

### Inside

Deeper, x{sub}`1`.

:::{admonition} Solution
:class: dropdown

Folded away.
:::

## Nothing
"""
CONF = """extensions = ['myst_parser']
myst_enable_extensions = ['dollarmath', 'colon_fence']
source_suffix = {'.md': 'markdown'}
from superbook import STEPS, attach, pages
def setup(app):
    pages.register(app)
    parts = ("searching", "mathematics")
    attach(app, [step for step in STEPS if step.part in parts or step.do is pages.mend_doctree])
"""


def told(text: str) -> dict:
    assert text.startswith(BEGIN)
    assert text.endswith(";\n")
    return json.loads(text[len(BEGIN) : -2])


@pytest.fixture(scope="module")
def built() -> dict:
    """What can be found in the site."""
    return told((SITE / "_static/search-entries.js").read_text())


def test_a_page_is_told_by_its_sections(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(SOURCE)
    assert not sphinx(tmp_path)
    html = tmp_path / "_build/html"
    assert told((html / "_static/search-entries.js").read_text()) == {
        "pages": [["A page of σ", "index.html"]],
        "entries": [
            [0, "A page of σ", "", "A first paragraph with W ∈ R^(D×F) and a_name.", ""],
            [0, "A section", "a-section", "a = (b-1)/c d = e a cell of a table In a box, see (1).", ""],
            [0, "Inside", "inside", "Deeper, x₁.", "Folded away."],
            [0, "Nothing", "nothing", "", ""],
        ],
    }
    assert not (html / "searchindex.js").exists()


def test_every_section_can_be_found_where_it_stands(built):
    """Each heading of each page has its entry, and each entry leads to an element of its page."""
    assert [address for _, address in built["pages"]] == [f"{page}.html" for page in PAGES]
    for number, page in enumerate(PAGES):
        anchors = [anchor for at, _, anchor, _, _ in built["entries"] if at == number]
        assert len(anchors) == len(set(anchors)) or page == "book/references"
        assert anchors[0] == ""
        text = (SITE / f"{page}.html").read_text()
        assert not set(anchors) - set(re.findall(r'\bid="([^"]+)"', text)) - {""}
        headed = re.findall(r'<section[^>]*\bid="([^"]+)"[^>]*>\s*(?:<span[^>]*></span>\s*)*<h[2-6]', text)
        assert len(headed) > 2 or page in (
            "book/claims",
            "book/references",
            "book/notation",
            "book/planner",
            "book/changes",
        )
        assert not set(headed) - set(anchors)


def test_prose_alone_can_be_found(built):
    """No line of code, no TeX, no label of a fold or a box; captions, claims and solutions are there."""
    text = "\n".join(f"{title}\n{text}\n{folded}" for _, title, _, text, folded in built["entries"])
    assert not re.findall(r"\\[A-Za-z(\[]+", text)
    for label in ("Code of", "Imports", "Link to this", "Address of this figure", "About 1", "Solution to Exercise"):
        assert label not in text, label
    lines = {line.strip() for page in PAGES for cell in cells(page) for line in cell["source"].splitlines()}
    assert not [line for line in lines if len(line) > 25 and "(" in line and line in text]
    for page in ("index", "book/09-sharing-neurons"):
        captions = [plaintext.text_of(tag) for tag in article(page).select("figcaption .caption-text")]
        assert captions
        claims = [plaintext.text_of(tag).removeprefix("✓").strip() for tag in article(page).select(".claim > p")]
        assert claims
        squeezed = re.sub(r"\s|#", "", text)
        assert not [said for said in [*captions, *claims] if re.sub(r"\s|#", "", said) not in squeezed]
    assert sum(bool(folded) for *_, folded in built["entries"]) >= 10


def test_nothing_of_the_other_search_is_left():
    for name in (
        "searchindex.js",
        "_static/searchtools.js",
        "_static/language_data.js",
        "_static/sphinx_highlight.js",
        "_static/doctools.js",
    ):
        assert not (SITE / name).exists(), name
    used = {page: (SITE / f"{page}.html").read_text() for page in [*PAGES, "search"]}
    for page, text in used.items():
        assert not re.findall(r"searchtools|searchindex|language_data|doctools|sphinx_highlight", text)
        assert ("search-entries.js" in text) == ("minisearch.js" in text) == (page == "search")


def test_what_can_be_found_is_light():
    assert len(gzip.compress((SITE / "_static/search-entries.js").read_bytes())) < 120_000
    for name in ("LICENSE", "VERSION"):
        assert "MIT" in (SITE / "_static/minisearch" / name).read_text() or name == "LICENSE"


# --- The page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab(browser: Browser, address: str) -> Iterator[Page]:
    """The page that searches, opened once; it must not complain."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        listen(page, address, faults, "search")
        page.goto(f"{address}search.html")
        yield page
    assert not faults


@pytest.fixture
def ask(tab: Page) -> Callable[[str], list[str]]:
    """Type a query, as a reader does, and wait until the page has followed: where the results lead, in order."""

    def ask(query: str) -> list[str]:
        tab.locator(FIELD).fill(query)
        until(tab, f"new URLSearchParams(location.search).get('q') === {json.dumps(query.strip() or None)}")
        return tab.locator(FOUND).evaluate_all("links => links.map(link => link.getAttribute('href'))")

    return ask


def said(page: Page) -> str:
    return page.locator(SAID).inner_text()


@needs_browser
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("staircase", "book/12-exact-superposition.html"),
        ("mean squared overlap", "book/09-sharing-neurons.html#how-much-do-two-circuits-overlap"),
        ('"mean squared overlap"', "book/09-sharing-neurons.html#how-much-do-two-circuits-overlap"),
        ("max_circuits", "book/api.html#superpos.codes.max_circuits"),
        ("dedicated neuron", "book/01-storing.html#the-yardstick-dedicated-neurons"),
        ("DEDICATED neur", "book/01-storing.html#the-yardstick-dedicated-neurons"),
        ("dedicatde neurons", "book/01-storing.html#the-yardstick-dedicated-neurons"),
    ],
)
def test_finds(query, first, ask):
    """Words, phrases, names, beginnings and slips."""
    assert ask(query)[0].startswith(first)


@needs_browser
def test_letters_are_found_without_their_marks(ask, tab):
    marked, plain = ask("Hänni"), ask("hanni")
    assert plain == marked
    assert not said(tab).startswith("Nothing")
    assert any(link.startswith("book/references.html#ref-") for link in plain)


@needs_browser
@pytest.mark.parametrize(("letter", "name"), [("σ", "sigma"), ("θ", "theta"), ("ρ", "rho"), ("δ", "delta")])
def test_a_greek_letter_is_found_by_itself_and_by_its_name(letter, name, ask, tab):
    by_letter, by_name = ask(letter), ask(name)
    assert len(by_letter) > 5
    assert not by_letter[0].startswith("book/api")  # chapters come first
    assert set(by_letter) <= set(by_name)
    marks = tab.locator("#search-results mark").all_inner_texts()
    assert letter in marks


@needs_browser
@pytest.mark.parametrize(
    "word", ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "<b>&amp;", '"', "\\", "*"]
)
def test_every_word_is_a_word(word, ask, tab):
    """None is taken for a part of the language that the page is written in; the field still answers."""
    links = ask(word)
    assert not [link for link in links if "undefined" in link]
    assert said(tab)
    assert not tab.locator("#search-results b").count()
    assert ask("staircase")


@needs_browser
def test_a_snippet_is_prose_around_the_words(ask, tab):
    ask("staircase")
    item = tab.locator("#search-results li").first
    assert item.locator("mark").first.inner_text().lower().startswith("staircase")
    text = item.locator("p").inner_text()
    assert 60 < len(text) < 300
    assert re.sub("^… | …$", "", text) in " ".join(e[3] + e[4] for e in tab.evaluate("searchEntries.entries"))
    heading = tab.locator("#search-results h2").first
    assert heading.is_visible()
    assert heading.inner_text() == "12. Exact superposition"
    links = ask("squared overlap")
    assert len(links) > 10
    assert tab.locator("#search-results li:has(mark)").count() == len(links)  # however late in its section it stands


@needs_browser
def test_a_reader_is_told_what_is_found(ask, tab):
    """In a place that a screen reader watches: how much is found, what is not, and what to do."""
    assert tab.locator(f"{SAID}[role=status]").count() == 1
    links = ask("staircase")
    pages = {link.partition("#")[0] for link in links}
    assert said(tab) == f"{len(links)} section{'s' * (len(links) > 1)} on {len(pages)} page{'s' * (len(pages) > 1)}"
    assert not tab.locator("#search-contents").is_visible()
    assert ask("zzzzqqqq") == []
    assert said(tab).startswith("Nothing is found for “zzzzqqqq”. Try")
    assert tab.locator("#search-contents").is_visible()
    assert ask("dedicatde")
    assert said(tab).startswith("Nothing has exactly “dedicatde”. Similar: ")
    assert ask("staircase zzzzqqqq")
    assert said(tab).startswith("Nothing has all of “staircase zzzzqqqq”. Some of it: ")
    assert ask('"overlap squared mean"') == []
    assert ask(" ") == []
    assert said(tab).startswith("Type a word")


@needs_browser
def test_the_address_follows_and_going_back_returns(browser, address):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        page.goto(f"{address}search.html")
        field = page.locator(FIELD)
        for query in ("staircase", "sigma"):
            field.press("Control+a")
            field.press_sequentially(query)
            until(page, f"location.search === '?q={query}'")
            field.press("Enter")
        page.go_back()
        until(page, "location.search === '?q=staircase'")
        assert field.input_value() == "staircase"
        assert "12-exact" in str(page.locator(FOUND).first.get_attribute("href"))
        page.locator(FOUND).first.click()
        page.wait_for_url("**/12-exact-superposition.html*")
        page.go_back()
        page.wait_for_selector(FOUND)
        assert field.input_value() == "staircase"
        page.go_back()
        page.wait_for_url("**/index.html")


@needs_browser
def test_results_are_reached_by_key(ask, tab):
    ask("overlap")
    tab.locator(FIELD).focus()
    focused = []
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
        tab.keyboard.press(key)
        focused.append(tab.evaluate("document.activeElement.getAttribute('href')"))
    assert focused[0] == focused[2] != focused[1]
    tab.keyboard.press("ArrowUp")  # nothing is above
    assert tab.evaluate("document.activeElement.name") == "q"
    tab.keyboard.press("End")
    tab.keyboard.press("s")
    assert tab.locator(FIELD).input_value() == "overlaps"


@needs_browser
@pytest.mark.parametrize("page_name", ["index", "book/09-sharing-neurons"])
@pytest.mark.parametrize("from_disk", [False, True])
def test_the_field_of_any_page_leads_there(page_name, from_disk, browser, address):
    """From a server and from a disk; the page finds, and the address can be followed by typing."""
    root, faults = f"{SITE.resolve().as_uri()}/" if from_disk else address, list[str]()
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, root, faults, page_name)
        page.goto(f"{root}{page_name}.html")
        page.keyboard.press("Control+k")
        page.wait_for_selector("#pst-search-dialog[open]")
        page.keyboard.type("staircase")
        page.keyboard.press("Enter")
        page.wait_for_selector(FOUND)
        assert page.url == f"{root}search.html?q=staircase"
        page.locator(FIELD).fill("constructor sigma")
        until(page, "document.querySelector('#search-said').textContent.includes('constructor sigma')")
        page.locator("h1").click()
        page.keyboard.press("Control+k")
        assert page.evaluate("document.activeElement.name") == "q"
    assert not faults


@needs_browser
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_the_icon_stands_beside_the_text(width, browser, address):
    """In the page's own field and in that of the dialog."""
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        for name, form in (("search", ".bd-search-container form"), ("book/cite", "#pst-search-dialog form")):
            page.goto(f"{address}{name}.html")
            page.keyboard.press("Control+k")
            icon, field = (page.locator(f"{form} {part}").bounding_box() for part in ("i", "input"))
            assert icon
            assert field
            assert icon["x"] + icon["width"] <= field["x"]
            assert field["y"] <= icon["y"] + icon["height"] / 2 <= field["y"] + field["height"]
            assert field["x"] + field["width"] <= width


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_is_found(scheme, browser, address):
    with browser.new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": 390, "height": 800}
    ) as context:
        page = context.new_page()
        page.goto(f"{address}search.html?q=overlap")
        page.wait_for_selector(FOUND)
        page.locator("#search-results summary").first.click()
        assert not unfit(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
