"""A compressed network as one safetensors file: numbers and a description. Nothing in it is executed. Chapter 15."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from superpos.blocks import BlockLayer, BlockNetwork
from superpos.checks import check_number, check_positive
from superpos.circuits import INDICATOR
from superpos.compression.choice import METHODS, Report
from superpos.compression.large import Large
from superpos.compression.records import Origin
from superpos.dedicated import DedicatedNetwork, OwnMLPLayer
from superpos.exact import Entry, ExactNetwork, Plan
from superpos.exact.build import assemble
from superpos.network import Layer, Network
from superpos.tensors import DTYPES, digest, infinite, read_tensors, write_tensors
from superpos.writing import written

FORMAT, VERSION = "superpos.compressed", 2
NARROWER = 2  # the version from which on exact networks have one lane for each of z circuits
_UNFIT = (KeyError, TypeError, ValueError, RuntimeError, AssertionError, AttributeError, IndexError)

Tensors = dict[str, Tensor]
Parts = tuple[Network, Tensor, Origin, Report]  # what a `Large` is made of


def save(network: Large, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a network to one file, whole or not at all: its tensors by the names of `state_dict`, and what it is.

    With them goes a digest of all numbers, by which `read` finds numbers that were not saved. Chapter 15.

    Raises:
        ValueError, TypeError: if a number of the network is not finite, a name is no word, or the network has been
            changed so that it could not be read again, as by `.half()` where keys are too large for it.
        FileExistsError: if there is a file and overwrite is not given.
        OSError: as `superpos.writing.check_free`, or if the disk is full.
    """
    tensors = network.state_dict()
    if wrong := infinite(tensors):
        raise ValueError(f"network is not to be saved: {wrong}; every number must be finite")
    for name in network.origin.names or ():
        if not isinstance(name, str):
            raise TypeError(f"network has a module named {name!r}, a {type(name).__name__}; a name in a file is a str")
    about = json.dumps(
        {
            "kind": network.origin.kind,
            "names": network.origin.names,
            "threshold": network.origin.threshold,
            "report": asdict(network.report()),
            "network": _describe(network.network),
        }
    )
    with _refusing("network is not to be saved, since it could not be read again"):
        _rebuild(json.loads(about), tensors)
    metadata = {"format": FORMAT, "version": str(VERSION), "about": about, "digest": digest(tensors, about)}
    with written(path, overwrite=overwrite) as spare:
        write_tensors(spare, tensors, metadata)


def read(path: str | PathLike[str], *, device: str | torch.device = "cpu") -> Parts:
    """The parts of a network that `save` wrote: bit for bit the same.

    Raises:
        FileNotFoundError, PermissionError: if there is no such file, or it may not be read.
        ValueError: if it is cut short, of another program, of a newer version of this one, or an exact network of an
            older one; if its numbers do not fit together, are not finite, or are not those that were saved; or if there
            is no such device.
    """
    device = _device(device)
    tensors, metadata = read_tensors(path)
    said = f"path is {path}"
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{said}; it is a safetensors file, but not one that superpos has written")
    version = metadata.get("version", "")
    if version.isdecimal() and int(version) > VERSION:
        raise ValueError(
            f"{said}; its format is version {version}, and this superpos reads up to version {VERSION}: "
            "install a newer one"
        )
    if wrong := infinite(tensors):
        raise ValueError(f"{said}; it is damaged: {wrong}, and every number must be finite")
    refused = f"{said}; it is damaged, or no file of superpos"
    with _refusing(refused):
        about = json.loads(metadata["about"])
        outdated = int(version) < NARROWER and about["network"]["construction"] == "exact"
        z = about["report"]["z"]
    if outdated:
        raise ValueError(
            f"{said}; it holds an exact network of an earlier superpos, which took wider ones. Make it again from the "
            f"same modules: superpos.compress(modules, z={z}). If you have them no more, the earlier superpos reads "
            "them out of the file: superpos.load(path).extract(t)"
        )
    with _refusing(refused):
        parts = _rebuild(about, {name: tensor.to(device) for name, tensor in tensors.items()})
    if "digest" in metadata and metadata["digest"] != digest(tensors, metadata["about"]):
        raise ValueError(f"{said}; it is damaged: its numbers or their description are not those that were saved")
    return parts


@contextmanager
def _refusing(why: str) -> Iterator[None]:
    """Refuse with these words what does not fit together."""
    try:
        yield
    except _UNFIT as error:
        raise ValueError(f"{why} ({_words(error)})") from error


def _device(device: str | torch.device) -> torch.device:
    """The device, refused where nothing can be put on it."""
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"device is {device}; there is none such here, but 'cpu' always is ({_words(error)})"
        ) from error
    return found


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _rebuild(about: dict[str, Any], tensors: Tensors) -> Parts:
    kind = about["network"]["construction"]
    own = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    if others := sorted(tensors.keys() - {"widths", *(f"network.{name}" for name in own)}):
        raise ValueError(f"nobody knows what {others[0]} is")
    dtypes = {t.dtype for t in own.values() if t.dtype != torch.int64}
    if len(dtypes) != 1 or not dtypes <= {*DTYPES}:
        raise ValueError(f"numbers are of {', '.join(sorted(map(str, dtypes)))}; they must be of one floating dtype")
    core = _BUILDERS[kind](about["network"], own)
    _same_indices(core, own)
    core.load_state_dict(own, assign=True)  # strict: every number is there, none is left over
    names = None if about["names"] is None else tuple(about["names"])
    report = Report.from_dict(about["report"])
    parts = core, tensors["widths"], Origin(about["kind"], names, about["threshold"], None), report
    _check(*parts)
    return parts


def _same_indices(core: Network, own: Tensors) -> None:
    """Refuse indices that are not what follows from the others."""
    for name, tensor in core.state_dict().items():
        if tensor.dtype == torch.int64 and not torch.equal(tensor, own[name]):
            raise ValueError(f"{name} is not what follows from the other indices")


def _check(core: Network, widths: Tensor, origin: Origin, report: Report) -> None:
    """Refuse words that do not fit the numbers."""
    d = core.d - (INDICATOR if origin.threshold is not None else 0)
    kind = {"exact": ExactNetwork, "dedicated": DedicatedNetwork}.get(report.method, BlockNetwork)
    if report.method not in METHODS or type(core) is not kind:
        raise ValueError(f"the report is of method {report.method}, the network is {type(core).__name__}")
    if (origin.threshold is None) == (report.method == "balanced"):
        raise ValueError(f"threshold is {origin.threshold}, and the network of method {report.method}")
    z = core.plan.z if isinstance(core, ExactNetwork) else report.z  # others are made for any number
    told, there = (report.T, report.L, report.d, report.width, report.z), (core.T, core.L, d, core.D, z)
    if told != there or type(report.z) is not int or not 1 <= report.z <= core.T:
        words = "{} circuits of {} layers and width {} in width {}, {} of them active"
        raise ValueError(f"the report is of {words.format(*told)}; the network of {words.format(*there)}")
    if origin.threshold is not None:
        check_positive("threshold", origin.threshold)
    check_number("tolerance", report.tolerance, at_least=0.0)
    if report.tolerance >= 1:
        raise ValueError(f"tolerance is {report.tolerance}")
    if origin.kind not in ("mlp", "residual"):
        raise ValueError(f"modules are of kind {origin.kind!r}")
    for name in origin.names or ():
        if not isinstance(name, str):
            raise ValueError(f"names hold {name!r}, which is no word")
    if origin.names is not None and len(origin.names) != core.T:
        raise ValueError(f"names are {len(origin.names)}, of {core.T} modules")
    if origin.names is not None and len(set(origin.names)) != core.T:
        twice = next(name for i, name in enumerate(origin.names) if name in origin.names[:i])
        raise ValueError(f"names hold {twice!r} twice")
    columns = core.L + (origin.kind == "mlp")  # residual blocks as MLPs have a layer more
    if widths.dtype != torch.int64 or widths.dim() != 2 or len(widths) != core.T or widths.shape[1] < 2:
        raise ValueError(f"widths are {widths.dtype} of shape {tuple(widths.shape)}, of {core.T} modules")
    if widths.shape[1] != columns:
        raise ValueError(f"widths are of {widths.shape[1] - 1} layers; there are {columns - 1}")
    if int(widths.min()) < 1 or int(widths.max()) > d:
        raise ValueError(f"widths are {widths.min()} … {widths.max()}; they must lie in 1 … {d}")


def _within(tensors: Tensors, name: str, shape: tuple[int, ...], size: int) -> Tensor:
    """Indices of that shape below that size."""
    found = tensors[name]
    if found.dtype != torch.int64 or tuple(found.shape) != shape:
        raise ValueError(f"{name} is {found.dtype} of shape {tuple(found.shape)}; it must be int64 of shape {shape}")
    if int(found.min()) < 0 or int(found.max()) >= size:
        raise ValueError(f"{name} holds {found.min()} … {found.max()}; indices must lie in 0 … {size - 1}")
    return found


def _describe(network: Network) -> dict[str, Any]:
    """What the tensors do not say."""
    if isinstance(network, ExactNetwork):
        return {
            "construction": "exact",
            "plan": asdict(network.plan),
            "bound": network.bound,
            "reach": network.reach,
            "nonnegative": network.nonnegative,
            "last_relu": network.cells[-1].relu,
        }
    if isinstance(network, DedicatedNetwork):
        return {"construction": "dedicated", "T": network.T, "d": network.d, "relu": _relu(network)}
    assert isinstance(network, BlockNetwork)
    return {"construction": "blocks", "n": network.n, "relu": _relu(network)}


def _relu(network: Network) -> list[bool]:
    return [layer.relu for layer in network.layers]  # type: ignore[misc]


def _exact(about: dict[str, Any], tensors: Tensors) -> ExactNetwork:
    sizes = dict(about["plan"])
    entry, n, d = sizes.pop("entry"), sizes["n"], sizes["d"]
    weights, biases = (
        [tensors[name] for name in sorted((x for x in tensors if x.endswith(f".{kind}")), key=_layer)]
        for kind in ("weights", "biases")
    )
    for w, b in zip(weights, biases, strict=True):  # first: what the plan asks for is then no more than these hold
        if tuple(w.shape) != (n, n, d, d) or tuple(b.shape) != (n, n, d):
            raise ValueError(f"weights of shape {tuple(w.shape)} and biases of {tuple(b.shape)} do not fit the plan")
    plan = Plan(**sizes, entry=None if entry is None else Entry(**entry))
    last_relu, bound, reach, nonnegative = (about[name] for name in ("last_relu", "bound", "reach", "nonnegative"))
    check_positive("bound", bound)
    check_positive("reach", reach)
    if type(last_relu) is not bool or type(nonnegative) is not bool or reach > bound:
        raise ValueError(f"last_relu is {last_relu}, nonnegative {nonnegative}, reach {reach}, bound {bound}")
    return assemble(plan, weights, biases, last_relu, bound, reach, nonnegative)


def _layer(name: str) -> int:
    """The number of the layer to which a tensor belongs."""
    return int(name.split(".")[1])


def _dedicated(about: dict[str, Any], tensors: Tensors) -> DedicatedNetwork:
    T, d = about["T"], about["d"]
    for l in range(len(about["relu"])):
        if tensors[f"layers.{l}.w"].shape != (T, d, d) or tensors[f"layers.{l}.b"].shape != (T, d):
            raise ValueError(f"layer {l} is not of {T} circuits of width {d}")
    layers: list[Layer] = [
        OwnMLPLayer(tensors[f"layers.{l}.w"], tensors[f"layers.{l}.b"], relu) for l, relu in enumerate(about["relu"])
    ]
    return DedicatedNetwork(T, d, layers)


def _blocks(about: dict[str, Any], tensors: Tensors) -> BlockNetwork:
    n, first = about["n"], tensors["first"]
    L, (T, d, _) = len(about["relu"]), first.shape
    slots = _within(tensors, "slots", (L, T, tensors["slots"].shape[-1]), n)
    if first.shape != (T, d, d) or tensors["unit"].shape != (L, T, d):
        raise ValueError(f"first is of shape {tuple(first.shape)}, unit of {tuple(tensors['unit'].shape)}")
    for l in range(L):
        if tensors[f"layers.{l}.b"].shape != (n * d,) or (l and tensors[f"layers.{l}.W"].shape != (n * d, n * d)):
            raise ValueError(f"layer {l} is not of width {n * d}")
    layers = [
        BlockLayer(tensors.get(f"layers.{l}.W"), tensors[f"layers.{l}.b"][::n], n, relu)
        for l, relu in enumerate(about["relu"])
    ]
    biased = any(bool(layer.b.any()) for layer in layers)  # a threshold: only the balanced construction takes one
    return BlockNetwork(first, slots, layers, unit=tensors["unit"], centred=biased)


_BUILDERS: dict[str, Callable[[dict[str, Any], Tensors], Network]] = {
    "exact": _exact,
    "dedicated": _dedicated,
    "blocks": _blocks,
}
