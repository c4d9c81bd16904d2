"""Seeded draws: distinct, uniform, reproducible."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from superpos.sampling import distinct, generator


@given(rows=st.integers(1, 20), k=st.integers(1, 12), more=st.integers(0, 12), seed=st.integers(0, 2**63 - 1))
def test_distinct_rows(rows: int, k: int, more: int, seed: int) -> None:
    found = distinct(rows, k, k + more, generator=generator(seed))
    assert found.shape == (rows, k)
    assert all(len(set(row)) == k and set(row) <= set(range(k + more)) for row in found.tolist())


def test_every_ordered_tuple_is_equally_likely() -> None:
    rows, n = 24_000, 4
    pairs = distinct(rows, 2, n, generator=generator(0))
    counts = torch.bincount(pairs[:, 0] * n + pairs[:, 1], minlength=n * n).view(n, n)
    # 12 ordered pairs, 2000 each; binomial standard deviation √(24000 · 1/12 · 11/12) = 42.8
    off = counts[~torch.eye(n, dtype=torch.bool)]
    assert counts.diagonal().sum() == 0
    assert (off - 2000).abs().max() < 4 * math.sqrt(rows * 11 / 144)


def test_a_seed_fixes_the_draw() -> None:
    draws = [distinct(50, 5, 100, generator=generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_all_of_n_is_a_permutation() -> None:
    assert torch.equal(distinct(3, 6, 6, generator=generator(0)).sort().values, torch.arange(6).expand(3, 6))
