"""What is chosen: the narrowest network that keeps to a tolerance, of the constructions that can hold the circuits."""

import re

import pytest
import torch

from superpos import compress
from superpos.circuits import MLPCircuits
from superpos.compression.choice import _narrowest


@pytest.mark.parametrize("least", [1, 7, 40, 333, 1000, 5000])
@pytest.mark.parametrize("low", [1, 5, 300])
def test_the_narrowest_to_a_fiftieth(least: int, low: int) -> None:
    """The error is 1/n; from n = `least` on it is small enough."""
    asked: list[int] = []

    def error(n: int) -> float:
        asked.append(n)
        return 1 / n

    found, smallest = _narrowest(error, low, 8000, 1 / least), max(least, low)
    assert found is not None
    assert 0 <= found - smallest < max(1, found / 50)
    assert max(asked) <= max(2 * smallest, low)  # no network is tried that is much wider than it has to be
    assert len(asked) < 30


def test_no_width_will_do() -> None:
    assert _narrowest(lambda n: 1 / n, 3, 100, 0.001) is None
    assert _narrowest(lambda n: 1 / n, 3, 100, 0.01) == 100
    assert _narrowest(lambda n: 1 / n, 100, 100, 0.01) == 100


@pytest.mark.parametrize(
    ("dtype", "L", "size", "why"),
    [
        (torch.float16, 2, 8.0, "gate constant of .* which torch.float16 does not hold"),
        (torch.float32, 60, 9.0, "gate constant of .* which torch.float32 does not hold"),
        (torch.float32, 100, 1e4, "no bound on activations that torch.float32 holds"),
    ],
)
@pytest.mark.parametrize("z", [1, 2])
def test_another_construction_where_numbers_are_too_coarse(
    unhooked: None, dtype: torch.dtype, L: int, size: float, why: str, z: int
) -> None:
    g = torch.Generator().manual_seed(0)
    coarse = MLPCircuits((torch.randn(L, 100, 4, 4, generator=g) * size).to(dtype), torch.ones(L, 100, 4).to(dtype))
    report = compress(coarse, z=z).report()
    assert report.method == "dedicated"
    (passed_over,) = [option.why for option in report.options if option.method == "exact"]
    assert re.search(why, passed_over)
    with pytest.raises(ValueError, match=f"method is exact.* do not fit: exact: .*{why}"):
        compress(coarse, z=z, method="exact")
