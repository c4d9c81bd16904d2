"""The recursion for idle slots against networks that were built, and against hand-sized cases."""

import math

import pytest
import torch

from superpos import codes, sweep, theory


def test_leak_is_the_spread_of_linked_slots() -> None:
    T, n, S, z = 300, 200, 5, 2
    p = 1 - math.exp(-T * S**2 / n**2)
    K = torch.arange(z * S + 1)
    chance = torch.tensor([math.comb(z * S, k) * p**k * (1 - p) ** (z * S - k) for k in K.tolist()])
    y = (K - z * S * p) / (S * (1 - p))
    assert (chance * y).sum().item() == pytest.approx(0, abs=1e-6)
    assert theory.leak(T, n, S, z) == pytest.approx((chance * y.square()).sum().sqrt().item(), rel=1e-5)
    # With x = 10·25/10⁶ small it is √(zTS)/n = √(2·10·5)/1000 = 0.01.
    assert theory.leak(10, 1000, 5, 2) == pytest.approx(0.01, rel=1e-3)


def test_first_excess_by_hand() -> None:
    # z = 2, T ρ² = 0.001 at T = 10, ρ = 0.01: the law is 9·l·0.01 + (l−1)·0.001·10 = 0.09, 0.19, 0.29.
    assert theory.first_excess([0.17, 0.37, 0.59], 10, 2, 0.01) == 3
    assert theory.first_excess([0.19, 0.1, 0.1], 10, 2, 0.01) == 1
    assert theory.first_excess([0.17, 0.37, 0.57], 10, 2, 0.01) is None
    # At z = 1 the first layer has no law and does not count: 0.001 at layer 2.
    assert theory.first_excess([5.0, 0.0015], 10, 1, 0.01) is None
    assert theory.first_excess([5.0, 0.0021], 10, 1, 0.01) == 2
    assert theory.first_excess([0.0, 0.0035], 10, 1, 0.01, factor=4.0) is None


def test_first_layer_is_exact() -> None:
    code = codes.progression(120, 100, 4)
    first = theory.rotations(code, 1, 1)[0]
    assert first.point.active == pytest.approx(0, abs=1e-20)
    assert first.indicator.active == 0
    assert first.point.inactive == pytest.approx(code.rho_star, rel=0.05)  # a sample's mean, not the formula


@pytest.mark.parametrize(("n", "T", "S", "z"), [(250, 250, 6, 1), (500, 557, 6, 2), (250, 557, 6, 1), (200, 150, 4, 3)])
def test_recursion_predicts_networks(n: int, T: int, S: int, z: int) -> None:
    setting = sweep.RotationSetting(4 * n, T, S, z)
    measured = [sweep.rotations(setting, seed, L=5, batch=500) for seed in range(4)]
    foretold = theory.rotations(codes.progression(T, n, S), z, 5)
    for name, predicted in {
        "point active": [p.point.active for p in foretold],
        "indicator inactive": [p.indicator.inactive for p in foretold],
    }.items():
        mean = torch.tensor([m[name] for m in measured]).mean(dim=0)
        ratio = mean / torch.tensor(predicted)
        alive = [l for l in range(1, 5) if foretold[l].point.active < 0.5]  # later a network is dead
        assert len(alive) > 1
        assert all(0.8 < ratio[l] < 1.25 for l in alive), (name, ratio)


def test_light_load_never_seizes_and_full_load_does() -> None:
    assert theory.onset(codes.line(100, 500, 5), 1, 12) is None
    assert theory.onset(codes.progression(557, 250, 6), 1, 12) == 3


def test_same_seed_same_prediction() -> None:
    code = codes.random(80, 60, 4, seed=0)
    once, again, other = (theory.rotations(code, 2, 4, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_tiny_cases_have_a_prediction() -> None:
    for T, n, S, z in ((1, 3, 2, 1), (2, 4, 1, 2), (3, 6, 2, 3)):
        for layer in theory.rotations(codes.line(T, n, S), z, 3):
            assert math.isfinite(layer.point.active)
            assert math.isfinite(layer.point.inactive)


@pytest.mark.parametrize(("z", "L", "name"), [(0, 3, "z"), (6, 3, "z"), (1, 0, "L")])
def test_refuses(z: int, L: int, name: str, unhooked: None) -> None:
    with pytest.raises(ValueError, match=name):
        theory.rotations(codes.line(5, 20, 3), z, L)


def test_a_stored_row_is_made_again() -> None:
    row = sweep.stored("reference", z=1, seed=3)[0]
    again = sweep.rotations(sweep.setting(row, sweep.RotationSetting), 3, L=5)
    for name, values in again.items():
        assert values == pytest.approx(row[name], rel=0.02, abs=1e-6), name


def test_limit_is_where_the_idle_slots_switch_on() -> None:
    T = theory.seizure_limit(60, 4, 1, code="line", L=10)
    below, above = (theory.rotations(codes.line(round(f * T), 60, 4), 1, 10)[-1].idle_on for f in (0.9, 1.15))
    assert below < 1 / 3 < above
