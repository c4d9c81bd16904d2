"""Measurements over many settings and seeds, on one machine or a cluster; every row that is finished is kept."""

import json
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields, is_dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from superpos.checks import check_seed
from superpos.sweep.rows import MEASURE, SEED, Key, Table, key, mark

Measure = Callable[[Any, int], dict]


def run(
    measure: Measure, settings: Sequence[Any], seeds: Iterable[int], path: str | Path, *, n_jobs: int | None = None
) -> list[dict]:
    """The rows that a measurement gives for every setting with every seed, stored at `path` as they are finished.

    A row is the setting's fields, the seed, "measure", which says what was measured (`superpos.sweep.rows.mark`), and
    what `measure(setting, seed)` returns. Rows that are finished are added to a file beside `path`, which goes into it
    at the end, when the sweep is interrupted too; after a sweep that was killed the next one goes on from there. Rows
    of other settings and other measures stay in the file, and two sweeps may write into it at the same time. The rows
    are in the order of their settings and seeds, so that the finished file does not depend on the order in which they
    were finished, nor on where.

    Jobs run as joblib has it: `with joblib.parallel_config(backend="dask"):` around the call, or backend="ray" with
    n_jobs=-1, moves them to a cluster. Backends that return nothing before all is done ("ray", "multiprocessing") are
    given as many jobs at a time as they have workers. Chapters 6, 7, 8, 10, 11 and 13.

    Args:
        measure: a function that workers can import, e.g. `superpos.sweep.capacity`, or a `functools.partial` of one;
            its dict must fit in JSON.
        settings: of one dataclass, frozen, such as `superpos.sweep.Capacity`.
        seeds: integers ≥ 0.
        path: of a JSON file in a folder that exists.
        n_jobs: as in `joblib.Parallel`: 1 here, 2 in two processes, −1 on all cores; None as joblib is configured.

    Returns:
        The rows of these settings and seeds, finished before or now.

    Raises:
        ImportError: without joblib.
        TypeError, ValueError: if the settings are not of one dataclass, if it cannot be told what `measure` is, or if
            what stands at `path` is not a file of their rows; nothing is measured or written then.
        RuntimeError: if a job fails; the message names its setting. No other is begun then, and all that are finished
            are in the file.
    """
    names, seeds = _names(settings), _checked(seeds)
    what = mark(measure, type(settings[0]))
    wanted: dict[Key, tuple[Any, int, dict]] = {}
    for setting, seed in product(settings, seeds):
        row = {**asdict(setting), SEED: seed, MEASURE: what}
        wanted.setdefault(key(row, names), (setting, seed, row))
    table = Table(Path(path), names)
    there = table.read()
    left = [k for k in wanted if k not in there]
    failed: list[_Failure] = []
    jobs = (wanted[k] for k in left if not failed)  # none is begun after one has failed
    bar = tqdm(total=len(wanted), initial=len(wanted) - len(left), desc=Path(path).stem)
    try:
        with bar, closing(_finished(measure, jobs, n_jobs)) as finished:
            for row in finished:
                if isinstance(row, _Failure):
                    failed.append(row)
                    continue
                table.add(row)
                bar.update()
    finally:
        table.settle()
    if failed:
        raise failed[0].error()
    there = table.read()
    return [there[k] for k in sorted(wanted)]


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
    measure: Measure, jobs: Iterator[tuple[Any, int, dict]], n_jobs: int | None
) -> Generator[dict | _Failure, None, None]:
    """The rows of all jobs, each as soon as it is there."""
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


def _row(measure: Measure, setting: Any, seed: int, own: dict) -> dict | _Failure:
    """One row, as it will stand in the file."""
    try:
        found = measure(setting, seed)
        if both := own.keys() & found.keys():
            raise ValueError(f"measure returned {', '.join(sorted(both))}, which the setting has already")
        return json.loads(json.dumps({**own, **found}, allow_nan=False))
    except Exception as error:
        return _Failure(f"{setting}, seed {seed}: {type(error).__name__}: {error}", traceback.format_exc())


def _names(settings: Sequence[Any]) -> tuple[str, ...]:
    """The fields of the one dataclass that all settings are of."""
    kinds = {type(s) for s in settings}
    if len(kinds) != 1 or not is_dataclass(settings[0]):
        there = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
        raise TypeError(f"settings holds {there}; it must hold settings of one dataclass, e.g. superpos.sweep.Capacity")
    names = tuple(field.name for field in fields(settings[0]))
    if taken := {SEED, MEASURE} & {*names}:
        raise ValueError(f"settings have a field {', '.join(sorted(taken))}, which a row has already; rename it")
    for s in settings:
        try:
            again = json.loads(json.dumps(asdict(s), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise TypeError(f"settings holds {s}, which does not fit in JSON ({error})") from error
        if key({**again, SEED: 0}, names) != key({**asdict(s), SEED: 0}, names):
            raise TypeError(f"settings holds {s}, which JSON does not give back: use numbers, words and lists of them")
    return names


def _checked(seeds: Iterable[int]) -> list[int]:
    seeds = list(seeds)
    for seed in seeds:
        check_seed("seed", seed)
    return seeds
