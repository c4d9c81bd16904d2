"""Comfort and accessibility: previews, reading times, small windows, the dark, the keyboard, paper, and axe's rules."""

import copy
import json
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import urldefrag

import pytest
from browser import listen, needs_browser, until
from bs4 import BeautifulSoup
from built_book import NUMBERED, PAGES, SITE, article, html, parts
from playwright.sync_api import Browser, Page, expect
from sliders import by_key, controls, picture
from superbook import reading
from visits import OPEN, unfit

from superpos.show import figures

BUILT = [*PAGES, "search"]
BOX = "#link-preview"
PREVIEW = f"document.querySelector('{BOX}')"
# Of a link and its preview: what that says, who describes the link, its edges, and what in it could be reached.
SHOWN = f"""link => {{
    const box = {PREVIEW}, {{left, right}} = box.getBoundingClientRect();
    const live = box.querySelectorAll('[id], [href], [tabindex], input, button, details').length;
    return [box.textContent, link.getAttribute('aria-describedby'), left, right, live];
}}"""
CLOSED = f"""link => [{PREVIEW}.checkVisibility(), link === document.activeElement,
    link.getAttribute('aria-describedby')]"""
LONGEST = """() => Math.max(...[...document.querySelectorAll('*')].map(tag => getComputedStyle(tag))
    .flatMap(style => `${style.transitionDuration},${style.animationDuration}`.split(',').map(parseFloat)))"""


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of a wide window, which must not complain."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = context.new_page()
        listen(tab, address, faults, "page")
        yield tab
    assert not faults


# --- Reading times ----------------------------------------------------------------------------------------------------


def test_words_that_are_read():
    body = """<h1>Two words<a class="headerlink" href="#">#</a></h1> <p>and <span class="math">a + b</span> three</p>
        <pre>no code</pre><details><p>no solution</p></details><table><tr><td>no table</td></tr></table>
        <div class="claim">no claim</div>"""
    assert reading.words(body) == 5  # Two, words, and, the formula, three
    assert reading.minutes("word " * 299) == 1  # 1.495
    assert reading.minutes("word " * 301) == 2  # 1.505
    assert reading.minutes("") == 1
    assert reading.minutes("word " * 200 + "<figure></figure>" * 2) == 2  # 60 s and 30 s: 1.5
    assert reading.minutes("word " * 200 + "<details><figure></figure></details>" * 20) == 1
    assert reading.minutes('<div class="cell_input"><pre>' + "x\n" * 60 + "</pre></div>") == 2  # 120 s
    assert reading.minutes('<div class="math">x</div>' * 12) == 2  # 120 s, and twelve words: 3.6 s


@pytest.mark.parametrize("name", PAGES)
def test_reading_time_is_that_of_the_words(name):
    """The chapters tell their time, below the title; the words are counted here in another way than there."""
    text = copy.copy(article(name))
    told = [line.extract().get_text() for line in text.select("h1 + .reading-time")]
    assert len(told) == (name in NUMBERED)
    if told:
        count = 0
        for string in text.find_all(string=True):
            above = [parent for parent in string.parents if parent.name]
            classes = {one for parent in above for one in parent.get_attribute_list("class")}
            left_out = {"pre", "script", "noscript", "style", "table", "details"} & {parent.name for parent in above}
            if not left_out and not {"math", "claim", "headerlink", "explore"} & classes:
                count += len(string.split())
        outside = [m for m in text.select(".math") if not m.find_parent(["table", "details", "pre"])]
        count += len([m for m in outside if not m.find_parent(class_=["claim", "math", "explore"])])
        seconds = 0.3 * count
        for kind, each in (("figure", 15), ("div.math", 10), ("div.claim", 5)):
            seconds += each * len([tag for tag in text.select(kind) if not tag.find_parent("details")])
        for code in text.select("div.cell_input pre"):
            seconds += 0 if code.find_parent("details") else 2 * len(code.get_text().strip().splitlines())
        about = max(1, round(seconds / 60))
        assert told == [f"About {about} minute{'s' if about > 1 else ''}"]


# --- Previews ---------------------------------------------------------------------------------------------------------


def links(name: str) -> list[tuple[str, str]]:
    """Where the links of a page to parts of pages lead: page and id."""
    found = [urldefrag(str(link["href"])) for link in article(name).select('a.internal[href*="#"]')]
    folder = posixpath.dirname(name)
    return [
        (posixpath.normpath(posixpath.join(folder, path)).removesuffix(".html") if path else name, part)
        for path, part in found
    ]


def test_stored_previews_are_complete():
    """Whatever another page links to is stored, with pictures that exist, and without ids, sliders or controls."""
    wanted = {(to, part) for name in PAGES for to, part in links(name) if to != name and part in parts(to)}
    stored = {}
    for path in (SITE / "_static/previews").rglob("*.js"):
        found = re.fullmatch(r'\(window\.previews \?\?= \{\}\)\["(.*)\.html"\] = (.*);\n', path.read_text(), re.DOTALL)
        assert found
        stored |= {(found[1], part): markup for part, markup in json.loads(found[2]).items()}
    sections = {(to, part) for to, part in wanted if parts(to)[part].name == "section"}
    assert set(stored) == wanted - sections
    for markup in stored.values():
        assert not re.findall(r" (?:id|href|tabindex)=|<(?:input|button|script|details)\b", markup)
        assert all((SITE / source).is_file() for source in re.findall(r' src="([^"]*)"', markup))
    assert len("".join(stored.values())) < 400_000


def test_copy_is_plain():
    markup = """<figure id="fig"><div class="explore" data-folder="f" data-frames="[]"><img src="../_images/a.svg"/><div
        class="explore-sliders"><input/></div><p class="explore-said">s</p><noscript>n</noscript></div><details
        class="cite-figure">d</details><a class="headerlink" href="#fig">#</a><a href="b.html">b</a></figure>"""
    figure = BeautifulSoup(markup, "html.parser").figure
    assert figure
    assert reading.copied(figure, "book/01-storing.html") == (
        '<figure><div class="explore"><img src="_images/a.svg"/></div><a>b</a></figure>'
    )


@needs_browser
@pytest.mark.parametrize("name", [name for name in PAGES if links(name)])
def test_every_link_shows_what_it_points_to(name, page, address):
    """By keyboard: the focus shows it, with its text, inside the window; Escape closes it and leaves the focus."""
    page.goto(f"{address}{name}.html")
    page.evaluate(OPEN)
    found = page.query_selector_all('.bd-article a.internal[href*="#"]')
    for link, (to, part) in zip(found, links(name), strict=True):
        link.focus()
        page.wait_for_selector(f"{BOX}:not([hidden])", timeout=5000)
        said, described, left, right, live = link.evaluate(SHOWN)
        formula = parts(to)[part].find("annotation")
        assert (formula.get_text() if formula else parts(to)[part].get_text().rstrip("#\n ").split()[-1]) in said
        assert described == BOX[1:]
        assert 0 <= left < right <= 1280
        assert live == 0
        page.keyboard.press("Escape")
        assert link.evaluate(CLOSED) == [False, True, None]


@needs_browser
def test_preview_under_the_pointer(page, address):
    """It waits for the pointer to rest, stays while the pointer is on it, and goes when the pointer leaves."""
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}book/09-sharing-neurons.html")
    link, box = page.locator('.bd-article a.internal[href^="#fig-"]:visible').first, page.locator(BOX)
    link.evaluate("link => link.scrollIntoView({block: 'end'})")  # there is no room below it
    link.hover()
    box.wait_for(state="visible", timeout=3000)
    assert box.locator("img:visible").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert box.locator("img:visible").evaluate("image => getComputedStyle(image).filter") == "none"
    until(page, f"(({{top, bottom}}) => top >= 0 && bottom <= 900)({PREVIEW}.getBoundingClientRect())")
    box.hover()
    page.wait_for_timeout(400)
    assert box.is_visible()
    page.mouse.move(2, 2)
    box.wait_for(state="hidden", timeout=3000)
    link.hover()
    box.wait_for(state="visible", timeout=3000)
    page.keyboard.press("Escape")
    assert not box.is_visible()


@needs_browser
def test_no_paper_behind_a_root_sign_in_the_dark(page, address):
    """It is an svg in an output, as figures are, but stands on the ground of the page."""
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}book/05-writing-back.html")
    signs = page.locator(".cell_output .katex svg")
    assert set(signs.evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")) == {
        "rgba(0, 0, 0, 0)"
    }


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_preview_of_a_figure_with_sliders(scheme, page, address):
    """It has the picture that is chosen, in the page's colours, and nothing that changes it."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}book/09-sharing-neurons.html")
    name = page.locator("figure:has(.explore)").first.get_attribute("id")
    link, box = page.locator('.bd-article a.internal[href*="#"]:visible').first, page.locator(BOX)
    link.evaluate("(link, name) => { link.href = '#' + name; }", name)
    figure, part = controls(page)[0]
    before = str(picture(figure).get_attribute("alt"))
    by_key(part)
    expect(picture(figure)).not_to_have_attribute("alt", before)
    link.focus()
    box.wait_for(state="visible", timeout=3000)
    shown = str(picture(box).get_attribute("src"))
    assert shown == picture(figure).get_attribute("src")
    assert shown.endswith("-dark.svg") == (scheme == "dark")
    assert box.locator("input, output, button, .explore-said, .explore-link").count() == 0


@needs_browser
def test_previews_from_a_disk(browser):
    """A citation is on another page, whose file a page opened from a disk may load as well."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto((SITE / "book/01-storing.html").resolve().as_uri())
        page.locator('.bd-article a.internal[href^="references.html#"]').first.focus()
        page.wait_for_selector(f"{BOX}:not([hidden]) .citation", timeout=5000)


# --- Accessibility ----------------------------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(scheme, browser, address):
    """A preview, the results of a search, the search field, and the chapters of a phone's menu."""
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{address}book/15-compress-your-own.html")
        page.locator('.bd-article a.internal[href^="#fig-"]:visible').first.focus()
        page.wait_for_selector(f"{BOX}:not([hidden])")
        found = unfit(page)
        page.keyboard.press("Control+k")
        page.wait_for_selector("#pst-search-dialog[open]")
        found += unfit(page)
        page.goto(f"{address}search.html?q=staircase")
        page.wait_for_selector("#search-results li a")
        found += unfit(page)
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(f"{address}book/15-compress-your-own.html")
        page.locator(".primary-toggle:visible").first.click()
        page.wait_for_selector("#pst-primary-sidebar-modal[open]")
        found += unfit(page)
    assert not found, "\n".join(found)


@needs_browser
def test_what_scrolls_can_be_scrolled_by_key(browser, address):
    with browser.new_context(viewport={"width": 360, "height": 780}) as context:
        page = context.new_page()
        page.goto(f"{address}book/claims.html")
        page.evaluate("""() => { // no table of the book is so wide
            const box = document.querySelector('.pst-scrollable-table-container');
            Object.assign(box.firstElementChild.style, {display: 'block', width: '2000px', maxWidth: 'none'});
            dispatchEvent(new Event('resize'));
        }""")
        box = page.locator('.pst-scrollable-table-container[tabindex="0"]').first
        expect(box).to_have_attribute("aria-label", "Table, scrolls sideways")
        box.focus()
        page.keyboard.press("ArrowRight")
        until(page, "document.activeElement.scrollLeft > 0")


@needs_browser
def test_motion_is_left_out_where_it_is_not_wanted(browser, address):
    """The longest movement of anything on a page, in seconds."""
    times = {}
    for wish in ("reduce", "no-preference"):
        with browser.new_context(reduced_motion=wish) as context:
            page = context.new_page()
            page.goto(f"{address}book/09-sharing-neurons.html")
            times[wish] = page.evaluate(LONGEST)
            assert (
                page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto" or wish != "reduce"
            )
    assert times["reduce"] < 0.001 < times["no-preference"]


def test_colour_is_never_the_only_cue():
    """Seven curves of a figure: seven colours, and as many markers and dashes."""
    series = [figures.both(str(i), [1.0, 2.0], [float(i), i + 1.0]) for i in range(7)]
    lines = figures.curves(series, "x", "y").axes[0].lines
    assert len({line.get_color() for line in lines}) == 7
    assert len({str(line.get_marker()) for line in lines} - {"None"}) == 7
    assert len({str(vars(line)["_unscaled_dash_pattern"]) for line in lines if line.get_linestyle() != "None"}) == 7


# --- Getting about, and paper -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_previous_and_next(name):
    at = PAGES.index(name)
    for kind, place in (("left-prev", at - 1), ("right-next", at + 1)):
        link = html(name).select_one(f".prev-next-footer a.{kind}")
        if 0 <= place < len(PAGES):
            assert link
            path = posixpath.join(posixpath.dirname(name), str(link["href"]))
            assert posixpath.normpath(path) == f"{PAGES[place]}.html"
        else:
            assert link is None
