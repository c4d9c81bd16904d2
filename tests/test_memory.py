"""Peak memory of embed, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")
def test_embed_needs_little_more_than_what_it_makes() -> None:
    # E is 4 · 4096 · 2048 · 4 B = 134 MB, W_in and W_out 16.8 MB each: 168 MB, so that the code of libraries that is
    # loaded on first use (14 MB) and the sparse table (10 MB) count, but do not decide.
    sizes = ("4096", "2048", "2048", "8", "1")
    command = [sys.executable, "-m", "benchmarks.child", "embed", *sizes]
    root = Path(__file__).resolve().parents[1]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(out)
    assert found["made"] == 4 * (4096 * 2048 * 4 + 2 * 2048 * 2048)
    assert found["made"] <= found["peak"] <= 1.25 * found["made"]
