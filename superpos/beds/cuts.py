"""The cost of a decomposition as methods measure it: its error, and how many components it needs. Chapter 16."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.bed import Bed
from superpos.beds.samples import Samples

_EXACT = 1e-20  # an error of rounding alone


@dataclass(frozen=True, eq=False)
class Cut:
    """A bed's circuits' own weights as a sum of rank-one components U_c V_cᵀ, each with a gate. Chapter 16.

    Attributes:
        V, U: the factors, by the path of the matrix.
        gates: in [0, 1], of each component on each sample.
    """

    V: Mapping[str, Float[Tensor, "in C"]]
    U: Mapping[str, Float[Tensor, "out C"]]
    gates: Mapping[str, Float[Tensor, "B C"]]


@dataclass(frozen=True)
class Losses:
    """The cost of a decomposition, in float64. Chapter 16.

    Attributes:
        faithfulness: Σ|W − Σ_c U_c V_cᵀ|² over the circuits' own weights W, over Σ|W|².
        reconstruction: the squared error of the outputs that count, each component times its gate, over their square.
        L0: Σ_c g_c over all matrices, the mean over samples: how many components are active.
        weighted: Σ_c g_c |U_c||V_c|/u, u the root mean square of the norms of the circuits' pieces in the matrix.
    """

    faithfulness: float
    reconstruction: float
    L0: float
    weighted: float


def circuits(bed: Bed, samples: Samples) -> Cut:
    """The truth: the pieces of all circuits, each with its expected importance. Chapter 16."""
    V, U, needed = {}, {}, bed.importance(samples)
    for part in bed.matrices:
        V[part.path], U[part.path] = (F.transpose(0, 1).flatten(1) for F in (part.V, part.U))
    return Cut(V, U, {path: g.flatten(1).double() for path, g in needed.items()})


def neurons(bed: Bed, samples: Samples) -> Cut:
    """The network cut into its neurons: what each one reads, or what it writes where no ReLU follows. Chapter 16.

    A component is a row of a matrix, with a gate that is 1 where the neuron is on, or would be without it. Where no
    ReLU follows, as in what a residual layer writes back, it is a column, with a gate that is 1 where the neuron that
    it reads is on.
    """
    V, U, gates, states = {}, {}, {}, list(bed.states(samples.inputs.double()))
    for part, A, after in zip(bed.parts, states[:-1], states[1:], strict=True):
        if part.own:
            V[part.path], U[part.path] = part.neurons
            needed = (after > 0) | (A @ part.kept.mT + part.b > 0) if part.relu else A > 0
            gates[part.path] = needed.double()[:, part.own_weights.any(dim=int(part.relu))]
    return Cut(V, U, gates)


def directions(bed: Bed, samples: Samples) -> Cut:
    """The singular vectors of every matrix, all with gate 1: nothing is known of what is active. Chapter 16."""
    V, U, gates = {}, {}, {}
    for part in bed.matrices:
        V[part.path], U[part.path] = part.directions
        gates[part.path] = part.W.new_ones(len(samples.inputs), part.directions[0].shape[1])
    return Cut(V, U, gates)


def pruned(bed: Bed, cut: Cut, samples: Samples, L0: float) -> Cut:
    """The same components, but only so many at work that L0 is what it may be: those that write most. Chapter 16.

    Those with the largest g |U_c||V_c·A| over all matrices and samples keep their gates, the others get 0.
    """
    writes = {}
    for part, A in zip(bed.parts, bed.states(samples.inputs.double()), strict=False):
        if part.own:
            V, U, g = (held[part.path] for held in (cut.V, cut.U, cut.gates))
            writes[part.path] = g * (A @ V).abs() * U.norm(dim=0)
    values = torch.cat([x.flatten() for x in writes.values()]).sort(descending=True).values
    least = values[min(int(L0 * len(samples.inputs)), len(values) - 1)]
    return replace(cut, gates={path: g * (writes[path] > least) for path, g in cut.gates.items()})


def states(
    bed: Bed, cut: Cut, masks: Mapping[str, Float[Tensor, "B C"]], inputs: Float[Tensor, "B D"]
) -> Iterator[Float[Tensor, "B width"]]:
    """What every matrix in turn leaves, A ← ReLU(Σ_c m_c U_c V_cᵀ A + shared A + b), with masks m. Chapter 16."""
    A = inputs
    for part in bed.parts:
        pre = A @ part.kept.mT + part.b
        if part.own:
            pre = pre + ((A @ cut.V[part.path]) * masks[part.path]) @ cut.U[part.path].mT
        A = pre.relu() if part.relu else pre
        yield A


def losses(bed: Bed, cut: Cut, samples: Samples) -> Losses:
    """The losses of a decomposition of the circuits' own weights; what is shared is left in place. Chapter 16.

    Args:
        cut: of every matrix in which circuits have weights, in float64.
        samples: those of the gates.
    """
    inputs, wrong, whole, L0, weighted = samples.inputs.double(), 0.0, 0.0, 0.0, 0.0
    for part in bed.matrices:
        V, U, g = (held[part.path] for held in (cut.V, cut.U, cut.gates))
        wrong += (part.own_weights - U @ V.mT).square().sum().item()
        whole += part.own_weights.square().sum().item()
        L0 += g.sum(dim=1).mean().item()
        weighted += (g @ (U.norm(dim=0) * V.norm(dim=0))).mean().item() / unit(bed, part.path)
    (*_, found), (*_, right) = states(bed, cut, cut.gates, inputs), bed.states(inputs)
    error = (found - right)[:, bed.counted].square().sum() / right[:, bed.counted].square().sum()
    return Losses(wrong / whole, error.item(), L0, weighted)


def beaten(bed: Bed, samples: Samples) -> bool:
    """Whether a cut that knows nothing of circuits is better than the truth by what methods minimise. Chapter 16.

    It is if the neurons that write most, as many as the truth needs components, or as many singular vectors, leave a
    smaller error than the true circuits do. Then no penalty on L0 makes the truth the best, and a method that finds
    another answer is not wrong.
    """
    truth = losses(bed, circuits(bed, samples), samples)
    if truth.reconstruction < _EXACT:
        return False
    cuts = (pruned(bed, cut(bed, samples), samples, truth.L0) for cut in (neurons, directions))
    return any(losses(bed, cut, samples).reconstruction < truth.reconstruction for cut in cuts)


def unit(bed: Bed, path: str) -> float:
    """The root mean square of the norms |U||V| of the circuits' pieces in a matrix. Chapter 16."""
    part = next(part for part in bed.parts if part.path == path)
    norm = part.U.norm(dim=1) * part.V.norm(dim=1)
    return norm[norm > 0].square().mean().sqrt().item()
