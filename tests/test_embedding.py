"""Key figures as files, the control below each, and the pages that show one in a frame on another site."""

import re
from xml.etree import ElementTree

import pytest
from browser import listen, needs_browser, served
from built_book import NUMBERED, SITE, html
from playwright.sync_api import Frame
from superbook import pictures
from superbook.embedding import rebased
from superbook.pictures import key_figures
from superbook.plaintext import plain

KEY = {name for names in key_figures().values() for name in names}
FIGURES = [  # that can be cited: the key figures, and all with sliders
    (page, str(figure["id"]))
    for page in key_figures()
    for figure in html(page).select("figure[id]")
    if figure["id"] in KEY or figure.select_one(".explore")
]
UNFIT = "() => [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
LOADED = "() => Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"


def has_sliders(page: str, name: str) -> bool:
    return html(page).select_one(f"#{name} .explore") is not None


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
    shown = (SITE / f"{page}.html").parent / str(html(page).select(f"#{name} img")[0]["src"])
    assert at.with_suffix(".svg").exists() == (shown.suffix == ".svg")
    if shown.suffix == ".svg":
        ElementTree.parse(at.with_suffix(".svg"))
    assert at.with_suffix(".png").exists() == (name in KEY or shown.suffix != ".svg")
    if name in KEY:
        assert int.from_bytes(at.with_suffix(".png").read_bytes()[16:20]) == pictures.WIDTH
        assert at.with_suffix(".png").stat().st_size > 5000


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_control_stands_below_its_figure(page, name):
    figure = html(page).find("figure", id=name)
    assert figure
    control = figure.find_next_sibling()
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
    assert frame.startswith(f'<iframe src="embed/{name}.html" title="Figure ')
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
    figure, there = alone.find("figure", id=name), html(page).find("figure", id=name)
    assert figure
    assert there
    assert figure.find("img")["alt"] == there.find("img")["alt"]  # pyright: ignore[reportOptionalSubscript]
    assert all(link.get("target") == "_top" for link in alone.find_all("a"))
    assert alone.select_one(f'.origin a[href="../{page}.html#{name}"]')
    assert "\\" not in alone.get_text(), "a formula was left as TeX"
    for tag in alone.select("[src], [href]"):
        target = str(tag.get("src") or tag["href"]).partition("#")[0]
        assert (SITE / "embed" / target).is_file(), target


def lines_to_copy(address: str) -> dict[str, str]:
    """The line that embeds each figure, as someone would paste it who read the book at this address."""
    lines = {}
    for page, name in FIGURES:
        frame = html(page).select(f"#{name} + details pre")[1].get_text()
        lines[name] = frame.replace('src="', f'src="{address}').replace(' loading="lazy"', "")
    return lines


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_frame_on_another_site(scheme, browser, address, tmp_path):
    """No error, no request to elsewhere, the picture there, light or dark; it fits, at full width in height too."""
    (tmp_path / "host.html").write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Host</title>'
        f'<link rel="icon" href="data:,">{"".join(f"<p>{line}</p>" for line in lines_to_copy(address).values())}'
    )
    faults: list[str] = []
    with served(tmp_path) as host, browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        listen(page, address, faults, "frame")
        page.goto(f"{host}host.html", wait_until="networkidle")
        assert len(page.frames) == 1 + len(FIGURES)
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 900})
            for frame, (chapter, name) in zip(page.frames[1:], FIGURES, strict=True):
                wide, high = frame.evaluate(UNFIT)
                if wide > 0 or (high > 0 and width == 1280):
                    faults.append(f"{name} at {width}: {wide} too wide, {high} too high")
                assert min(frame.evaluate(LOADED)) > 0
                if width == 360 and has_sliders(chapter, name):
                    slide(frame)
                ground = frame.evaluate("() => getComputedStyle(document.body).backgroundColor")
                assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 30)")
    assert [fault for fault in faults if f"asks for {host}" not in fault] == []


def slide(frame: Frame) -> None:
    """Move a slider, and see another picture with another alt text."""
    image, slider = frame.locator("img"), frame.locator("input").first
    before = image.get_attribute("src"), image.get_attribute("alt")
    slider.press("ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight")
    assert image.get_attribute("src") != before[0]
    assert image.get_attribute("alt") != before[1]
    assert frame.evaluate(LOADED)[0] > 0


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
        (r"W\in\mathbb{R}^{D\times F}", "W∈R^(D×F)"),
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
