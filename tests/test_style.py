"""Formatting, lint and types: checked here, repaired by hand (`ruff format`, `ruff check --fix` in `.venv/bin`)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", ["ruff format --check --diff", "ruff check", "pyright"])
def test_style(command):
    tool, *options = command.split()
    program = Path(sys.executable).with_name(tool)
    done = subprocess.run([str(program), *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
