"""The exact network at full size beside the circuits alone: `python scripts/exactness.py [NAME …]`, or all of it.

The tests run a part of each check; here it is whole. Networks are plain float32 matrices with a plain ReLU, as in
tests/exactly.py, and every active circuit has to have one lane, with all else in the lanes exactly 0. A line for each
setting: what was run, the worst |δx|² over all circuits and layers and its share of what is allowed, the fraction of
active circuits with a lane, seconds. The exit code is 1 if a target is missed.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import exactly  # pyright: ignore[reportMissingImports]

from superpos import circuits, exact
from superpos.circuits import MLPCircuits
from superpos.exact import ExactNetwork

MOST = torch.tensor(1e-11)  # |δx|² of rotations
BATCH = 2000  # sets at a time
SIDE = ((2, 25_600), (3, 11_025), (4, 5_929), (5, 3_721))  # z and T in width 1000: z lanes, and one
SERIAL = ((2, 104_976), (3, 104_329), (4, 103_684))
Found = tuple[str, bool]  # what a setting has shown, and whether that is what was to be shown


def measured(network: ExactNetwork, c: MLPCircuits, active: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """|δx|² of each layer, sample and circuit, and which circuits are live; by plain matrices."""
    states = exactly.through(network, active, x)
    estimates, live = exactly.read(network, states, active), network.live(states[-1], active, network.L)
    if active.shape[1] <= network.plan.z:
        exactly.occupied(network, states, active)
    assert not estimates[:, ~live].any(), "a circuit without a lane is not read as 0"
    return (estimates - c.run(active, x)[list(network.depths)]).square().sum(dim=-1), live


def over(
    network: ExactNetwork,
    c: MLPCircuits,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    most: Tensor = MOST,
    served: float = 1.0,
) -> Found:
    """All these sets: the answers of live circuits may be off by `most`, and a fraction `served` of them is live."""
    worst = share = live = many = size = 0
    for active, x in batches:
        error, alive = measured(network, c, active, x)
        error, size = error[:, alive], active.shape[1]
        worst, share = max(worst, error.max().item()), max(share, (error / most.view(-1, 1)).max().item())
        live, many = live + int(alive.sum()), many + len(active)
    live /= many * size
    said = f"z = {network.plan.z}, T = {network.T:,}, D = {network.D}, lanes = {network.plan.lanes}, L = {network.L}: "
    said += f"{many:,} sets of {size}, |δx|² ≤ {worst:.2g} ({share:.2f} of {most.max():.2g}), live {live:.4f}"
    if served == 1:
        return said, share < 1 and live == 1
    return f"{said}, {served:.4f} foretold ({live / served - 1:+.1%})", share < 1 and abs(live / served - 1) < 0.1


def turned(sets: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """These sets in batches, with points for rotations."""
    for seed, active in enumerate(part for some in sets for part in some.split(BATCH)):
        yield active, exactly.points(*active.shape, seed=seed)


def sets() -> Iterator[Found]:
    """All sets of 1 … z of few rotations."""
    for z, T in ((2, 169), (3, 49), (4, 25), (5, 16)):
        c = circuits.rotations(T, 5, seed=0)
        network = exact.embed(c, z=z)
        yield from (over(network, c, turned([exactly.every_set(T, size)])) for size in range(1, z + 1))


def hard(network: ExactNetwork, many: int, few: int, seed: int = 0) -> Tensor:
    """Sets at random, sets of neighbours, and sets that tie as often as a search finds."""
    assert network.code is not None
    T, z = network.T, network.plan.z
    kinds = exactly.neighbours(T, few, z, seed=seed), exactly.tied(network.code, few, z, seed=seed)
    return torch.cat([circuits.random_active(T, many, z, seed=seed), *kinds])


def lanes() -> Iterator[Found]:
    """As many rotations as are promised in width 1000, z lanes side by side."""
    for z, T in SIDE:
        network = exact.embed(c := circuits.rotations(T, 5, seed=0), 1000, z=z)
        yield over(network, c, turned([hard(network, 20_000, 2000)]))


def serial() -> Iterator[Found]:
    """As many rotations as are promised in width 1000, one after the other; as many sets as a minute allows."""
    for z, T in SERIAL:
        network = exact.embed(c := circuits.rotations(T, 5, seed=0), 1000, z=z, lanes=1)
        end = time.monotonic() + 60
        seeds = takewhile(lambda seed, end=end: seed == 0 or time.monotonic() < end, count())
        yield over(network, c, turned(hard(network, BATCH * 8 // 10, BATCH // 10, seed) for seed in seeds))


def biased() -> Iterator[Found]:
    """MLPs with biases, a common mean and negative inputs; the error beside their largest squared output."""
    c, active = exactly.mlps(9216, 4, 4), circuits.random_active(9216, 20_000, 2, seed=0)
    x = circuits.sphere(len(active), 2, 4, seed=0)
    network = exact.embed(c, 1000, z=2, bound=exactly.bounded(c, active, x), reach=2.0)
    batches = zip(active.split(BATCH), x.split(BATCH), strict=True)
    yield over(network, c, batches, most=1e-12 * c.run(active, x).square().sum(dim=-1).max())


def pairs() -> Iterator[Found]:
    """All pairs of 729 rotations in width 200."""
    c = circuits.rotations(729, 5, seed=0)
    yield over(exact.embed(c, 200, z=2), c, turned([exactly.every_set(729, 2)]))


def depth() -> Iterator[Found]:
    """Two hundred layers: after layer l the distance is below 8 eps (l + 5), in proportion to them."""
    c, bound = circuits.rotations(729, 200, seed=0), 8 * torch.finfo(torch.float32).eps * (torch.arange(200) + 5)
    active = circuits.random_active(729, BATCH, 2, seed=0).split(BATCH // 10)  # 200 times as many states
    yield over(exact.embed(c, z=2), c, turned(active), most=bound.square())


def beyond() -> Iterator[Found]:
    """More active than planned: every answer that is not flagged is right, and as many are served as predicted."""
    cases = *SIDE, (2, 36), (2, 169), (3, 49)  # in the small ones singles run out
    each = -(-100_000 // sum(2 * z for z, _ in cases))
    for z, T in cases:
        network = exact.embed(c := circuits.rotations(T, 5, seed=0), z=z)
        for size in range(z + 1, 3 * z + 1):
            active = circuits.random_active(T, each, size, seed=size)
            yield over(network, c, turned([active]), served=1 - network.promise(size).missing)


def main() -> int:
    known = {check.__name__: check for check in (sets, lanes, serial, biased, pairs, depth, beyond)}
    if unknown := [name for name in sys.argv[1:] if name not in known]:
        raise SystemExit(f"there is no check {', '.join(map(repr, unknown))}, only {', '.join(known)}")
    missed, start = 0, time.monotonic()
    for name in sys.argv[1:] or known:
        for said, reached in known[name]():
            now = time.monotonic()
            print(f"{name:6s} {said}, {now - start:.1f} s{'' if reached else '  MISSED'}", flush=True)
            missed, start = missed + (not reached), now
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
