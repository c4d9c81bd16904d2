"""SPD on nine circuits with several settings: `python scripts/nine.py` writes superpos/data/nine.json, in some minutes.

Chapter 17 takes the best price and rate of each way from it, and runs them again.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch
from tqdm import tqdm

from superpos import beds
from superpos.apart.spd import Options, decompositions, spd
from superpos.apart.target import of_bed
from superpos.writing import written

STORED = Path(__file__).parent.parent / "superpos" / "data" / "nine.json"
SEEDS = (0,)
BETAS = (1e-2, 4e-2)
RATES = (1e-2, 4e-2)
SAME = {"components": 36, "steps": 2000, "batch": 64, "warm": 100}
FALLING = {"masks": "ends", "fade": 0.05}
READING = {"gates": "input", "width": 64, **FALLING}
WAYS = {"published": {}, "published, falling": FALLING, "reading": READING, "weighted": {**READING, "q": 1.0}}


def rows() -> Iterator[dict]:
    """R², cosine and L0 of every way, price, rate and seed."""
    bed = beds.bed("exact-9")
    settings = list(product(WAYS, BETAS, RATES, SEEDS))
    for way, beta, rate, seed in tqdm(settings, mininterval=20):
        options = Options(**SAME, **WAYS[way], beta=beta, rate=rate)
        [found] = decompositions(spd(of_bed(bed), options, [seed]), bed, labels=True, method=way)
        scores = bed.score(found)
        figures = {kind: getattr(scores, kind).value for kind in ("r2", "cosine", "l0", "reconstruction")}
        yield {"way": way, "beta": beta, "rate": rate, "seed": seed, **figures}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with written(STORED, overwrite=True) as file:
        file.write_text(json.dumps(list(rows()), indent=1) + "\n", encoding="utf8")
