"""Running 1,000 trained networks: compressed into one, one by one, and by `torch.func.vmap` over stacked weights.

python -m benchmarks.compression
"""

from collections.abc import Callable

import torch
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.process import once, seconds
from superpos import circuits, compress

SIZES = [(1000, 1000, z) for z in (1, 2, 3)]  # networks, samples, of them active
HEAD = "     T     B z |  run  dense   vmap  one by one  ms | run / best other   building s"
NOTES = """
run          a batch with z random active networks a sample, their own weights only;  dense: encoded, all layers, read
vmap         the same batch, weights of each sample's network gathered from a stack;  one by one: the modules
run / best   over the faster of the two others
"""


def row(size: tuple[int, ...]) -> dict[str, float]:
    """One line of the table."""
    T, batch, z = size
    stack, _, samples = circuits.trained()
    modules = [circuits.to_module(stack, t, [8, 8, 8, 8]) for t in range(T)]
    network, building = once(lambda: compress(modules, z=z))
    active = circuits.random_active(T, batch, z, seed=0)
    x, _ = samples.mlp.draw(active, seed=1)
    parameters = {key: p.detach() for key, p in stack_module_state(modules)[0].items()}
    call = vmap(lambda p, v: functional_call(modules[0], p, (v,)))
    order, inputs = active.flatten(), x.flatten(0, 1)
    with torch.no_grad():
        times = {
            "run": _warm(lambda: network.run(active, x).outputs),
            "dense": _warm(lambda: network.read(network(network.encode(active, x)), active)),
            "vmap": _warm(lambda: call({key: p[order] for key, p in parameters.items()}, inputs)),
            "one_by_one": _warm(
                lambda: torch.stack([modules[t](v) for t, v in zip(order.tolist(), inputs, strict=True)])
            ),
        }
    best = min(times["vmap"], times["one_by_one"])
    return {"T": T, "B": batch, "z": z, **times, "over_best": times["run"] / best, "building": building}


def line(r: dict[str, float]) -> str:
    """A row as it is printed."""
    ms = {name: 1000 * r[name] for name in ("run", "dense", "vmap", "one_by_one")}
    return (
        f"{r['T']:6} {r['B']:5} {r['z']:1.0f} | {ms['run']:4.2f} {ms['dense']:6.2f} {ms['vmap']:6.2f} "
        f"{ms['one_by_one']:11.1f}     | {r['over_best']:16.2f} {r['building']:12.2f}"
    )


def _warm(work: Callable[[], object]) -> float:
    work()
    return seconds(work)


if __name__ == "__main__":
    print(HEAD)
    for size in SIZES:
        print(line(row(size)))
