"""Take toy models of superposition apart: `python scripts/toys.py [NAME …]`, all of them without a name.

Each run is a row of superpos/data/toys.json, written when it is done, with its options, machine and time: one that is
there is left as it is, so that the script goes on where it was stopped. A toy model is trained with the run's seed.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from superpos.apart import apd, spd, toys
from superpos.tensors import machine
from superpos.words import plain
from superpos.writing import written

STORED = Path(__file__).parent.parent / "superpos" / "data" / "toys.json"
SEEDS = range(10)
SMALL = 5, 2
LARGE = 40, 10


@dataclass(frozen=True)
class Plan:
    """One method on toy models with F features in D dimensions, which are trained with the seeds of the method.

    `beta` is the price in the papers' units, in which errors are not divided by what is at stake; None as in options.
    """

    name: str
    F: int
    D: int
    options: spd.Options | apd.Options
    seeds: tuple[int, ...]
    beta: float | None = None


def main(asked: list[str]) -> None:
    for plan in plans():
        for seed in plan.seeds:
            rows = stored()
            done = {(row["name"], row["seed"]) for row in rows}
            if (not asked or plan.name in asked) and (plan.name, seed) not in done:
                row = run(plan, seed)
                text = ",\n".join(json.dumps(plain(x)) for x in [*rows, row])
                with written(STORED, overwrite=True) as file:
                    file.write_text(f"[\n{text}\n]\n", encoding="utf8")
                print(plan.name, seed, row["seconds"], row["recovered"], flush=True)


def plans() -> Iterator[Plan]:
    """All runs: as published but shorter, what decides how much is found, and the other method."""
    small = spd.Options(20, steps=4000, batch=512, rate=5e-3, warm=0, width=8)
    few, both = tuple(SEEDS[:2]), tuple(SEEDS[:3])
    yield Plan("5 in 2", *SMALL, small, tuple(SEEDS), 3e-3)
    yield Plan("5 in 2, longer", *SMALL, replace(small, steps=12_000), tuple(SEEDS), 3e-3)
    yield Plan("5 in 2, a twentieth of the price", *SMALL, small, few, 1.5e-4)
    yield Plan("5 in 2, a quarter of the price", *SMALL, small, few, 7.5e-4)
    yield Plan("5 in 2, four times the price", *SMALL, small, few, 1.2e-2)
    yield Plan("5 in 2, weighted price", *SMALL, replace(small, q=1.0), both, 3e-3)
    yield Plan("5 in 2, gates that read the input", *SMALL, replace(small, gates="input", width=16), both, 3e-3)
    yield Plan("5 in 2, a fifth of the rate", *SMALL, replace(small, rate=1e-3), few, 3e-3)
    yield Plan("5 in 2, masks at the ends", *SMALL, replace(small, masks="ends"), tuple(SEEDS), 3e-3)
    yield Plan("5 in 2, squares of gates", *SMALL, replace(small, p=2.0), few, 3e-3)
    small_apd = apd.Options(5, 0.211, rank=2, alpha=0.0456, beta=0.195, p=1.0, steps=10_000, batch=1024, rate=3e-2)
    yield Plan("5 in 2, APD", *SMALL, small_apd, tuple(SEEDS))
    large = spd.Options(200, p=2.0, steps=8000, batch=256, rate=5e-3, warm=0, width=8)
    yield Plan("40 in 10", *LARGE, large, tuple(SEEDS), 1e-4)
    yield Plan("40 in 10, four times the price", *LARGE, large, tuple(SEEDS), 4e-4)
    large_apd = apd.Options(40, 2.0, rank=10, alpha=3.0, beta=0.7, p=0.9, steps=10_000, batch=1024, rate=1e-3)
    yield Plan("40 in 10, APD", *LARGE, large_apd, both)
    yield Plan("short", *SMALL, replace(small, steps=20, batch=32), (0,), 3e-3)
    yield Plan("short, APD", *SMALL, replace(small_apd, steps=20, batch=32), (0,))


def run(plan: Plan, seed: int) -> dict[str, Any]:
    """What one seed finds."""
    start = time.time()
    target = toys.toy(plan.F, plan.D, seed=seed)
    options = plan.options
    if plan.beta is not None:
        options = replace(options, beta=toys.price(target, plan.beta))
    terms: dict[str, float] = {}

    def watch(_: int, found: dict[str, torch.Tensor]) -> None:
        terms.update({name: x.item() for name, x in found.items()})

    if isinstance(options, spd.Options):
        model = spd.spd(target, options, [seed], watch)
    else:
        model = apd.apd(target, options, [seed], watch)
    return {
        "name": plan.name,
        "F": plan.F,
        "D": plan.D,
        "seed": seed,
        "options": asdict(options),
        "recovered": toys.recovered(model)[0],
        "terms": terms,
        "seconds": round(time.time() - start),
        "machine": machine(),
        "script": "scripts/toys.py",
    }


def stored() -> list[dict[str, Any]]:
    """The rows that are there."""
    return json.loads(STORED.read_text(encoding="utf8")) if STORED.exists() else []


if __name__ == "__main__":
    main(sys.argv[1:])
