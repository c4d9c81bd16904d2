"""A bed from its folder. Chapter 16."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from torch import Tensor

from superpos.beds import folder
from superpos.beds.bed import Bed
from superpos.beds.part import Part
from superpos.beds.samples import Inputs
from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits

_UNFIT = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError)


def load(path: str | PathLike[str]) -> Bed:
    """The bed that `Bed.save` wrote to a folder: bit for bit the same. Nothing in a file is executed. Chapter 16.

    Raises:
        FileNotFoundError: if there is no such folder, or a file of it is missing.
        ValueError: if it is of another format, of a newer version, or damaged.
    """
    about, contents = folder.read(path)
    try:
        return _bed(about, contents)
    except _UNFIT as error:
        raise ValueError(f"path is {path}; it is damaged, or no test bed ({type(error).__name__}: {error})") from error


def _bed(about: Mapping[str, Any], contents: Mapping[str, Mapping[str, Tensor]]) -> Bed:
    held = contents["circuits.safetensors"]
    return Bed(
        name=about["name"],
        version=about["bed_version"],
        level=about["level"],
        words=about["words"],
        circuits=_circuits(about, held),
        parts=tuple(_part(matrix, contents["components.safetensors"]) for matrix in about["matrices"]),
        encoder=held["encoder"],
        z=about["active"],
        counted=held["counted"],
        given=Inputs(held["pool"]),
        identifiable=about["identifiable"],
        constant=about["constant"],
        control=about["control"],
        modules=None if about["names"] is None else tuple(about["names"]),
    )


def _circuits(about: Mapping[str, Any], held: Mapping[str, Tensor]) -> Circuits:
    if about["kind"] == "residual":
        return ResidualCircuits(held["w_in"], held["w_out"], held["bias"])
    return MLPCircuits(held["weights"], held["biases"], last_relu=about["last_relu"])


def _part(matrix: Mapping[str, Any], held: Mapping[str, Tensor]) -> Part:
    path = matrix["path"]
    return Part(
        path,
        held[f"bias.{path}"],
        matrix["relu"],
        held[f"U.{path}"],
        held[f"V.{path}"],
        {name: held[f"shared.{path}.{name}"] for name in matrix["shared"]},
        matrix["layer"],
        held[f"neuron.{path}"],
        held.get(f"mixed.{path}"),
    )
