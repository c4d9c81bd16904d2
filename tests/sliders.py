"""Changing the figures of a page in a browser, by key, mouse and touch: sliders, radio buttons, steps."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

LOADED = "image => image.decode().then(() => image.naturalWidth > 0)"
# All that a change must change: file, alt text, value. Then what a listener is told of a slider, whether the figure is
# at rest, and, if asked for, whether the picture is there.
TOLD = """async (part, wait) => {
    const box = part.closest('.explore'), image = [...box.querySelectorAll('img')].find(one => one.checkVisibility());
    const kind = part.querySelector('input[type=radio]:checked'), slider = part.querySelector('input[type=range]');
    const value = kind ? kind.value : part.querySelector('output, p').innerText;
    const told = [image.getAttribute('src'), image.alt, value], rests = box.getAttribute('aria-busy') === null;
    if (wait) await image.decode();
    return {told, spoken: slider && slider.getAttribute('aria-valuetext'), rests, loaded: image.naturalWidth > 0};
}"""


def controls(page: Page) -> list[tuple[Locator, Locator]]:
    """Every figure of the page with each of what changes it."""
    return [(box, part) for box in page.locator(".explore").all() for part in box.locator("[data-values]").all()]


def kind(part: Locator) -> str:
    return str(part.get_attribute("class")).removeprefix("explore-")


def picture(box: Locator) -> Locator:
    return box.locator("img:visible")


def try_all(page: Page, *moves: Callable[[Locator], None]) -> None:
    """Each move of each control changes all that it must, to a picture that is there."""
    for box, part in controls(page):
        for move in moves:
            before = part.evaluate(TOLD, False)["told"]
            move(part)
            expect(picture(box)).not_to_have_attribute("alt", before[1])
            after = part.evaluate(TOLD, True)
            assert not [a for a, b in zip(before, after["told"], strict=True) if a == b], move.__name__
            assert after["rests"]
            assert after["spoken"] == (after["told"][2] if kind(part) == "slider" else None)
            assert after["loaded"]


def at_end(slider: Locator) -> bool:
    return slider.input_value() == slider.get_attribute("max")


def way(part: Locator) -> Locator:
    """The button of a story that leads on, or back from its last step."""
    back, on = part.locator("button").all()
    return back if on.get_attribute("aria-disabled") == "true" else on


def by_key(part: Locator) -> None:
    if kind(part) == "slider":
        slider = part.locator("input")
        slider.press("ArrowLeft" if at_end(slider) else "ArrowRight")
    elif kind(part) == "kinds":
        part.locator("input:checked").press("ArrowRight")
    else:
        button = way(part)
        button.press("ArrowLeft" if "Previous" in button.inner_text() else "ArrowRight")


def other_end(slider: Locator) -> tuple[float, float]:
    """A place on the slider: its right end, or the left one if it stands at the right."""
    slider.scroll_into_view_if_needed()
    room = slider.bounding_box()
    assert room
    return (3 if at_end(slider) else room["width"] - 3), room["height"] / 2


def pressed(part: Locator) -> Locator:
    """What a pointer presses where there is no slider."""
    return part.locator("input:not(:checked)").first if kind(part) == "kinds" else way(part)


def by_mouse(part: Locator) -> None:
    """Drag from the middle to an end, or press."""
    if kind(part) != "slider":
        pressed(part).click()
        return
    slider = part.locator("input")
    (x, y), room = other_end(slider), slider.bounding_box()
    assert room
    mouse = slider.page.mouse
    mouse.move(room["x"] + room["width"] / 2, room["y"] + y)
    mouse.down()
    mouse.move(room["x"] + x, room["y"] + y, steps=4)
    mouse.up()


def by_touch(part: Locator) -> None:
    if kind(part) != "slider":
        pressed(part).tap()
        return
    x, y = other_end(part.locator("input"))
    part.locator("input").tap(position={"x": x, "y": y})
