"""Attribution-based parameter decomposition (APD). Chapter 17."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from superpos.apart.decomposition import Decomposition
from superpos.apart.descent import Descent, Terms, Watch
from superpos.apart.spd import BANK, stake
from superpos.apart.target import Matrix, Target, states
from superpos.beds import Bed
from superpos.checks import check_count, check_number, check_positive
from superpos.sampling import generator

__all__ = ["Apd", "Options", "apd", "decompositions", "train"]

_TINY = 1e-16  # under the root of a length: the slope of a power below 1 is infinite at 0


@dataclass(frozen=True)
class Options:
    """What APD is told. Chapter 17.

    Attributes:
        components: C, each of which has a part in every matrix.
        active: k, how many of them a sample has on average: the k·B of the largest attributions in a batch are kept.
        rank: m, of a component in each matrix.
        alpha: α, the weight of the error that is left with the active components alone.
        beta: β, the price of their singular values.
        p: the power of these.
        steps, batch, rate: of Adam; the rate falls to 0 as a cosine.
        warm: steps before these, of faithfulness alone.
    """

    components: int
    active: float
    rank: int = 1
    alpha: float = 1.0
    beta: float = 0.1
    p: float = 0.9
    steps: int = 4000
    batch: int = 256
    rate: float = 5e-3
    warm: int = 0

    def __post_init__(self) -> None:
        for name in ("components", "rank", "steps", "batch"):
            check_count(name, getattr(self, name))
        for name in ("active", "alpha", "beta", "p", "rate"):
            check_positive(name, getattr(self, name))
        check_number("warm", self.warm, at_least=0.0)
        if self.active > self.components:
            raise ValueError(f"active is {self.active}; it must be at most components = {self.components}")


class Apd(nn.Module):
    """Components P_c, each a matrix U_c V_cᵀ of rank m beside every matrix of the target, for R seeds. Chapter 17.

    Attributes:
        V, U: the factors, by matrix: (R, in, C·m) and (R, C·m, out), the m pieces of a component in a row.
        done: how many steps were made.
    """

    def __init__(self, target: Target, options: Options, seeds: Sequence[int]) -> None:
        super().__init__()
        self.target, self.options, self.seeds, self.done = target, options, tuple(seeds), 0
        self.V, self.U = nn.ParameterList(), nn.ParameterList()
        pieces = options.components * options.rank
        for k, own in enumerate(_own(m) for m in target.apart):
            out, width = own.shape
            size = (own.norm().item() / math.sqrt(pieces)) ** 0.5
            self.V.append(self._drawn(f"APD V {k}", (width, pieces), size / width**0.5))
            self.U.append(self._drawn(f"APD U {k}", (pieces, out), size / out**0.5))

    def attributions(self, A: Sequence[Float[Tensor, "B _"]]) -> Float[Tensor, "R B C"]:
        """How much each component moves the outputs that count, to first order: Σ_o (Σ_l ⟨∂y_o/∂W_l, P_cl⟩)².

        Args:
            A: the input of each matrix of the target, and its output.
        """
        J = A[0].new_ones(len(A[0]), 1, 1) * torch.eye(len(self.target.counted)).to(A[0])[self.target.counted]
        moved, index = 0.0, len(self.V)
        for m, a, after in zip(reversed(self.target.matrices), reversed(A[:-1]), reversed(A[1:]), strict=True):
            if m.relu:
                J = J * (after > 0)[:, None]
            if m.own is not None:
                index -= 1
                u = J.flatten(0, 1) @ self.U[index].mT
                pieces = u.unflatten(1, J.shape[:2]) * (a @ self.V[index])[:, :, None]
                moved = moved + pieces.unflatten(3, (self.options.components, -1)).sum(dim=4)
            J = J @ m.W
        assert isinstance(moved, Tensor)
        return moved.square().sum(dim=2)

    def active(self, A: Sequence[Float[Tensor, "B _"]]) -> Bool[Tensor, "R B C"]:
        """Which components are kept: those with the k·B largest attributions of the batch."""
        with torch.no_grad():
            found = self.attributions(A).flatten(1)
        kept = torch.zeros_like(found, dtype=torch.bool)
        count = min(round(self.options.active * len(A[0])), found.shape[1])
        return kept.scatter_(1, found.topk(count, dim=1).indices, True).unflatten(1, (len(A[0]), -1))

    def outputs(self, a: Float[Tensor, "B in"], on: Float[Tensor, "R B C"]) -> Float[Tensor, "R B out"]:
        """The target's output with each component in all matrices times its mask."""
        mask, index = on.repeat_interleave(self.options.rank, dim=2), 0
        for m in self.target.matrices:
            if m.own is None:
                pre = a @ m.W.mT + m.b
            else:
                pre = ((a @ self.V[index]) * mask) @ self.U[index] + (a @ m.kept.mT + m.b)
                index += 1
            a = pre.relu() if m.relu else pre
        return a

    def faithfulness(self) -> Float[Tensor, " R"]:
        """Σ |W − Σ_c P_c|²/|W|² over the matrices."""
        off = [
            (_own(m) - (V @ U).mT).square().sum(dim=(1, 2)) / _own(m).square().sum()
            for m, V, U in zip(self.target.apart, self.V, self.U, strict=True)
        ]
        return torch.stack(off).sum(dim=0)

    def size(self) -> Float[Tensor, "R C"]:
        """Σ (|U||V|/unit)^p over the pieces of a component: at least the p-th power of its Schatten norms."""
        found = []
        for m, V, U in zip(self.target.apart, self.V, self.U, strict=True):
            unit = _own(m).square().sum() / min(_own(m).shape)
            squares = V.square().sum(dim=1) * U.square().sum(dim=2) / unit
            powers = (squares + _TINY) ** (self.options.p / 2)
            found.append(powers.unflatten(1, (self.options.components, -1)).sum(dim=2))
        return torch.stack(found).sum(dim=0)

    def _drawn(self, purpose: str, shape: tuple[int, ...], scale: float) -> nn.Parameter:
        rows = [torch.randn(shape, generator=generator(seed, purpose)) * scale for seed in self.seeds]
        return nn.Parameter(torch.stack(rows).to(self.target.counted.device))


def apd(target: Target, options: Options, seeds: Sequence[int], watch: Watch | None = None) -> Apd:
    """Components by attribution-based parameter decomposition, for several seeds side by side. Chapter 17.

    It minimises, over batches of samples in which the components with the largest attributions are kept,

        Σ |W − Σ_c P_c|²/|W|²                     faithfulness: components add up to the weights
        + α |y(those that are kept) − y|²/|y₀ − y|²  minimality: these few suffice
        + β Σ_(c kept) Σ (|U_c||V_c|/unit)^p      simplicity: they have small rank, in few matrices

    y₀ being what is left of the outputs without any of the components, and unit |W|/√(rank).

    Args:
        target: the network.
        options: how it is done.
        seeds: of first weights and of batches (these by the first seed); one decomposition for each.
        watch: is told the step and the terms, every 100 steps; if it returns True the training ends there, as it does
            when it is interrupted from the keyboard.

    Source: Braun et al. (2025).
    """
    return train(Apd(target, options, seeds), watch)


def train(model: Apd, watch: Watch | None = None) -> Apd:
    """The same from components that are given: those that the model has."""
    o, target = model.options, model.target
    bank = states(target, target.draw(BANK, model.seeds[0] + (1 << 30)))
    at_stake, order = stake(target, bank), generator(model.seeds[0], "batches")

    def terms(step: int) -> Terms:
        found = {"faithfulness": model.faithfulness()}
        if step < 0:
            return found
        chosen = torch.randint(BANK, (o.batch,), generator=order).to(at_stake.device)
        A = [x[chosen] for x in bank]
        on = model.active(A).to(A[0])
        off = (model.outputs(A[0], on) - A[-1])[..., target.counted].square().mean(dim=(1, 2)) / at_stake
        return found | {"minimality": off, "simplicity": (on.mean(dim=1) * model.size()).sum(dim=1)}

    descent = Descent([*model.V, *model.U], steps=o.steps, warm=o.warm, rate=o.rate)
    descent.run(terms, lambda _: {"minimality": o.alpha, "simplicity": o.beta}, watch)
    model.done = descent.done
    return model.requires_grad_(False)


def decompositions(model: Apd, bed: Bed, *, method: str, **more: object) -> list[Decomposition]:
    """What was found, as decompositions of the bed: one for each seed. Chapter 17.

    The pieces of a component are its group, in all matrices, so that no labels are needed; its gate is whether it is
    kept of the held-out samples.

    Args:
        model: trained on the target of this bed, or of its control.
        method: the name that it is given.
        more: for `about`.
    """
    o, paths = model.options, [m.path for m in model.target.apart]
    on = model.active(states(model.target, bed.held.start.float()))
    pieces = torch.arange(o.components).repeat_interleave(o.rank)
    found = []
    for r, seed in enumerate(model.seeds):
        V, U = ([x[r].detach().cpu() for x in factors] for factors in (model.V, model.U))
        gates = on[r].float().cpu()[:, pieces]
        named = (dict(zip(paths, x, strict=True)) for x in (V, [u.mT for u in U], [pieces] * len(V), [gates] * len(V)))
        about = {**bed.held.says, "method": method, "steps": model.done, "seed": seed, "labels": False, **more}
        found.append(Decomposition(*named, about={**about, "machinery": "kept"}))
    return found


def _own(m: Matrix) -> Tensor:
    assert m.own is not None
    return m.own
