"""What went into a compressed network, and what comes out of it. Chapter 13."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from superpos.circuits import MLPCircuits
from superpos.network import Run


@dataclass(frozen=True, eq=False)
class CompressedRun(Run):
    """A run of a compressed network: what the modules put out, and the states behind it. Chapter 13.

    Attributes:
        outputs: what the modules in `active` put out, padded with zeros to the widest output. A circuit without a
            live copy (`live` False) puts out zeros.
        estimates: states of the circuits as MLPs, as in `Run`; a module's own coordinates come first.
    """

    outputs: Float[Tensor, "B z out"] = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class Origin:
    """What went in.

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
