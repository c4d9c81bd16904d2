"""Measured errors against plain loops over samples and circuits."""

import pytest
import torch
from torch import Tensor

from superpos import balanced, circuits, dedicated, errors, network, residual
from superpos.circuits import ResidualCircuits
from superpos.network import Network

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
    turning = rotating()
    whole = errors.measure(large, c, active, x), errors.terms(large, c, active, x), errors.rotations(*turning)
    monkeypatch.setattr(network, "_NUMBERS", 1)  # one sample at a time
    seen: list[int] = []
    encode = type(large).encode
    monkeypatch.setattr(type(large), "encode", lambda self, t, a: seen.append(len(t)) or encode(self, t, a))
    parts = errors.measure(large, c, active, x), errors.terms(large, c, active, x), errors.rotations(*turning)
    assert seen == [1] * (2 * B)
    torch.testing.assert_close(whole[0].inactive.worst, parts[0].inactive.worst)
    for name in errors.Terms.__dataclass_fields__:
        torch.testing.assert_close(getattr(whole[1], name).mean, getattr(parts[1], name).mean)
    for one, other in (
        (whole[0], parts[0]),
        (whole[2].point, parts[2].point),
        (whole[2].indicator, parts[2].indicator),
    ):
        torch.testing.assert_close(one.on, other.on)
        torch.testing.assert_close(one.signal, other.signal)
        for summary in ("active", "inactive"):
            for name in errors.Summary.__dataclass_fields__:
                found, expected = getattr(getattr(one, summary), name), getattr(getattr(other, summary), name)
                torch.testing.assert_close(found, expected)


def rotating() -> tuple[Network, circuits.MLPCircuits, Tensor, Tensor]:
    """Twelve conditional rotations on 16 slots, two active: enough overlap for errors in every layer."""
    c = circuits.conditional_rotations(12, 3, seed=0)
    active = circuits.random_active(12, 6, 2, seed=0)
    a = circuits.conditional_inputs(circuits.sphere(6, 2, 2, seed=0) / 2**0.5)
    return balanced.embed(c, 64, 3, seed=0), c, active, a


def test_rotations_are_the_plain_loop() -> None:
    large, c, active, a = rotating()
    found = errors.rotations(large, c, active, a)
    by_name = {"indicator": found.indicator, "point": found.point, "state": errors.measure(large, c, active, a)}
    truth, A = a.clone(), large.encode(active, a)
    for l, (W, b) in enumerate(large.dense()):
        A = (A @ W.T + b).relu()
        everyone, own, others = large.read_all(A, l + 1), loop_squares(), loop_squares()
        for s, chosen in enumerate(active.tolist()):
            for t in range(12):
                if t in chosen:  # α stays 1, and x turns by the circuit's angle
                    i = chosen.index(t)
                    x = c.weights[0, t, 2:, 2:] @ (truth[s, i, 2:] - 1)
                    truth[s, i] = torch.stack([torch.tensor(1.5), torch.tensor(0.5), *(x + 1)])
                    squares, alpha_0, x_0, state_0 = own, 1.0, x, truth[s, i]
                else:
                    squares, alpha_0, x_0, state_0 = others, 0.0, torch.zeros(2), torch.zeros(4)
                alpha = (everyone[s, t, 0] - everyone[s, t, 1]).item()
                squares["indicator"].append((alpha - alpha_0) ** 2)
                squares["point"].append((everyone[s, t, 2:] - alpha - x_0).square().sum().item())
                squares["state"].append((everyone[s, t] - state_0).square().sum().item())
        for name, observed in by_name.items():
            check_summary(observed.active, l, torch.tensor(own[name]).view(6, 2))
            check_summary(observed.inactive, l, torch.tensor(others[name]).view(6, 10))
            signal = truth.square().sum(-1).mean().item() if name == "state" else 1  # α² = |x|² = 1
            assert observed.signal[l].item() == pytest.approx(signal, rel=1e-5)
            by_block = [(A[:, 16 * i : 16 * i + 16] > 0).float().mean().item() for i in range(4)]
            assert observed.on[l].tolist() == pytest.approx(by_block)
    assert (found.point.inactive.mean > 0.01).all()  # there is something to measure
    assert (found.point.active.mean > 0.001).all()


def loop_squares() -> dict[str, list[float]]:
    return {"indicator": [], "point": [], "state": []}


def check_summary(summary: errors.Summary, l: int, squares: Tensor) -> None:
    """Against |δ|² as (sample, circuit)."""
    expected = squares.mean(), squares.mean(dim=1).std() / len(squares) ** 0.5, squares.max().sqrt()
    for found, value in zip((summary.mean[l], summary.standard_error[l], summary.worst[l]), expected, strict=True):
        assert found.item() == pytest.approx(value.item(), rel=1e-3, abs=1e-5)


def test_on_by_block_by_hand() -> None:
    # Two circuits of two neurons, biases (−1, 1) and (1, 1), weights the identity. Circuit 0 is given (2, −3): its
    # neurons are 2 − 1 = 1 and −3 + 1 → 0; circuit 1, given nothing, answers both of its biases. By small neuron,
    # 2 of 2 circuits have the first on, 1 of 2 the second.
    c = circuits.MLPCircuits(torch.eye(2).expand(1, 2, 2, 2), torch.tensor([[[-1.0, 1.0], [1.0, 1.0]]]))
    found = errors.measure(dedicated.embed(c), c, torch.tensor([[0]]), torch.tensor([[[2.0, -3.0]]]))
    assert found.on.tolist() == [[1.0, 0.5]]
    assert found.inactive.mean.tolist() == [2.0]  # 1² + 1²
    # The residual construction knows no blocks: one number, that of `run`.
    large, small, active, x = setting(None, L=2)
    on = errors.measure(large, small, active, x).on
    torch.testing.assert_close(on, large.run(active, x).on[:, None])


def test_relative_by_hand(unhooked: None) -> None:
    # Two samples of one circuit, d = 2: |δ|² = 1 and 4 + 9 = 13, |x|² = 4 and 1 + 1 = 2: 14 / 6. And a layer of zeros.
    truth = torch.tensor([[[[2.0, 0.0]], [[1.0, 1.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    estimate = truth + torch.tensor([[[[0.0, 1.0]], [[-2.0, 3.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    ratio, doubt = errors.relative(estimate, truth)
    r = 14 / 6
    spread = ((1 - 4 * r) ** 2 + (13 - 2 * r) ** 2) ** 0.5  # of e − r s, whose mean is 0: over √(B − 1) = 1
    assert ratio.tolist() == pytest.approx([r, 0.0])
    assert doubt.tolist() == pytest.approx([spread / 3 / 2**0.5, 0.0])
    assert errors.relative(estimate[:1, :1], truth[:1, :1]).standard_error.tolist() == [0.0]
    assert errors.relative(truth[:1], truth[1:]).error.item() == float("inf")
    assert errors.relative(truth[:1] * float("nan"), truth[:1]).error.isnan().all()
    with pytest.raises(ValueError, match=r"estimate has shape \(1, 2, 1, 2\), truth \(2, 2, 1, 2\)"):
        errors.relative(estimate[:1], truth)


def test_the_standard_error_of_relative_is_its_spread() -> None:
    g = torch.Generator().manual_seed(0)
    size = torch.rand(400, 200, 1, 1, generator=g) + 0.5  # 400 batches of 200 samples, loud ones off by more
    off = size * torch.randn(400, 200, 1, 3, generator=g)
    found = [errors.relative(size + own, size.expand(-1, -1, 3)) for size, own in zip(size, off, strict=True)]
    spread = torch.stack([f.error for f in found]).std().item()
    assert torch.stack([f.standard_error for f in found]).mean().item() == pytest.approx(spread, rel=0.1)


def test_a_last_part_that_is_smaller_weighs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    # Seven samples in parts of 3, 3 and 1: the last has other inputs, with which other neurons are on.
    small = circuits.random_residual(6, 3, 2, 2, seed=0)
    large = residual.embed(small, 16, 12, 2, seed=0)
    active = torch.zeros(7, 1, dtype=torch.int64)
    x = torch.ones(7, 1, 3)
    x[-1] *= -3
    whole = errors.measure(large, small, active, x)
    monkeypatch.setattr(network, "_NUMBERS", 3 * 6 * 3)
    parts = errors.measure(large, small, active, x)
    alone = [errors.measure(large, small, active[k : k + 1], x[k : k + 1]).on for k in (0, 6)]
    assert (alone[0] - alone[1]).abs().max() > 0.1
    torch.testing.assert_close(parts.on, (6 * alone[0] + alone[1]) / 7)
    torch.testing.assert_close(parts.on, whole.on)
