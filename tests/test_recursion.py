"""Every term of the recursion of the residual construction, against small networks taken apart one circuit at a time.

The stream is filled as earlier layers would leave it: an error of mean square e on the coordinates of each active
circuit, one of mean square q on those of each inactive one. The settings are such that a term left out is seen.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

import pytest
import torch
from torch import Tensor

from superpos import circuits, residual, theory
from superpos.circuits import ResidualCircuits
from superpos.sampling import generator
from superpos.theory.recursion import Terms

BATCH, SEEDS, SAMPLES = 16, 60, 6  # a sample of circuits for the prediction is enough


def gaussian(T: int, d: int, m: int, seed: int, threshold: float = 0.0) -> ResidualCircuits:
    return circuits.random_residual(T, d, m, 1, seed=seed, threshold=threshold)


def biased(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """Biases of either sign, of mean square 4: on-indicators."""
    small = gaussian(T, d, m, seed)
    return ResidualCircuits(small.w_in, small.w_out, 2 * torch.randn((1, T, m), generator=generator(seed + 500)))


def unequal(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """One neuron in sixteen is sixteen times as large: a kurtosis of 14."""
    small = gaussian(T, d, m, seed)
    large = (torch.arange(T * m).view(1, T, m, 1) % 16 == 0).float()
    return ResidualCircuits(small.w_in * (1 + 15 * large) / 4, small.w_out, small.bias)


def alike(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """All neurons add up the coordinates, and all answer to the same input with √d: they push the same way."""
    w = torch.ones(1, T, m, d) / d**0.5
    return ResidualCircuits(w, gaussian(T, d, m, seed).w_out, torch.zeros(1, T, m))


def mirror(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """x + ReLU(x): what a circuit reads it writes back in phase."""
    one = torch.eye(d).expand(1, T, d, d).contiguous()
    return ResidualCircuits(one, one, torch.zeros(1, T, d))


def signed(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """As mirror, with biases of either sign, which are on-indicators."""
    bias = torch.where(torch.arange(T) % 2 == 0, 0.1, -0.1)[None, :, None].expand(1, T, d).contiguous()
    return ResidualCircuits(mirror(T, d, m, seed).w_in, mirror(T, d, m, seed).w_out, bias)


def seesaw(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """x ± ReLU(x): what half of the circuits write back in phase, the others take away."""
    small = mirror(T, d, m, seed)
    return ResidualCircuits(small.w_in, small.w_out * signs(T), small.bias)


def signed_seesaw(T: int, d: int, m: int, seed: int) -> ResidualCircuits:
    """As seesaw, with biases of either sign."""
    small = signed(T, d, m, seed)
    return ResidualCircuits(small.w_in, small.w_out * signs(T), small.bias)


def signs(T: int) -> Tensor:
    return torch.where(torch.arange(T) % 4 < 2, 1.0, -1.0)[None, :, None, None]


KINDS = ("active", "inactive")
TERMS = tuple(field.name for field in fields(Terms))
Family = Callable[[int, int, int, int], ResidualCircuits]


@dataclass(frozen=True)
class Case:
    """T circuits of a family, z active, in D and M with S copies; e and q stand in the stream."""

    family: Family
    T: int
    z: int
    D: int
    M: int
    S: int
    d: int = 4
    m: int = 4
    e: float = 0.0
    q: float = 0.0
    ones: bool = False  # inputs (1, …, 1) in the place of random ones
    kinds: tuple[str, ...] = KINDS
    terms: tuple[str, ...] = TERMS


def echoed(family: Family, T: int, z: int, D: int, M: int, S: int, *, d: int, e: float = 0.0, q: float = 0.0) -> Case:
    """Only what an active circuit hears back: its total in phase is not predicted if errors stand in the stream."""
    return Case(family, T, z, D, M, S, d=d, m=d, e=e, q=q, kinds=("active",), terms=("written_back",))


CASES = {
    "errors in the stream": Case(gaussian, 16, 4, 96, 1024, 2, e=12.0, q=4.0),
    "indicators": Case(biased, 40, 3, 128, 2048, 2, e=8.0, q=0.5),
    "few neurons": Case(gaussian, 8, 4, 256, 32, 8),
    "few neurons of two": Case(gaussian, 8, 2, 256, 32, 8),
    "many circuits": Case(gaussian, 60, 1, 64, 64, 16),
    "unequal": Case(unequal, 64, 1, 64, 512, 8, kinds=("inactive",)),
    "alike": Case(alike, 5, 4, 512, 16, 4, m=2, ones=True),
    "alike on all neurons": Case(alike, 2, 1, 512, 16, 4, ones=True, kinds=("inactive",)),
    "all active": Case(gaussian, 6, 6, 32, 1024, 2, m=1, e=100.0, kinds=("active",)),
    "in phase": Case(mirror, 60, 1, 64, 256, 2, d=2, m=2, kinds=("active",)),
    "in phase with an error": echoed(mirror, 60, 1, 64, 256, 2, d=2, e=16.0),
    "in phase with what stands there": echoed(mirror, 60, 1, 64, 256, 2, d=2, q=16.0),
    "in phase with many": echoed(mirror, 60, 20, 32, 256, 2, d=2),
    "in phase with indicators": echoed(signed, 60, 1, 64, 512, 2, d=2),
    "half in phase": echoed(seesaw, 60, 1, 256, 2048, 2, d=4),
    "one coordinate": echoed(seesaw, 60, 1, 256, 2048, 2, d=1),
    "one coordinate and its error": echoed(seesaw, 60, 1, 256, 2048, 2, d=1, e=8.0),
    "one coordinate and what stands there": echoed(seesaw, 60, 1, 256, 2048, 2, d=1, q=0.02),
    "one coordinate of few neurons": echoed(seesaw, 60, 1, 256, 16, 1, d=1),
    "one coordinate and an indicator": echoed(signed_seesaw, 60, 1, 256, 2048, 2, d=1),
}


@pytest.mark.parametrize("name", CASES)
def test_every_term_of_a_layer_in_which_it_is_large(name: str) -> None:
    case = CASES[name]
    predicted = [foretold(case, seed) for seed in range(SAMPLES)]
    measured = [taken_apart(case, seed % SAMPLES, seed) for seed in range(SEEDS)]
    for term in predicted[0]:
        difference = torch.tensor([m[term] - predicted[seed % SAMPLES][term] for seed, m in enumerate(measured)])
        expected = sum(p[term] for p in predicted) / SAMPLES
        standard_error = difference.std().item() / SEEDS**0.5
        assert standard_error <= 0.1 * expected + 1e-9, term  # or the next line would say nothing
        assert abs(difference.mean().item()) <= 0.1 * expected + 2 * standard_error + 1e-9, (term, expected)


def drawn(case: Case, seed: int) -> tuple[ResidualCircuits, Tensor, Tensor]:
    small = case.family(case.T, case.d, case.m, seed)
    active = circuits.random_active(case.T, BATCH, case.z, seed=seed)
    x = torch.ones(BATCH, case.z, case.d) if case.ones else circuits.sphere(BATCH, case.z, case.d, seed=seed)
    return small, active, x


def foretold(case: Case, seed: int) -> dict[str, float]:
    (s,) = theory.statistics(*drawn(case, seed))
    prediction = theory.layer(s, case.T, case.D, case.M, case.S, case.z, e=case.e, q=case.q)[0]
    terms = {f"{kind} {name}": asdict(getattr(prediction, kind))[name] for kind in case.kinds for name in case.terms}
    return {"signal": prediction.signal, **terms}


def taken_apart(case: Case, sample: int, seed: int) -> dict[str, float]:
    """Mean squares of every term, for active and for inactive circuits."""
    T, d = case.T, case.d
    small, active, x = drawn(case, sample)
    large = residual.embed(small, case.D, case.M, case.S, seed=seed)
    (W_in, b, W_out), E, neurons = large.dense()[0], large.E, large.neurons[0]
    on = torch.zeros(BATCH, T, dtype=torch.bool).scatter_(1, active, True)
    row = torch.arange(BATCH)[:, None]
    left = torch.randn((BATCH, T, d), generator=generator(seed, "left"))
    left = left * (torch.where(on, case.e, case.q) / d).sqrt()[..., None]
    X = large.encode(active, x) + torch.einsum("tDk,btk->bD", E[..., :d], left)

    true, following = torch.zeros(BATCH, T, d), torch.zeros(BATCH, T, d)
    true[row, active], following[row, active] = x, small.layer(0, active, x)
    p = b[neurons][:, :, 0].expand(BATCH, T, small.m).clone()
    p[row, active] = small.pre_activations(0, active, x)
    pre = X @ W_in.T + b
    on_own = pre[:, neurons]  # (B, T, m, S)
    h_hat, h = on_own.relu().mean(dim=-1), p.relu()
    own = torch.einsum("tdm,btm->btd", small.w_out[0], h_hat - h)
    written = torch.einsum("tDk,btk->btD", E[..., :d], torch.einsum("tdm,btm->btd", small.w_out[0], h_hat))
    written = written * ~on[..., None]
    others = torch.einsum("tDk,btD->btk", E[..., :d], written.sum(dim=1, keepdim=True) - written)
    after = X + pre.relu() @ W_out.T
    squares = {
        "read_off": ((torch.einsum("tDk,bD->btk", E[..., :d], X) - true) ** 2).sum(dim=-1),
        "read_in": ((on_own - p[..., None]) ** 2).mean(dim=(2, 3)),
        "averaged": ((on_own.mean(dim=-1) - p) ** 2).mean(dim=-1),
        "neuron": ((h_hat - h) ** 2).mean(dim=-1),
        "own": (own**2).sum(dim=-1),
        "written_back": (others**2).sum(dim=-1),
        "total": ((torch.einsum("tDk,bD->btk", E[..., :d], after) - following) ** 2).sum(dim=-1),
    }
    terms = {
        f"{kind} {k}": squares[k][on == (kind == "active")].mean().item() for k in case.terms for kind in case.kinds
    }
    return {"signal": following[on].square().sum(dim=-1).mean().item(), **terms}
