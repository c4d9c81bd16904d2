"""Rows of sweeps: of which measurement they are, and that none is lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from superpos import sweep
from superpos.sweep import rows as rows_of
from superpos.sweep.rows import Table, mark

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Point:
    a: Any
    b: float = 0.5


@dataclass(frozen=True)
class Other:
    a: Any
    b: float = 0.5


@dataclass(frozen=True)
class Less:
    """Point, as it was before it had b."""

    a: Any


Less.__qualname__ = "Point"


@dataclass(frozen=True)
class Scale:
    """A measure with a number of its own."""

    by: float

    def __call__(self, setting: Point, seed: int) -> dict:
        return {"value": self.by * setting.a}


def product(setting: Point | Other, seed: int, *, by: Any = 1.0, **more: object) -> dict:
    return {"value": setting.a * setting.b * by + seed}


def total(setting: Point, seed: int) -> dict:
    return {"value": setting.a + setting.b + seed}


def constant(setting: Point | Less, seed: int) -> dict:
    return {"value": getattr(setting, "b", 0.0)}


def scaled(by: float) -> Callable[[Point, int], dict]:
    def measure(setting: Point, seed: int) -> dict:
        return {"value": by * setting.a}

    return measure


def defaulted(by: float) -> Callable[[Point, int], dict]:
    def measure(setting: Point, seed: int, by: float = by) -> dict:
        return {"value": by * setting.a}

    return measure


def stored(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf8"))


MEASURES: list[Callable] = [
    product,
    total,
    partial(product, by=2.0),
    partial(product, by=3.0),
    partial(product, by="2.0"),
    partial(product, by=Path("2.0")),
    partial(product, by=[2.0]),
    partial(product, by={"2": 0}),
    partial(product, by=Point(2)),
    partial(product, by=Other(2)),
    partial(product, by=total),
    partial(product, by=None),
    partial(product, by=1),
    partial(product, by=1.0),
    partial(product, by=True),
    scaled(2.0),
    scaled(3.0),
    defaulted(2.0),
    defaulted(3.0),
    Scale(2.0),
    Scale(3.0),
]


def test_a_row_says_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    marks = [mark(measure, kind) for measure in MEASURES for kind in (Point, Other)]
    assert len(set(marks)) == len(marks)
    assert mark(partial(partial(product, by=3.0), by=2.0), Point) == mark(partial(product, by=2.0), Point)
    assert mark(partial(product, a=1, b=2), Point) == mark(partial(product, b=2, a=1), Point)
    runs = [(product, Point), (partial(product, by=2.0), Point), (product, Other), (total, Point)]
    found = [sweep.run(measure, [kind(3)], [0], path)[0] for measure, kind in runs]
    assert [row["value"] for row in found] == [1.5, 3.0, 1.5, 3.5]
    assert len(stored(path)) == 4
    # one that has a field less takes nothing from those that have it
    assert mark(total, Less) != mark(total, Point)
    assert sweep.run(constant, [Point(3, 9.0)], [0], tmp_path / "less.json")[0]["value"] == 9.0
    assert sweep.run(constant, [Less(3)], [0], tmp_path / "less.json")[0]["value"] == 0.0
    # each finds its own again, and nothing is measured anew
    before = path.read_bytes()
    assert [sweep.run(measure, [kind(3)], [0], path)[0] for measure, kind in runs] == found
    assert path.read_bytes() == before


def itself() -> Callable:
    def measure(setting: Point, seed: int) -> dict:
        return measure(setting, seed)

    return measure


@pytest.mark.parametrize(
    "measure",
    [
        lambda setting, seed: {},
        partial(product, by=lambda: 2),
        partial(product, by=torch.ones(2)),
        partial(product, by=object()),
        Table(Path("a"), ()).add,
        scaled(torch.ones(2)),  # type: ignore[arg-type]
        itself(),
    ],
)
def test_a_measure_that_no_name_tells_from_another_is_refused(tmp_path: Path, measure: Callable) -> None:
    with pytest.raises(TypeError, match=r"measure"):
        sweep.run(measure, [Point(1)], [0], tmp_path / "rows.json")
    assert not list(tmp_path.iterdir())


def test_true_is_not_one(tmp_path: Path) -> None:
    path, none = tmp_path / "rows.json", Point(None)
    settings = [Point(1), Point(True), Point("1"), Point(1.0), Point(2), Point(False), Point(0), none, Point((1, 2))]
    sweep.run(told, settings, [0], path)
    assert [row["value"] for row in sweep.run(told, settings, [0], path)] == [row["value"] for row in stored(path)]
    assert sorted(row["value"] for row in stored(path)) == sorted(
        ["1", "True", "'1'", "2", "False", "0", "None", "(1, 2)"]  # 1.0 is the number 1, and was measured already
    )


def told(setting: Point, seed: int) -> dict:
    return {"value": repr(setting.a)}


@pytest.mark.parametrize("setting", [Point(torch.ones(2)), Point(float("nan")), Point({1, 2}), Point(Path("a"))])
def test_settings_that_do_not_fit_in_a_row_are_refused_before_work(tmp_path: Path, setting: Point) -> None:
    with pytest.raises(TypeError, match="does not fit in JSON"):
        sweep.run(told, [Point(1), setting], [0], tmp_path / "rows.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["seed", "measure"])
def test_a_setting_with_a_field_that_a_row_has_is_refused(tmp_path: Path, name: str) -> None:
    kind = make_dataclass("Setting", [(name, int)], frozen=True)
    with pytest.raises(ValueError, match=f"a field {name}, which a row has already"):
        sweep.run(told, [kind(1)], [0], tmp_path / "rows.json")


def test_rows_of_before_they_said_what_was_measured_stay(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    sweep.store(path, [{"a": 3, "b": 0.5, "seed": 0, "value": 99}])
    assert sweep.run(product, [Point(3)], [0], path)[0]["value"] == 1.5
    assert [row["value"] for row in stored(path)] == [1.5, 99]


def test_a_row_is_added_and_the_rest_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "rows.json", []
    store = rows_of.store
    monkeypatch.setattr(rows_of, "store", lambda path, rows: written.append(len(rows)) or store(path, rows))
    sizes = []

    def measure(setting: Point, seed: int) -> dict:
        beside = tmp_path / "rows.json.part"
        sizes.append((beside.read_bytes().count(b"\n") if beside.exists() else 0, path.exists()))
        return {"value": 1}

    monkeypatch.setattr("superpos.sweep.jobs.mark", lambda *_: "the same")
    sweep.run(measure, [Point(a) for a in range(5)], [0], path, n_jobs=1)
    assert written == [5]
    assert all(not there and lines >= i - 1 for i, (lines, there) in enumerate(sizes))
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit()])
def test_an_interrupted_sweep_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    path, add = tmp_path / "rows.json", Table.add

    def third(table: Table, row: dict) -> None:
        add(table, row)
        if row["a"] == 3:
            raise stop

    monkeypatch.setattr(Table, "add", third)
    with pytest.raises(type(stop)):
        sweep.run(product, [Point(a) for a in (1, 2, 3, 4)], [0], path, n_jobs=1)
    assert [row["a"] for row in stored(path)] == [1, 2, 3]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]


def test_a_disk_that_is_full_at_the_end_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json"
    with monkeypatch.context() as patch:
        patch.setattr(rows_of, "store", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            sweep.run(product, [Point(1), Point(2)], [0], path)
    assert not path.exists()
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[__name__], "product", None)  # not called again: it could not be
        Table(path, ("a", "b")).settle()
    assert [row["a"] for row in stored(path)] == [1, 2]


def test_a_file_beside_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path, beside = tmp_path / "rows.json", tmp_path / "rows.json.part"
    for text, words in (("years of work\n", "something else than rows"), ('{"D": 1}\n', "a row has no a, b, seed")):
        beside.write_text(text, encoding="utf8")
        with pytest.raises(ValueError, match=words):
            sweep.run(product, [Point(1)], [0], path)
        assert beside.read_text(encoding="utf8") == text
    assert not path.exists()


def sweep_every_second(path: str, start: str) -> None:
    """What the test below runs in two processes at the same time."""
    print(*(mark(measure, Point) for measure in MEASURES))
    sweep.run(product, [Point(a) for a in range(int(start), 40, 2)], [0], path, n_jobs=1)


def test_two_sweeps_into_one_file_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    code = "import sys, test_rows as t; t.sweep_every_second(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(path)]
    both = [
        subprocess.Popen([*command, start], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf8")
        for start in "01"
    ]
    for child in both:
        out, said = child.communicate(timeout=120)
        assert child.returncode == 0, said
        assert out.split() == [mark(measure, Point) for measure in MEASURES]  # the same in every process
    assert [row["a"] for row in stored(path)] == list(range(40))
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]
    sweep.run(product, [Point(a) for a in range(40)], [0], tmp_path / "alone.json")
    assert path.read_bytes() == (tmp_path / "alone.json").read_bytes()


def test_rows_that_another_sweep_adds_and_settles_in_between(tmp_path: Path) -> None:
    path, names = tmp_path / "rows.json", ("a", "b")
    one, two = Table(path, names), Table(path, names)
    rows = [{"a": a, "b": 0.5, "seed": 0, "measure": "m", "value": a} for a in range(4)]
    one.add(rows[0])
    two.add(rows[1])
    one.settle()
    two.add(rows[2])
    two.add(rows[0])  # measured by both
    assert len(one.read()) == 3
    one.settle()
    two.add(rows[3])
    two.settle()
    two.settle()
    assert stored(path) == rows
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]


def test_whoever_waits_for_a_file_that_is_settled_takes_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, names = tmp_path / "rows.json", ("a", "b")
    one, two, wait = Table(path, names), Table(path, names), [True]
    rows = [{"a": a, "b": 0.5, "seed": 0, "measure": "m"} for a in range(2)]
    one.add(rows[0])
    lock = fcntl.flock

    def settled(stream: object, how: int) -> None:
        if wait and wait.pop():
            one.settle()  # while the other one, which has opened the file, is waiting
        lock(stream, how)

    monkeypatch.setattr(rows_of.fcntl, "flock", settled)
    two.add(rows[1])
    two.settle()
    assert stored(path) == rows
