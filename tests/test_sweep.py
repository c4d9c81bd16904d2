"""Experiments: a setting and a seed fix the result, and the search finds what a plain scan finds."""

import math

import pytest
import torch

from superpos import circuits, errors, residual, sweep, theory
from superpos.circuits.trained import Tasks
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


@pytest.mark.parametrize("of", ["update", "signal"])
def test_usable_finds_the_crossing(of: str) -> None:
    asked = sweep.Demand(64, 64, 4, of=of)
    found = sweep.usable(asked, 0)
    around = [sweep.measured_error(asked, max(2, round(found["T"] * step)), 0) for step in (0.5, 2)]
    assert around[0] < 0.1 < around[1]
    assert found["predicted"] == theory.predicted_usable(asked)
    assert math.log(found["T"] / found["predicted"]) == pytest.approx(0, abs=0.5)


def test_where_even_the_fewest_are_too_many_none_are_usable() -> None:
    asked = sweep.Demand(32, 32, 1, z=4)
    assert sweep.measured_error(asked, 4, 0) > 0.1
    assert sweep.usable(asked, 0) == {"T": 0.0, "predicted": 0}


def test_answers_are_those_of_the_network() -> None:
    of = sweep.Setting(D=32, M=32, T=20, z=2, S=1)
    found = sweep.answers(of, 1, batch=500)
    small, active = circuits.random_residual(20, 4, 4, 1, seed=1), circuits.random_active(20, 500, 2, seed=1)
    x = circuits.sphere(500, 2, 4, seed=1)
    y = small.run(active, x)[1]
    off = (residual.embed(small, 32, 32, 1, seed=1).run(active, x).estimates[1] - y).square().sum(-1).flatten()
    change = (y - x).square().sum(-1).mean()
    assert found["lost"] == pytest.approx(sum(e > change for e in off.tolist()) / 1000)
    assert 0.05 < found["lost"] < 0.95  # neither none nor all
    assert found["worst"] == pytest.approx((off.sort().values[-2] / change).item(), rel=0.2)  # one of 1,000 is worse
    assert found["of_update"] == pytest.approx((off.mean() / change).item(), rel=1e-5)
    assert found["of_signal"] == pytest.approx((off.sum() / y.square().sum()).item(), rel=1e-5)


def test_held_by_few_is_a_share_of_all_samples() -> None:
    all_of_them = sweep.held_by_few(SMALL, 0, L=2, batch=16, few=16)["held"]
    assert all_of_them == pytest.approx([1.0, 1.0])
    few = sweep.held_by_few(SMALL, 0, L=2, batch=16, few=4)["held"]
    assert all(4 / 16 < share < 1 for share in few)  # the worst four hold more than four alike would
    small, active = circuits.random_residual(20, 4, 4, 2, seed=0), circuits.random_active(20, 16, 2, seed=0)
    large = residual.embed(small, 64, 64, 4, seed=0)
    *_, (_, X) = large.states(active, circuits.sphere(16, 2, 4, seed=0))
    states = large.read_all(X, 2)
    by_sample = [sum(states[b, t].square().sum().item() for t in range(20) if t not in active[b]) for b in range(16)]
    assert few[1] == pytest.approx(sum(sorted(by_sample)[-4:]) / sum(by_sample), rel=1e-5)


def test_inactive_circuits_are_inactive_and_distinct() -> None:
    active = circuits.random_active(7, 200, 3, seed=0)
    others = experiments._inactive(active, 7, seed=0)
    assert others.shape == (200, 4)
    rows = torch.cat([active, others], dim=1).sort().values
    assert torch.equal(rows, torch.arange(7).expand(200, 7))


def test_affine_is_the_least_squares_fit_of_each_task() -> None:
    g = torch.Generator().manual_seed(0)
    x, task = torch.randn(600, 3, generator=g), torch.randint(2, (600,), generator=g)
    labels = torch.where(x @ torch.tensor([1.0, -2, 0]) + task > 0.7, 1, -1)
    w = sweep.affine(x, labels, task, 2)
    for t in (0, 1):
        mine = task == t
        A = torch.cat([x[mine], torch.ones(int(mine.sum()), 1)], dim=1).double()
        y = labels[mine].double()
        share = torch.where(y > 0, 1 / (y > 0).sum(), 1 / (y < 0).sum()).sqrt()  # both labels weigh the same
        plain = torch.linalg.lstsq(A * share[:, None], (y * share)[:, None]).solution[:, 0]
        torch.testing.assert_close(w[t], plain)


def test_affine_needs_both_labels() -> None:
    with pytest.raises(ValueError, match="task 1 has no sample of the label -1"):
        sweep.affine(torch.ones(3, 2), torch.tensor([1, -1, 1]), torch.tensor([0, 0, 1]), 2)


def test_the_read_out_without_a_neuron_reads_the_stream() -> None:
    """One input alone is read as it was stored, at any width; the inputs of others are noise that falls with width."""
    alone, wide = (sweep.linear_accuracy(D, 32, 1, 0, samples=60, batch=500) for D in (8, 64))
    assert alone == wide
    assert alone > 0.95
    narrow, wider = (sweep.linear_accuracy(D, 32, 8, 0, samples=60, batch=250) for D in (16, 256))
    assert 0.6 < narrow < wider - 0.1
    assert wider == pytest.approx(alone, abs=0.02)
    assert narrow == sweep.linear_accuracy(16, 32, 8, 0, samples=60, batch=250)
    assert narrow != sweep.linear_accuracy(16, 32, 8, 1, samples=60, batch=250)


def test_a_neuron_is_needed_for_the_inseparable_tasks_alone() -> None:
    found = sweep.accuracy(256, 64, 1, 0, kind="inseparable", S=1, batch=500)
    linear = sweep.linear_accuracy(256, 64, 1, 0, kind="inseparable", samples=100, batch=500)
    assert abs(linear - 0.5) < 0.1
    assert found["superposed"] > 0.9
    assert found["dedicated"] == found["alone"] > 0.95  # 64 circuits of width 4 fit in 256
    half = sweep.accuracy(128, 64, 1, 0, kind="inseparable", S=1, batch=500)
    assert half["dedicated"] == pytest.approx(half["alone"] / 2 + 0.25)


def test_the_read_out_is_fitted_to_what_training_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    pools, draw = [], Tasks.draw
    monkeypatch.setattr(
        Tasks,
        "draw",
        lambda tasks, active, seed: [pools.append(tasks.pool), draw(tasks, active, seed=seed)][1],
    )
    sweep.linear_accuracy(8, 32, 1, 0, samples=60, batch=20)
    held_out = circuits.trained()[2].residual.pool
    assert [torch.equal(pool, held_out) for pool in pools] == [False, True]
    assert torch.equal(pools[0], ~held_out)
