"""Nothing depends on torch's default dtype: a call of each part of the package, under each default."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from test_device import leaves
from torch import Tensor, nn

from superpos import (
    balanced,
    circuits,
    codes,
    compress,
    dedicated,
    errors,
    exact,
    redundant,
    residual,
    sampling,
    theory,
)
from superpos.exact import sizes
from superpos.exact.gates import StairsI, sets
from superpos.exact.layers import Keys, Ties
from superpos.sweep import Setting, many_layers
from superpos.sweep.capacity import Capacity, measured

T, B, Z, L = 12, 5, 2, 2
CAPACITIES = ("residual", "redundant", "balanced", "exact", "dedicated")


@contextmanager
def default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def batch() -> tuple[Tensor, Tensor]:
    return circuits.random_active(T, B, Z, seed=0), circuits.sphere(B, Z, 4, seed=0)


def turning() -> tuple[Tensor, Tensor]:
    return batch()[0], circuits.conditional_inputs(circuits.sphere(B, Z, 2, seed=0) / 2**0.5)


def nets() -> list[nn.Sequential]:
    """The same numbers under every default: a module is the user's own."""
    g = torch.Generator().manual_seed(0)
    made = [nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).to(torch.float32) for _ in range(49)]
    for p in nn.ModuleList(made).parameters():
        p.data.copy_(torch.randn(p.shape, generator=g, dtype=torch.float32))
    return made


def streams() -> circuits.ResidualCircuits:
    return circuits.random_residual(T, 4, 3, L, seed=0, threshold=0.2)


def mlps() -> circuits.MLPCircuits:
    return circuits.random_mlps(T, 4, L, seed=0)


def rotations() -> circuits.MLPCircuits:
    return circuits.conditional_rotations(T, L, seed=0)


def embedded(small: Any, embed: Callable[..., Any], *sizes: int, x: tuple[Tensor, Tensor], **options: Any) -> Any:
    large = embed(small, *sizes, **options)
    measured = errors.terms if embed is residual.embed else errors.measure
    return large, large.run(*x), large.dense(), measured(large, small, *x)


def keyed(n: int) -> list[Tensor]:
    """What the layers before the cells are made of, of n slots a lane."""
    plan, like = exact.plan(n * n, 1, z=2), torch.zeros(1, dtype=torch.float32)
    ties = next(sizes.before(plan))
    stairs = next(sizes.gates(plan, 1))
    keys = Keys(n * n, 5.0)
    made = [Ties(sizes.encoded(plan), ties, keys), StairsI(ties.leaves, stairs, keys, n, 2, (), 0)]
    return [layer.to(like).b for layer in made] + [sets(n, plan.wires), torch.tensor([plan.D])]


def compressed(method: str, **options: Any) -> Any:
    large = compress(nets(), method=method, **options)
    certificate = large.certify()
    active, x = large.samples(None, None, seed=1)
    return large, str(large.report()), certificate.to_json(), large.run(active, x), large.extract(3), large.owners(0)


CALLS: dict[str, Callable[[], Any]] = {
    "sampling": lambda: sampling.distinct(20, 3, 9, generator=sampling.generator(0)),
    "families": lambda: [
        circuits.random_mlps(T, 4, L, seed=0),
        circuits.random_residual(T, 4, 3, L, seed=0, threshold=0.3),
        circuits.rotations(T, L, seed=0),
        circuits.conditional_rotations(T, L, seed=0),
    ],
    "batches": lambda: [*batch(), *turning()],
    "conditional": lambda: circuits.conditional(streams().as_mlp(), 0.3),
    "activation bound": lambda: mlps().activation_bound(2.0),
    "modules": lambda: [circuits.stacked(nets()), circuits.to_module(circuits.from_modules(nets()), 1, [2, 3, 2])],
    "trained": lambda: circuits.trained()[2].residual.draw(batch()[0], seed=0),
    **{f"code {name}": lambda name=name: getattr(codes, name)(T, 15, 3) for name in ("progression", "line")},
    "code random": lambda: codes.random(40, 42, 6, seed=0),
    "code random_subsets": lambda: codes.random_subsets(T, 15, 3, seed=0),
    "overlaps": lambda: [codes.line(T, 15, 3).overlaps, codes.line(T, 15, 3).rho_star],
    "residual": lambda: embedded(streams(), residual.embed, 60, 60, 3, seed=0, threshold=0.1, x=batch()),
    "redundant": lambda: embedded(mlps(), redundant.embed, 60, 3, seed=0, x=batch()),
    "balanced": lambda: embedded(rotations(), balanced.embed, 100, 3, seed=0, x=turning()),
    "exact": lambda: embedded(rotations(), exact.embed, z=2, x=turning()),
    "exact, one lane for all": lambda: embedded(rotations(), exact.embed, z=3, lanes=1, x=turning()),
    "exact, with keys that a half does not hold": lambda: keyed(2100),
    "dedicated": lambda: embedded(mlps(), dedicated.embed, x=batch()),
    "layers predicted": lambda: theory.layers(streams(), *batch(), D=60, M=60, S=3),
    "layers predicted from many": lambda: theory.layers(
        circuits.random_residual(3000, 2, 2, 1, seed=0),
        circuits.random_active(3000, 3000, 1, seed=0),
        circuits.sphere(3000, 1, 2, seed=0),
        D=60,
        M=60,
        S=3,
    ),
    "rotations predicted": lambda: theory.rotations(codes.line(200, 60, 3), 2, 3),
    "exact predicted": lambda: [theory.served(10, 4, 2, 5), exact.plan(900, 2, z=2).promise(5)],
    "usable": lambda: [theory.usable(name, 120) for name in ("dedicated", "redundant", "balanced", "residual")],
    "exact compressed": lambda: compressed("exact", z=2),
    "balanced compressed": lambda: compressed("balanced", tolerance=0.9),
    **{
        f"capacity of {name}": lambda name=name: measured(Capacity(name, 60, S=2, L=2), 12, 0, batch=20)
        for name in CAPACITIES
    },
    "many layers": lambda: many_layers(Setting(T=20, D=60, M=60, z=1, S=2, d=2, m=2), 0, L=2, batch=20),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_default_dtype_changes_nothing(name: str) -> None:
    normal = list(leaves(CALLS[name]()))
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        with default(dtype):
            found = list(leaves(CALLS[name]()))
        assert len(found) == len(normal) > 0
        for x, y in zip(normal, found, strict=True):
            if isinstance(x, Tensor):
                assert x.dtype == y.dtype
                torch.testing.assert_close(x, y, rtol=0, atol=0, equal_nan=True)
            else:
                assert x == y or x != x
