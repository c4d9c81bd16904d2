"""Measured errors against plain loops over samples and circuits."""

import pytest
import torch
from torch import Tensor

from superpos import circuits, dedicated, errors, residual
from superpos.circuits import ResidualCircuits

T, z, B, d, m, S, M = 5, 2, 4, 3, 2, 3, 8


def setting(bias: float | None, L: int = 1) -> tuple[residual.ResidualNetwork, ResidualCircuits, Tensor, Tensor]:
    """A tiny network; bias −0.2 is a threshold, None are biases of either sign, which need the on-indicator."""
    c = circuits.random_residual(T, d, m, L, seed=0)
    b = torch.linspace(-1, 1, L * T * m).view(L, T, m) if bias is None else torch.full((L, T, m), bias)
    c = ResidualCircuits(c.w_in, c.w_out, b)
    return (
        residual.embed(c, 9, M, S, seed=0),
        c,
        circuits.random_active(T, B, z, seed=0),
        circuits.sphere(B, z, d, seed=0),
    )


@pytest.mark.parametrize("bias", [0.0, -0.2, None])
def test_measure_is_the_double_loop(bias: float | None) -> None:
    large, c, active, x = setting(bias, L=2)
    found = errors.measure(large, c, active, x)
    truth, A = c.run(active, x), large.encode(active, x)
    for l, (W_in, b, W_out) in enumerate(large.dense()):
        A = A + (A @ W_in.T + b).relu() @ W_out.T
        own, others = torch.zeros(B, z), torch.zeros(B, T - z)
        for s in range(B):
            chosen = active[s].tolist()
            for i, t in enumerate(chosen):
                own[s, i] = (large.E[t, :, :d].T @ A[s] - truth[l + 1, s, i]).square().sum()
            for i, u in enumerate(u for u in range(T) if u not in chosen):
                others[s, i] = (large.E[u, :, :d].T @ A[s]).square().sum()
        for summary, squares in ((found.active, own), (found.inactive, others)):
            torch.testing.assert_close(summary.mean[l], squares.mean(), atol=1e-5, rtol=1e-3)
            torch.testing.assert_close(summary.standard_error[l], squares.mean(1).std() / B**0.5, atol=1e-5, rtol=1e-3)
            torch.testing.assert_close(summary.worst[l], squares.max().sqrt(), atol=1e-5, rtol=1e-3)
        signal = truth[l + 1].square().sum(-1).mean()
        torch.testing.assert_close(found.relative[l], own.mean() / signal, atol=1e-5, rtol=1e-3)


def test_dedicated_has_no_error_and_all_active_leave_no_inactive_ones() -> None:
    c = circuits.random_mlps(3, 2, 2, seed=0)
    found = errors.measure(
        dedicated.embed(c), c, circuits.random_active(3, 4, 3, seed=0), circuits.sphere(4, 3, 2, seed=0)
    )
    assert found.active.worst.max() < 1e-5
    assert found.inactive.mean.isnan().all()


def loop_terms(large: residual.ResidualNetwork, c: ResidualCircuits, active: Tensor, x: Tensor, asked: Tensor) -> dict:
    """Every term, for one sample and one circuit at a time."""
    found: dict[str, list[float]] = {name: [] for name in errors.Terms.__dataclass_fields__}
    theta, E, V = -large.dense()[0][1][0].item(), large.E, large.neurons[0]
    for s in range(len(active)):
        state = {t: x[s, i] for i, t in enumerate(active[s].tolist())}
        X, pre, h, wrote = loop_layer(large, c, state, theta)
        for t in asked[s].tolist():
            p = c.w_in[0, t] @ state[t] + c.bias[0, t] if t in state else torch.full((m,), -theta)
            before = state.get(t, torch.zeros(d))
            after = before + c.w_out[0, t] @ p.relu() if t in state else before
            silent = sum((wrote[u] for u in range(T) if u != t and u not in state), torch.zeros(E.shape[1]))
            gap, read = pre[V[t]] - p[:, None], E[t, :, :d].T
            found["read_off"].append((read @ X - before).square().sum().item())
            found["read_in"].append(gap.square().mean().item())
            found["averaged"].append(gap.mean(dim=1).square().mean().item())
            found["neuron"].append((h[t] - p.relu()).square().mean().item())
            found["own"].append((c.w_out[0, t] @ (h[t] - p.relu())).square().sum().item())
            found["written_back"].append((read @ silent).square().sum().item())
            found["total"].append((read @ (X + sum(wrote.values())) - after).square().sum().item())
    return found


def loop_layer(large: residual.ResidualNetwork, c: ResidualCircuits, state: dict[int, Tensor], theta: float) -> tuple:
    """The stream, the large neurons, and each circuit's averaged neurons and what they write: E and V are looked at,
    W_in and W_out are not."""
    E, V, k = large.E, large.neurons[0], large.E.shape[2]
    w_in = torch.cat([c.w_in[0], c.bias[0][..., None] + theta], dim=-1)[..., :k]
    X = sum((E[t] @ torch.cat([v, torch.ones(k - d)]) for t, v in state.items()), torch.zeros(E.shape[1]))
    pre = torch.full((M,), -theta)
    for t in range(T):
        for j in range(m):
            pre[V[t, j]] += w_in[t, j] @ E[t].T @ X
    h = {t: torch.stack([pre[V[t, j]].relu().sum() / S for j in range(m)]) for t in range(T)}
    return X, pre, h, {t: E[t, :, :d] @ c.w_out[0, t] @ h[t] for t in range(T)}


@pytest.mark.parametrize("bias", [0.0, -0.2, None])
@pytest.mark.parametrize("inactive", [False, True])
def test_every_term_is_the_plain_loop(bias: float | None, inactive: bool) -> None:
    large, c, active, x = setting(bias)
    others = torch.tensor([[u for u in range(T) if u not in row][:2] for row in active.tolist()])
    found = errors.terms(large, c, active, x, others=others if inactive else None)
    for name, values in loop_terms(large, c, active, x, others if inactive else active).items():
        summary, by_sample = getattr(found, name), torch.tensor(values).view(B, -1).mean(dim=1)
        assert summary.mean.item() == pytest.approx(by_sample.mean().item(), rel=1e-3, abs=1e-6), name
        assert summary.standard_error.item() == pytest.approx(by_sample.std().item() / B**0.5, rel=1e-3, abs=1e-6), name
        if name not in {"read_in", "averaged", "neuron"}:  # those are one number a circuit here, a mean over neurons
            assert summary.worst.item() == pytest.approx(max(values) ** 0.5, rel=1e-3, abs=1e-4), name


def test_total_is_what_measure_finds() -> None:
    large, c, active, x = setting(None)
    measured, terms = errors.measure(large, c, active, x), errors.terms(large, c, active, x)
    torch.testing.assert_close(terms.total.mean, measured.active.mean[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(terms.total.worst, measured.active.worst[0], rtol=1e-4, atol=1e-6)


def test_one_circuit_alone_has_no_terms() -> None:
    c = circuits.random_residual(1, d, m, 1, seed=0)
    large = residual.embed(c, 9, M, S, seed=0)
    found = errors.terms(large, c, torch.zeros(B, 1, dtype=torch.int64), circuits.sphere(B, 1, d, seed=0))
    assert all(getattr(found, name).worst < 1e-5 for name in errors.Terms.__dataclass_fields__)


def test_averaging_can_only_help() -> None:
    large, c, active, x = setting(0.0)
    found = errors.terms(large, c, active, x)
    assert found.averaged.mean < found.read_in.mean  # Jensen
    assert found.neuron.mean < found.read_in.mean  # the ReLU brings no two numbers further apart


def test_parts_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    large, c, active, x = setting(0.0)
    whole = errors.measure(large, c, active, x), errors.terms(large, c, active, x)
    monkeypatch.setattr(errors, "_NUMBERS", 1)  # one sample at a time
    parts = errors.measure(large, c, active, x), errors.terms(large, c, active, x)
    torch.testing.assert_close(whole[0].inactive.worst, parts[0].inactive.worst)
    for name in errors.Terms.__dataclass_fields__:
        torch.testing.assert_close(getattr(whole[1], name).mean, getattr(parts[1], name).mean)
