"""How many circuits fit: limits by hand, searches against plain scans, and a sweep that can be stopped at any time."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import joblib
import pytest
import torch
from joblib.parallel import ThreadingBackend

from superpos import circuits, codes, exact, redundant, sweep, theory
from superpos.sweep import Capacity
from superpos.sweep.capacity import _search, measured
from superpos.sweep.rows import mark

HERE = Path(__file__).parent
SMALL = (  # one of each construction, all fast
    Capacity("balanced", 100, L=2),
    Capacity("dedicated", 50, S=1, L=2),
    Capacity("exact", 100, d=2, S=1, z=2, L=2, tolerance=0.0),
    Capacity("redundant", 200, L=2),
    Capacity("residual", 64, S=4, tolerance=0.1),
)


# Limits and predictions.


def test_limits_by_hand() -> None:
    assert theory.counting_bound(4, 2) == 3  # (16 + 4) / (4 + 2) = 20/6
    assert theory.readout_floor(6, 2) == 12  # 6·4/2
    assert theory.readout_floor(2, 4) == 0  # there is room


def test_the_floor_is_met_by_three_vectors_at_120_degrees_and_by_nothing_below() -> None:
    angle = 2 * torch.pi / 3 * torch.arange(3)
    E = torch.stack([angle.cos(), angle.sin()])
    # Six entries cos 120° = −1/2 off the diagonal: 6/4 = 3·1/2.
    assert ((E.mT @ E) ** 2).sum().item() - 3 == pytest.approx(theory.readout_floor(3, 2))
    g = torch.Generator().manual_seed(0)
    for F, d in ((5, 3), (20, 4), (9, 8)):
        R, E = torch.randn((F, d), generator=g), torch.randn((d, F), generator=g)
        M = R @ E / (R @ E).diagonal()[:, None]
        assert M.square().sum().item() - F >= theory.readout_floor(F, d)


def test_predicted_for_dedicated_and_exact() -> None:
    assert theory.usable("dedicated", 1003) == 250
    assert theory.usable("dedicated", 11, z=3) == 0  # two fit, three are active
    assert sweep.predicted_capacity(Capacity("exact", 1000, 2, z=2, tolerance=0.0)) == 160**2
    # Two lanes of 160 slots, 3 neurons each, with 2·10 wires: 2·(480 + 20) = 1000; a 161st slot is 6 neurons more.
    assert sweep.predicted_capacity(Capacity("exact", 150, 4, z=9)) == 0  # 9·(3·5 + 2·3) = 189


def test_predicted_for_residual_is_the_recursion() -> None:
    one, two = (Capacity("residual", 256, S=8, L=L, tolerance=0.1) for L in (1, 2))
    assert sweep.predicted_capacity(one) == theory.predicted_usable(theory.Demand(256, 256, of="signal"))
    assert sweep.predicted_capacity(two) < sweep.predicted_capacity(one)
    assert theory.usable("residual", 31, S=8) == 0  # S·m = 32 neurons do not fit


def test_predicted_for_redundant_is_the_largest() -> None:
    def law(T: int) -> float:
        return theory.mlps(3, T, 2, codes.line(T, 250, 6).rho_star).active

    T = theory.usable("redundant", 1000, z=2, L=3)
    assert law(T) <= 0.01 < law(T + 1)
    assert theory.usable("redundant", 1000) == codes.max_circuits("line", 250, 6)  # one layer has no error at z = 1


def test_predicted_for_balanced_is_the_largest() -> None:
    def law(T: int) -> float:
        return theory.rotations(codes.line(T, 62, 6), 1, 3)[-1].point.active

    T = sweep.predicted_capacity(Capacity("balanced", 250, L=3))
    assert law(T) <= 0.01 < law(T + 1)


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("D", [1000, 4000, 16_000])
def test_the_plan_is_the_formula_but_for_the_wires(D: int, lanes: int) -> None:
    for d in (2, 4, 8):
        T, most = exact.plan(None, d, z=3, D=D, lanes=lanes).T, theory.circuits_in_lanes(D, d, lanes)
        waiting = 0 if lanes == 3 else 3 * (d + 1)  # the list, which is carried along

        def width(n: int, d: int = d, waiting: int = waiting) -> int:
            wires = next(m for m in range(1, 20) if math.comb(m, m // 2) >= n)
            return lanes * (n * (d + 1) + 2 * wires) + waiting

        n = math.isqrt(T)
        assert n * n == T
        assert width(n) <= D < width(n + 1)
        assert 0.85 * most < T < most


# Measured capacities.


@pytest.mark.parametrize("least", [1, 3])
def test_the_search_finds_what_a_scan_finds(least: int) -> None:
    for most in (0, least, 10, 1000):
        for limit in (0, 1, 2, 3, 4, 9, 10, 11, 50, 333, 999, 1000, 5000):
            for start in (1, 7, 400):
                tried: list[int] = []

                def fits(T: int, limit: int = limit, tried: list[int] = tried) -> bool:
                    tried.append(T)
                    return limit >= T

                found, best = _search(fits, least, most, start), min(limit, most)
                expected = best if best >= least else 0
                assert expected / 1.03 - 1 < found <= expected, (most, limit, start)
                assert found == expected or expected > 33
                assert len(tried) == len(set(tried)) <= 20


@pytest.mark.parametrize(("D", "d"), [(50, 4), (51, 2)])
def test_dedicated_is_the_number_that_fits(D: int, d: int) -> None:
    found = sweep.capacity(Capacity("dedicated", D, d, z=3, L=2), 0)
    assert found["T"] == found["predicted"] == D // d
    assert found["error"] is not None
    assert found["error"] < 1e-12


def test_exact_is_its_plan_and_one_more_is_refused() -> None:
    for d, z in ((2, 1), (2, 2), (4, 3)):
        setting = Capacity("exact", 300, d, z=z, L=3, tolerance=0.0)
        found, planned = sweep.capacity(setting, 0), exact.plan(None, d, z=z, D=300).T
        assert found["T"] == planned
        assert found["error"] is not None
        assert found["error"] < 1e-12
        with pytest.raises(ValueError, match=f"holds at most T = {planned}"):
            exact.plan(planned + 1, d, z=z, D=300)


@pytest.mark.parametrize(
    "setting",
    [
        Capacity("balanced", 400, z=1, L=3),
        Capacity("redundant", 400, z=2, L=3, tolerance=0.1),
        Capacity("residual", 128, S=8, z=2, L=2, tolerance=0.1),
    ],
    ids=lambda s: s.construction,
)
def test_measured_is_usable_and_a_little_more_is_not(setting: Capacity) -> None:
    found = sweep.capacity(setting, 0)
    T = found["T"]
    assert isinstance(T, int)
    assert found["error"] == measured(setting, T, 0)[0]
    # Of T + 1 … 1.03 T + 1 the search has seen one that is not usable.
    assert any(measured(setting, more, 0)[0] > setting.tolerance for more in range(T + 1, T + 2 + T // 32))


def test_nothing_usable() -> None:
    # Read-off alone is d(z−1)/D = 8/128 of the signal.
    found = sweep.capacity(Capacity("residual", 128, S=8, z=3), 0)
    assert found == {"T": 0, "predicted": 0, "most": 1024, "error": None, "standard_error": None, "batch": 512}
    assert sweep.capacity(Capacity("balanced", 20), 0)["most"] == 0  # five slots, S = 6


def test_the_number_of_threads_does_not_matter() -> None:
    threads = torch.get_num_threads()
    rows = []
    for count in (1, 2):
        torch.set_num_threads(count)
        rows.append(sweep.capacity(Capacity("redundant", 200, L=2), 0))
        assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    assert rows[0] == rows[1]


def test_kaleidoscopes_pass_the_checks_and_keep_their_size() -> None:
    small = circuits.kaleidoscopes(30, 5, seed=0)
    redundant.embed(small, 400, 4, seed=0)
    x = circuits.sphere(30, 1, 2, seed=0) / 2**0.5
    states = small.run(torch.arange(30)[:, None], torch.cat([x.relu(), (-x).relu()], dim=-1))
    assert states.square().sum(dim=-1) == pytest.approx(1.0, abs=1e-5)


def test_refused_capacities(unhooked: None) -> None:
    cases = [
        (lambda: Capacity("boolean", 100), ValueError, "construction is 'boolean'; it must be one of balanced"),
        (lambda: Capacity("balanced", 100, d=2), ValueError, "d is 2; .* have d = 4"),
        (lambda: Capacity("exact", 100, d=3), ValueError, "d is 3; .* have d = 2 or 4"),
        (lambda: Capacity("exact", 0), ValueError, "D is 0"),
        (lambda: Capacity("exact", 100, tolerance=1.0), ValueError, "tolerance is 1.0; it must be in"),
        (lambda: Capacity("exact", 100, tolerance=-0.1), ValueError, "tolerance is -0.1"),
        (lambda: replace(SMALL[0], z=1.5), TypeError, "z is 1.5"),
        (lambda: sweep.capacity(SMALL[0], -1), ValueError, "seed is -1"),
        (lambda: sweep.capacity(SMALL[0], 0, batch=0), ValueError, "batch is 0"),
        (lambda: theory.usable("exact", 100), ValueError, "construction is 'exact'; .* superpos.exact.plan"),
        (lambda: theory.usable("balanced", 100, d=2), ValueError, "d is 2; .* d = 4"),
        (lambda: theory.usable("dedicated", 100, tolerance=-1.0), ValueError, "tolerance is -1.0"),
        (lambda: theory.counting_bound(10, 0), ValueError, "d is 0"),
        (lambda: theory.readout_floor(0, 2), ValueError, "F is 0"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()


# Sweeps.


@dataclass(frozen=True)
class Point:
    a: int
    b: float = 0.5


POINTS = [Point(a) for a in (10, 9, 2, 1)]


def product(setting: Point, seed: int) -> dict:
    return {"value": setting.a * setting.b + seed}


def logged(setting: Point, seed: int, *, log: str, wait: float = 0.0, fails: int = -1) -> dict:
    """`product`, slowly, with a line in `log` for every job that has been done."""
    if setting.a == fails:
        raise KeyError("no such thing")
    time.sleep(wait)
    with open(log, "a") as file:
        file.write(f"{setting.a} {seed}\n")
    return product(setting, seed)


class AllAtOnce(ThreadingBackend):
    """A backend that, as ray's, returns nothing before all jobs are done."""

    @property
    def supports_return_generator(self) -> bool:
        return False


def test_rows_are_in_order_and_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = sweep.run(product, POINTS, iter([1, 0]), path)
    assert [(row["a"], row["seed"]) for row in rows] == [(a, s) for a in (1, 2, 9, 10) for s in (0, 1)]
    assert rows == json.loads(path.read_text())
    what = mark(product, Point)
    assert rows[0] == {"a": 1, "b": 0.5, "seed": 0, "measure": what, "value": 0.5}
    assert sweep.run(product, [Point(3)], [0], path) == [{"a": 3, "b": 0.5, "seed": 0, "measure": what, "value": 1.5}]
    assert [row["a"] for row in json.loads(path.read_text())] == [1, 1, 2, 2, 3, 9, 9, 10, 10]


def test_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    measure = partial(logged, log=str(tmp_path / "log"))
    sweep.run(measure, POINTS[:2], [0], tmp_path / "rows.json")
    before = (tmp_path / "rows.json").read_bytes()
    sweep.run(measure, POINTS[:2], [0], tmp_path / "rows.json")
    assert (tmp_path / "rows.json").read_bytes() == before
    sweep.run(measure, [*POINTS, Point(9, b=1 / 2)], [0], tmp_path / "rows.json")
    assert sorted((tmp_path / "log").read_text().split("\n")) == ["", "1 0", "10 0", "2 0", "9 0"]


def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log, seeds = tmp_path / "rows.json", tmp_path / "log", range(3)
    code = "import sys, test_capacity as t; t.slow_sweep(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(path)]
    beside = tmp_path / "rows.json.part"
    own = {**os.environ, "LOG": str(log), "WAIT": "0.1"}
    with subprocess.Popen(command, cwd=HERE, stderr=subprocess.DEVNULL, env=own) as child:
        stop = time.monotonic() + 120
        while not beside.exists() or beside.read_bytes().count(b"\n") < 3:
            assert child.poll() is None
            assert time.monotonic() < stop
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    rows, finished = [json.loads(line) for line in beside.read_text().splitlines()], log.read_text().splitlines()
    # Every row but at most the one that was being stored.
    assert 3 <= len(rows) < 12
    assert len(finished) - 1 <= len(rows) <= len(finished)
    assert {f"{row['a']} {row['seed']}" for row in rows} <= set(finished)
    with beside.open("a") as stream:
        stream.write('{"a": 1, "b"')  # as a sweep leaves it that is killed while it writes
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("WAIT", "0")
    sweep.run(slow, POINTS, seeds, path)
    assert len(log.read_text().splitlines()) == len(finished) + 12 - len(rows)
    assert not beside.exists()
    sweep.run(slow, POINTS, seeds, tmp_path / "undisturbed.json")
    assert path.read_bytes() == (tmp_path / "undisturbed.json").read_bytes()


def slow(setting: Point, seed: int) -> dict:
    return logged(setting, seed, log=os.environ["LOG"], wait=float(os.environ["WAIT"]))


def slow_sweep(path: str) -> None:
    """What the test above stops: twelve jobs of a tenth of a second."""
    sweep.run(slow, POINTS, range(3), path)


def test_the_same_file_wherever_it_runs(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    for jobs in (1, 2):
        sweep.run(sweep.capacity, SMALL, range(2), tmp_path / f"{jobs}.json", n_jobs=jobs)
    with (
        distributed.LocalCluster(2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        sweep.run(sweep.capacity, SMALL, range(2), tmp_path / "dask.json")
    expected = (tmp_path / "1.json").read_bytes()
    assert len(json.loads(expected)) == 2 * len(SMALL)
    assert (tmp_path / "2.json").read_bytes() == (tmp_path / "dask.json").read_bytes() == expected


def test_a_backend_that_returns_all_at_once_is_given_a_few_at_a_time(tmp_path: Path) -> None:
    joblib.register_parallel_backend("all at once", AllAtOnce)
    path = tmp_path / "rows.json"
    stored = []

    def measure(setting: Point, seed: int) -> dict:
        beside = path.with_name("rows.json.part")
        stored.append(beside.read_bytes().count(b"\n") if beside.exists() else 0)
        return product(setting, seed)

    with joblib.parallel_config(backend="all at once", n_jobs=2):
        rows = sweep.run(measure, POINTS, [0], path)
    assert sorted(stored) == [0, 0, 2, 2]
    assert rows == json.loads(path.read_text())
    assert len(rows) == 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failing_job_names_its_setting_and_keeps_the_others(tmp_path: Path, jobs: int) -> None:
    measure = partial(logged, log=str(tmp_path / "log"), fails=2)
    with pytest.raises(RuntimeError, match=r"Point\(a=2, b=0.5\), seed [0-3]: KeyError: 'no such thing'") as failure:
        sweep.run(measure, POINTS, range(9), tmp_path / "rows.json", n_jobs=jobs)
    assert "in logged" in failure.value.__notes__[0]
    rows, log = json.loads((tmp_path / "rows.json").read_text()), (tmp_path / "log").read_text().splitlines()
    # 10 and 9, with nine seeds each, were begun before; nothing that was finished is lost.
    assert {f"{row['a']} {row['seed']}" for row in rows} == set(log)
    assert len(log) == 18 or (jobs == 2 and 18 < len(log) <= 27)  # two at once: some were on their way


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{", "no JSON file"),
        ("", "no JSON file"),
        ("\xff", "no JSON file"),
        ('{"a": 1}', "a dict, not a list"),
        ("[3]", "row 0 has no a, b, seed"),
        ('[{"a": 1, "b": 2, "seed": 0}, {"D": 8, "seed": 0}]', "row 1 has no a, b, so it is of another sweep"),
        (
            '[{"a": 1, "b": 2, "seed": 0}, {"a": 1, "b": 2.0, "seed": 0}]',
            "row 1 has the setting and seed of an earlier",
        ),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as refusal:
        sweep.run(partial(logged, log=str(tmp_path / "log")), POINTS, [0], path)
    assert str(path) in str(refusal.value)
    assert "move it away" in str(refusal.value)
    assert path.read_bytes() == text.encode("latin-1")
    assert not (tmp_path / "log").exists()


def test_refused_sweeps(tmp_path: Path, unhooked: None) -> None:
    path = tmp_path / "rows.json"

    def infinite(setting: Point, seed: int) -> dict:
        return {"value": float("inf")}

    def colliding(setting: Point, seed: int) -> dict:
        return {"a": 0}

    cases = [
        (lambda: sweep.run(product, [], [0], path), TypeError, "settings holds nothing; .* one dataclass"),
        (lambda: sweep.run(product, [Point(1), SMALL[0]], [0], path), TypeError, "settings holds Capacity, Point"),
        (lambda: sweep.run(product, [3], [0], path), TypeError, "settings holds int"),
        (lambda: sweep.run(product, POINTS, [-1], path), ValueError, "seed is -1"),
        (lambda: sweep.run(product, POINTS, [0], path / "x.json"), ValueError, "its folder .* does not exist"),
        (lambda: sweep.run(product, POINTS, [0], tmp_path), ValueError, "no JSON file"),
        (lambda: sweep.run(infinite, POINTS, [0], path), RuntimeError, "Point.a=10.* JSON"),
        (lambda: sweep.run(colliding, POINTS, [0], path), RuntimeError, "measure returned a, which the setting has"),
        (lambda: sweep.store(path, [{"a": float("nan")}]), ValueError, "JSON"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()
    assert not list(tmp_path.iterdir())


def test_store_leaves_nothing_but_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json"
    sweep.store(path, [{"a": 1}, {"a": 2}])
    assert path.read_text() == '[\n{"a": 1},\n{"a": 2}\n]\n'

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        sweep.store(path, [])
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]
    assert len(json.loads(path.read_text())) == 2


def test_sweeps_are_imported_without_joblib() -> None:
    code = "import sys, torch; own = set(sys.modules); import superpos.sweep; print(*set(sys.modules) - own)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, text=True, check=True)
    assert "superpos.sweep.rows" in done.stdout.split()
    assert not {"joblib", "tqdm", "dask", "distributed"} & set(done.stdout.split())


def test_without_joblib_a_sweep_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.delitem(sys.modules, "superpos.sweep.jobs", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'superpos\[sweep\]'"):
        sweep.run(product, POINTS, [0], tmp_path / "rows.json")


def test_a_stored_row_can_be_measured_again() -> None:
    assert {row["measure"] for row in sweep.stored("capacity")} == {mark(sweep.capacity, Capacity)}
    for construction, D in (("balanced", 250), ("exact", 250), ("redundant", 250), ("residual", 128)):
        row = sweep.stored("capacity", construction=construction, D=D, L=5, seed=1)[0]
        again = sweep.capacity(sweep.setting(row, Capacity), row["seed"])
        assert again["T"] == pytest.approx(row["T"], rel=0.05)
        assert again["predicted"] == pytest.approx(row["predicted"], rel=0.05)
