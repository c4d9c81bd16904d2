"""The balanced construction: its matrices against the formulas, exact cases, and the published figures."""

import math
from functools import cache
from typing import Any

import plain
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from superpos import balanced, blocks, circuits, codes, errors
from superpos.circuits import MLPCircuits
from superpos.codes import Code
from superpos.errors import RotationErrors

SIZES: dict[str, Any] = dict(
    T=st.integers(1, 7),
    d=st.integers(1, 4),
    S=st.integers(1, 4),
    more=st.integers(3, 6),
    seed=st.integers(0, 10**6),
    code=st.sampled_from(codes.NAMES),
)


def small(T: int, d: int, L: int, seed: int, *, own_biases: bool = False, last_relu: bool = True) -> MLPCircuits:
    """Circuits with a mean in common, and biases −0.5 … −0.1 of their own or in common; 0 where there is no ReLU."""
    g = torch.Generator().manual_seed(seed)
    w = (2 * torch.rand(L, T, d, d, generator=g) - 0.6) / d**0.5
    b = -0.1 - 0.4 * torch.rand((L, T if own_biases else 1, d), generator=g).expand(L, T, d)
    b = torch.where(torch.rand((L, 1, d), generator=g) < 0.3, 0.0, b)
    if not last_relu:
        b[-1] = 0
    return MLPCircuits(w, b, last_relu=last_relu)


def width(T: int, d: int, S: int, more: int, code: str) -> int:
    return d * (codes.smallest(code, T, S) + more)


@pytest.mark.parametrize(
    "kind",
    [{}, {"split": False}, {"cap": False}, {"chi": 0.0}, {"chi": 0.3}, {"cap": False, "chi": 0.3}],
    ids=str,
)
@settings(max_examples=12)
@given(**SIZES, numbers=st.sampled_from([1, 200, 1 << 19]), rows=st.sampled_from([1, 256]))
def test_weights_are_the_formula(
    kind: dict[str, Any], T: int, d: int, S: int, more: int, seed: int, code: str, numbers: int, rows: int
) -> None:
    c = small(T, d, 3, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_NUMBERS", numbers)  # how much is done at once
        patch.setattr(balanced, "_ROWS", rows)
        large = balanced.embed(c, width(T, d, S, more, code), S, seed=seed, code=code, **kind)
    n, cap = large.n, kind.get("cap", True)
    (W, b), *later = large.dense()
    assert torch.equal(W, torch.eye(d * n))
    assert torch.equal(b, c.biases[0, 0].repeat_interleave(n))
    for l, (W, b) in enumerate(later, start=1):
        w, to, source = c.weights[l].double(), large.slots[l], large.slots[l - 1]
        expected = plain.weights(w, to, source, n)
        if kind.get("split", True):
            mean = w.mean(dim=0)
            table = plain.linking(to, source, n, cap=cap, chi=kind.get("chi"))
            expected = torch.kron(mean, table) + plain.weights(w - mean, to, source, n)
        torch.testing.assert_close(W.double(), expected, atol=1e-6, rtol=1e-5)
        assert torch.equal(b, c.biases[l, 0].repeat_interleave(n))


@pytest.mark.parametrize("cap", [True, False])
@pytest.mark.parametrize("code", codes.NAMES)
def test_a_circuit_hears_nothing_of_the_others_mean(code: str, cap: bool) -> None:
    # All weights are 1: then w̄ = 1, Δw = 0, and the whole matrix is 𝒲.
    T = 30
    c = MLPCircuits(torch.ones(3, T, 1, 1), torch.full((3, T, 1), -0.1))
    large = balanced.embed(c, 30, 3, seed=1, code=code, cap=cap)
    for l in (1, 2):
        W, to, source = large.dense()[l][0], large.slots[l], large.slots[l - 1]
        heard = [W[to[t]][:, source[u]].sum().item() for t in range(T) for u in range(T) if t != u]
        assert sum(heard) / len(heard) == pytest.approx(0, abs=1e-6)
        assert max(map(abs, heard)) > 0.1  # in the mean, not each
        assert W.min() < 0 < W.max()
        assert W.max().item() == pytest.approx(1 / 3) if cap else W.max() > 0.6  # two circuits link some pair


def test_chi_by_hand() -> None:
    # n = 3, S = 2; in both layers circuit 0 has the slots 0, 1 and circuit 1 the slots 1, 2. All pairs of slots but
    # (0, 2) and (2, 0) are linked, (1, 1) by both. Of 0 circuit 1 hears 3 of its 4 pairs, 3/2 in all, and −χ in
    # one: χ = 3/2. Counted twice, (1, 1) is 2/2: 1/2 + 1/2 + 1 = 2 = χ.
    to = torch.tensor([[0, 1], [1, 2]])
    assert balanced.balance(to, to, 3) == pytest.approx(1.5)
    assert balanced.balance(to, to, 3, cap=False) == pytest.approx(2.0)
    assert balanced.links(to, to, 3).tolist() == [[True, True, False], [True, True, True], [False, True, True]]
    assert balanced.balance(to[:1], to[:1], 3) == 0.0  # there is nobody to hear


@given(**SIZES, cap=st.booleans())
def test_chi_is_the_loop_over_pairs_of_circuits(
    T: int, d: int, S: int, more: int, seed: int, code: str, cap: bool
) -> None:
    n = codes.smallest(code, T, S) + more
    slots = codes.place(T, 1, 2, n, S, seed=seed, code=code)
    found = balanced.balance(slots[1], slots[0], n, cap=cap)
    assert found == pytest.approx(plain.balance(slots[1], slots[0], n, cap=cap), abs=1e-9)


@given(
    **SIZES,
    L=st.integers(1, 4),
    z=st.integers(1, 7),
    last=st.booleans(),
    double=st.booleans(),
    own=st.booleans(),
)
def test_the_network_is_what_its_matrices_say(
    T: int,
    d: int,
    S: int,
    more: int,
    seed: int,
    code: str,
    L: int,
    z: int,
    last: bool,
    double: bool,
    own: bool,
) -> None:
    dtype = torch.float64 if double else torch.float32
    c = small(T, d, L, seed, own_biases=own, last_relu=last).to(dtype)
    large = balanced.embed(c, width(T, d, S, more, code), S, seed=seed, code=code)
    assert {tensor.dtype for matrices in large.dense() for tensor in matrices} == {dtype}
    active = circuits.random_active(T, 3, min(z, T), seed=seed)
    x = 10 * circuits.sphere(3, min(z, T), d, seed=seed).to(dtype)
    plain.check(large, c, active, x, 1e-11 if double else 1e-5)


def exact(c: MLPCircuits, D: int, S: int, code: str, z: int, seed: int = 0, scale: float = 10.0) -> Tensor:
    """The largest |estimate − truth| over all layers, in units of the circuits' own states."""
    large = balanced.embed(c, D, S, seed=seed, code=code)
    active = circuits.random_active(c.T, 8, z, seed=seed)
    x = scale * circuits.sphere(8, z, c.d, seed=seed).to(c.stack)
    truth = c.run(active, x)
    assert (truth[-1] != 0).any()
    return (large.run(active, x).estimates - truth).abs().max()


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("S", "code"), [(1, "progression"), (1, "random"), (3, "line"), (3, "random")])
def test_circuits_that_share_no_slot_are_exact_in_their_own_units(S: int, code: str, own: bool, last: bool) -> None:
    # 5 circuits on 15 slots: 5 sets of 3 are disjoint. Nobody is heard, whatever the biases.
    c = small(5, 3, 4, 3, own_biases=own, last_relu=last)
    assert exact(c, 45, S, code, 5) < 1e-5
    assert exact(c.to(torch.float64), 45, S, code, 5) < 1e-13


@pytest.mark.parametrize("S", [1, 4])
@pytest.mark.parametrize("code", codes.NAMES)
def test_one_circuit_alone_is_exact(code: str, S: int) -> None:
    for L in (1, 4):
        assert exact(small(1, 3, L, 2), 12, S, code, 1) < 1e-5
    c = circuits.conditional_rotations(1, 5, seed=0)
    active, a = torch.zeros(6, 1, dtype=torch.int64), conditional(6, 1)
    large = balanced.embed(c, 16, S, seed=0, code=code)
    torch.testing.assert_close(large.run(active, a).estimates, c.run(active, a), atol=1e-5, rtol=0)


def test_a_common_bias_by_hand() -> None:
    # Two circuits of one neuron, biases −1 and −4 in layer 1: common −2 = −√(1·4), so that units are 1/2 and 2.
    # Layer 2 has 0 in both, units 1; its weights are 3 · 1/2 and 3 · 2, those of layer 1 are 6 / (1/2) and 6 / 2.
    biases = torch.tensor([[[-1.0], [-4.0]], [[0.0], [0.0]]])
    c = MLPCircuits(torch.tensor([6.0, 0.5])[:, None, None, None].expand(2, 2, 1, 1).clone(), biases)
    large = balanced.embed(c, 2, 1, seed=0)
    assert large.unit.flatten().tolist() == pytest.approx([0.5, 2, 1, 1])
    assert large.first.flatten().tolist() == pytest.approx([12, 3])
    assert [b.tolist() for _, b in large.dense()] == [pytest.approx([-2, -2]), [0, 0]]
    W = large.dense()[1][0]
    own = [W[large.slots[1, t, 0], large.slots[0, t, 0]].item() for t in (0, 1)]
    assert own == pytest.approx([0.25, 1])  # 0.5 · (1/2, 2)
    # Input 1 to both: 6 − 1 = 5 and 6 − 4 = 2, then half of it.
    run = large.run(torch.tensor([[0, 1]]), torch.ones(1, 2, 1))
    assert run.estimates.flatten().tolist() == pytest.approx([1, 1, 5, 2, 2.5, 1])


@pytest.mark.parametrize("code", codes.NAMES)
def test_the_seed_fixes_everything_and_the_global_generator_is_untouched(code: str) -> None:
    before = torch.get_rng_state()
    c = small(20, 2, 3, 0)
    states = [balanced.embed(c, 80, 4, seed=seed, code=code).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["slots"], states[2]["slots"])
    assert not torch.equal(states[0]["layers.1.W"], states[2]["layers.1.W"])
    assert torch.equal(before, torch.get_rng_state())


def test_the_network_owns_its_weights() -> None:
    c = small(4, 2, 2, 0)
    large = balanced.embed(c, 24, 2, seed=0)
    before = [tensor.clone() for tensor in large.state_dict().values()]
    c.weights.zero_()
    c.biases.fill_(-3)
    assert all(torch.equal(a, b) for a, b in zip(before, large.state_dict().values(), strict=True))


def conditional(batch: int, z: int, seed: int = 0) -> Tensor:
    """Inputs on |x| = 1."""
    return circuits.conditional_inputs(circuits.sphere(batch, z, 2, seed=seed) / math.sqrt(2))


@pytest.mark.parametrize("code", codes.NAMES)
def test_at_z_1_the_first_inactive_errors_are_rho_star(code: str) -> None:
    # Every circuit once: over all ordered pairs (t, u) circuit u reads k/S of α = 1 and of |x| = 1, k the slots shared.
    seeded = {"seed": 0} if code.startswith("random") else {}
    own: Code = getattr(codes, code)(100, 60, 4, **seeded)
    c = circuits.conditional_rotations(100, 2, seed=0)
    large = balanced.embed(c, 240, 4, seed=0, code=own)
    found = errors.rotations(large, c, torch.arange(100)[:, None], conditional(100, 1))
    for observed in (found.indicator, found.point):
        assert observed.inactive.mean[0].item() == pytest.approx(own.rho_star, rel=1e-3)
        assert observed.active.worst[0] < 1e-5


@cache
def published(seed: int, z: int, *, code: str = "progression", batch: int = 500, **kind: Any) -> RotationErrors:
    """The published setting: D = 1000, T = 557, S = 6, L = 5; at z = 1 every circuit once."""
    c = circuits.conditional_rotations(557, 5, seed=seed)
    large = balanced.embed(c, 1000, 6, seed=seed, code=code, **kind)
    active = torch.arange(557)[:, None] if z == 1 else circuits.random_active(557, batch, z, seed=seed)
    return errors.rotations(large, c, active, conditional(len(active), z, seed=seed))


def means(found: list[RotationErrors]) -> dict[str, list[float]]:
    """By layer, the mean over seeds."""

    def over_seeds(rows: list[Tensor]) -> list[float]:
        return torch.stack(rows).mean(dim=0).tolist()

    return {
        "point active": over_seeds([e.point.active.mean for e in found]),
        "point inactive": over_seeds([e.point.inactive.mean for e in found]),
        "indicator active": over_seeds([e.indicator.active.mean for e in found]),
        "indicator inactive": over_seeds([e.indicator.inactive.mean for e in found]),
        "on": over_seeds([e.point.on.mean(dim=1) for e in found]),
    }


PUBLISHED: dict[int, dict[str, list[float]]] = {  # means over ten seeds of the published implementation
    1: {
        "point active": [0, 0.00814, 0.128, 0.598, 1.73],
        "point inactive": [0.00392, 0.0103, 0.0247, 0.0581, 0.394],
        "indicator active": [0, 0, 0.0084, 0.068, 0.151],
        "indicator inactive": [0.00392, 0.0112, 0.0350, 0.114, 0.248],
        "on": [0.0239, 0.0917, 0.136, 0.255, 0.391],
    },
    2: {
        "point active": [0.0353, 0.156, 0.578, 1.54, 3.67],
        "point inactive": [0.00855, 0.0236, 0.0513, 0.281, 1.83],
        "indicator active": [0, 0.0058, 0.079, 0.159, 0.197],
        "indicator inactive": [0.00869, 0.0318, 0.0975, 0.235, 0.352],
        "on": [0.0473, 0.134, 0.236, 0.381, 0.470],
    },
}


@pytest.mark.parametrize("z", PUBLISHED)
def test_the_published_errors(z: int) -> None:
    found = means([published(seed, z) for seed in range(3)])
    for name, expected in PUBLISHED[z].items():
        for l, value in enumerate(expected):
            allowed = 0.1 if l < 2 else 0.25
            assert found[name][l] == pytest.approx(value, rel=allowed, abs=1e-6), (name, l + 1)


def test_even_use_of_slots_matters() -> None:
    layer_4 = {code: published(0, 1, code=code).point.active.mean[3].item() for code in codes.NAMES}
    assert layer_4["line"] < 0.25  # published progression: 0.598
    assert layer_4["random"] < 0.25
    assert layer_4["progression"] > 0.45
    assert layer_4["random_subsets"] > 1.2


def test_what_the_switches_are_for() -> None:
    # The same circuits and slots: one capped and balanced, one with a switch turned.
    usual = published(0, 1).point.active.mean
    for kind in (dict(split=False), dict(cap=False), dict(chi=0.0)):
        assert (published(0, 1, **kind).point.active.mean[2:] > 1.5 * usual[2:]).all(), kind
    ideal = published(0, 1, ideal=True)
    assert (ideal.point.active.mean[2:] < 0.5 * usual[2:]).all()
    assert ideal.point.on[:, 0].tolist() == pytest.approx([6 / 250] * 5)  # a circuit's own slots alone
