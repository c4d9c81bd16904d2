"""Small networks out of safetensors files, as `state_dict` names their numbers. Chapter 13."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from superpos.circuits import ResidualBlock

_KEY = re.compile(
    r"(?:(?P<name>.+?)\.)??(?:(?P<layer>\d+)\.)?(?:(?P<part>read|write)\.)?(?P<what>weight|bias)"
)  # the name as short as it can be, so that the last number is the layer

Layers = dict[int, dict[str, Tensor]]


def read_modules(files: Sequence[Path], *, last_relu: bool = False) -> dict[str, nn.Module]:
    """The networks in some files, by name.

    A file holds one network, as `net.state_dict()` of an `nn.Sequential` of Linear and ReLU or of ResidualBlocks, many,
    as the `state_dict` of an `nn.ModuleList` or `nn.ModuleDict` of such, or many stacked, as
    `torch.func.stack_module_state` makes them. Linear layers are taken in the order of their numbers, with a ReLU
    between each two. A network is named by its place in the file, by the file, or by both if there are more of each.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if it is no safetensors file, or holds something else than such networks; the message names what.
    """
    found: dict[str, nn.Module] = {}
    for file in files:
        for name, layers in _networks(file):
            own = ".".join(part for part in (file.stem if len(files) > 1 or not name else "", name) if part)
            if own in found:
                raise ValueError(f"{file}: there is a network named {own!r} already; give the files different names")
            found[own] = _module(f"{file}, network {own!r}", layers, last_relu)
    return found


def _networks(file: Path) -> Iterator[tuple[str, Layers]]:
    """Name and numbers of each network of a file, in natural order: 2 before 10."""
    if not file.is_file():
        raise FileNotFoundError(f"{file}: there is no such file")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file}: it is damaged, cut short, or no safetensors file ({error})") from error
    if not tensors:
        raise ValueError(f"{file}: it holds no numbers")
    networks: dict[str, Layers] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if not match:
            raise ValueError(
                f"{file}: {key!r} is no weight or bias of a Linear layer in a Sequential, like '0.weight' or "
                "'name.2.bias'"
            )
        name, layer, what = match["name"] or "", int(match["layer"] or 0), match["what"]
        part = f"{match['part']}.{what}" if match["part"] else what
        networks.setdefault(name, {}).setdefault(layer, {})[part] = tensor
    for name in sorted(networks, key=_natural):
        yield from _unstacked(name, networks[name])


def _unstacked(name: str, layers: Layers) -> Iterator[tuple[str, Layers]]:
    """A network, or the networks of a stack: their weights have one more axis."""
    weights = [t for layer in layers.values() for part, t in layer.items() if part.endswith("weight")]
    if not weights or any(w.dim() != 3 for w in weights):
        yield name, layers
        return
    for t in range(len(weights[0])):
        try:
            own = {l: {part: tensor[t] for part, tensor in layer.items()} for l, layer in layers.items()}
        except IndexError:
            raise ValueError(f"{name or 'the stack'}: its tensors hold different numbers of networks") from None
        yield f"{name}.{t}".lstrip("."), own


def _module(place: str, layers: Layers, last_relu: bool) -> nn.Module:
    made: list[nn.Module] = []
    for l in sorted(layers):
        own = layers[l]
        residual = "read.weight" in own
        needed = {"read.weight", "write.weight"} if residual else {"weight"}
        allowed = needed | ({"read.bias"} if residual else {"bias"})
        if not needed <= own.keys() <= allowed:
            raise ValueError(
                f"{place}: layer {l} has {', '.join(sorted(own))}; it must have {', '.join(sorted(allowed))}"
            )
        shapes = [tuple(own[part].shape) for part in sorted(own) if part.endswith("weight")]
        if any(len(shape) != 2 for shape in shapes):
            raise ValueError(f"{place}: the weight of layer {l} has shape {shapes[0]}; a Linear layer's is (out, in)")
        if residual:
            made.append(_filled(place, l, ResidualBlock(*reversed(shapes[0])), own))
            continue
        linear = nn.Linear(shapes[0][1], shapes[0][0], bias="bias" in own)
        made += [_filled(place, l, linear, own), nn.ReLU()]
    if isinstance(made[-1], nn.ReLU) and not last_relu:
        made.pop()
    return nn.Sequential(*made)


def _filled(place: str, l: int, layer: nn.Module, numbers: dict[str, Tensor]) -> nn.Module:
    layer = layer.to(next(iter(numbers.values())).dtype)
    try:
        missing, _ = layer.load_state_dict(numbers, strict=False)
    except RuntimeError as error:
        raise ValueError(f"{place}: layer {l} does not fit together: {' '.join(str(error).split())}") from error
    with torch.no_grad():
        for name in missing:  # a block without a bias
            layer.get_parameter(name).zero_()
    return layer


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts: Iterable[str] = name.split(".")
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
