"""A compressed network as one safetensors file: numbers and a description. Nothing in it is executed. Chapter 13."""

import json
from collections.abc import Callable
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from superpos.blocks import BlockLayer, BlockNetwork
from superpos.compression.choice import Report
from superpos.compression.large import Large
from superpos.compression.records import Origin
from superpos.dedicated import DedicatedNetwork, OwnMLPLayer
from superpos.exact import ExactNetwork, Plan
from superpos.exact.layers import Cell, LaneLayer, sorting
from superpos.network import Layer, Network
from superpos.writing import written

FORMAT, VERSION = "superpos.compressed", 1
_UNREADABLE = (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, AssertionError, IndexError)

Tensors = dict[str, Tensor]
Parts = tuple[Network, Tensor, Origin, Report]  # what a `Large` is made of


def save(network: Large, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a network to one file, whole or not at all: its tensors by the names of `state_dict`, and what it is.

    Raises:
        FileExistsError: if there is a file and overwrite is not given.
    """
    about = {
        "kind": network.origin.kind,
        "names": network.origin.names,
        "threshold": network.origin.threshold,
        "report": asdict(network.report()),
        "network": _describe(network.network),
    }
    metadata = {"format": FORMAT, "version": str(VERSION), "about": json.dumps(about)}
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    with written(Path(path), overwrite=overwrite) as spare:
        save_file(tensors, spare, metadata=metadata)


def read(path: str | PathLike[str]) -> Parts:
    """The parts of a network that `save` wrote: bit for bit the same.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is cut short, of another program, or of a newer version of this one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {path}; there is no such file")
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise Foreign(f"path is {path}; it is a safetensors file, but not one that superpos has written")
            if not metadata["version"].isdigit() or int(metadata["version"]) > VERSION:
                raise Foreign(
                    f"path is {path}; its format is version {metadata['version']}, and this superpos reads up to "
                    f"version {VERSION}: install a newer one"
                )
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        return _rebuild(json.loads(metadata["about"]), tensors)
    except Foreign as error:
        raise ValueError(str(error)) from None
    except _UNREADABLE as error:
        raise ValueError(
            f"path is {path}; it is damaged, cut short, or no file of superpos ({type(error).__name__}: {error})"
        ) from error


class Foreign(Exception):
    """A file that is sound but not for us; the message says why."""


def _rebuild(about: dict[str, Any], tensors: Tensors) -> Parts:
    kind = about["network"]["construction"]
    own = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    core = _BUILDERS[kind](about["network"], own)
    core.load_state_dict(own)  # strict: every number is there, none is left over
    names = None if about["names"] is None else tuple(about["names"])
    origin = Origin(about["kind"], names, about["threshold"], None)
    return core, tensors["widths"], origin, Report.from_dict(about["report"])


def _describe(network: Network) -> dict[str, Any]:
    """What the tensors do not say."""
    if isinstance(network, ExactNetwork):
        return {
            "construction": "exact",
            "plan": asdict(network.plan),
            "bound": network.bound,
            "reach": network.reach,
            "sorting": getattr(network.layers[0], "C", None) if network.plan.z > 1 else 0.0,
            "cells": [{"C": c.C, "shift": c.shift, "relu": c.relu} for c in network.cells],
        }
    if isinstance(network, DedicatedNetwork):
        return {"construction": "dedicated", "T": network.T, "d": network.d, "relu": _relu(network)}
    assert isinstance(network, BlockNetwork)
    return {"construction": "blocks", "n": network.n, "relu": _relu(network)}


def _relu(network: Network) -> list[bool]:
    return [layer.relu for layer in network.layers]  # type: ignore[misc]


def _exact(about: dict[str, Any], tensors: Tensors) -> ExactNetwork:
    plan, first = Plan(**about["plan"]), tensors["here"]
    skip = len({name.split(".")[1] for name in tensors if name.startswith("layers.")}) - len(about["cells"])
    cells: list[LaneLayer] = []
    w = torch.empty(0)
    for l, cell in enumerate(about["cells"]):
        w, b = (tensors[f"layers.{skip + l}.{name}"] for name in ("cells", "biases"))
        cells.append(Cell(w, b, plan.z, back=l % 2 == 1, **cell))
    if first.shape != (plan.S, plan.T) or w.shape[:3] != (plan.S, plan.n_g, plan.n_g):
        raise ValueError(f"sizes {tuple(first.shape)} and {tuple(w.shape)} are not those of its plan")
    sort = sorting(plan.S, plan.z, plan.n_g, plan.d + 2, about["sorting"])
    layers = [layer.to(w) for layer in (*sort, *cells)]
    return ExactNetwork(plan, first, tensors["there"], layers, about["bound"], about["reach"])


def _dedicated(about: dict[str, Any], tensors: Tensors) -> DedicatedNetwork:
    layers: list[Layer] = [
        OwnMLPLayer(tensors[f"layers.{l}.w"], tensors[f"layers.{l}.b"], relu) for l, relu in enumerate(about["relu"])
    ]
    return DedicatedNetwork(about["T"], about["d"], layers)


def _blocks(about: dict[str, Any], tensors: Tensors) -> BlockNetwork:
    n, first = about["n"], tensors["first"]
    layers = [
        BlockLayer(tensors.get(f"layers.{l}.W"), tensors[f"layers.{l}.b"][::n], n, relu)
        for l, relu in enumerate(about["relu"])
    ]
    return BlockNetwork(first, tensors["slots"], layers, unit=tensors["unit"])


_BUILDERS: dict[str, Callable[[dict[str, Any], Tensors], Network]] = {
    "exact": _exact,
    "dedicated": _dedicated,
    "blocks": _blocks,
}
