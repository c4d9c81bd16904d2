"""What went into a compressed network, what it costs, and what comes out of it. Chapter 15."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.circuits import MLPCircuits
from superpos.network import Layer, Run
from superpos.words import number


@dataclass(frozen=True, eq=False)
class CompressedRun(Run):
    """The result of a run of a compressed network: what the modules put out, and the states behind it. Chapter 15.

    Attributes:
        outputs: what the modules in `active` put out, padded with zeros to the widest output. A circuit without a
            lane (`live` False), as there may be with more than z active, puts out zeros.
        estimates: states of the circuits as MLPs, as in `Run`; a module's own coordinates come first.
    """

    outputs: Float[Tensor, "B z out"] = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class Origin:
    """The modules that went into a network, as far as it knows them.

    Attributes:
        kind: "mlp" or "residual": what the modules were.
        names: a name for each module; None for their numbers.
        threshold: θ of `superpos.circuits.conditional`, where the circuits were given an on-indicator; else None.
        circuits: the modules as circuits; None once the network has been to a file.
    """

    kind: str
    names: tuple[str, ...] | None
    threshold: float | None
    circuits: MLPCircuits | None


@dataclass(frozen=True)
class Cost:
    """The cost of a large network as plain matrices, beside the modules themselves. No zero is left out. Chapter 15.

    Attributes:
        layers, parameters: of the large network: weights and biases of `dense()`.
        multiplications: of it, for one input.
        own_layers, own_parameters: of a module, and of all modules together.
        own_multiplications: of the z modules that run, the largest there are.
    """

    layers: int
    parameters: int
    multiplications: int
    own_layers: int
    own_parameters: int
    own_multiplications: int

    def rows(self) -> list[tuple[str, str]]:
        kept = number(self.parameters / self.own_parameters)
        work = number(self.multiplications / self.own_multiplications)
        return [
            ("layers", f"{self.layers:,}; a module has {self.own_layers:,}"),
            (
                "parameters",
                f"{self.parameters:,} in plain matrices, {kept} times the {self.own_parameters:,} of the modules",
            ),
            (
                "work",
                f"{self.multiplications:,} multiplications an input, {work} times the {self.own_multiplications:,} of "
                "the modules that run",
            ),
        ]


def cost(layers: Sequence[Layer], widths: Int64[Tensor, "T L1"], kind: str, z: int) -> Cost:
    """The cost of layers beside the modules, of whose widths `superpos.circuits.stacked` tells. Chapter 15.

    A Linear layer from width j to i is i j multiplications and i more numbers, a residual block of m neurons 2 m d and
    m more.
    """
    dense = [(layer.width, layer.fan_in) for layer in layers]
    inside, outside = (widths[:, :1], widths[:, 1:]) if kind == "residual" else (widths[:, :-1], widths[:, 1:])
    work = ((2 if kind == "residual" else 1) * inside * outside).sum(dim=1)
    weights = sum(out * source for out, source in dense)
    return Cost(
        layers=len(dense),
        parameters=weights + sum(out for out, _ in dense),
        multiplications=weights,
        own_layers=outside.shape[1],
        own_parameters=int(work.sum() + outside.sum()),
        own_multiplications=int(torch.topk(work, z).values.sum()),
    )
