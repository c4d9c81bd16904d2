"""Modules in, one network out. Chapter 15."""

from collections.abc import Mapping

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from superpos import circuits, dedicated, exact
from superpos.checks import check_count, check_number, check_positive, check_seed
from superpos.circuits import MLPCircuits, Modules, ResidualCircuits
from superpos.compression.choice import METHODS, choose
from superpos.compression.compressed import Compressed
from superpos.compression.records import Origin

REACH = 32.0  # inputs may be so large, where no bound is given: far beyond standardised data, near enough to round well


def compress(
    modules: Modules | MLPCircuits | ResidualCircuits,
    *,
    z: int = 1,
    tolerance: float = 0.0,
    D: int | None = None,
    method: str = "auto",
    seed: int = 0,
    bound: float | None = None,
) -> Compressed:
    """One large network made of many small trained ones, any z of which can run at once. Chapter 15.

    Without a tolerance the large network computes what the modules compute, to rounding; `Compressed.certify` says
    what is proved of it and measures the rest.

    Args:
        modules: networks as `superpos.circuits.from_modules` takes them, a list or a mapping from names, or circuits.
            Residual blocks are rewritten as MLPs.
        z: how many are active at once.
        tolerance: what may go wrong in constructions of which nothing is proved: the squared error of outputs over
            their mean square. The exact one needs none.
        D: width at most.
        method: "exact", "dedicated", "balanced" or "redundant"; "auto" takes the narrowest that does what is asked.
        seed: of everything drawn.
        bound: the largest |activation|, inputs included. By default inputs are taken to stay below 32, and a bound of
            activations follows from the weights. A run that crosses either is refused.

    Returns:
        The network; `report()` says why it is the one, `certify()` what it is worth.

    Raises:
        TypeError, ValueError: for modules that cannot be stacked, a number out of range, or if no construction does
            what is asked; the message says what each would need.
    """
    stack, widths = _stacked(modules)
    check_count("z", z, at_most=stack.T, why=f"there are {stack.T} modules")
    check_number("tolerance", tolerance, at_least=0.0)
    if tolerance >= 1:
        raise ValueError(f"tolerance is {tolerance}; it must be in [0, 1): 0 lets nothing go wrong")
    check_seed("seed", seed)
    if D is not None:
        check_count("D", D)
    if bound is not None:
        check_positive("bound", bound)
    if method not in ("auto", *METHODS):
        raise ValueError(f"method is {method!r}; it must be auto, {', '.join(METHODS)}")
    kind, small, side = "mlp", stack, stack.T * stack.d
    if isinstance(stack, ResidualCircuits):
        kind, small, side = "residual", stack.as_mlp(), stack.T * max(stack.d, stack.m)
    assert isinstance(small, MLPCircuits)
    reach = REACH if bound is None else bound
    bound = small.activation_bound(REACH) if bound is None else bound
    choice = choose(
        small,
        z=z,
        tolerance=tolerance,
        D=D,
        method=method,
        seed=seed,
        bound=bound,
        reach=reach,
        side_by_side=side,
    )
    report, recipe = choice.report, choice.recipe
    if recipe is not None:
        network = recipe.build(report.width, seed)
    elif report.method == "dedicated":
        network = dedicated.embed(small)
    else:
        network = exact.embed(small, D, z=z, bound=bound, reach=reach)
    names = tuple(modules) if isinstance(modules, Mapping | nn.ModuleDict) else None
    origin = Origin(kind, names, recipe.threshold if recipe else None, small)
    return Compressed(network, widths, origin, report)


def _stacked(
    modules: Modules | MLPCircuits | ResidualCircuits,
) -> tuple[MLPCircuits | ResidualCircuits, Int64[Tensor, "T L1"]]:
    """The circuits without gradients, and the width of each module."""
    if not isinstance(modules, MLPCircuits | ResidualCircuits):
        return circuits.stacked(modules)
    sizes = [modules.d] + [modules.m if isinstance(modules, ResidualCircuits) else modules.d] * modules.L
    return modules.detach(), torch.tensor(sizes, device=modules.stack.device).repeat(modules.T, 1)
