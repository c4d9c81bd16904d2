"""Light and dark from the first moment, also without JavaScript, where no control is dead; the focus comes back."""

from collections.abc import Iterator

import pytest
from browser import needs_browser
from playwright.sync_api import Browser, Page, ViewportSize
from superbook import schemes

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 800}
# How things of one kind look, by their kind; scripts add some things of their own, and figures that they change.
LOOKS = """() => {
    const looks = {};
    for (const tag of document.querySelectorAll('html, body, body *')) {
        if (tag.closest('button, .explore, .katex-html, dialog, noscript')) continue;
        const style = getComputedStyle(tag), kind = `${tag.localName}.${tag.className}`;
        const look = [style.color, style.backgroundColor, style.backgroundImage, style.borderLeftColor, style.filter,
            style.colorScheme, style.fontWeight, style.fontStyle].join(' ');
        looks[kind] = [...new Set([...looks[kind] ?? [], look])].sort();
    }
    return looks;
}"""
OPERABLE = """() => [...document.querySelectorAll('button, input, select, textarea, [role=button], [role=slider]')]
    .filter(tag => tag.checkVisibility({visibilityProperty: true}))
    .map(tag => tag.getAttribute('aria-label') ?? tag.textContent.trim())"""
FOCUSED = "document.activeElement.className"


# --- The sheet for pages without scripts ------------------------------------------------------------------------------

SHEET = """a{color:red} html[data-theme="light"] a , b{color:blue}
/* [data-theme=dark] */
@media (max-width:1px){html[data-theme=dark] a{content:"}"} b{c:d}}
:is(html, body)[data-theme='dark'] a, html[data-theme=light] c{color:white}"""


def test_rules_that_ask_for_a_scheme_ask_the_system():
    light, dark = schemes.without_scripts([SHEET, "p{color:red}"]).split("@media screen")
    assert light.split("\n")[1:-2] == ["html[data-theme=auto] a{color:blue}", "html[data-theme=auto] c{color:white}"]
    assert light.startswith("@media print, (prefers-color-scheme: light) {")
    assert dark.split("\n")[1:3] == [
        '@media (max-width:1px){html[data-theme=auto] a{content:"}"}}',
        ":is(html, body)[data-theme=auto] a{color:white}",
    ]


def test_sheets_of_all_pages_keep_their_order():
    assert schemes.merged([["a", "c"], ["a", "b", "c"], ["b", "d"]]) == ["a", "b", "d", "c"]


def test_a_page_without_the_theme_is_left_alone():
    assert schemes.lighten("<html><head></head></html>") == "<html><head></head></html>"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["book/09-sharing-neurons", "search"])
def test_without_scripts_every_colour_is_that_of_the_system(name, scheme, browser, address):
    """Text, links, grounds, rules and highlighted code look as they do with scripts, which add a few things."""
    found: dict[bool, dict[str, list[str]]] = {}
    for scripts in (True, False):
        look = {"color_scheme": scheme, "viewport": WIDE, "reduced_motion": "reduce", "java_script_enabled": scripts}
        with browser.new_context(**look) as context:
            page = context.new_page()
            page.goto(f"{address}{name}.html")
            found[scripts] = page.evaluate(LOOKS)
    both = {kind for kind in found[True].keys() & found[False].keys() if not kind.startswith("html")}
    assert len(both) > 20
    other = {kind: set(found[False][kind]) - set(found[True][kind]) for kind in both}
    assert not {kind: (looks, found[True][kind]) for kind, looks in other.items() if looks}
    assert any(kind.startswith("a.") for kind in both)


@needs_browser
def test_without_scripts_paper_is_white(browser, address):
    with browser.new_context(color_scheme="dark", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}book/09-sharing-neurons.html")
        grounds = []
        for media in ("screen", "print"):
            page.emulate_media(media=media)
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1] == "rgb(255, 255, 255)"


# --- From the first moment --------------------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize(
    ("stored", "system", "theme"),
    [
        ({}, "dark", "dark"),
        ({}, "light", "light"),
        ({"mode": "auto", "theme": "light"}, "dark", "dark"),  # the system was light at the last visit
        ({"mode": "auto", "theme": "dark"}, "light", "light"),
        ({"mode": "light", "theme": "light"}, "dark", "light"),
        ({"mode": "dark", "theme": "dark"}, "light", "dark"),
        ({"mode": "purple"}, "dark", "dark"),
        (None, "dark", "dark"),  # a reader who allows no storage
    ],
)
def test_no_page_begins_in_the_wrong_scheme(stored, system, theme, browser, address):
    """Before the theme's script runs, which is kept away here, the page has the scheme that it gives."""
    with browser.new_context(color_scheme=system) as context:
        page = context.new_page()
        page.route("**/pydata-sphinx-theme.js*", lambda route: route.abort())
        if stored is None:
            page.add_init_script(
                "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('forbidden'); }})"
            )
        page.goto(f"{address}book/cite.html")
        for name, value in (stored or {}).items():
            page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, value])
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        dark = page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        assert dark == (theme == "dark")


# --- No dead control --------------------------------------------------------------------------------------------------


@pytest.fixture
def still(browser: Browser) -> Iterator[Page]:
    """A page of a phone without JavaScript."""
    with browser.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield context.new_page()


@needs_browser
@pytest.mark.parametrize("name", ["index", "book/09-sharing-neurons", "book/cite", "book/api", "search"])
def test_without_scripts_no_control_is_dead(name, still, address):
    """What is left opens the list of files, which the focus alone does; nothing is wider than the window."""
    still.goto(f"{address}{name}.html")
    for size in (PHONE, WIDE):
        still.set_viewport_size(size)
        assert set(still.evaluate(OPERABLE)) <= {"Download this page"}
        assert still.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for menu in still.locator(".dropdown > button").all():
        menu.focus()
        assert still.locator('.dropdown-menu a[href$=".md"]').is_visible()


@needs_browser
def test_without_scripts_the_contents_are_there(still, address):
    still.goto(f"{address}book/09-sharing-neurons.html")
    assert still.locator("#pst-secondary-sidebar a").first.is_visible()
    still.get_by_role("link", name="All chapters").click()
    chapter = still.locator("#pst-primary-sidebar").get_by_role("link", name="10. Conditional rotations")
    box = chapter.bounding_box()
    assert box
    assert 0 <= box["x"] < PHONE["width"]
    chapter.click()
    assert still.url.endswith("book/10-rotations.html")


@needs_browser
def test_without_scripts_the_search_page_offers_the_contents(still, address):
    still.goto(f"{address}search.html?q=sigma")
    assert not still.locator("input:visible").count()
    assert "needs JavaScript" in still.locator(".bd-search-container").inner_text()
    assert still.locator("#search-contents a").count() > 15
    still.locator("#search-contents").get_by_role("link", name="9. Sharing neurons carefully").click()
    assert still.url.endswith("book/09-sharing-neurons.html")


# --- The focus comes back ---------------------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("opened", [".primary-toggle", ".secondary-toggle", ".search-button"])
@pytest.mark.parametrize("way", ["click", "Enter"])
def test_focus_returns_to_the_button(opened, way, browser, address):
    """The menu, the contents of the page and the search field of a phone, closed by Escape."""
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(f"{address}book/15-compress-your-own.html")
        button = page.locator(f"{opened}:visible").first
        button.click() if way == "click" else button.press("Enter")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]", state="detached")
        assert opened[1:] in page.evaluate(FOCUSED)


@needs_browser
@pytest.mark.parametrize("pressed", [".theme-switch-button", ".primary-toggle"])
def test_focus_stays_on_the_button(pressed, browser, address):
    """What opens no dialog can be pressed twice by key."""
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto(f"{address}book/cite.html")
        page.locator(f"{pressed}:visible").first.press("Enter")
        page.wait_for_timeout(50)
        assert pressed[1:] in page.evaluate(FOCUSED)
