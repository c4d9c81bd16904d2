"""The error of one layer of the residual construction, taken apart. Chapter 6."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_active
from superpos.circuits import ResidualCircuits
from superpos.errors.measured import Summary, check_pair, summary
from superpos.network import parts
from superpos.residual import ResidualNetwork


@dataclass(frozen=True, eq=False)
class Terms:
    """The error of one layer of the residual construction, taken apart into its terms. Chapter 6.

    All are mean squares with their standard errors, for the circuits of one kind, active or inactive; p is what a small
    neuron's pre-activation should be (−θ for an inactive one), h = ReLU(p), n runs over its S large neurons. That there
    are these terms is the analysis of Bushnaq & Mendel (2024); to measure each by itself is ours.

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
    """The terms of the first layer's error, measured on the active circuits or, if given, on inactive ones. Chapter 6.

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
    check_pair(network, circuits)
    network.check(active, inputs)
    if others is not None:
        _check_others(others, active, network.T)
    asked = (active,) if others is None else (active, others)
    measured = [_terms(network, circuits, x, *which) for x, *which in parts(network.T * circuits.m, inputs, *asked)]
    return Terms(*(_scalar(torch.cat(term)) for term in zip(*measured, strict=True)))


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


def _scalar(square: Float[Tensor, "B r"]) -> Summary:
    found = summary([square])
    return Summary(found.mean[0], found.standard_error[0], found.worst[0])


def _check_others(others: Tensor, active: Int64[Tensor, "B z"], T: int) -> None:
    check_active(others, T, device=active.device, name="others")
    if len(others) != len(active):
        raise ValueError(f"others has shape {tuple(others.shape)}; it must be (B, r) with B = {len(active)} as active")
    clash = (others[:, :, None] == active[:, None, :]).any(dim=2)
    if clash.any():
        row, column = clash.nonzero()[0].tolist()
        t = others[row, column].item()
        raise ValueError(f"others holds circuit {t} in row {row}, where it is active; choose among the inactive ones")
