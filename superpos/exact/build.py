"""Circuits in, an exact network out: the theorem and its proof. Chapter 11."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos import codes
from superpos.checks import check_positive, check_seed
from superpos.circuits import MLPCircuits
from superpos.exact.layers import Cell, crowded, heard, sorting
from superpos.exact.network import SLACK, ExactNetwork
from superpos.exact.plan import Plan, plan
from superpos.sampling import generator


def embed(
    circuits: MLPCircuits,
    D: int | None = None,
    *,
    z: int = 1,
    tolerance: float = 0.0,
    seed: int = 0,
    bound: float | None = None,
    reach: float | None = None,
) -> ExactNetwork:
    """One MLP that carries T MLP circuits and computes any z of them exactly, in every layer and at any depth.

    A column of n slots has n² pairs (i, j), and a pair is one circuit: its state is at slot i after even layers and
    at j after odd ones, and the weights between i and j are its own (`Cell`). One circuit alone is computed exactly.
    Two in one lane would disturb each other, so the first layers sort (`Split`, `Rest`): the circuit on the first
    occupied slot gets a lane of its own, that on the last another, and so on, up to z. Circuits that share slot i
    cannot be told apart; `Staircase` and `OneHot` silence their lane. That is why there are S columns, with pairs as
    `superpos.codes.columns` gives them.

    **Theorem.** With S = z columns every set of at most z active circuits is computed exactly.

    Here n is such that it has z columns, T ≤ n², and |a| ≤ β for all activations, inputs included.

    *Proof.* (1) Two circuits have the same slot i in at most one column (`superpos.codes.columns`). So the z − 1 others
    spoil at most z − 1 of a circuit's z columns: in one of them it is alone on its slot. (2) In that column at most z
    slots are occupied. Each `Split` takes the first and the last of them into lanes of their own and each `Rest` what
    has been taken out of the remainder, without rounding (a number minus itself, and numbers with exact zeros added);
    after z lanes nothing is left. So the circuit has a lane to
    itself (or two: a lone slot is the first and the last). (3) In a lane with one circuit its gates are on
    at i and j and off elsewhere. A slot j' ≠ j hears at most β‖w_u‖ + |b_u| ≤ C of the circuit u whose pair is (i, j'),
    minus C: it is silent. Slot j hears w_t a_t + b_t, since (i, j) has one owner, and zeros. So the lane holds the
    circuit's next state at j, and zeros elsewhere; by induction it does so after every layer. (4) A lane in which
    circuits share the slot has V ≥ 2n and is silenced before the first layer. All others are empty, or hold one. ∎

    With fewer columns (`tolerance` > 0) some active circuits have no live copy. They are known: their gates are 0.

    Args:
        circuits: any MLP circuits.
        D: width at most; None for the narrowest that fits.
        z: circuits active at once.
        tolerance: fraction of active circuits that may be left without a live copy.
        seed: of the order in which circuits get their slots, drawn if the tolerance lets some sets fail.
        bound: the largest |activation| of any circuit, inputs included; by default the circuits' own, if they know it.
        reach: the largest |input|, if it is less than the bound. For z ≥ 2 inputs are raised by it while they are
            sorted, which rounds them to eps · reach: keep it tight.

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: if D is too narrow, as `plan`, bound or reach is not positive, or reach is above the bound.

    Source: our own; for z = 1 it is the ping-pong construction of Gibson, who writes the gates in log₂ n neurons where
    here each slot has two. Chapter 11.
    """
    if not isinstance(circuits, MLPCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; the exact construction takes MLPCircuits")
    check_seed("seed", seed)
    bound = circuits.bound if bound is None else bound
    if bound is not None:
        check_positive("bound", bound)
    reach = _reach(reach, bound)
    sizes = plan(circuits.T, circuits.d, z=z, D=D, tolerance=tolerance)
    n, device = sizes.n_g, circuits.stack.device
    here, there = codes.columns(circuits.T, n, sizes.S)
    if sizes.missing:
        order = torch.randperm(circuits.T, generator=generator(seed, "slots"))
        here, there = here[:, order], there[:, order]
    here, there = here.to(device), there.to(device)
    gates = [_gate(w, b, bound) for w, b in zip(circuits.weights, circuits.biases, strict=True)]
    most = crowded(n, SLACK * (reach or 0.0)) + 1
    _check_precision(circuits.stack.dtype, max(most, *(C or 0.0 for C in gates)), sizes)
    pair = here * n + there
    cells = []
    for l, C in enumerate(gates):
        w, b = (_cells(x[l].detach(), pair, n) for x in (circuits.weights, circuits.biases))
        shift = SLACK * reach if reach is not None and z > 1 and l == 0 else 0.0
        relu = circuits.last_relu or l < circuits.L - 1
        cells.append(Cell(w, b, z, back=l % 2 == 1, C=C, shift=shift, relu=relu))
    sort = sorting(sizes.S, z, n, circuits.d + 2, most)
    layers = [layer.to(circuits.stack) for layer in (*sort, *cells)]
    return ExactNetwork(sizes, here, there, layers, bound, reach)


def _reach(reach: float | None, bound: float | None) -> float | None:
    if reach is None:
        return bound
    check_positive("reach", reach)
    if bound is None or reach > bound:
        raise ValueError(f"reach is {reach}; it must be at most bound = {bound}: inputs are activations too")
    return reach


def _check_precision(dtype: torch.dtype, largest: float, sizes: Plan) -> None:
    """Refuse a number format that does not hold the numbers n + j exactly, or the gate constants at all."""
    info = torch.finfo(dtype)
    if sizes.z > 1 and sizes.n_g > 1 / info.eps:
        raise ValueError(
            f"circuits are {dtype}, which counts to {2 / info.eps:.0f}; with z = {sizes.z} a network with "
            f"{sizes.n_g} slots in a lane counts to {2 * sizes.n_g}: call .to(torch.float32) on them"
        )
    if not largest * sizes.n_g < info.max:
        raise ValueError(
            f"bound makes a gate constant of {largest:.3g}, which {dtype} does not hold: give the largest |activation| "
            "of any circuit"
        )


def _gate(w: Float[Tensor, "T d d"], b: Float[Tensor, "T d"], bound: float | None) -> float | None:
    """C, more than a slot can hear of a circuit that is elsewhere."""
    return None if bound is None else heard(w, b, SLACK * bound) + 1


def _cells(values: Float[Tensor, "T *d"], pair: Int64[Tensor, "S T"], n: int) -> Float[Tensor, "S n n *d"]:
    """Each circuit's numbers at its pair of slots of every column; 0 where there is no circuit."""
    size = (len(pair), n * n, *values.shape[1:])
    cells = values.new_empty(size) if len(values) == n * n else values.new_zeros(size)
    for column, own in zip(cells, pair, strict=True):
        column.index_copy_(0, own, values)
    return cells.unflatten(1, (n, n))
