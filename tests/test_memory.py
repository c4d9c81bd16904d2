"""Peak memory of embed, in a process of its own."""

from pathlib import Path

import pytest

from benchmarks.process import child

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc"),
]


def test_residual_needs_little_more_than_what_it_makes() -> None:
    # E is 4 · 4096 · 2048 · 4 B = 134 MB, W_in and W_out 16.8 MB each: 168 MB, so that the code of libraries that is
    # loaded on first use (14 MB) and the sparse table (10 MB) count, but do not decide.
    found = child("benchmarks.residual", "embed", (4096, 2048, 2048, 8, 1))
    assert found["made"] == 4 * (4096 * 2048 * 4 + 2 * 2048 * 2048)
    assert found["made"] <= found["peak"] <= 1.25 * found["made"]


def test_balanced_needs_little_more_than_what_it_makes() -> None:
    # Four matrices of 2400² · 4 B = 23 MB: 92 MB. A slab of rows, the table of links and the lists of pairs are a few
    # MB; one more matrix beside the four would be a quarter.
    found = child("benchmarks.balanced", "embed", (2400, 2000, 6, 5))
    assert found["made"] == 4 * 4 * 2400 * 2400
    assert found["made"] <= found["peak"] - found["libraries"] <= 1.2 * found["made"]


def test_exact_needs_little_more_than_its_cells() -> None:
    # 20 layers of 500² cells of 2 · 2 weights and 2 biases of 4 B: 120 MB, for all three lanes together. What names
    # neurons, the wires of slots and the biases of the layers before the cells are less than 1 MB.
    found = child("benchmarks.exact", "embed", (250_000, 3, 20))
    assert found["made"] == 20 * 500**2 * (2 * 2 + 2) * 4
    assert found["made"] <= found["peak"] - found["libraries"] <= 1.1 * found["made"]
