"""Take the beds apart and store what comes out: `python scripts/submissions.py [BED/METHOD …]`, all without a name.

Each submission is a folder superpos/data/submissions/BED/METHOD: the decomposition of its first seed, in small numbers,
and `scores.json` with the scores of all seeds and of the control, with script, machine and time. One that is there is
left as it is: delete it to run it anew.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from superpos import apart, beds
from superpos.apart import apd
from superpos.apart.spd import Options, Spd, decompositions, spd
from superpos.apart.submissions import SCORES, submit
from superpos.apart.target import of_bed
from superpos.tensors import machine

STORED = Path(__file__).parent.parent / "superpos" / "data" / "submissions"
SEEDS = tuple(range(5))
CONTROLS = 2  # seeds of the control


@dataclass(frozen=True)
class Plan:
    """One run of SPD on a bed; what it gives with labels, and without. Or of APD, which needs none."""

    bed: str
    method: str
    options: Options | apd.Options
    seeds: tuple[int, ...] = SEEDS
    controls: int = CONTROLS


def main(asked: list[str]) -> None:
    for plan in plans():
        name = f"{plan.bed}/{plan.method}"
        if (not asked or name in asked) and not (STORED / name / SCORES).exists():
            make(plan)


def plans() -> Iterator[Plan]:
    """All runs."""
    small = Options(192, p=1.0, beta=2e-2, rate=1e-2, steps=10_000)
    yield Plan("dedicated-16", "spd", Options(96, p=2.0, beta=2e-3, rate=1e-2, steps=8000))
    both = Options(192, "input", 1.0, beta=8e-2, fade=0.03, masks="ends", width=128, rate=1e-2, steps=20_000)
    yield Plan("dedicated-16", "spd-weighted", replace(both, components=96, beta=2e-2, fade=0.05, steps=8000))
    yield Plan("exact-16", "spd-weighted", both)
    yield Plan("exact-16", "spd-input", replace(both, q=0.0))
    yield Plan("exact-16", "spd", small)
    # At the rate and the price of the others nearly all was shut there, for good.
    many = replace(both, components=384, beta=4e-2, rate=4e-3, steps=40_000)
    yield Plan("exact-64", "spd-weighted", many, SEEDS[:3], 1)
    yield Plan("trained-16", "spd-weighted", replace(both, steps=12_000), SEEDS[:2], 1)
    two = replace(both, components=128, beta=0.12, steps=16_000)
    yield Plan("exact-16-z2", "spd-weighted", two, controls=1)
    yield Plan("exact-16-z3", "spd-weighted", two, SEEDS[:2], 1)
    redundant = replace(both, components=256, beta=1e-2, fade=1.0, masks="uniform", steps=15_000)
    yield Plan("balanced-48", "spd-weighted", redundant)
    yield Plan("residual-32", "spd-weighted", replace(redundant, components=128, steps=10_000), controls=1)
    # APD is told what it needs: how many circuits there are, of which rank, and how many of them are active.
    for bed, C, rank, active in (("exact-9", 9, 2, 1.0), ("exact-16", 16, 4, 1.0), ("dedicated-16", 16, 4, 2.5)):
        yield Plan(bed, "apd", apd.Options(C, active, rank, steps=3000, rate=2e-2), SEEDS[:2])


def make(plan: Plan) -> None:
    """Run it on the bed and on its control, and store it with labels and without."""
    bed, start = beds.bed(plan.bed), time.time()
    models = [trained(bed, plan, seed) for seed in plan.seeds]
    controls = [trained(bed.shuffled(), plan, seed) for seed in plan.seeds[: plan.controls]]
    seconds = round(time.time() - start)
    twice = ((True, plan.method), (False, f"{plan.method}-unlabelled"))
    for labels, method in ((False, plan.method),) if isinstance(plan.options, apd.Options) else twice:
        found = [d for model in models for d in taken(model, bed, plan, method, labels)]
        null = [d for model in controls for d in taken(model, bed.shuffled(), plan, method, labels)]
        folder = STORED / plan.bed / method
        made = {"seconds": seconds, "machine": machine(), "script": "scripts/submissions.py"}
        print(submit(bed, found, folder, control=null, **made), flush=True)


def trained(bed: beds.Bed, plan: Plan, seed: int) -> Spd | apd.Apd:
    """A method on a bed, with progress; on a processor one seed after the other is faster than several side by side."""
    with tqdm(total=plan.options.steps, desc=f"{bed.name} {plan.method} {seed}", mininterval=20) as bar:

        def watch(step: int, _: object) -> None:
            bar.update(step - bar.n)

        if isinstance(plan.options, apd.Options):
            return apd.apd(of_bed(bed), plan.options, [seed], watch)
        return spd(of_bed(bed), plan.options, [seed], watch)


def taken(model: Spd | apd.Apd, bed: beds.Bed, plan: Plan, method: str, labels: bool) -> list[apart.Decomposition]:
    """The decompositions of a bed; the components of APD are groups by themselves."""
    said = {"method": method, "options": vars(plan.options)}
    if isinstance(model, apd.Apd):
        return apd.decompositions(model, bed, **said)
    return decompositions(model, bed, labels=labels, **said)


if __name__ == "__main__":
    main(sys.argv[1:])
