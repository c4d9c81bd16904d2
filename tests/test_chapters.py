"""What every chapter keeps to, read from the book that was built: one test for each page of `_toc.yml`."""

import ast
import json
import re
from collections.abc import Iterator

import pytest
from built_book import EXECUTED, NUMBERED, PAGES, ROOT, article, cells
from superbook import reading

from superpos.show.mime import DATA, FRAMES

MINUTES, LINES = 10, 25
SHOWN, SHOWN_LINES = 10, 10  # cells whose code a reader sees without unfolding it
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "normal", "multinomial", "poisson"}
DRAWS_IN_PLACE = {
    "normal_",
    "uniform_",
    "bernoulli_",
    "random_",
    "exponential_",
    "cauchy_",
    "log_normal_",
    "geometric_",
}
NEVER_SEEDED = {"rand_like", "randn_like", "randint_like", "dropout"}


def not_executed(page: str) -> Iterator[str]:
    """A cell that was not run, or that ended in an error."""
    for cell in cells(page):
        if cell["source"].strip() and cell["execution_count"] is None:
            yield f"was not executed:\n{cell['source']}"
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"an error output: {output['ename']}: {output['evalue']}"


def not_titled(page: str) -> Iterator[str]:
    titles = article(page).find_all("h1")
    if len(titles) != 1:
        yield f"{len(titles)} first-level titles, not one"


def without_exercises(page: str) -> Iterator[str]:
    """Fewer than two exercises in a numbered chapter, or one without a solution."""
    text = (ROOT / f"{page}.md").read_text()
    exercises = re.findall(r"^[`:]{3,}\{exercise(?:-start)?\}.*\n(?::.*\n)*?:label: *(\S+)", text, re.MULTILINE)
    solutions = re.findall(r"^[`:]{3,}\{solution(?:-start)?\} *(\S+)", text, re.MULTILINE)
    if page in NUMBERED and len(exercises) < 2:
        yield f"{len(exercises)} labelled exercises; a chapter has at least two"
    for label in set(exercises) - set(solutions):
        yield f"exercise {label} has no solution"


def without_hints(page: str) -> Iterator[str]:
    """An exercise whose solution does not follow a hint."""
    text = (ROOT / f"{page}.md").read_text()
    for exercise, between in re.findall(
        r"^:::\{exercise\}([^\n]*)\n(.*?)^:{3,}\{solution\}", text, re.MULTILINE | re.DOTALL
    ):
        if not re.search(r"^:::\{admonition\} Hint\n:class: dropdown hint\n", between, re.MULTILINE):
            yield f"exercise{exercise} has no hint before its solution"


def bare_figures(page: str) -> Iterator[str]:
    """A figure that a cell draws without a caption, a name or an alt text."""
    for cell in cells(page):
        drawn = [o for o in cell["outputs"] if {"image/svg+xml", "image/png"} & set(o.get("data", {}))]
        render = cell["metadata"].get("mystnb", {})
        given = {**render.get("figure", {}), **render.get("image", {})}
        for key in ("caption", "name", "alt"):
            if drawn and not given.get(key):
                yield f"a figure without {key}:\n{cell['source']}"


def figures_without_finding(page: str) -> Iterator[str]:
    """A figure, or a frame of one with sliders, that does not say in a sentence what it shows."""
    for cell in cells(page):
        for data in (output.get("data", {}) for output in cell["outputs"]):
            said = [data[DATA]["finding"]] if DATA in data and "image/svg+xml" in data else []
            said += [frame["finding"] for frame in data.get(FRAMES, {}).get("frames", [])]
            for finding in said:
                if len(finding.split()) < 4:
                    yield f"a figure whose finding is {finding!r}:\n{cell['source']}"
                    break


def long_cells(page: str) -> Iterator[str]:
    for cell in cells(page):
        if (lines := len(cell["source"].strip().splitlines())) > LINES:
            yield f"a cell of {lines} lines; at most {LINES}:\n{cell['source']}"


def too_much_code(page: str) -> Iterator[str]:
    """Code that is shown teaches: it is little, and checks of claims are folded."""
    shown = [cell["source"].strip() for cell in cells(page) if not FOLDED & set(cell["metadata"].get("tags", []))]
    if len(shown) > SHOWN:
        yield f"{len(shown)} cells show their code; at most {SHOWN}"
    for source in shown:
        if (lines := len(source.splitlines())) > SHOWN_LINES:
            yield f"a cell of {lines} lines is shown; at most {SHOWN_LINES}:\n{source}"
        if "claims.check(" in source:
            yield f"the check of a claim is shown:\n{source}"


def unseeded_draws(page: str) -> Iterator[str]:
    """A draw from a global generator, or a generator without a seed."""
    for cell in cells(page):
        code = re.sub(r"^(\s*)[%!].*$", r"\1pass", cell["source"], flags=re.MULTILINE)
        tree = ast.parse(code)
        seeded = {
            id(node.func.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "manual_seed"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and id(node) not in seeded and _is_unseeded(node):
                yield f"an unseeded draw: {ast.unparse(node)}"


def _is_unseeded(call: ast.Call) -> bool:
    path = ast.unparse(call.func)
    name = path.rpartition(".")[2]
    given = {keyword.arg for keyword in call.keywords}
    if path.startswith(("np.random.", "numpy.random.")):
        return name != "default_rng" or not (call.args or call.keywords)
    if path in {"torch.Generator", "torch.manual_seed"} or (path.startswith(("torch.", "F.")) and name in NEVER_SEEDED):
        return True
    return "generator" not in given and ((path.startswith("torch.") and name in DRAWS) or name in DRAWS_IN_PLACE)


def long_reading(page: str) -> Iterator[str]:
    """More than ten minutes' words, as the page itself counts them."""
    words = reading.words(str(article(page)))
    if page in NUMBERED and words > MINUTES * reading.WORDS_PER_MINUTE:
        yield f"{words} words take {words / reading.WORDS_PER_MINUTE:.1f} minutes to read; at most {MINUTES}"


def lost_glue(page: str) -> Iterator[str]:
    """A number in the prose that no cell of the page computes."""
    used = re.findall(r"\{glue(?::\w*)?\}`([^`:]+)", (ROOT / f"{page}.md").read_text())
    path = EXECUTED / f"{page}.glue.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for key in used:
        if key.strip() not in known:
            yield f"glue {key!r} is not computed on this page"


RULES = (
    not_executed,
    not_titled,
    without_exercises,
    without_hints,
    bare_figures,
    figures_without_finding,
    long_cells,
    too_much_code,
    unseeded_draws,
    long_reading,
    lost_glue,
)


@pytest.mark.parametrize("page", PAGES)
def test_chapter(page):
    faults = [fault for rule in RULES for fault in rule(page)]
    assert not faults, "\n".join([f"{page}:", *faults])


@pytest.mark.parametrize("page", NUMBERED)
def test_numbered_chapter_is_a_notebook(page):
    assert cells(page), f"{page} has no executed cells"


@pytest.mark.parametrize(
    ("code", "unseeded"),
    [
        ("torch.randn(3)", True),
        ("torch.randn(3, generator=g)", False),
        ("torch.Generator()", True),
        ("torch.manual_seed(0)", True),
        ("w.normal_()", True),
        ("w.normal_(generator=g)", False),
        ("np.random.default_rng()", True),
        ("np.random.default_rng(1)", False),
        ("np.random.rand(3)", True),
        ("circuits.random_mlps(3, 2, 1, seed=0)", False),
    ],
)
def test_what_counts_as_unseeded(code, unseeded):
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert _is_unseeded(call) == unseeded
