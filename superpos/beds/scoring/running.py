"""A bed whose matrices are replaced by components times masks: what it puts out, and at worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.beds.scoring.decomposition import Decomposition
from superpos.beds.scoring.held import Held
from superpos.beds.scoring.values import Score, off
from superpos.sampling import generator

STEP = 0.1
Masks = Mapping[str, Float[Tensor, "B C"]]


@dataclass(frozen=True, eq=False)
class Replaced:
    """A bed with W a = (kept) a + Σ_c m_c U_c V_cᵀ a in every matrix that is taken apart, in one number format.

    Attributes:
        start: what the first matrix reads.
        layers: for every matrix its name, what is kept, biases, whether a ReLU follows.
        V, U: of the components.
        counted: which outputs count.
    """

    start: Float[Tensor, "B in"]
    layers: tuple[tuple[str, Tensor, Tensor, bool], ...]
    V: Mapping[str, Tensor]
    U: Mapping[str, Tensor]
    counted: Tensor

    def outputs(self, masks: Masks) -> Float[Tensor, "B counted"]:
        """What it puts out where it counts, with these masks."""
        A = self.start
        for path, kept, b, relu in self.layers:
            pre = torch.addmm(b, A, kept.mT)
            if path in self.V:
                pre = torch.addmm(pre, (A @ self.V[path]) * masks[path], self.U[path].mT)
            A = pre.relu() if relu else pre
        return A[:, self.counted]


def replaced(held: Held, d: Decomposition, dtype: torch.dtype) -> Replaced:
    """The bed with the components of a decomposition in the place of its matrices."""
    apart = d.machinery == "decomposed"
    layers = tuple(
        (p.path, (torch.zeros_like(p.kept) if apart and p.own else p.kept).to(dtype), p.b.to(dtype), p.relu)
        for p in held.parts
    )
    V, U = ({path: x.to(dtype) for path, x in factors.items()} for factors in (d.V, d.U))
    return Replaced(held.start.to(dtype), layers, V, U, held.counted)


def adversarial(held: Held, d: Decomposition, ladder: Sequence[int]) -> dict[int, Score]:
    """The reconstruction error under the worst masks found, after each number of steps in the ladder. Chapter 16.

    A mask is m_c = g_c + (1 − g_c) s_c with one s_c ∈ [0, 1] for the whole batch: what is not needed may be left in or
    out. s is drawn uniformly and climbs the error, s ← cut(s + .1 sign ∂E/∂s) to [0, 1], in float32.
    """
    chain, truth = replaced(held, d, torch.float32), held.outputs.float()
    gates, g = {path: x.float() for path, x in d.gates.items()}, generator(0, "adversarial")
    s = {path: torch.rand(x.shape[1], generator=g, dtype=torch.float32) for path, x in gates.items()}
    found = {}
    for step in range(max(ladder) + 1):
        leaves = [x.requires_grad_() for x in s.values()]
        made = chain.outputs({path: x.lerp(torch.ones(()), s[path]) for path, x in gates.items()})
        if step in ladder:
            found[step] = off(made.detach(), truth)
        slopes = torch.autograd.grad((made - truth).square().sum(), leaves)
        s = {
            path: (x.detach() + STEP * dx.sign()).clamp(0.0, 1.0)
            for (path, x), dx in zip(s.items(), slopes, strict=True)
        }
    return found
