"""Errors after every layer, of active and of inactive circuits. Chapters 6, 9 and 10."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits, conditional_state
from superpos.network import Network, parts
from superpos.residual import ResidualNetwork

Observable = Callable[[Float[Tensor, "*batch d"]], Float[Tensor, "*batch k"]]


@dataclass(frozen=True, eq=False)
class Summary:
    """The squared errors |δ|² of many samples in three numbers, each a tensor with one entry a layer (or a scalar).

    Attributes:
        mean: mean of |δ|², over samples and circuits.
        standard_error: of that mean, over the samples of the batch: the network is held fixed, so that the spread
            between networks of different seeds comes on top.
        worst: largest |δ|, not squared.
    """

    mean: Float[Tensor, "*layer"]
    standard_error: Float[Tensor, "*layer"]
    worst: Float[Tensor, "*layer"]


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors after each circuit layer: entry l − 1 belongs to layer l.

    A network that can be read after some layers only (`Network.depths`) has an entry for each of these.

    Attributes:
        active: |x̂_t − x_t|² of active circuits.
        inactive: |x̂_u|² of inactive ones, whose state should read 0; NaN where every circuit is active.
        signal: mean |x_t|² of active circuits, to set the errors against.
        on: fraction of the large network's neurons that are on, in each of its blocks.
    """

    active: Summary
    inactive: Summary
    signal: Float[Tensor, " L"]
    on: Float[Tensor, "L blocks"]

    @property
    def relative(self) -> Float[Tensor, " L"]:
        """The mean squared error of active circuits over their mean squared signal, one for each layer."""
        return self.active.mean / self.signal


@dataclass(frozen=True, eq=False)
class RotationErrors:
    """The errors of conditional rotations, by what their state means. Chapter 10.

    Attributes:
        indicator: of the on-indicator α.
        point: of the rotating vector x.
    """

    indicator: Errors
    point: Errors


def measure(
    network: Network,
    circuits: MLPCircuits | ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
) -> Errors:
    """The errors of a large network on a batch, against the small circuits run alone, after every circuit layer.

    The batch goes through the layers of the network, all of them, gates and sorting included; a shortcut such as
    `superpos.exact.ExactNetwork.run` is not taken. Chapter 6.

    Raises:
        TypeError: if `network` or `circuits` is something else, or the batch has a wrong dtype.
        ValueError: if the network does not carry these circuits, or the batch does not fit them.
    """
    return _measure(network, circuits, active, inputs, [lambda state: state])[0]


def rotations(
    network: Network, circuits: MLPCircuits, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z 4"]
) -> RotationErrors:
    """The errors of conditional rotations: of their on-indicator α and of their vector x, as `measure` finds them.

    Chapter 10.

    Raises:
        TypeError: as `measure`.
        ValueError: if the circuits are not 4 wide, the network does not carry them, or the batch does not fit them.
    """
    check_pair(network, circuits)
    if circuits.d != 4:
        raise ValueError(f"circuits has d = {circuits.d}; conditional rotations have d = 4: (1.5α, 0.5α, x + α)")
    observables = [lambda a: conditional_state(a)[0][..., None], lambda a: conditional_state(a)[1]]
    return RotationErrors(*_measure(network, circuits, active, inputs, observables))


def check_pair(network: Network, circuits: Circuits) -> None:
    """Refuse a network that does not carry these circuits, as far as their sizes tell.

    Raises:
        TypeError: if one is no `Network`, or the other no circuits.
        ValueError: if T, d, L, or the m of residual circuits differ.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network is {type(network).__name__}; it must be a superpos.network.Network")
    if not isinstance(circuits, MLPCircuits | ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; it must be MLPCircuits or ResidualCircuits")
    carried = {"T": network.T, "d": network.d, "L": network.L}
    given = {"T": circuits.T, "d": circuits.d, "L": circuits.L}
    if isinstance(network, ResidualNetwork) and isinstance(circuits, ResidualCircuits):
        carried["m"], given["m"] = network.neurons.shape[2], circuits.m
    if carried != given:
        spelled = [", ".join(f"{name} = {size}" for name, size in sizes.items()) for sizes in (carried, given)]
        raise ValueError(f"network carries circuits of {spelled[0]}, but circuits has {spelled[1]}; give it its own")


def summary(squares: Iterable[Float[Tensor, "B r"]]) -> Summary:
    """The mean of |δ|², its standard error over samples, and the worst |δ|, of squares given for each layer as (B, r).

    With r = 0 they are NaN; so is the standard error of a single sample. Chapter 6.
    """
    rows = []
    for square in squares:
        by_sample = square.mean(dim=1)  # of an empty row: NaN, as documented
        spread = by_sample.std() if len(by_sample) > 1 else by_sample.new_tensor(float("nan"))
        worst = square.max().sqrt() if square.numel() else by_sample.new_tensor(float("nan"))
        rows.append(torch.stack([by_sample.mean(), spread / len(by_sample) ** 0.5, worst]))
    return Summary(*torch.stack(rows, dim=1))


def _measure(
    network: Network,
    circuits: Circuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    observables: list[Observable],
) -> list[Errors]:
    """The errors of several linear functions of a state, from one run."""
    check_pair(network, circuits)
    network.check(active, inputs)
    truth = circuits.run(active, inputs)[list(network.depths)]
    size, L, count = network.T * network.d, len(network.depths), len(observables)
    own: list[list[Tensor]] = [[] for _ in range(count * L)]
    others: list[list[Tensor]] = [[] for _ in range(count * L)]
    on = truth.new_zeros(L, 1)
    for part in parts(size, active, inputs, truth.transpose(0, 1)):
        t, x, true = part[0], part[1], part[2].transpose(0, 1)
        silent = torch.ones(len(t), network.T, dtype=torch.bool, device=t.device).scatter_(1, t, False)
        by_layer = []
        for row, (l, (neurons, A)) in enumerate(zip(network.depths, network.states(t, x), strict=True)):
            error, everyone = network.read(A, t, l) - true[row], network.read_all(A, l)
            for k, observe in enumerate(observables):
                own[k * L + row].append(observe(error).square().sum(dim=-1))
                others[k * L + row].append(observe(everyone).square().sum(dim=-1)[silent].view(len(t), -1))
            by_layer.append((network.blocks(neurons) > 0).to(A.dtype).mean(dim=(0, 2)))
        on = on + torch.stack(by_layer) * (len(t) / len(active))
    found = []
    for k, observe in enumerate(observables):
        rows = slice(k * L, (k + 1) * L)
        found.append(
            Errors(
                active=summary(map(torch.cat, own[rows])),
                inactive=summary(map(torch.cat, others[rows])),
                signal=observe(truth).square().sum(dim=-1).mean(dim=(1, 2)),
                on=on,
            )
        )
    return found
