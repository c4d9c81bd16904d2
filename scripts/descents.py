"""Where SPD goes from the truth, from near it, from neurons and from nowhere: `python scripts/descents.py [BED …]`.

Each run is a row of superpos/data/descents.json, written when it is done; one that is there is left as it is.
"""

import json
import sys
import time
from pathlib import Path

import torch

from superpos import beds
from superpos.apart.descents import STARTS, descent
from superpos.apart.spd import Options
from superpos.words import plain
from superpos.writing import written

STORED = Path(__file__).parent.parent / "superpos" / "data" / "descents.json"
SEEDS = (0,)
SAME = {"gates": "input", "q": 1.0, "width": 128, "rate": 1e-2, "steps": 6000}
EXACT = {"masks": "ends", "fade": 0.03}
OPTIONS = {
    "exact-16": Options(192, beta=8e-2, **EXACT, **SAME),
    "exact-16-z2": Options(128, beta=0.12, **EXACT, **SAME),
    "balanced-48": Options(192, beta=1e-2, **SAME),
    "residual-32": Options(128, beta=1e-2, **SAME),
}


def main(asked: list[str]) -> None:
    for seed in SEEDS:
        for name, options in OPTIONS.items():
            for start in STARTS:
                rows = json.loads(STORED.read_text(encoding="utf8")) if STORED.exists() else []
                done = {(row["bed"], row["start"], row["seed"]) for row in rows}
                if (not asked or name in asked) and (name, start, seed) not in done:
                    row = run(name, options, start, seed)
                    with written(STORED, overwrite=True) as file:
                        text = ",\n".join(json.dumps(plain(x)) for x in [*rows, row])
                        file.write_text(f"[\n{text}\n]\n", encoding="utf8")
                    print(name, start, seed, row["seconds"], row["end"], flush=True)


def run(name: str, options: Options, start: str, seed: int) -> dict[str, object]:
    """A row: which run it is, and what came of it."""
    began, bed = time.time(), beds.bed(name)
    needed = max(options.components, *(part.neurons[0].shape[1] for part in bed.matrices)) if start == "neurons" else 0
    told = options if options.components >= needed else Options(**{**vars(options), "components": needed})
    found = descent(bed, told, start, seed)
    about = {"bed": name, "version": bed.version, "start": start, "seed": seed, "options": vars(told)}
    return {**about, **found, "seconds": round(time.time() - began)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
