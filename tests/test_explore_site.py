"""Figures with sliders on the pages, in a browser: by key and mouse, and without a script (touch: see test_devices.py).

Every page of the book that has such a figure is tested, and every figure and slider on it.
"""

import json
from urllib.parse import urljoin

import pytest
from browser import listen, needs_browser
from built_book import NUMBERED, PAGES, SITE, article
from playwright.sync_api import expect
from sliders import at_end, by_key, by_mouse, sliders, try_all

PATHS = {name: SITE / f"{name}.html" for name in PAGES}
EXPLORED = ["index", *(p for p in PAGES[1:] if PATHS[p].exists() and 'class="explore ' in PATHS[p].read_text())]
ANSWER = 50  # ms from a slider's move until the next frame is painted
TIMED = """(input, step) => new Promise(done => {
    const image = input.closest('.explore').querySelector('.scheme-light img');
    const before = image.src, start = performance.now();
    input.value = Number(input.value) + step;
    input.dispatchEvent(new Event('input', {bubbles: true}));
    if (image.src === before) throw new Error('the picture is the same');
    const painted = () => done(performance.now() - start);
    image.decode().then(() => requestAnimationFrame(() => setTimeout(painted))); // a task after the frame
})"""

on_each_page = pytest.mark.parametrize("name", EXPLORED)


@needs_browser
@on_each_page
def test_sliders(name, browser, address):
    """Key and mouse move every slider, a listener is told, and the next frame is there at once.

    Until one is touched a page has loaded nothing but the first frames; those beside the shown one load when a slider
    is reached.
    """
    faults: list[str] = []
    frames: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.on("request", lambda request: frames.append(request.url) if "/explore/" in request.url else None)
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        first = page.locator(".drawn img:visible").evaluate_all("images => images.map(image => image.currentSrc)")
        assert set(frames) <= set(first)
        for box in page.locator(".explore").all():
            folder = str(box.get_attribute("data-folder")).lstrip("./")
            with page.expect_request(lambda request, folder=folder: folder in request.url, timeout=5000):
                box.locator("input").first.focus()
            for slider in box.locator("input").all():
                step = -1 if at_end(slider) else 1
                assert any(slider.evaluate(TIMED, step * sign) < ANSWER for sign in (1, -1) * 4)
        assert set(frames) > set(first)
        try_all(page, by_key, by_mouse)
        for box, slider in sliders(page):
            by_key(slider)
            expect(box.locator("[aria-live=polite]")).to_have_text(str(box.locator("img:visible").get_attribute("alt")))
            assert page.get_by_label(page.locator(f'label[for="{slider.get_attribute("id")}"]').inner_text()).count()
    assert not faults


@needs_browser
@on_each_page
def test_without_a_script(name, browser, address):
    """The first frame, the caption and the data are there, and no slider that does nothing."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box in page.locator(".explore").all():
            assert box.locator("img:visible").count() == 1
            assert box.locator("xpath=ancestor::figure").locator("figcaption").inner_text().strip()
            assert not [slider for slider in box.locator("input").all() if slider.is_visible()]
            link = box.locator("noscript a")
            assert link.is_visible()
            data = page.request.get(urljoin(page.url, link.get_attribute("href")))
            told = [[frame["file"], frame["alt"]] for frame in data.json()["frames"]]
            assert told == json.loads(str(box.get_attribute("data-frames")))


@on_each_page
def test_every_frame_says_what_it_shows(name):
    for box in article(name).select("figure[id] .explore"):
        frames = json.loads(str(box["data-frames"]))
        assert 2 <= len(frames) <= 60
        assert len({alt for _, alt in frames}) == len(frames), "two frames of a figure say the same"
        assert all((PATHS[name].parent / str(box["data-folder"]) / file).is_file() for file, _ in frames)


@on_each_page
def test_offered_notebook_has_the_first_frame_alone(name):
    text = (SITE / f"_sources/{name}.ipynb").read_text()
    assert "application/vnd.superpos.explore+json" not in text
    assert "application/vnd.superpos.pictures+json" not in text
    for figure in article(name).select("figure:has(.explore)"):
        assert text.count(f'<div data-figure=\\"{figure["id"]}\\"><img alt=') == 1


@pytest.mark.parametrize("name", ["index", *NUMBERED])
def test_page_has_a_figure_that_answers(name):
    assert article(name).select("figure[id] .explore")
