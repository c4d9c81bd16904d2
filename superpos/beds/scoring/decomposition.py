"""A decomposition of a network's matrices: components, gates, and which of them are said to be one circuit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor

SHARED = -1  # the group of what is said to belong to no circuit


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A decomposition: what a method says that the matrices of a network are the sum of. Chapter 16.

    Every matrix is a sum of rank-one components U_c V_cᵀ. Each has a gate on every held-out sample of the bed, from 0
    for not needed to 1, and belongs to a group, which claims to be one circuit.

    Attributes:
        V, U: the factors, by the path of the matrix.
        group: of each component, 0, 1, …; the same number in several matrices is one group; `SHARED` for no circuit.
        gates: on `bed.held_out()`.
        about: which bed and version, which method, steps, seed, and whether labels of what is active were used.
            "machinery" is "kept" if the components add up to the circuits' own weights, which is meant where nothing
            is said, and "decomposed" if they add up to all of W, those of the machinery in the group `SHARED`.
    """

    V: Mapping[str, Float[Tensor, "in C"]]
    U: Mapping[str, Float[Tensor, "out C"]]
    group: Mapping[str, Int64[Tensor, " C"]]
    gates: Mapping[str, Float[Tensor, "B C"]]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def machinery(self) -> str:
        """Whether what belongs to no circuit is left in place, "kept", or "decomposed" as well."""
        return self.about.get("machinery", "kept")
