"""What every measurement needs: a process of its own, so that its peak memory is clean, and a clock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")
_PATIENCE = 1.5  # seconds after which a timing is not repeated


def child(module: str, method: str, sizes: tuple[int, ...], **environment: str) -> dict[str, float]:
    """Run `python -m module method sizes…` in a fresh process; it prints one JSON object."""
    command = [sys.executable, "-m", module, method, *map(str, sizes)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, encoding="utf8"
    )
    return json.loads(done.stdout)


def memory() -> dict[str, int]:
    """Bytes of this process now resident ("VmRSS"), at the peak ("VmHWM"), and of files, e.g. libraries ("RssFile")."""
    status = Path("/proc/self/status").read_text(encoding="utf8")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM", "RssFile")}


def start_peak() -> dict[str, int]:
    """Let the peak of this process start again from here; what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf8")
    return memory()


def seconds(work: Callable[[], object], *timed: float) -> float:
    """Best time of up to five calls, of which some may be timed already."""
    times = list(timed)
    while len(times) < 5 and sum(times) < _PATIENCE:
        times.append(once(work)[1])
    return min(times)


def once(work: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    found = work()
    return found, time.perf_counter() - start
