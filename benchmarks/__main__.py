"""`python -m benchmarks [--json FILE]`: time and peak memory of building a network, printed as a table."""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES = [  # T, D, M, S, L
    (256, 512, 512, 8, 1),
    (1024, 1024, 1024, 8, 1),
    (1024, 1024, 1024, 8, 2),
    (1024, 1024, 4096, 8, 1),
    (1024, 1024, 4096, 8, 2),
    (4096, 2048, 2048, 8, 1),
    (4096, 2048, 2048, 8, 2),
]
HEAD = (
    "   T    D    M  S  L |  embed   einsum        write once    | embed  (own)  einsum | forward      GEMMs\n"
    "                     |  s       s       ×     s       ×     | × made               | s        s       ×\n"
)
NOTES = """
embed       superpos.residual.embed;  einsum: the formulas as dense torch.einsum, each V_t a matrix of zeros and ones
× made      peak resident memory above importing torch, over the bytes of all weights and embedding matrices;
            (own): without the code of libraries that is loaded on first use, about 14 MB whatever the size
write once  filling as many bytes once: the least that building can take
GEMMs       the matrix products of a forward pass of 256 samples alone: the least that running can take
"""


def child(method: str, sizes: tuple[int, ...]) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.child", method, *map(str, sizes)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def row(sizes: tuple[int, ...]) -> dict[str, float]:
    """One line of the table: both methods on one size, and the ratios that matter."""
    embed, einsum = child("embed", sizes), child("einsum", sizes)
    return {
        **dict(zip("TDMSL", sizes, strict=True)),
        **{f"embed_{name}": value for name, value in embed.items()},
        **{f"einsum_{name}": einsum[name] for name in ("seconds", "peak", "libraries")},
        "speedup": einsum["seconds"] / embed["seconds"],
        "over_write_once": embed["seconds"] / embed["write_once"],
        "over_gemm": embed["forward"] / embed["gemm"],
        "memory": embed["peak"] / embed["made"],
        "memory_own": (embed["peak"] - embed["libraries"]) / embed["made"],
        "memory_einsum": einsum["peak"] / embed["made"],
    }


def line(r: dict[str, float]) -> str:
    """A row as it is printed."""
    return (
        f"{r['T']:4} {r['D']:4} {r['M']:4} {r['S']:2} {r['L']:2} "
        f"| {r['embed_seconds']:6.3f} {r['einsum_seconds']:7.3f} {r['speedup']:6.1f} "
        f"{r['embed_write_once']:7.3f} {r['over_write_once']:6.1f}   "
        f"| {r['memory']:5.2f}  {r['memory_own']:5.2f} {r['memory_einsum']:7.2f} "
        f"| {r['embed_forward']:6.3f} {r['embed_gemm']:7.3f} {r['over_gemm']:5.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the figures too")
    file = parser.parse_args().json
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("memory is read from /proc/self: the benchmarks run on Linux only")
    print(HEAD, end="")
    rows = []
    for sizes in SIZES:
        rows.append(row(sizes))
        print(line(rows[-1]), flush=True)
    print(NOTES)
    if file:
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        file.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
