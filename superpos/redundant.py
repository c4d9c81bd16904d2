"""The redundant construction (Linsefors & Bushnaq, June 2025): S copies of every neuron, at slots that a code gives."""

from jaxtyping import Float, Int64
from torch import Tensor

from superpos import assumptions, blocks, codes
from superpos.circuits import MLPCircuits
from superpos.codes import Code

__all__ = ["embed"]


def embed(
    circuits: MLPCircuits, D: int, S: int, *, seed: int, code: str | Code = "progression", ideal: bool = False
) -> blocks.BlockNetwork:
    """One MLP of width D that carries T MLP circuits without biases, A ← ReLU(W A), with S copies of every neuron.

    With e_t^l ∈ {0,1}^n the slots of circuit t in layer l, n = D/d,

        W^l = (1/S) Σ_t w_t^l ⊗ |e_t^l⟩⟨e_t^{l−1}|,    A^0 = Σ_t w_t^1 a_t ⊗ e_t^1,  W^1 the identity,

    and the read-out is (1/S)⟨e_t^l|A^l⟩. Chapter 9.

    Args:
        circuits: MLP circuits without biases, whose weights have no mean in common, and whose inactive members do
            not amplify noise.
        D: width of the large network, a multiple of d.
        S: slots of each circuit.
        seed: of the circuits' permutation in each layer, and of a random code.
        code: a family of `superpos.codes` by name, or a code.
        ideal: silence in every run the slots that no active circuit uses.

    Raises:
        TypeError: if circuits is not MLPCircuits.
        ValueError: if the circuits break an assumption, or D, S and the code do not hold them; see `superpos.blocks`.

    Source: Linsefors & Bushnaq (June 2025).
    """
    assumptions.check_no_bias(circuits)
    assumptions.check_uncorrelated(circuits)
    assumptions.check_robust(circuits)
    slots = codes.place(circuits.T, circuits.d, circuits.L, D, S, seed=seed, code=code).to(circuits.stack.device)
    w, n = circuits.weights, D // circuits.d
    weights = [matrix(w[l], slots[l], slots[l - 1], n) for l in range(1, circuits.L)]
    return blocks.network(circuits, weights, slots, n, ideal=ideal)


def matrix(
    w: Float[Tensor, "T d d"], to: Int64[Tensor, "T S"], source: Int64[Tensor, "T S"], n: int
) -> Float[Tensor, "D D"]:
    """W^l of `embed`, of circuits with the slots `to` in layer l and `source` in the layer before."""
    return blocks.superpose(w / to.shape[1], to, source, n)
