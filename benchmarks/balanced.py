"""`superpos.balanced.embed` of conditional rotations beside the formulas as dense einsum. d = 4.

    python -m benchmarks.balanced {embed,einsum,touch} D T S L

measures in this process and prints one JSON object; times in seconds, memory in bytes.
"""

import json
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.process import child, memory, once, seconds, start_peak

if TYPE_CHECKING:
    from superpos.blocks import BlockNetwork

BATCH, ACTIVE = 32, 2  # samples, and active circuits in each, of the timed pass
SIZES = [(1000, 557, 6, 5), (2000, 2000, 6, 5), (4000, 8000, 6, 5)]  # D, T, S, L
LARGE = (8000, 20000, 6, 5)
HEAD = (
    "   D     T  S  L |  embed  first touch     einsum           | embed  (own) | batch     products\n"
    "                 |  s      s       ×       s         ×      | × made       | s         s       ×"
)
NOTES = """
embed        superpos.balanced.embed of conditional rotations, L layers, of which the first has no matrix
first touch  allocating as many bytes, never used before, and filling them once
einsum       the formulas as dense torch.einsum, each e_t a row of zeros and ones; * one layer, times L − 1
× made       peak resident memory above importing torch, over the bytes of the L − 1 matrices;
             (own): without the code of libraries that is loaded on first use
batch        32 samples with two active circuits each, all T circuits read out after every layer
products     the L − 1 matrix products of that batch alone

The published implementation (github.com/LindaLinsefors/Rot-in-Sup), measured once on a machine like this one, takes
14–29 s for the weights at D = 4000, T = 8000 and 13 s for the batch; at D = 8000, T = 20000 130 s for one layer.
"""
_PATIENT = 1e12  # multiplications that the einsum of one layer may take, for all layers to be done


def row(sizes: tuple[int, ...]) -> dict[str, float]:
    """One line of the table: both methods on one size, and the ratios that matter."""
    embed, einsum = (child("benchmarks.balanced", method, sizes) for method in ("embed", "einsum"))
    # Blocks of every size straight from the system, so that none has been touched before.
    touch = child("benchmarks.balanced", "touch", sizes, MALLOC_MMAP_THRESHOLD_="65536")
    return {
        **dict(zip("DTSL", sizes, strict=True)),
        **{f"embed_{name}": value for name, value in embed.items()},
        **{f"einsum_{name}": value for name, value in einsum.items()},
        "first_touch": touch["seconds"],
        "speedup": einsum["seconds"] / embed["seconds"],
        "over_first_touch": embed["seconds"] / touch["seconds"],
        "over_products": embed["batch"] / embed["products"],
        "memory": embed["peak"] / embed["made"],
        "memory_own": (embed["peak"] - embed["libraries"]) / embed["made"],
    }


def line(r: dict[str, float]) -> str:
    """A row as it is printed."""
    star = "*" if r["einsum_extrapolated"] else " "
    return (
        f"{r['D']:4} {r['T']:5} {r['S']:2} {r['L']:2} "
        f"| {r['embed_seconds']:6.3f} {r['first_touch']:7.3f} {r['over_first_touch']:6.1f} "
        f"{r['einsum_seconds']:9.3f}{star} {r['speedup']:7.1f}   "
        f"| {r['memory']:5.2f}  {r['memory_own']:5.2f} "
        f"| {r['embed_batch']:6.3f} {r['embed_products']:8.3f} {r['over_products']:6.2f}"
    )


def dense(w: Tensor, slots: Tensor, n: int, layers: int) -> list[Tensor]:
    """The matrices of some layers as the formulas read: every e_t^l a dense row of zeros and ones."""
    _, T, S = slots.shape
    E = torch.zeros(layers + 1, T, n).scatter_(2, slots[: layers + 1], 1.0)
    weights = []
    for l in range(1, layers + 1):
        mean, uses = w[l].mean(dim=0), E[l].sum(dim=0)
        linked = torch.einsum("tr,tc->rc", E[l], E[l - 1]) > 0
        heard = (uses @ linked.float() @ E[l - 1].sum(dim=0)).item()
        chi = (heard - T * S * S) / (S * (T * T * S * S - heard))
        table = torch.where(linked, 1 / S, -chi)
        own = torch.einsum("tij,tr,tc->irjc", w[l] - mean, E[l], E[l - 1]).flatten(2).flatten(0, 1) / S
        weights.append(own + torch.kron(mean, table))
    return weights


def measure(method: str, D: int, T: int, S: int, L: int) -> dict[str, float]:
    """Build one network by `method`; for "embed", its memory and its limits too."""
    made = 4 * (L - 1) * D * D  # float32
    if method == "touch":
        return {"seconds": seconds(lambda: [torch.empty(D, D).fill_(1.0) for _ in range(L - 1)])}
    before = start_peak()
    from superpos import balanced, circuits  # its import counts: only torch's does not

    small = circuits.conditional_rotations(T, L, seed=0)
    if method == "einsum":
        return _einsum(small.weights, D // small.d, S)
    network, first = once(lambda: balanced.embed(small, D, S, seed=0))
    after = memory()
    found: dict[str, float] = {
        "made": made,
        "peak": after["VmHWM"] - before["VmRSS"],
        "libraries": after["RssFile"] - before["RssFile"],
        **_running(network),
    }
    del network
    return found | {"seconds": seconds(lambda: balanced.embed(small, D, S, seed=0), first)}


def _einsum(w: Tensor, n: int, S: int) -> dict[str, float]:
    from superpos import codes

    L, T, d, _ = w.shape
    slots = codes.place(T, d, L, d * n, S, seed=0, code="progression")
    layers = L - 1 if T * (d * n) ** 2 < _PATIENT else 1
    return {"seconds": seconds(lambda: dense(w, slots, n, layers)) * (L - 1) / layers, "extrapolated": layers < L - 1}


def _running(network: "BlockNetwork") -> dict[str, float]:
    """A batch with everything read out, and what it cannot undercut: its matrix products."""
    from superpos import circuits

    active = circuits.random_active(network.T, BATCH, ACTIVE, seed=0)
    inputs = circuits.conditional_inputs(circuits.sphere(BATCH, ACTIVE, 2, seed=0) / 2**0.5)
    matrices = [W for W, _ in network.dense()[1:]]
    X = torch.randn(BATCH, network.D, generator=torch.Generator().manual_seed(0))

    def batch() -> None:
        for l, (_, A) in enumerate(network.states(active, inputs), start=1):
            network.read_all(A, l)

    return {"batch": seconds(batch), "products": seconds(lambda: [linear(X, W) for W in matrices])}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
