"""`superpos.residual.embed` beside the formulas as dense einsum. d = m = 4.

    python -m benchmarks.residual {embed,einsum} T D M S L

measures in this process and prints one JSON object; times in seconds, memory in bytes.
"""

import json
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmarks.process import child, memory, once, seconds, start_peak

if TYPE_CHECKING:
    from superpos.residual import ResidualNetwork

BATCH, WIDTH = 256, 4  # samples in the timed forward pass; d = m of the circuits
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
    "                     |  s       s       ×     s       ×     | × made               | s        s       ×"
)
NOTES = """
embed       superpos.residual.embed;  einsum: the formulas as dense torch.einsum, each V_t a matrix of zeros and ones
× made      peak resident memory above importing torch, over the bytes of all weights and embedding matrices;
            (own): without the code of libraries that is loaded on first use, about 14 MB whatever the size
write once  filling as many bytes once: the least that building can take
GEMMs       the matrix products of a forward pass of 256 samples alone: the least that running can take
"""


def row(sizes: tuple[int, ...]) -> dict[str, float]:
    """One line of the table: both methods on one size, and the ratios that matter."""
    embed, einsum = (child("benchmarks.residual", method, sizes) for method in ("embed", "einsum"))
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


def dense(w_in: Tensor, w_out: Tensor, D: int, M: int, S: int) -> tuple[Tensor, list[Tensor]]:
    """The construction as its formulas read: every V_t a dense matrix of zeros and ones. E, and all W_in and W_out."""
    L, T, m, d = w_in.shape
    g = torch.Generator().manual_seed(0)
    E = torch.linalg.qr(torch.randn(T, D, d, generator=g)).Q
    weights = []
    for l in range(L):
        V = torch.zeros(T, M, m)
        where = torch.rand(T, M, generator=g).argsort(dim=1)[:, : m * S].view(T, S, m)
        V.scatter_(1, where, 1.0)
        weights.append(torch.einsum("tMj,tjd,tDd->MD", V, w_in[l], E))
        weights.append(torch.einsum("tDd,tdj,tMj->DM", E, w_out[l], V) / S)
    return E, weights


def measure(method: str, T: int, D: int, M: int, S: int, L: int) -> dict[str, float]:
    """Build one network by `method`; for "embed", time its limits too."""
    before = start_peak()
    from superpos import circuits, residual  # its import counts: only torch's does not

    small = circuits.random_residual(T, WIDTH, WIDTH, L, seed=0)
    build = {
        "embed": lambda: residual.embed(small, D, M, S, seed=0),
        "einsum": lambda: dense(small.w_in, small.w_out, D, M, S),
    }[method]
    network, first = once(build)
    after = memory()
    made = 4 * (T * D * WIDTH + 2 * L * M * D)  # float32: E and the weights
    found: dict[str, float] = {
        "made": made,
        "peak": after["VmHWM"] - before["VmRSS"],
        "libraries": after["RssFile"] - before["RssFile"],
    }
    if isinstance(network, residual.ResidualNetwork):
        found |= _limits(network, made)
    del network
    return found | {"seconds": seconds(build, first)}


def _limits(network: "ResidualNetwork", made: int) -> dict[str, float]:
    """What no implementation can undercut: writing the result once, and the GEMMs of a forward pass alone."""
    g = torch.Generator().manual_seed(0)
    X = torch.randn(BATCH, network.D, generator=g)
    matrices = [(W_in.mT, torch.randn(BATCH, len(b), generator=g), W_out.mT) for W_in, b, W_out in network.dense()]
    return {
        "write_once": seconds(lambda: torch.empty(made // 4).fill_(1.0)),
        "forward": seconds(lambda: network(X)),
        "gemm": seconds(lambda: [(X @ read, neurons @ write) for read, neurons, write in matrices]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
