"""A test bed of your own networks, for methods that take networks apart, as in `superpos.beds`. Chapter 15."""

from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superpos import beds, circuits, exact
from superpos.beds import Bed, Inputs
from superpos.checks import check_tensor
from superpos.circuits import MLPCircuits
from superpos.compression.choice import standard
from superpos.compression.large import Large
from superpos.compression.unproved import UNPROVED, recipe
from superpos.exact import ExactNetwork
from superpos.network import Network

_LEVELS = {"dedicated": 0, "exact": 1, "balanced": 3, "redundant": 3}
_POOL = 4096  # standard normal inputs, where all modules have inputs of one width; 256 for each where not
_LEAST = 2.0**-10  # of the largest weight of a layer: weights are multiples of 2⁻²⁴ in a bed


def bed(network: Large, inputs: Float[Tensor, "T N width"] | None, *, seed: int) -> Bed:
    """The bed of a compressed network, on the CPU: the same layers in float64, and whose every weight is. Chapter 15.

    Where modules end without a ReLU, an exact network ends without one and without gates, and holds what inactive
    modules write on slots that nobody reads. In the bed outputs are raised by a power of two, as
    `superpos.beds.raised`, and pass a ReLU: its last matrix differs from the network's by that and by the gates.

    Raises:
        TypeError, ValueError: for inputs that do not fit; if circuits share weights that training has changed, so that
            nobody knows whose they are; or if the weights of a layer are too small or too large for a bed.
    """
    given = _inputs(network, inputs, seed)
    core, small = _core(network)
    _check_sizes(small)
    if isinstance(core, ExactNetwork) and not small.last_relu:
        small, plan = beds.raised(small, given), core.plan
        core = exact.embed(
            small, z=plan.z, lanes=plan.lanes, bound=core.bound, reach=core.reach, nonnegative=core.nonnegative
        )
    method, z = network.report().method, network.z
    made = beds.make(
        f"own-{network.T}",
        _LEVELS[method] + (method == "exact" and z > 1),
        f"{network.T} networks of your own, {method}, at most {z} active",
        core,
        small,
        z,
        given,
        modules=network.origin.names,
    )
    return replace(made, identifiable=not beds.beaten(made, made.held_out()))


def _core(network: Large) -> tuple[Network, MLPCircuits]:
    """The large network in float64 on the CPU, and the circuits as they stand in it."""
    core, origin = _copy(network.network).double(), network.origin
    everyone, method = torch.arange(network.T), network.report().method
    if method not in UNPROVED:
        return core, core.small(everyone)
    known = None if origin.circuits is None else recipe(method, origin.circuits.to(network.like), origin.threshold)
    small = core.small(everyone) if known is None else known.circuits.to(torch.zeros((), dtype=torch.float64))
    check = recipe(method, small.to(network.like), None)
    altered = check.altered(network.network, torch.finfo(network.like.dtype).eps)  # type: ignore[arg-type]
    if altered.any():
        raise ValueError(
            f"network has been changed since it was made: weights of circuit {int(altered.int().argmax())}, which it "
            "shares with others, are not its own any more, and nobody knows whose the change is. Make the bed of the "
            "network as superpos.compress made it"
        )
    return core, small


def _copy(network: Network) -> Network:
    """The same network on the CPU, wherever it is."""
    numbers = {id(x): nn.Parameter(x.detach().cpu(), requires_grad=False) for x in network.parameters()}
    return deepcopy(network, numbers | {id(x): x.detach().cpu() for x in network.buffers()})


def _inputs(network: Large, inputs: Float[Tensor, "T N width"] | None, seed: int) -> Inputs:
    """The inputs of each module as the large network takes them: those given, or standard normal, cut at the reach."""
    T, d = network.T, network.width_in
    if inputs is None:
        alike = bool((network.ends[:, 0] == d).all())
        rows = _POOL if alike else _POOL // 16
        _, x = standard(1, rows, 1, d, seed=seed, like=torch.zeros(()))
        inputs = x[:, 0].expand(1 if alike else T, -1, -1)
        reach = network.network.reach
        inputs = inputs if reach is None else inputs.clamp(-reach, reach)
    else:
        check_tensor("inputs", inputs, {"T": T, "N": None, "width": d}, like=network.like)
    own = network.ends[: len(inputs), :1].cpu()[:, None]
    x = torch.where(torch.arange(d) < own, inputs.detach().cpu().double(), 0.0)
    x = nn.functional.pad(x, (0, network.network.d - network.skip - d))
    return Inputs(beds.on_grid(circuits.called(x) if network.skip else x))


def _check_sizes(small: MLPCircuits) -> None:
    largest = small.weights.abs().flatten(1).amax(dim=1)
    for l, most in enumerate(largest.tolist()):
        if most < _LEAST:
            raise ValueError(
                f"network has weights of at most {most:.3g} in layer {l} of its modules; a bed's are multiples "
                f"of 2⁻²⁴, and must reach {_LEAST:.3g}: rescale the modules"
            )
