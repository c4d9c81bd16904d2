"""Submissions: decompositions of test beds that are stored, with the scores of all their seeds. Chapter 17."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as packaged
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from superpos.apart import files
from superpos.apart.decomposition import Decomposition
from superpos.beds import Bed, bed
from superpos.beds.scoring import Score, Scores
from superpos.beds.scoring.values import mean
from superpos.words import plain
from superpos.writing import ABOUT, written

SCORES = "scores.json"  # the last file of a submission: with it, it is whole
KINDS = (
    "r2",
    "cosine",
    "purity",
    "mmcs",
    "ml2r",
    "l0",
    "gate_sum",
    "needed",
    "reconstruction",
    "by_groups",
    "adversarial",
)


@dataclass(frozen=True)
class Submission:
    """A method's decompositions of a bed, one for each seed: the mean of their scores ± its standard error. Chapter 17.

    Attributes:
        bed, method: of which bed, and by which method.
        labels: whether the method was told which circuits are active.
        seeds: of the method.
        r2, cosine: how much of the circuits was found, as in `superpos.beds.scoring.Scores`.
        l0, needed: how many components are at work in a sample, and how many of the true ones would be.
        reconstruction: the error of the outputs with components times gates.
        control_r2, control_cosine: the same on the shuffled control; None if it was not run.
        seconds: how long all runs took together, on `machine`.
        folder: where it is stored, with the decomposition of the first seed.
    """

    bed: str
    method: str
    labels: bool
    seeds: tuple[int, ...]
    r2: Score
    cosine: Score
    l0: Score
    needed: Score
    reconstruction: Score
    control_r2: Score | None
    control_cosine: Score | None
    seconds: float
    machine: str
    folder: Path


def stored() -> Path:
    """The folder of the submissions that ship with the package, BED/METHOD in it."""
    return Path(str(packaged("superpos"))) / "data" / "submissions"


def submissions(folder: str | PathLike[str] | None = None) -> list[Submission]:
    """All submissions, bed by bed in the order of `superpos.bed.names()`; one without scores is not whole. Chapter 17.

    Args:
        folder: with a folder BED/METHOD for each; None for those that ship with the package.

    Raises:
        ValueError: if what is said in one of them cannot be read, or is of no bed of the package.
    """
    place = stored() if folder is None else Path(folder)
    order = {name: k for k, name in enumerate(bed.names())}
    found = [_read(file.parent) for file in sorted(place.glob(f"*/*/{SCORES}"))]
    for s in found:
        if s.bed not in order:
            raise ValueError(f"{s.folder}: it is of the bed {s.bed!r}; the beds are {', '.join(order)}")
    return sorted(found, key=lambda s: (order[s.bed], not s.labels, s.method))


def submit(
    of: Bed,
    found: Sequence[Decomposition],
    path: str | PathLike[str],
    *,
    control: Sequence[Decomposition] = (),
    seconds: float,
    machine: str,
    script: str,
) -> Submission:
    """Write a submission: the decomposition of the first seed in small numbers, and the scores of all. Chapter 17.

    Args:
        of: the bed.
        found: a decomposition for each seed.
        path: of the folder to be made, BED/METHOD; the folder of the bed is made too.
        control: the same for `of.shuffled()`.
        seconds, machine, script: how long all of it took, where, and what made it.

    Raises:
        TypeError, ValueError: if one of them is no decomposition of the bed, or not of its control.
        OSError: as `superpos.writing.check_free`.
    """
    if not found:
        raise ValueError("found is empty; it must have a decomposition for each seed")
    shuffled = of.shuffled()
    words = {
        "seconds": seconds,
        "machine": machine,
        "script": script,
        "scores": {d.about["seed"]: figures(of.score(d)) for d in found},
        "control": {d.about["seed"]: figures(shuffled.score(d)) for d in control},
    }
    folder = Path(path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    files.save(found[0], folder, small=True)
    with written(folder / SCORES, overwrite=False) as file:
        file.write_text(f"{json.dumps(words, indent=1)}\n", encoding="utf8")
    return _read(folder)


def figures(scores: Scores) -> dict[str, Any]:
    """The figures of a decomposition for JSON, each with its standard error."""
    found = {name: [getattr(scores, name).value, getattr(scores, name).standard_error] for name in KINDS}
    words = plain({**found, "faithfulness": [scores.faithfulness.value, 0.0], "components": dict(scores.components)})
    assert isinstance(words, dict)
    return words


def _read(folder: Path) -> Submission:
    """What README.json and scores.json of a submission say."""
    try:
        about, words = (json.loads((folder / name).read_text(encoding="utf8")) for name in (ABOUT, SCORES))
        seeds, control = words["scores"], words["control"]
        kinds = ("r2", "cosine", "l0", "needed", "reconstruction")
        return Submission(
            bed=about["bed"],
            method=about["method"],
            labels=about["labels"],
            seeds=tuple(int(seed) for seed in seeds),
            **{kind: _over(seeds, kind) for kind in kinds},
            control_r2=_over(control, "r2") if control else None,
            control_cosine=_over(control, "cosine") if control else None,
            seconds=float(words["seconds"]),
            machine=words["machine"],
            folder=folder,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder}: it is no submission ({type(error).__name__}: {error})") from error


def _over(seeds: Mapping[str, Mapping[str, Sequence[float]]], kind: str) -> Score:
    """The mean over seeds and its standard error; of one seed, that of its circuits or samples."""
    if len(seeds) == 1:
        [only] = seeds.values()
        return Score(*only[kind])
    return mean(torch.tensor([figures[kind][0] for figures in seeds.values()], dtype=torch.float64))
