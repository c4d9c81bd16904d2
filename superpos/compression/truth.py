"""A test bed for methods that take networks apart, whose answer is known. Chapter 14."""

import json
import math
import shutil
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.compression.large import Large
from superpos.sampling import generator
from superpos.tensors import write_tensors
from superpos.writing import ABOUT, check_free, written

FORMAT = "superpos.ground_truth"
FILES = {
    "network.safetensors": "W.l (out, in) and b.l (out) of every layer l = 0, 1, …: A ← ReLU(A Wᵀ + b); the ReLU of "
    "the last layer is left out where `last_relu` is false",
    "activations.safetensors": "A.0 (samples, in) the large network's input, A.l what layer l − 1 leaves; active "
    "(samples, z) which circuits run; inputs (samples, z, width_in) what they are given; outputs "
    "(samples, z, width_out) what each of them, run alone, puts out; live (samples, z) whether the large network "
    "holds that answer",
    "owners.safetensors": "weights.l (out, in) the circuit to which each weight of layer l belongs, −1 nobody (entry, "
    "list, gates, zeros), −2 several; neurons.l (T, k) the neurons of A.l that can hold the state of each circuit, as "
    "many for each coordinate, one coordinate after the other; −1 fills up where there are fewer, as for coordinates "
    "that the circuit does not have",
    "circuits.safetensors": "weights (L, T, d, d) and biases (L, T, d) of the circuits, without on-indicator: "
    "a ← ReLU(w a + b)",
    "control.safetensors": "the same as network.safetensors with the entries of every W and b shuffled, and A.l what "
    "the shuffled layers make of the same A.0: no circuits are to be found in it",
}


def ground_truth(
    network: Large,
    path: str | PathLike[str],
    active: Int64[Tensor, "B z"] | None,
    inputs: Float[Tensor, "B z width"] | None,
    *,
    seed: int,
    overwrite: bool,
) -> None:
    """Write a test bed for methods that take networks apart: a folder with `README.json` and the files of `FILES`.

    `README.json` describes the others. The folder is there whole or not at all. Chapter 14.

    Args:
        network: a compressed network.
        path: the folder to be made.
        active, inputs: samples as for `run`; by default those of `Compressed.certify`.
        seed: of these, and of the shuffled control.
        overwrite: whether to replace such a folder that is there.

    Raises:
        FileExistsError: if there is something at the path and overwrite is not given, or a folder with other files.
        OSError: as `superpos.writing.check_free`, or if the disk has no room for it.
    """
    check_free(path, overwrite=overwrite, folder=FORMAT)
    path = Path(path)
    active, inputs = network.samples(active, inputs, seed=seed)
    A = network.encode(active, inputs).detach()
    _check_room(network, path, len(active))
    matrices = [(W.detach(), b.detach()) for W, b in network.dense()]
    small = network.small()
    states = _states(matrices, A, network.relu)
    samples = {
        "active": active,
        "inputs": inputs,
        "outputs": small.run(active, network.padded(active, inputs))[-1, ..., : network.width_out],
        "live": network.live(states[-1], active),
        **{f"A.{l}": state for l, state in enumerate(states)},
    }
    shuffled = _shuffled(matrices, seed)
    control = _named(shuffled) | {f"A.{l}": x for l, x in enumerate(_states(shuffled, A, network.relu))}
    belongs = {f"weights.{l}": network.owners(l).to(torch.int32) for l in range(len(matrices))}
    belongs |= {f"neurons.{l}": network.neurons(l) for l in range(len(matrices) + 1)}
    contents = {
        "network.safetensors": _named(matrices),
        "activations.safetensors": samples,
        "owners.safetensors": belongs,
        "circuits.safetensors": {"weights": small.weights, "biases": small.biases},
        "control.safetensors": control,
    }
    with written(path, overwrite=overwrite, folder=FORMAT) as folder:
        folder.mkdir()
        for name, tensors in contents.items():
            write_tensors(folder / name, tensors)
        about = json.dumps(_about(network, active, seed), indent=1, ensure_ascii=False)
        (folder / ABOUT).write_text(about + "\n", encoding="utf8")


def _about(network: Large, active: Int64[Tensor, "B z"], seed: int) -> dict[str, Any]:
    report = network.report()
    return {
        "format": FORMAT,
        "version": 1,
        "construction": report.method,
        "circuits": network.T,
        "names": network.origin.names,
        "kind": network.origin.kind,
        "threshold": network.origin.threshold,
        "layers": len(network.network.layers),
        "circuit_layers": network.L,
        "width": network.D,
        "last_relu": network.relu,
        "made_for": network.z,
        "active": active.shape[1],
        "samples": len(active),
        "seed": seed,
        "files": FILES,
    }


def _named(matrices: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {f"{name}.{l}": x for l, pair in enumerate(matrices) for name, x in zip("Wb", pair, strict=True)}


def _states(matrices: list[tuple[Tensor, Tensor]], A: Tensor, relu: bool) -> list[Tensor]:
    """What plain matrices make of an input, layer by layer."""
    states = [A]
    for l, (W, b) in enumerate(matrices):
        pre = torch.addmm(b, states[-1], W.mT)
        states.append(pre.relu() if relu or l + 1 < len(matrices) else pre)
    return states


def _shuffled(matrices: list[tuple[Tensor, Tensor]], seed: int) -> list[tuple[Tensor, Tensor]]:
    """The same numbers in random places, matrix by matrix."""
    g = generator(seed, "control")

    def mixed(x: Tensor) -> Tensor:
        return x.flatten()[torch.randperm(x.numel(), generator=g).to(x.device)].view(x.shape)

    return [(mixed(W), mixed(b)) for W, b in matrices]


def _check_room(network: Large, path: Path, samples: int) -> None:
    """Refuse to start what the disk cannot hold."""
    widths = [layer.width for layer in network.layers]
    pairs = sum(math.prod(network.size(l)) for l in range(len(widths)))
    size = network.like.element_size()
    needed = pairs * (2 * size + 4) + 2 * samples * sum(widths) * size
    free = shutil.disk_usage(path.resolve().parent).free
    if needed > free:
        sizes = f"about {needed / 1e6:,.0f} MB are needed there, and {free / 1e6:,.0f} MB are free"
        raise OSError(f"path is {path}; {sizes}")
