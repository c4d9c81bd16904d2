"""Every page in a browser, on a phone and from a disk."""

import pytest
from browser import listen, needs_browser
from built_book import PAGES, SITE, html
from sliders import by_key, by_touch, controls, try_all
from visits import OPEN, misplaced, shifted, too_wide

BUILT = [*PAGES, "search"]
LEAST = 360  # pixels
MOST = 0.01  # layout shift
FONT = """() => document.fonts.ready.then(() =>
    [...document.fonts].some(font => font.family === 'KaTeX_Main' && font.status === 'loaded'))"""

HEIGHTS = "all => all.map(one => one.getBoundingClientRect().height)"

pytestmark = needs_browser


@pytest.mark.parametrize("name", BUILT)
def test_on_a_phone(name, browser, address):
    """Nothing moves, nothing is wider than 360 pixels, all folds opened, and a finger changes every figure."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": LEAST, "height": 780}, is_mobile=True, has_touch=True) as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.goto(f"{address}{name}.html")
        assert shifted(page) <= MOST
        assert len(controls(page)) == len(html(name).select(".explore [data-values]"))
        heights = page.locator(".explore :is(input, button)").evaluate_all(HEIGHTS)
        assert not [height for height in heights if height < 40], "too small for a finger"
        try_all(page, by_touch)
        page.evaluate(OPEN)
        assert not too_wide(page)
        assert not misplaced(page, LEAST)
    assert not faults


@pytest.mark.parametrize("name", BUILT)
def test_from_a_disk(name, browser):
    """Without a server as well: no error, nothing that fails to load, KaTeX's fonts, figures that answer."""
    faults: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, SITE.resolve().as_uri(), faults, name)
        page.on("requestfailed", lambda request: faults.append(f"{name}: {request.url} fails"))
        page.goto((SITE / f"{name}.html").resolve().as_uri(), wait_until="load")
        if html(name).select_one("article .katex"):
            assert page.evaluate(FONT)
        try_all(page, by_key)
    assert not faults
