"""What is inside a network that runs circuits: which neurons each one uses, and who shares them. Chapter 14.

All of it looks at the network from outside, by running it: nothing is asked that only a construction knows, so that
the same measures, checked where the answer is known, work on a network that was trained.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos.checks import check_count
from superpos.circuits import Circuits
from superpos.training.network import TrainedNetwork
from superpos.training.options import Inputs, batch

__all__ = ["Inside", "ablation", "alone", "attribution", "bystanders", "inside", "sharers"]

_USED = 0.01  # a circuit uses a neuron if its answer's squared change is that share of the answer's square
_BROKEN = 0.1


@dataclass(frozen=True)
class Inside:
    """What is inside, in numbers; each a mean over neurons or circuits. Chapter 14.

    Attributes:
        on: share of neurons that are on while one circuit is active, over all layers.
        users: how many circuits use a neuron, by ablation: the answer's mean squared change is at least a hundredth of
            its mean square.
        attributed: the same number by gradient attribution in the place of ablation.
        neurons: how many neurons a circuit uses.
        overlap: mean squared cosine between what two circuits leave in the last layer, each in the mean of its inputs,
            beside the mean of all circuits.
        welch: the floor of this number, of directions that use all of the space.
        margin: how far below 0 a neuron is that is off, in units of the root mean square of those of its layer that are
            on; 0 if none is.
        bystanders: share of the other circuits that break if the neurons which one circuit uses are taken away.
    """

    on: float
    users: float
    attributed: float
    neurons: float
    overlap: float
    welch: float
    margin: float
    bystanders: float


def alone(
    circuits: Circuits, each: int, *, seed: int, inputs: Inputs = "sphere"
) -> tuple[Int64[Tensor, "Tk 1"], Float[Tensor, "Tk 1 d"]]:
    """A batch in which every circuit is active by itself, on so many inputs. Chapter 14."""
    check_count("each", each)
    _, x = batch(circuits, 1, circuits.T * each, seed=seed, inputs=inputs)
    return torch.arange(circuits.T, device=x.device).repeat_interleave(each)[:, None], x


def attribution(
    network: TrainedNetwork, active: Int64[Tensor, "Tk 1"], inputs: Float[Tensor, "Tk 1 d"]
) -> Float[Tensor, "T N"]:
    """By how much neurons move answers, to first order: Σ_i (h_j ∂x̂_i/∂h_j)² over Σ_i x̂_i², each in the mean.

    Chapter 14. Rows are circuits, columns the neurons of all layers in turn.
    """
    A = network.encode(active, inputs)
    hidden = []
    for layer in network.plain_layers:
        neurons = layer.neurons(A)
        neurons = neurons if neurons.requires_grad else neurons.requires_grad_()
        hidden.append(neurons)
        A = layer.write(A, neurons)
    answer = network.read(A, active, network.L)[:, 0]
    moved = [torch.zeros_like(h) for h in hidden]
    for i in range(network.d):
        slopes = torch.autograd.grad(answer[:, i].sum(), hidden, retain_graph=True)
        for total, h, slope in zip(moved, hidden, slopes, strict=True):
            total += (h.detach() * slope).square()
    size = answer.detach().square().sum(dim=1)
    return _by_circuit(torch.cat(moved, dim=1), network.T) / _by_circuit(size[:, None], network.T).clamp_min(1e-30)


def ablation(
    network: TrainedNetwork, active: Int64[Tensor, "Tk 1"], inputs: Float[Tensor, "Tk 1 d"]
) -> Float[Tensor, "T N"]:
    """By how much answers change if a neuron is set to 0: the squared change over the square, each in the mean.

    Chapter 14. Rows are circuits, columns the neurons of all layers in turn.
    """
    with torch.no_grad():
        whole = _answer(network, active, inputs, None)
        columns = []
        for l, width in enumerate(layer.neurons_wide for layer in network.plain_layers):
            for j in range(width):
                off = _answer(network, active, inputs, {l: torch.tensor([j], device=whole.device)}) - whole
                columns.append(_by_circuit(off.square().sum(dim=1, keepdim=True), network.T))
        size = _by_circuit(whole.square().sum(dim=1, keepdim=True), network.T)
    return torch.cat(columns, dim=1) / size.clamp_min(1e-30)


def sharers(use: Float[Tensor, "T N"]) -> Int64[Tensor, " N"]:
    """How many circuits use each neuron. Chapter 14."""
    return (use >= _USED).sum(dim=0)


def bystanders(
    network: TrainedNetwork,
    active: Int64[Tensor, "Tk 1"],
    inputs: Float[Tensor, "Tk 1 d"],
    used: Bool[Tensor, "T N"],
    *,
    most: int = 16,
) -> float:
    """The share of other circuits that break if the neurons which one circuit uses are taken away. Chapter 14.

    Broken is one whose answer changes by a tenth of its mean square. The first `most` circuits are taken away in turn.
    """
    widths = [layer.neurons_wide for layer in network.plain_layers]
    broken = []
    with torch.no_grad():
        whole = _answer(network, active, inputs, None)
        size = _by_circuit(whole.square().sum(dim=1, keepdim=True), network.T)[:, 0].clamp_min(1e-30)
        for u in range(min(most, network.T)):
            gone = {l: part.nonzero()[:, 0] for l, part in enumerate(used[u].split(widths))}
            off = (_answer(network, active, inputs, gone) - whole).square().sum(dim=1, keepdim=True)
            share = _by_circuit(off, network.T)[:, 0] / size
            broken.append((share >= _BROKEN)[torch.arange(network.T, device=size.device) != u].double().mean())
    return torch.stack(broken).mean().item() if network.T > 1 else 0.0


def inside(
    network: TrainedNetwork, circuits: Circuits, *, seed: int, each: int = 16, inputs: Inputs = "sphere"
) -> Inside:
    """All of these measures. Chapter 14.

    Args:
        network: whose layers are run.
        circuits: those that it is to run.
        seed: of the inputs.
        each: how many inputs each circuit gets.
        inputs: as of `Options`.
    """
    active, x = alone(circuits, each, seed=seed, inputs=inputs)
    by_gradient, used = attribution(network, active, x), ablation(network, active, x) >= _USED
    with torch.no_grad():
        A, on, low = network.encode(active, x), [], []
        for layer in network.plain_layers:
            pre = layer.pre_activations(A)
            on.append((pre > 0).double().flatten())
            if (pre > 0).any():
                low.append(-pre[pre < 0] / pre[pre > 0].square().mean().sqrt())
            A = layer(A)
        left = _by_circuit(A, network.T)
        left = left - left.mean(dim=0)
        left = left / left.norm(dim=1, keepdim=True).clamp_min(1e-30)
        cosines = (left @ left.mT).square()
    T, D = left.shape
    off_diagonal = (cosines.sum() - cosines.diagonal().sum()) / max(1, T * (T - 1))
    below = torch.cat([A.new_zeros(0), *low])
    return Inside(
        on=torch.cat(on).mean().item(),
        users=used.sum(dim=0).double().mean().item(),
        attributed=sharers(by_gradient).double().mean().item(),
        neurons=used.sum(dim=1).double().mean().item(),
        overlap=off_diagonal.item(),
        welch=max(0.0, (T - D) / (D * (T - 1))) if T > 1 else 0.0,
        margin=below.mean().item() if len(below) else 0.0,
        bystanders=bystanders(network, active, x, used),
    )


def _answer(
    network: TrainedNetwork,
    active: Int64[Tensor, "B 1"],
    inputs: Float[Tensor, "B 1 d"],
    gone: dict[int, Int64[Tensor, " k"]] | None,
) -> Float[Tensor, "B d"]:
    """The answers without some neurons of each layer."""
    A = network.encode(active, inputs)
    for l, layer in enumerate(network.plain_layers):
        neurons = layer.neurons(A)
        if gone and l in gone:
            neurons = neurons.index_fill(1, gone[l], 0.0)
        A = layer.write(A, neurons)
    return network.read(A, active, network.L)[:, 0]


def _by_circuit(x: Float[Tensor, "Tk n"], T: int) -> Float[Tensor, "T n"]:
    return x.unflatten(0, (T, -1)).mean(dim=1)
