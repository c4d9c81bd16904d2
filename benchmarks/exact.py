"""`superpos.exact.embed` of plain rotations beside a loop that writes the dense matrices. d = 2.

    python -m benchmarks.exact {embed,loop,touch,run} T z L

measures in this process and prints one JSON object; times in seconds, memory in bytes.
"""

import ctypes
import json
import sys
from mmap import mmap
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.process import child, memory, once, seconds, start_peak

if TYPE_CHECKING:
    from superpos.circuits import MLPCircuits
    from superpos.exact.cells import Cell

BATCH = 32  # samples of the timed passes, with z active circuits each
SIZES = [(6561, 2, 5), (62500, 2, 5), (250000, 2, 20), (250000, 3, 20), (1018081, 1, 20), (729, 4, 5)]  # T, z, L
HEAD = (
    "      T z  L    D    MB | embed  first touch  loop             dense        | embed  (own)  both  (own)"
    " | run    states          forward          products circuits\n"
    "                        | s      s        ×   s        ×       s        ×   | × made"
    "                     | ms     ms       ×      ms       ×       ms       ms"
)
NOTES = """
MB           of the cells and biases, which is what embed makes; D is the width of the dense matrices
embed        superpos.exact.embed of plain rotations, with some milliseconds of planning and of Python at any size
first touch  allocating as many bytes, never used before, and filling them once
loop         writing each circuit's weights into the dense matrix of each layer, one circuit after another;
             * one layer, times L
dense        the same matrices, and those of the layers before the cells, by network.dense()
× made       peak resident memory above importing torch and above the circuits' own bytes, over the bytes made;
             both: with the circuits' own bytes; (own): without the code of libraries that is loaded on first use
run          32 samples with z active circuits each, and estimates of those (network.run);  × the circuits alone
states       the same with all T circuits read out after every layer;  × the products
forward      encoding and the full forward pass, gates and all;  × the products
products     the products of that batch with the dense matrices alone
circuits     the active circuits alone, without a network
"""
_PATIENT = 2_000_000  # blocks that the loop may write, for all layers to be done


def row(sizes: tuple[int, ...]) -> dict[str, float]:
    """One line of the table: every method on one size, and the ratios that matter."""
    embed, loop, touch, run = (child("benchmarks.exact", method, sizes) for method in ("embed", "loop", "touch", "run"))
    both, code = embed["peak"] + embed["circuits"], embed["libraries"]
    return {
        **dict(zip("TzL", sizes, strict=True)),
        **{f"embed_{name}": value for name, value in embed.items()},
        **{f"loop_{name}": value for name, value in loop.items()},
        **run,
        "first_touch": touch["seconds"],
        "over_first_touch": embed["seconds"] / touch["seconds"],
        "speedup_loop": loop["seconds"] / embed["seconds"],
        "speedup_dense": run["dense"] / embed["seconds"],
        "memory": embed["peak"] / embed["made"],
        "memory_own": (embed["peak"] - code) / embed["made"],
        "memory_both": both / (embed["made"] + embed["circuits"]),
        "memory_both_own": (both - code) / (embed["made"] + embed["circuits"]),
        "run_over_circuits": run["run"] / run["circuits"],
        "states_over_products": run["states"] / run["products"],
        "forward_over_products": run["forward"] / run["products"],
    }


def line(r: dict[str, float]) -> str:
    """A row as it is printed."""
    star = "*" if r["loop_extrapolated"] else " "
    ms = {name: 1000 * r[name] for name in ("run", "states", "forward", "products", "circuits")}
    return (
        f"{r['T']:7} {r['z']} {r['L']:2} {r['D']:4} {r['embed_made'] / 1e6:6.1f} "
        f"| {r['embed_seconds']:6.4f} {r['first_touch']:7.5f} {r['over_first_touch']:6.1f} "
        f"{r['loop_seconds']:8.2f}{star} {r['speedup_loop']:5.0f} {r['dense']:8.3f} {r['speedup_dense']:5.1f}   "
        f"| {r['memory']:6.2f} {r['memory_own']:6.2f} {r['memory_both']:6.2f} {r['memory_both_own']:6.2f} "
        f"| {ms['run']:6.2f} {r['run_over_circuits']:4.1f} {ms['states']:7.1f} {r['states_over_products']:5.2f} "
        f"{ms['forward']:8.1f} {r['forward_over_products']:5.2f} {ms['products']:9.1f} {ms['circuits']:8.2f}"
    )


def dense(cell: "Cell", w: Tensor, b: Tensor) -> Tensor:
    """The matrix of one layer as one would write it: circuit after circuit, then constants, wires and silence."""
    (R, n, e), m = cell.leaves.shapes["slot"], cell.own.shape[1]
    start, wires = R * n * e, 2 * R * m
    W = torch.zeros(start + wires, start + wires)
    W[start:, start:] = torch.eye(wires)
    own = torch.cat([w, (b - cell.shift * w.sum(dim=-1))[..., None]], dim=-1)  # the bias is the weight of the constant
    for t, block in enumerate(own):
        i, j = t // n * e, t % n * e
        row, column = (i, j) if cell.back else (j, i)
        for lane in range(0, start, n * e):
            W[lane + row : lane + row + e - 1, lane + column : lane + column + e] = block
    other = -cell.C * (1 - cell.own) if cell.C is not None and cell.relu else torch.zeros_like(cell.own)
    for r in range(R):
        rows = slice(r * n * e, (r + 1) * n * e)
        W[rows, rows].view(n, e, n, e)[:, e - 1, :, e - 1] = 1.0
        wire = start + (0 if cell.back else R * m) + r * m
        W[rows, wire : wire + m] = other.repeat_interleave(e, dim=0)
    return W


def measure(method: str, T: int, z: int, L: int) -> dict[str, float]:
    """Build one network by `method`, or run it beside its limits."""
    before = start_peak()
    from superpos import circuits, exact  # its import counts: only torch's does not

    small = circuits.rotations(T, L, seed=0)
    if method == "loop":
        return _loop(small, z)
    if method == "run":
        return _running(small, z)
    sizes = exact.plan(T, small.d, z=z)
    made = 4 * L * sizes.n**2 * (small.d + 1) * small.d  # float32: cells and biases
    if method == "touch":
        return {"seconds": seconds(lambda: torch.frombuffer(mmap(-1, made), dtype=torch.float32).fill_(1.0))}
    held = small.weights.nbytes + small.biases.nbytes
    ctypes.CDLL(None).malloc_trim(0)  # what making the circuits took for a moment goes back to the system
    start_peak()
    network, first = once(lambda: exact.embed(small, z=z))
    after = memory()
    made_anew = [network]  # all are kept, so that none is made in memory that another one has touched
    return {
        "made": made,
        "circuits": held,
        "peak": after["VmHWM"] - before["VmRSS"] - held,
        "libraries": after["RssFile"] - before["RssFile"],
        "seconds": seconds(lambda: made_anew.append(exact.embed(small, z=z)), first),
    }


def _loop(small: "MLPCircuits", z: int) -> dict[str, float]:
    from superpos import exact

    network = exact.embed(small, z=z)
    layers = small.L if small.T * z * small.L <= _PATIENT else 1
    cells = list(zip(network.cells, small.weights, small.biases, strict=True))[:layers]
    loop = seconds(lambda: [dense(*cell) for cell in cells])
    return {"seconds": loop * small.L / layers, "extrapolated": layers < small.L}


def _running(small: "MLPCircuits", z: int) -> dict[str, float]:
    """A batch run three ways, and what the last two cannot undercut: the matrix products, and the circuits alone."""
    from superpos import circuits, exact

    network = exact.embed(small, z=z)
    matrices, first = once(network.dense)
    active = circuits.random_active(small.T, BATCH, z, seed=0)
    inputs = circuits.rotation_inputs(circuits.sphere(BATCH, z, 2, seed=0) / 2**0.5)
    widths = {W.shape[1] for W, _ in matrices}
    X = {D: torch.randn(BATCH, D, generator=torch.Generator().manual_seed(0)) for D in widths}

    def states() -> None:
        for l, (_, A) in enumerate(network.states(active, inputs), start=1):
            network.read_all(A, l)

    return {
        "D": network.D,
        "dense": seconds(network.dense, first),
        "run": seconds(lambda: network.run(active, inputs)),
        "states": seconds(states),
        "forward": seconds(lambda: network(network.encode(active, inputs))),
        "products": seconds(lambda: [linear(X[W.shape[1]], W) for W, _ in matrices]),
        "circuits": seconds(lambda: small.run(active, inputs)),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
