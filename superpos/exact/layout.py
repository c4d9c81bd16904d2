"""The names of the neurons of a layer: which of them hold what. Chapter 12.

Every layer of the exact construction reads its neurons by name and leaves neurons with names, and so does everything
that looks at one: reading, owners, pictures. Which neuron has which name stands here and nowhere else.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Parts = Mapping[str, Tensor]  # activations by name: (B, *shape) each


@dataclass(frozen=True)
class Layout:
    """The neurons of a layer in groups with a name and a shape, one group after the other. Chapter 12.

    Attributes:
        groups: name and shape of each.
    """

    groups: tuple[tuple[str, tuple[int, ...]], ...]

    @staticmethod
    def of(**groups: tuple[int, ...]) -> "Layout":
        """The layout of groups given as `wire_i=(lanes, wires)`: "wire i"; one without neurons is left out."""
        return Layout(tuple((name.replace("_", " "), shape) for name, shape in groups.items() if math.prod(shape)))

    @cached_property
    def width(self) -> int:
        """The number of neurons."""
        return sum(self._sizes)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each group."""
        return dict(self.groups)

    def split(self, A: Float[Tensor, "B D"]) -> dict[str, Tensor]:
        """The activations of each group, (B, *shape), as views."""
        pieces = A.split(self._sizes, dim=1)
        return {name: x.view(len(A), *shape) for (name, shape), x in zip(self.groups, pieces, strict=True)}

    def join(self, parts: Parts) -> Float[Tensor, "B D"]:
        """The activations of all neurons, from those of each group."""
        return torch.cat([parts[name].flatten(1) for name, _ in self.groups], dim=1)

    def at(self, name: str) -> Int64[Tensor, "*shape"]:
        """The numbers of a group's neurons, in its shape."""
        return self.start(name) + torch.arange(math.prod(self.shapes[name])).view(self.shapes[name])

    def start(self, name: str) -> int:
        """The number of a group's first neuron."""
        names = [group for group, _ in self.groups]
        return sum(self._sizes[: names.index(name)])

    @property
    def names(self) -> list[str]:
        """The name of every neuron in words: its group, and its place in it, like "stair i 0 4"."""
        return list(self._names())

    def _names(self) -> Iterator[str]:
        for name, shape in self.groups:
            for place in torch.cartesian_prod(*map(torch.arange, shape)).view(-1, len(shape)).tolist():
                yield " ".join(map(str, [name, *place]))

    @cached_property
    def _sizes(self) -> list[int]:
        return [math.prod(shape) for _, shape in self.groups]
