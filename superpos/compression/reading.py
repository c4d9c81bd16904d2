"""Small networks out of safetensors files, as `state_dict` names their numbers. Chapter 15.

A number of a `state_dict` is named by the way to its layer, "net.2.weight". Whether two ways lead to two layers of one
network or to two networks is not said there: the numbers of a Sequential are layers, and what stands before them is the
network. Where the layers could just as well follow one another, the file is refused rather than guessed at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from superpos.circuits import ResidualBlock
from superpos.compression.chains import in_order, may_follow
from superpos.tensors import DTYPES, read_tensors

_CLEAR = "save it as a flat nn.Sequential of Linear and ReLU, named '0.weight', '0.bias', '2.weight', …"
_EACH = "give each network a file of its own, or stack them with torch.func.stack_module_state"
_FOLD = "a BatchNorm: fold it into the Linear before it, with torch.nn.utils.fusion.fuse_linear_bn_eval"
_REFUSED = {
    "running_mean": _FOLD,
    "running_var": _FOLD,
    "num_batches_tracked": _FOLD,
    "weight_g": "weight_norm: call torch.nn.utils.remove_weight_norm(layer) first",
    "weight_v": "weight_norm or spectral_norm: call remove_weight_norm or remove_spectral_norm(layer) first",
    "weight_u": "spectral_norm: call torch.nn.utils.remove_spectral_norm(layer) first",
    "weight_orig": "pruning or spectral_norm: call prune.remove(layer, 'weight') or remove_spectral_norm(layer) first",
    "weight_mask": "pruning: call torch.nn.utils.prune.remove(layer, 'weight') first",
    "bias_orig": "pruning: call torch.nn.utils.prune.remove(layer, 'bias') first",
    "bias_mask": "pruning: call torch.nn.utils.prune.remove(layer, 'bias') first",
}

Way = tuple[str, ...]
Numbers = dict[str, Tensor]  # of one layer: weight and bias, or those of a block's read and write


@dataclass(frozen=True)
class _Group:
    """Layers that stand side by side in a file: those of one network, or of many that are stacked."""

    way: Way
    layers: dict[str, Numbers] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[int, int]:
        """What it takes and what it puts out."""
        own = list(self.layers.values())
        return _ends(own[0])[0], _ends(own[-1])[1]


def read_modules(files: Sequence[Path], *, last_relu: bool = False) -> dict[str, nn.Module]:
    """The networks in some files, by name. Chapter 15.

    A file holds one network, as `net.state_dict()` of an `nn.Sequential` of Linear and ReLU or of ResidualBlocks, many,
    as the `state_dict` of an `nn.ModuleList` or `nn.ModuleDict` of such, or many stacked, as
    `torch.func.stack_module_state` makes them. Linear layers are taken in the order of their numbers, with a ReLU
    between each two; layers named by words in the only order in which they fit. A network is named by its place in the
    file, by the file, or by both if there are more of each. `assumed` says what has been taken for granted.

    Args:
        files: paths of safetensors files.
        last_relu: whether the networks end with a ReLU, which no `state_dict` says.

    Raises:
        FileNotFoundError, PermissionError: if a file is not there, or may not be read.
        ValueError: if it is no safetensors file, holds something else than such networks, or leaves open whether its
            names are layers or networks; the message names what, and says how to save it.
    """
    found: dict[str, nn.Module] = {}
    for file in files:
        for name, layers in _networks(Path(file)):
            own = ".".join(part for part in (Path(file).stem if len(files) > 1 or not name else "", name) if part)
            if own in found:
                raise ValueError(f"{file}: there is a network named {own!r} already; give the files different names")
            found[own] = _module(f"{file}, network {own!r}", layers, last_relu)
    return found


def assumed(modules: Mapping[str, nn.Module]) -> list[str]:
    """The assumptions that `read_modules` made where a `state_dict` says nothing, each in words."""
    chains = [list(module.children()) for module in modules.values()]
    blocks = any(isinstance(layer, ResidualBlock) for layer in chains[0])
    depth = len([layer for layer in chains[0] if not isinstance(layer, nn.ReLU)])
    T, first = len(chains), next(iter(modules))
    which = f"{first!r}" if T == 1 else f"{first!r} … {list(modules)[-1]!r}"
    what = "residual block" if blocks else "Linear layer"
    said = [
        f"the names are those of {T:,} network{'s' * (T > 1)}, {which}, the first of {depth} {what}{'s' * (depth > 1)}"
    ]
    if blocks:
        return [*said, "a block is x + write(ReLU(read(x))), and nothing stands between two blocks"]
    end = "a ReLU" if isinstance(chains[0][-1], nn.ReLU) else "no ReLU (--last-relu puts one there)"
    between = ["a ReLU, and no other activation, stands between each two Linear layers"] if depth > 1 else []
    return [*said, *between, f"{end} stands after the last"]


def _networks(file: Path) -> Iterator[tuple[str, list[Numbers]]]:
    """Name and layers of each network of a file, in natural order: 2 before 10."""
    tensors, metadata = read_tensors(file)
    if "superpos" in metadata.get("format", ""):
        raise ValueError(f"{file}: it is a compressed network already; give the small ones")
    if not tensors:
        raise ValueError(f"{file}: it holds no numbers")
    groups = [_ordered(file, group) for group in _groups(file, tensors)]
    for group in _told_apart(file, groups):
        yield from _unstacked(f"{file}, network {'.'.join(group.way)!r}", group)


def _groups(file: Path, tensors: Numbers) -> list[_Group]:
    """The layers of a file, those whose names differ in the last part only together; in natural order."""
    groups: dict[Way, _Group] = {}
    for key, tensor in tensors.items():
        *way, what = key.split(".")
        if "parametrizations" in way:
            cure = f"torch.nn.utils.parametrize.remove_parametrizations(layer, {way[-1]!r})"
            raise ValueError(f"{file}: {key!r} belongs to a parametrization; call {cure} before saving")
        if what in _REFUSED:
            raise ValueError(f"{file}: {key!r} belongs to {_REFUSED[what]}")
        if what not in ("weight", "bias") or "" in way:
            raise ValueError(
                f"{file}: {key!r} is no weight or bias of a Linear layer in a Sequential, like '0.weight' or "
                "'name.2.bias'"
            )
        if tensor.dtype not in DTYPES:
            allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
            raise ValueError(f"{file}: {key!r} has dtype {tensor.dtype}; it must be one of {allowed}: call .float()")
        if way and way[-1] in ("read", "write"):
            what = f"{way.pop()}.{what}"
        network, layer = tuple(way[:-1]), "".join(way[-1:])
        groups.setdefault(network, _Group(network)).layers.setdefault(layer, {})[what] = tensor
    return [groups[way] for way in sorted(groups, key=_natural)]


def _ordered(file: Path, group: _Group) -> _Group:
    """The layers of a group in the order in which they run."""
    names = sorted(group.layers, key=lambda name: _natural((name,)))
    spelled = ", ".join(repr(".".join((*group.way, name)).strip(".")) for name in names)
    for name in names:
        _check_layer(f"{file}: layer {'.'.join((*group.way, name))!r}", group.layers[name])
    if len(names) == 1:
        name = names[0]
        way = group.way if not name or _number(name) else (*group.way, name)  # a lone layer with a name is a network
        return _Group(way, group.layers)
    numbered = [_number(name) for name in names]
    if any(numbered) and not all(numbered):
        raise ValueError(f"{file}: {spelled} are not all layers of one network; {_CLEAR}")
    ends = [_ends(group.layers[name]) for name in names]
    loose = names == [str(l) for l in range(len(names))] and not any("." in part for part in group.layers[names[0]])
    if all(numbered) and not (loose and all(a == b for a, b in ends)):
        order = list(range(len(names)))
    else:  # with no place for a ReLU between them, they may be those of an nn.ModuleList
        order = in_order(names, ends)
    if order is None:
        raise ValueError(
            f"{file}: {spelled} may be layers of one network, in an order that is not told, or networks of one layer. "
            f"If one network, {_CLEAR}; if many, {_EACH}"
        )
    for i, j in pairwise(order):
        if ends[i][1] != ends[j][0]:
            raise ValueError(
                f"{file}: {names[j]!r} takes {ends[j][0]} numbers, but {names[i]!r} puts out {ends[i][1]}, so "
                f"{spelled} are no layers of one network. If one network, {_CLEAR}; if many, {_EACH}"
            )
    return _Group(group.way, {names[i]: group.layers[names[i]] for i in order})


def _told_apart(file: Path, groups: list[_Group]) -> list[_Group]:
    """The groups as networks; as one, where they can be nothing but parts of a Sequential in a Sequential."""
    if len(groups) == 1:
        return groups
    ways, ends = [group.way for group in groups], [group.ends for group in groups]
    shared = next(i for i in range(len(max(ways)) + 1) if len({way[: i + 1] for way in ways}) > 1)  # same in all names
    parts = [((*group.way, name), own) for group in groups for name, own in group.layers.items()]
    parts.sort(key=lambda part: _natural(part[0]))
    numbers = all(_number(name) for way, _ in parts for name in way[shared:])
    counted = [way[shared:] for way in ways] == [(str(t),) for t in range(len(ways))]
    inside = any(way[: len(other)] == other for way in ways for other in ways if way != other)
    single = all(len(group.layers) == 1 and "weight" in next(iter(group.layers.values())) for group in groups)
    wide = any(a != b for a, b in ends)  # only then does it say something that they follow one another
    follow = _follow(ends)
    if numbers and (inside or (single and follow and wide)) and _follow([_ends(own) for _, own in parts]):
        return [_Group(ways[0][:shared], {".".join(way): own for way, own in parts})]
    doubt = follow if numbers else may_follow(ends)
    if inside or (doubt and (single or wide or (numbers and not counted))):
        names = ", ".join(repr(".".join(way)) for way in ways[:4]) + (", …" if len(ways) > 4 else "")
        raise ValueError(
            f"{file}: {names} may be parts of one network or networks of their own. If one network, {_CLEAR}; if "
            f"many, {_EACH}"
        )
    return groups


def _unstacked(place: str, group: _Group) -> Iterator[tuple[str, list[Numbers]]]:
    """A network, or the networks of a stack: each of their tensors has one more axis."""
    name, layers = ".".join(group.way), list(group.layers.values())
    stacks = {
        layer: len(own[_weight(own)]) if own[_weight(own)].dim() == 3 else 0 for layer, own in group.layers.items()
    }
    if len(set(stacks.values())) > 1:
        counts = ", ".join(f"{size or 'none'} in {layer!r}" for layer, size in stacks.items())
        raise ValueError(f"{place}: its tensors hold different numbers of networks ({counts}); all must be alike")
    count = next(iter(stacks.values()))
    if not count:
        yield name, layers
        return
    for t in range(count):
        yield f"{name}.{t}".lstrip("."), [{part: x[t] for part, x in own.items()} for own in layers]


def _check_layer(place: str, own: Numbers) -> None:
    """Refuse numbers that are not those of one Linear layer or ResidualBlock, or of a stack of them."""
    residual = any("." in part for part in own)
    needed = {"read.weight", "write.weight"} if residual else {"weight"}
    allowed = needed | ({"read.bias"} if residual else {"bias"})
    if not needed <= own.keys() <= allowed:
        raise ValueError(f"{place} has {', '.join(sorted(own))}; it must have {', '.join(sorted(allowed))}")
    if len({x.dtype for x in own.values()}) > 1:
        dtypes = ", ".join(f"{part} of {x.dtype}" for part, x in sorted(own.items()))
        raise ValueError(f"{place} has {dtypes}; they must be of one dtype")
    weight = own[_weight(own)]
    if weight.dim() not in (2, 3) or 0 in weight.shape:
        raise ValueError(
            f"{place} has a weight of shape {tuple(weight.shape)}; that of a Linear layer is (out, in), of a stack of "
            "networks (T, out, in). A normalisation or an activation with numbers of its own is not understood"
        )
    *stack, out, inside = weight.shape
    wanted = {
        "read.weight": (*stack, out, inside),
        "write.weight": (*stack, inside, out),
        "weight": tuple(weight.shape),
    }
    wanted |= {"read.bias": (*stack, out), "bias": (*stack, out)}
    for part, x in own.items():
        if tuple(x.shape) != wanted[part]:
            raise ValueError(f"{place} does not fit together: {part} is {tuple(x.shape)}, it must be {wanted[part]}")


def _module(place: str, layers: list[Numbers], last_relu: bool) -> nn.Module:
    made: list[nn.Module] = []
    for own in layers:
        like, (inside, _) = own[_weight(own)], _ends(own)
        if "weight" not in own:
            block = ResidualBlock(inside, len(like)).to(like.dtype)
            made.append(_filled(block, {"read.bias": torch.zeros_like(like[:, 0]), **own}))
            continue
        made += [_filled(nn.Linear(inside, len(like), bias="bias" in own, dtype=like.dtype), own), nn.ReLU()]
    if isinstance(made[-1], nn.ReLU) and not last_relu:
        made.pop()
    if last_relu and not isinstance(made[-1], nn.ReLU):
        raise ValueError(f"{place}: it is a chain of residual blocks, which end without a ReLU; leave out --last-relu")
    return nn.Sequential(*made)


def _filled(layer: nn.Module, numbers: Numbers) -> nn.Module:
    layer.load_state_dict(numbers)  # strict: no number is left over
    return layer


def _weight(own: Numbers) -> str:
    return "weight" if "weight" in own else "read.weight"


def _ends(own: Numbers) -> tuple[int, int]:
    """What a layer takes and what it puts out."""
    out, inside = own[_weight(own)].shape[-2:]
    return (inside, out) if "weight" in own else (inside, inside)


def _follow(ends: Sequence[tuple[int, int]]) -> bool:
    """Whether each takes as many numbers as the one before puts out."""
    return all(a[1] == b[0] for a, b in pairwise(ends))


def _number(name: str) -> bool:
    """Whether a name is the number of a place, as torch writes it."""
    return name.isascii() and name.isdecimal() and str(int(name)) == name


def _natural(way: Way) -> list[tuple[bool, int, str]]:
    return [(not _number(part), int(part) if _number(part) else 0, part) for part in way]
