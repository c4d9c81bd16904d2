"""A training that was stopped, in a file: written whole or not at all, read without executing anything. Chapter 14."""

import json
from os import PathLike
from pathlib import Path

from superpos.tensors import infinite, read_tensors, write_tensors
from superpos.training.descent import State
from superpos.writing import written

__all__ = ["load", "save"]

FORMAT = "superpos.training"


def save(path: str | PathLike[str], state: State) -> None:
    """Write a state of a training to a safetensors file; an older state there gives way to it. Chapter 14.

    Raises:
        ValueError: if a number is not finite, or something else than a training stands there, which is left alone.
        OSError: as `superpos.writing.check_free`, or if the disk has no room for it.
    """
    if wrong := infinite(state.tensors):
        raise ValueError(f"state is not to be saved: {wrong}; every number must be finite")
    if Path(path).is_file():
        load(path)
    about = {"format": FORMAT, "done": state.done, "settings": state.settings}
    with written(path, overwrite=True) as file:
        write_tensors(file, state.tensors, {FORMAT: json.dumps(about)})


def load(path: str | PathLike[str]) -> State:
    """The state in a file, for `superpos.training.Training.restore`. Chapter 14.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or holds something else than a training.
    """
    tensors, about = read_tensors(path)
    try:
        told = json.loads(about[FORMAT])
        return State(tensors, int(told["done"]), dict(told["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path is {path}; it holds no training: superpos.training.save writes them") from error
