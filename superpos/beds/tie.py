"""Why neurons and circuits tie in an exact network, and what tells them apart: propositions with proofs. Chapter 16."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.bed import Bed
from superpos.beds.cuts import Cut, circuits
from superpos.beds.samples import Samples


def spread(bed: Bed, masks: Mapping[str, Float[Tensor, "B C"]]) -> dict[str, Float[Tensor, "B pieces"]]:
    """The masks of circuits' pieces that do what masks of neurons do: each piece has that of the neuron it writes to.

    Take an exact bed, a sample of at most z active circuits, and in each of its matrices two cuts of the circuits'
    own weights W: into neurons, e_o w_oᵀ with the rows w_o of W; and into circuits, e_o(t,k) v_tkᵀ with row k of
    each circuit t, in each lane, where o(t,k) is the neuron to which it writes. A neuron's gate g_o is 1 if it is
    on, that of a piece if its circuit is active in that lane and the neuron it writes to is on; all others are 0.

    **Proposition (the tie).** (1) Both cuts add up to W: their faithfulness is 0. (2) On every sample as many
    components of the one are on as of the other: their L0 is the same, before any average. (3) With any masks m_c
    in [g_c, 1] both leave every activation of the network as it is: every loss made of masked outputs, of random
    masks, of the worst ones, of all matrices at once or one at a time, is 0 for both. (4) Without regard to gates:
    what masks ν of neurons make of the network, the masks μ_tk = ν_o(t,k) of circuits make of it, weight by weight.
    And on every sample masks μ ≥ 0 of circuits make the activations that masks ν_o = μ_tk of neurons make, t the
    circuit that is active in the lane of o and writes to it; other neurons have any mask in [0, 1]. This holds as
    long as no state goes beyond the bound for which the network was made, as none does in (3).

    So no method whose loss is made of faithfulness, masked outputs and the number of components at work can prefer
    circuits to neurons, whatever its optimiser.

    *Proof.* (1) w_o = Σ v_tk over the pieces with o(t,k) = o, of which no two read the same neuron. (2) Let circuit
    t, the pair of slots (i, j), be active in a lane. Of the neurons that circuits write to, at most those of slot j
    are on in this lane, one for each coordinate, and each has exactly one piece whose gate is 1: that of t. In a
    lane without a circuit none is on. (3) By induction the input of a layer is that of the network without masks:
    in the lane it is 0 outside slot i. If neuron o of slot j is on, its mask and that of t's piece are 1; every
    other piece of its row reads a slot that is 0. If it is off, shared weights tell it nothing, and w_o·A = v_tk·A
    ≤ 0; times a mask that is at least 0 it stays so, and the ReLU leaves 0. A neuron of another slot j' hears w_o·A
    = v_uk·A of the circuit u = (i, j') alone, at most C, and loses at least C by the gates; times a mask in [0, 1]
    it stays at most 0. (4) Σ_t μ_tk v_tk = ν_o Σ_t v_tk = ν_o w_o. Conversely A is 0 outside slot i, so that of row
    o only t's piece hears anything: with equal masks both cuts tell slot j the same, and the others are silent as
    in (3). ∎

    For z ≥ 2 a piece stands in each lane, and only the one in the lane of its circuit is on; nothing else changes.

    Args:
        masks: of neurons, as `superpos.beds.cuts.neurons` has them, by the path of the matrix.

    Returns:
        Masks of pieces, as `superpos.beds.cuts.circuits` has them.
    """
    found = {}
    for part in bed.matrices:
        used = part.own_weights.abs().sum(dim=1) > 0
        whole = masks[part.path].new_zeros(len(masks[part.path]), len(used))
        whole[:, used] = masks[part.path]
        writes = part.U.transpose(0, 1).flatten(1)
        found[part.path] = whole @ (writes != 0).to(whole)
    return found


def shares(bed: Bed, path: str) -> Float[Tensor, "T r"]:
    """The norm of each circuit's piece over that of the row of the neuron to which it writes; NaN for none.

    **Proposition (the weight).** If c circuits have weights into a neuron of an exact bed, the mean square of their
    shares is 1/c exactly. So if all rows of circuits have the same norm, a penalty Σ_c g_c |U_c||V_c| makes neurons
    √c times as dear as circuits, with the same error and L0. If norms differ, and each of the c is as often at
    work, the factor is √c times the root mean square of their norms over the mean: at least √c.

    *Proof.* The pieces v_tk of a row w_o read different neurons, so that |w_o|² = Σ|v_tk|². The mean of
    |v_tk|²/|w_o|² over c of them is 1/c. With each at work equally often the row costs |w_o| = √c · rms|v_tk|, the
    pieces cost mean|v_tk|, which is at most the root mean square. ∎

    Slot j of a lane is the end of the circuits (i, j), i = 0 … n − 1, in odd layers of the circuits, and slot i in
    even ones: c is n if T = n². With T < n² circuits, numbered i n + j, the last ones are missing: c is ⌈(T − j)/n⌉
    for slot j, and min(n, T − i n) for slot i.
    """
    part = next(part for part in bed.parts if part.path == path)
    rows = part.own_weights.norm(dim=1)
    own, writes = part.V.norm(dim=1), part.U.abs().argmax(dim=1)
    return torch.where(own > 0, own / rows[writes], torch.nan)


def seen(bed: Bed, samples: Samples) -> Cut:
    """The true circuits, each piece with the gate that it can have if all that its gate knows is V·A: on if V·A > 0.

    **Proposition (what V·A cannot say).** Let circuits i n + j, j = 0 … c − 1, start at slot i of an exact bed with
    z = 1, all with inputs of one distribution. A piece of circuit t = (i, j) in the first matrix reads slot i
    alone, and V·A has the same distribution whichever of the c is active. So a gate γ(V·A) is on as often for each
    of the c - 1 others as for t, whatever γ is, while the true gate is on for t alone. (1) If no error is allowed,
    γ is 1 almost wherever V·A > 0, and L0 of the matrix is c times that of the true gates, which is what this cut
    has. (2) If it is, the best gate for the squared error of the neuron itself at a penalty β is γ(v) = max(0, 1 −
    β c/(2 v²)): as if the penalty were c times as large. What is saved of L0 is paid for with outputs.

    *Proof.* Under the condition that one of the c is active, which one is independent of V·A = v, with chance 1/c
    each. (1) For t a gate below 1 makes the neuron γ v < v. (2) The expected cost at v is (1 − γ)² v²/c + β γ,
    convex in γ, with the stated minimum in [0, 1]. ∎

    In later layers what a slot holds is the state of one circuit, whose values are its own. There the same holds at
    every value of V·A that several circuits can leave on the slot.
    """
    cut, gates = circuits(bed, samples), {}
    for part, A in zip(bed.parts, bed.states(samples.inputs.double()), strict=False):
        if part.own:
            gates[part.path] = (A @ cut.V[part.path] > 0).double()
    return replace(cut, gates=gates)
