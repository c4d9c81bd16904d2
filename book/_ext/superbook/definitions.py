"""What the package offers, read from its sources: public names, their signatures as they are written, docstrings.

The sources are parsed, not imported: annotations stay the text that a reader of the code sees, and torch stays out.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .places import ROOT

Constant = ast.Assign | ast.AnnAssign
Named = ast.FunctionDef | ast.ClassDef | Constant
Kind = Literal["function", "class", "data", "method", "staticmethod", "property"]


@dataclass(frozen=True)
class Definition:
    """One public name.

    Attributes:
        name: as a user writes it, from `superpos` on.
        kind: as Sphinx calls it.
        home: the module that defines it.
        signature: what follows the name.
        doc: its docstring; of a constant the comment beside it.
        bases: of a class, as they are written.
        members: of a class, those with a docstring of their own.
    """

    name: str
    kind: Kind
    home: str
    signature: str
    doc: str
    bases: tuple[str, ...] = ()
    members: tuple["Definition", ...] = ()


def path_of(module: str) -> Path | None:
    """The file of a module of this repository."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


@functools.cache
def parsed(module: str) -> tuple[ast.Module, str]:
    """A module and its text."""
    path = path_of(module)
    if path is None:
        raise LookupError(f"there is no module {module}")
    text = path.read_text(encoding="utf8")
    return ast.parse(text), text


def about(module: str) -> str:
    """The docstring of a module."""
    return ast.get_docstring(parsed(module)[0]) or ""


def public(module: str) -> list[str]:
    """The names of `__all__`; a module without one offers nothing."""
    for node in parsed(module)[0].body:
        if isinstance(node, ast.Assign) and "__all__" in _targets(node):
            return list(ast.literal_eval(node.value))
    return []


def offered(module: str) -> list[Definition]:
    """What a module offers, in the order of `__all__`; what `superpos` itself offers is not offered a second time.

    Of `superpos` the calls alone: its other names are modules.
    """
    calls = [name for name in public("superpos") if path_of(f"superpos.{name}") is None]
    names = calls if module == "superpos" else [name for name in public(module) if name not in calls]
    return [define(f"{module}.{name}") for name in names]


def define(name: str) -> Definition:
    """The definition of a public name, wherever the module has it from."""
    module, _, short = name.rpartition(".")
    home, node = find(module, short)
    text = parsed(home)[1]
    if isinstance(node, Constant):
        value = f" = {_source(text, node.value)}" if node.value else ""
        return Definition(name, "data", home, value, _comment(text, node))
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        return Definition(name, "function", home, signature(text, node), doc)
    bases = tuple(_source(text, base) for base in node.bases)
    members = tuple(_members(name, home, node))
    return Definition(name, "class", home, _constructor(text, node), doc, bases, members)


def find(module: str, name: str) -> tuple[str, Named]:
    """The module that defines what `module` calls `name`, and the definition."""
    for node in ast.walk(parsed(module)[0]):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name and not _overloads(node):
            return module, node
        if isinstance(node, Constant) and name in _targets(node):
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find(node.module, alias.name)
    raise LookupError(f"{module} has no {name}")


def _overloads(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether this is one of several types of a function that is defined further down."""
    return any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)


def signature(text: str, node: ast.FunctionDef, *, bound: bool = False) -> str:
    """Arguments and result as they are written; without the first argument if `bound`."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    parts = [_argument(text, arg, default) for arg, default in zip(plain, defaults, strict=True)][int(bound) :]
    if given.vararg:
        parts.append(f"*{_argument(text, given.vararg)}")
    elif given.kwonlyargs:
        parts.append("*")
    parts += [_argument(text, arg, default) for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        parts.append(f"**{_argument(text, given.kwarg)}")
    return f"({', '.join(parts)})" + (f" -> {_source(text, node.returns)}" if node.returns else "")


def _constructor(text: str, node: ast.ClassDef) -> str:
    """What a class is made of: the fields of a dataclass or a named tuple, else the arguments of `__init__`."""
    if {"dataclass", "NamedTuple"} & {name.id for mark in (*node.decorator_list, *node.bases) for name in _names(mark)}:
        fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
        return f"({', '.join(_argument(text, field, field.value) for field in fields)})"
    start = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    return signature(text, start, bound=True).partition(" -> ")[0] if start else ""


def _members(owner: str, home: str, node: ast.ClassDef) -> Iterator[Definition]:
    text = parsed(home)[1]
    for one in node.body:
        if not isinstance(one, ast.FunctionDef) or one.name.startswith("_") or not ast.get_docstring(one):
            continue
        marks, name = {ast.unparse(mark) for mark in one.decorator_list}, f"{owner}.{one.name}"
        said = ast.get_docstring(one) or ""
        if marks & {"property", "cached_property", "functools.cached_property"}:
            yield Definition(name, "property", home, f": {_source(text, one.returns)}" if one.returns else "", said)
        else:
            kind = "staticmethod" if "staticmethod" in marks else "method"
            yield Definition(name, kind, home, signature(text, one, bound=kind == "method"), said)


def _argument(text: str, arg: ast.arg | ast.AnnAssign, default: ast.expr | None = None) -> str:
    name = arg.arg if isinstance(arg, ast.arg) else ast.unparse(arg.target)
    said = f"{name}: {_source(text, arg.annotation)}" if arg.annotation else name
    if default is None or "field(" in ast.unparse(default):
        return said
    return f"{said} = {_source(text, default)}" if arg.annotation else f"{said}={_source(text, default)}"


def _source(text: str, node: ast.expr) -> str:
    """An expression as it is written, on one line; the blank before a single axis says nothing to a reader."""
    lines = _lines(text)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    if first == last:  # what ast.get_source_segment gives, which splits the whole text each time
        written = lines[first].encode()[node.col_offset : node.end_col_offset].decode()
    else:
        written = ast.get_source_segment(text, node) or ast.unparse(node)
    return " ".join(written.split()).replace('[Tensor, " ', '[Tensor, "')


@functools.lru_cache(maxsize=64)
def _lines(text: str) -> list[str]:
    return text.splitlines()


def _comment(text: str, node: Constant) -> str:
    """What stands beside a constant, as a sentence."""
    line = text.splitlines()[node.end_lineno - 1 if node.end_lineno else 0]
    said = line.partition("# ")[2].strip()
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _names(node: ast.expr) -> list[ast.Name]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Name)]


def _targets(node: Constant) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}
