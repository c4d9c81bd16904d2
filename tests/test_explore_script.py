"""Figures that answer, in a browser: what happens between a choice and its picture, and when there is none.

The pages are made by explored.py; those of the book are looked at in test_explore_site.py.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import explored
import pytest
from browser import needs_browser, served, until
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

pytestmark = needs_browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explored")
    explored.write(made)
    return made


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[str]:
    with served(folder) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1000, "height": 900}) as found:
        yield found


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


class Held:
    """Pictures that the page has asked for and is not given until the test lets them go."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.waiting: dict[str, Route] = {}
        page.route("**/fig-sizes/*.svg", self._hold)

    def _hold(self, route: Route) -> None:
        name = route.request.url.rpartition("explore/")[2]
        self.asked.append(name)
        self.waiting[name] = route

    def give(self, name: str) -> None:
        self.waiting.pop(name).continue_()


# A move alone: to touch a slider, or to reach it by key, is reason enough to load its neighbours.
MOVED = "(input, k) => { input.value = k; input.dispatchEvent(new Event('input', {bubbles: true})); }"


def sizes(page: Page) -> Locator:
    return page.locator("#fig-sizes .explore")


def says(box: Locator) -> dict[str, str | None]:
    """What the figure says: picture, alt text, the values beside it, whether it waits."""
    image = box.locator("img:visible")
    texts = box.locator("output, .explore-story p").all_inner_texts()
    return {
        "file": str(image.evaluate("image => image.currentSrc")).rpartition("/")[2],
        "alt": image.get_attribute("alt"),
        "value": texts[0],
        "busy": box.get_attribute("aria-busy"),
    }


def opened(page: Page, address: str) -> Locator:
    page.goto(address)
    box = sizes(page)
    box.scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('#fig-sizes img')].some(i => i.checkVisibility() && i.complete)")
    return box


def asks(page: Page, held: Held, name: str) -> None:
    for _ in range(100):
        if name in held.waiting:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{name} is not asked for, but {held.asked}")


def test_figure_changes_in_one_step(page, home):
    """Until the picture is there the old one stays with its text and its value; only the chosen one is asked for."""
    box = opened(page, home)
    before = says(box)
    assert before == {"file": "3.svg", "alt": "T is 2, how is sparse.", "value": "2", "busy": None}
    held = Held(page)
    slider = box.locator("input[type=range]")
    slider.evaluate(MOVED, 4)
    asks(page, held, "fig-sizes/9.svg")
    expect(box).to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(300)  # nothing else is asked for
    assert says(box) == before | {"busy": "true"}
    assert held.asked == ["fig-sizes/9.svg"], "something competes with the chosen frame"
    assert slider.get_attribute("aria-valuetext") == "1024"  # the thumb's own words follow the thumb
    assert box.evaluate("box => getComputedStyle(box, '::before').opacity") == "1"
    held.give("fig-sizes/9.svg")
    expect(box).not_to_have_attribute("aria-busy", "true")
    assert says(box) == {"file": "9.svg", "alt": "T is 1024, how is sparse.", "value": "1024", "busy": None}
    assert box.evaluate("box => getComputedStyle(box, '::before').opacity") == "0"


def test_neighbours_come_after_and_one_by_one(page, home):
    """In the direction of the move first; each waits for the one before."""
    box = opened(page, home)
    held = Held(page)
    box.locator("input[type=range]").evaluate(MOVED, 2)  # T = 4: frames 4 and 5
    for name in ("5", "7", "9", "3"):
        if name != "3":  # the start is loaded already
            asks(page, held, f"fig-sizes/{name}.svg")
            box.dispatch_event("pointerenter")  # as a pointer does that comes back; it loads no other one
            page.wait_for_timeout(100)
            assert [*held.waiting] == [f"fig-sizes/{name}.svg"]
            held.give(f"fig-sizes/{name}.svg")


def test_a_frame_that_is_not_wanted_any_more_is_not_waited_for(page, home):
    box = opened(page, home)
    dropped: list[str] = []
    page.on("requestfailed", lambda request: dropped.append(request.url.rpartition("/")[2]))
    held = Held(page)
    slider = box.locator("input[type=range]")
    slider.press("ArrowRight")
    asks(page, held, "fig-sizes/5.svg")
    slider.press("End")
    asks(page, held, "fig-sizes/9.svg")
    held.give("fig-sizes/9.svg")
    expect(box.locator("img:visible")).to_have_attribute("alt", "T is 1024, how is sparse.")
    assert dropped == ["5.svg"]
    assert not box.locator(".explore-fault").is_visible()
    slider.press("ArrowLeft")
    slider.press("End")  # back to what is shown: nothing is waited for
    expect(box).not_to_have_attribute("aria-busy", "true")
    assert says(box)["alt"] == "T is 1024, how is sparse."


def test_an_error_keeps_the_figure_and_says_so(page, home, context):
    box = opened(page, home)
    before, slider = says(box), box.locator("input[type=range]")
    context.set_offline(True)
    slider.press("End")
    fault = box.locator(".explore-fault")
    expect(fault).to_have_text(re.compile("“1024” could not be loaded"))
    assert fault.get_attribute("role") == "status"
    assert says(box) == before
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == ("1", "2")
    box.get_by_label("dense").click()
    expect(fault).to_have_text(re.compile("“dense” could not be loaded"))
    assert box.get_by_label("sparse").is_checked()
    context.set_offline(False)
    slider.press("End")
    expect(box.locator("img:visible")).to_have_attribute("alt", "T is 1024, how is sparse.")
    assert not fault.is_visible()


@pytest.mark.parametrize(
    ("width", "scheme", "end"), [(1000, "light", ""), (1000, "dark", "-dark"), (390, "light", "-narrow")]
)
def test_only_what_is_shown_is_loaded(page, home, width, scheme, end):
    """Of the sheet and the scheme; when the window is turned or the scheme changes, the same frame of the other one."""
    page.set_viewport_size({"width": width, "height": 900})
    page.route("**/index.html", lambda route: route.fulfill(
        body=route.fetch().text().replace('data-theme="light"', f'data-theme="{scheme}"'), content_type="text/html"
    ))  # fmt: skip
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("fig-sizes/")[2]))
    box = opened(page, f"{home}index.html")
    box.locator("input[type=range]").press("ArrowRight")
    expect(box.locator("img:visible")).to_have_attribute("alt", "T is 4, how is sparse.")
    page.wait_for_timeout(200)
    pictures = [name for name in asked if name.endswith(".svg") and "/" not in name]
    assert {f"3{end}.svg", f"5{end}.svg"} <= set(pictures)
    assert [name for name in pictures if re.sub(r"^\d", "", name) != f"{end}.svg"] == []
    page.set_viewport_size({"width": 1390 - width, "height": 900})
    other = "5-narrow" if width == 1000 else "5"
    until(
        page,
        f"""[...document.querySelectorAll('#fig-sizes img')]
        .some(image => image.checkVisibility() && image.complete && image.currentSrc.includes('/{other}'))""",
    )
    page.evaluate(
        "document.documentElement.dataset.theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'"
    )
    # The file of the other scheme has no name before the browser has fetched it.
    until(page, "[...document.querySelectorAll('#fig-sizes img')].some(i => i.checkVisibility() && i.currentSrc)")
    assert says(box)["alt"] == "T is 4, how is sparse."
    assert str(says(box)["file"]).startswith(other)


def test_a_kind_is_a_radio_group(page, home):
    box = opened(page, home)
    group = page.get_by_role("group", name="the how")
    assert group.get_by_role("radio").count() == 2
    assert group.get_by_role("radio", name="sparse").is_checked()
    group.get_by_role("radio", name="sparse").press("ArrowLeft")
    expect(box.locator("img:visible")).to_have_attribute("alt", "T is 2, how is dense.")
    group.get_by_role("radio", name="sparse").click()
    expect(box.locator("img:visible")).to_have_attribute("alt", "T is 2, how is sparse.")


def test_a_story_has_previous_and_next(page, home):
    page.goto(home)
    group = page.locator("#fig-story .explore-story")
    assert page.get_by_role("group", name="Step 2 of 4: reads").count() == 1
    back, on = group.get_by_role("button").all()
    assert (back.inner_text(), on.inner_text()) == ("Previous: entry", "Next: neurons")
    image = page.locator("#fig-story img:visible")
    on.click()
    expect(image).to_have_attribute("alt", "step is neurons.")
    assert page.get_by_role("group", name="Step 3 of 4: neurons").count() == 1
    on.press("ArrowRight")
    expect(image).to_have_attribute("alt", "step is writes.")
    assert (on.inner_text(), on.get_attribute("aria-disabled")) == ("Next", "true")
    assert on.evaluate("button => button === document.activeElement")
    on.click(force=True)
    on.press("Home")
    expect(image).to_have_attribute("alt", "step is entry.")
    expect(page.locator("#fig-story [aria-live]")).to_have_text("step is entry.")
    on.press("ArrowRight")
    on.press("ArrowRight")  # quicker than pictures are: two steps
    expect(image).to_have_attribute("alt", "step is neurons.")


@pytest.mark.parametrize("disk", [False, True])
def test_a_link_leads_to_a_step(page, home, folder, disk):
    address = (folder / "index.html").as_uri() if disk else f"{home}index.html"
    page.goto(f"{address}?step=4#fig-story")
    expect(page.locator("#fig-story img:visible")).to_have_attribute("alt", "step is writes.")
    assert page.locator("#fig-story p").first.inner_text() == "Step 4 of 4: writes"
    assert page.locator("#fig-story").evaluate(
        "figure => Math.abs(figure.getBoundingClientRect().bottom - innerHeight) < 900"
    )
    assert page.evaluate("scrollY") > 1200
    assert says(sizes(page))["value"] == "2"
    link = page.locator("#fig-story .explore-link a")
    assert link.evaluate("link => link.href") == f"{address}?step=4#fig-story"
    page.locator("#fig-story").get_by_role("button", name="Previous").click()
    expect(link).to_have_attribute("href", "?step=3#fig-story")
    page.goto(f"{address}?T=1024&how=dense#fig-sizes")
    expect(page.locator("#fig-sizes img:visible")).to_have_attribute("alt", "T is 1024, how is dense.")
    assert page.locator("#fig-sizes input[type=range]").input_value() == "4"
    assert page.get_by_label("dense").is_checked()
    page.goto(f"{address}?T=3&step=9#fig-sizes")  # no such values
    assert says(sizes(page))["value"] == "2"


def test_the_link_is_copied(page, home, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{home}index.html")
    page.locator("#fig-story .explore-link a").click()
    expect(page.locator("#fig-story .explore-link")).to_have_text("Copy a link to this step Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f"{home}index.html?step=2#fig-story"
    assert page.url == f"{home}index.html"


def test_controls_have_their_room_before_the_script_runs(page, home):
    """They stand there, and do nothing; once the script has run nothing has moved."""
    page.route("**/explore.js", lambda route: route.abort())
    page.goto(home)
    before = page.locator("figure").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert page.locator("#fig-sizes input").first.is_disabled()
    assert page.locator("#fig-story button").first.is_disabled()
    page.unroute("**/explore.js")
    page.goto(home)
    assert page.locator("#fig-sizes input").first.is_enabled()
    assert page.locator("figure").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)") == before


def test_without_a_script_all_pictures_are_links(browser, home):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(home)
        for name, count, told in (
            ("fig-sizes", 10, "the T: 1, the how: dense"),
            ("fig-story", 4, "Step 1 of 4: entry"),
        ):
            box = page.locator(f"#{name}")
            assert not box.locator("input:visible, button:visible, .explore-link:visible").count()
            assert not box.get_by_role("link", name=told).is_visible()
            box.locator("summary").click()
            assert box.locator("li").count() == count
            box.get_by_role("link", name=told).click()
            assert page.url.endswith(f"explore/{name}/0.svg")
            page.go_back()
        assert page.locator("#fig-story li").first.text_content() == "Step 1 of 4: entry. Now step is entry."
