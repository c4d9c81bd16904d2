"""How the code stands: nothing imports in a circle or on the way, and a file can be read in one sitting."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest
from superbook import STEPS

import superpos

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"superpos": ROOT} | {f"book/_ext/{name}": ROOT / "book/_ext" for name in ("superbook", "chapters")}
LONGEST = 300  # lines


def modules(folder: str) -> dict[str, ast.Module]:
    """The modules of a package by name, as they are written."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(FOLDERS[folder]).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text())
    return found


def imports(name: str, tree: ast.Module, known: set[str]) -> Iterator[str]:
    """The modules among `known` that this one names in its imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            package = name if name in {other.rpartition(".")[0] for other in known} else name.rpartition(".")[0]
            base = ".".join(filter(None, (package if node.level else "", node.module)))
            inner = {f"{base}.{alias.name}" for alias in node.names} & known
            yield from inner or {base} & known


def arrows(name: str, tree: ast.Module, known: set[str], floors: list[list[str]]) -> list[str]:
    """What a module of the package imports that stands neither below it nor in its own folder."""
    at = {part: floor for floor, parts in enumerate(floors) for part in parts}
    own = name.split(".")[1]
    others = sorted(found for found in imports(name, tree, known) if found.partition(".")[2].partition(".")[0] != own)
    return [f"{name}: {found}" for found in others if found == "superpos" or at[found.split(".")[1]] >= at[own]]


def circle(folder: str) -> list[str]:
    """Modules that import each other, in turn; none is as it should be."""
    trees = modules(folder)
    graph = {name: set(imports(name, tree, set(trees))) for name, tree in trees.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_circle_of_imports(folder):
    assert not circle(folder)


def test_no_arrow_against_the_floors():
    """As the docstring of the package lists them, the highest first; all of it has its floor but the lazy root."""
    assert superpos.__doc__
    listed = superpos.__doc__.partition("beside it::\n\n")[2].partition("\n\n")[0]
    floors = [line.split() for line in reversed(listed.splitlines())]
    trees = modules("superpos")
    del trees["superpos"]
    assert sorted(chain(*floors)) == sorted({name.split(".")[1] for name in trees})
    assert not [arrow for name, tree in trees.items() for arrow in arrows(name, tree, {"superpos", *trees}, floors)]
    up = ast.parse("from superpos import show\nfrom superpos.circuits.stacks import MLPCircuits\nimport superpos")
    assert arrows("superpos.circuits.batches", up, {"superpos", *trees}, floors) == [
        "superpos.circuits.batches: superpos",
        "superpos.circuits.batches: superpos.show",
    ]


def test_chapters_are_opened_without_the_build():
    """A notebook server has neither Sphinx nor what stands on it."""
    found = {name for tree in modules("book/_ext/chapters").values() for node in ast.walk(tree) for name in named(node)}
    assert found >= {"jupytext", "nbformat"}
    assert not found & {"sphinx", "docutils", "myst_nb", "superbook", "superpos"}


def named(node: ast.AST) -> list[str]:
    """The packages of others that a statement imports from."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [str(node.module).partition(".")[0]] if isinstance(node, ast.ImportFrom) and not node.level else []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_inside_a_function(folder):
    inner = [
        f"{name}: {ast.unparse(statement)}"
        for name, tree in modules(folder).items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in ast.walk(function)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    assert not inner


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_too_long(folder):
    lengths = {str(path): len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert not {name: length for name, length in lengths.items() if length > LONGEST}


def test_steps_stand_in_the_order_in_which_they_are_taken():
    """Within an event by priority; the events as Sphinx has them; and nothing is connected anywhere else."""
    events = list(dict.fromkeys(step.event for step in STEPS))
    assert events == [
        *("setup", "config-inited", "builder-inited", "env-before-read-docs", "doctree-read", "env-check-consistency"),
        *("doctree-resolved", "html-page-context", "html-collect-pages", "build-finished"),
    ]
    keys = [(events.index(step.event), step.priority) for step in STEPS]
    assert keys == sorted(keys)
    assert len({(step.event, step.do) for step in STEPS}) == len(STEPS)
    assert all(step.why for step in STEPS)
    connecting = [path.name for path in (ROOT / "book/_ext/superbook").glob("*.py") if ".connect(" in path.read_text()]
    assert connecting == ["__init__.py"]
