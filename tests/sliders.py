"""Moving the sliders of a page in a browser, by key, mouse and touch."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

LOADED = "image => image.decode().then(() => image.naturalWidth > 0)"


def sliders(page: Page) -> list[tuple[Locator, Locator]]:
    """Every figure of the page with each of its sliders."""
    return [(box, slider) for box in page.locator(".explore").all() for slider in box.locator("input").all()]


def told(box: Locator, slider: Locator) -> list[str | None]:
    """All that a move of the slider must change: the picture, its alt text, and what the slider says, twice."""
    image, said = box.locator("img:visible"), box.locator(f'output[for="{slider.get_attribute("id")}"]')
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
            assert box.locator("img:visible").evaluate(LOADED)


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
