"""Pages are light and strict: little to load, mathematics ready-made, and nothing allowed but files of the site."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import chromium, listen, needs_browser, served, until
from built_book import PAGES, ROOT, SITE, article, html, with_parts
from playwright.sync_api import Page
from superbook import mathematics, places, policy

BUILT = [*PAGES, "search"]
MOST = 500_000  # bytes of a first view, compressed
PACKED = {".woff2", ".png", ".jpg"}  # what a server does not compress once more
PAINTED = """() => new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1).startTime))
    .observe({type: 'largest-contentful-paint', buffered: true}))"""
FONT = """() => document.fonts.ready.then(() =>
    [...document.fonts].some(font => font.family === 'KaTeX_Main' && font.status === 'loaded'))"""


@needs_browser
def test_first_view_is_light():
    """All that a page loads before anyone touches it, fonts and mathematics included."""
    heavy = []
    with served() as address, chromium() as browser:
        for name in BUILT:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page, loaded = context.new_page(), {}
            page.on("response", lambda answer, found=loaded: found.update({answer.url: answer.body()}))
            page.goto(f"{address}{name}.html", wait_until="networkidle")
            total = sum(sent(url, body) for url, body in loaded.items())
            if total > MOST:
                heavy.append(f"{name}: {total / 1000:.0f} kB")
            context.close()
    assert not heavy


def sent(url: str, body: bytes) -> int:
    """Bytes on the wire."""
    return len(body) if Path(urlsplit(url).path).suffix in PACKED else len(gzip.compress(body))


@needs_browser
@pytest.mark.parametrize("name", ["index", "book/11-exact-superposition", "book/claims"])
def test_largest_paint_is_soon(name):
    with served() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        times = []
        for _ in range(3):
            page.goto(f"{address}{name}.html", wait_until="load")
            times.append(page.evaluate(PAINTED))
    assert min(times) < 1500


def test_site_is_small():
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < 40e6


@pytest.mark.parametrize("page", PAGES)
def test_formulas_are_set(page):
    """Each formula is HTML for the eye and MathML for the ear; none is left as TeX."""
    text = article(page)
    for formula in text.select(".math"):
        assert formula.select_one(".katex-html")
        assert formula.select_one("math annotation")
    for other in text.select(".katex, pre, code, script"):
        other.decompose()
    assert not re.findall(r"\\[(\[][^\n]*|\$[^$\n]+\$", text.get_text())


SCROLLING = """() => [...document.querySelectorAll('article .katex-display')]
    .filter(box => box.scrollWidth > box.clientWidth).map(box => box.querySelector('annotation').textContent)"""
BESIDE = """() => [...document.querySelectorAll('article div.math:has(.eqno)')].filter(box => {
    const [number, formula] = ['.eqno', '.katex-display'].map(part => box.querySelector(part).getBoundingClientRect());
    return number.left < formula.right - 1 && number.top < formula.bottom - 1;
}).map(box => box.id)"""
TORN = """() => [...document.querySelectorAll('article span.math')].filter(formula => {
    const after = formula.nextSibling, end = document.createRange();
    if (after?.nodeType !== Node.TEXT_NODE || !/^[.,;:)]/.test(after.data)) return false;
    end.setStart(after, 0);
    end.setEnd(after, 1);
    const mark = end.getBoundingClientRect(), last = [...formula.querySelector('.katex-html').getClientRects()].at(-1);
    return mark.width && last && mark.left < last.right - 1;
}).map(formula => formula.querySelector('annotation').textContent)"""


@needs_browser
def test_formulas_fit():
    """None scrolls in a wide window, lies under its number, or is torn from the comma that follows it."""
    faults = []
    with served() as address, chromium() as browser:
        for name in PAGES:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{address}{name}.html", wait_until="load")
            page.evaluate("document.fonts.ready")
            faults += [f"{name} scrolls {tex}" for tex in page.evaluate(SCROLLING)]
            for width in (1280, 390, 360):
                page.set_viewport_size({"width": width, "height": 900})
                faults += [f"{name}: {box} is under its number at {width}" for box in page.evaluate(BESIDE)]
                faults += [f"{name}: the comma after {tex} starts a line at {width}" for tex in page.evaluate(TORN)]
            page.close()
    assert not faults, "\n".join(faults)


def test_katex_sets_and_refuses():
    assert "<mfrac>" in mathematics.typeset(r"\frac{a}{b}")
    with pytest.raises(mathematics.Unset, match="nosuch"):
        mathematics.typeset(r"\nosuch{a}")
    with pytest.raises(mathematics.Unset, match="end of input"):
        mathematics.typeset(r"\frac{a}{b")


@pytest.mark.parametrize(
    "source",
    [
        r"Text with $\nosuch{a}$.",
        "$$\n\\nosuch{a}\n$$ (eq-a)",
        '```{raw} html\n<span class="math">\\(\\nosuch{a}\\)</span>\n```',  # as a cell's output has it
    ],
    ids=["inline", "displayed", "output"],
)
def test_a_formula_that_cannot_be_set_stops_the_build(tmp_path, source):
    """The warning, which the build of the book takes as an error, names the page, the formula and the fault."""
    extensions = "extensions = ['myst_parser']\nmyst_enable_extensions = ['dollarmath']\n"
    (tmp_path / "conf.py").write_text(extensions + with_parts("mathematics"))
    (tmp_path / "index.md").write_text(f"# A page\n\n{source}\n")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(tmp_path), str(tmp_path / "html")]
    paths = os.environ | {"PYTHONPATH": str(ROOT / "book/_ext")}
    done = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert r"index: KaTeX cannot set $\nosuch{a}$: ParseError" in done.stderr
    assert "Undefined control sequence" in done.stderr


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        ("a = b", "a = b"),
        (r"a \\ b", r"\begin{split}a \\ b\end{split}"),
        (r"\begin{aligned}a \\ b\end{aligned}", r"\begin{aligned}a \\ b\end{aligned}"),
        ("a\n\nb", r"\begin{aligned}a\\b\end{aligned}"),
    ],
)
def test_displayed_lines(tex, said):
    assert mathematics.displayed(tex) == said


@pytest.mark.parametrize("page", BUILT)
def test_policy_of_a_page(page):
    """A page allows its own files and names its inline scripts; none of its handlers stands in an attribute."""
    soup, text = html(page), (SITE / f"{page}.html").read_text()
    head = [tag for tag in soup.select("head > *") if tag.name in ("meta", "script", "link", "style")]
    assert head[1].get("http-equiv") == "Content-Security-Policy"  # after the charset, ahead of all it is about
    rules = dict(rule.split(" ", 1) for rule in str(head[1]["content"]).split("; "))
    assert rules["default-src"] == "'none'"
    scripts = rules["script-src"].split()
    assert {"'self'", "file:", *policy.digests(text)} == set(scripts)
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert not soup.select('a[href^="javascript:"]')


def test_header_files_allow_every_page():
    scripts = {digest for page in places.pages(SITE) for digest in policy.digests(page.read_text())}
    for name, text in policy.header_files(scripts).items():
        assert (SITE / name).read_text() == text
    wanted = policy.policy(scripts)
    assert "unsafe-eval" not in wanted
    assert "unsafe-inline" not in wanted.split("script-src ")[1].split(";")[0]
    assert f"Content-Security-Policy: {wanted}\n" in (SITE / "_headers").read_text()


def test_policy_refuses_another_script():
    page = "<head><meta charset='utf-8'><script>one()</script></head>"
    safe = policy.with_policy(page)
    assert policy.digests(page) <= set(re.findall(r"'sha256-[^']+'", safe))
    assert policy.with_policy(safe) == safe  # once is enough
    assert policy.digests("<script>two()</script>").isdisjoint(re.findall(r"'sha256-[^']+'", safe))


@needs_browser
def test_policy_stops_what_it_does_not_name():
    with served() as address, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{address}index.html")
        page.evaluate("""() => { const script = document.createElement('script');
            script.textContent = 'window.ran = true'; document.head.append(script); }""")
        assert page.evaluate("window.ran") is None


@needs_browser
def test_controls_work_under_the_policy():
    name, faults = "book/09-sharing-neurons", list[str]()
    with served() as address, chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        listen(page, address, faults, name)
        page.add_init_script("window.print = () => { window.printed = true; }")
        page.goto(f"{address}{name}.html")
        modes = set()
        for _ in range(3):
            page.locator(".theme-switch-button").first.click()
            modes.add(page.evaluate("document.documentElement.dataset.mode"))
        assert modes == {"light", "dark", "auto"}
        folded = page.locator("article details").first
        folded.locator("summary").click()
        assert folded.evaluate("box => box.open")
        block = page.locator("div.highlight:visible").first
        block.hover()
        block.locator("button.copybtn").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.strip()
        assert copied.split()[0] in block.inner_text()
        sidebar = page.locator("#pst-primary-sidebar")
        shown = sidebar.bounding_box()
        page.locator(".primary-toggle").first.click()
        page.wait_for_timeout(500)
        assert sidebar.bounding_box() != shown
        full(page)
        printing(page)
    assert not faults


def full(page: Page) -> None:
    page.locator('[data-click="fullscreen"]').first.click()
    until(page, "document.fullscreenElement !== null")
    page.evaluate("document.exitFullscreen()")


def printing(page: Page) -> None:
    page.locator('[data-click="print"]').first.evaluate("button => button.click()")
    assert page.evaluate("window.printed")


@needs_browser
def test_search_loads_its_index_when_asked():
    asked: list[str] = []
    with served() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}book/01-storing.html", wait_until="networkidle")
        assert not [url for url in asked if "searchindex" in url]
        page.keyboard.press("Control+k")
        page.keyboard.type("staircase")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        found = page.locator("#search-results li a").first.get_attribute("href")
    assert found
    assert "11-exact-superposition" in found


@needs_browser
def test_pages_open_from_a_disk():
    """Without a server as well: no error, nothing that fails to load, and formulas in KaTeX's fonts."""
    faults: list[str] = []
    with chromium() as browser:
        for name in BUILT:
            page = browser.new_page()
            listen(page, SITE.resolve().as_uri(), faults, name)
            page.on("requestfailed", lambda request, where=name: faults.append(f"{where}: {request.url} fails"))
            page.goto((SITE / f"{name}.html").resolve().as_uri(), wait_until="load")
            if html(name).select_one("article .katex") and not page.evaluate(FONT):
                faults.append(f"{name}: KaTeX's fonts are missing")
            page.close()
    assert not faults, "\n".join(faults)
