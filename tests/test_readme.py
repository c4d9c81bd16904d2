"""The README's ten lines run as they stand."""

import re
from pathlib import Path

import torch

README = Path(__file__).parent.parent / "README.md"


def test_ten_lines() -> None:
    code, exact = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    there: dict = {}
    exec(code, there)
    assert there["run"].estimates.shape == (3, 100, 2, 4)
    assert torch.allclose(
        there["side"].run(there["active"], there["x"]).estimates[1],
        there["small"].run(there["active"], there["x"])[1],
        atol=1e-5,
    )
    assert abs(there["measured"][0] / there["predicted"][0] - 1) < 0.3, "one seed of a small batch"
    exec(exact, there)
    assert there["large"].D <= 1000
    assert there["error"] < 1e-6
