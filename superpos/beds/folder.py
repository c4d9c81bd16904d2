"""A folder of numbers and what they mean: written whole or not at all, read without executing anything. Chapter 16."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from superpos.tensors import digest, infinite, read_tensors, write_tensors
from superpos.writing import ABOUT, check_free, written

FORMAT, VERSION = "superpos.bed", 1
EARLIER = "superpos.ground_truth"  # what `Compressed.ground_truth` once wrote
FILES = {
    "model.safetensors": "K.weight (out, in) and K.bias (out), float32: the state_dict of an nn.Sequential of "
    "nn.Linear and nn.ReLU, K the place in it; `layers` lists all its modules in order. A Linear without K.bias has "
    "none",
    "held_out.safetensors": "the 512 samples on which decompositions give their gates. inputs (512, in) float32: what "
    "the model is given; active (512, z): the circuits that are active, first those, then −1; x (512, z, d): the "
    "inputs of these circuits; importance.K (512, T, r): whether piece k of circuit t is needed in the sample",
    "components.safetensors": "float64, K as in the model. U.K (T, out, r) and V.K (T, in, r): the component of "
    "circuit t in matrix K is U.K[t] V.K[t]ᵀ, a sum of r rank-one pieces. neuron.K (r): the small neuron that a piece "
    "belongs to. shared.K.NAME (out, in): what belongs to no circuit, by name. K.weight is the sum of all components "
    "and of all that is shared, with no rounding before that to float32. bias.K (out): the biases. mixed.K (out, in), "
    "in a control alone: what stands in the place of all components",
    "circuits.safetensors": "weights (L, T, d, d) and biases (L, T, d): a ← ReLU(w a + b), without the last ReLU "
    "where `last_relu` is false; or w_in (L, T, m, d), bias (L, T, m), w_out (L, T, d, m): x ← x + w_out ReLU(w_in x "
    "+ bias). pool (T or 1, N, d): the inputs of circuits, of which each sample takes one at random. encoder (T, d + "
    "1, in): the model's input is the sum over active circuits of (x, 1) times it. counted (out): the outputs that "
    "count",
}


def write(
    path: str | PathLike[str],
    about: Mapping[str, Any],
    contents: Mapping[str, Mapping[str, Tensor]],
    *,
    overwrite: bool,
) -> None:
    """Write tensors to the files of a folder, and beside them README.json, which says what they are.

    Raises:
        ValueError: if a number is not finite.
        OSError: as `superpos.writing.check_free`, or if the disk has no room for it.
    """
    check_free(path, overwrite=overwrite, folder=FORMAT)
    for name, tensors in contents.items():
        if wrong := infinite(tensors):
            raise ValueError(f"bed is not to be saved: in {name} {wrong}; every number must be finite")
    about = {"format": FORMAT, "version": VERSION, **about, "files": FILES}
    about["digest"] = _digest(about, contents)
    with written(path, overwrite=overwrite, folder=FORMAT) as folder:
        folder.mkdir()
        for name, tensors in contents.items():
            write_tensors(folder / name, tensors)
        (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


def read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """What `write` has written: what it is, and the tensors by file.

    Raises:
        FileNotFoundError: if there is no such folder, or a file of it is missing.
        ValueError: if it is of another format, of a newer version, or not what was written.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"path is {path}; there is no such folder{': it is a file' if path.exists() else ''}")
    if not (path / ABOUT).is_file():
        raise FileNotFoundError(f"path is {path}; there is no {ABOUT} in it, so that it is no test bed")
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf8"))
        form, version = about["format"], about["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"path is {path}; its {ABOUT} is damaged ({type(error).__name__}: {error})") from error
    if form == EARLIER:
        raise ValueError(
            f"path is {path}; an earlier superpos has written it. Make it again, in another place: "
            "network.ground_truth(path), of the network that superpos.compress made, or that superpos.load reads"
        )
    if form != FORMAT:
        raise ValueError(f"path is {path}; its format is {form!r}, and that of a test bed is {FORMAT!r}")
    if type(version) is not int or version < 1:
        raise ValueError(f"path is {path}; its version is {version!r}, which is none")
    if version > VERSION:
        raise ValueError(
            f"path is {path}; its format is version {version}, and this superpos reads up to version {VERSION}: "
            "install a newer one"
        )
    contents = {name: read_tensors(path / name)[0] for name in FILES}
    if about.pop("digest", None) != _digest(about, contents):
        raise ValueError(
            f"path is {path}; it is damaged: its numbers or their description are not those that were saved"
        )
    return about, contents


def _digest(about: Mapping[str, Any], contents: Mapping[str, Mapping[str, Tensor]]) -> str:
    tensors = {f"{name}/{key}": x for name, group in contents.items() for key, x in group.items()}
    return digest(tensors, json.dumps(about, sort_keys=True))
