"""The README's lines run as they stand."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).parent.parent / "README.md"


def test_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    own, constructions = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    there: dict = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the weights that the lines draw
        exec(own, there)
    said = capsys.readouterr().out
    assert "width 604, side by side 8,000" in said
    assert "verdict        holds" in said
    t, x = int(there["active"][0, 0]), there["x"][0, 0]
    torch.testing.assert_close(there["outputs"][0, 0], there["nets"][t](x).detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(there["seventh"](x), there["nets"][7](x))
    again = there["load"]("large.safetensors")
    assert torch.equal(again.run(there["active"], there["x"]).outputs, there["outputs"])
    exec(constructions, there)
    assert there["run"].estimates.shape == (3, 100, 2, 4)
    assert torch.allclose(
        there["side"].run(there["active"], there["x"]).estimates[1],
        there["small"].run(there["active"], there["x"])[1],
        atol=1e-5,
    )
    assert abs(there["measured"][0] / there["predicted"][0] - 1) < 0.3, "one seed of a small batch"
