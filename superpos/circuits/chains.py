"""The chain of layers of one torch module: which are understood, and their numbers. Chapters 2 and 15."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from superpos.checks import check_count


class ResidualBlock(nn.Module):
    """A residual layer, x + W·ReLU(V x + b), as an ordinary module. Chapters 2 and 15.

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


@dataclass(frozen=True)
class Link:
    """A layer of a chain.

    Attributes:
        kind: nn.Linear, nn.ReLU or ResidualBlock.
        where: its place in words.
        layer: the module itself.
        norms: the BatchNorm1d that stand right after a Linear.
    """

    kind: type[nn.Module]
    where: str
    layer: nn.Module
    norms: tuple[nn.BatchNorm1d, ...] = ()


class Weights(NamedTuple):
    """The weights and biases of one Linear, and how large the numbers were that added up to each bias (`size`)."""

    weight: Float[Tensor, "out in"]
    bias: Float[Tensor, " out"]
    size: Float[Tensor, " out"]


_PASSING = (nn.Identity, nn.Dropout, nn.AlphaDropout)
_TAKEN = (nn.Linear, nn.ReLU, nn.BatchNorm1d, ResidualBlock, nn.Sequential, *_PASSING)
_A_NETWORK = "a network is Linear, ReLU, Linear, … in an nn.Sequential, or a chain of ResidualBlock"
_NORMAL = "BatchNorm1d is taken right after a Linear, in evaluation mode (.eval()) and with its running statistics"
_CURES = {  # by the file of torch in which a kind of layer stands
    "torch.nn.modules.activation": "ReLU is the one activation that is taken",
    "torch.nn.modules.batchnorm": _NORMAL,
    "torch.nn.modules.conv": "write the convolution as a Linear of the flattened input",
    "torch.nn.modules.dropout": "call .eval() on it first; Dropout and AlphaDropout are then passed over",
    "torch.nn.modules.flatten": "leave it out and give inputs of shape (batch, width)",
    "torch.nn.modules.instancenorm": f"what it divides by depends on the input; {_NORMAL}",
    "torch.nn.modules.normalization": f"what it divides by depends on the input; {_NORMAL}",
    "torch.nn.modules.container": "write it as an nn.Sequential, or give one network for each of its entries",
    "torch.jit._script": "give the module that was scripted or traced",
}


def links(place: str, module: object) -> tuple[Link, ...]:
    """The layers of one module in the order in which they run; those that change nothing are left out.

    Raises:
        TypeError: for a layer that is not understood, with its place and what would be.
        ValueError: if there is none.
    """
    found: list[Link] = []
    for path, layer in _flat("", module):
        where = f"layer {path} of {place}" if path else place
        blocks = is_a(found[0].layer if found else layer, ResidualBlock)
        wanted = ResidualBlock if blocks else nn.Linear if len(found) % 2 == 0 else nn.ReLU
        if not is_a(layer, wanted):
            if _passes(layer):
                continue
            if found and found[-1].kind is nn.Linear and _folds(layer):
                found[-1] = replace(found[-1], norms=(*found[-1].norms, layer))
                continue
            raise TypeError(f"{where} is {_named(layer)}; it must be {wanted.__name__}: {_A_NETWORK}{_cure(layer)}")
        assert isinstance(layer, nn.Module)
        if isinstance(layer, ResidualBlock):
            _check_block(where, layer)
        found.append(Link(wanted, where, layer))
    if not found:
        raise ValueError(f"{place} is an empty Sequential; at least one Linear is needed")
    return tuple(found)


def check_alike(place: str, module: nn.Module, like: Tensor) -> None:
    """Refuse numbers of another dtype than those of the first module, on another device or none, or yet to be made."""
    for p in tensors(module):
        if is_lazy(p):
            raise ValueError(f"{place} has no weights yet, its shapes are not known; run it once, then give it")
        if not p.is_floating_point() and not isinstance(p, nn.Parameter):
            continue  # a count
        if p.dtype != like.dtype:
            raise TypeError(f"{place} has dtype {p.dtype}; all must have that of the first, {like.dtype}")
        if not p.is_floating_point():
            raise TypeError(f"{place} has dtype {p.dtype}; it must be floating point: call .to(torch.float32) on it")
        if p.is_meta:
            raise ValueError(f"{place} is on meta, which holds no numbers; it must be on a device that does, e.g. cpu")
        if p.device != like.device:
            raise ValueError(f"{place} is on {p.device}; all must be where the first is, on {like.device}")


def parts(module: nn.Module) -> Iterator[nn.Module]:
    """The module and all modules in it, as often as they stand there."""
    yield module
    for layer in module._modules.values():
        if layer is not None:
            yield from parts(layer)


def tensors(module: nn.Module) -> Iterator[Tensor]:
    """The parameters and buffers of a module."""
    for layer in parts(module):
        yield from (p for p in chain(layer._parameters.values(), layer._buffers.values()) if p is not None)


def width(found: tuple[Link, ...]) -> int:
    """The number of inputs that a chain takes."""
    first = found[0].layer.read if isinstance(found[0].layer, ResidualBlock) else found[0].layer
    return _weight(found[0].where, first).shape[1]


def numbers(found: tuple[Link, ...]) -> tuple[Weights, ...]:
    """The weights and biases of a chain: one pair for a Linear; for a ResidualBlock what it reads, then what it writes.

    Raises:
        ValueError: for layers that do not fit together.
    """
    named = [(where, _folded(where, layer, norms)) for where, layer, norms in _linears(found)]
    if found[0].kind is ResidualBlock:
        streams = {own.weight.shape[1 - i % 2] for i, (_, own) in enumerate(named)}
        if len(streams) > 1:
            raise ValueError(
                f"{found[-1].where} ends a chain of blocks of widths {sorted(streams)}; a residual stream has one width"
            )
    for (_, before), (where, own) in pairwise(named):
        inside, outside = own.weight.shape[1], before.weight.shape[0]
        if inside != outside:
            raise ValueError(f"{where} takes {inside} numbers, but the Linear before puts out {outside}")
    return tuple(pair for _, pair in named)


def check_finite(chains: Iterable[tuple[Link, ...]], read: Sequence[tuple[Weights, ...]]) -> None:
    """Refuse numbers that are not finite; the message says where they are."""
    values = [value.flatten() for own in read for pair in own for value in (pair.weight, pair.bias)]
    if torch.cat(values).isfinite().all():
        return
    for found, own in zip(chains, read, strict=True):
        for (where, _, _), pair in zip(_linears(found), own, strict=True):
            for name, value in (("weight", pair.weight), ("bias", pair.bias)):
                if not value.isfinite().all():
                    wrong = value[~value.isfinite()][0].item()
                    raise ValueError(f"{wrong} stands in the {name} of {where}; every number must be finite")


def spelled(found: tuple[Link, ...]) -> str:
    """The layers that are understood, in words."""
    return " → ".join(link.kind.__name__ for link in found)


def is_a(layer: object, kind: type[nn.Module]) -> bool:
    """Whether a layer is of that kind and runs as it does: a subclass with a forward of its own is another kind."""
    return isinstance(layer, kind) and type(layer).forward is kind.forward


def _flat(path: str, module: object) -> Iterator[tuple[str, object]]:
    """The layers of a Sequential and of those in it, each with its path; a module as often as it stands there."""
    if not isinstance(module, nn.Sequential) or not is_a(module, nn.Sequential):
        yield path, module
        return
    for name, layer in module._modules.items():
        yield from _flat(f"{path}.{name}".lstrip("."), layer)


def _passes(layer: object) -> bool:
    """Whether a layer gives back what it is given."""
    if isinstance(layer, nn.Dropout | nn.AlphaDropout) and layer.training and layer.p > 0:
        return False
    return any(is_a(layer, kind) for kind in _PASSING)


def _folds(layer: object) -> bool:
    """Whether a layer is a BatchNorm that multiplies and adds the same numbers whatever comes."""
    steady = isinstance(layer, nn.BatchNorm1d) and not layer.training and layer.running_mean is not None
    return steady and is_a(layer, nn.BatchNorm1d)


def _cure(layer: object) -> str:
    """What would be taken in place of a layer, as the end of a sentence."""
    if not isinstance(layer, nn.Module):
        return ""
    for name in ("module", "_orig_mod"):
        if isinstance(getattr(layer, name, None), nn.Module):
            return f"; give the module inside it, .{name}"
    if isinstance(layer, nn.Softmax | nn.LogSoftmax | nn.Softmin):
        return "; leave it out and apply it to the outputs"
    if any(isinstance(layer, kind) and not is_a(layer, kind) for kind in _TAKEN):
        return "; it has a forward of its own, which cannot be read"
    files = (kind.__module__ for kind in type(layer).__mro__)
    cure = next((_CURES[file] for file in files if file in _CURES), None)
    if cure is not None:
        return f"; {cure}"
    own = not type(layer).__module__.startswith("torch.")
    return "; a forward of its own cannot be read: write the module as such a Sequential" if own else ""


def _named(layer: object) -> str:
    mode = " in training mode" if isinstance(layer, nn.Dropout | nn.BatchNorm1d) and layer.training else ""
    return type(layer).__name__ + mode


def _check_block(where: str, block: ResidualBlock) -> None:
    for name in ("read", "write"):
        if not is_a(getattr(block, name), nn.Linear):
            raise TypeError(f"`{name}` of {where} is {type(getattr(block, name)).__name__}; it must be Linear")
    if block.write.bias is not None:
        raise ValueError(f"{where} has a bias in `write`; ResidualCircuits have none there")


def _weight(where: str, layer: nn.Module) -> Float[Tensor, "out in"]:
    weight = layer.weight
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        shape = tuple(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
        raise ValueError(f"the weight of {where} is {shape}; it must be a matrix (out, in)")
    return weight


def _linear(where: str, layer: nn.Module) -> Weights:
    """Weight and bias as they are now, whatever `in_features` and `out_features` say."""
    weight, bias = _weight(where, layer), layer.bias
    if not isinstance(bias, Tensor):
        none = weight.new_zeros(len(weight))
        return Weights(weight, none, none)
    if bias.dim() > 1 or bias.numel() not in (1, len(weight)):
        raise ValueError(f"the bias of {where} has shape {tuple(bias.shape)}; it must be ({len(weight)},)")
    bias = bias.expand(len(weight))  # one number is added to all, as torch does
    return Weights(weight, bias, bias.abs())


def _linears(found: tuple[Link, ...]) -> Iterator[tuple[str, nn.Module, tuple[nn.BatchNorm1d, ...]]]:
    """The Linear layers of a chain and of its blocks: their place, and the BatchNorms after them."""
    for link in found:
        if isinstance(link.layer, ResidualBlock):
            yield f"`read` of {link.where}", link.layer.read, ()
            yield f"`write` of {link.where}", link.layer.write, ()
        elif link.kind is nn.Linear:
            yield link.where, link.layer, link.norms


def _folded(where: str, layer: nn.Module, norms: tuple[nn.BatchNorm1d, ...]) -> Weights:
    """A Linear with the BatchNorms after it: s(w x + b − μ) + β with s = γ / √(σ² + ε) has weights s w."""
    plain = _linear(where, layer)
    if not norms:
        return plain
    w, b, size = (tensor.double() for tensor in plain)
    for norm in norms:
        mean, var, gain, shift = norm.running_mean, norm.running_var, norm.weight, norm.bias
        assert mean is not None
        assert var is not None
        if mean.shape != b.shape:
            raise ValueError(f"the BatchNorm1d after {where} is for {len(mean)} numbers; it is given {len(b)}")
        s = (var.double() + norm.eps).rsqrt() * (1.0 if gain is None else gain.double())
        beta = torch.zeros_like(s) if shift is None else shift.double()
        w, b = s[:, None] * w, s * (b - mean.double()) + beta
        size = s.abs() * (size + mean.double().abs()) + beta.abs()
    return Weights(*(made.to(plain.weight.dtype) for made in (w, b, size)))
