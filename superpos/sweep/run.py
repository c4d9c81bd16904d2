"""Run a measurement over many settings and seeds, on one machine or a cluster, and keep every row that is finished."""

import json
import os
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from superpos.checks import check_seed

Measure = Callable[[Any, int], dict]


def run(
    measure: Measure, settings: Sequence[Any], seeds: Iterable[int], path: str | Path, *, n_jobs: int | None = None
) -> list[dict]:
    """Measure every setting with every seed that is not yet in the file `path`, and store each row when it is finished.

    A row is the setting's fields, the seed, and what `measure(setting, seed)` returns. An interrupted sweep goes on
    where it stopped; rows of other settings stay in the file. The rows are in the order of their settings and seeds,
    so that the finished file does not depend on the order in which they were finished, nor on where.

    Jobs run as joblib has it: `with joblib.parallel_config(backend="dask"):` around the call, or backend="ray" with
    n_jobs=-1, moves them to a cluster. Backends that return nothing before all is done ("ray", "multiprocessing") are
    given as many jobs at a time as they have workers.

    Args:
        measure: a function that workers can import, e.g. `superpos.sweep.capacity`; its dict must fit in JSON.
        settings: of one dataclass, frozen, such as `superpos.sweep.Capacity`.
        seeds: integers ≥ 0.
        path: of a JSON file in a folder that exists.
        n_jobs: as in `joblib.Parallel`: 1 here, 2 in two processes, −1 on all cores; None as joblib is configured.

    Returns:
        The rows of these settings and seeds, finished before or now.

    Raises:
        ImportError: without joblib and tqdm.
        TypeError, ValueError: if the settings are not of one dataclass, or what stands at `path` is not a file of
            their rows; nothing is measured or written then.
        RuntimeError: if a job fails; the message names its setting. No other is begun then, and all that are finished
            are in the file.
    """
    tqdm, names, seeds = _progress_bar(), _names(settings), _checked(seeds)
    wanted = {_key({**asdict(s), "seed": seed}, names): (s, seed) for s in settings for seed in seeds}
    path = Path(path)
    rows = {_key(row, names): row for row in _read(path, names)}
    left = [job for key, job in wanted.items() if key not in rows]
    failed: list[_Failure] = []
    jobs = (job for job in left if not failed)  # none is begun after one has failed; those under way are stored
    bar = tqdm(total=len(wanted), initial=len(wanted) - len(left), desc=path.stem)
    with bar, closing(_finished(measure, jobs, n_jobs)) as finished:
        for row in finished:
            if isinstance(row, _Failure):
                failed.append(row)
                continue
            rows[_key(row, names)] = row
            store(path, [rows[key] for key in sorted(rows)])
            bar.update()
    if failed:
        raise failed[0].error()
    return [rows[key] for key in sorted(wanted)]


def store(path: str | Path, rows: list[dict]) -> None:
    """Write rows as one JSON file, one row a line: whole, or not at all.

    They go to a temporary file in the same folder, which then takes the place of what was there.

    Raises:
        ValueError: if a row does not fit in JSON, or holds NaN or an infinity.
    """
    path = Path(path)
    text = "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]\n"
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise


@dataclass(frozen=True)
class _Failure:
    """What a job returns that has failed.

    An exception would take with it the rows that are finished and on their way back; and one of an unknown kind may
    not survive the way from another process.
    """

    message: str
    traceback: str

    def error(self) -> RuntimeError:
        error = RuntimeError(self.message)
        error.add_note(f"In the job:\n{self.traceback}")
        return error


def _finished(
    measure: Measure, jobs: Iterator[tuple[Any, int]], n_jobs: int | None
) -> Generator[dict | _Failure, None, None]:
    """The rows of all jobs, each as soon as it is there."""
    from joblib import Parallel, delayed, effective_n_jobs

    tasks = (delayed(_row)(measure, *job) for job in jobs)
    options: dict[str, Any] = {"n_jobs": n_jobs, "batch_size": 1}
    try:
        parallel: Any = Parallel(return_as="generator_unordered", **options)
    except ValueError as error:
        if "return_as" not in str(error):
            raise
    else:
        yield from parallel(tasks)
        return
    with Parallel(**options) as parallel:
        workers = effective_n_jobs(parallel.n_jobs)
        while block := list(islice(tasks, workers)):
            yield from parallel(block)


def _row(measure: Measure, setting: Any, seed: int) -> dict | _Failure:
    """One row, as it will stand in the file."""
    own = {**asdict(setting), "seed": seed}
    try:
        found = measure(setting, seed)
        if both := own.keys() & found.keys():
            raise ValueError(f"measure returned {', '.join(sorted(both))}, which the setting has already")
        return json.loads(json.dumps({**own, **found}, allow_nan=False))
    except Exception as error:
        return _Failure(f"{setting}, seed {seed}: {type(error).__name__}: {error}", traceback.format_exc())


def _progress_bar() -> Any:
    """tqdm, if joblib is there too. Neither is imported at the top: the package does without them."""
    try:
        import joblib  # noqa: F401
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("superpos.sweep.run needs joblib and tqdm: pip install 'superpos[sweep]'") from error
    return tqdm


def _names(settings: Sequence[Any]) -> tuple[str, ...]:
    """The fields of the one dataclass that all settings are of."""
    kinds = {type(s) for s in settings}
    if len(kinds) != 1 or not is_dataclass(settings[0]):
        there = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
        raise TypeError(f"settings holds {there}; it must hold settings of one dataclass, e.g. superpos.sweep.Capacity")
    return tuple(field.name for field in fields(settings[0]))


def _checked(seeds: Iterable[int]) -> list[int]:
    seeds = list(seeds)
    for seed in seeds:
        check_seed("seed", seed)
    return seeds


def _read(path: Path, names: tuple[str, ...]) -> list[dict]:
    """The rows at `path`, none if nothing is there."""
    spare = "nothing was measured or written: move it away, or give another path"
    if not path.parent.is_dir():
        raise ValueError(f"path is {path}; its folder {path.parent} does not exist: make it first")
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"path is {path}; what is there is no JSON file ({error}); {spare}") from error
    if not isinstance(rows, list):
        raise ValueError(f"path is {path}; its JSON is a {type(rows).__name__}, not a list of rows; {spare}")
    needed, seen = (*names, "seed"), set()
    for i, row in enumerate(rows):
        lacks = [name for name in needed if name not in row] if isinstance(row, dict) else needed
        if lacks:
            raise ValueError(f"path is {path}; row {i} has no {', '.join(lacks)}, so it is of another sweep; {spare}")
        if (key := _key(row, names)) in seen:
            raise ValueError(f"path is {path}; row {i} has the setting and seed of an earlier row; {spare}")
        seen.add(key)
    return rows


def _key(row: dict, names: tuple[str, ...]) -> tuple:
    """By what a row is known, and put in order: its setting and seed."""
    return tuple(_comparable(row[name]) for name in (*names, "seed"))


def _comparable(value: object) -> tuple[int, int | float, str]:
    """Numbers before words, words before anything else; 0 and 0.0 are one."""
    if isinstance(value, int | float):
        return 0, value, ""
    return (1, 0, value) if isinstance(value, str) else (2, 0, json.dumps(value))
