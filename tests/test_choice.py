"""The search for the narrowest network that keeps to a tolerance: a pure function of the error at each width."""

import pytest

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
