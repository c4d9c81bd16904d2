"""Every page in a browser, visited once in each theme: nothing is wrong with it. Phones and disks: test_devices.py.

What a visit finds is collected by visits.py; the tests ask it.
"""

import functools
from collections.abc import Callable

import pytest
from browser import Packed, needs_browser, served
from built_book import PAGES
from playwright.sync_api import Browser
from visits import LAYOUTS, PHONE, WIDE, Seen, slow, unfit, visit

BUILT = [*PAGES, "search"]
MOST = 500_000  # bytes of a first view, compressed
PAINTED = """() => new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1).startTime))
    .observe({type: 'largest-contentful-paint', buffered: true}))"""

pytestmark = [needs_browser, pytest.mark.timeout(240)]  # axe looks at ten thousand elements of the longest chapter
each = pytest.mark.parametrize(("name", "scheme"), [(name, scheme) for name in BUILT for scheme in ("light", "dark")])


@pytest.fixture(scope="module")
def seen(browser: Browser, address: str) -> Callable[[str, str], Seen]:
    """What the visit of a page in a theme has found; there is one."""
    return functools.cache(functools.partial(visit, browser, address))


@each
def test_page_is_sound(name, scheme, seen):
    """No request to elsewhere, no failed one, no error; the theme is the one that the reader has chosen."""
    assert not seen(name, scheme).faults
    assert seen(name, scheme).theme == scheme


@pytest.mark.parametrize("name", BUILT)
def test_every_sign_of_the_styles_is_drawn(name, seen):
    assert not seen(name, "light").undrawn


@each
def test_nothing_is_wider_than_the_window(name, scheme, seen):
    """Nor has any formula, table or piece of code to be scrolled; a phone of 360 pixels: test_devices.py."""
    assert not any(seen(name, scheme).wide.values()), seen(name, scheme).wide


@each
def test_axe_finds_nothing(name, scheme, seen):
    """Wide and narrow, with all that is folded opened."""
    assert set(seen(name, scheme).unfit) == ({WIDE, PHONE} if scheme == "light" or name in LAYOUTS else {WIDE})
    assert not any(seen(name, scheme).unfit.values()), seen(name, scheme).unfit


@each
def test_paper_shows_the_text_alone(name, scheme, seen):
    """Title, text and solutions; no navigation, sliders or buttons; dark on white, and nothing wider than the sheet."""
    assert not seen(name, scheme).paper


@pytest.mark.parametrize("name", PAGES)
def test_pictures_are_the_same_in_the_dark(name, seen):
    """No filter of the theme on any picture, and no paper behind it: its letters are light."""
    assert seen(name, "dark").pictures <= {"none 1 normal rgba(0, 0, 0, 0)"}


@each
def test_formulas_fit(name, scheme, seen):
    """None lies under its number, or is torn from the comma that follows it; no title has an empty line after it."""
    assert not seen(name, scheme).misplaced


@each
def test_nothing_moves(name, scheme, seen):
    """Neither while the page opens nor while it is scrolled to its end."""
    assert seen(name, scheme).shift <= 0.01


@pytest.mark.parametrize("name", BUILT)
def test_first_view_is_light(name, seen):
    """All that a page loads before anyone touches it, fonts and mathematics included."""
    assert 0 < seen(name, "light").weight < MOST


@pytest.mark.alone
@pytest.mark.parametrize("name", ["index", "book/12-exact-superposition", "book/claims"])
def test_largest_paint_is_soon(name, browser, address):
    with browser.new_context(viewport={"width": WIDE, "height": 900}) as context:
        page, times = context.new_page(), []
        for _ in range(3):
            page.goto(f"{address}{name}.html", wait_until="load")
            times.append(page.evaluate(PAINTED))
            if times[-1] < 1500:
                break
    assert min(times) < 1500


@pytest.mark.alone
@pytest.mark.parametrize("name", ["index", "book/12-exact-superposition"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_largest_paint_is_soon_on_a_slow_network(name, width, browser):
    """1.6 Mbit/s, 150 ms, nothing in the cache: the first picture is among what is painted last."""
    times: list[float] = []
    with served(host=Packed) as home:
        for _ in range(3):
            with browser.new_context(viewport={"width": width, "height": 900}) as context:
                page = context.new_page()
                slow(page)
                page.goto(f"{home}{name}.html", wait_until="load")
                times.append(page.evaluate(PAINTED))
            if times[-1] < 2500:
                break
    assert min(times) < 2500


def test_axe_is_at_work(browser, address):
    """It finds a picture without a text, and letters that are too pale: also the last of many, and on a new ground."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}book/references.html")
        assert not unfit(page)
        page.evaluate("""document.querySelector('.bd-article').insertAdjacentHTML('beforeend',
            '<img src="../_static/logo.svg"><p style="color: #ccc">pale</p>')""")
        assert {fault.split(":")[0] for fault in unfit(page)} == {"image-alt", "color-contrast"}
        page.reload()
        page.evaluate("""document.querySelector('.bd-article').insertAdjacentHTML('beforeend',
            '<div style="background: #777"><section><p>dark on grey</p></section></div>')""")
        assert {fault.split(":")[0] for fault in unfit(page, [])} == {"color-contrast"}


BAD = """<!DOCTYPE html><html lang="en" data-theme="dark"><head><meta charset="utf-8"><title>Bad</title>
<link rel="icon" href="data:,"><style>html, body, .bd-main, .bd-article-container { overflow: visible }
.katex-display { overflow: auto; width: 50px; height: 40px }</style></head>
<body><main class="bd-main"><div class="bd-article-container"><article class="bd-article"><h1>One</h1><h1>Two</h1>
<h2 style="width: 10px">A<a class="headerlink"> #</a></h2><pre style="width: 9000px">code</pre>
<div style="overflow: auto; width: 300px"><table><tr><td style="min-width: 400px">cell</td></tr></table></div>
<p style="color: #bbb">Pale.</p><figure><img src="a.svg" style="filter: invert(1)"></figure>
<div class="math" id="eq"><span class="eqno" style="position: absolute">(1)</span><div class="katex-display">
<div style="width: 90px">x</div><annotation>x</annotation></div></div>
<p style="width: 30px"><span class="math"><span class="katex-html" style="display: inline-block; width: 28px">y</span>
<annotation hidden>y</annotation></span>, and</p><details class="solution"><p>Folded.</p></details>
<div style="width: 5000px">wide</div></article></div></main><nav>here</nav>
<script>fetch("missing.json"); console.error("an error"); throw new Error("thrown")</script></body></html>"""


def test_a_visit_finds_what_is_wrong(browser, tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    with served(tmp_path) as address:
        found = visit(browser, address, "bad", "light")
    said = "\n".join(found.faults)
    for fault in ("404", "a.svg", "missing.json", "an error", "thrown"):
        assert fault in said
    assert found.theme == "dark"
    assert found.wide[WIDE] and found.wide[PHONE]  # noqa: PT018
    for width in (WIDE, PHONE):
        assert {fault.split(":")[0] for fault in found.wide[width]} >= {"div.katex-display", "pre.", "div.", "html"}
    assert {fault.split(" at ")[0] for fault in found.misplaced} == {
        "eq is under its number", "the comma after y starts a line", "an empty line after A #",
    }  # fmt: skip
    assert found.pictures != {"none 1 normal rgba(0, 0, 0, 0)"}
    for width in (WIDE, PHONE):
        assert {"color-contrast", "image-alt"} <= {fault.split(":")[0] for fault in found.unfit[width]}
    assert {fault.split(":")[0].split(" <")[0] for fault in found.paper} >= {"not one title", "nav is printed"}
    assert "a solution stays folded" in found.paper
    assert "rgb(187, 187, 187) is too pale: Pale." in found.paper
    assert found.weight > 500
