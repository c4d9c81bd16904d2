"""Figures with sliders on the pages, in a browser: by key and mouse, and without a script (touch: see test_devices.py).

Every page of the book that has such a figure is tested, and every figure and slider on it.
"""

import json
import re
from urllib.parse import urljoin

import pytest
from browser import listen, needs_browser
from built_book import NUMBERED, PAGES, SITE, article
from playwright.sync_api import expect
from sliders import by_key, by_mouse, controls, picture, try_all
from visits import slow

PATHS = {name: SITE / f"{name}.html" for name in PAGES}
EXPLORED = ["index", *(p for p in PAGES[1:] if PATHS[p].exists() and 'class="explore ' in PATHS[p].read_text())]
ANSWER = 50  # ms from a slider's move until the next frame is painted
TIMED = """part => new Promise(done => {
    const box = part.closest('.explore'), shown = () => [...box.querySelectorAll('img')].find(i => i.checkVisibility());
    const before = shown().alt, start = performance.now();
    const [input, ...more] = part.querySelectorAll('input:not(:checked)');
    new MutationObserver((_, seen) => {
        if (shown().alt === before) return;
        seen.disconnect();
        const painted = () => done(performance.now() - start);
        shown().decode().then(() => requestAnimationFrame(() => setTimeout(painted))); // a task after the frame
    }).observe(box, {subtree: true, childList: true, attributes: true});
    if (input?.type === 'radio') input.click();
    else if (!input) [...part.querySelectorAll('button')].findLast(b => b.ariaDisabled !== 'true').click();
    else {
        input.value = Number(input.value) + (input.value === input.max ? -1 : 1);
        input.dispatchEvent(new Event('input', {bubbles: true}));
    }
})"""

# What the first figure says at each change of it, with the picture it shows: file, file of the alt text, values.
WATCHED = """([far]) => new Promise(done => {
    const box = document.querySelector('.explore'), frames = JSON.parse(box.dataset.frames), seen = [];
    const look = () => {
        const image = [...box.querySelectorAll('img')].find(i => i.checkVisibility());
        const texts = [...box.querySelectorAll('output, .explore-story p')].map(t => t.textContent).join();
        const now = [image.currentSrc.split('/').at(-1), frames.find(f => f[1] === image.alt)[0], texts];
        if (image.complete && JSON.stringify(now) !== JSON.stringify(seen.at(-1))) seen.push(now);
    };
    look();
    const part = box.querySelector('[data-values]'), input = part.querySelector('input');
    if (input) {
        input.value = input.value === input.max ? 0 : input.max;
        input.dispatchEvent(new Event('input', {bubbles: true}));
    } else part.querySelectorAll('button')[1].click();
    const start = performance.now(), each = () => {
        look();
        performance.now() - start < 2500 ? requestAnimationFrame(each) : done(seen);
    };
    each();
})"""

on_each_page = pytest.mark.parametrize("name", EXPLORED)


@needs_browser
@on_each_page
def test_figures_answer(name, browser, address):
    """By key and mouse, a listener is told, and the next frame is there at once.

    Until one is touched a page has loaded nothing but the first frames; those beside the shown one load when something
    is reached that changes it.
    """
    faults: list[str] = []
    frames: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, address, faults, name)
        page.on("request", lambda request: frames.append(request.url) if ".svg" in request.url else None)
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        first = page.locator(".drawn img:visible").evaluate_all("images => images.map(image => image.currentSrc)")
        assert {url for url in frames if "/explore/" in url} <= set(first)
        for box in page.locator(".explore").all():
            folder = str(box.get_attribute("data-folder")).lstrip("./")
            with page.expect_request(lambda request, folder=folder: folder in request.url, timeout=5000):
                box.locator("input, button").first.focus()
            for part in box.locator("[data-values]").all():
                assert any(part.evaluate(TIMED) < ANSWER for _ in range(8))
        try_all(page, by_key, by_mouse)
        for box, part in controls(page):
            before = str(picture(box).get_attribute("alt"))
            by_key(part)
            expect(picture(box)).not_to_have_attribute("alt", before)  # it comes when it is there
            expect(box.locator("[aria-live=polite]")).to_have_text(str(picture(box).get_attribute("alt")))
            for label in part.locator("label").all():
                assert page.get_by_label(label.inner_text(), exact=True).count()
    assert not faults


@needs_browser
@on_each_page
def test_without_a_script(name, browser, address):
    """The first frame, the caption, all pictures as links and the data are there, and nothing that does nothing."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for box in page.locator(".explore").all():
            assert picture(box).count() == 1
            assert box.locator("xpath=ancestor::figure").locator("figcaption").inner_text().strip()
            assert not box.locator("input:visible, button:visible, .explore-link:visible").count()
            frames = json.loads(str(box.get_attribute("data-frames")))
            links = box.locator("noscript li a").evaluate_all("all => all.map(link => link.getAttribute('href'))")
            assert [link.rpartition("/")[2] for link in links] == [file for file, _ in frames]
            link = box.locator("noscript > p a")
            assert link.is_visible()
            data = page.request.get(urljoin(page.url, link.get_attribute("href")))
            assert [[frame["file"], frame["alt"]] for frame in data.json()["frames"]] == frames


@on_each_page
def test_kinds_have_buttons_and_stories_steps(name):
    """A slider is for a quantity; each step of a story has a sentence of its own."""
    for box in article(name).select("figure[id] .explore"):
        for part in box.select("[data-values]"):
            texts = json.loads(str(part["data-texts"]))
            numbers = [re.fullmatch(r"-?[\d,.]+", text) is not None for text in texts]
            assert all(numbers) if part["class"] == ["explore-slider"] else not all(numbers), texts
        if box.select_one(".explore-story"):
            sentences = [item.get_text().partition(". ")[2].strip() for item in box.select("noscript li")]
            assert all(len(sentence.split()) > 3 for sentence in sentences), sentences


def test_the_stories_of_the_book_have_steps():
    found = {str(box["id"]) for name in EXPLORED for box in article(name).select("figure:has(.explore-story)")}
    assert found == {"fig-murmur", "fig-loop", "fig-columns"}


@needs_browser
@pytest.mark.parametrize("name", ["index", "book/07-many-layers"])
def test_on_a_slow_network(name, browser, address):
    """1.6 Mbit/s, 150 ms: what the figure says is never ahead of its picture, and the chosen one comes first."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        box, _ = controls(page)[0]
        box.scroll_into_view_if_needed()
        expect(picture(box)).to_have_js_property("complete", True)
        slow(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        seen = page.evaluate(WATCHED, [name == "index"])
        assert len(seen) == 2, seen  # before and after
        assert all(file == alts for file, alts, _ in seen), seen
        assert seen[0][2] != seen[1][2]
        assert asked[0] == seen[1][0].rpartition("/")[2]


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_the_light_pictures(scheme, browser, address):
    """Of a page that was never scrolled, also from the dark: the browser loads the rest for the paper."""
    with browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.rpartition("_images/")[2]))
        page.goto(f"{address}book/07-many-layers.html", wait_until="networkidle")
        before = len(asked)
        page.pdf(format="A4")
        light = article("book/07-many-layers").select(".scheme-light img")
        drawn = {f"{image['src']}".rpartition("_images/")[2] for image in light}
        assert drawn <= set(asked)
        assert drawn & set(asked[before:]), "none was left to load"


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
