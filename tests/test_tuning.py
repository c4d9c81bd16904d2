"""Fine-tuning: what it learns from, what it changes, and that its rows can be made again."""

from itertools import pairwise

import pytest
import torch

from superpos import circuits, compress, sweep
from superpos.compression import Tuning, halves, tune, tuned

SHORT = Tuning(steps=6, T=49, D=420, batch=64)


@pytest.fixture(scope="module")
def first():
    stack, _, samples = circuits.trained()
    return stack[:49], halves(samples.mlp)


def test_halves_share_no_sample(first):
    _, (train, test) = first
    pool = circuits.trained()[2].mlp.pool
    assert not (train.pool & test.pool).any()
    assert torch.equal(train.pool | test.pool, pool)
    assert train.pool.nonzero().remainder(2).sum() == 0


def test_tuning_learns_and_leaves_no_gradients(first):
    small, (train, test) = first
    large = compress(small, z=2, tolerance=0.5, D=420, method="balanced")
    active = circuits.random_active(49, 500, 2, seed=0)
    x, _ = test.draw(active, seed=0)
    before = large.certify(active, x).measured[-1].relative
    curve = tune(large, small, train, steps=15, seed=0)
    assert len(curve) == 15
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])
    assert large.certify(active, x).measured[-1].relative < 0.8 * before
    assert not any(p.requires_grad for p in large.parameters())


def test_the_first_loss_is_that_of_the_network_as_it_was_built(first):
    small, (train, _) = first
    large = compress(small, z=2, tolerance=0.5, D=420, method="balanced")
    active = circuits.random_active(49, 256, 2, seed=300_000)  # of seed 3, step 0
    x, _ = train.draw(active, seed=300_000)
    right = small.run(active, x)[-1]
    found = large.read(large(large.encode(active, x)), active)
    expected = ((found - right).square().sum() / right.square().sum()).item()
    assert tune(large, small, train, steps=1, seed=3) == [pytest.approx(expected, rel=1e-5)]


def test_a_row_is_made_again_from_its_seed():
    row = tuned(SHORT, 1)
    assert row["after"] < row["before"]
    assert tuned(SHORT, 1) == row
    assert tuned(SHORT, 2)["before"] != row["before"]


@pytest.mark.parametrize(("wrong", "name"), [({"steps": 0}, "steps"), ({"lr": 0.0}, "lr"), ({"seed": -1}, "seed")])
def test_bad_numbers_are_refused(wrong, name, first, unhooked):
    small, (train, _) = first
    large = compress(small, z=2, tolerance=0.5, D=420, method="balanced")
    with pytest.raises(ValueError, match=name):
        tune(large, small, train, **{"steps": 1, "seed": 0} | wrong)
    assert not any(p.requires_grad for p in large.parameters())


def test_longer_budgets_are_stored_for_the_same_networks():
    """What the chapter compares: every seed has every budget, starts from the same error, and more steps leave less."""
    rows = sweep.stored("tuned")
    budgets = sorted({row["steps"] for row in rows})
    for seed in {row["seed"] for row in rows}:
        own = {row["steps"]: row for row in rows if row["seed"] == seed}
        assert sorted(own) == budgets
        assert len({row["before"] for row in own.values()}) == 1
        assert all(own[more]["after"] < own[fewer]["after"] for fewer, more in pairwise(budgets))
