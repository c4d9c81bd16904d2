"""Circuits in, an exact network out: the theorem and its proof. Chapter 12."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superpos.checks import check_positive
from superpos.circuits import MLPCircuits
from superpos.exact import sizes
from superpos.exact.cells import Cell, heard
from superpos.exact.gates import Places, StairsI, StepsI, WiresI, sets
from superpos.exact.layers import Clear, ClearTies, Compare, ExactLayer, Keys, Mark, Match, Ties
from superpos.exact.limits import SLACK, check_keys
from superpos.exact.network import ExactNetwork
from superpos.exact.plan import plan
from superpos.exact.sizes import Plan, Stage

_ROUNDS = {"mark": Mark, "compare": Compare, "match": Match, "clear": Clear}


def embed(
    circuits: MLPCircuits,
    D: int | None = None,
    *,
    z: int = 1,
    lanes: int | None = None,
    bound: float | None = None,
    reach: float | None = None,
    nonnegative: bool = False,
) -> ExactNetwork:
    """One MLP that carries T MLP circuits and computes any z of them exactly, in every layer and at any depth.

    A lane of n slots has n² pairs (i, j), and a pair is one circuit: its state is at slot i after even layers and at j
    after odd ones, and the weights between i and j are its own (`Cell`). Two circuits in one lane would disturb each
    other; so each of z active ones gets a lane. For z ≥ 2 the network itself hands them out: the input puts every
    circuit on S slots of a short code, the first layers take single circuits out one by one into a list, and every
    place of the list has a lane.

    **Theorem.** Let S = (z − 1)(k − 1) + 1. Every set of at most z active circuits is computed exactly.

    Here T ≤ n² and T ≤ q^k; S is at most the number of columns that polynomials over q elements have; |a| ≤ β for all
    activations, |x| ≤ ρ ≤ β for inputs; C ≥ β max‖w‖_∞ + max|b| and C ≥ 1; K ≥ 4ρ + 1.

    *Proof.* (1) Two circuits share a slot in at most k − 1 columns (`superpos.codes.polynomials`). So the z − 1 others
    spoil at most (z − 1)(k − 1) of a circuit's columns: in one of them it is alone on its slot. (2) One circuit on a
    slot has the key B ≤ V < 2B, several V ≥ 2B: after `ClearTies` every active circuit is still on a slot, and every
    slot that is not empty holds one. (3) Each round takes out the first such slot (`Mark`), bit for bit, since exact
    zeros are added to it; and clears it with all slots of the same key (`Compare`, `Match`, `Clear`). So after z rounds
    every active circuit is in the list once, and the other places are empty. The key of one circuit is an integer that
    the number format holds, and is not rounded; nor is the sum of several to less than 2B. (4) A place makes the wires
    of its circuit's slots i and j, and puts (x, 1) on slot i of its lane (`StairsI` … `Places`); an empty one leaves
    its lane at 0. (5) In a lane with circuit t = (i, j) a slot j' ≠ j hears at most β‖w_u‖ + |b_u| ≤ C of the circuit u
    with the pair (i, j'), and loses C for each wire that is on and not its own, of which there is one: no set of wires
    contains another. Slot j hears w_t a_t + b_t, since (i, j) has one owner, and loses nothing. So the lane holds the
    next state at j, and zeros elsewhere; by induction it does so after every layer. ∎

    The one rounding beside those of w a + b itself is that of the input, which is raised by ρ to be positive; and with
    fewer lanes than z that of outputs which may be negative, which are raised by β while they wait.

    Args:
        circuits: any MLP circuits.
        D: width at most; None for the narrowest that fits.
        z: circuits active at once.
        lanes: how many run side by side, z if it is None; the others wait their turn, and the network is deeper.
        bound: β, the largest |activation| of any circuit, inputs included; by default the circuits' own, if they know
            it. Without one only `run` works.
        reach: ρ, the largest |input|, if it is less than the bound. For z ≥ 2 inputs are raised by it while they are
            taken out, which rounds them to eps · reach: keep it tight.
        nonnegative: whether inputs are at least 0: then they need not be raised. Circuits without biases then need no
            constant, and slots are narrower. (For z = 1 nothing is raised.)

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: if D is too narrow, as `plan`, bound or reach is not positive, reach is above the bound, or the
            numbers of the circuits are too coarse for keys up to 2 n².

    Source: our own; for z = 1 it is the ping-pong construction of Gibson with other gates. Chapter 12.
    """
    if not isinstance(circuits, MLPCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; the exact construction takes MLPCircuits")
    if not isinstance(nonnegative, bool):
        raise TypeError(f"nonnegative is {nonnegative!r} ({type(nonnegative).__name__}); it must be a bool")
    bound = circuits.bound if bound is None else bound
    if bound is not None:
        check_positive("bound", bound)
    reach = _reach(reach, bound)
    planned = plan_for(circuits, D, z=z, lanes=lanes, nonnegative=nonnegative)
    check_keys(circuits.stack.dtype, planned)  # before anything is copied
    weights, biases = (
        [_cells(x, planned.n) for x in stack] for stack in (circuits.weights.detach(), circuits.biases.detach())
    )
    return assemble(planned, weights, biases, circuits.last_relu, bound, reach, nonnegative)


def plan_for(
    circuits: MLPCircuits, D: int | None = None, *, z: int = 1, lanes: int | None = None, nonnegative: bool = False
) -> Plan:
    """The sizes that `embed` gives these circuits: `plan`, with a constant in slots if they need one. Chapter 12.

    It carries biases, and what inputs, or states that wait without a ReLU, are raised by to be positive.
    """
    waits = lanes is not None and lanes < z and not circuits.last_relu
    constant = waits or (z > 1 and not nonnegative) or bool(circuits.biases.any())
    return plan(circuits.T, circuits.d, z=z, D=D, lanes=lanes, constant=constant)


def check_numbers(circuits: MLPCircuits, plan: Plan, bound: float, reach: float) -> None:
    """Refuse circuits whose number format does not hold the keys and the gate constants of `embed`, before it is built.

    Raises:
        ValueError: if it does not.
    """
    check_positive("bound", bound)
    layers = zip(circuits.weights.detach(), circuits.biases.detach(), strict=True)
    most = [heard(w, b, SLACK * bound) + 1 for w, b in layers]
    _check_precision(circuits.stack.dtype, max(4 * SLACK * reach + 1, *most), plan)


def assemble(
    plan: Plan,
    weights: list[Float[Tensor, "n n d d"]],
    biases: list[Float[Tensor, "n n d"]],
    last_relu: bool,
    bound: float | None,
    reach: float | None,
    nonnegative: bool,
) -> ExactNetwork:
    """The exact network of these sizes whose lanes have these weights, layer by layer: [i, j] is circuit i n + j's."""
    n, like, far = plan.n, weights[0], SLACK * (reach or 0.0)
    keys = Keys(n * n, 4 * far + 1)
    raised = plan.entry is not None and not nonnegative
    lift = 0.0 if last_relu else SLACK**2 * (bound or 0.0)  # so that what is cut off shows: it is beyond the bound
    if not plan.constant and (raised or (lift and plan.passes > 1) or any(b.any() for b in biases)):
        raise ValueError("constant is False; slots need one for biases, and for states that are raised to be positive")
    most = [
        None if bound is None else heard(w, b, SLACK * bound) + lift + 1 for w, b in zip(weights, biases, strict=True)
    ]
    _check_precision(like.dtype, max([keys.K, *(C or 0.0 for C in most)]), plan)
    own, stacks = sets(n, plan.wires), [[nn.Parameter(x, requires_grad=False) for x in xs] for xs in (weights, biases)]
    layers: list[ExactLayer] = []
    reads, takes = sizes.encoded(plan), ()
    for stage in sizes.before(plan):
        if stage.kind in _ROUNDS:
            layers.append(_ROUNDS[stage.kind](reads, stage, keys, takes))
        else:
            layers.append((Ties if stage.kind == "ties" else ClearTies)(reads, stage, keys))
        reads, takes = stage.leaves, stage.takes
    for p in range(plan.passes):
        if plan.entry is not None:
            stairs, steps, wires, places = sizes.gates(plan, p + 1)
            layers += [
                StairsI(reads, stairs, keys, n, plan.z, takes, p * plan.lanes),
                StepsI(stairs.leaves, steps),
                WiresI(steps.leaves, wires, n, own),
                Places(wires.leaves, places, n, own, keys),
            ]
        reads, final = sizes.lanes(plan), p + 1 == plan.passes
        for l, C in enumerate(most):
            end = l + 1 == len(most)
            cell = Cell(
                reads,
                Stage("cell", l + 1, reads),
                own,
                stacks[0][l],
                stacks[1][l],
                back=l % 2 == 1,
                C=C,
                shift=far if raised and l == 0 else 0.0,
                lift=lift if end and not final else 0.0,
                relu=last_relu or not (end and final),
                computes=plan.passes == 1 or (end and final),
            )
            layers.append(cell)
    return ExactNetwork(plan, [layer.to(like) for layer in layers], own, bound, reach, nonnegative)


def _reach(reach: float | None, bound: float | None) -> float | None:
    if reach is None:
        return bound
    check_positive("reach", reach)
    if bound is None or reach > bound:
        raise ValueError(f"reach is {reach}; it must be at most bound = {bound}: inputs are activations too")
    return reach


def _check_precision(dtype: torch.dtype, largest: float, plan: Plan) -> None:
    """Refuse a number format that does not hold the keys exactly, or the gate constants at all."""
    check_keys(dtype, plan)
    if plan.z > 1:
        largest = max(largest, 4.0 * plan.n**2)
    if not largest * plan.n < torch.finfo(dtype).max:
        raise ValueError(
            f"bound makes a gate constant of {largest:.3g}, which {dtype} does not hold: give the largest |activation| "
            "of any circuit"
        )


def _cells(values: Float[Tensor, "T *d"], n: int) -> Float[Tensor, "n n *d"]:
    """Each circuit's numbers at its pair of slots; 0 where there is no circuit."""
    if len(values) == n * n:
        return values.clone(memory_format=torch.contiguous_format).unflatten(0, (n, n))
    cells = values.new_zeros(n * n, *values.shape[1:])
    cells[: len(values)] = values
    return cells.unflatten(0, (n, n))
