"""Scoring decompositions of test beds, beside the passes through the network that the worst masks need.

python -m benchmarks.scoring
"""

from collections.abc import Callable

import torch

from benchmarks.process import once, seconds
from superpos import beds
from superpos.apart import Decomposition
from superpos.beds.scoring.running import replaced
from superpos.beds.scoring.scores import LADDER

SIZES = [("exact-16", 128), ("exact-64", 512), ("balanced-48", 384), ("residual-32", 512)]  # bed, components a matrix
HEAD = "bed             C |  score s  passes s  score / passes"
NOTES = """
score           all scores of a decomposition with C random components in every matrix, on the 512 held-out samples
passes          as many passes forward and back through its matrices, with masks, as the steps of the longest ascent
"""


def row(size: tuple[str, int]) -> dict[str, float | str]:
    """One line of the table."""
    name, C = size
    bed, g = beds.bed(name), torch.Generator().manual_seed(0)
    held = bed.held

    def drawn(wide: Callable[[torch.Tensor], int]) -> dict[str, torch.Tensor]:
        return {p.path: torch.randn(wide(p.W), C, generator=g) for p in held.matrices}

    V, U = drawn(lambda W: W.shape[1]), drawn(lambda W: W.shape[0])
    group = {p.path: torch.randint(-1, bed.T, (C,), generator=g) for p in held.matrices}
    gates = {p.path: torch.rand(len(held.start), C, generator=g) for p in held.matrices}
    d = Decomposition(V, U, group, gates)
    chain = replaced(held, d, torch.float32)

    def passes() -> None:
        for _ in range(max(LADDER)):
            masks = {path: x.requires_grad_() for path, x in gates.items()}
            torch.autograd.grad(chain.outputs(masks).square().sum(), list(masks.values()))

    first = once(lambda: bed.score(d))[1]
    score, limit = seconds(lambda: bed.score(d), first), seconds(passes)
    return {"bed": name, "C": C, "score": score, "passes": limit, "ratio": score / limit}


def line(r: dict[str, float | str]) -> str:
    """A row as it is printed."""
    return f"{r['bed']:<12} {r['C']:4} | {r['score']:8.2f} {r['passes']:9.2f} {r['ratio']:15.2f}"


if __name__ == "__main__":
    print(HEAD)
    for size in SIZES:
        print(line(row(size)), flush=True)
    print(NOTES)
