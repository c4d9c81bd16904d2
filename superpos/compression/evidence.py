"""How a certificate is come by: samples run through the layers, weights read back, modules run. Chapter 15."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos import circuits
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.compression.certificate import CAP, Certificate, LayerErrors, ModuleErrors
from superpos.compression.large import Large
from superpos.compression.rounding import Rounding, near
from superpos.compression.unproved import UNPROVED, Recipe, recipe
from superpos.errors import relative
from superpos.errors.relative import share
from superpos.network import parts

_CHANCE = 10.0  # times smaller than its neighbours may an output be by chance
_MADE_OF = "the modules it was made of"
_GIVEN = "modules given with the samples"
_OWN = "those in its own weights"


@dataclass(frozen=True, eq=False)
class Found:
    """The findings on a batch: states of active circuits after each layer, and what is wrong with them.

    Attributes:
        estimates, truth: by the layers of the network, and by the circuits alone; in double precision.
        live: which answers count.
        wrong: which of these are off by more than rounding, by the layers or by `run`.
        rounding: how far off rounding may take a state, squared, after each layer.
        sizes: the squared size of such states, in the mean over inputs near those given.
        off: how far `run` is from the layers.
        through: how far off rounding in all layers may take an output.
    """

    estimates: Float[Tensor, "L B z d"]
    truth: Float[Tensor, "L B z d"]
    live: Bool[Tensor, "B z"]
    wrong: Bool[Tensor, "B z"]
    rounding: Float[Tensor, "L B z"]
    sizes: Float[Tensor, "L B z"]
    off: Float[Tensor, "L B z"]
    through: Float[Tensor, "B z"]


def certify(
    network: Large, active: Int64[Tensor, "B z"] | None, inputs: Float[Tensor, "B z width"] | None, modules: Any
) -> Certificate:
    """The certificate of a network on samples, held against modules; what `Compressed.certify` returns, and raises."""
    source = "standard normal inputs" if active is None else "your own"
    active, inputs = network.samples(active, inputs, seed=0)
    x = network.padded(active, inputs)
    modules = _in_order(network, modules)
    small = _circuits(network, modules)
    report, core = network.report(), network.network
    made = recipe(report.method, small, network.origin.threshold) if report.method in UNPROVED else None
    expected = None
    if made is not None:
        expected = tuple(made.to(network.like).expected(network.D, 0, active, x).tolist())
    found = _batch(network, small, active, inputs, proved=made is None)
    answers = None
    if modules is not None and not isinstance(modules, MLPCircuits | ResidualCircuits):
        answers = _outputs(network, modules, active, inputs)
    promise = core.promise(active.shape[1])
    absent = (~found.live).to(torch.float64).mean(dim=1)
    rows, size = _modules(network, found, active, _altered(network, small, made), answers)
    return Certificate(
        method=report.method,
        T=network.T,
        D=network.D,
        asked=report.D,
        z=network.z,
        tolerance=report.tolerance,
        dtype=str(network.like.dtype).removeprefix("torch."),
        cost=network.cost,
        proved=promise.words,
        gated=core.gated,
        reach=core.reach,
        bound=core.bound,
        active=active.shape[1],
        missing=promise.missing,
        expected=expected,
        samples=len(active),
        source=source,
        against=_GIVEN if modules is not None else _OWN if network.origin.circuits is None else _MADE_OF,
        itself=modules is None and network.origin.circuits is None,
        ran=answers is not None,
        measured=_layers(found),
        found_missing=(absent.mean().item(), absent.std().item() / len(absent) ** 0.5 if len(absent) > 1 else 0.0),
        shortcut=_largest(share(found.off.to(size.device), size[:, active.to(size.device)])),
        modules=rows,
    )


def _in_order(network: Large, modules: Any) -> Any:
    """Modules with names may be given in any order: by the names that the network knows."""
    names = network.origin.names
    if not isinstance(modules, Mapping | nn.ModuleDict):
        return modules
    same = names is not None and set(modules.keys()) == set(names)
    return {name: modules[name] for name in (names if same and names is not None else modules.keys())}


def _circuits(network: Large, modules: Any) -> MLPCircuits:
    """What the network is held against, as circuits with the numbers that they have."""
    if modules is None:
        known = network.origin.circuits
        return (network.circuits() if known is None else known).to(network.like.device)
    stack = modules if isinstance(modules, MLPCircuits | ResidualCircuits) else circuits.from_modules(modules)
    small = stack.detach().as_mlp() if isinstance(stack, ResidualCircuits) else stack.detach()
    d = network.network.d - network.skip
    if (small.T, small.L, small.d) != (network.T, network.L, d):
        raise ValueError(
            f"modules are {small.T} of {small.L} layers and width {small.d}; the network carries {network.T} of "
            f"{network.L} layers and width {d}"
        )
    if small.last_relu != network.relu:  # which no weight tells, and no sample whose answers are all positive
        ends = [f"end {'with' if relu else 'without'} a ReLU" for relu in (small.last_relu, network.relu)]
        raise ValueError(f"modules {ends[0]}; those that the network carries {ends[1]}")
    return small.to(network.like.device)


def _batch(
    network: Large,
    small: MLPCircuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z width"],
    *,
    proved: bool,
) -> Found:
    """Run a batch through the layers of the network, gates and all, through its `run`, and through the circuits."""
    exact = small.to(torch.float64)
    coarser = max(network.like.dtype, small.stack.dtype, key=lambda dtype: torch.finfo(dtype).eps)
    own, through = (Rounding.of(network.network, exact, dtype) for dtype in (network.like.dtype, coarser))
    found: list[list[Tensor]] = []
    with torch.no_grad():
        for t, x in parts(max(network.D, active.shape[1] * small.d**2), active, inputs):
            given = network.padded(t, x).double()
            states = exact.run(t, given)
            A, estimates = None, []
            for A, estimate in network.states(t, x):  # noqa: B007
                estimates.append(estimate.double())
            assert A is not None
            live, layers = network.live(A, t), torch.stack(estimates)
            shortcut, agrees = _run(network, t, x, live, layers)
            rounding, wrong = torch.zeros_like(layers[..., 0]), torch.zeros_like(live)
            if proved:
                rounding, right = _right(own, t, given, layers)
                wrong = live & ~(right & _right(own, t, given, shortcut)[1])
            size = torch.stack([exact.run(t, y)[1:].square().sum(dim=-1) for y in near(given)]).mean(dim=0)
            off = (shortcut - layers).norm(dim=-1).masked_fill(~agrees, torch.inf)
            most = through.through(t, states).norm(dim=-1)
            found.append([layers, states[1:], live, wrong, rounding, size, off, most])
    joined = [torch.cat(each, dim=0 if i in (2, 3, 7) else 1) for i, each in enumerate(zip(*found, strict=True))]
    return Found(*joined)


def _right(
    rounding: Rounding, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"], states: Float[Tensor, "L B z d"]
) -> tuple[Float[Tensor, "L B z"], Bool[Tensor, "B z"]]:
    """What rounding may do, squared, and which circuits are off by no more in any layer. NaN is off."""
    steps = [rounding.step(l, active, before) for l, before in enumerate([inputs, *states[:-1]])]
    allowed = torch.stack([off for _, off in steps])
    right = ((states - torch.stack([y for y, _ in steps])).abs() <= allowed).all(dim=-1).all(dim=0)
    return allowed.square().sum(dim=-1), right


def _run(
    network: Large,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z width"],
    live: Bool[Tensor, "B z"],
    layers: Float[Tensor, "L B z d"],
) -> tuple[Float[Tensor, "L B z d"], Bool[Tensor, "B z"]]:
    """The states by `run`, and whether it finds the same answers live; neither where it refuses the batch."""
    try:
        run = network.run(active, inputs)
    except ValueError:
        return layers, torch.zeros_like(live)
    return run.estimates[1:].double() * live[..., None], run.live == live


def _outputs(
    network: Large, modules: Any, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]
) -> Float[Tensor, "B z out"]:
    """What the modules put out, each run by its own forward on the samples in which it is active, as wide as here."""
    first = next(iter(modules.values() if isinstance(modules, Mapping) else modules))
    found = circuits.answers(modules, active, inputs.to(next(first.parameters())))
    return nn.functional.pad(found.to(inputs.device).double(), (0, network.width_out - found.shape[-1]))


def _altered(network: Large, small: MLPCircuits, made: Recipe | None) -> Bool[Tensor, " T"]:
    """Whose weights, read back from the network, differ from the circuits' by more than rounding."""
    eps, own = (torch.finfo(x.dtype) for x in (network.like, small.stack))
    if made is not None:
        return made.altered(network.network, max(eps.eps, own.eps))  # type: ignore[arg-type]
    altered = torch.zeros(network.T, dtype=torch.bool, device=network.like.device)
    # The weights of residual circuits as MLPs are products themselves.
    products = small.d * own.eps if network.origin.kind == "residual" else 0.0
    for l, *copy in network.network.copies():
        for read, given in zip(copy, (small.weights[l], small.biases[l]), strict=True):
            read, given = read.double().flatten(1), given.double().flatten(1)
            allowed = 2 * eps.eps * (given.abs() + eps.tiny) + products * given.abs().amax(dim=1, keepdim=True)
            altered |= ~((read - given).abs() <= allowed).all(dim=1)
    return altered


def _layers(found: Found) -> tuple[LayerErrors, ...]:
    counted = found.live[..., None]
    estimates, truth = (x.where(counted, 0.0) for x in (found.estimates, found.truth))
    errors = relative(estimates, truth)
    worst = (estimates - truth).norm(dim=-1).amax(dim=(1, 2))
    each = zip(errors.error.tolist(), errors.standard_error.tolist(), worst.tolist(), strict=True)
    return tuple(LayerErrors(*layer) for layer in each)


def _modules(
    network: Large,
    found: Found,
    active: Int64[Tensor, "B z"],
    altered: Bool[Tensor, " T"],
    answers: Float[Tensor, "B z out"] | None,
) -> tuple[tuple[ModuleErrors, ...], Float[Tensor, "L T"]]:
    """What was found of every module; and its size after each layer, in the root mean square."""
    t, none = active.flatten(), torch.zeros(network.T, dtype=torch.float64, device=active.device)

    def total(values: Tensor) -> Tensor:
        return none.expand(*values.shape[:-2], -1).index_add(-1, t, values.double().flatten(-2))

    live = found.live
    samples, alive = total(torch.ones_like(live)), total(live)
    off = (found.estimates - found.truth).norm(dim=-1).where(live, 0.0)
    own = share(total(found.truth.square().sum(dim=-1)), samples).sqrt()
    # A single output may be near 0 by chance, and then it is judged by its neighbours; but these may be far larger.
    size = share(total(found.sizes), samples).sqrt().minimum(_CHANCE * own)
    # What rounding may do to an answer, in the root mean square, and what it has done.
    may, has = (share(total(x.where(live, 0.0)), alive).sqrt() for x in (found.rounding, off.square()))
    coarse = ~((may <= CAP * size) & (has <= CAP * own)).all(dim=0)
    unlike = torch.zeros_like(live)
    if answers is not None:
        apart = (answers - found.truth[-1, ..., : network.width_out]).norm(dim=-1)
        unlike = ~(apart <= found.through.minimum(CAP * size[-1][active]))
    relative = share(total(off[-1].square()), total(found.truth[-1].square().sum(dim=-1).where(live, 0.0)))
    worst = none.scatter_reduce(0, t, off[-1].flatten(), "amax")
    columns = samples.int(), (samples - alive).int(), relative, worst, total(found.wrong).int(), coarse, altered
    rows = zip(*(column.tolist() for column in (*columns, total(unlike).int())), strict=True)
    return tuple(ModuleErrors(network.name(t), *row) for t, row in enumerate(rows)), size


def _largest(values: Tensor) -> float:
    """The largest of some numbers that are not negative; infinite if one of them is no number."""
    return values.nan_to_num(nan=torch.inf, posinf=torch.inf).max().item()
