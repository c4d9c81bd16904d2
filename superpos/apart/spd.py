"""Stochastic parameter decomposition, as published and with two changes. Chapter 16."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, leaky_relu

from superpos.apart.target import Target
from superpos.sampling import generator

_LEAK = 0.01
_BANK = 1 << 15  # samples drawn once, from which batches are taken


@dataclass(frozen=True)
class Options:
    """How SPD is run. Chapter 16.

    Attributes:
        components: C, of each matrix.
        gates: what a gate reads: "component", the number V_c·a, as published; or "input", the whole input a.
        q: the power of the norm |U_c||V_c|, in units of its mean over components that are needed, by which a gate is
            weighted in the penalty; 0 as published.
        beta: of the penalty Σ_c g_c^p on gates.
        p: its power.
        steps, batch, rate: of Adam, whose rate falls to 0 as a cosine.
        warm: steps before these, of faithfulness alone.
        width: hidden neurons of a gate.
        faithful: weight of the faithfulness loss.
    """

    components: int
    gates: Literal["component", "input", "each"] = "component"
    q: float = 0.0
    beta: float = 1e-3
    p: float = 1.0
    steps: int = 4000
    batch: int = 256
    rate: float = 5e-3
    warm: int = 300
    width: int = 8
    shared: int = 128
    faithful: float = 1.0
    p_end: float = 0.0
    beta_end: float = 1.0
    gate_rate: float = 1.0
    ramp: float = 0.0
    binary: bool = False


class Spd(nn.Module):
    """Rank-one components of every matrix, and their gates, for several seeds at once."""

    def __init__(self, target: Target, options: Options, seeds: Sequence[int]) -> None:
        super().__init__()
        self.target, self.options, self.seeds = target, options, tuple(seeds)
        C, h = options.components, options.width
        own = [m.own for m in target.apart]

        def drawn(*shape: int, scale: float, purpose: str) -> nn.Parameter:
            rows = [torch.randn(shape, generator=generator(s, purpose)) * scale for s in self.seeds]
            return nn.Parameter(torch.stack(rows))

        self.V, self.U, self.first, self.offset, self.last, self.base = (nn.ParameterList() for _ in range(6))
        for k, W in enumerate(own):
            out, width = W.shape
            size = (W.norm() / math.sqrt(C)) ** 0.5
            self.V.append(drawn(width, C, scale=size / width**0.5, purpose=f"V {k}"))
            self.U.append(drawn(C, out, scale=size / out**0.5, purpose=f"U {k}"))
            if options.gates == "component":
                self.first.append(drawn(C, 1, h, scale=1.0, purpose=f"first {k}"))
                self.last.append(drawn(C, h, 1, scale=h**-0.5, purpose=f"last {k}"))
                self.offset.append(nn.Parameter(torch.zeros(len(self.seeds), C, 1, h)))
                self.base.append(nn.Parameter(torch.full((len(self.seeds), C), 0.5)))
            elif options.gates == "each":
                self.first.append(drawn(C, width, h, scale=width**-0.5, purpose=f"first {k}"))
                self.last.append(drawn(C, h, 1, scale=h**-0.5, purpose=f"last {k}"))
                self.offset.append(nn.Parameter(torch.zeros(len(self.seeds), C, 1, h)))
                self.base.append(nn.Parameter(torch.full((len(self.seeds), C), 0.5)))
            else:
                h = options.shared
                self.first.append(drawn(width, h, scale=width**-0.5, purpose=f"first {k}"))
                self.last.append(drawn(h, C, scale=h**-0.5, purpose=f"last {k}"))
                self.offset.append(nn.Parameter(torch.zeros(len(self.seeds), 1, h)))
                self.base.append(nn.Parameter(torch.full((len(self.seeds), C), 0.5)))

    def logits(self, k: int, a: Float[Tensor, "B in"]) -> Float[Tensor, "R B C"]:
        """What the gates of matrix k are made of, before they are cut to [0, 1]."""
        R = len(self.seeds)
        if self.options.gates == "component":
            h = (a @ self.V[k]).mT[..., None] * self.first[k] + self.offset[k]  # R C B h
            C, B = h.shape[1:3]
            made = torch.bmm(gelu(h).flatten(0, 1), self.last[k].flatten(0, 1)).view(R, C, B).mT
        elif self.options.gates == "each":
            C, _, w = self.first[k].shape[1:]
            f = self.first[k].transpose(1, 2).reshape(R, a.shape[1], C * w)
            h = gelu(torch.baddbmm(self.offset[k].view(R, 1, C * w), a.expand(R, *a.shape), f))
            made = torch.einsum("rbcw,rcw->rbc", h.unflatten(2, (C, w)), self.last[k][..., 0])
        else:
            h = torch.baddbmm(self.offset[k], a.expand(R, *a.shape), self.first[k])
            made = torch.bmm(gelu(h), self.last[k])
        return made + self.base[k][:, None]

    def gates(self, k: int, a: Float[Tensor, "B in"]) -> Float[Tensor, "R B C"]:
        """The gates of matrix k, in [0, 1]."""
        return self.logits(k, a).clamp(0, 1)


def states(target: Target, a: Float[Tensor, "B in"]) -> list[Float[Tensor, "B width"]]:
    """The input of every matrix of the target, and its output."""
    found = [a]
    for m in target.matrices:
        W = m.kept if m.own is None else m.own + m.kept
        pre = torch.addmm(m.b, found[-1], W.mT)
        found.append(pre.relu() if m.relu else pre)
    return found


def run(
    spd: Spd, a: Float[Tensor, "*R B in"], masks: dict[int, Float[Tensor, "R B C"]], start: int = 0
) -> Float[Tensor, "R B out"]:
    """The output from the input of matrix `start`, with these matrices as masked sums of components."""
    index = -1
    for k, m in enumerate(spd.target.matrices):
        index += m.own is not None
        if k < start:
            continue
        if m.own is None or index not in masks:
            W = m.kept if m.own is None else m.own + m.kept
            pre = a @ W.mT + m.b
        else:
            pre = ((a @ spd.V[index]) * masks[index]) @ spd.U[index] + (a @ m.kept.mT + m.b)
        a = pre.relu() if m.relu else pre
    return a


def train(
    target: Target, options: Options, seeds: Sequence[int], progress: Callable[[dict], None] | None = None, start=None
) -> Spd:
    """Components and gates by stochastic parameter decomposition (Bushnaq, Braun & Sharkey 2025). Chapter 16."""
    spd = Spd(target, options, seeds)
    if start is not None:
        start(spd)
    own = [m.own for m in target.apart]
    places = [k for k, m in enumerate(target.matrices) if m.own is not None]
    unit = [W.norm() / math.sqrt(min(W.shape)) for W in own]
    optimizer = torch.optim.Adam([{"params": [*spd.V, *spd.U], "share": 1.0}, {"params": [*spd.first, *spd.offset, *spd.last, *spd.base], "share": options.gate_rate}], lr=options.rate, foreach=True)
    g = [generator(s, "masks") for s in spd.seeds]
    bank = states(target, target.draw(_BANK, 1 << 30))
    scale = bank[-1][:, target.counted].square().mean()
    order = generator(spd.seeds[0], "order")

    def faithfulness() -> Tensor:
        losses = [
            (W - (V @ U).mT).square().sum(dim=(1, 2)) / W.square().sum()
            for W, V, U in zip(own, spd.V, spd.U, strict=True)
        ]
        return torch.stack(losses).sum(dim=0)

    for step in range(-options.warm, options.steps):
        now = max(step, 0) / options.steps
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * options.rate * 0.5 * (1 + math.cos(math.pi * now))
        faith = faithfulness()
        loss = options.faithful * faith
        said = {}
        if step >= 0:
            power = options.p + (options.p_end - options.p) * now if options.p_end else options.p
            beta = options.beta * (options.beta_end ** min(1.0, max(0.0, 2 * now - 1)))
            beta *= min(1.0, now / options.ramp) if options.ramp else 1.0
            chosen = torch.randint(_BANK, (options.batch,), generator=order)
            A = [x[chosen] for x in bank]
            masks, penalty = {}, 0.0
            for i, k in enumerate(places):
                logits = spd.logits(i, A[k])
                lower = leaky_relu(logits, _LEAK).clamp_max(1)
                upper = 1 - leaky_relu(1 - logits.relu(), _LEAK)
                r = torch.stack([torch.rand(lower.shape[1:], generator=x) for x in g])
                if options.binary:
                    r = (r < 0.5).float()
                masks[i] = lower + (1 - lower) * r
                weight = 1.0
                if options.q:
                    norm = spd.V[i].norm(dim=1) * spd.U[i].norm(dim=2) / unit[i]
                    weight = norm[:, None] ** options.q
                penalty = penalty + ((upper + 1e-8) ** power * weight).sum(dim=2).mean(dim=1)
            truth = A[-1][:, target.counted]

            def off(found: Tensor) -> Tensor:
                return (found[..., target.counted] - truth).square().mean(dim=(1, 2)) / scale

            whole = off(run(spd, A[places[0]], masks, places[0]))
            each = [off(run(spd, A[k], {i: masks[i]}, k)) for i, k in enumerate(places)] if len(places) > 1 else []
            layerwise = sum(each) / len(each) if each else whole
            loss = loss + whole + layerwise + beta * penalty
            said = {"whole": whole, "layerwise": layerwise, "penalty": penalty}
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        if progress is not None and step % 500 == 0:
            progress({"step": step, "faith": faith.detach(), **{k: v.detach() for k, v in said.items()}})
    return spd
