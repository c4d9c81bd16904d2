"""Stochastic parameter decomposition (SPD), as published and with two changes. Chapter 17."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, leaky_relu

from superpos.apart.decomposition import Decomposition
from superpos.apart.descent import Descent, Terms, Watch
from superpos.apart.grouping import by_labels, together
from superpos.apart.target import Target, states
from superpos.beds import Bed
from superpos.checks import check_count, check_number, check_positive
from superpos.sampling import generator

__all__ = ["Options", "Spd", "decompositions", "spd", "train"]

_LEAK = 0.01  # slope of gates beyond [0, 1] in training, so that a gate that is shut can open again
BANK = 1 << 15  # samples drawn once, from which the batches are taken
MANY = 4096  # samples on which it is seen which gates open together
_OPEN = 0.5  # where gates start


@dataclass(frozen=True)
class Options:
    """What SPD is told. The defaults are the method as published. Chapter 17.

    Attributes:
        components: C, in each matrix.
        gates: what the gate of a component reads: "component", the number V_c·a; or "input", all of the matrix's
            input a, by one network with a hidden layer for all gates of a matrix.
        q: the power of |U_c||V_c| by which a gate is weighted in the penalty, in units of |W|/√(rank): 0, not at all.
        beta: β, the price of a gate.
        fade: the price at the end, as a share of β: over the second half of the steps it falls to this.
        p: the power of a gate in the penalty.
        masks: drawn uniformly from [g, 1], or one of its ends: "uniform" or "ends".
        steps, batch, rate: of Adam; the rate falls to 0 as a cosine.
        warm: steps before these, of faithfulness alone.
        width: of the hidden layer of gates.
    """

    components: int
    gates: Literal["component", "input"] = "component"
    q: float = 0.0
    beta: float = 1e-3
    fade: float = 1.0
    p: float = 1.0
    masks: Literal["uniform", "ends"] = "uniform"
    steps: int = 4000
    batch: int = 256
    rate: float = 5e-3
    warm: int = 300
    width: int = 8

    def __post_init__(self) -> None:
        for name in ("components", "steps", "batch", "width"):
            check_count(name, getattr(self, name))
        for name in ("beta", "fade", "p", "rate"):
            check_positive(name, getattr(self, name))
        check_number("q", self.q, at_least=0.0)
        check_number("warm", self.warm, at_least=0.0)
        for name, allowed in (("gates", ("component", "input")), ("masks", ("uniform", "ends"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {' or '.join(map(repr, allowed))}")


class Spd(nn.Module):
    """Rank-one components U_c V_cᵀ of every matrix, and their gates, for R seeds side by side. Chapter 17.

    Attributes:
        V, U: the factors, by matrix: (R, in, C) and (R, C, out).
        done: how many steps were made.
    """

    def __init__(self, target: Target, options: Options, seeds: Sequence[int]) -> None:
        super().__init__()
        self.target, self.options, self.seeds, self.done = target, options, tuple(seeds), 0
        self.V, self.U, self.first, self.offset, self.last, self.base = (nn.ParameterList() for _ in range(6))
        C, h, R = options.components, options.width, len(self.seeds)
        for k, m in enumerate(target.apart):
            assert m.own is not None
            out, width = m.own.shape
            size = (m.own.norm().item() / math.sqrt(C)) ** 0.5
            self.V.append(self._drawn(f"V {k}", (width, C), size / width**0.5))
            self.U.append(self._drawn(f"U {k}", (C, out), size / out**0.5))
            if options.gates == "component":
                self.first.append(self._drawn(f"first {k}", (C, 1, h), 1.0))
                self.last.append(self._drawn(f"last {k}", (C, h, 1), h**-0.5))
                self.offset.append(nn.Parameter(m.own.new_zeros(R, C, 1, h)))
            else:
                self.first.append(self._drawn(f"first {k}", (width, h), width**-0.5))
                self.last.append(self._drawn(f"last {k}", (h, C), h**-0.5))
                self.offset.append(nn.Parameter(m.own.new_zeros(R, 1, h)))
            self.base.append(nn.Parameter(m.own.new_full((R, 1, C), _OPEN)))

    def logits(self, k: int, a: Float[Tensor, "B in"]) -> Float[Tensor, "R B C"]:
        """The gates of matrix k before they are cut to [0, 1]."""
        if self.options.gates == "component":
            h = gelu((a @ self.V[k]).mT[..., None] * self.first[k] + self.offset[k])
            R, C, B, _ = h.shape
            made = torch.bmm(h.flatten(0, 1), self.last[k].flatten(0, 1)).view(R, C, B).mT
        else:
            h = gelu(torch.baddbmm(self.offset[k], a.expand(len(self.seeds), *a.shape), self.first[k]))
            made = torch.bmm(h, self.last[k])
        return made + self.base[k]

    def gates(self, k: int, a: Float[Tensor, "B in"]) -> Float[Tensor, "R B C"]:
        """The gates of matrix k, in [0, 1], for its input a."""
        return self.logits(k, a).clamp(0, 1)

    def outputs(self, a: Tensor, masks: dict[int, Float[Tensor, "R B C"]], start: int) -> Float[Tensor, "R B out"]:
        """The target's output from the input of its matrix `start`, with masked components in some of its matrices."""
        index = sum(m.own is not None for m in self.target.matrices[:start])
        for m in self.target.matrices[start:]:
            if m.own is not None and index in masks:
                pre = ((a @ self.V[index]) * masks[index]) @ self.U[index] + (a @ m.kept.mT + m.b)
            else:
                pre = a @ m.W.mT + m.b
            index += m.own is not None
            a = pre.relu() if m.relu else pre
        return a

    def faithfulness(self) -> Float[Tensor, " R"]:
        """Σ |W − Σ_c U_c V_cᵀ|²/|W|² over the matrices."""
        own = [m.own for m in self.target.apart if m.own is not None]
        off = [
            (W - (V @ U).mT).square().sum(dim=(1, 2)) / W.square().sum()
            for W, V, U in zip(own, self.V, self.U, strict=True)
        ]
        return torch.stack(off).sum(dim=0)

    def _drawn(self, purpose: str, shape: tuple[int, ...], scale: float) -> nn.Parameter:
        rows = [torch.randn(shape, generator=generator(seed, purpose)) * scale for seed in self.seeds]
        return nn.Parameter(torch.stack(rows).to(self.target.counted.device))


def spd(target: Target, options: Options, seeds: Sequence[int], watch: Watch | None = None) -> Spd:
    """Components and gates by stochastic parameter decomposition, for several seeds side by side. Chapter 17.

    It minimises, with g the gates, cut to [0, 1], and masks drawn from [g, 1],

        Σ |W − Σ_c U_c V_cᵀ|²/|W|²                          faithfulness: components add up to the weights
        + |y(masks) − y|²/|y₀ − y|² + one matrix at a time  what is shut is not needed, however far it is shut
        + β Σ_c g_c^p (|U_c||V_c|/unit)^q                    little is open,

    y₀ being what is left of the outputs without any of the components.

    Args:
        target: the network.
        options: how it is done.
        seeds: of first weights, of masks and of batches (these by the first seed); one decomposition for each.
        watch: is told the step and the terms, every 100 steps; if it returns True the training ends there, as it does
            when it is interrupted from the keyboard.

    Source: Bushnaq, Braun & Sharkey (2025); gates that read the whole input are an option of the authors' later code.
    The weighted penalty, masks at the ends and a price that falls are ours.
    """
    return train(Spd(target, options, seeds), watch)


def train(model: Spd, watch: Watch | None = None, *, components: bool = True) -> Spd:
    """The same from components that are given: those that the model has.

    Args:
        model: where it starts, as `superpos.apart.starts.started` makes it.
        watch: as of `spd`.
        components: whether they are trained too, or gates alone.
    """
    o, target = model.options, model.target
    bank = states(target, target.draw(BANK, model.seeds[0] + (1 << 30)))
    at_stake = stake(target, bank)
    order = generator(model.seeds[0], "batches")
    draws = [generator(seed, "masks") for seed in model.seeds]

    def terms(step: int) -> Terms:
        found = {"faithfulness": model.faithfulness()}
        if step < 0:
            return found
        chosen = torch.randint(BANK, (o.batch,), generator=order)
        return found | _terms(model, [x[chosen.to(x.device)] for x in bank], draws, at_stake)

    gates = [*model.first, *model.offset, *model.last, *model.base]
    learnt = [*model.V, *model.U, *gates] if components else gates
    for x in learnt:
        x.requires_grad_()
    descent = Descent(learnt, steps=o.steps, warm=o.warm if components else 0, rate=o.rate)
    descent.run(terms, lambda now: {"penalty": o.beta * o.fade ** max(0.0, 2 * now - 1)}, watch)
    model.done = descent.done
    return model.requires_grad_(False)


def stake(target: Target, states: list[Tensor]) -> Tensor:
    """The squared error of the outputs that count if all that is to be taken apart is left out: |y − y₀|²."""
    first = next(k for k, m in enumerate(target.matrices) if m.own is not None)
    a = states[first]
    for m in target.matrices[first:]:
        pre = a @ m.kept.mT + m.b
        a = pre.relu() if m.relu else pre
    return (a - states[-1])[:, target.counted].square().mean()


def _terms(
    model: Spd, A: list[Tensor], draws: list[torch.Generator], at_stake: Tensor
) -> dict[str, Float[Tensor, " R"]]:
    """The terms of the loss on a batch, without faithfulness."""
    o, target, masks, penalty = model.options, model.target, {}, []
    places = [k for k, m in enumerate(target.matrices) if m.own is not None]
    for i, k in enumerate(places):
        logits = model.logits(i, A[k])
        low, high = leaky_relu(logits, _LEAK).clamp_max(1), 1 - leaky_relu(1 - logits.relu(), _LEAK)
        r = torch.stack([torch.rand(low.shape[1:], generator=g) for g in draws]).to(low.device)
        masks[i] = low + (1 - low) * (r if o.masks == "uniform" else (r < 0.5).to(r))
        price = (high + 1e-8) ** o.p
        if o.q:
            own = target.apart[i].own
            assert own is not None
            unit = own.norm() / math.sqrt(min(own.shape))
            price = price * ((model.V[i].norm(dim=1) * model.U[i].norm(dim=2))[:, None] / unit) ** o.q
        penalty.append(price.sum(dim=2).mean(dim=1))
    truth = A[-1][:, target.counted]

    def off(start: int, some: dict[int, Tensor]) -> Tensor:
        found = model.outputs(A[start], some, start)[..., target.counted]
        return (found - truth).square().mean(dim=(1, 2)) / at_stake

    terms = {"all": off(places[0], masks), "penalty": torch.stack(penalty).sum(dim=0)}
    if len(places) > 1:
        each = [off(k, {i: masks[i]}) for i, k in enumerate(places)]
        terms["one at a time"] = torch.stack(each).mean(dim=0)
    return terms


def decompositions(model: Spd, bed: Bed, *, labels: bool, method: str, **more: object) -> list[Decomposition]:
    """What was found, as decompositions of the bed: one for each seed. Chapter 17.

    Args:
        model: trained on the target of this bed, or of its control.
        labels: whether groups are made with the labels of what is active, or of gates that open together.
        method: the name that it is given.
        more: for `about`.
    """
    held, places = bed.held, [k for k, m in enumerate(model.target.matrices) if m.own is not None]
    paths = [m.path for m in model.target.apart]
    A = states(model.target, held.start.float())
    gates = [model.gates(i, A[k]) for i, k in enumerate(places)]
    many = states(model.target, model.target.draw(MANY, 1 << 31))
    open_ = [model.gates(i, many[k]) for i, k in enumerate(places)]
    found = []
    for r, seed in enumerate(model.seeds):
        sizes = [V[r].norm(dim=0) * U[r].norm(dim=1) for V, U in zip(model.V, model.U, strict=True)]
        if labels:
            group = [by_labels(g[r], held.active) for g in gates]
        else:
            group = list(
                together(torch.cat([g[r] for g in open_], dim=1), torch.cat(sizes)).split([g.shape[2] for g in gates])
            )
        about = {**held.says, "method": method, "steps": model.done, "seed": seed, "labels": labels, **more}
        V, U = ([x[r].detach() for x in factors] for factors in (model.V, model.U))
        named = (dict(zip(paths, x, strict=True)) for x in (V, [u.mT for u in U], group, [g[r] for g in gates]))
        found.append(Decomposition(*named, about={**about, "machinery": "kept"}))
    return found
