"""From a list of torch modules to a stack of circuits, and back. Chapters 2 and 13."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from superpos.checks import check_count
from superpos.circuits.stacks import MLPCircuits, ResidualCircuits


class ResidualBlock(nn.Module):
    """One residual layer, x + W·ReLU(V x + b), as an ordinary module.

    Args:
        d: width of x.
        m: number of neurons.
    """

    def __init__(self, d: int, m: int) -> None:
        super().__init__()
        check_count("d", d)
        check_count("m", m)
        self.read = nn.Linear(d, m)
        self.write = nn.Linear(m, d, bias=False)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        return x + self.write(self.read(x).relu())


def from_modules(modules: Sequence[nn.Module] | Mapping[str, nn.Module]) -> MLPCircuits | ResidualCircuits:
    """Stack small torch networks into circuits; the modules are not changed.

    Two kinds are taken, all modules of one list being of the same kind and depth: `nn.Sequential` of `nn.Linear`
    with an `nn.ReLU` between each two and, for all of them or for none, one at the end → `MLPCircuits`; and
    `ResidualBlock`s, alone or in an `nn.Sequential` → `ResidualCircuits`. A Sequential may hold others; `nn.Identity`
    is passed over, and so is an `nn.Dropout` of a module in evaluation mode. Widths may differ: each network is padded
    with zeros to the widest, its own coordinates first; the padding stays zero in every layer.

    Args:
        modules: a list, or a mapping from names to modules.

    Raises:
        TypeError: for a module of another kind, with its place and the layer at fault, or of another dtype.
        ValueError: for an empty list, a number that is not finite, or networks of different kinds, depths or devices.
    """
    return stacked(modules)[0]


def stacked(
    modules: Sequence[nn.Module] | Mapping[str, nn.Module],
) -> tuple[MLPCircuits | ResidualCircuits, Int64[Tensor, "T L1"]]:
    """The circuits, as `from_modules`, and how wide each module was before it was padded.

    Returns:
        The circuits; and of each MLP the width of its input and of its layers, of residual blocks d, and the neurons m
        of each block.
    """
    chains, rows = _chains(modules), []
    for chain in chains.values():
        linear = [layer for layer in chain if isinstance(layer, nn.Linear)]
        linear = linear or [layer.read for layer in chain if isinstance(layer, ResidualBlock)]
        rows.append([linear[0].in_features, *(layer.out_features for layer in linear)])
    residual = type(next(iter(chains.values()))[0]) is ResidualBlock
    circuits = _residual(chains) if residual else _mlp(list(chains.values()))
    return circuits, torch.tensor(rows, device=circuits.stack.device)


def to_module(circuits: MLPCircuits | ResidualCircuits, t: int, widths: Sequence[int]) -> nn.Sequential:
    """Circuit t as a module of its own widths, as `stacked` gives them: what `from_modules` was given."""
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


def _chains(modules: Sequence[nn.Module] | Mapping[str, nn.Module]) -> dict[str, list[nn.Module]]:
    """The layers of each module by its place in words, `modules[3]`; refused where they are not of one kind."""
    if isinstance(modules, nn.Module) or not isinstance(modules, Sequence | Mapping):
        raise TypeError(f"modules is {type(modules).__name__}; it must be a list of nn.Module")
    if len(modules) == 0:
        raise ValueError("modules is empty; at least one network is needed")
    named = modules.items() if isinstance(modules, Mapping) else enumerate(modules)
    chains = {f"modules[{name!r}]": list(_layers(f"modules[{name!r}]", module)) for name, module in named}
    kinds = {place: [type(layer) for layer in chain] for place, chain in chains.items()}
    first, wanted = next(iter(kinds.items()))
    for place, kind in kinds.items():
        if kind != wanted:
            spelled = [" → ".join(k.__name__ for k in both) for both in (kind, wanted)]
            raise ValueError(f"{place} is {spelled[0]}, but {first} is {spelled[1]}; all must be alike")
    _check_numbers(chains)
    return chains


def _check_numbers(chains: dict[str, list[nn.Module]]) -> None:
    """Refuse parameters of different dtypes or devices, and numbers that are not finite."""
    like = next(next(iter(chains.values()))[0].parameters())
    for place, chain in chains.items():
        for i, layer in enumerate(chain):
            for name, p in layer.named_parameters():
                if p.dtype != like.dtype:
                    raise TypeError(f"{place} has dtype {p.dtype}; all must have that of the first, {like.dtype}")
                if p.device != like.device:
                    raise ValueError(f"{place} is on {p.device}; all must be where the first is, on {like.device}")
                if not p.is_meta and not torch.isfinite(p).all():
                    wrong = p[~torch.isfinite(p)][0].item()
                    raise ValueError(f"{place} has {wrong} in the {name} of layer {i}; every number must be finite")


def _layers(place: str, module: nn.Module) -> Iterator[nn.Module]:
    """The layers of one network, refused where they are neither Linear/ReLU in turn nor all ResidualBlock."""
    chain = [(path, layer) for path, layer in _flat("", module) if not _passes(layer)]
    if not chain:
        raise ValueError(f"{place} is an empty Sequential; at least one Linear is needed")
    blocks = isinstance(chain[0][1], ResidualBlock)
    before: int | None = None
    for i, (path, layer) in enumerate(chain):
        where = f"layer {path} of {place}" if path else place
        wanted = ResidualBlock if blocks else nn.Linear if i % 2 == 0 else nn.ReLU
        if type(layer) is not wanted:
            cure = "; call .eval() on it first" if isinstance(layer, nn.Dropout) else ""
            raise TypeError(
                f"{where} is {type(layer).__name__}; it must be {wanted.__name__}: a network is Linear, ReLU, "
                f"Linear, … or a chain of ResidualBlock{cure}"
            )
        if isinstance(layer, ResidualBlock) and layer.write.bias is not None:
            raise ValueError(f"{where} has a bias in `write`; ResidualCircuits have none there")
        if isinstance(layer, nn.Linear):
            if before is not None and layer.in_features != before:
                raise ValueError(f"{where} takes {layer.in_features} numbers, but the Linear before puts out {before}")
            before = layer.out_features
        yield layer


def _flat(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers of a Sequential and of those in it, each with its path."""
    if type(module) is not nn.Sequential:
        yield path, module
        return
    for name, layer in module.named_children():
        yield from _flat(f"{path}.{name}".lstrip("."), layer)


def _passes(layer: nn.Module) -> bool:
    """Whether a layer gives back what it is given."""
    return isinstance(layer, nn.Identity) or (isinstance(layer, nn.Dropout) and not layer.training)


def _mlp(chains: list[list[nn.Module]]) -> MLPCircuits:
    linears = [[layer for layer in chain if isinstance(layer, nn.Linear)] for chain in chains]
    L, T = len(linears[0]), len(linears)
    d = max(size for chain in linears for layer in chain for size in (layer.in_features, layer.out_features))
    first = linears[0][0].weight
    weights, biases = first.new_zeros(L, T, d, d), first.new_zeros(L, T, d)
    with torch.no_grad():
        for t, chain in enumerate(linears):
            for l, layer in enumerate(chain):
                weights[l, t, : layer.out_features, : layer.in_features] = layer.weight
                if layer.bias is not None:
                    biases[l, t, : layer.out_features] = layer.bias
    return MLPCircuits(weights, biases, last_relu=isinstance(chains[0][-1], nn.ReLU))


def _residual(chains: dict[str, list[nn.Module]]) -> ResidualCircuits:
    blocks = [[layer for layer in chain if isinstance(layer, ResidualBlock)] for chain in chains.values()]
    L, T = len(blocks[0]), len(blocks)
    for place, chain in zip(chains, blocks, strict=True):
        streams = {block.read.in_features for block in chain}
        if len(streams) > 1:
            raise ValueError(f"{place} has blocks of widths {sorted(streams)}; a residual stream has one width")
    d = max(block.read.in_features for chain in blocks for block in chain)
    m = max(block.read.out_features for chain in blocks for block in chain)
    first = blocks[0][0].read.weight
    w_in, w_out, bias = first.new_zeros(L, T, m, d), first.new_zeros(L, T, d, m), first.new_zeros(L, T, m)
    with torch.no_grad():
        for t, chain in enumerate(blocks):
            for l, block in enumerate(chain):
                own_m, own_d = block.read.weight.shape
                w_in[l, t, :own_m, :own_d] = block.read.weight
                w_out[l, t, :own_d, :own_m] = block.write.weight
                if block.read.bias is not None:
                    bias[l, t, :own_m] = block.read.bias
    return ResidualCircuits(w_in, w_out, bias)
