"""Decompositions as files: a folder of numbers and words, in which nothing is executed. Chapter 16."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from superpos.apart.decomposition import Decomposition
from superpos.tensors import DTYPES, read_tensors, write_tensors
from superpos.writing import ABOUT, Place, check_free, written

FORMAT, VERSION = "superpos.decomposition", 1
TENSORS = "decomposition.safetensors"
FILES = {
    TENSORS: "for every matrix of the bed that circuits have weights in, by its path: V.path (in, C) and U.path "
    "(out, C), the factors of the components U_c V_cᵀ; group.path (C,) integers from 0, −1 for no circuit; gates.path "
    "(held-out samples, C) in [0, 1], or uint8, which stands for x/255"
}
_KEYS = ("V", "U", "group", "gates")
_WHOLE = (torch.int8, torch.int16, torch.int32, torch.int64)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


ASKED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bed": (_is(str), "the name of a bed"),
    "bed_version": (_is(int), "the version of the bed, an integer"),
    "control": (_is(int, type(None)), "the seed with which the bed was shuffled, or null"),
    "method": (_is(str), "the name of the method"),
    "steps": (_is(int), "how many steps were taken, an integer"),
    "seed": (_is(int, type(None)), "the seed of the method, or null"),
    "labels": (_is(bool), "whether it was told which circuits are active: true or false"),
    "machinery": (lambda value: value in ("kept", "decomposed"), "'kept' or 'decomposed'"),
}


def save(decomposition: Decomposition, path: Place, *, overwrite: bool = False, small: bool = False) -> None:
    """Write a decomposition as a folder, which is there whole or not at all. Chapter 16.

    Args:
        decomposition: its `about` must have what `ASKED` lists; whatever else is in it is written too.
        path: the folder to be made.
        overwrite: whether to replace such a folder that is there.
        small: whether to write factors in float16 and gates in steps of 1/255.

    Raises:
        TypeError, ValueError: if `about` does not say what it should, or cannot be written as JSON.
        OSError: as `superpos.writing.check_free`.
    """
    check_free(path, overwrite=overwrite, folder=FORMAT)
    about = {"machinery": decomposition.machinery, **decomposition.about}
    _check_about("about", about)
    words = {"format": FORMAT, "version": VERSION, **about, "files": FILES}
    text = json.dumps(words, indent=1, ensure_ascii=False, allow_nan=False)
    # Copies: matrices may share a tensor, as the groups of a method whose components go through all of them do.
    held = {f"{key}.{name}": x.clone() for key in _KEYS for name, x in getattr(decomposition, key).items()}
    if small:
        held = {name: _small(name, x) for name, x in held.items()}
    with written(path, overwrite=overwrite, folder=FORMAT) as folder:
        folder.mkdir()
        write_tensors(folder / TENSORS, held)
        (folder / ABOUT).write_text(f"{text}\n", encoding="utf8")


def load(path: Place) -> Decomposition:
    """Read a decomposition; what it says of a bed is checked when it is scored. Chapter 16.

    Raises:
        FileNotFoundError: if there is no such folder, or a file is missing in it.
        ValueError: if it is damaged, of another format, or not complete; the message says what is expected.
    """
    folder = Path(path)
    about = _read_about(folder / ABOUT)
    file = folder / TENSORS
    held, found = read_tensors(file)[0], {key: {} for key in _KEYS}
    for name, x in held.items():
        key, _, matrix = name.partition(".")
        if key not in found or not matrix:
            raise ValueError(f"{file}: it holds {name}; there may be V.path, U.path, group.path, gates.path alone")
        found[key][matrix] = _whole(file, name, x) if key == "group" else _floating(file, name, x)
    for matrix in {matrix for part in found.values() for matrix in part}:
        for key in _KEYS:
            if matrix not in found[key]:
                raise ValueError(f"{file}: {key}.{matrix} is missing; every matrix needs V, U, group and gates")
    return Decomposition(**found, about=about)


def _small(name: str, x: Tensor) -> Tensor:
    if name.startswith("gates."):
        return (x * 255).round().to(torch.uint8)
    return x.half() if x.is_floating_point() else x


def _whole(file: Path, name: str, x: Tensor) -> Tensor:
    if x.dtype not in _WHOLE:
        raise ValueError(f"{file}: {name} has dtype {x.dtype}; it must be one of {_listed(_WHOLE)}")
    return x.long()


def _floating(file: Path, name: str, x: Tensor) -> Tensor:
    if x.dtype == torch.uint8 and name.startswith("gates."):
        return x.float() / 255
    if x.dtype not in DTYPES:
        raise ValueError(f"{file}: {name} has dtype {x.dtype}; it must be one of {_listed(DTYPES)}")
    return x


def _listed(dtypes: tuple[torch.dtype, ...]) -> str:
    return ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)


def _read_about(file: Path) -> dict[str, Any]:
    """What README.json says, without the format."""
    if not file.is_file():
        raise FileNotFoundError(f"path is {file.parent}; there is no {ABOUT} in it: give a folder with a decomposition")
    try:
        words = json.loads(file.read_text(encoding="utf8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: it is no JSON in UTF-8 ({error})") from error
    if not isinstance(words, dict):
        raise ValueError(f"{file}: it holds a {type(words).__name__}; it must be an object with format, bed, method, …")
    if words.get("format") != FORMAT:
        raise ValueError(f"{file}: its format is {words.get('format')!r}; it must be {FORMAT!r}")
    if words.get("version") != VERSION:
        raise ValueError(f"{file}: its version is {words.get('version')!r}; version {VERSION} is read here")
    about = {key: value for key, value in words.items() if key not in ("format", "version", "files")}
    _check_about(str(file), about)
    return about


def _check_about(where: str, about: dict[str, Any]) -> None:
    for key, (fits, words) in ASKED.items():
        if key not in about:
            raise ValueError(f"{where}: {key} is missing; it must be {words}")
        if not fits(about[key]):
            raise ValueError(f"{where}: {key} is {about[key]!r}; it must be {words}")
    for key in ("format", "version", "files"):
        if key in about:
            raise ValueError(f"{where}: {key} is {about[key]!r}; the file itself says this: give it another name")
