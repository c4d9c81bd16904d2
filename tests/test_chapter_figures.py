"""The figures with sliders of the chapters: what their frames say and weigh, and that they can be compared."""

import ast
import dis
import re
from types import CodeType

import pytest
from built_book import NUMBERED, cells

from superpos.show import figures
from superpos.show.mime import FRAMES as MIME

CHAPTERS = {
    "01-storing": "fig-stored",
    "02-small-circuits": "fig-radius",
    "03-embedding-matrix": "fig-no-count",
    "04-writing-to-the-neurons": "fig-mixture",
    "05-writing-back": "fig-threshold",
    "06-error-analysis": "fig-parts",
    "07-many-layers": "fig-grow",
    "08-usable-circuits": "fig-copies-cost",
    "09-sharing-neurons": "fig-capacity",
    "11-seizure": "fig-seizure",
    "12-exact-superposition": "fig-columns",
    "13-how-many-fit": "fig-pays",
}
HEAVIEST = 1.2e6  # bytes of a chapter's frames


def records(chapter: str) -> list[dict]:
    return [o["data"][MIME] for cell in cells(f"book/{chapter}") for o in cell["outputs"] if MIME in o.get("data", {})]


def record(chapter: str) -> dict:
    [one] = [r for r in records(chapter) if r["name"] == CHAPTERS[chapter]]
    return one


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_alt_text_tells_the_frame(chapter):
    one = record(chapter)
    texts = {p["name"]: dict(zip(p["values"], p["texts"], strict=True)) for p in one["parameters"]}
    for frame in one["frames"]:
        for name, value in frame["values"].items():
            assert re.search(rf"\b{re.escape(texts[name][value])}\b", frame["alt"]), (frame["values"], frame["alt"])
    assert len({frame["alt"] for frame in one["frames"]}) == len(one["frames"]) >= 10


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_frames_are_light(chapter):
    """A reader's page is wide or narrow: each kind of frame counts by itself."""
    for sheet in ("wide", "narrow"):
        drawn = [frame["pictures"][sheet]["svg"] for one in records(chapter) for frame in one["frames"]]
        assert sum(len(svg.encode()) for svg in drawn) < HEAVIEST


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != "12-exact-superposition"])
def test_axes_stand_still(chapter):
    """The background of the axes, `patch_2` of matplotlib, has one place in all frames."""
    for sheet in ("wide", "narrow"):
        drawn = [frame["pictures"][sheet]["svg"] for frame in record(chapter)["frames"]]
        places = [re.search(r'id="patch_2"><path d="([^"]*)"', svg) for svg in drawn]
        assert all(places)
        assert len({place[1] for place in places if place}) == 1


def test_a_run_ends_with_the_answers():
    """a ← ReLU(t/2 · a + 1), twice. 1: 0.5 → 1.25 → 1.625; 8: −0.2 → 0.2 → 1.8; 5: −0.2 → 0.5 → 2.25; beside 1 and 4,
    4: −0.2 → 0.6 → 2.2; 8: 0.3 → 2.2 → 9.8, in the first lane, as 8 is alone in column 1, and 1 nowhere."""
    frames = record("12-exact-superposition")["frames"]
    last = {f["values"]["active"]: f["alt"] for f in frames if f["values"]["step"] == "cell 2"}
    answers = {
        "1 and 8": "state 1.62, 0, 0, 0, 0, 1.8",  # 1 back on slot 0, 8 on slot 2
        "1 and 5": "state 1.62, 0, 0, 0, 2.25, 0",
        "1, 4 and 8": "state 0, 0, 9.8, 0, 2.2, 0",
    }
    assert {who: answers[who] in alt for who, alt in last.items()} == dict.fromkeys(answers, True)
    out = {
        f["values"]["active"]: "1 was never alone: no lane" in f["alt"]
        for f in frames
        if f["values"]["step"] == "places"
    }
    assert out == {"1 and 8": False, "1 and 5": False, "1, 4 and 8": True}


def test_held_axes_and_legend_stay():
    held = []
    for top in (1.0, 50.0):
        series = [figures.points("measured", [0.0, 1.0], [0.0, top]), figures.line("predicted", [0.0, 1.0], [0.0, top])]
        figure = figures.hold(figures.curves(series, "x", "y"), xlim=(0.0, 2.0), ylim=(0.0, 60.0), title="now")
        figure.draw_without_rendering()
        ax, [legend] = figure.axes[0], figure.legends
        assert ax.get_legend() is None
        assert {text.get_text() for text in legend.get_texts()} == {"measured", "predicted"}
        held.append((ax.get_xlim(), ax.get_ylim(), ax.get_position().bounds, legend.get_window_extent().bounds))
    assert held[0] == held[1]
    assert held[0][:2] == ((0.0, 2.0), (0.0, 60.0))


def globals_of(code: CodeType) -> set[str]:
    """The global names that a function reads, with those of the functions within it."""
    reads = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return reads.union(*(globals_of(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def named(source: str) -> tuple[dict[str, set[str]], set[str]]:
    """The functions that a cell makes, each with the global names that it reads, and all names that the cell binds."""
    code = compile(source, "<cell>", "exec")
    bound = {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_NAME", "STORE_GLOBAL")}
    made = {c.co_name: globals_of(c) for c in code.co_consts if isinstance(c, CodeType)}
    lambdas = set[str]().union(*(reads for name, reads in made.items() if name == "<lambda>"))
    return {name: made.get(name, lambdas) for name in bound}, bound


@pytest.mark.parametrize("page", ["index", *NUMBERED])
def test_later_cells_leave_a_figure_alone(page):
    """In a notebook a slider calls the figure's functions again: what they read must still mean the same."""
    parts = [named(cell["source"]) for cell in cells(page)]
    figures_of = [k for k, cell in enumerate(cells(page)) if "explore(" in cell["source"]]
    assert figures_of
    for k in figures_of:
        known = {name: reads for functions, _ in parts[: k + 1] for name, reads in functions.items()}
        reached, waiting = set[str](), ["draw", "alt"]
        while waiting:
            new = known.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        rebound = reached & set[str]().union(*(bound for _, bound in parts[k + 1 :]))
        assert not rebound, f"{page}: a later cell gives {rebound} another meaning"


def changes(tree: ast.AST) -> list[ast.AST]:
    """What touches the axes of a figure."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "axes"]


def undrawn(source: str) -> list[str]:
    """Where the code of a page touches axes outside a function that draws: the narrow picture would not have it."""
    tree, told = ast.parse(source), []
    shown = {
        name.id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "explore"
        for name in call.args[:1]
        if isinstance(name, ast.Name)
    }
    for part in tree.body:
        if isinstance(part, ast.FunctionDef):
            marked = any(ast.unparse(mark).endswith("drawing") for mark in part.decorator_list)
            told += [] if marked or part.name in shown else [part.name] * len(changes(part))
        else:
            told += [ast.unparse(part)] * len(changes(part))
    return told


@pytest.mark.parametrize("page", ["index", *NUMBERED])
def test_axes_are_changed_where_the_figure_is_drawn(page):
    assert not undrawn("\n".join(cell["source"] for cell in cells(page) if not cell["source"].startswith("%")))


def test_a_change_outside_is_found():
    drawn = "@figures.drawing\ndef f():\n    p.axes[0].set(x=1)\ndef g():\n    p.axes\nexplore(g)\n"
    assert not undrawn(drawn)
    assert undrawn(drawn + "p.axes[0].set(x=1)") == ["p.axes[0].set(x=1)"]
    assert undrawn("def f():\n    p.axes\nexplore(g)") == ["f"]
