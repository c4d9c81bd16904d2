"""Figures with sliders on the pages, in a browser: by key, mouse and touch, from a disk, and without a script.

Every page of the book that has such a figure is tested, and every figure and slider on it.
"""

import json
from collections.abc import Callable
from urllib.parse import urljoin

import pytest
from browser import listen, needs_browser
from built_book import NUMBERED, PAGES, SITE, article
from playwright.sync_api import Locator, Page, expect

PATHS = {name: SITE / f"{name}.html" for name in PAGES}
EXPLORED = ["index", *(p for p in PAGES[1:] if PATHS[p].exists() and 'class="explore"' in PATHS[p].read_text())]
ANSWER = 50  # ms from a slider's move until the next frame is painted
TIMED = """(input, step) => new Promise(done => {
    const image = input.closest('.explore').querySelector('img');
    const before = image.src, start = performance.now();
    input.value = Number(input.value) + step;
    input.dispatchEvent(new Event('input', {bubbles: true}));
    if (image.src === before) throw new Error('the picture is the same');
    const painted = () => done(performance.now() - start);
    image.decode().then(() => requestAnimationFrame(() => setTimeout(painted))); // a task after the frame
})"""
LOADED = "image => image.decode().then(() => image.naturalWidth > 0)"

on_each_page = pytest.mark.parametrize("name", EXPLORED)


def sliders(page: Page) -> list[tuple[Locator, Locator]]:
    """Every figure of the page with each of its sliders."""
    found = [(box, slider) for box in page.locator(".explore").all() for slider in box.locator("input").all()]
    assert found
    return found


def told(box: Locator, slider: Locator) -> list[str | None]:
    """All that a move of the slider must change: the picture, its alt text, and what the slider says, twice."""
    image, said = box.locator("img"), box.locator(f'output[for="{slider.get_attribute("id")}"]')
    seen = [image.get_attribute("src"), image.get_attribute("alt")]
    return [*seen, said.inner_text(), slider.get_attribute("aria-valuetext")]


def try_all(page: Page, *moves: Callable[[Locator], None]) -> None:
    """Each move of each slider changes all that it must, to a picture that is there."""
    for box, slider in sliders(page):
        for move in moves:
            before = told(box, slider)
            move(slider)
            after = told(box, slider)
            assert not [a for a, b in zip(before, after, strict=True) if a == b], move.__name__
            assert after[2] == after[3]
            assert box.locator("img").evaluate(LOADED)


def at_end(slider: Locator) -> bool:
    return slider.input_value() == slider.get_attribute("max")


def by_key(slider: Locator) -> None:
    slider.press("ArrowLeft" if at_end(slider) else "ArrowRight")


def other_end(slider: Locator) -> tuple[float, float]:
    """A place on the slider: its right end, or the left one if it stands at the right."""
    slider.scroll_into_view_if_needed()
    room = slider.bounding_box()
    assert room
    return (3 if at_end(slider) else room["width"] - 3), room["height"] / 2


def by_mouse(slider: Locator) -> None:
    """Drag from the middle to an end."""
    (x, y), room = other_end(slider), slider.bounding_box()
    assert room
    mouse = slider.page.mouse
    mouse.move(room["x"] + room["width"] / 2, room["y"] + y)
    mouse.down()
    mouse.move(room["x"] + x, room["y"] + y, steps=4)
    mouse.up()


def by_touch(slider: Locator) -> None:
    x, y = other_end(slider)
    slider.tap(position={"x": x, "y": y})


@needs_browser
@on_each_page
def test_key_and_mouse(name, browser, address):
    """They move every slider, and until then a page has loaded nothing but the first frames."""
    faults: list[str] = []
    frames: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.on("request", lambda request: frames.append(request.url) if "/explore/" in request.url else None)
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        first = page.locator(".explore > img").evaluate_all("images => images.map(image => image.src)")
        assert set(frames) <= set(first)
        try_all(page, by_key, by_mouse)
        assert set(frames) > set(first)
    assert not faults


@needs_browser
@on_each_page
def test_touch_on_a_phone(name, browser, address):
    faults: list[str] = []
    with browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.goto(f"{address}{name}.html")
        for _, slider in sliders(page):
            room = slider.bounding_box()
            assert room
            assert room["height"] >= 40, "too small for a finger"
        try_all(page, by_touch)
    assert not faults


@needs_browser
@on_each_page
def test_the_next_frame_is_quick(name, browser, address):
    """Frames beside the shown one load when a slider is reached, and then answer at once: best of several moves."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box in page.locator(".explore").all():
            folder = str(box.get_attribute("data-folder")).lstrip("./")
            with page.expect_request(lambda request, folder=folder: folder in request.url, timeout=5000):
                box.locator("input").first.focus()
            for slider in box.locator("input").all():
                step = -1 if at_end(slider) else 1
                assert min(slider.evaluate(TIMED, step * sign) for sign in (1, -1) * 4) < ANSWER


@needs_browser
@on_each_page
def test_a_listener_is_told(name, browser, address):
    """What a new frame shows is said to those who cannot see it, once the slider rests."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box, slider in sliders(page):
            by_key(slider)
            said = box.locator("[aria-live=polite]")
            expect(said).to_have_text(str(box.locator("img").get_attribute("alt")))
            assert page.get_by_label(page.locator(f'label[for="{slider.get_attribute("id")}"]').inner_text()).count()


@needs_browser
@on_each_page
def test_from_a_disk(name, browser):
    faults: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, SITE.resolve().as_uri(), faults, name)
        page.goto(PATHS[name].resolve().as_uri())
        try_all(page, by_key)
    assert not faults


@needs_browser
@on_each_page
def test_without_a_script(name, browser, address):
    """The first frame, the caption and the data are there, and no slider that does nothing."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box in page.locator(".explore").all():
            assert box.locator("img").is_visible()
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
    for figure in article(name).select("figure:has(.explore)"):
        assert text.count(f'<div data-figure=\\"{figure["id"]}\\"><img alt=') == 1


@pytest.mark.parametrize("name", ["index", *NUMBERED])
def test_page_has_a_figure_that_answers(name):
    assert article(name).select("figure[id] .explore")
