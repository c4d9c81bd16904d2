"""Pages are light and strict: little to load, mathematics ready-made, and nothing allowed but files of the site."""

import copy
import re
from typing import Any, cast

import pytest
from browser import listen, needs_browser, until
from bs4 import BeautifulSoup
from built_book import PAGES, ROOT, SITE, article, html, with_parts
from docutils import nodes
from docutils.utils import new_document
from playwright.sync_api import Page
from small_book import sphinx
from superbook import mathematics, places, policy

BUILT = [*PAGES, "search"]


def test_site_is_small():
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < 60e6


@pytest.mark.parametrize("page", PAGES)
def test_formulas_are_set(page):
    """Each formula is HTML for the eye and MathML for the ear; none is left as TeX."""
    text = copy.copy(article(page))
    for formula in text.select(".math"):
        assert formula.select_one(".katex-html")
        assert formula.select_one("math annotation")
    for other in text.select(".katex, pre, code, script"):
        other.decompose()
    assert not re.findall(r"\\[(\[][^\n]*|\$[^$\n]+\$", text.get_text())


def test_katex_sets_and_refuses():
    assert "<mfrac>" in mathematics.typeset(r"\frac{a}{b}")
    with pytest.raises(mathematics.Unset, match="nosuch"):
        mathematics.typeset(r"\nosuch{a}")
    with pytest.raises(mathematics.Unset, match="end of input"):
        mathematics.typeset(r"\frac{a}{b")


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        ("if any two are (", "), and", "(z = 2),"),
        ("if ", ", and", "z = 2,"),
        ("one (", " or two)", "(z = 2"),
        ("if ", " or", ""),
        ("f(x) ", " is", ""),
    ],
)
def test_what_touches_a_formula_stays_on_its_line(before, after, held):
    """In prose and in what a cell prints: no line ends with the bracket that opens, or begins with a comma."""
    prose = nodes.paragraph("", "", nodes.Text(before), nodes.math("", "z = 2"), nodes.Text(after))
    page = new_document("page")
    page += prose
    mathematics.hold(cast(Any, None), page, "page")
    whole = [held] if held else []
    assert [one.astext() for one in prose.findall(nodes.inline)] == whole
    assert prose.astext() == f"{before}z = 2{after}"
    marked = mathematics.set_marked(f'<p>{before}<span class="math">\\(z = 2\\)</span>{after}</p>', "page")
    found = BeautifulSoup(marked, "html.parser").select("p > .held")
    assert [mathematics.as_written(str(one)) for one in found] == [f'<span class="held">{one}</span>' for one in whole]


def test_a_short_formula_is_not_broken():
    assert "<wbr>" not in mathematics.typeset("D = M = 1024")
    assert 'class="katex held"' in mathematics.typeset("D = M = 1024")
    assert "<wbr>" in mathematics.typeset("D = M = T = 1024")
    assert "held" not in mathematics.typeset("z = 1", True)


SOURCES = {
    "inline": r"Text with $\nosuch{a}$.",
    "displayed": "$$\n\\nosuch{a}\n$$ (eq-a)",
    "output": '```{raw} html\n<span class="math">\\(\\nosuch{a}\\)</span>\n```',  # as a cell's output has it
}


def test_a_formula_that_cannot_be_set_stops_the_build(tmp_path):
    """The warning, which the build of the book takes as an error, names the page, the formula and the fault."""
    extensions = "extensions = ['myst_parser']\nmyst_enable_extensions = ['dollarmath']\n"
    (tmp_path / "conf.py").write_text(
        f"{extensions}source_suffix = {{'.md': 'markdown'}}\n" + with_parts("mathematics")
    )
    (tmp_path / "index.md").write_text("# A page\n\n```{toctree}\ninline\ndisplayed\noutput\n```\n\n$a = b$\n")
    for name, source in SOURCES.items():
        (tmp_path / f"{name}.md").write_text(f"# A page\n\n{source}\n")
    said = sphinx(tmp_path)
    assert len(said) == len(SOURCES)
    for name in SOURCES:
        [warning] = [line for line in said if f" {name}: KaTeX cannot set $" in line]
        assert "WARNING: " in warning
        assert r"$\nosuch{a}$: ParseError" in warning
        assert "Undefined control sequence" in warning
    assert '"-W"' in (ROOT / "scripts/build.py").read_text()


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


@pytest.mark.parametrize(
    ("tex", "wide", "narrow"),
    [
        ("a\n%&\n= b, \\qquad\n%\\\\ &\n= c", "a\n= b, \\qquad\n= c", "a\n&\n= b,\\\\ &\n= c"),
        ("a\\;\n%& \\times\nb", "a\\;\nb", "a\\;\n& \\times\nb"),  # space stays but at the end of a line
    ],
)
def test_a_long_formula_is_set_twice(tex, wide, narrow):
    """A comment of TeX holds what a narrow page has alone; without one there is one setting, `%` as a sign included."""
    assert mathematics.settings(tex) == {"for-wide": wide, "for-narrow": narrow}
    assert mathematics.settings(r"5\% & b") == {"": r"5\% & b"}
    assert mathematics.settings("a % said\n= b") == {"": "a % said\n= b"}


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
def test_policy_stops_what_it_does_not_name(browser, address):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        page.evaluate("""() => { const script = document.createElement('script');
            script.textContent = 'window.ran = true'; document.head.append(script); }""")
        assert page.evaluate("window.ran") is None


@needs_browser
def test_controls_work_under_the_policy(browser, address):
    name, faults = "book/09-sharing-neurons", list[str]()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
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
        place = "JSON.stringify(document.querySelector('#pst-primary-sidebar').getBoundingClientRect())"
        shown = page.evaluate(place)
        page.locator(".primary-toggle").first.click()
        until(page, f"{place} !== '{shown}'")
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
def test_what_can_be_found_is_loaded_when_asked(browser, address):
    asked: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}book/01-storing.html", wait_until="networkidle")
        assert not [url for url in asked if "search" in url]
        page.keyboard.press("Control+k")
        page.keyboard.type("staircase")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        found = page.locator("#search-results li a").first.get_attribute("href")
    assert found
    assert "12-exact-superposition" in found
