"""Figures with sliders on the pages, in a browser: by key, mouse and touch, from a disk, and without a script."""

import json
from collections.abc import Iterator

import pytest
from browser import chromium, listen, needs_browser, served
from built_book import NUMBERED, SITE, article, cells
from playwright.sync_api import Browser, Locator, Page, Position

PAGES = ["index", *NUMBERED]
ANSWER = 50  # ms from a slider's move to the next frame painted
TIMED = """([box, up]) => new Promise(done => {
    const input = box.querySelector('input'), image = box.querySelector('img');
    const start = performance.now();
    input.value = Number(input.value) + up;
    input.dispatchEvent(new Event('input', {bubbles: true}));
    image.decode().then(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as found:
        yield found


def told(box: Locator, slider: Locator) -> tuple[str | None, ...]:
    """All that a move of the slider must change: the picture, its alt text, and what the slider says."""
    image, name = box.locator("img"), slider.get_attribute("id")
    said = box.locator(f'output[for="{name}"]').inner_text()
    return image.get_attribute("src"), image.get_attribute("alt"), said, slider.get_attribute("aria-valuetext")


def moved(box: Locator, slider: Locator, move: str) -> None:
    """Move the slider, and see that all has changed and that the new picture is there."""
    before = told(box, slider)
    if move == "key":
        at_end = slider.input_value() == slider.get_attribute("max")
        slider.press("ArrowLeft" if at_end else "ArrowRight")
    else:
        room = slider.bounding_box()
        assert room
        at_end = slider.input_value() == slider.get_attribute("max")
        position = Position(x=3 if at_end else room["width"] - 3, y=room["height"] / 2)
        slider.tap(position=position) if move == "touch" else slider.click(position=position)
    after = told(box, slider)
    assert not [a for a, b in zip(before, after, strict=True) if a == b]
    box.locator("img").evaluate("image => image.decode()")
    assert box.locator("img").evaluate("image => image.naturalWidth") > 0


def try_all(page: Page, move: str) -> int:
    boxes = page.locator(".explore").all()
    for box in boxes:
        for slider in box.locator("input[type=range]").all():
            moved(box, slider, move)
    return len(boxes)


@needs_browser
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("move", ["key", "mouse", "touch"])
def test_every_slider_answers(name, move, browser, address):
    faults: list[str] = []
    touch = {"has_touch": True, "viewport": {"width": 390, "height": 800}} if move == "touch" else {}
    with browser.new_context(**touch) as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.goto(f"{address}{name}.html")
        assert try_all(page, move) >= 1
    assert not faults


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_later_frames_wait_and_the_next_is_quick(name, browser, address):
    asked: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        boxes = page.locator(".explore").all()
        assert len([url for url in asked if "/explore/" in url]) <= len(boxes)  # the first frame of each
        for box in boxes:
            box.locator("input").first.focus()
            page.wait_for_load_state("networkidle")
            handle = box.element_handle()
            at_end = box.locator("input").first.evaluate("input => input.value === input.max")
            times = [page.evaluate(TIMED, [handle, up]) for up in [-1 if at_end else 1, 1 if at_end else -1] * 3]
            assert min(times) < ANSWER


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_sliders_answer_from_a_disk(name, browser):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((SITE / f"{name}.html").resolve().as_uri())
        assert try_all(page, "key") >= 1


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_without_a_script(name, browser, address):
    """The first frame, the caption and the data are there, and no slider that does nothing."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box in page.locator(".explore").all():
            assert box.locator("img").is_visible()
            assert box.locator("xpath=ancestor::figure").locator("figcaption").inner_text().strip()
            assert not box.locator("input").first.is_visible()
            link = box.locator("noscript a")
            assert link.is_visible()
            data = page.request.get(f"{address}{name}.html".rsplit("/", 1)[0] + "/" + str(link.get_attribute("href")))
            assert data.ok
            assert len(data.json()["frames"]) == len(json.loads(str(box.get_attribute("data-frames"))))


@pytest.mark.parametrize("name", PAGES)
def test_page_has_a_figure_that_answers(name):
    figures = article(name).select("figure[id] .explore")
    assert figures
    for figure in figures:
        frames = json.loads(str(figure["data-frames"]))
        assert 2 <= len(frames) <= 60
        assert len({alt for _, alt in frames}) == len(frames), "two frames of a figure say the same"


@pytest.mark.parametrize("name", PAGES)
def test_offered_notebook_is_light(name):
    """The notebook to download has the first frame of a figure, not all of them."""
    path = SITE / f"_sources/{name}.ipynb"
    assert "application/vnd.superpos.explore+json" not in path.read_text()
    assert cells(name)
