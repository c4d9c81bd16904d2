"""Key figures as files, the control below each, and the pages that show one in a frame on another site."""

import re
from xml.etree import ElementTree

import pytest
from browser import listen, needs_browser, served
from built_book import NUMBERED, SITE, html, parts
from playwright.sync_api import Frame, Page, expect
from sliders import LOADED, by_key
from superbook import pictures
from superbook.embedding import rebased
from superbook.pictures import key_figures
from superbook.plaintext import plain

from superpos.show.sheet import NARROW, WIDE

KEY = {name for names in key_figures().values() for name in names}
FIGURES = [  # that can be cited: the key figures, and all with sliders
    (page, str(figure["id"]))
    for page in key_figures()
    for figure in html(page).select("figure[id]")
    if figure["id"] in KEY or figure.select_one(".explore")
]


def has_sliders(page: str, name: str) -> bool:
    return parts(page)[name].select_one(".explore") is not None


def test_every_chapter_has_key_figures():
    assert list(key_figures()) == ["index", *NUMBERED]
    for page, names in key_figures().items():
        assert 1 <= len(names) <= 4
        assert any(has_sliders(page, name) for name in names), f"{page} offers none of its figures with sliders"
    assert len({name for _, name in FIGURES}) == len(FIGURES) > len(KEY)
    assert {name for _, name in FIGURES} > KEY


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_files_of_a_figure(page, name):
    """A picture where the page shows lines, of a key figure in both kinds, and the same numbers in both kinds."""
    at = SITE / f"figures/{name}"
    shown = (SITE / f"{page}.html").parent / str(parts(page)[name].select("img")[0]["src"])
    assert at.with_suffix(".svg").exists() == (shown.suffix == ".svg")
    if shown.suffix == ".svg":
        ElementTree.parse(at.with_suffix(".svg"))
    assert at.with_suffix(".png").exists() == (name in KEY or shown.suffix != ".svg")
    if name in KEY:
        assert int.from_bytes(at.with_suffix(".png").read_bytes()[16:20]) == pictures.WIDTH
        assert at.with_suffix(".png").stat().st_size > 5000


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_control_stands_below_its_figure(page, name):
    control = parts(page)[name].find_next_sibling()
    assert control
    assert control.name == "details"
    summary = control.find("summary")
    assert summary
    assert re.fullmatch(r"Cite / embed figure [\d.]+", summary.get_text())
    links = {str(link["href"]).rpartition("/")[2] for link in control.select("a[href]")}
    files = {path.name for path in (SITE / "figures").glob(f"{name}.*")}
    assert {f"{name}.csv", f"{name}.json"} < files
    assert links == {*files, f"{name}.html", *[link for link in links if "#" in link]}
    bibtex, frame = (pre.get_text() for pre in control.select("pre"))
    assert bibtex.startswith(f"@incollection{{superpos-{name},")
    assert f'<iframe src="embed/{name}.html" title="Figure ' in frame
    assert not control.select("script, [onclick]")


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_embed_page_is_strict_and_complete(page, name):
    alone = html(f"embed/{name}")
    assert not [script for script in alone.find_all("script") if not script.get("src")]
    assert not re.search(r"\son\w+=", str(alone))
    policy = alone.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert policy
    assert "frame-ancestors" not in policy["content"]
    assert alone.title
    assert re.match(r"Figure [\d.]+: \S", alone.title.get_text())
    figure, there = alone.find("figure", id=name), parts(page)[name]
    assert figure
    assert figure.find("img")["alt"] == there.find("img")["alt"]  # pyright: ignore[reportOptionalSubscript]
    assert all(link.get("target") == "_top" for link in alone.find_all("a"))
    assert alone.select_one(f'.origin a[href="../{page}.html#{name}"]')
    assert "\\" not in alone.get_text(), "a formula was left as TeX"
    for tag in alone.select("[src], [href]"):
        target = str(tag.get("src") or tag["href"]).partition("#")[0].partition("?")[0]
        assert (SITE / "embed" / target).is_file(), target


def lines_to_copy(address: str, query: str = "") -> dict[str, str]:
    """The line that embeds each figure, as someone would paste it who read the book at this address."""
    lines = {}
    for page, name in FIGURES:
        control = parts(page)[name].find_next_sibling("details")
        assert control
        frame = control.select("pre")[1].get_text()
        frame = frame.replace('src="', f'src="{address}').replace('.html"', f'.html{query}"')
        lines[name] = frame.replace(' loading="lazy"', "")
    return lines


HOST = """<!DOCTYPE html><html lang="en" style="color-scheme: {scheme}"><head><meta charset="utf-8"><title>Host</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body style="margin: 0">{lines}</body></html>"""
# Of a frame: how much too wide it is, how much too high, how much room is left, and the ground.
ROOM = """async () => {
    const image = [...document.images].find(image => image.checkVisibility()), start = performance.now();
    const there = () => image.complete && image.currentSrc.includes('-narrow') === (innerWidth <= 420);
    while (!there() && performance.now() < start + 5000) await new Promise(done => requestAnimationFrame(done));
    const {scrollWidth, scrollHeight} = document.documentElement, style = getComputedStyle(document.body);
    const end = document.querySelector('main').getBoundingClientRect().bottom + parseFloat(style.paddingBottom);
    return [scrollWidth - innerWidth, scrollHeight - innerHeight, innerHeight - end, style.backgroundColor];
}"""
LETTERS = {"wide": WIDE.text * 4 / 3 / (96 * WIDE.width), "narrow": NARROW.text * 4 / 3 / (96 * NARROW.width)}
SMALLEST = """sizes => [...document.images].filter(image => image.checkVisibility())
    .map(image => image.getBoundingClientRect().width
        * sizes[image.currentSrc.includes('-narrow') ? 'narrow' : 'wide'])"""
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}


def frames(page: Page, width: int) -> list[tuple[Frame, str, str]]:
    page.set_viewport_size({"width": width, "height": 900})
    assert len(page.frames) == 1 + len(FIGURES)
    return [(frame, *figure) for frame, figure in zip(page.frames[1:], FIGURES, strict=True)]


@needs_browser
@pytest.mark.timeout(240)  # 29 frames at five widths
def test_in_a_frame_on_another_site(browser, address, tmp_path):
    """No error, no request to elsewhere, the picture there; all of it fits from 320 pixels on, with letters of 11
    pixels or more from 360 on."""
    faults: list[str] = []
    lines = "".join(lines_to_copy(address).values())
    (tmp_path / "host.html").write_text(HOST.format(lines=lines, scheme="light"))
    with served(tmp_path) as host, browser.new_context() as context:
        page = context.new_page()
        listen(page, address, faults, "frame")
        page.goto(f"{host}host.html", wait_until="networkidle")
        for width in (320, 360, 421, 480, 720):
            for frame, chapter, name in frames(page, width):
                frame.frame_element().scroll_into_view_if_needed()
                wide, high, left, _ = frame.evaluate(ROOM)
                if wide > 0 or high > 0 or left > 200:
                    faults.append(f"{name} at {width}: {wide} too wide, {high} too high, {left} empty")
                if width >= 360 and min(frame.evaluate(SMALLEST, LETTERS)) < 11:
                    faults.append(f"{name} at {width}: its letters are small")
                if width == 360:
                    for image in frame.locator("img:visible").all():
                        expect(image).to_have_js_property("complete", True)
                        assert image.evaluate("image => image.naturalWidth") > 0
                    if has_sliders(chapter, name):
                        slide(frame)
    assert [fault for fault in faults if f"asks for {host}" not in fault] == []


@needs_browser
@pytest.mark.parametrize(
    ("host_is", "query", "shown"),
    [("light", "", "light"), ("dark", "", "dark"), ("dark", "?theme=light", "light"), ("light", "?theme=dark", "dark")],
)
def test_a_frame_is_as_its_page_unless_it_is_told(host_is, query, shown, browser, address, tmp_path):
    """The colours of the page that shows it, not those of the system; the picture of the other scheme is not loaded."""
    [first, *_] = lines_to_copy(address, query).values()
    (tmp_path / "host.html").write_text(HOST.format(lines=first, scheme=host_is))
    with served(tmp_path) as host, browser.new_context(color_scheme="null") as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{host}host.html", wait_until="networkidle")
        [frame] = page.frames[1:]
        assert frame.evaluate(ROOM)[-1] == GROUNDS[shown]
        pictures = [url for url in asked if "/explore/" in url and url.endswith(".svg")]
        assert len(pictures) == 1
        assert ("-dark" in pictures[0]) == (shown == "dark")


@needs_browser
def test_a_frame_without_a_script_is_as_its_system(browser, address):
    with browser.new_context(java_script_enabled=False, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(f"{address}embed/{FIGURES[0][1]}.html")
        assert page.locator(".scheme-dark img").is_visible()
        assert not page.locator(".scheme-light img").is_visible()


@needs_browser
def test_a_frame_opens_at_a_setting(browser, address):
    """And its link leads to the same one in the book."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}embed/fig-columns.html?step=3&theme=dark")
        expect(page.locator(".explore-story p")).to_have_text(re.compile("^Step 3 of "))
        link = str(page.locator(".explore-link a").evaluate("link => link.href"))
        assert link.startswith(f"{address}book/12-exact-superposition.html?step=3&active=1")
        page.goto(link)
        expect(page.locator("#fig-columns .explore-story p")).to_have_text(re.compile("^Step 3 of "))


def slide(frame: Frame) -> None:
    """Change the figure, and see another picture with another alt text."""
    image, part = frame.locator("img:visible"), frame.locator("[data-values]").first
    before = image.get_attribute("src"), image.get_attribute("alt")
    by_key(part)
    expect(image).not_to_have_attribute("alt", str(before[1]))
    assert image.get_attribute("src") != before[0]
    assert image.evaluate(LOADED)


@needs_browser
def test_texts_are_copied(browser, address):
    """The buttons copy what is shown, and the frame's line has the full address of where the page was read."""
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        control = page.locator("details.cite-figure").first
        control.locator("summary").press("Enter")
        for text, button in zip(control.locator("pre").all(), control.locator("button").all(), strict=True):
            button.click()
            control.get_by_text("Copied.").first.wait_for()
            assert page.evaluate("navigator.clipboard.readText()") == text.inner_text()
        assert f'src="{address}embed/fig-claim.html"' in control.locator("pre").last.inner_text()


@needs_browser
def test_control_works_without_a_script(browser, address):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        control = page.locator("details.cite-figure").first
        assert not control.locator("pre").first.is_visible()
        control.locator("summary").click()
        assert [pre.is_visible() for pre in control.locator("pre").all()] == [True, True]
        assert "put the address of this site before" in control.inner_text()


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"W^\top W", "WᵀW"),
        ("|x|^2", "|x|²"),
        (r"z\rho^*\mathbb{E}|x|^2", "zρ*E|x|²"),
        (r"D = M = 1024", "D = M = 1024"),
        (r"\tfrac{1}{D}", "1/D"),
        (r"\unknown", r"\unknown"),
        (r"W\in\mathbb{R}^{D\times F}", "W ∈ R^(D×F)"),
        (r"Q(x) \le e^{-x}", "Q(x) ≤ e^(-x)"),
        (r"\sigma = \sqrt{z/D}", "σ = √(z/D)"),
        (r"\rho + x_{i + 1} - z\ge1", "ρ + x_(i + 1) - z ≥ 1"),
        (r"\lfloor\frac{n-1}{S-1}\rfloor", "⌊(n-1)/(S-1)⌋"),
        (r"c > \sqrt{\frac{2\ln F}{D^{2}}}", "c > √(2ln F/D²)"),
        (r"x_{w_{1}}", "x_(w₁)"),
    ],
)
def test_formula_as_text(tex, text):
    assert plain(tex) == text


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ("../_images/a.svg", "../_images/a.svg"),
        ("02.html#x", "../book/02.html#x"),
        ("#x", "../book/01.html#x"),
        ("../_images", "../_images"),
        ("https://example.org/a", "https://example.org/a"),
        ("missing.html", "missing.html"),
    ],
)
def test_links_are_rebased(value, there, tmp_path):
    for name in ("_images/a.svg", "book/01.html", "book/02.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert rebased(value, tmp_path / "book/01.html", tmp_path / "embed/fig.html") == there
