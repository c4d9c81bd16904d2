"""Notes on the terms of key equations: every one is found, says the chapter's own numbers, and anyone can read it."""

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from browser import listen, needs_browser
from bs4 import BeautifulSoup, Tag
from built_book import EXECUTED, NUMBERED, PAGES, ROOT, SITE, article, with_parts
from playwright.sync_api import Browser, Page
from small_book import sphinx
from sphinx.errors import ExtensionError
from superbook import mathematics, terms
from superbook.terms import Note
from test_notation import SYMBOLS, TWICE, chapters, rows
from visits import unfit

BOX = "#link-preview"
SAID = yaml.safe_load((ROOT / "book/terms.yml").read_text())
KEY = {  # the equations with notes, by page
    page: found for page in PAGES if (found := [str(tag["data-of"]) for tag in article(page).select("details.terms")])
}
LETTER = re.compile(
    r"\\(?:text|mathbb)\s*(?:\{[^}]*\}|.)|\\(?:hat|bar|mathcal|Delta|delta|langle|rangle|to)|[_^](?:\{.*?\}+|\\?\w)"
)


def listed(page: str, equation: str) -> list[Tag]:
    return article(page).select(f'details.terms[data-of="{equation}"] li')


def formula(page: str, equation: str) -> Tag:
    found = article(page).find(id=equation)
    assert isinstance(found, Tag)
    return found


def bare(*written: str) -> list[Note]:
    return [Note(tex, "a thing", "large", (tex,)) for tex in written]


# --- Terms within TeX -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "term", "marked"),
    [
        (r"a + T", "T", r"a + <T>"),
        (r"\frac dD x", "D", r"\frac d{<D>} x"),  # KaTeX refuses a command where \frac expects a token
        (r"\frac dD x", "d", r"\frac {<d>}D x"),
        (r"\tfrac1D\big[", "D", r"\tfrac1{<D>}\big["),
        (r"\frac{d}{D}", "D", r"\frac{d}{<D>}"),
        (r"T_{\text{dedicated}} + T", "T", r"T_{\text{dedicated}} + <T>"),  # with an index it is another
        (r"T_{\text{in}} + T", r"T_{\text{in}}", r"<T_{\text{in}}> + T"),
        (r"\hat x x_t \hat x_t", "x_t", r"\hat x <x_t> \hat x_t"),
        (r"\rho^2 + \rho", r"\rho", r"\rho^2 + <\rho>"),
        (r"\text{active } v\, v", "v", r"\text{active } <v>\, <v>"),
        (r"\begin{aligned}a &= d\end{aligned}", "d", r"\begin{aligned}a &= <d>\end{aligned}"),
        ("a %\\\\ d\n+ d", "d", "a %\\\\ d\n+ <d>"),  # a comment
        ("E_t ^ \\top", r"E_t^\top", r"<E_t ^ \top>"),
    ],
)
def test_a_term_is_found_where_it_stands_alone(tex, term, marked):
    made = terms.marked(tex, bare(term))
    assert made == re.sub("<(.*?)>", lambda found: rf"\htmlData{{term=0}}{{{found[1]}}}", marked)
    assert terms.unmarked(made) == re.sub("[<>]", "", marked)


def test_a_term_within_a_longer_one_is_not_marked_twice():
    made = terms.marked(r"x - \langle |x|\rangle", bare("x", r"\langle |x|\rangle"))
    assert made == r"\htmlData{term=0}{x} - \htmlData{term=1}{\langle |x|\rangle}"


@pytest.mark.parametrize("term", ["c", "S_2", r"\sigma", "TS", "ab"])
def test_a_term_that_is_not_there_is_an_error(term):
    with pytest.raises(ExtensionError, match=re.escape(f"eq-x has no term {term!r}")):
        terms.marked("\\sigma^2 = \\frac{S\\,T}{\\text{c}} a\n%\\\\ &\nb", bare(term), "eq-x")


def test_katex_writes_data_of_terms_and_no_other_html():
    assert 'data-term="3"' in mathematics.typeset(r"\htmlData{term=3}{T}")
    assert 'class="b"' not in mathematics.typeset(r"\htmlClass{b}{T}")
    assert "<a " not in mathematics.typeset(r"\href{https://example.org}{T}")


def look(made: Tag) -> tuple[str, Counter[str]]:
    """What a formula shows, and all lengths by which it is set; where its line may break is left aside."""
    drawn = BeautifulSoup(str(made), "html.parser")
    for strut in drawn.select(".katex-strut"):
        strut.decompose()
    return drawn.get_text(), Counter(re.findall(r"[a-z-]+:-?[\d.]+em", str(drawn)))


@pytest.mark.parametrize("page", KEY)
def test_marks_change_nothing_of_how_a_formula_is_set(page):
    for equation in KEY[page]:
        for made in formula(page, equation).select(".katex-display"):
            tex, drawn = made.select_one("annotation"), made.select_one(".katex-html")
            assert tex
            assert drawn
            plain = BeautifulSoup(mathematics.typeset(tex.get_text(), True), "html.parser").select_one(".katex-html")
            assert plain
            assert look(drawn) == look(plain)


# --- What stops a build -----------------------------------------------------------------------------------------------

SYMBOL = "symbols: {a: {tex: a, words: the first}}\n"
WRONG = {
    "a term that is not in the equation": ("equations: {eq-a: {a: {as: c, here: large}}}", "eq-a has no term 'c'"),
    "an equation that no page has": ("equations: {eq-b: {a: large}}", "no page has an equation eq-b"),
    "a term of which nothing is said": ("equations: {eq-a: {a: large, b: small}}", "eq-a has 'b'"),
    "a value that is not glued": ("equations: {eq-a: {a: 'of {none}'}}", "eq-a glues no value 'none'"),
    "a symbol that no equation has": ("equations: {}", "no equation has the symbols a"),
}


@pytest.mark.parametrize("fault", [*WRONG, "none"])
def test_a_wrong_term_stops_the_build(fault, tmp_path, monkeypatch):
    text, said = WRONG.get(fault, ("equations: {eq-a: {a: 'of {size}, not $b$'}}", ""))
    (tmp_path / "terms.yml").write_text(SYMBOL + text)
    monkeypatch.setattr(terms, "SOURCE", tmp_path / "terms.yml")
    monkeypatch.setattr(terms, "values", lambda app, page: {"size": "1,024"})
    extensions = "extensions = ['myst_parser']\nmyst_enable_extensions = ['dollarmath']\nhtml_static_path = []\n"
    (tmp_path / "conf.py").write_text(
        f"{extensions}source_suffix = {{'.md': 'markdown'}}\n" + with_parts("mathematics", "terms")
    )
    (tmp_path / "index.md").write_text("# A page\n\n$$\na = b\n$$ (eq-a)\n")
    terms.notes.cache_clear()
    try:
        if said:
            with pytest.raises(ExtensionError, match=re.escape(said)):
                sphinx(tmp_path)
        else:
            sphinx(tmp_path)
            page = BeautifulSoup((tmp_path / "_build/html/index.html").read_text(), "html.parser")
            [note] = page.select("#equation-eq-a + details.terms li")
            for tex in note.select(".math"):
                tex.replace_with(tex.select_one("annotation").get_text())  # type: ignore[union-attr]
            assert note.get_text() == "a, the first; here of 1,024, not b."
    finally:
        terms.notes.cache_clear()


# --- What is said -----------------------------------------------------------------------------------------------------


def test_chapters_with_key_equations_have_notes():
    assert sum(map(len, KEY.values())) == len(SAID["equations"]) >= 25
    definitions_alone, others = "book/02-small-circuits", ("book/16-is-it-there", "book/17-taking-it-apart")
    assert set(KEY) == {*NUMBERED[:13], *others} - {definitions_alone}


@pytest.mark.parametrize("page", KEY)
def test_every_note_has_its_term(page):
    """In each way in which the formula is set; and whoever copies it copies it without marks."""
    for equation in KEY[page]:
        for made in formula(page, equation).select(".katex-html"):
            marks = {int(str(tag["data-term"])) for tag in made.select("[data-term]")}
            assert marks == set(range(len(listed(page, equation))))
    assert "htmlData" not in str(article(page))


@pytest.mark.parametrize("page", KEY)
def test_sizes_are_the_values_of_the_chapter(page):
    """Every number of a note is what the executed chapter glued under the name that stands in its place."""
    kept = json.loads((EXECUTED / f"{page}.glue.json").read_text())  # taken out of the notebook by MyST-NB
    glued = {name: output["data"]["text/plain"].strip("'") for name, output in kept.items()}
    for equation in KEY[page]:
        said = SAID["equations"][equation.removeprefix("equation-")].values()
        for text, note in zip(said, listed(page, equation), strict=True):
            here = text if isinstance(text, str) else text["here"]
            numbers = [number.get_text() for number in note.select(".pasted-text")]
            assert numbers == [glued[name] for name in re.findall(r"\{([\w-]+)\}", here)], (equation, here)
            rest = re.sub(r"\$[^$]*\$|\{[\w-]+\}", "", here)
            assert not re.search(r"\d", rest), f"typed: {here}"


def letters(tex: str) -> set[str]:
    """The letters of a symbol: no index, no accent."""
    return set(re.findall(r"\\[A-Za-z]+|[A-Za-z]", LETTER.sub(" ", tex)))


def noted() -> dict[str, set[int]]:
    """The letters of the notation page, with the chapters in which it gives them a meaning."""
    found: dict[str, set[int]] = {}
    for row in rows(SYMBOLS):
        for tex in re.findall(r"\$([^$]+)\$", row[0]):
            for letter in letters(tex):
                found.setdefault(letter, set()).update(chapters(row[-1]))
    return found


@pytest.mark.parametrize("page", KEY)
def test_symbols_are_on_the_page_of_notation(page):
    chapter, found = NUMBERED.index(page) + 1, noted()
    for equation in KEY[page]:
        for name in SAID["equations"][equation.removeprefix("equation-")]:
            for letter in letters(SAID["symbols"][name]["tex"]):
                assert chapter in found.get(letter, set()), f"{letter} of {name} in chapter {chapter}"


def test_a_symbol_has_the_same_words_everywhere():
    """Two entries for what is written alike are allowed only for a letter that the notation page lists twice."""
    twice = {row[0].strip("$") for row in rows(TWICE)}
    written: dict[str, str] = {}
    for name, symbol in SAID["symbols"].items():
        other = written.setdefault(symbol["tex"], name)
        assert other == name or letters(symbol["tex"]) <= twice, (name, other)


def test_words_are_sentences():
    """`θ, the threshold: …; here 0.7.`"""
    for page, equations in KEY.items():
        for equation in equations:
            for note in listed(page, equation):
                text = note.get_text()
                assert text.count("; here ") == 1
                assert text.endswith(".")
                assert len(text) < 900
                assert not re.search(r"\$|\{[a-z]|  |\.\.$", note.get_text().split("; here ")[1])


# --- In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of a wide window, which must not complain."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        tab = context.new_page()
        listen(tab, address, faults, "page")
        yield tab
    assert not faults


def shown(page: Page) -> str:
    page.wait_for_selector(f"{BOX}:not([hidden]) .term-note", timeout=3000)
    return page.locator(BOX).evaluate("box => box.textContent")


SAMPLE = ["book/04-writing-to-the-neurons", "book/09-sharing-neurons"]


@needs_browser
def test_every_note_shows_by_keyboard(page, address):
    """The list is the one stop of an equation; its focus shows the first note, the arrows go round, Escape closes."""
    name = SAMPLE[0]
    page.goto(f"{address}{name}.html")
    for equation in KEY[name]:
        summary = page.locator(f'details.terms[data-of="{equation}"] summary')
        summary.focus()
        page.keyboard.press("Shift")  # a key: the focus is one that shows
        summary.blur()
        summary.focus()
        texts = [note.get_text() for note in listed(name, equation)]
        for k, text in enumerate([*texts, texts[0]]):
            assert shown(page) == text
            named = page.locator(f"#{equation} .is-named")
            assert {int(str(tag.get_attribute("data-term"))) for tag in named.all()} == {k % len(texts)}
            assert summary.get_attribute("aria-describedby") == BOX[1:]
            box = page.locator(BOX).bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 1280
            page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        assert shown(page) == texts[0]
        page.keyboard.press("Escape")
        assert not page.locator(BOX).is_visible()
        assert page.locator(f"#{equation} .is-named").count() == 0
        assert summary.evaluate("tag => tag === document.activeElement")
        assert summary.get_attribute("aria-describedby") is None
    assert page.locator(".bd-article .katex-html :is([tabindex], [id])").count() == 0  # hidden from screen readers


@needs_browser
def test_a_note_under_the_pointer(page, address):
    """It waits for the pointer to rest, stays while the pointer is on it, and goes when the pointer leaves."""
    page.goto(f"{address}{SAMPLE[0]}.html")
    equation = KEY[SAMPLE[0]][-1]
    term, box = page.locator(f'#{equation} [data-term="1"]').first, page.locator(BOX)
    term.scroll_into_view_if_needed()
    term.hover()
    assert not box.is_visible()
    assert shown(page) == listed(SAMPLE[0], equation)[1].get_text()
    box.hover()
    page.wait_for_timeout(400)
    assert box.is_visible()
    page.mouse.move(2, 2)
    box.wait_for(state="hidden", timeout=3000)
    term.hover()
    shown(page)
    page.keyboard.press("Escape")
    assert not box.is_visible()


@needs_browser
def test_notes_on_a_phone(browser, address):
    """A tap on a term, or beside it, shows its note within the page; a tap elsewhere closes it."""
    name = SAMPLE[1]
    with browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        for equation in KEY[name]:
            for k, note in enumerate(listed(name, equation)):
                term = page.locator(f'#{equation} [data-term="{k}"]:visible').first
                term.scroll_into_view_if_needed()
                room = term.bounding_box()
                assert room
                page.touchscreen.tap(room["x"] + room["width"] / 2, room["y"] + room["height"] / 2)
                assert shown(page) == note.get_text()
                box = page.locator(BOX).bounding_box()
                assert box
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 390
                assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator(".bd-article p:visible").first.tap()
        assert not page.locator(BOX).is_visible()


@needs_browser
def test_axe_finds_nothing_in_a_note(browser, address):
    with browser.new_context(color_scheme="dark", reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{address}{SAMPLE[0]}.html")
        page.locator("details.terms summary").first.press("ArrowRight")
        shown(page)
        assert unfit(page) == []


@needs_browser
def test_without_a_script_the_list_is_there_and_on_paper_it_is_not(browser, address):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{SAMPLE[0]}.html")
        notes = page.locator("details.terms").first
        notes.locator("summary").click()
        assert notes.locator("li").first.is_visible()
        sign = "tag => getComputedStyle(tag).cursor"
        assert page.locator(".katex-html [data-term]").first.evaluate(sign) != "help"  # it would promise a note
        page.emulate_media(media="print")
        assert not notes.is_visible()


@needs_browser
def test_notes_from_a_disk(browser):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((SITE / f"{SAMPLE[0]}.html").resolve().as_uri())
        page.locator(f"#{KEY[SAMPLE[0]][0]} [data-term]").first.hover()
        assert shown(page) == listed(SAMPLE[0], KEY[SAMPLE[0]][0])[0].get_text()
