"""Train all networks of chapter 14, in processes side by side: `python scripts/trainings.py [JOBS]`.

Finished networks are rows of superpos/data/training.json and are not trained again, so that the script goes on where it
was stopped. Each row has its seed, figures, machine and time.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from superpos import sweep
from superpos.training.study import Trained, trained

STORED = Path(__file__).parent.parent / "superpos" / "data" / "training.json"


def plans() -> Iterator[tuple[list[Trained], list[int]]]:
    """Settings with their seeds, those that carry most first."""
    three, one = [0, 1, 2], [0]
    yield [Trained(32, 16, steps=2000)], one  # which the chapter repeats
    yield [Trained(32, T, steps=64_000) for T in (8, 16, 32, 64)], three
    yield [Trained(64, T, steps=16_000) for T in (16, 32, 64, 128, 256)], three
    yield [Trained(64, T, neurons=False, steps=4000) for T in (16, 32, 64, 128, 256)], one
    yield [Trained(64, T, learns="last layer", steps=4000) for T in (16, 32, 64, 128, 256)], one
    yield [Trained(64, 64, start=name, rate=1e-3, steps=8000) for name in ("exact", "redundant", "balanced")], three
    yield [Trained(64, 16, start="dedicated", rate=1e-3, steps=8000)], one
    yield [Trained(128, T, steps=8000) for T in (32, 64, 128, 256, 512, 1024)], three
    yield [Trained(64, T, z=2, steps=8000) for T in (16, 32, 64, 128)], three
    yield [Trained(64, 64, start="exact", reset=True, steps=16_000)], three
    yield [Trained(64, 64, start="redundant", reset=True, steps=8000)], three
    wild: tuple[dict[str, Any], ...] = ({"decay": 0.1}, {"noise": 0.1}, {"shake": 0.1})
    yield [Trained(64, 64, start="exact", rate=1e-3, steps=8000, **one_) for one_ in wild], one
    yield [Trained(64, T, learns=learns, steps=4000) for T in (64, 256) for learns in ("ports", "everything")], one
    yield [Trained(64, T, L=L, steps=8000) for L in (1, 4) for T in (16, 32, 64, 128)], one
    yield [Trained(64, T, L=L, steps=8000) for L in (1, 4) for T in (64, 128)], [1, 2]
    yield [Trained(64, T, L=4, steps=8000) for T in (256, 512, 1024)], one
    yield [Trained(96, T, steps=16_000) for T in (64, 144, 256, 576)], one
    yield [Trained(256, T, steps=4000) for T in (64, 256, 1024, 4096)], one
    yield [Trained(256, T, steps=4000) for T in (256, 1024)], [1, 2]
    yield [Trained(64, T, z=z, steps=8000) for z in (3, 4) for T in (16, 32, 64)], one
    yield [Trained(64, 64, loss=loss, steps=8000) for loss in ("fourth", "worst")], one
    yield [Trained(64, 64, more=more, steps=8000) for more in (1, 2)], one
    yield [Trained(64, 64, steps=8000, **other) for other in wild], one
    yield [Trained(64, 64, steps=8000, batch=batch) for batch in (256, 4096)], one
    yield [Trained(64, 16, z=2, more=11, rate=1e-3, steps=4000)], one
    yield [Trained(64, 64, family="rotations", steps=8000)], three
    yield [Trained(64, 64, family="rotations", start="balanced", rate=1e-3, steps=8000)], three
    yield [Trained(64, 32, family="residual", steps=4000)], three
    yield [Trained(64, 32, family="residual", start="residual", rate=1e-3, steps=4000)], three


def main(jobs: int) -> None:
    for settings, seeds in plans():
        sweep.run(trained, settings, seeds, STORED, n_jobs=jobs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
