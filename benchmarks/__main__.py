"""`python -m benchmarks [--large] [--json FILE]`: time and peak memory of building networks, printed as tables."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import balanced, compression, exact, residual, scoring


def table(construction: ModuleType, sizes: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Measure every size and print it as it comes; the rows."""
    print(construction.HEAD)
    rows = []
    for size in sizes:
        rows.append(construction.row(size))
        print(construction.line(rows[-1]), flush=True)
    print(construction.NOTES)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--large", action="store_true", help="20,000 rotations in width 8000 too (8 GB of memory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the figures too")
    asked = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("memory is read from /proc/self: the benchmarks run on Linux only")
    sizes = [*balanced.SIZES, balanced.LARGE] if asked.large else balanced.SIZES
    rows = {
        "residual": table(residual, residual.SIZES),
        "balanced": table(balanced, sizes),
        "exact": table(exact, exact.SIZES),
        "compression": table(compression, compression.SIZES),
        "scoring": table(scoring, scoring.SIZES),
    }
    if asked.json:
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        asked.json.write_text(json.dumps({"machine": machine, **rows}, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
