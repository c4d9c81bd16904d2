"""From a list of torch modules to a stack of circuits, and back. Chapters 2 and 15."""

from collections.abc import Mapping, Sequence
from functools import cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from superpos.checks import check_batch
from superpos.circuits.chains import Link, ResidualBlock, Weights, check_alike, check_finite, links, spelled, tensors
from superpos.circuits.running import aside, compare, probes, ran
from superpos.circuits.stacks import MLPCircuits, ResidualCircuits

Modules = Sequence[nn.Module] | Mapping[str, nn.Module] | nn.ModuleList | nn.ModuleDict  # several small networks


def from_modules(modules: Modules) -> MLPCircuits | ResidualCircuits:
    """The circuits that small torch networks are, stacked; the modules are not changed.

    Two kinds are taken, all modules of one list being of the same kind and depth: `nn.Sequential` of `nn.Linear`
    with an `nn.ReLU` between each two and, for all of them or for none, one at the end → `MLPCircuits`; and
    `ResidualBlock`s, alone or in an `nn.Sequential` → `ResidualCircuits`. A Sequential may hold others, and the same
    layer at several places; `nn.Identity` is passed over, and so is `nn.Dropout` in evaluation mode; `nn.BatchNorm1d`
    in evaluation mode, right after a Linear, is multiplied into it. Widths may differ: each network is padded with
    zeros to the widest, its own coordinates first; the padding stays zero in every layer.

    Each module is then run on a few inputs of each sign and size, in its own dtype and on its own device, and what it
    answers must be what was read, up to rounding: hooks may look, but not change what passes. Chapters 2 and 15.

    Args:
        modules: a list or `nn.ModuleList`, or a mapping or `nn.ModuleDict` from names to modules.

    Raises:
        TypeError: for a module of another kind, with its place, the layer at fault and what is taken, or of another
            dtype.
        ValueError: for an empty list, a number that is not finite, networks of different kinds, depths or devices, a
            module that cannot be run, or one that answers otherwise than its weights say.
    """
    return stacked(modules)[0]


def stacked(modules: Modules) -> tuple[MLPCircuits | ResidualCircuits, Int64[Tensor, "T L1"]]:
    """The circuits, as `from_modules` makes them, and how wide each module was before it was padded. Chapter 15.

    Returns:
        The circuits; and of each MLP the width of its input and of its layers, of residual blocks d, and the neurons m
        of each block.
    """
    named, chains, like = _understood(modules)
    first, wanted = next(iter(chains.items()))
    for place, own in chains.items():
        if [link.kind for link in own] != [link.kind for link in wanted]:
            raise ValueError(f"{place} is {spelled(own)}, but {first} is {spelled(wanted)}; all must be alike")
    with aside(like):
        inputs = cache(lambda d: probes(d, like))
        found = [ran(place, named[place], own, inputs) for place, own in chains.items()]
        numbers = [one.numbers for one in found]
        check_finite(chains.values(), numbers)
        residual = wanted[0].kind is ResidualBlock
        circuits = _residual(numbers) if residual else _mlp(numbers, wanted[-1].kind is nn.ReLU)
        reads = [own[::2] for own in numbers] if residual else numbers
        sizes = _stack(reads, "size", (circuits.stack.shape[2],))
        compare(chains, circuits, sizes, found)
    rows = [[own[0].weight.shape[1], *(len(linear.weight) for linear in own)] for own in reads]
    return circuits, torch.tensor(rows, device=circuits.stack.device)


def answers(
    modules: Modules, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
) -> Float[Tensor, "B z outside"]:
    """The answers of the modules themselves, y_t = module_t(x_t): each runs once, on all samples in which it is active.

    Chapter 15.

    Args:
        modules: as for `from_modules`.
        active: which modules run in each sample, by their place in the list.
        inputs: their inputs; a module is given its own first coordinates.

    Returns:
        Answers (B, z, outside), outside the widest answer there is; what lies beyond a module's own is 0.

    Raises:
        TypeError, ValueError: for modules that `from_modules` does not understand or that cannot be run, or for a wrong
            shape, dtype, device or index of the others.
    """
    named, chains, like = _understood(modules)
    with aside(like):
        check_batch(active, inputs, len(named), inputs.shape[-1], like=like)
        each, x = active.flatten(), inputs.detach().flatten(end_dim=1)
        order = each.argsort(stable=True)
        groups = order.split(each.bincount(minlength=len(named)).tolist())
        found = [
            ran(place, named[place], own, lambda d, rows=rows: x[rows, :d]).y
            for (place, own), rows in zip(chains.items(), groups, strict=True)
        ]
        y = x.new_zeros(len(x), max(own.shape[1] for own in found))
        for rows, own in zip(groups, found, strict=True):
            y[rows, : own.shape[1]] = own
    return y.unflatten(0, active.shape)


def to_module(circuits: MLPCircuits | ResidualCircuits, t: int, widths: Sequence[int]) -> nn.Sequential:
    """The module that circuit t was, of its own widths, as `stacked` gives them. Chapter 15."""
    own = circuits[t].detach()
    layers: list[nn.Module] = []
    with torch.no_grad():
        for l in range(own.L):
            if isinstance(own, MLPCircuits):
                inside, outside = widths[l], widths[l + 1]
                linear = nn.Linear(inside, outside, device=own.stack.device, dtype=own.stack.dtype)
                linear.weight.copy_(own.weights[l, 0, :outside, :inside])
                linear.bias.copy_(own.biases[l, 0, :outside])
                layers += [linear, nn.ReLU()] if l < own.L - 1 or own.last_relu else [linear]
                continue
            d, m = widths[0], widths[l + 1]
            block = ResidualBlock(d, m).to(own.stack)
            block.read.weight.copy_(own.w_in[l, 0, :m, :d])
            block.read.bias.copy_(own.bias[l, 0, :m])
            block.write.weight.copy_(own.w_out[l, 0, :d, :m])
            layers.append(block)
    return nn.Sequential(*layers)


def _understood(modules: Modules) -> tuple[dict[str, nn.Module], dict[str, tuple[Link, ...]], Tensor]:
    """The modules and their chains by place in words, `modules[3]`, and one of their tensors, like which all are."""
    if not isinstance(modules, Sequence | Mapping | nn.ModuleList | nn.ModuleDict):
        what = "put it into one: [module]" if isinstance(modules, nn.Module) else "or an nn.ModuleList"
        raise TypeError(f"modules is {type(modules).__name__}; it must be a list of nn.Module: {what}")
    if len(modules) == 0:
        raise ValueError("modules is empty; at least one network is needed")
    pairs = modules.items() if isinstance(modules, Mapping | nn.ModuleDict) else enumerate(modules)
    named = {f"modules[{name!r}]": module for name, module in pairs}
    chains = {place: links(place, module) for place, module in named.items()}
    first = next(iter(named.values()))
    like = next(tensors(first), None)
    if like is None:
        raise TypeError(f"{next(iter(named))} has no parameters; its weights must be nn.Parameter")
    for place, module in named.items():
        check_alike(place, module, like)
    return named, chains, like


def _mlp(numbers: Sequence[tuple[Weights, ...]], last_relu: bool) -> MLPCircuits:
    d = max(size for own in numbers for linear in own for size in linear.weight.shape)
    weights = _stack(numbers, "weight", (d, d))
    return MLPCircuits(weights, _stack(numbers, "bias", (d,)), last_relu=last_relu)


def _residual(numbers: Sequence[tuple[Weights, ...]]) -> ResidualCircuits:
    reads, writes = [own[::2] for own in numbers], [own[1::2] for own in numbers]
    m, d = (max(sizes) for sizes in zip(*(read.weight.shape for own in reads for read in own), strict=True))
    w_in, w_out = _stack(reads, "weight", (m, d)), _stack(writes, "weight", (d, m))
    return ResidualCircuits(w_in, w_out, _stack(reads, "bias", (m,)))


def _stack(numbers: Sequence[tuple[Weights, ...]], name: str, shape: tuple[int, ...]) -> Float[Tensor, "L T *shape"]:
    """One of the tensors of each layer of each module, padded."""
    return torch.stack([_padded([getattr(own, name) for own in layer], shape) for layer in zip(*numbers, strict=True)])


def _padded(values: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    """Tensors (T, *shape) with each value in its first coordinates and zeros beyond."""
    found = values[0].new_zeros(len(values), *shape)
    for size in {value.shape for value in values}:
        chosen = [t for t, value in enumerate(values) if value.shape == size]
        own = torch.tensor(chosen, device=found.device)
        found[(own, *map(slice, size))] = torch.stack([values[t] for t in chosen])
    return found
