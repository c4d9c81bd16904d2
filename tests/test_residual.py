"""The residual construction: its four steps against the dense formulas, and the whole network end to end."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superpos import circuits, residual
from superpos.circuits import ResidualCircuits

SIZES: dict[str, Any] = dict(
    T=st.integers(1, 6), d=st.integers(1, 4), m=st.integers(1, 4), S=st.integers(1, 4), seed=st.integers(0, 10**6)
)


def dense_V(neurons: Tensor, M: int) -> Tensor:
    """V_t ∈ {0,1}^{M×m} as plain matrices."""
    T, m, _ = neurons.shape
    V = torch.zeros(T, M, m)
    for t in range(T):
        for j in range(m):
            for n in neurons[t, j].tolist():
                V[t, n, j] = 1
    return V


@pytest.mark.parametrize("T", [3, 300])  # 300 are drawn in several parts
def test_embedding_matrices_are_orthonormal(T: int) -> None:
    E = residual.embedding_matrix(T, 4, 20, seed=0)
    assert E.shape == (T, 20, 4)
    torch.testing.assert_close(E.mT @ E, torch.eye(4).expand(T, 4, 4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_read_off_between_circuits_has_mean_0_and_variance_1_over_D(orthonormal: bool) -> None:
    T, d, D = 200, 3, 48
    E = residual.embedding_matrix(T, d, D, seed=0, orthonormal=orthonormal).mT.flatten(0, 1)
    different = ~torch.block_diag(*[torch.ones(d, d, dtype=torch.bool)] * T)
    entries = (E @ E.mT)[different]
    assert entries.mean().abs().item() < 0.003
    assert entries.var().item() == pytest.approx(1 / D, rel=0.02)
    assert E.mean().abs().item() < 0.003  # the columns lean nowhere


def test_gaussian_embedding_is_not_normalised() -> None:
    E = residual.embedding_matrix(2000, 2, 32, seed=0, orthonormal=False)
    lengths = E.square().sum(dim=1)
    assert lengths.mean().item() == pytest.approx(1, abs=0.02)
    assert lengths.var().item() == pytest.approx(2 / 32, rel=0.1)  # of χ²_32 / 32


@given(**SIZES, more=st.integers(0, 5))
def test_chosen_neurons(T: int, d: int, m: int, S: int, seed: int, more: int) -> None:
    M = S * m + more
    neurons = residual.choose_neurons(T, m, M, S, seed=seed)
    V = dense_V(neurons, M)
    assert (V.sum(dim=1) == S).all()  # S ones in every column …
    assert (V.sum(dim=2) <= 1).all()  # … no two columns of one circuit on the same neuron


@given(**SIZES, more=st.integers(0, 5))
def test_the_four_steps_are_the_dense_formulas(T: int, d: int, m: int, S: int, seed: int, more: int) -> None:
    M, D = S * m + more, d + more
    c = circuits.random_residual(T, d, m, 1, seed=seed)
    E = residual.embedding_matrix(T, d, D, seed=seed)
    neurons = residual.choose_neurons(T, m, M, S, seed=seed)
    V = dense_V(neurons, M)
    R = residual.reading(E, c.w_in[0])
    W_in = residual.writing_to_neurons(E, c.w_in[0], neurons, M)
    W_out = residual.writing_back(E, c.w_out[0], neurons, M)
    torch.testing.assert_close(R, torch.einsum("tjk,tDk->tjD", c.w_in[0], E))
    torch.testing.assert_close(W_in, torch.einsum("tnj,tjk,tDk->nD", V, c.w_in[0], E))
    torch.testing.assert_close(W_out, torch.einsum("tDk,tkj,tnj->Dn", E, c.w_out[0], V) / S)


@pytest.mark.parametrize("threshold", [None, 0.4])
def test_embed_puts_the_steps_together(threshold: float | None) -> None:
    c = circuits.random_residual(5, 3, 2, 2, seed=1, threshold=0.4)
    large = residual.embed(c, 16, 12, 3, seed=7, threshold=threshold)
    assert (large.T, large.d, large.D, large.M, large.indicator) == (5, 3, 16, 12, False)
    assert not torch.equal(large.neurons[0], large.neurons[1])  # drawn anew in every layer
    for l, (W_in, b, W_out) in enumerate(large.dense()):
        V = dense_V(large.neurons[l], 12)
        torch.testing.assert_close(W_in, torch.einsum("tnj,tjk,tDk->nD", V, c.w_in[l], large.E))
        torch.testing.assert_close(W_out, torch.einsum("tDk,tkj,tnj->Dn", large.E, c.w_out[l], V) / 3)
        assert (b == -0.4).all()


@given(**SIZES, L=st.integers(1, 4), bias=st.sampled_from(["none", "common", "mixed"]))
def test_one_circuit_alone_is_exact(T: int, d: int, m: int, S: int, seed: int, L: int, bias: str) -> None:
    c = circuits.random_residual(1, d, m, L, seed=seed, threshold=0.3 if bias == "common" else 0.0)
    if bias == "mixed":
        c = ResidualCircuits(c.w_in, c.w_out, torch.linspace(1, -1, L * m).view(L, 1, m))
    large = residual.embed(c, d + 3, S * m + 2, S, seed=seed)
    assert large.indicator is (bias == "mixed")
    active, x = torch.zeros(T, 1, dtype=torch.int64), circuits.sphere(T, 1, d, seed=seed)
    torch.testing.assert_close(large.run(active, x).estimates, c.run(active, x), atol=1e-4, rtol=1e-4)


def test_circuits_that_do_not_meet_are_exact() -> None:
    # With E_t two coordinate axes each and neurons of their own, nothing is left to interfere.
    c = circuits.random_residual(3, 2, 2, 2, seed=0)
    E = torch.eye(6).view(6, 3, 2).transpose(0, 1)  # column k of E_t is axis 2t + k
    neurons = torch.arange(12).view(1, 3, 2, 2).repeat(2, 1, 1, 1)
    layers = []
    for l in range(2):
        W_in = residual.writing_to_neurons(E, c.w_in[l], neurons[l], 12)
        W_out = residual.writing_back(E, c.w_out[l], neurons[l], 12)
        layers.append(residual.ResidualLayer(W_in, torch.zeros(12), W_out.mT.contiguous()))
    large = residual.ResidualNetwork(2, E, neurons, layers)
    active, x = circuits.random_active(3, 4, 3, seed=0), circuits.sphere(4, 3, 2, seed=0)
    torch.testing.assert_close(large.run(active, x).estimates, c.run(active, x))


def test_carry_bias_by_hand() -> None:
    ones = torch.ones(2, 1, 2, 1)  # two layers, one circuit, m = 2, d = 1
    c = ResidualCircuits(ones, ones.mT, torch.tensor([[[-0.5, -0.5]], [[0.25, -1.0]]]))
    w_in, w_out, theta = circuits.carry_bias(c)
    # Layer 0 has the common threshold 0.5; layer 1 none, so that its biases stand in the indicator's column.
    assert theta == [0.5, 0.0]
    assert w_in[:, 0].tolist() == [[[1, 0], [1, 0]], [[1, 0.25], [1, -1]]]
    assert w_out[:, 0].tolist() == [[[1, 1], [0, 0]], [[1, 1], [0, 0]]]
    # θ = 0.5 in both: b + θ = (0.75, −0.5) in layer 1
    w_in, _, theta = circuits.carry_bias(c, 0.5)
    assert theta == [0.5, 0.5]
    assert w_in[1, 0, :, 1].tolist() == [0.75, -0.5]


@pytest.mark.parametrize(
    ("bias", "threshold", "theta", "indicator"),
    [
        (0.0, None, 0.0, False),
        (-0.7, None, 0.7, False),
        (0.7, None, 0.0, True),
        (-0.7, 0.7, 0.7, False),
        (-0.7, 0.0, 0.0, True),
        (0.0, 0.7, 0.7, True),
    ],
)
def test_the_indicator_is_only_there_where_needed(
    bias: float, threshold: float | None, theta: float, indicator: bool
) -> None:
    c = circuits.random_residual(4, 2, 2, 1, seed=0)
    c = ResidualCircuits(c.w_in, c.w_out, torch.full_like(c.bias, bias))
    large = residual.embed(c, 8, 8, 2, seed=0, threshold=threshold)
    assert large.indicator is indicator
    torch.testing.assert_close(large.dense()[0][1], torch.full((8,), -theta))


def test_a_threshold_keeps_inactive_neurons_silent() -> None:
    on = {}
    for theta in (0.0, 1.0):
        c = circuits.random_residual(64, 4, 4, 1, seed=0, threshold=theta)
        active, x = circuits.random_active(64, 100, 1, seed=0), circuits.sphere(100, 1, 4, seed=0)
        on[theta] = residual.embed(c, 256, 256, 8, seed=0).run(active, x).on.item()
    assert on[0.0] == pytest.approx(0.5, abs=0.05)  # noise of either sign
    assert on[1.0] < 0.05


@given(**SIZES, bias=st.booleans(), z=st.integers(1, 6))
def test_encode_and_read_are_the_dense_sums(T: int, d: int, m: int, S: int, seed: int, bias: bool, z: int) -> None:
    c = circuits.random_residual(T, d, m, 1, seed=seed)
    c = ResidualCircuits(c.w_in, c.w_out, c.bias + 0.5) if bias else c
    large = residual.embed(c, d + 4, S * m, S, seed=seed)
    active, x = circuits.random_active(T, 3, min(z, T), seed=seed), circuits.sphere(3, min(z, T), d, seed=seed)
    X = large.encode(active, x)
    full = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1) if bias else x
    torch.testing.assert_close(X, torch.einsum("bzDk,bzk->bD", large.E[active], full), atol=1e-5, rtol=1e-4)
    estimates = torch.einsum("bzDk,bD->bzk", large.E[active][..., :d], X)
    torch.testing.assert_close(large.read(X, active, 0), estimates, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_float64_is_kept(orthonormal: bool) -> None:
    c = circuits.random_residual(1, 3, 2, 2, seed=0).to(torch.float64)
    large = residual.embed(c, 8, 8, 2, seed=0, orthonormal=orthonormal)
    active, x = torch.zeros(1, 1, dtype=torch.int64), circuits.sphere(1, 1, 3, seed=0).double()
    estimates = large.run(active, x).estimates
    assert {tensor.dtype for tensor in (estimates, large.E, *large.dense()[0])} == {torch.float64}
    if orthonormal:
        torch.testing.assert_close(estimates, c.run(active, x), atol=1e-12, rtol=0)


def test_the_seed_fixes_everything_and_the_global_generator_is_untouched() -> None:
    before = torch.get_rng_state()
    c = circuits.random_residual(4, 2, 2, 2, seed=0)
    states = [residual.embed(c, 8, 8, 2, seed=seed).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["E"], states[2]["E"])
    assert not torch.equal(states[0]["neurons"], states[2]["neurons"])
    assert torch.equal(before, torch.get_rng_state())


def test_gaussian_option_of_embed() -> None:
    c = circuits.random_residual(1, 2, 2, 1, seed=0)
    E = residual.embed(c, 64, 8, 2, seed=0, orthonormal=False).E
    assert not torch.allclose(E.mT @ E, torch.eye(2), atol=1e-3)
