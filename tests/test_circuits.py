"""The small circuits: by hand, against plain loops, and what the families promise."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superpos import circuits
from superpos.circuits import MLPCircuits, ResidualCircuits

ONE = torch.zeros(1, 1, dtype=torch.int64)  # circuit 0, one sample


def test_mlp_by_hand() -> None:
    c = MLPCircuits(torch.tensor([[[[1.0, -1.0], [0.0, 2.0]]]]), torch.tensor([[[0.0, -1.0]]]))
    # x = (1, 3): pre = (1 − 3, 2·3 − 1) = (−2, 5), rectified (0, 5)
    assert c.run(ONE, torch.tensor([[[1.0, 3.0]]]))[:, 0, 0].tolist() == [[1.0, 3.0], [0.0, 5.0]]
    linear = MLPCircuits(c.weights, c.biases, last_relu=False)
    assert linear.run(ONE, torch.tensor([[[1.0, 3.0]]]))[1, 0, 0].tolist() == [-2.0, 5.0]


def test_residual_by_hand() -> None:
    # Two neurons: 1·1 + 1·2 − 1 = 2 and −1·1 + 0.5 = −0.5 → 0; written 2·(2, −1) = (4, −2), added to (1, 2).
    c = ResidualCircuits(
        torch.tensor([[[[1.0, 1.0], [-1.0, 0.0]]]]),
        torch.tensor([[[[2.0, 9.0], [-1.0, 9.0]]]]),
        torch.tensor([[[-1.0, 0.5]]]),
    )
    x = torch.tensor([[[1.0, 2.0]]])
    assert c.pre_activations(0, ONE, x)[0, 0].tolist() == [2.0, -0.5]
    assert c.run(ONE, x)[1, 0, 0].tolist() == [5.0, 0.0]


@given(T=st.integers(1, 6), d=st.integers(1, 5), L=st.integers(1, 4), last=st.booleans())
def test_mlp_run_is_the_loop(T: int, d: int, L: int, last: bool) -> None:
    g = torch.Generator().manual_seed(T + 10 * d)
    w, b = torch.randn(L, T, d, d, generator=g), torch.randn(L, T, d, generator=g)
    active, x = circuits.random_active(T, 3, T, seed=0), torch.randn(3, T, d, generator=g)
    states = MLPCircuits(w, b, last_relu=last).run(active, x)
    for s in range(3):
        for i, t in enumerate(active[s].tolist()):
            a = x[s, i]
            for l in range(L):
                a = w[l, t] @ a + b[l, t]
                a = a if l == L - 1 and not last else a.relu()
                torch.testing.assert_close(states[l + 1, s, i], a)


@given(T=st.integers(1, 6), d=st.integers(1, 5), m=st.integers(1, 5), L=st.integers(1, 3))
def test_residual_run_is_the_loop(T: int, d: int, m: int, L: int) -> None:
    c = circuits.random_residual(T, d, m, L, seed=L, threshold=0.2)
    active, x = circuits.random_active(T, 3, T, seed=0), circuits.sphere(3, T, d, seed=0)
    states = c.run(active, x)
    assert torch.equal(states[0], x)
    for s in range(3):
        for i, t in enumerate(active[s].tolist()):
            a = x[s, i]
            for l in range(L):
                a = a + c.w_out[l, t] @ (c.w_in[l, t] @ a - 0.2).relu()
                torch.testing.assert_close(states[l + 1, s, i], a)


@given(T=st.integers(1, 8), L=st.integers(1, 6), radius=st.floats(0, 1))
def test_rotations_rotate_exactly_inside_the_disc(T: int, L: int, radius: float) -> None:
    c = circuits.rotations(T, L, seed=T)
    active, x = torch.arange(T)[None], radius * circuits.sphere(1, T, 2, seed=L) / 2**0.5
    states = c.run(active, circuits.rotation_inputs(x)) - 1
    turn = torch.complex(c.weights[0, :, 0, 0], c.weights[0, :, 1, 0])  # cos θ + i sin θ
    point = torch.complex(x[..., 0], x[..., 1])
    for l in range(L + 1):
        expected = torch.view_as_real(point * turn**l)
        torch.testing.assert_close(states[l], expected, atol=1e-5, rtol=0)


def test_a_plain_rotation_answers_to_nothing() -> None:
    c = circuits.rotations(50, 1, seed=0)
    answer = c.run(torch.arange(50)[None], torch.zeros(1, 50, 2))[1, 0]
    assert torch.equal(answer, c.biases[0].relu())
    assert (answer.norm(dim=1) > 0.1).any()
    assert c.weights[0].det().allclose(torch.ones(50))


def _turned(c: MLPCircuits, x: Tensor, l: int) -> Tensor:
    cos, sin = c.weights[0, :, 2, 2], c.weights[0, :, 3, 2]
    return torch.view_as_real(torch.complex(x[..., 0], x[..., 1]) * torch.complex(cos, sin) ** l)


@pytest.mark.parametrize("noise", [0.0, 0.24, -0.24])
def test_conditional_rotations_rotate_and_erase_noise_on_alpha(noise: float) -> None:
    c = circuits.conditional_rotations(40, 4, seed=3)
    x = circuits.sphere(1, 40, 2, seed=0) / 2**0.5  # |x| = 1
    a = circuits.conditional_inputs(x)
    assert a[0, 0, :2].tolist() == [1.5, 0.5]
    a[..., 0] += noise  # α is 1 + noise
    states = c.run(torch.arange(40)[None], a)
    for l in range(1, 5):
        alpha, point = circuits.conditional_state(states[l])
        torch.testing.assert_close(alpha, torch.ones_like(alpha), atol=1e-5, rtol=0)
        if noise == 0:
            torch.testing.assert_close(point, _turned(c, x, l), atol=1e-5, rtol=0)
    if noise:  # ε on α moves both components of x by 2ε in the first layer
        off = circuits.conditional_state(states[1])[1] - _turned(c, x, 1)
        assert off.abs().max() > 0.4


@pytest.mark.parametrize(("noise", "silent"), [(0.0, True), (0.24, True), (0.4, False)])
def test_inactive_conditional_rotations_stay_silent(noise: float, silent: bool) -> None:
    c = circuits.conditional_rotations(40, 3, seed=3)
    a = torch.zeros(1, 40, 4)
    a[..., 0] = noise
    states = c.run(torch.arange(40)[None], a)[1:]
    assert bool((states == 0).all()) is silent


def test_random_families_have_the_stated_variances() -> None:
    r = circuits.random_residual(2000, 4, 6, 1, seed=0, threshold=0.5)
    mlp = circuits.random_mlps(2000, 4, 1, seed=0)
    # Entries: 1/d = 0.25, 1/m = 0.1667, 2/d = 0.5; 48,000 or 32,000 of them, so within 4 · √(2/32000) = 3.2%.
    for weights, variance in ((r.w_in, 1 / 4), (r.w_out, 1 / 6), (mlp.weights, 2 / 4)):
        assert weights.var().item() == pytest.approx(variance, rel=0.032)
    assert (r.bias == -0.5).all()
    assert (mlp.biases == 0).all()
    x = circuits.sphere(1, 2000, 4, seed=1)
    torch.testing.assert_close(x.square().sum(dim=-1), torch.full((1, 2000), 4.0))
    pre = r.pre_activations(0, torch.arange(2000)[None], x)
    assert pre.mean().item() == pytest.approx(-0.5, abs=0.04)
    assert pre.var().item() == pytest.approx(1, rel=0.06)


def test_families_are_fixed_by_their_seed_alone() -> None:
    before = torch.get_rng_state()
    families = [
        lambda seed: circuits.random_mlps(3, 2, 2, seed=seed).weights,
        lambda seed: circuits.random_residual(3, 2, 2, 2, seed=seed).w_out,
        lambda seed: circuits.rotations(3, 2, seed=seed).weights,
        lambda seed: circuits.conditional_rotations(3, 2, seed=seed).weights,
        lambda seed: circuits.sphere(3, 2, 2, seed=seed),
        lambda seed: circuits.random_active(30, 9, 4, seed=seed),
    ]
    for family in families:
        assert torch.equal(family(5), family(5))
        assert not torch.equal(family(5), family(6))
    assert torch.equal(before, torch.get_rng_state())


def test_choosing_and_converting() -> None:
    c = circuits.random_residual(5, 2, 3, 2, seed=0)
    assert (c.T, c.L, c.d, c.m) == (5, 2, 2, 3)
    assert torch.equal(c[1:3].bias, c.bias[:, 1:3])
    assert torch.equal(c[torch.tensor([4, 0])].w_in, c.w_in[:, [4, 0]])
    assert c.to(torch.float64).w_out.dtype == torch.float64
    linear = MLPCircuits(torch.ones(1, 4, 2, 2), torch.ones(1, 4, 2), last_relu=False)
    assert not linear[:2].last_relu


def test_some_of_the_circuits() -> None:
    c = circuits.random_residual(5, 2, 2, 1, seed=0)
    assert len(c) == 5
    assert len(c[3]) == 1
    assert len(c[[1, 2]]) == 2
    assert torch.equal(c[3].w_in, c.w_in[:, 3:4])
    assert torch.equal(c[[1, 2]].bias, c[1:3].bias)
    with pytest.raises(IndexError, match="5 names no circuit"):
        c[[5]]


def test_one_seed_does_not_tie_inputs_to_circuits() -> None:
    c, x = circuits.random_residual(2000, 4, 1, 1, seed=0), circuits.sphere(2000, 1, 4, seed=0)
    pre = c.pre_activations(0, torch.arange(2000)[:, None], x)
    assert abs(pre.mean().item()) < 4 / 2000**0.5
