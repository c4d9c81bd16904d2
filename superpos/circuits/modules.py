"""From a list of torch modules to a stack of circuits."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
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


def from_modules(modules: Sequence[nn.Module]) -> MLPCircuits | ResidualCircuits:
    """Stack small torch networks into circuits; the modules are not changed.

    Two kinds are taken, all modules of one list being of the same kind and depth: `nn.Sequential` of `nn.Linear`
    with an `nn.ReLU` between each two and, for all of them or for none, one at the end → `MLPCircuits`; and
    `ResidualBlock`s, alone or in an `nn.Sequential` → `ResidualCircuits`. Widths may differ: each network is padded
    with zeros to the widest, its own coordinates first; the padding stays zero in every layer.

    Raises:
        TypeError: for a module of another kind, with its position and the layer at fault, or of another dtype.
        ValueError: for an empty list, or networks of different kinds, depths or devices.
    """
    if isinstance(modules, nn.Module) or not isinstance(modules, Sequence):
        raise TypeError(f"modules is {type(modules).__name__}; it must be a list of nn.Module")
    if len(modules) == 0:
        raise ValueError("modules is empty; at least one network is needed")
    chains = [_chain(t, module) for t, module in enumerate(modules)]
    kinds = [tuple(type(layer) for layer in chain) for chain in chains]
    for t, kind in enumerate(kinds):
        if kind != kinds[0]:
            spelled = [" → ".join(k.__name__ for k in both) for both in (kind, kinds[0])]
            raise ValueError(f"modules[{t}] is {spelled[0]}, but modules[0] is {spelled[1]}; all must be alike")
    _check_alike(modules)
    return _residual(chains) if kinds[0][0] is ResidualBlock else _mlp(chains)


def _check_alike(modules: Sequence[nn.Module]) -> None:
    """Refuse parameters of different dtypes or devices."""
    first = next(modules[0].parameters())
    for t, module in enumerate(modules):
        for p in module.parameters():
            if p.dtype != first.dtype:
                raise TypeError(f"modules[{t}] has dtype {p.dtype}; all must have that of modules[0], {first.dtype}")
            if p.device != first.device:
                raise ValueError(f"modules[{t}] is on {p.device}; all must be where modules[0] is, on {first.device}")


def _chain(t: int, module: nn.Module) -> list[nn.Module]:
    """The layers of one network, refused where they are neither Linear/ReLU in turn nor all ResidualBlock."""
    chain = list(module) if isinstance(module, nn.Sequential) else [module]
    if chain and all(isinstance(layer, ResidualBlock) for layer in chain):
        for i, block in enumerate(chain):
            if isinstance(block, ResidualBlock) and block.write.bias is not None:
                raise ValueError(f"modules[{t}] has a bias in `write` of block {i}; ResidualCircuits have none there")
        return chain
    for i, layer in enumerate(chain):
        wanted = nn.Linear if i % 2 == 0 else nn.ReLU
        if type(layer) is not wanted:
            raise TypeError(
                f"modules[{t}] has {type(layer).__name__} as layer {i}; it must be {wanted.__name__}: "
                "a network is Linear, ReLU, Linear, … or a chain of ResidualBlock"
            )
        following = chain[i + 2] if i % 2 == 0 and i + 2 < len(chain) else None
        if not isinstance(layer, nn.Linear) or not isinstance(following, nn.Linear):
            continue
        if layer.out_features != following.in_features:
            raise ValueError(
                f"modules[{t}] puts out {layer.out_features} numbers at layer {i}, "
                f"but layer {i + 2} takes {following.in_features}"
            )
    if not chain:
        raise ValueError(f"modules[{t}] is an empty Sequential; at least one Linear is needed")
    return chain


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


def _residual(chains: list[list[nn.Module]]) -> ResidualCircuits:
    blocks = [[layer for layer in chain if isinstance(layer, ResidualBlock)] for chain in chains]
    L, T = len(blocks[0]), len(blocks)
    for t, chain in enumerate(blocks):
        widths = {block.read.in_features for block in chain}
        if len(widths) > 1:
            raise ValueError(f"modules[{t}] has blocks of widths {sorted(widths)}; a residual stream has one width")
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
