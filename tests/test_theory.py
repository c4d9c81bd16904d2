"""Predictions against Monte Carlo and against small networks that are really built."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from superpos import balanced, circuits, codes, errors, redundant, residual, sweep, theory
from superpos.sampling import generator

N = 400_000  # samples of a Monte Carlo mean


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def test_formulas_by_hand() -> None:
    assert theory.read_off(4, 64, 8.0) == 0.5  # 4 · 8 / 64
    assert theory.gaussian_self_term(3, 8, 2.0) == 1.0  # (3 + 1) · 2 / 8
    assert theory.sharing(2, 16, 4) == 0.5  # 2 · 4 / 16
    assert theory.interference(10, 2, 16, 4, 0.1) == pytest.approx(0.5)  # 0.5 · 10 · 0.1
    # ϱ = 3/15 = 0.2: 1 · (1/4 + 3/4 · 0.2) = 0.4
    assert theory.averaged(1.0, 16, 4) == pytest.approx(0.4)
    assert theory.averaged(1.0, 1, 1) == 1.0


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (-1.5, 0.5), (0.7, 2.0), (3.0, 0.01)])
def test_rectified_normal(mean: float, variance: float) -> None:
    sample = (mean + math.sqrt(variance) * normal(N)).relu()
    one, two = theory.rectified(torch.tensor(mean).double(), torch.tensor(variance).double())
    for found, values in ((one, sample), (two, sample.square())):
        assert found.item() == pytest.approx(values.mean().item(), abs=4 * values.std().item() / math.sqrt(N))


def test_rectified_limits() -> None:
    one, two = theory.rectified(torch.zeros(1).double(), torch.full((1,), 2.0).double())
    assert one.item() == pytest.approx(math.sqrt(2 / (2 * math.pi)))  # √(v/2π)
    assert two.item() == pytest.approx(1.0)  # v/2
    one, two = theory.rectified(torch.tensor([2.0, -2.0]).double(), torch.zeros(2).double())  # no noise: ReLU itself
    assert one.tolist() == pytest.approx([2, 0])
    assert two.tolist() == pytest.approx([4, 0])


@pytest.mark.parametrize(
    ("n", "probability", "kurtosis"), [(40, 0.05, 1.0), (300, 0.03, 1.6), (2000, 0.2, 1.3), (0, 0.1, 1.0)]
)
def test_sharers_have_the_stated_mean_and_variance(n: int, probability: float, kurtosis: float) -> None:
    c = 0.3
    w, v = theory.sharers(n, probability, c, kurtosis)
    assert len(w) <= 32
    mean, variance = (w @ v).item(), (w @ v.square() - (w @ v) ** 2).item()
    assert w.sum().item() == pytest.approx(1)
    assert mean == pytest.approx(n * probability * c, rel=1e-6)
    # A little of the variance is lost by grouping the counts.
    assert variance == pytest.approx(n * c * c * (probability * kurtosis - probability**2), rel=0.05)


def test_collisions_keep_mean_and_variance_of_the_sum() -> None:
    values, z, probability = normal(256, 2, seed=3) + 0.5, 4, 0.1
    w, found = theory.collisions(values, z, probability)
    first, second = values.mean().item(), values.square().mean().item()
    assert w.sum().item() == pytest.approx(1)
    assert w[0].item() == pytest.approx(0.9**4)
    mean = (w @ found).item()
    assert mean == pytest.approx(z * probability * first, rel=1e-3)
    variance = z * probability * second - z * (probability * first) ** 2
    assert (w @ found.square()).item() - mean**2 == pytest.approx(variance, rel=1e-2)


@pytest.mark.parametrize(("p", "shared", "S"), [(0.5, 0.2, 8), (-0.3, 0.0, 4), (0.0, 0.1, 1)])
def test_copies(p: float, shared: float, S: int) -> None:
    sharers = torch.tensor([0.3, 0.7]).double(), torch.tensor([0.05, 0.6]).double()
    met = torch.tensor([0.8, 0.2]).double(), torch.tensor([0.0, -1.0]).double()
    samples, uniform = N // 4, torch.rand((2, N // 4, S), generator=generator(1))
    noise = torch.where(uniform[0] < 0.3, 0.05, 0.6).sqrt() * normal(samples, S, seed=2)
    value = torch.where(uniform[1] < 0.8, 0.0, -1.0)
    copies = (p + math.sqrt(shared) * normal(samples, 1, seed=3) + noise + value).relu().mean(dim=1)
    mean, variance = theory.copies(torch.tensor(p).double(), torch.tensor(shared).double(), sharers, met, S)
    assert mean.item() == pytest.approx(copies.mean().item(), abs=4 * copies.std().item() / samples**0.5)
    assert variance.item() == pytest.approx(copies.var().item(), rel=0.03)


def test_statistics_by_hand() -> None:
    # One neuron, d = 1: w_in = 2, b = −1 − …: x = 3 gives p = 2·3 − 1 = 5 and y = 3 + 4·5 = 23.
    one = torch.ones(1, 1, 1, 1)
    c = circuits.ResidualCircuits(2 * one, 4 * one, -one[0])
    active = torch.zeros(1, 1, dtype=torch.int64)
    (s,) = theory.statistics(c, active, torch.full((1, 1, 1), 3.0))
    assert (s.d, s.theta, s.x, s.y) == (1, 1.0, 9.0, 529.0)
    assert s.silent_rows.tolist() == [[[2.0]]]
    assert s.silent_columns.tolist() == [[[4.0]]]
    assert not s.indicator
    assert (s.pre.item(), s.w_in.item(), s.w_indicator.item(), s.kurtosis) == (5.0, 4.0, 0.0, 1.0)
    # With θ = 0 the bias needs the on-indicator, whose 1 counts in x and y.
    (s,) = theory.statistics(c, active, torch.full((1, 1, 1), 3.0), threshold=0.0)
    assert (s.theta, s.x, s.y, s.w_indicator.item()) == (0.0, 10.0, 530.0, 1.0)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_read_off_against_embedding_matrices(orthonormal: bool) -> None:
    T, d, D, z = 60, 3, 64, 3
    squares: dict[str, list[float]] = {"active": [], "inactive": []}
    active, x = circuits.random_active(T, 200, z, seed=0), circuits.sphere(200, z, d, seed=0)
    small = circuits.random_residual(T, d, 1, 1, seed=0)
    for seed in range(20):
        large = residual.embed(small, D, 4, 1, seed=seed, orthonormal=orthonormal)
        estimates = large.read_all(large.encode(active, x), 0)
        truth = torch.zeros_like(estimates)
        truth[torch.arange(200)[:, None], active] = x
        square = (estimates - truth).square().sum(-1)
        on = torch.zeros(200, T, dtype=torch.bool).scatter_(1, active, True)
        squares["active"].append(square[on].mean().item())
        squares["inactive"].append(square[~on].mean().item())
    own = 0.0 if orthonormal else theory.gaussian_self_term(d, D, float(d))
    expected = {"active": theory.read_off(d, D, (z - 1.0) * d) + own, "inactive": theory.read_off(d, D, 1.0 * z * d)}
    for kind, values in squares.items():
        standard_error = np.std(values, ddof=1) / len(values) ** 0.5
        assert np.mean(values) == pytest.approx(expected[kind], abs=4 * standard_error), kind
        assert standard_error < 0.03 * expected[kind]  # or the line above would say nothing


@pytest.mark.parametrize(
    "setting",
    [
        sweep.Setting(D=256, M=256, T=64, z=1, S=8),
        sweep.Setting(D=256, M=512, T=150, z=3, S=4),
        sweep.Setting(D=384, M=256, T=200, z=2, S=6, threshold=0.5),
        sweep.Setting(D=256, M=256, T=100, z=2, S=5, d=3, m=5),
    ],
    ids=str,
)
def test_every_term_of_one_layer(setting: sweep.Setting) -> None:
    runs = [sweep.one_layer(setting, seed, batch=256) for seed in range(6)]
    for name in runs[0]:
        measured, predicted = np.array([run[name] for run in runs]).T
        standard_error = measured.std(ddof=1) / len(runs) ** 0.5
        allowed = max(0.1 * predicted.mean(), 2 * standard_error, 1e-9)
        assert measured.mean() == pytest.approx(predicted.mean(), abs=allowed), name


def test_biases_of_either_sign() -> None:
    # The on-indicators are part of what is read and written.
    measured, predicted = [], []
    for seed in range(6):
        c = circuits.random_residual(150, 4, 4, 1, seed=seed)
        bias = 0.5 * torch.randn(1, 150, 4, generator=generator(seed + 100))
        c = circuits.ResidualCircuits(c.w_in, c.w_out, bias)
        active, x = circuits.random_active(150, 256, 2, seed=seed), circuits.sphere(256, 2, 4, seed=seed)
        large = residual.embed(c, 256, 256, 8, seed=seed)
        measured.append(errors.measure(large, c, active, x).active.mean.item())
        predicted.append(theory.layers(c, active, x, 256, 256, 8)[0].active.total)
    standard_error = np.std(measured, ddof=1) / len(measured) ** 0.5
    assert np.mean(measured) == pytest.approx(np.mean(predicted), abs=max(0.1 * np.mean(predicted), 2 * standard_error))


@pytest.mark.parametrize("change", [dict(T=200), dict(D=128), dict(M=128), dict(z=2)])
def test_errors_grow_with_T_and_z_and_shrink_with_D_and_M(change: dict[str, int]) -> None:
    small = circuits.random_residual(100, 4, 4, 1, seed=0)
    (s,) = theory.statistics(small, torch.arange(100)[:, None], circuits.sphere(100, 1, 4, seed=0))
    sizes = dict(T=100, D=256, M=256, S=8, z=1)
    before, after = (theory.layer(s, **kind)[0].active.total for kind in (sizes, {**sizes, **change}))
    assert after > before


def test_layers_hand_their_errors_on() -> None:
    small = circuits.random_residual(50, 4, 4, 2, seed=0)
    active, x = circuits.random_active(50, 64, 2, seed=0), circuits.sphere(64, 2, 4, seed=0)
    first, second = theory.layers(small, active, x, 256, 256, 8)
    one, e, q = theory.layer(theory.statistics(small, active, x)[0], 50, 256, 256, 8, 2)
    assert (first, e > 0, q > 0) == (one, True, True)
    assert first.relative == first.active.total / first.signal
    again, _, _ = theory.layer(theory.statistics(small, active, x)[1], 50, 256, 256, 8, 2, e=e, q=q)
    assert second == again
    # What was there stays there; the rest is what this layer adds.
    after, e, q = theory.layer(theory.statistics(small, active, x)[1], 50, 256, 256, 8, 2, e=1.0, q=0.5)
    assert e == pytest.approx(1 + after.active.own)
    assert after.inactive.written_back == pytest.approx(theory.read_off(4, 256, (50 - 3) * (q - 0.5)))
    assert after.active.written_back == pytest.approx(theory.read_off(4, 256, (50 - 2) * (q - 0.5)), rel=0.05)
    # What stands in the stream after layer 1 is read off before layer 2.
    # Of an active circuit's total the echo, a percent or two, is not handed on.
    assert second.active.read_off == pytest.approx(first.active.total, rel=0.02)
    assert second.inactive.read_off == pytest.approx(first.inactive.total, rel=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 141), (0.01, 1414), (1e-6, 141421)])
def test_usable_circuits_of_a_known_law(scale: float, expected: int) -> None:
    asked: list[int] = []

    def predict(T: int) -> float:
        asked.append(T)
        return scale * T * T / 200_000  # 0.1 at T = √(20000/scale) = 141.4/√scale

    found = theory.usable_circuits(predict, 0.1)
    assert found == pytest.approx(expected, abs=0 if expected < 1000 else expected / 1000)
    assert predict(found) <= 0.1
    assert len(asked) < 40


def test_doing_nothing_leaves_the_whole_update() -> None:
    """Neurons that answer nothing leave the state as it was: an error of the update of 1, less of the signal."""
    small = circuits.random_residual(40, 4, 4, 2, seed=0)
    t, x = torch.arange(40)[:, None], circuits.sphere(40, 1, 4, seed=0)
    states = small.run(t, x)
    idle = x.expand_as(states[1:])
    assert errors.of_update(idle, states[1:], x).error.tolist() == [1.0, 1.0]
    assert errors.of_update(states[1:], states[1:], x).error.tolist() == [0.0, 0.0]
    assert (errors.relative(idle, states[1:]).error < 0.8).all()
    # |x − x⁰|² = 4 and 9, |δ|² = 1 each: 2/13
    truth, before = torch.tensor([[[2.0]], [[3.0]]]), torch.zeros(2, 1, 1)
    assert errors.of_update(truth + 1, truth, before).error.item() == pytest.approx(2 / 13)
    predicted = theory.layers(small, t, x, 256, 256, 4)
    change = (states[1:] - x).square().sum(dim=-1).mean(dim=(1, 2))
    for one, square in zip(predicted, change.tolist(), strict=True):
        assert one.of_update == pytest.approx(one.active.total / square, rel=1e-5)


def test_of_update_refuses_other_shapes(unhooked: None) -> None:
    x = torch.zeros(3, 1, 4)
    with pytest.raises(ValueError, match="before has shape"):
        errors.of_update(x, x, x[:2])
    with pytest.raises(ValueError, match="estimate has shape"):
        errors.of_update(x[:2], x, x)


def test_a_lenient_measure_finds_more_usable() -> None:
    asked = theory.Demand(256, 256, threshold=0.7)
    assert theory.predicted_usable(asked) < theory.predicted_usable(replace(asked, of="signal"))
    assert theory.predicted_usable(replace(asked, S=1)) > theory.predicted_usable(asked)
    # M counts, not D alone
    assert theory.predicted_usable(replace(asked, M=512)) > theory.predicted_usable(asked)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"of": "input"}, "of is 'input'; it must be one of update, signal"),
        ({"S": 100}, "S is 100: .* must fit in M = 256"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"z": 0}, "z is 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(unhooked: None, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        theory.Demand(**{"D": 256, "M": 256, **wrong})


def test_sharers_of_astronomical_numbers() -> None:
    """Their noise has mean n π c, 10¹⁴ · 4/2³⁰ · 0.1, to rounding: factorials of 10¹⁴ would leave six digits."""
    w, v = theory.sharers(10**14, 4 / 2**30, 0.1, 1.05)
    assert (w * v).sum().item() == pytest.approx(10**14 * 4 / 2**30 * 0.1, rel=1e-12)


def test_no_circuit_is_usable() -> None:
    assert theory.usable_circuits(lambda T: 0.2) == 0


def test_one_coordinate_hears_its_own_echo() -> None:
    # d = m = 1, where the overlap by which u hears t and t hears u back is one number: 1.5 times d(T−z)E|w_out ĥ|²/D.
    setting = sweep.Setting(D=256, M=256, T=100, z=1, S=16, d=1, m=1)
    runs = torch.tensor([sweep.one_layer(setting, seed)["active written_back"] for seed in range(8)])
    measured, predicted = runs.mean(dim=0).tolist()
    assert abs(measured - predicted) < max(0.1 * predicted, 2 * runs[:, 0].std().item() / 8**0.5)


def test_trained_circuits_are_predicted() -> None:
    # Their weights are correlated, and they have biases: what independent weights would give is far off.
    _, trained, samples = circuits.trained()
    small, active = trained[:256], circuits.random_active(256, 256, 1, seed=0)
    x, _ = samples.residual.draw(active, seed=0)
    seeds = [errors.measure(residual.embed(small, 1024, 1024, 8, seed=s), small, active, x) for s in range(5)]
    measured = torch.stack([e.active.mean[0] for e in seeds])
    predicted = theory.layers(small, active, x, 1024, 1024, 8)[0].active.total
    assert abs(measured.mean().item() - predicted) < max(0.1 * predicted, 2 * measured.std().item() / 5**0.5)


def test_first_order_in_the_overlap_by_hand() -> None:
    mlps, point = theory.mlps(2, 10, 3, 0.1, state=2.0, pre=5.0), theory.point(3, 10, 2, 0.1)
    indicator = theory.indicator(3, 0.1)
    assert mlps.inactive == pytest.approx(0.6)  # 3 · 0.1 · 2
    assert mlps.active == pytest.approx(3.5)  # 0.1 · 5 · (2 · 2 + 1 · 10 · 0.1 · 3) = 0.5 · 7
    assert point.inactive == pytest.approx(0.2)
    assert point.active == pytest.approx(4.7)  # (3 − 1) · 10 · 0.1² · (2 + 8 · 1) + 9 · 3 · 0.1 · 1 = 2 + 2.7
    assert (indicator.active, indicator.inactive) == (0.0, pytest.approx(0.3))
    # √(z(e^x − 1)/S) with x = TS²/n² = 0.6932, ln 2: √(3 · 1/2)
    assert theory.leak(1733, 100, 2, 3) == pytest.approx(1.5**0.5, rel=1e-3)


@pytest.mark.parametrize("z", [1, 2])
def test_redundant_circuits_that_forget_what_they_hear(z: int) -> None:
    # At Tρ = 1.8: for z = 1 all of the error came back through inactive circuits, for z = 2 half of it and more.
    T, n, S, seeds = 200, 100, 4, 6
    code, found = codes.line(T, n, S), []
    for seed in range(seeds):
        c = circuits.kaleidoscopes(T, 3, seed=seed)
        large = redundant.embed(c, 4 * n, S, seed=seed, code=code, ideal=True)
        active = torch.arange(T)[:, None] if z == 1 else circuits.random_active(T, 200, z, seed=seed)
        x = circuits.sphere(len(active), z, 2, seed=seed) / math.sqrt(2)
        found.append(errors.measure(large, c, active, torch.cat([x.relu(), (-x).relu()], dim=-1)).active.mean)
    mean, spread = torch.stack(found).mean(dim=0).tolist(), (torch.stack(found).std(dim=0) / seeds**0.5).tolist()
    for l in (1, 2, 3):
        expected = theory.mlps(l, T, z, code.rho_star).active  # of a state: E|a|² in the place of E|w a|²
        assert spread[l - 1] <= 0.1 * expected + 1e-9  # or the next line would say nothing
        assert abs(mean[l - 1] - expected) <= 0.1 * expected + 1e-9, l


@pytest.mark.parametrize("z", [1, 2])
def test_rotations_are_predicted_where_their_overlap_is_small(z: int) -> None:
    T, n, S, seeds = 300, 600, 6, 4
    code, found = codes.progression(T, n, S), []
    for seed in range(seeds):
        c = circuits.conditional_rotations(T, 4, seed=seed)
        large = balanced.embed(c, 4 * n, S, seed=seed, code=code)
        active = torch.arange(T)[:, None] if z == 1 else circuits.random_active(T, 600, z, seed=seed)
        a = circuits.conditional_inputs(circuits.sphere(len(active), z, 2, seed=seed) / math.sqrt(2))
        found.append(errors.rotations(large, c, active, a))
    by_layer = [theory.point(l, T, z, code.rho_star) for l in range(1, 5)]
    checks = [
        ([e.point.active.mean for e in found], [p.active for p in by_layer]),
        ([e.point.inactive.mean for e in found], [p.inactive for p in by_layer]),
        ([e.indicator.inactive.mean for e in found], [theory.indicator(z, code.rho_star).inactive] * 4),
        ([e.indicator.active.mean for e in found], [theory.indicator(z, code.rho_star).active] * 4),
    ]
    for measured, predicted in checks:
        mean, spread = torch.stack(measured).mean(dim=0), torch.stack(measured).std(dim=0) / seeds**0.5
        for value, expected, standard_error in zip(mean.tolist(), predicted, spread.tolist(), strict=True):
            assert standard_error <= 0.15 * expected + 1e-4  # or the next line would say nothing
            assert value == pytest.approx(expected, abs=max(0.1 * expected, 3 * standard_error, 1e-9))


def test_leak_is_what_idle_slots_hear_in_layer_2() -> None:
    T, n, S, z = 557, 500, 6, 1
    code, c = codes.progression(T, n, S), circuits.conditional_rotations(T, 2, seed=0)
    large = balanced.embed(c, 4 * n, S, seed=0, code=code)
    active = torch.arange(T)[:, None]
    a = circuits.conditional_inputs(circuits.sphere(T, z, 2, seed=0) / math.sqrt(2))
    W, b = large.dense()[1]
    pre = large.layers[0](large.encode(active, a)) @ W[:n].T
    idle = torch.ones(T, n, dtype=torch.bool).scatter_(1, large.slots[1], False)
    heard = pre[idle] / 2  # block 0 is 2α before its bias
    assert heard.std().item() == pytest.approx(theory.leak(T, n, S, z), rel=0.08)
    assert (b[:n] == -0.5).all()
