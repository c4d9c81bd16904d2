"""Make the stored results of the long experiments: `python scripts/sweeps.py [NAME …]`, all of them without a name.

Each is written whole to `superpos/data/NAME.json` through a temporary file. The chapters recompute a part of them and
refuse to build if it does not agree. `capacity` and `usable` go on where they were stopped:
delete a file to measure all anew.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice, product
from pathlib import Path
from typing import get_args

import torch

from superpos import beds, codes, sweep, theory
from superpos.apart.study import studied, studies
from superpos.circuits import Kind
from superpos.compression import Tuning
from superpos.compression import tuned as fine_tuned
from superpos.sampling import generator
from superpos.sweep import (
    Capacity,
    Demand,
    RotationSetting,
    Setting,
    accuracy,
    answers,
    capacity,
    held_by_few,
    limit,
    linear_accuracy,
    many_layers,
    one_layer,
    rotations,
    stray,
    usable,
)

DATA = Path(__file__).parent.parent / "superpos" / "data"
SEEDS = range(6)
WIDTHS = (128, 256, 512, 1024, 2048)
THRESHOLDS = (0.0, 0.7)

TERMS = (
    Setting(1024, 1024, 256, 1, 8),
    Setting(1024, 1024, 1024, 1, 8),
    Setting(1024, 1024, 256, 3, 8),
    Setting(1024, 1024, 1024, 3, 8),
    Setting(2048, 2048, 1024, 2, 8),
    Setting(2048, 2048, 3000, 2, 8),
    Setting(512, 2048, 512, 2, 16),
    Setting(1024, 512, 300, 1, 2),
    Setting(512, 512, 400, 4, 4),
    Setting(512, 1024, 600, 2, 8, d=6, m=3),
    Setting(1024, 1024, 1024, 1, 8, threshold=0.7),
    Setting(1024, 1024, 1024, 3, 8, threshold=0.5),
)
LAYERS = (
    *(Setting(1024, 1024, T, 1, 8, threshold=theta) for T in (256, 1024) for theta in (0.0, 0.5)),
    *(Setting(512, 512, 512, 1, S) for S in (1, 2, 4, 8)),
)
ECHOES = tuple(Setting(256, 256, 100, 1, S, d=d, m=d) for d in (1, 4) for S in (4, 16))
HELD = tuple(Setting(1024, 1024, 256, 1, 8, threshold=theta) for theta in (0.0, 0.5))
ANSWERS = (
    *(Setting(512, 512, T, 2, S) for T in (32, 64, 128, 256) for S in (1, 2, 4, 8, 16)),
    *(Setting(512, 512, 64, z, S) for z in (1, 4) for S in (1, 2, 4, 8, 16)),
    *(Setting(512, 512, 600, 1, S) for S in (1, 2, 4, 8)),
    *(Setting(D, M, 1000, 1, 8) for D, M in ((512, 2048), (1024, 1024), (2048, 512))),
)


def terms() -> list[dict]:
    """All error terms of one layer, in every setting of TERMS and with every seed."""
    return [{**asdict(s), "seed": seed, "terms": one_layer(s, seed)} for s in TERMS for seed in SEEDS]


def layers() -> list[dict]:
    """Relative error over eight layers: over T and thresholds, and over copies."""
    return [{**asdict(s), "seed": seed, **many_layers(s, seed, L=8)} for s in LAYERS for seed in SEEDS]


def demands() -> list[Demand]:
    """What is asked of residual networks: over copies, shapes, active circuits, widths and tolerances."""
    S = (1, 2, 4, 8, 16)
    copies = product((256, 512, 1024), THRESHOLDS, S)
    few = ((128, 2048), (256, 1024), (512, 512), (1024, 256), (2048, 128), (4096, 64), (8192, 32))
    many = ((512, 2048), (1024, 1024), (2048, 512), (4096, 256))
    several = product(((512, 2, 0.0), (1024, 2, 0.0), (1024, 2, 0.7), (1024, 4, 0.0)), S)
    widths = list(product(WIDTHS, THRESHOLDS))
    return [
        *(Demand(D, D, S, threshold=theta) for D, theta, S in copies),
        *(Demand(D, M, S, threshold=theta) for D, M in few for S in (1, 8) for theta in THRESHOLDS),
        *(Demand(D, M, S, threshold=theta) for D, M in many for S in (1, 8) for theta in THRESHOLDS),
        *(Demand(D, D, S, z=z, threshold=theta) for (D, z, theta), S in several),
        *(Demand(D, D, S, threshold=theta) for D, theta in widths for S in (1, 8)),
        *(Demand(D, D, 8, threshold=theta, of="signal") for D, theta in widths),
        *(Demand(512, 512, S, threshold=theta, of="signal") for theta in THRESHOLDS for S in (1, 2, 4)),
        *(Demand(D, M, 8, of="signal") for D, M in ((512, 2048), (2048, 512))),
        *(Demand(2048, 2048, S, tolerance=0.01, of=of) for S in (1, 8) for of in ("update", "signal")),
        *(Demand(D, M, S, z=2) for D, M in few[1:] for S in (1, 8)),
    ]


def echoes() -> list[dict]:
    """What circuits read back of the silent ones, [measured, predicted], in small networks: over forty seeds."""
    rows = []
    for s, seed in product(ECHOES, range(40)):
        terms = one_layer(s, seed)
        names = ("active written_back", "inactive written_back")
        rows.append({**asdict(s), "seed": seed, "terms": {name: terms[name] for name in names}})
    return rows


def held() -> list[dict]:
    """The share of all squared error that few samples hold, over eight layers."""
    return [{**asdict(s), "seed": seed, **held_by_few(s, seed, L=8)} for s in HELD for seed in range(20)]


def single_answers() -> list[dict]:
    """The errors of single answers over copies, active circuits and shapes."""
    return sweep.run(answers, ANSWERS, range(12), DATA / "answers.json")


def usable_circuits() -> list[dict]:
    """Usable T of residual networks, after what was asked of them."""
    return sweep.run(usable, demands(), SEEDS, DATA / "usable.json")


def far() -> list[dict]:
    """Predicted usable T up to widths that nobody builds."""
    asked = [
        Demand(2**a, 2**a, S, threshold=theta) for theta in THRESHOLDS for S in (1, 8) for a in (*range(7, 30, 2), 30)
    ]
    return [{**asdict(s), "predicted": theory.predicted_usable(s)} for s in asked]


def tasks() -> list[dict]:
    """Accuracy of the trained circuits beside the read-out without a neuron, one copy of each small neuron."""
    return [
        {"kind": kind, "D": D, "T": T, "z": z, "S": 1, "seed": seed}
        | accuracy(D, T, z, seed, kind=kind, S=1)
        | {"linear": linear_accuracy(D, T, z, seed, kind=kind)}
        for kind in get_args(Kind)
        for D, z in ((512, 1), (512, 4), (512, 16), (128, 1), (256, 1), (1024, 1))
        for T in (32, 64, 128, 256, 512, 1024)
        for seed in range(3)
    ]


def reference() -> list[dict]:
    """The setting of "Rotations in Superposition": z = 1 with every circuit, z = 2 with a hundred pairs a circuit."""
    cases = [(RotationSetting(1000, 557, 6, 1), None), (RotationSetting(1000, 557, 6, 2), 55_700)]
    return [
        {**asdict(s), "batch": batch, "seed": seed, **rotations(s, seed, L=5, batch=batch)}
        for s, batch in cases
        for seed in range(10)
    ]


def many_rotations() -> list[dict]:
    """Five layers over many D and T, half a circuit a slot up to what the progression code holds."""
    rows = []
    for D in (800, 1000, 1200, 1600, 2000, 2400, 3200):
        n = D // 4
        for load in (0.5, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0):
            T = round(load * n)
            for z in (1, 2):
                if codes.max_circuits("progression", n, 6) >= T:
                    s = RotationSetting(D, T, 6, z)
                    rows += [{**asdict(s), "seed": seed, **rotations(s, seed, L=5, batch=500)} for seed in range(4)]
    return rows


def drawn_settings() -> Iterator[RotationSetting]:
    """Random settings, all different, for the onset of the seizure."""
    g, seen = generator(0, "seizure settings"), set()
    sizes = ((150, 200, 250, 300, 400, 500), (4, 5, 6, 8), (1, 2, 3))
    while True:
        n, S, z = (options[int(torch.randint(len(options), (1,), generator=g))] for options in sizes)
        load = 2 ** (4 * torch.rand(1, generator=g).item() - 2)  # circuits per slot, 1/4 … 4
        T = min(round(load * n), codes.max_circuits("progression", n, S), 2000)
        if (s := RotationSetting(4 * n, T, S, z)) not in seen:
            seen.add(s)
            yield s


def spread_settings() -> list[RotationSetting]:
    """Of 600 drawn settings the first five for each predicted onset, 2 … 12 or never."""
    left: dict[int | None, int] = {layer: 5 for layer in (*range(2, 13), None)}
    chosen = []
    for s in islice(drawn_settings(), 600):
        onset = theory.onset(codes.progression(s.T, s.D // 4, s.S), s.z, 12)
        if left.get(onset, 0):
            left[onset] -= 1
            chosen.append(s)
            print(onset, s, flush=True)
    return chosen


def seizure() -> list[dict]:
    """Twelve layers, predicted and measured: the first sixty drawn settings, and some spread over the onset."""
    rows = []
    for name, settings in (("drawn", list(islice(drawn_settings(), 60))), ("spread", spread_settings())):
        for s in settings:
            predicted = [p.point.active for p in theory.rotations(codes.progression(s.T, s.D // 4, s.S), s.z, 12)]
            measured = [rotations(s, seed, L=12, batch=600)["point active"] for seed in range(5)]
            rows.append({**asdict(s), "set": name, "predicted": predicted, "measured": measured})
            print(len(rows), flush=True)
    return rows


def limits() -> list[dict]:
    """The largest T for which 20 layers do not seize, to 3%: by width, code and number of active circuits.

    Predicted, and measured in a network of each seed.
    """
    rows = []
    for n, code, z in product((125, 250, 500, 1000), ("progression", "line"), (1, 2)):
        predicted = theory.seizure_limit(n, 6, z, code=code)
        measured = [limit(n, 6, z, code, seed) for seed in SEEDS]
        rows.append({"code": code, "n": n, "z": z, "S": 6, "T": predicted, "measured": measured})
        print(rows[-1], flush=True)
    return rows


def idle() -> list[dict]:
    """The share of idle slots on and the error of the point over 20 layers, n = 250, by code and T: mean of a batch."""
    rows = []
    for code, T, seed in product(("progression", "line"), (125, 200, 250, 300, 350, 400, 450, 500, 557), SEEDS):
        s = RotationSetting(1000, T, 6, 1, code)
        on = stray(s, seed, L=20, batch=100).mean(dim=1).tolist()
        error = rotations(s, seed, L=20, batch=100)["point active"]
        rows.append({**asdict(s), "seed": seed, "idle on": on, "point active": error})
    return rows


def capacity_settings(largest: bool) -> list[Capacity]:
    """Where T is searched for; `largest` are the settings of each construction's greatest width."""
    approximate, exact = (250, 500, 1000, 2000, 4000), (250, 500, 1000, 2000, 4000, 8000)
    block = [("redundant", 4, 6, approximate), ("balanced", 4, 6, approximate)]
    layers = product([("residual", 4, 8, WIDTHS), *block], (1, 2, 3), (1, 3, 5), (0.01, 0.1))
    lanes = product([(name, d, 1, exact) for name in ("exact", "dedicated") for d in (2, 4)], (1, 2, 3, 4))
    every = [*layers, *((kind, z, 5, 0.0) for kind, z in lanes)]
    return [
        Capacity(name, D, d, S, z, L, tolerance)
        for (name, d, S, widths), z, L, tolerance in every
        for D in widths
        if largest is (D in widths[-1:])
    ]


def capacities() -> list[dict]:
    """The largest usable T of all constructions: three seeds, one at the greatest width of each."""
    for largest, seeds in ((False, range(3)), (True, range(1))):
        sweep.run(capacity, capacity_settings(largest), seeds, DATA / "capacity.json")
    return sweep.stored("capacity")


def tuned() -> list[dict]:
    """Balanced networks of trained ones after fine-tuning: budgets of steps, each four times the one before."""
    return sweep.run(fine_tuned, [Tuning(steps) for steps in (125, 500, 2000, 8000)], range(3), DATA / "tuned.json")


def dictionaries() -> list[dict]:
    """Dictionaries of all beds and their controls: whether their latents say which circuits are active."""
    settings = [study for name in beds.names() for study in studies(name)]
    return sweep.run(studied, settings, range(3), DATA / "dictionaries.json")


def write(name: str, rows: list[dict]) -> None:
    """Write rows as one JSON file: whole, or not at all."""
    DATA.mkdir(exist_ok=True)
    sweep.store(DATA / f"{name}.json", rows)
    print(f"{name}.json: {len(rows)} rows")


SWEEPS: dict[str, Callable[[], list[dict]]] = {
    "terms": terms,
    "layers": layers,
    "echoes": echoes,
    "held": held,
    "answers": single_answers,
    "usable": usable_circuits,
    "far": far,
    "tasks": tasks,
    "reference": reference,
    "rotations": many_rotations,
    "seizure": seizure,
    "limits": limits,
    "idle": idle,
    "capacity": capacities,
    "tuned": tuned,
    "dictionaries": dictionaries,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or SWEEPS:
        write(name, SWEEPS[name]())
