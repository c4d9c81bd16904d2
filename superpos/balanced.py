"""The balanced construction (Linsefors & Bushnaq, "Rotations in Superposition", December 2025). Chapter 10."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos import assumptions, blocks, codes
from superpos.checks import check_number
from superpos.circuits import MLPCircuits
from superpos.codes import Code

__all__ = ["balance", "embed", "links"]

_ROWS = 256  # of the table of links turned into numbers at once


def embed(
    circuits: MLPCircuits,
    D: int,
    S: int,
    *,
    seed: int,
    code: str | Code = "progression",
    split: bool = True,
    cap: bool = True,
    chi: float | None = None,
    ideal: bool = False,
) -> blocks.BlockNetwork:
    """One MLP of width D that carries T MLP circuits with a common bias, A ← ReLU(W A + b ⊗ 1), and reads no mean.

    Real circuits have weights with a mean in common: w_t = w̄ + Δw_t. With e_t^l ∈ {0,1}^n the slots of circuit t,

        W^l = w̄^l ⊗ 𝒲^l + (1/S) Σ_t Δw_t^l ⊗ |e_t^l⟩⟨e_t^{l−1}|,

    𝒲_ij = 1/S where at least one circuit links slot j to slot i, −χ elsewhere, and χ such that a circuit reads
    nothing of the others' mean: E_{t≠u}⟨e_t^l|𝒲^l|e_u^{l−1}⟩ = 0 over all pairs. A^0 and the read-out are as in
    `superpos.redundant`. Circuits whose biases differ are rescaled to a common bias where their signs allow it, and
    read in their own units. Chapter 10.

    Args:
        circuits: MLP circuits that answer 0 to 0 and do not amplify noise.
        D: width of the large network, a multiple of d.
        S: slots of each circuit.
        seed: of the circuits' permutation in each layer, and of a random code.
        code: a family of `superpos.codes` by name, or a code.
        split: False leaves the mean with the circuits: (1/S) Σ_t w_t ⊗ |e_t⟩⟨e_t|, without 𝒲.
        cap: False counts in 𝒲 how many circuits link two slots: 1/S for each of them.
        chi: χ of all layers instead of the balanced one; 0 leaves unlinked slots alone.
        ideal: silence in every run the slots that no active circuit uses.

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: if the circuits break an assumption, or D, S and the code do not hold them; see `superpos.blocks`.

    Source: Linsefors & Bushnaq (December 2025).
    """
    if chi is not None:
        check_number("chi", chi)
    circuits, unit = assumptions.with_common_bias(circuits)
    assumptions.check_robust(circuits)
    slots = codes.place(circuits.T, circuits.d, circuits.L, D, S, seed=seed, code=code).to(circuits.stack.device)
    n = D // circuits.d
    weights = [
        matrix(circuits.weights[l], slots[l], slots[l - 1], n, split=split, cap=cap, chi=chi)
        for l in range(1, circuits.L)
    ]
    return blocks.network(circuits, weights, slots, n, unit=unit, ideal=ideal, centred=split)


def matrix(
    w: Float[Tensor, "T d d"],
    to: Int64[Tensor, "T S"],
    source: Int64[Tensor, "T S"],
    n: int,
    *,
    split: bool = True,
    cap: bool = True,
    chi: float | None = None,
) -> Float[Tensor, "D D"]:
    """W^l of `embed`, of circuits with the slots `to` in layer l and `source` in the layer before."""
    S = to.shape[1]
    if not split:
        return blocks.superpose(w / S, to, source, n)
    mean = w.mean(dim=0)
    own, linked = ((w - mean) / S, mean / S) if cap else (w / S, None)
    background = -(balance(to, source, n, cap=cap) if chi is None else chi) * mean
    return blocks.superpose(own, to, source, n, linked=linked, unlinked=background)


def links(to: Int64[Tensor, "T S"], source: Int64[Tensor, "T S"], n: int) -> Bool[Tensor, "n n"]:
    """The pairs of slots that a circuit links: True at (i, j) if one has i in `to` and j in `source`. Chapter 10."""
    linked = torch.zeros(n * n, dtype=torch.bool, device=to.device)
    linked[(to[:, :, None] * n + source[:, None, :]).flatten()] = True
    return linked.view(n, n)


def balance(to: Int64[Tensor, "T S"], source: Int64[Tensor, "T S"], n: int, *, cap: bool = True) -> float:
    """The balancing weight χ, for which E_{t≠u}⟨e_t|𝒲|e_u⟩ = 0: a circuit reads nothing of the others' mean.

    It is 0 for a single circuit, which reads no other. With c and c' how many circuits use each slot, K = Σ_t
    |e_t⟩⟨e_t'| how many link two, P where K > 0: over all ordered pairs (t, u) the linked weights add up to cᵀPc'/S, of
    which T·S are a circuit's own, and T²S² − cᵀPc' pairs of slots are unlinked. Without the cap K stands in P's place
    in the first. Chapter 10.

    Raises:
        ValueError: if every pair of slots in use is linked, so that there is no place for a balancing weight.
    """
    T, S = to.shape
    if T == 1:
        return 0.0
    table = links(to, source, n)
    linked = _heard(table, to, source)
    unlinked = T**2 * S**2 - linked
    if unlinked == 0:
        raise ValueError(
            f"S is {S}: with T = {T} circuits on n = {n} slots every pair of slots is linked, and no χ balances them; "
            "take a smaller S or a larger D, or give chi = 0"
        )
    excess = linked - T * S * S
    if not cap:
        pairs = to[:, :, None] * n + source[:, None, :]
        counted = torch.bincount(pairs.flatten(), minlength=n * n)
        excess = _heard(counted.view(n, n), to, source) - int(counted[pairs].sum())
    return excess / (S * unlinked)


def _heard(table: Tensor, to: Int64[Tensor, "T S"], source: Int64[Tensor, "T S"]) -> float:
    """cᵀ table c', c and c' how many circuits use each slot."""
    c, other = (torch.bincount(x.flatten(), minlength=len(table)) for x in (to, source))
    heard = torch.cat([rows.to(torch.float32) @ other.float() for rows in table.split(_ROWS)])
    return (c * heard.double()).sum().item()
