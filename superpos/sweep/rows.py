"""The rows of a sweep in a file: which measurement they are of, and how many can add to them at the same time."""

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from io import BufferedRandom
from pathlib import Path
from types import FunctionType

from superpos.writing import written

try:
    import fcntl
except ImportError:  # not on Windows: there one sweep at a time has the file
    fcntl = None

SEED, MEASURE = "seed", "measure"  # what a row holds besides a setting and what was found

Key = tuple[tuple[int, int | float, str], ...]


def store(path: str | Path, rows: Sequence[dict]) -> None:
    """Write rows as one JSON file, one row a line: whole, or not at all.

    Raises:
        ValueError: if a row does not fit in JSON, or holds NaN or an infinity.
        OSError: as `superpos.writing.check_free`, or if the disk is full.
    """
    text = "[\n" + ",\n".join(_line(row) for row in rows) + "\n]\n"
    with written(path, overwrite=True) as spare:
        spare.write_text(text, encoding="utf8")


def mark(measure: Callable, kind: type) -> str:
    """The mark of a measurement in a row: a hash of the function's name, its fixed arguments and the dataclass.

    Fixed are those of a `functools.partial`, and what a function made inside another took from there. The source code
    is not looked at. The dataclass is told by its name and those of its fields: what it was before it lost one, it is
    no more.

    Raises:
        TypeError: if it cannot be told by its name, such as a lambda, or holds something that has no lasting name.
    """
    try:
        told = _told("measure", measure), f"{kind.__module__}.{kind.__qualname__}", sorted(f.name for f in fields(kind))
    except (RecursionError, ValueError) as error:
        raise TypeError(f"measure is {measure!r}, which holds itself or something not yet made ({error})") from error
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _told(place: str, value: object) -> object:
    """A value as JSON, the same in every process; functions and classes by their names."""
    if value is None or isinstance(value, bool | int | float | str):
        return [type(value).__name__, repr(value)]
    if isinstance(value, list | tuple):
        return ["list", *(_told(place, part) for part in value)]
    if isinstance(value, dict):
        return ["dict", *sorted(([_told(place, k), _told(place, v)] for k, v in value.items()), key=json.dumps)]
    if isinstance(value, os.PathLike):
        return ["path", os.fspath(value)]
    if isinstance(value, partial):
        return ["partial", *(_told(place, part) for part in (value.func, value.args, value.keywords))]
    if is_dataclass(value) and not isinstance(value, type):
        return [_told(place, type(value)), *(_told(place, getattr(value, field.name)) for field in fields(value))]
    bound = getattr(value, "__self__", None) is not None
    value = inspect.unwrap(value) if callable(value) else value
    name = getattr(value, "__qualname__", "<lambda>")
    if bound or name.endswith("<lambda>"):
        raise TypeError(
            f"{place} is or holds {value!r}, which no name tells from others like it: give a function made with def, "
            "with a functools.partial for what is fixed, of numbers, words, lists and dataclasses"
        )
    if isinstance(value, FunctionType) and "<locals>" in name:
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        fixed = [held, list(value.__defaults__ or ()), value.__kwdefaults__ or {}]
        return ["function", value.__module__, name, _told(f"what {name} took from around it", fixed)]
    return ["function", value.__module__, name]


class Table:
    """The rows at a path, and those in the file beside it to which finished rows are added.

    That file is locked by whoever reads, adds or settles, so that no row is lost among several sweeps.
    """

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.path, self.names = path, names
        self.beside = path.with_name(f"{path.name}.part")

    def read(self) -> dict[Key, dict]:
        """The rows, all of them, each by its key.

        Raises:
            ValueError: if what is there is something else than rows of such settings.
        """
        if not self.path.parent.is_dir():
            raise ValueError(f"path is {self.path}; its folder {self.path.parent} does not exist: make it first")
        with self._locked(make=False) as stream:
            return self._rows(_lines(self.beside, stream))

    def add(self, row: dict) -> None:
        """Write a finished row at the end of the file beside: one line, on the disk when this returns."""
        with self._locked(make=True) as stream:
            assert stream is not None
            stream.seek(_sound(stream))
            stream.truncate()  # the half of a line that a sweep which was killed has left
            stream.write(f"{_line(row)}\n".encode())
            stream.flush()
            os.fsync(stream.fileno())

    def settle(self) -> None:
        """Write the rows that were added into their place among the others."""
        with self._locked(make=False) as stream:
            if stream is None:
                return
            if added := _lines(self.beside, stream):
                rows = self._rows(added)
                store(self.path, [rows[k] for k in sorted(rows)])
            self.beside.unlink()

    @contextmanager
    def _locked(self, *, make: bool) -> Iterator[BufferedRandom | None]:
        """The file beside, open for reading and writing, and nobody else's in the meantime; None if there is none."""
        while True:
            try:
                number = os.open(self.beside, os.O_RDWR | (os.O_CREAT if make else 0), 0o666)
            except FileNotFoundError:
                if make:
                    raise
                yield None
                return
            with open(number, "rb+") as stream:
                if fcntl is not None:
                    fcntl.flock(stream, fcntl.LOCK_EX)
                if _same(stream, self.beside):  # else another sweep has settled it while this one was waiting
                    yield stream
                    return

    def _rows(self, added: list[dict]) -> dict[Key, dict]:
        rows = _keyed(self.path, _stored(self.path), self.names)
        for row in added:  # of two sweeps that have measured the same, the first
            _check_row(self.beside, row, self.names, "a row")
            rows.setdefault(key(row, self.names), row)
        return rows


def key(row: dict, names: tuple[str, ...]) -> Key:
    """The key by which a row is known and put in order: its setting, its seed, and what was measured."""
    return tuple(_comparable(row.get(name)) for name in (*names, SEED, MEASURE))


def _comparable(value: object) -> tuple[int, int | float, str]:
    """Numbers before words, words before anything else; 0 and 0.0 are one, and False is another."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value, ""
    return (1, 0, value) if isinstance(value, str) else (2, 0, json.dumps(value))


_SPARE = "nothing was measured or written: move it away, or give another path"


def _stored(path: Path) -> list:
    """What is in the file at the path, none if nothing is there."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"path is {path}; what is there is no JSON file ({error}); {_SPARE}") from error
    if not isinstance(rows, list):
        raise ValueError(f"path is {path}; its JSON is a {type(rows).__name__}, not a list of rows; {_SPARE}")
    return rows


def _keyed(path: Path, rows: list, names: tuple[str, ...]) -> dict[Key, dict]:
    found: dict[Key, dict] = {}
    for i, row in enumerate(rows):
        _check_row(path, row, names, f"row {i}")
        if (own := key(row, names)) in found:
            raise ValueError(f"path is {path}; row {i} has the setting and seed of an earlier row; {_SPARE}")
        found[own] = row
    return found


def _check_row(path: Path, row: object, names: tuple[str, ...], which: str) -> None:
    needed = (*names, SEED)
    lacks = [name for name in needed if name not in row] if isinstance(row, dict) else needed
    if lacks:
        raise ValueError(f"path is {path}; {which} has no {', '.join(lacks)}, so it is of another sweep; {_SPARE}")


def _line(row: dict) -> str:
    return json.dumps(row, allow_nan=False)


def _sound(stream: BufferedRandom) -> int:
    """Where the last whole line ends."""
    size = stream.seek(0, os.SEEK_END)
    if size:
        stream.seek(size - 1)
        if stream.read(1) != b"\n":
            stream.seek(0)
            return stream.read().rfind(b"\n") + 1
    return size


def _lines(path: Path, stream: BufferedRandom | None) -> list[dict]:
    """The rows in it, without half a line at its end."""
    whole = b"" if stream is None else stream.read()
    try:
        return [json.loads(line) for line in whole[: whole.rfind(b"\n") + 1].splitlines()]
    except ValueError as error:
        raise ValueError(f"path is {path}; it holds something else than rows of a sweep ({error}); {_SPARE}") from error


def _same(stream: BufferedRandom, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
