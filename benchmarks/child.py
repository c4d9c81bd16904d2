"""One measurement in a process of its own, so that its peak memory is clean.

    python -m benchmarks.child {embed,einsum} T D M S L

Prints one JSON object; times in seconds, memory in bytes. d = m = 4.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from superpos.residual import ResidualNetwork

BATCH, WIDTH = 256, 4  # samples in the timed forward pass; d = m of the circuits
_PATIENCE = 1.5  # seconds after which a timing is not repeated


def memory() -> dict[str, int]:
    """Bytes of this process now resident ("VmRSS"), at the peak ("VmHWM"), and of files, e.g. libraries ("RssFile")."""
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM", "RssFile")}


def seconds(work: Callable[[], object], *timed: float) -> float:
    """Best time of up to five calls, of which some may be timed already."""
    times = list(timed)
    while len(times) < 5 and sum(times) < _PATIENCE:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def einsum(w_in: Tensor, w_out: Tensor, D: int, M: int, S: int) -> tuple[Tensor, list[Tensor]]:
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
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = memory()
    from superpos import circuits, residual  # its import counts: only torch's does not

    small = circuits.random_residual(T, WIDTH, WIDTH, L, seed=0)
    build = {
        "embed": lambda: residual.embed(small, D, M, S, seed=0),
        "einsum": lambda: einsum(small.w_in, small.w_out, D, M, S),
    }[method]
    start = time.perf_counter()
    network = build()
    first = time.perf_counter() - start
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
    dense = [(W_in.mT, torch.randn(BATCH, len(b), generator=g), W_out.mT) for W_in, b, W_out in network.dense()]
    return {
        "write_once": seconds(lambda: torch.empty(made // 4).fill_(1.0)),
        "forward": seconds(lambda: network(X)),
        "gemm": seconds(lambda: [(X @ read, neurons @ write) for read, neurons, write in dense]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
