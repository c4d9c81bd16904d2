"""What a compressed network is worth: proved, expected and measured. Chapter 13."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos import circuits
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.compression.large import Large
from superpos.compression.unproved import UNPROVED, recipe
from superpos.network import parts
from superpos.words import Rows, number
from superpos.writing import written

WORST = 5  # modules named
_MADE_OF = "the modules it was made of"
_DOUBT = 3.0  # standard errors
_UNITS = 1000  # in the last place of the largest activation: what rounding may do


@dataclass(frozen=True)
class LayerErrors:
    """Errors of active circuits after one layer, those without a live copy left out.

    Attributes:
        relative: Σ|x̂ − x|² / Σ|x|².
        standard_error: of it, over samples.
        worst: the largest |x̂ − x|.
    """

    relative: float
    standard_error: float
    worst: float


@dataclass(frozen=True)
class ModuleErrors:
    """Errors of one module's outputs.

    Attributes:
        name: of the module.
        samples: in which it was active.
        missing: in which it had no live copy.
        relative: Σ|ŷ − y|² / Σ|y|² of its live answers; 0 where there are none.
        worst: the largest |ŷ − y| of these.
    """

    name: str
    samples: int
    missing: int
    relative: float
    worst: float


@dataclass(frozen=True)
class Certificate(Rows):
    """What a network of `superpos.compress` is worth.

    Attributes:
        method, T, D, z, tolerance, dtype: the network, and what it was made for.
        proved: in words; empty if nothing is.
        reach, bound: of inputs and activations, for which it is proved; None if there is no limit.
        active: circuits active at once in the samples.
        missing: the fraction of active circuits without a live copy to be expected: counted over all sets, or, for
            more active circuits than z, estimated. 0 for other constructions.
        expected: the relative squared error after each layer of a network of which nothing is proved, from networks
            of other seeds; None where it is proved.
        samples, source: how many samples, and whose.
        against: what the outputs were held against.
        measured: errors after each layer.
        found_missing: the fraction without a live copy among the samples, and its standard error.
        wrong: live answers that are off by more than rounding, of a network that is proved to be exact.
        modules: errors of every module.
    """

    method: str
    T: int
    D: int
    z: int
    tolerance: float
    dtype: str
    proved: str
    reach: float | None
    bound: float | None
    active: int
    missing: float
    expected: tuple[float, ...] | None
    samples: int
    source: str
    against: str
    measured: tuple[LayerErrors, ...]
    found_missing: tuple[float, float]
    wrong: int | None
    modules: tuple[ModuleErrors, ...]

    @property
    def holds(self) -> bool:
        """Whether what was measured is what was proved, or keeps to the tolerance; up to three standard errors.

        With more circuits active than z nothing is promised of how many have a live copy, only of the answers of those.
        """
        if self.wrong is None:
            last = self.measured[-1]
            return last.relative <= self.tolerance + _DOUBT * last.standard_error
        found, doubt = self.found_missing
        planned = self.active > self.z or found <= self.missing + _DOUBT * doubt + 1e-12
        return self.wrong == 0 and planned

    @property
    def worst(self) -> tuple[ModuleErrors, ...]:
        """The modules with the largest errors, worst first."""
        return tuple(sorted(self.modules, key=lambda m: (-m.relative, -m.missing))[:WORST])

    def rows(self) -> list[tuple[str, str]]:
        last = self.measured[-1]
        layers = ", ".join(number(layer.relative) for layer in self.measured)
        found, doubt = self.found_missing
        rows = [
            ("network", f"{self.T:,} modules, {self.method}, width {self.D:,}, {self.dtype}"),
            ("proved", self.proved or "nothing"),
        ]
        if self.reach is not None and self.bound is not None:
            rows.append(("for", f"inputs up to {self.reach:g} in size, activations up to {number(self.bound)}"))
        rows.append(("measured on", f"{self.samples:,} samples ({self.source}), {self.active} active in each"))
        rows.append(("against", self.against))
        if self.missing or found:
            share = f"{self.missing:.2%} expected, {found:.2%} ± {doubt:.2%} found; all flagged"
            rows.append(("no live copy", share))
        if self.expected is not None:
            expected = ", ".join(map(number, self.expected))
            rows.append(("error expected", f"{expected} after each layer (relative, squared)"))
        rows.append(("error found", f"{layers} after each layer (relative, squared)"))
        rows.append(("largest error", f"{number(last.worst)} of an output"))
        if self.wrong is not None:
            rows.append(("wrong answers", f"{self.wrong:,} that are not flagged"))
        named = "; ".join(f"{m.name} ({number(m.relative)})" for m in self.worst)
        rows.append(("worst modules", f"{named} (relative, squared)"))
        rows.append(("verdict", "holds" if self.holds else "does NOT hold"))
        return rows

    def to_json(self) -> str:
        """Everything, the errors of every module too; the same numbers are the same text."""
        return json.dumps({**asdict(self), "holds": self.holds}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write `to_json()`, whole or not at all."""
        with written(Path(path), overwrite=overwrite) as spare:
            spare.write_text(self.to_json(), encoding="utf-8")


def certify(
    network: Large, active: Int64[Tensor, "B z"] | None, inputs: Float[Tensor, "B z width"] | None, modules: object
) -> Certificate:
    """See `Compressed.certify`."""
    source = "standard normal inputs" if active is None else "your own"
    active, inputs = network.samples(active, inputs, seed=0)
    x = network.padded(active, inputs)
    against, small = _truth(network, modules)
    live, errors, truth = _measure(network, small, active, inputs)
    report, core = network.report(), network.network
    promise = core.promise(active.shape[1])
    expected = None
    if report.method in UNPROVED:
        made = recipe(report.method, small, network.origin.threshold)
        expected = tuple(made.expected(network.D, 0, active, x).tolist())
    absent = (~live).to(torch.float64).mean(dim=1)
    return Certificate(
        method=report.method,
        T=network.T,
        D=network.D,
        z=network.z,
        tolerance=report.tolerance,
        dtype=str(network.like.dtype).removeprefix("torch."),
        proved=promise.words,
        reach=core.reach,
        bound=core.bound,
        active=active.shape[1],
        missing=promise.missing,
        expected=expected,
        samples=len(active),
        source=source,
        against=against,
        measured=tuple(_layer(e, a, live) for e, a in zip(errors, truth, strict=True)),
        found_missing=(absent.mean().item(), _doubt(absent)),
        wrong=None if report.method in UNPROVED else _wrong(errors, truth, live, network.like.dtype),
        modules=_modules(network, errors[-1], truth[-1], live, active),
    )


def _truth(network: Large, modules: object) -> tuple[str, MLPCircuits]:
    """What the network is held against, in words and as circuits."""
    if modules is None:
        return "those in its own weights" if network.origin.circuits is None else _MADE_OF, network.small()
    names = network.origin.names
    if isinstance(modules, Mapping) and names is not None and set(modules) == set(names):
        modules = {name: modules[name] for name in names}  # files may be given in any order
    stack = modules if isinstance(modules, MLPCircuits | ResidualCircuits) else circuits.from_modules(modules)  # type: ignore[arg-type]
    small = stack.detach().as_mlp() if isinstance(stack, ResidualCircuits) else stack.detach()
    d = network.network.d - network.skip
    if (small.T, small.L, small.d) != (network.T, network.L, d):
        raise ValueError(
            f"modules are {small.T} of {small.L} layers and width {small.d}; the network carries {network.T} of "
            f"{network.L} layers and width {d}"
        )
    return "modules given with the samples", small.to(network.like)


def _measure(
    network: Large, small: MLPCircuits, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z width"]
) -> tuple[Bool[Tensor, "B z"], list[Float[Tensor, "B z"]], list[Float[Tensor, "B z"]]]:
    """Which answers are live; |x̂ − x|² and |x|² after every layer. By the large network's layers, gates and all."""
    live, errors, sizes = [], [[] for _ in range(network.L)], [[] for _ in range(network.L)]
    exact = small.to(torch.float64)
    for t, x in parts(network.D, active, inputs):
        truth = exact.run(t, network.padded(t, x).double())[1:]
        A = None
        for l, (A, estimate) in enumerate(network.states(t, x)):  # noqa: B007
            errors[l].append((estimate - truth[l]).square().sum(dim=-1))
            sizes[l].append(truth[l].square().sum(dim=-1))
        assert A is not None
        live.append(network.live(A, t))
    return torch.cat(live), [torch.cat(e).detach() for e in errors], [torch.cat(a).detach() for a in sizes]


def _layer(error: Float[Tensor, "B z"], size: Float[Tensor, "B z"], live: Bool[Tensor, "B z"]) -> LayerErrors:
    worst = torch.where(live, error, 0.0).max().sqrt().item()
    error, size = (torch.where(live, x, 0.0).sum(dim=1).double() for x in (error, size))
    relative = (error.sum() / size.sum().clamp_min(1e-300)).item()
    doubt = _doubt(error - relative * size) / size.mean().clamp_min(1e-300).item()
    return LayerErrors(relative, doubt, worst)


def _doubt(values: Float[Tensor, " B"]) -> float:
    """The standard error of a mean over samples; 0 of a single one."""
    return values.std().item() / len(values) ** 0.5 if len(values) > 1 else 0.0


def _wrong(
    errors: list[Float[Tensor, "B z"]], sizes: list[Float[Tensor, "B z"]], live: Bool[Tensor, "B z"], dtype: torch.dtype
) -> int:
    """Live answers off by more than rounding: 1,000 units in the last place of the largest state. NaN is off too."""
    largest = max(size.max().item() for size in sizes) ** 0.5
    right = errors[-1].sqrt() <= _UNITS * torch.finfo(dtype).eps * max(largest, 1.0)
    return int((live & ~right).sum())


def _modules(
    network: Large,
    error: Float[Tensor, "B z"],
    size: Float[Tensor, "B z"],
    live: Bool[Tensor, "B z"],
    active: Int64[Tensor, "B z"],
) -> tuple[ModuleErrors, ...]:
    t, none = active.flatten().cpu(), torch.zeros(network.T, dtype=torch.float64)

    def by_module(values: Tensor) -> Tensor:
        return none.index_add(0, t, values.double().flatten().cpu())

    samples, alive = by_module(torch.ones_like(error)), by_module(live)
    off, own = by_module(torch.where(live, error, 0.0)), by_module(torch.where(live, size, 0.0))
    answered = torch.where(live, error, 0.0).sqrt().double().flatten().cpu()
    worst = none.scatter_reduce(0, t, answered, "amax")
    relative = torch.where(own > 0, off / own.clamp_min(1e-300), 0.0)
    rows = zip(samples.int().tolist(), (samples - alive).int().tolist(), relative.tolist(), worst.tolist(), strict=True)
    return tuple(ModuleErrors(network.name(t), *row) for t, row in enumerate(rows))
