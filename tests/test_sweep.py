"""Experiments: a setting and a seed fix the result, and the search finds what a plain scan finds."""

import math

import pytest
import torch

from superpos import circuits, errors, residual, sweep, theory
from superpos.sweep import experiments

SMALL = sweep.Setting(D=64, M=64, T=20, z=2, S=4)


def test_a_setting_and_a_seed_fix_the_result() -> None:
    first = sweep.one_layer(SMALL, 3, batch=32)
    assert first == sweep.one_layer(SMALL, 3, batch=32)
    assert first != sweep.one_layer(SMALL, 4, batch=32)
    kinds = {f"{kind} {name}" for kind in ("active", "inactive") for name in errors.Terms.__dataclass_fields__}
    assert set(first) == kinds
    assert set(theory.Terms.__dataclass_fields__) == set(errors.Terms.__dataclass_fields__)


def test_one_layer_is_measured_on_that_network() -> None:
    small = circuits.random_residual(20, 4, 4, 1, seed=3)
    active, x = circuits.random_active(20, 32, 2, seed=3), circuits.sphere(32, 2, 4, seed=3)
    measured = errors.measure(residual.embed(small, 64, 64, 4, seed=3), small, active, x)
    assert sweep.one_layer(SMALL, 3, batch=32)["active total"][0] == pytest.approx(
        measured.active.mean.item(), rel=1e-4
    )


def test_many_layers() -> None:
    found = sweep.many_layers(SMALL, 0, L=3, batch=32)
    assert len(found["measured"]) == len(found["predicted"]) == 3
    assert found["measured"][2] > found["measured"][0] > 0


def test_usable_finds_the_crossing() -> None:
    D, S, d = 64, 8, 4
    T = sweep.usable(D, 0.0, 0)
    around = [experiments._relative(D, max(2, round(T * step)), 0.0, 0, S, d) for step in (0.5, 2)]
    assert around[0] < 0.1 < around[1]
    assert math.log(T / theory.predicted_usable(D, 0.0)) == pytest.approx(0, abs=0.5)


def test_inactive_circuits_are_inactive_and_distinct() -> None:
    active = circuits.random_active(7, 200, 3, seed=0)
    others = experiments._inactive(active, 7, seed=0)
    assert others.shape == (200, 4)
    rows = torch.cat([active, others], dim=1).sort().values
    assert torch.equal(rows, torch.arange(7).expand(200, 7))
