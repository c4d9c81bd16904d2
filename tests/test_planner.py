"""The planner: the page's rules against the package's, its words, its code, and the page in a browser."""

import functools
import gzip
import itertools
import json
import math
import random
import re
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from browser import listen, needs_browser, until
from bs4 import BeautifulSoup
from built_book import PAGES, ROOT, SITE, article, html
from superbook import planner as build
from visits import unfit

from superpos import codes, exact, sweep, theory
from superpos.exact import limits
from superpos.show import planner
from superpos.show.mime import PLANNER
from superpos.show.planner import S, Settings, answers

PAGE = "book/planner"
START = Settings(D=1000, d=2, z=2, L=3)
TYPED = {"D": "1000", "T": "", "d": "2", "z": "2", "L": "3", "m": ""}


def computed(s: Settings) -> list[dict[str, Any]]:
    """What the page's script answers."""
    return build.call("answers", asdict(s))


@functools.cache
def script(expression: str) -> Any:
    return json.loads(str(build.engine().eval(f"JSON.stringify({expression})")))


def drawn(count: int, seed: int) -> list[Settings]:
    """Random settings: a width, a number of circuits, or both, most of them small, some large."""
    g, found = random.Random(seed), []
    for _ in range(count):
        z, large = g.choice((1, 1, 2, 3, 4, 5, 7)), g.random() < 0.1
        D = round(math.exp(g.uniform(0, math.log(1e5 if large else 5000))))
        T = max(z, round(math.exp(g.uniform(0, math.log(1e9 if large else 1e5)))))
        given = g.choice(("D", "T", "T", "T", "both"))
        found.append(
            Settings(
                D=None if given == "T" else D,
                T=None if given == "D" else T,
                d=g.choice((1, 2, 2, 3, 4, 4, 4, 5)),
                z=z,
                L=g.choice((1, 2, 3, 8)),
                m=g.choice((None, None, 3, 16)),
            )
        )
    return found


def assert_same(found: list[dict[str, Any]], meant: list[dict[str, Any]], s: Settings) -> None:
    """Whole numbers equal, errors to a part in 10⁹."""
    assert [row["key"] for row in found] == [row["key"] for row in meant], s
    for row, other in zip(found, meant, strict=True):
        assert {**row, "error": None} == {**other, "error": None}, s
        assert (row["error"] is None) == (other["error"] is None), (s, row, other)
        if row["error"] is not None:
            assert math.isclose(row["error"], other["error"], rel_tol=1e-9), (s, row, other)


# --- The rules --------------------------------------------------------------------------------------------------------


EDGES = [
    Settings(D=1, d=1, z=1, L=1),
    Settings(T=1, d=1, z=1, L=1),
    Settings(D=1, T=1, d=1, z=1),
    Settings(D=2, d=1, z=2),  # too narrow for an exact network of two
    Settings(D=3, d=4, z=1, m=9),  # narrower than one circuit
    Settings(T=2, d=2, z=2),  # all are active
    Settings(T=64, d=1, z=64),
    Settings(D=1000, d=1000, z=1),
    Settings(D=1000, d=2, z=64, L=1000),
    Settings(D=10**6, d=1, z=1),
    Settings(D=10**6, d=2, z=2),
    Settings(T=10**10, d=3, z=2, L=1),
    Settings(T=2896**2, d=2, z=2),
    Settings(T=2896**2 + 1, d=2, z=2),
    Settings(D=294, T=1681, d=1, z=1, L=2),  # 41² lines, all of them
]


BY_PACKAGE = """import json, sys
from dataclasses import asdict
from superpos.show.planner import Settings, answers
print(json.dumps([[asdict(row) for row in answers(Settings(**s))] for s in json.load(sys.stdin)]))"""


@functools.cache
def by_package() -> dict[Settings, list[dict[str, Any]]]:
    """A thousand settings, and the edges, with the package's answers: without the tests' hooks, four times as fast."""
    settings = [*drawn(1000, seed=0), *EDGES]
    given, call = json.dumps([asdict(s) for s in settings]), [sys.executable, "-c", BY_PACKAGE]
    done = subprocess.run(call, input=given, capture_output=True, text=True, check=True, cwd=ROOT)
    return dict(zip(settings, json.loads(done.stdout), strict=True))


def test_a_thousand_settings_as_in_the_package():
    known = by_package()
    settings = drawn(1000, seed=0)
    assert {(s.D is None, s.T is None) for s in settings} == {(True, False), (False, True), (False, False)}
    for s in settings:
        assert_same(computed(s), known[s], s)
    kinds = {(row["key"], row["fits"]) for s in settings for row in known[s]}
    assert kinds == set(itertools.product(planner.NAMES, (None, True, False)))


@pytest.mark.parametrize("s", EDGES, ids=str)
def test_edges_as_in_the_package(s):
    assert_same(computed(s), by_package()[s], s)


@pytest.mark.parametrize("z", [1, 2, 5])
@pytest.mark.parametrize("T", [2**52 - 1, 2**52, (2**26 - 1) ** 2, 94906265**2, 94906265**2 + 1, 2**53 - 1])
def test_plans_up_to_where_whole_numbers_are_exact(T, z):
    found, meant = build.call("plan", T, 2, z, z), exact.plan(T, 2, z=z)
    assert (found["n"], found["wires"], found["D"], found["extra"]) == (meant.n, meant.wires, meant.D, meant.extra)
    if meant.entry is not None:
        assert (found["entry"]["k"], found["entry"]["q"], found["entry"]["N"]) == (
            meant.entry.k, meant.entry.q, meant.entry.N,
        )  # fmt: skip


def test_every_way_to_take_a_circuit_out_is_planned(unhooked):
    """Wide circuits, whose entry is taken out a few numbers at a time."""
    takes = set()
    for T, d, z, lanes in itertools.product((9, 3000), (1, 2, 5, 12), (2, 4, 9), (1, 2)):
        found, meant = build.call("plan", T, d, z, lanes), exact.plan(T, d, z=z, lanes=lanes)
        takes.add(meant.take == d + 1)
        assert (found["D"], found["extra"], found["take"]) == (meant.D, meant.extra, meant.take)
    assert takes == {True, False}


def test_start_and_limits_are_the_packages():
    assert Settings(**script("planner.START")) == START
    start = {k: v for k, v in script("planner.START").items() if v is not None}
    assert all(start[name] <= most for name, most in script("planner.LIMITS").items() if name in start)
    assert list(script("planner.TOLD")) == list(planner.NAMES)
    assert script("planner.LIMITS").keys() == asdict(START).keys() == build.FIELDS.keys()


# --- The package's side ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("T", "n"), [(1, 42), (5, 30), (49, 42), (20, 42), (100, 66), (121, 66), (557, 250)])
def test_overlap_of_lines_without_building_them(T, n):
    assert math.isclose(planner.line_rho(T, n), codes.line(T, n, S).rho_star, rel_tol=1e-12, abs_tol=1e-15)


@pytest.mark.parametrize(
    ("D", "d", "z", "L"), [(250, 4, 1, 3), (500, 4, 2, 3), (400, 2, 1, 1), (300, 2, 3, 5), (30, 4, 2, 1)]
)
def test_redundant_as_theory_has_it(D, d, z, L):
    [row] = [row for row in answers(Settings(D=D, d=d, z=z, L=L)) if row.key == "redundant"]
    assert theory.usable("redundant", D, d=d, S=S, z=z, L=L, tolerance=planner.OF_SIGNAL) == row.T


@pytest.mark.parametrize("s", [Settings(T=T, d=4, z=z, L=3) for T, z in ((10, 1), (557, 1), (60, 2))])
def test_width_is_the_least_that_fits(s, unhooked):
    for row in answers(s):
        assert row.D is not None
        step = s.d if row.key in ("redundant", "balanced") else 1
        for D, fits in ((row.D, True), (row.D - step, False)):
            [both] = [b for b in answers(replace(s, D=D)) if b.key == row.key]
            assert both.fits == fits
            assert (row.T * (1 if fits else 1.001) <= both.T) == fits


def test_settings_are_refused(unhooked):
    for given, said in (
        ({"D": 0}, "D is 0; it must be at least 1"),
        ({}, "D and T are both None"),
        ({"T": 1, "z": 2}, "T is 1; it must be at least z = 2"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            Settings(**given)


# By hand. T = D = M = d = m = z = 1: v = 0, e = 0, nothing is wrong. T = z = 2, D = M = 4, d = m = 1:
# v = 1/4 + 1/4 · 1 = 1/2, e = 1/4 − (√½ − arctan √½)/π, and 2 (e + (1.5 + e)/4).
def test_update_error_by_hand():
    assert theory.update_error(1, 1, 1, 1, d=1, m=1) == 0
    e = 0.25 - (0.5**0.5 - math.atan(0.5**0.5)) / math.pi
    assert math.isclose(theory.update_error(2, 4, 4, 2, d=1, m=1), 2 * (e + (1.5 + e) / 4))
    assert theory.update_error(1, 64, 64, 3) == theory.update_error(3, 64, 64, 3)


def test_neurons_error_is_the_mean_that_it_is_said_to_be():
    """v/2 − (√v − arctan √v)/π is E(ReLU(p + g) − ReLU(p))², by quadrature on a grid."""
    x = torch.linspace(-9, 9, 1801, dtype=torch.float64)
    w = torch.exp(-x.square() / 2) * 0.01 / math.sqrt(2 * math.pi)
    for v in (0.01, 0.5, 4.0):
        change = (x[:, None] + math.sqrt(v) * x).relu() - x[:, None].relu()
        assert math.isclose(w @ change.square() @ w, v / 2 - (v**0.5 - math.atan(v**0.5)) / math.pi, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("D", "d", "m", "z"),
    [(256, 4, 4, 1), (1000, 2, 2, 2), (1000, 4, 2, 1), (2000, 8, 8, 4)],
)
def test_closed_form_is_within_a_tenth_of_the_theory(D, d, m, z):
    """The usable T by it: with a tenth fewer circuits the full theory allows them, with a tenth more no longer."""
    full = theory.predicted_error(theory.Demand(D, D, 1, z, d=d, m=m))
    T = theory.usable_circuits(lambda T: theory.update_error(T, D, D, z, d=d, m=m))
    assert full(round(0.9 * T)) <= planner.OF_UPDATE <= full(round(1.1 * T))


def test_closed_form_is_near_what_was_measured():
    """All stored settings with one copy, no threshold, M = D: means of six seeds."""
    rows = [r for r in sweep.stored("usable", S=1, threshold=0.0, of="update", tolerance=0.1) if r["M"] == r["D"]]
    kinds = {(r["D"], r["z"]) for r in rows}
    assert len(kinds) > 6
    for D, z in kinds:
        T = [r["T"] for r in rows if (r["D"], r["z"]) == (D, z)]
        assert math.isclose(
            theory.usable_circuits(lambda T, D=D, z=z: theory.update_error(T, D, D, z)), sum(T) / len(T), rel_tol=0.1
        )


# --- Words, addresses and code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("z", "0", "z is 0; it must be a whole number from 1 to 64. Try 1."),
        ("z", "65", "z is 65; it must be a whole number from 1 to 64. Try 64."),
        ("d", "two", "d is two; it must be a whole number from 1 to 1,000. Try 2."),
        ("d", "", "d is empty; it must be a whole number from 1 to 1,000. Try 2."),
        ("D", "3.7", "D is 3.7; it must be a whole number from 1 to 1,000,000. Try 4."),
        ("D", "-5", "D is -5; it must be a whole number from 1 to 1,000,000. Try 1."),
        ("D", "", "D and T are both empty; give the width, the number of circuits, or both. Try D = 1,000."),
        ("T", "1", "T is 1; it must be at least z = 2, as many as are to be active. Try 2."),
        ("T", "1e99", "T is 1e99; it must be a whole number from 1 to 10,000,000,000. Try 10,000,000,000."),
        ("m", "<b>", "m is <b>; it must be a whole number from 1 to 4,000. Try 1."),
    ],
)
def test_what_is_refused(name, text, said):
    """The message names the field, what it holds, what is allowed and the nearest that works; and that does work."""
    assert build.call("read", TYPED | {name: text})["wrong"] == {name: said}
    near = re.findall(r"Try (?:\w = )?([\d,]+)\.", said)[0]
    assert build.call("read", TYPED | {name: near})["wrong"] == {}


@pytest.mark.parametrize("text", ["1000", "1,000", " 1_000 ", "1 000", "1e3"])
def test_ways_to_write_a_thousand(text):
    assert build.call("read", TYPED | {"D": text})["s"]["D"] == 1000


@pytest.mark.parametrize("s", [START, *drawn(20, seed=1)])
def test_address_has_the_settings(s):
    found = build.call("fromAddress", build.call("toAddress", asdict(s)))
    assert found["any"]
    assert Settings(**build.call("read", found["typed"])["s"]) == s


@pytest.mark.parametrize(
    ("query", "typed"),
    [
        ("", TYPED),
        ("?utm=1", TYPED),
        ("?T=1024&d=2&z=2", TYPED | {"D": "", "T": "1024"}),
        ("?z=3", TYPED | {"z": "3"}),
        ("?D=1%2C000&%zz", TYPED | {"D": "1,000"}),
        ("?D=<img>&d", TYPED | {"D": "<img>", "d": ""}),
        ("?constructor=1&__proto__=2", TYPED),
    ],
)
def test_address_may_have_less_or_more(query, typed):
    assert build.call("fromAddress", query) == {"any": typed != TYPED, "typed": typed}


CHAPTERS = {
    "dedicated": 1, "lanes": 12, "serial": 12, "residual": 8, "redundant": 9, "balanced": 10, "nothing": 8, "bound": 13,
}  # fmt: skip


def test_every_row_has_its_words_and_a_link_to_its_chapter():
    for s in (START, Settings(T=100, d=4, z=1), Settings(D=500, T=100, d=4, z=2), Settings(D=1, d=2, z=2)):
        given = asdict(s)
        shown = BeautifulSoup(build.call("table", given, computed(s)), "html.parser")
        groups = shown.select("tbody")
        assert len(groups) == len(computed(s)) + 1 + (s.D is not None)
        for group in groups:
            name, numbers, (words,) = (
                group.select_one("th"),
                group.select("tr:first-child td"),
                group.select("tr + tr td"),
            )
            assert name is not None
            assert len(numbers) == len(shown.select("thead th")) - 1
            assert re.fullmatch(r"[A-Z].+\. Chapter \d+\.", words.get_text())
            assert "undefined" not in group.get_text() and "NaN" not in group.get_text()  # noqa: PT018
            link = words.select_one("a")
            assert link is not None
            assert PAGES.index(f"book/{str(link['href']).removesuffix('.html')}") == int(link.get_text().split()[1])
            assert int(link.get_text().split()[1]) == CHAPTERS[str(group["data-key"])]
        bound = shown.select_one("tbody[data-key=bound] td")
        if s.D is not None and s.T is None:
            assert bound is not None
            assert bound.find_all(string=True)[-1].strip() == f"{theory.counting_bound(s.D, s.d):,}"


CODE = [
    Settings(D=120, d=2, z=2, L=2), Settings(T=40, d=4, z=2, L=2), Settings(T=30, d=3, z=1, L=1, m=5),
    Settings(D=300, T=50, d=2, z=3, L=1),
]  # fmt: skip


@pytest.mark.parametrize("s", CODE, ids=str)
def test_code_builds_a_network_of_the_width_that_the_page_says(s, capsys):
    kinds = [row for row in computed(s) if row["D"]]
    assert kinds
    for row in kinds:
        text = build.call("code", row, asdict(s))
        exec(text, {})
        said = int(text.rsplit("# ", 1)[1])
        assert int(capsys.readouterr().out) == said == row["D"], text


def test_code_asks_for_double_precision_where_keys_need_it():
    for T, double in ((2896**2, False), (2896**2 + 1, True)):
        given = asdict(Settings(T=T, d=2, z=2))
        text = build.call("code", computed(Settings(T=T, d=2, z=2))[1], given)
        assert ("torch.float64" in text) == double
        planned = exact.plan(T, 2, z=2)
        if double:
            with pytest.raises(ValueError, match="float64"):
                limits.check_keys(torch.float32, planned)
        else:
            limits.check_keys(torch.float32, planned)


# --- The page -------------------------------------------------------------------------------------------------------


def recorded() -> dict[str, Any]:
    [found] = [
        out["data"][PLANNER]
        for cell in json.loads((SITE.parent / f"jupyter_execute/{PAGE}.ipynb").read_text())["cells"]
        for out in cell.get("outputs", [])
        if PLANNER in out.get("data", {})
    ]
    return found


def cell(page: Any, key: str, column: int = 0) -> str:
    text = page.select_one(f'tbody[data-key="{key}"]').select("tr:first-child td")[column].find_all(string=True)
    return text[-1].strip()


def test_page_shows_what_the_package_computed():
    """Without JavaScript: the default settings, the same numbers as the script's."""
    record, page = recorded(), article(PAGE)
    assert Settings(**record["settings"]) == START
    assert record["answers"] == [asdict(row) for row in answers(START)]
    shown = BeautifulSoup(build.call("table", record["settings"], record["answers"]), "html.parser")
    there = page.select_one("#planner-table table")
    assert there is not None
    assert there.get_text() == shown.get_text()
    assert "JavaScript" in page.select_one("noscript").get_text()  # pyright: ignore[reportOptionalMemberAccess]
    built = page.select_one("#planner-built")
    assert built is not None
    assert built.get_text() == build.call("code", record["answers"][1], record["settings"])


def test_page_agrees_with_the_front_page():
    front = article("index").get_text()
    [sentence] = re.findall(r"In width 1,000 there is room for [^.]*\.[^.]*\.[^.]*\.", front)
    page = article(PAGE)
    for key in ("dedicated", "lanes"):
        assert cell(page, key) in sentence
    for z, key in ((1, "lanes"), (3, "lanes"), (3, "serial")):
        [row] = [row for row in computed(replace(START, z=z)) if row["key"] == key]
        assert f"{row['T']:,}" in sentence
    [measured] = re.findall(r"With this construction it runs ([\d,]+) of them", front)
    [row] = [row for row in computed(Settings(D=2048, d=4, z=1)) if row["key"] == "residual"]
    assert math.isclose(row["T"], int(measured.replace(",", "")), rel_tol=0.1)


def test_script_is_small_and_on_this_page_alone():
    assert len(gzip.compress((SITE / "_static/planner.js").read_bytes())) < 10_000
    assert len((SITE / "_static/planner.js").read_bytes()) < 25_000
    loaded = {page for page in PAGES if html(page).select('script[src*="planner.js"], link[href*="planner.css"]')}
    assert loaded == {PAGE}


def test_readers_are_led_to_it():
    for page in ("index", "book/13-how-many-fit"):
        assert article(page).select('a[href$="planner.html"]')


SHIFT = """() => new Promise(done => { let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value; }))
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(sum), 400); })"""
SEEN = "() => Object.fromEntries([...document.querySelectorAll('form.planner input')].map(f => [f.name, f.value]))"
TABLE = """() => Object.fromEntries([...document.querySelectorAll('#planner-table tbody')].map(group =>
    [group.dataset.key, group.querySelector('td').lastChild.textContent.trim()]))"""
CLIPBOARD = "navigator.clipboard.writeText = async text => { window.copied = text; }"


@needs_browser
@pytest.mark.parametrize("query", ["", "?T=1024&d=4&z=2", "?D=1000&T=557&d=4&z=1&L=5&m=8"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_page_in_a_browser(query, width, scheme, browser, address):
    """It opens with the settings of its address, nothing shifts or scrolls, and axe finds nothing."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        listen(page, address, faults, PAGE)
        page.goto(f"{address}{PAGE}.html{query}", wait_until="networkidle")
        assert page.evaluate(SHIFT) <= 0.01
        typed = build.call("fromAddress", query)["typed"]
        assert page.evaluate(SEEN) == typed
        s = Settings(**build.call("read", typed)["s"])
        assert {key for key in page.evaluate(TABLE)} - {"nothing", "bound"} == {row.key for row in answers(s)}
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = (
            "[...document.querySelectorAll('.planner-table, .planner-table *')].filter(e => e.scrollWidth > innerWidth)"
        )
        assert not page.evaluate(f"{wide}.length")
        if not query or (width == 360 and "m=8" in query):
            assert not unfit(page)
    assert not faults


@needs_browser
def test_by_keyboard(browser, address):
    """Type, hear it once, copy a link, open it: the same settings; bad input is refused and the table stays."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}{PAGE}.html#where-the-numbers-come-from")
        assert page.url.endswith(".html#where-the-numbers-come-from"), "an address without settings stays"
        page.evaluate("""() => { window.said = []; const heard = document.getElementById('planner-heard');
            new MutationObserver(() => said.push(heard.textContent)).observe(heard, {childList: true}) }""")
        page.focus("#planner-z")
        page.keyboard.press("Control+A")
        page.keyboard.type("3")
        page.keyboard.press("Tab")  # to L
        page.keyboard.press("Control+A")
        page.keyboard.type("10")
        page.keyboard.press("Enter")  # sends nothing
        assert page.url.endswith("?D=1000&d=2&z=3&L=10#where-the-numbers-come-from")
        meant = {row["key"]: f"{row['T']:,}" for row in computed(replace(START, z=3, L=10))}
        shown = page.evaluate(TABLE)
        assert {key: shown[key] for key in meant} == meant
        until(page, "said.length")
        page.wait_for_timeout(800)  # nothing more is said
        [said] = page.evaluate("said")
        assert said.startswith(
            "Width 1,000: circuits of width 2 with 10 layers, any 3 of them active. side by side: 500;"
        )
        page.evaluate(CLIPBOARD)
        page.get_by_role("button", name="Copy link").press("Enter")
        link = page.evaluate("window.copied")
        assert link == f"{address}{PAGE}.html?D=1000&d=2&z=3&L=10"
        page.select_option("#planner-chosen", "serial")
        page.get_by_role("button", name="Copy: Code").press("Enter")
        assert "lanes=1" in page.evaluate("window.copied")
        page.fill("#planner-z", "0")
        wrong = page.locator("#planner-z-wrong").inner_text()
        assert wrong == "z is 0; it must be a whole number from 1 to 64. Try 1."
        assert page.get_attribute("#planner-z", "aria-invalid") == "true"
        assert page.evaluate(TABLE) == shown
        assert "z=3" in page.url, "what is refused does not go into the address"
        page.fill("#planner-z", "2")
        assert page.get_attribute("#planner-z", "aria-invalid") is None
        assert page.input_value("#planner-chosen") == "serial"
        page.goto(link)
        assert page.evaluate(SEEN) == TYPED | {"z": "3", "L": "10"}


@needs_browser
def test_from_a_disk_and_without_javascript(browser, address):
    faults: list[str] = []
    where = (SITE / f"{PAGE}.html").resolve().as_uri()
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, SITE.resolve().as_uri(), faults, PAGE)
        page.goto(f"{where}?T=50&d=4&z=1")
        assert page.evaluate(SEEN) == TYPED | {"D": "", "T": "50", "d": "4", "z": "1"}
        page.fill("#planner-z", "2")
        assert page.locator("#planner-link").inner_text() == f"{where}?T=50&d=4&z=2&L=3"
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{PAGE}.html")
        assert page.locator("tbody[data-key=lanes]").is_visible()
        assert not page.locator("form.planner").is_visible()
        assert page.locator("noscript p").is_visible()
    assert not faults
