"""Measured errors: by the state of a circuit (active or not), by layer, and by the term that makes them. Chapter 7."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_active
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.network import Network
from superpos.residual import ResidualNetwork

_NUMBERS = 1 << 24  # largest intermediate, in numbers: batches are cut so that a read-out of all T fits


@dataclass(frozen=True, eq=False)
class Summary:
    """Squared errors |δ|² of many samples in three numbers, each a tensor with one entry a layer (or a scalar).

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
    """Errors after each circuit layer: entry l − 1 belongs to layer l.

    Attributes:
        active: |x̂_t − x_t|² of active circuits.
        inactive: |x̂_u|² of inactive ones, whose state should read 0; NaN where every circuit is active.
        signal: mean |x_t|² of active circuits, to set the errors against.
    """

    active: Summary
    inactive: Summary
    signal: Float[Tensor, " L"]

    @property
    def relative(self) -> Float[Tensor, " L"]:
        """Mean squared error of active circuits over their mean squared signal."""
        return self.active.mean / self.signal


def measure(
    network: Network,
    circuits: MLPCircuits | ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
) -> Errors:
    """Run a batch through the large network and through the small ones alone, and compare after every layer.

    Raises:
        ValueError: if the network does not carry these circuits, or the batch does not fit them.
    """
    _check_pair(network, circuits)
    network.check(active, inputs)
    truth, estimates = circuits.run(active, inputs), network.run(active, inputs).estimates
    own = (estimates - truth)[1:].square().sum(dim=-1)
    others = [_inactive(network, t, x) for t, x in _parts(network.T * network.d, active, inputs)]
    return Errors(
        active=_summary(own.unbind()),
        inactive=_summary([torch.cat(layer) for layer in zip(*others, strict=True)]),
        signal=truth[1:].square().sum(dim=-1).mean(dim=(1, 2)),
    )


def _inactive(network: Network, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> list[Tensor]:
    """|x̂_u|² of the inactive circuits after each layer: (B, T − z), all circuits read by one matrix product."""
    A, silent = network.encode(active, inputs), _silent(active, network.T)
    squares = []
    for l, layer in enumerate(network.layers, start=1):
        A = layer(A)
        squares.append(network.read_all(A, l).square().sum(dim=-1)[silent].view(len(A), -1))
    return squares


@dataclass(frozen=True, eq=False)
class Terms:
    """The error of one layer of the residual construction, taken apart.

    For the circuits of one kind, active or inactive; p is what a small neuron's pre-activation should be (−θ for an
    inactive one), h = ReLU(p), n runs over its S large neurons.

    Attributes:
        read_off: |E_tᵀX − x_t|², what the stream reads wrongly before the layer.
        read_in: (pre_n − p)² on ONE large neuron.
        averaged: (mean_n pre_n − p)²: what averaging would leave without the ReLU.
        neuron: (mean_n ReLU(pre_n) − h)²: what it leaves with it.
        own: |w_out (mean_n ReLU(pre_n) − h)|², the circuit's own neurons written back.
        written_back: |E_tᵀ Σ_u E_u w_out,u ĥ_u|², what is read of the other circuits' neurons that should be silent.
        total: |E_tᵀX' − x'_t|² after the layer.
    """

    read_off: Summary
    read_in: Summary
    averaged: Summary
    neuron: Summary
    own: Summary
    written_back: Summary
    total: Summary


def terms(
    network: ResidualNetwork,
    circuits: ResidualCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    *,
    others: Int64[Tensor, "B r"] | None = None,
) -> Terms:
    """Measure every term of the first layer's error, of the active circuits or, if given, of inactive ones.

    Args:
        network: the embedded circuits.
        circuits: the same circuits.
        active: which circuits are active.
        inputs: their inputs.
        others: inactive circuits to look at instead, for every sample.

    Raises:
        TypeError: if it is not the residual construction.
        ValueError: if one of `others` is active, or the network does not carry these circuits.
    """
    if not isinstance(network, ResidualNetwork):
        raise TypeError(f"network is {type(network).__name__}; the terms are those of a ResidualNetwork")
    if not isinstance(circuits, ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; the terms are those of ResidualCircuits")
    _check_pair(network, circuits)
    network.check(active, inputs)
    if others is not None:
        _check_others(others, active, network.T)
    asked = (active,) if others is None else (active, others)
    parts = [_terms(network, circuits, x, *which) for x, *which in _parts(network.T * circuits.m, inputs, *asked)]
    return Terms(*(_summary([torch.cat(term)], scalar=True) for term in zip(*parts, strict=True)))


def _terms(
    network: ResidualNetwork,
    circuits: ResidualCircuits,
    inputs: Float[Tensor, "B z d"],
    active: Int64[Tensor, "B z"],
    others: Int64[Tensor, "B r"] | None = None,
) -> list[Float[Tensor, "B _"]]:
    (W_in, b, W_out), own_neurons, w_out = network.dense()[0], network.neurons[0], circuits.w_out[0]
    # What the state and the neurons of each circuit looked at should be.
    if others is None:
        asked = active
        x, x_next = inputs, circuits.layer(0, active, inputs)
        p = circuits.pre_activations(0, active, inputs)
    else:
        asked = others
        x = x_next = inputs.new_zeros(*asked.shape, circuits.d)
        p = b[own_neurons[asked][..., 0]]
    X = network.encode(active, inputs)
    pre = torch.addmm(b, X, W_in.mT)
    neurons = pre.relu()
    sample = torch.arange(len(X), device=X.device)[:, None, None, None]
    own_pre = pre[sample, own_neurons[asked]]  # (B, r, m, S)
    h_hat, h = own_pre.relu().mean(dim=-1), p.relu()
    own = _apply(w_out[asked], h_hat - h)
    # Everything written, less what the active circuits and the asked one write by their own neurons.
    silenced = neurons @ W_out.mT
    speaking = _apply(w_out[active], neurons[sample, own_neurons[active]].mean(dim=-1))
    for i in range(active.shape[1]):
        silenced -= _embedded(network, active[:, i], speaking[:, i])
    written = network.read(silenced, asked, 1)
    if others is not None:
        for i in range(asked.shape[1]):
            of_own = _embedded(network, asked[:, i], _apply(w_out[asked], h_hat)[:, i])
            written[:, i] -= network.read(of_own, asked[:, i : i + 1], 1)[:, 0]
    after = network.read(network.layers[0](X), asked, 1)
    return [
        (network.read(X, asked, 0) - x).square().sum(dim=-1),
        (own_pre - p[..., None]).square().flatten(1),
        (own_pre.mean(dim=-1) - p).square().flatten(1),
        (h_hat - h).square().flatten(1),
        own.square().sum(dim=-1),
        written.square().sum(dim=-1),
        (after - x_next).square().sum(dim=-1),
    ]


def _embedded(network: ResidualNetwork, t: Int64[Tensor, " B"], x: Float[Tensor, "B d"]) -> Float[Tensor, "B D"]:
    """E_t x of one circuit a sample."""
    return (network.E[t, :, : x.shape[1]] @ x[..., None])[..., 0]


def _apply(w: Float[Tensor, "B r d m"], h: Float[Tensor, "B r m"]) -> Float[Tensor, "B r d"]:
    return (w @ h[..., None])[..., 0]


def _silent(active: Int64[Tensor, "B z"], T: int) -> Tensor:
    """(B, T), True where a circuit is inactive."""
    silent = torch.ones(len(active), T, dtype=torch.bool, device=active.device)
    return silent.scatter_(1, active, False)


def _parts(numbers: int, *tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """The batch in parts for which `numbers` a sample stay below the largest intermediate allowed."""
    size = max(1, _NUMBERS // numbers)
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)


def _summary(squares: Iterable[Float[Tensor, "B r"]], *, scalar: bool = False) -> Summary:
    """Mean, its standard error over samples, and worst, of |δ|² given for each layer as (B, r)."""
    rows = []
    for square in squares:
        by_sample = square.mean(dim=1)  # of an empty row: NaN, as documented
        spread = by_sample.std() if len(by_sample) > 1 else by_sample.new_tensor(float("nan"))
        worst = square.max().sqrt() if square.numel() else by_sample.new_tensor(float("nan"))
        rows.append(torch.stack([by_sample.mean(), spread / len(by_sample) ** 0.5, worst]))
    mean, standard_error, worst = torch.stack(rows, dim=1)
    return Summary(mean[0], standard_error[0], worst[0]) if scalar else Summary(mean, standard_error, worst)


def _check_pair(network: Network, circuits: MLPCircuits | ResidualCircuits) -> None:
    if not isinstance(network, Network):
        raise TypeError(f"network is {type(network).__name__}; it must be a superpos.network.Network")
    if not isinstance(circuits, MLPCircuits | ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; it must be MLPCircuits or ResidualCircuits")
    carried = {"T": network.T, "d": network.d, "L": len(network.layers)}
    given = {"T": circuits.T, "d": circuits.d, "L": circuits.L}
    if isinstance(network, ResidualNetwork) and isinstance(circuits, ResidualCircuits):
        carried["m"], given["m"] = network.neurons.shape[2], circuits.m
    if carried != given:
        spelled = [", ".join(f"{name} = {size}" for name, size in sizes.items()) for sizes in (carried, given)]
        raise ValueError(f"network carries circuits of {spelled[0]}, but circuits has {spelled[1]}; give it its own")


def _check_others(others: Tensor, active: Int64[Tensor, "B z"], T: int) -> None:
    check_active(others, T, device=active.device, name="others")
    if len(others) != len(active):
        raise ValueError(f"others has shape {tuple(others.shape)}; it must be (B, r) with B = {len(active)} as active")
    clash = (others[:, :, None] == active[:, None, :]).any(dim=2)
    if clash.any():
        row, column = clash.nonzero()[0].tolist()
        t = others[row, column].item()
        raise ValueError(f"others holds circuit {t} in row {row}, where it is active; choose among the inactive ones")
