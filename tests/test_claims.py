"""The record of checked claims: what holds, what fails, what is refused, and the page that lists them by kind."""

import asyncio
import json
import math
from collections import Counter
from types import SimpleNamespace

import pytest
from browser import aside
from bs4 import BeautifulSoup
from built_book import EXECUTED, PAGES, ROOT, html, with_parts
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from small_book import sphinx
from sphinx.errors import ExtensionError
from superbook import claims_page

from superpos.show.claims import KINDS, Claim, ClaimFailed, check
from superpos.show.mime import CLAIM as MIME
from superpos.show.mime import STATIC
from superpos.words import number


def claim(**changes: object) -> Claim:
    arguments: dict = {"predicted": 2.0, "measured": 2.1, "kind": "derived", "source": "ours"} | changes
    name, statement = arguments.pop("name", "a-name"), arguments.pop("statement", "It is so.")
    return check(name, statement, **arguments)


@pytest.mark.parametrize(
    "figures",
    [
        {"predicted": 2, "measured": 2.5, "tolerance": 0.25},  # 0.5 ≤ 0.25 · 2
        {"predicted": -2.0, "measured": -1.8},  # 0.2 ≤ 0.10 · |−2|
        {"predicted": 2.0, "measured": 2.5, "standard_error": 0.25},  # 0.5 ≤ 2 · 0.25
        {"predicted": 0.0, "measured": 0.0},
        {"predicted": 2.0, "measured": -9.0, "relation": "≤"},
        {"predicted": 2.0, "measured": 2.5, "relation": "≤", "tolerance": 0.25},  # 2.5 ≤ 2 · 1.25
        {"predicted": 2.0, "measured": 1.5, "relation": "≥", "tolerance": 0.25},  # 1.5 ≥ 2 · 0.75
        {"predicted": 2.0, "measured": 2.0, "relation": "≥", "tolerance": 0},
    ],
)
def test_holds(figures):
    assert claim(**figures).holds


@pytest.mark.parametrize(
    "figures",
    [
        {"measured": 2.21},
        {"measured": 1.79},
        {"measured": 2.51, "standard_error": 0.25},
        {"predicted": 0.0, "measured": 1e-9},
        {"measured": 2.21, "relation": "≤"},
        {"measured": 1.79, "relation": "≥"},
        {"measured": 2.3, "relation": "≤", "standard_error": 1.0},  # the standard error widens "≈" only
        {"measured": math.nan},
        {"predicted": math.nan},
        {"standard_error": math.inf},
        {"measured": -math.inf, "relation": "≤"},
        {"predicted": math.inf, "relation": "≤"},
    ],
)
def test_fails(figures):
    with pytest.raises(ClaimFailed):
        claim(**figures)


@pytest.fixture
def front_end(monkeypatch):
    """As in a kernel: `front_end(allow_stdin)` is the front end that has asked for the cell."""
    monkeypatch.delenv(STATIC, raising=False)

    def asks(allow_stdin: bool | None) -> None:
        content = {} if allow_stdin is None else {"allow_stdin": allow_stdin}
        kernel = SimpleNamespace(get_parent=lambda: {"content": content})
        monkeypatch.setattr("superpos.show.claims.get_ipython", lambda: SimpleNamespace(kernel=kernel))

    return asks


def test_in_a_notebook_run_by_hand_a_failing_claim_is_shown_and_all_goes_on(front_end):
    front_end(True)
    with pytest.warns(UserWarning, match=r"claim 'noise' does not hold: It is so\..*measured 3\.125"):
        failed = claim(name="noise", measured=3.125)
    assert not failed.holds
    page = failed._repr_mimebundle_()["text/html"]
    assert "This claim does not hold." in page
    assert 'aria-label="does not hold">✗' in page
    assert "border" in page
    assert "✗" in str(failed)
    held = claim()._repr_mimebundle_()["text/html"]
    assert 'aria-label="holds">✓' in held
    assert "does not hold" not in held
    assert "style" not in held  # pages allow none


@pytest.mark.parametrize("allow_stdin", [False, None])
def test_programs_that_run_a_notebook_are_stopped(front_end, allow_stdin):
    front_end(allow_stdin)
    with pytest.raises(ClaimFailed):
        claim(measured=3.125)


def test_the_build_is_stopped_whoever_asks(front_end, monkeypatch):
    front_end(True)
    monkeypatch.setenv(STATIC, "1")
    with pytest.raises(ClaimFailed):
        claim(measured=3.125)


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_scripts_and_consoles_are_stopped(shell, monkeypatch):
    monkeypatch.delenv(STATIC, raising=False)
    monkeypatch.setattr("superpos.show.claims.get_ipython", lambda: shell)
    with pytest.raises(ClaimFailed):
        claim(measured=3.125)


def test_a_kernel_that_a_program_asks_is_stopped(tmp_path):
    """The real thing, as `jupytext --execute` and the build do it."""
    source = "from superpos.show import claims\n"
    source += "claims.check('wrong', 'It is one.', predicted=1, measured=2, kind='guard', source='ours')"
    notebook = new_notebook(cells=[new_code_cell(source)])
    with pytest.raises(CellExecutionError, match="ClaimFailed"):
        aside(lambda: asyncio.run(NotebookClient(notebook, timeout=60).async_execute()))


def test_a_failing_claim_that_was_recorded_stops_the_build(tmp_path):
    record = claim()._repr_mimebundle_()[MIME] | {"measured": 3.125}
    cell = {"cell_type": "code", "source": "claims.check(", "outputs": [{"data": {MIME: record}}]}
    (tmp_path / "page.ipynb").write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(ExtensionError, match=r"page: claims that do not hold are recorded:\n✗ It is so"):
        claims_page.claims_of(tmp_path / "page.ipynb")


def test_failure_has_all_figures():
    with pytest.raises(ClaimFailed) as failure:
        claim(name="noise", measured=3.125, standard_error=0.25, tolerance=0.05, source="bushnaq2024")
    for figure in ("noise", "It is so.", "2.0", "3.125", "0.25", "0.05", "≈", "bushnaq2024"):
        assert figure in str(failure.value)
    assert isinstance(failure.value, AssertionError)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", "Not a slug"),
        ("name", "two--hyphens"),
        ("statement", "  "),
        ("statement", "two\nlines"),
        ("standard_error", -0.1),
        ("tolerance", 1.0),
        ("tolerance", -0.1),
        ("tolerance", math.nan),
        ("relation", "<"),
        ("kind", "measured"),
        ("source", ""),
    ],
)
def test_bad_value(argument, value):
    with pytest.raises(ValueError, match=f"{argument} is .*must be"):
        claim(**{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [("measured", "2.0"), ("predicted", None), ("standard_error", True), ("tolerance", [0.1]), ("name", 3)],
)
def test_bad_type(argument, value):
    with pytest.raises(TypeError):
        claim(**{argument: value})


def test_what_a_notebook_gets():
    made = claim(statement="The noise $|x|^2 < D$ is small.", measured=2, standard_error=0.02, source="adler2024")
    bundle = made._repr_mimebundle_()
    assert Claim(**json.loads(json.dumps(bundle[MIME]))) == made
    page = bundle["text/html"]
    assert 'id="claim-a-name"' in page
    assert r"\(|x|^2 &lt; D\)" in page  # marked, and escaped
    for text in (page, bundle["text/plain"]):
        assert "≈ 2" in text
        assert "2 ± 0.020" in text
        assert "adler2024" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (256.0, "256"),
        (12345.0, "12,345"),
        (0.031847, "0.0318"),
        (2.0301, "2.03"),
        (123.4, "123"),
        (45678.9, "45,679"),
        (-0.5, "-0.500"),
        (2.13e-5, "2.13·10⁻⁵"),
        (3.2e9, "3.20·10⁹"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_kinds_are_counted_and_explained():
    table = claims_page.by_kind([claim(kind="guard"), claim(kind="derived"), claim(kind="guard")])
    rows = {cells[0].split("*")[1]: cells[1:] for cells in (row.split("\n  - ") for row in table.split("* - ")[2:])}
    assert {kind: row[0] for kind, row in rows.items()} == {"derived": "1", "published": "0", "guard": "2"}
    assert len({row[1] for row in rows.values()}) == len(KINDS)
    assert all("it " in row[1] and " no" in row[1] for row in rows.values())  # what it cannot show, too


def test_a_row_names_the_kind():
    cells = claims_page.row(claim(kind="published", source="adler2024")).split("\n  - ")
    assert dict(zip(claims_page.COLUMNS, cells, strict=True))["Kind"] == "published"
    assert len(claims_page.WIDTHS) == len(claims_page.COLUMNS)
    assert sum(claims_page.WIDTHS) == 100


def test_a_box_cites_its_source(tmp_path):
    """The authors and the year, linked to the list of references; our own has no link."""
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'sphinxcontrib.bibtex']\n"
        "source_suffix = {'.md': 'markdown'}\nhtml_static_path = []\n"
        f"bibtex_bibfiles = [{str(ROOT / 'book/references.bib')!r}]\nbibtex_reference_style = 'author_year'\n"
        "bibtex_cite_id = 'ref-{key}'\n" + with_parts("claims_page")
    )
    boxes = [claim(name=one, source=one)._repr_mimebundle_()["text/html"] for one in ("adler2024", "ours")]
    raw = "\n\n".join(f"```{{raw}} html\n{box}\n```" for box in boxes)
    (tmp_path / "index.md").write_text(f"# A page\n\n{raw}\n\n```{{bibliography}}\n:all:\n```\n")
    assert sphinx(tmp_path) == []
    page = BeautifulSoup((tmp_path / "_build/html/index.html").read_text(), "html.parser")
    cited, own = (page.select_one(f"#claim-{one} dl > div:last-child > dd") for one in ("adler2024", "ours"))
    assert cited and own  # noqa: PT018
    assert cited.get_text() == "[Adler and Shavit, 2024]"
    assert [link["href"] for link in cited.select("a")] == ["#ref-adler2024"]
    assert str(own) == "<dd>our own</dd>"


def test_the_page_lists_every_claim_once_under_its_kind():
    recorded = [
        one for page in PAGES if (path := EXECUTED / f"{page}.ipynb").exists() for one in claims_page.claims_of(path)
    ]
    page = html("book/claims")
    for named in page.select(".column"):  # the name of its column, for cards
        named.decompose()
    kinds, *tables = page.select("table.claims")
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in kinds.select("tbody tr")]
    counted = {kind.partition(":")[0]: int(count) for kind, count, _ in rows}
    assert counted == {kind: 0 for kind in KINDS} | Counter(one.kind for one in recorded)
    listed = Counter(row.find_all("td")[4].get_text(strip=True) for one in tables for row in one.select("tbody tr"))
    assert listed == Counter(one.kind for one in recorded)
    assert f"{len(recorded)} claims are made" in html("book/claims").get_text()
