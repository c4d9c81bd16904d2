"""Modules as they run: what they answer, and whether that is what was read of them. Chapters 2 and 15."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superpos.circuits.chains import Link, Weights, numbers, parts, spelled, width
from superpos.circuits.stacks import MLPCircuits, ResidualCircuits
from superpos.sampling import generator

_DOUBT = 8.0  # standard deviations of what rounding does
_AT_ONCE = 2**22  # numbers of a stack that are held in float64


def probes(d: int, like: Tensor) -> Float[Tensor, "B d"]:
    """The inputs on which modules are tried, of each sign and size: zeros, and seven directions at four sizes each.

    The directions are all +, all −, signs in turn, and four random ones, always the same. Chapter 15.
    """
    one = torch.ones(1, d, dtype=torch.float64, device="cpu")
    turned = 1.0 - 1.5 * (torch.arange(d, device="cpu") % 2)[None].double()  # uneven: equal weights do not cancel it
    drawn = torch.randn(4, d, dtype=torch.float64, device="cpu", generator=generator(0, "probes"))
    directions = torch.cat([one, -one, turned, drawn])
    sizes = (1e-3, 1.0, 32.0, min(1e6, torch.finfo(like.dtype).max ** 0.5))
    return torch.cat([0 * one, *(size * directions for size in sizes)]).to(like)


class Ran(NamedTuple):
    """A module that has been run: its inputs x, what it answered (y), and its numbers."""

    x: Float[Tensor, "B inside"]
    y: Float[Tensor, "B outside"]
    numbers: tuple[Weights, ...]


def ran(
    place: str, module: nn.Module, chain: tuple[Link, ...], inputs: Callable[[int], Float[Tensor, "B inside"]]
) -> Ran:
    """The answers of a module on the inputs of its width, and its numbers; the module is left as it was found.

    Weights that are made anew whenever a module runs, such as those of weight_norm, are read as the run left them.
    Chapter 15.

    Raises:
        ValueError: if the module raises, puts out no tensor (B, outside), or, in training mode, changes its numbers.
    """
    failed, y = None, None
    with _kept(place, module):
        inside = width(chain)
        x = inputs(inside)
        if x.shape[1] < inside:
            raise ValueError(f"inputs has width {x.shape[1]}; {place} takes {inside} numbers")
        try:
            y = module(x.clone())  # a module may overwrite what it is given
        except Exception as error:  # of any kind: the module is somebody else's
            failed = error
        read = numbers(chain)  # says more of layers that do not fit than the error does
    if failed is not None:
        raise ValueError(
            f"{place} cannot be run on inputs of shape {tuple(x.shape)}: {type(failed).__name__}: {failed}"
        ) from failed
    wanted = (len(x), len(read[-1].weight))
    if not isinstance(y, Tensor) or y.shape != wanted:
        got = f"a tensor of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"{place} puts out {got} on inputs of shape {tuple(x.shape)}; it must be a tensor of shape {wanted}: "
            f"understood is {spelled(chain)}"
        )
    return Ran(x, y, read)


@contextmanager
def aside(like: Tensor) -> Iterator[None]:
    """A context without gradients or autocast, after which torch's own random state is as it was before."""
    kind, index = like.device.type, like.device.index
    devices = [] if kind == "cpu" else [index or 0]
    device_type = "cuda" if kind == "cpu" else kind
    with (
        torch.no_grad(),
        torch.autocast(kind, enabled=False),
        torch.random.fork_rng(devices, device_type=device_type),
    ):
        yield


@contextmanager
def _kept(place: str, module: nn.Module) -> Iterator[None]:
    """Put back every tensor of a module, in its place and with its values.

    Raises:
        ValueError: if a module in training mode changed its own numbers: it is another one the next time.
    """
    layers = list(parts(module))
    plain = [vars(layer) for layer in layers if layer._forward_pre_hooks or layer._forward_hooks]  # as weight_norm does
    stores: list[dict[str, Any]] = [store for layer in layers for store in (layer._parameters, layer._buffers)]
    before = [
        (store, key, value, value.clone())
        for store in (*stores, *plain)
        for key, value in store.items()
        if isinstance(value, Tensor)
    ]
    changed = ""
    try:
        yield
    finally:
        for store, name, tensor, values in before:
            store[name] = tensor
            if not torch.equal(tensor, values) and not torch.equal(tensor.nan_to_num(), values.nan_to_num()):
                tensor.copy_(values)
                counts = tensor.is_floating_point() and all(store is not own for own in plain)
                changed = name if counts else changed
    if changed and module.training:
        raise ValueError(f"{place} changes its own {changed} whenever it runs; call .eval() on it first")


def compare(
    chains: Mapping[str, tuple[Link, ...]],
    circuits: MLPCircuits | ResidualCircuits,
    sizes: Float[Tensor, "L T _"],
    answers: Sequence[Ran],
) -> None:
    """Refuse modules whose answers are not those of the circuits that were read, beyond rounding.

    Args:
        chains: what was understood of each module.
        circuits: made of it.
        sizes: of the biases, before anything in them cancelled.
        answers: of the modules.

    Raises:
        ValueError: with the module's place, both values, and what is understood.
    """
    B, d, widest = len(answers[0].x), circuits.d, max(circuits.stack.shape[2:])
    step, places = max(1, _AT_ONCE // (widest * (widest + B))), list(chains)
    for start in range(0, circuits.T, step):
        part, own = circuits[start : start + step].to(torch.float64), answers[start : start + step]
        x, y = (part.stack.new_zeros(len(own), B, d) for _ in range(2))
        for t, one in enumerate(own):
            x[t, :, : one.x.shape[1]] = one.x
            y[t, :, : one.y.shape[1]] = one.y
        truth, rounding = _truth(part, sizes[:, start : start + step].to(part.stack), x, circuits.stack.dtype)
        wrong = ~((y - truth).abs() <= rounding)
        if wrong.any():
            t, b, i = wrong.nonzero()[0].tolist()
            place = places[start + t]
            raise ValueError(
                f"{place} puts out {y[t, b, i].item():g} where its weights say {truth[t, b, i].item():g}, in output "
                f"{i} of an input of size {x[t, b].abs().max().item():g}; understood is {spelled(chains[place])}, and "
                "nothing else may change the numbers, such as a hook, a forward put in its place, or chance"
            )


class _State(NamedTuple):
    """Numbers of a network: what they are, and what rounding does to them, each on its own and all alike."""

    a: Float[Tensor, "T B width"]
    variance: Float[Tensor, "T B width"]
    shift: Float[Tensor, "T B width"]

    def relu(self) -> "_State":
        """What a ReLU leaves: nothing of a neuron that is well below 0."""
        there = self.a + _DOUBT * (self.variance.sqrt() + self.shift.abs()) > 0
        return _State(self.a.relu(), torch.where(there, self.variance, 0.0), torch.where(there, self.shift, 0.0))


def _truth(
    circuits: MLPCircuits | ResidualCircuits,
    sizes: Float[Tensor, "L T _"],
    x: Float[Tensor, "T B d"],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "T B d"], Float[Tensor, "T B d"]]:
    """What circuits answer, in float64, and how far rounding in a dtype can move that.

    Infinitely far where a sum leaves the range of the dtype.
    """
    reach, zeros = x.abs().amax(dim=-1, keepdim=True), torch.zeros_like(x)
    state = _State(x, zeros, zeros)
    for l in range(circuits.L):
        if isinstance(circuits, MLPCircuits):
            state, r = _affine(circuits.weights[l], circuits.biases[l], sizes[l], state, dtype)
            state = state if l == circuits.L - 1 and not circuits.last_relu else state.relu()
            reach = reach.maximum(r)
            continue
        h, r = _affine(circuits.w_in[l], circuits.bias[l], sizes[l], state, dtype)
        written, s = _affine(circuits.w_out[l], zeros[:, 0], zeros[:, 0], h.relu(), dtype)
        a = state.a + written.a
        variance = state.variance + written.variance + (torch.finfo(dtype).eps / 2 * a).square()
        state, reach = _State(a, variance, state.shift + written.shift), reach.maximum(r).maximum(s)
    rounding = _DOUBT * (state.variance.sqrt() + state.shift.abs())
    return state.a, torch.where(reach < torch.finfo(dtype).max, rounding, torch.inf)


def _affine(
    w: Float[Tensor, "T out in"],
    b: Float[Tensor, "T out"],
    size: Float[Tensor, "T out"],
    state: _State,
    dtype: torch.dtype,
) -> tuple[_State, Float[Tensor, "T B 1"]]:
    """w a + b as it is rounded, and the largest s = Σ |w| |a| + size that goes into a sum.

    Weights, biases and results are rounded by u, half of the dtype's eps. The n partial sums are at most s and rounded
    by u_s, in single where the dtype is half. Each on its own, v' = Σ w² v + u² (Σ w² a² + size² + (w a + b)²)
    + n u_s² s²; but neurons that do the same are rounded the same way, and that may add up: c' = w c + √n u_s s.
    """
    kind = torch.finfo(dtype)
    u, u_s = kind.eps / 2, min(kind.eps, torch.finfo(torch.float32).eps) / 2
    b, size, squares = b[:, None], size[:, None], w.square().mT
    a, s = state.a @ w.mT + b, state.a.abs() @ w.abs().mT + size
    own = u**2 * (state.a.square() @ squares + size.square() + a.square()) + kind.tiny**2
    summed = (w.shape[2] + 1) ** 0.5 * u_s * s
    variance, shift = state.variance @ squares + own + summed.square(), state.shift @ w.mT + summed
    return _State(a, variance, shift), s.amax(dim=-1, keepdim=True)
