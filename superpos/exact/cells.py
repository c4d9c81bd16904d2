"""The layers of the circuits themselves, in every lane. Chapter 12."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superpos.exact.gates import Gate, wrong
from superpos.exact.layout import Layout, Parts
from superpos.exact.sizes import Stage

_SOME = 1 << 15  # numbers that stay in the cache


class Cell(Gate):
    """cells: W (x, 1) − C (wrong wires of the target), in every lane: from slot i of its circuit to slot j, or back.

        A_j ← ReLU(Σ_i w_ji x_i + Σ_i b_ji 1_i − C · (wires of the target that are not slot j's))

    The block from i to j is [[w_t, b_t], [0, 1]] of the circuit with the pair (i, j), and of no other. C exceeds what a
    slot without a circuit can hear, so that it stays silent; to the slot that has one, exact zeros are added. The last
    layer has no C and no ReLU where the circuits have none: silent slots are not read.

    Args:
        weights, biases: w_t^l and b_t^l of the circuit with the pair (i, j), at [i, j]; all lanes, and all passes,
            share them.
        back: whether the layer goes from j to i.
        C: or None, as long as no bound on the activations is known.
        shift: what the states of the input were raised by, to be positive; here it is taken off.
        lift: what the states that it leaves are raised by, where they have to wait for another pass.
        relu: whether it has a ReLU, and so gates: all but the last have it, and the last where the circuits do.
        computes: whether it is one of the L layers after which the network can be read.
    """

    def __init__(
        self,
        reads: Layout,
        stage: Stage,
        own: Float[Tensor, "n wires"],
        weights: nn.Parameter,
        biases: nn.Parameter,
        *,
        back: bool,
        C: float | None,
        shift: float,
        lift: float,
        relu: bool,
        computes: bool,
    ) -> None:
        super().__init__(reads, stage, len(own), own)
        self.weights, self.biases, self.back, self.C = weights, biases, back, C
        self.shift, self.lift, self.relu, self.computes = shift, lift, relu, computes

    def linear(self, a: Parts) -> Parts:
        pre, one = self._told(a, self.weights, self.biases), a["slot"][..., self.weights.shape[-1] :]
        if one.shape[-1]:
            total = one.sum(dim=2, keepdim=True).expand_as(one)
            pre = torch.cat([pre + self.lift * total if self.lift else pre, total], dim=-1)
        if self.relu:
            if self.C is None:
                raise ValueError("bound is None; a layer needs it for its gates: give superpos.exact.embed a bound")
            pre -= (self.C * wrong(a["wire i" if self.back else "wire j"], self.own))[..., None]
        return {**a, "slot": pre}

    def masked(self, A: Float[Tensor, "B D"], mask: Float[Tensor, "B n n"]) -> Float[Tensor, "B D1"]:
        """What the layer leaves with mask_ij (w_t, b_t) of the circuit with the pair (i, j), for each sample."""
        a, missing = self.reads.split(A), 1 - mask[..., None]
        whole = self.linear(a)
        lost = self._told(a, missing[..., None] * self.weights, missing * self.biases)
        lost = nn.functional.pad(lost, (0, whole["slot"].shape[-1] - lost.shape[-1]))
        pre = self.leaves.join({**whole, "slot": whole["slot"] - lost}) + self.b
        return pre.relu() if self.relu else pre

    def _told(
        self, a: Parts, weights: Float[Tensor, "*B n n d d"], biases: Float[Tensor, "*B n n d"]
    ) -> Float[Tensor, "B R n d"]:
        """What every slot is told by all others, with weights for the whole batch or for each sample."""
        d, pair = weights.shape[-1], "b" * (weights.dim() - 4) + ("nm" if self.back else "mn")
        state, one = a["slot"][..., :d], a["slot"][..., d:]
        if self.shift:
            state = state - self.shift * one
        told = torch.einsum(f"{pair}od,brmd->brno", weights, state)
        if one.shape[-1]:
            told += torch.einsum(f"{pair}o,brm->brno", biases, one[..., 0])
        return told


def heard(weights: Float[Tensor, "*T d d"], biases: Float[Tensor, "*T d"], bound: float) -> float:
    """The most that a slot can hear of a circuit that is elsewhere: β max‖w‖_∞ + max|b|."""
    # Some circuits at a time: a copy of all weights would be new memory, and take longer than all the rest.
    d = weights.shape[-1]
    ones = torch.ones(d, dtype=weights.dtype, device=weights.device)
    some = weights.flatten(0, -3).split(max(1, _SOME // d**2))
    norm = torch.stack([(rows.abs().flatten(0, 1) @ ones).max() for rows in some]).max().item()
    return bound * norm + max(abs(end.item()) for end in biases.aminmax())
