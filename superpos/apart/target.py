"""A network to be taken apart: which of its matrices, and on what inputs. Chapter 17."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from superpos.beds import Bed

__all__ = ["Matrix", "Target", "of_bed"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix of the target, in float32: what is to be taken apart, and what is left in place. Chapter 17.

    Attributes:
        path: its name.
        own: what is to be taken apart; None if nothing is.
        kept: what is left in place.
        b, relu: its biases, and whether a ReLU follows.
    """

    path: str
    own: Float[Tensor, "out in"] | None
    kept: Float[Tensor, "out in"]
    b: Float[Tensor, " out"]
    relu: bool

    @property
    def W(self) -> Float[Tensor, "out in"]:
        """The whole matrix."""
        return self.kept if self.own is None else self.own + self.kept


@dataclass(frozen=True, eq=False)
class Target:
    """A chain of layers, the first of which is to be taken apart, and its inputs. Chapter 17.

    Attributes:
        matrices: in order.
        counted: which of the outputs count.
        draw: the inputs of the first matrix, for a batch and a seed.
    """

    matrices: tuple[Matrix, ...]
    counted: Bool[Tensor, " out"]
    draw: Callable[[int, int], Float[Tensor, "batch in"]]

    @property
    def apart(self) -> tuple[Matrix, ...]:
        """The matrices that are to be taken apart."""
        return tuple(m for m in self.matrices if m.own is not None)


def of_bed(bed: Bed) -> Target:
    """What a method is given of a bed: its network from the first matrix in which circuits have weights.

    Machinery is left in place. Which circuits are active, and how many there are, is not told.
    """
    first = next(k for k, part in enumerate(bed.parts) if part.own)

    def draw(batch: int, seed: int) -> Tensor:
        A = bed.sample(batch, seed)[0].double()
        return list(bed.states(A))[first].float() if first else A.float()

    matrices = tuple(
        Matrix(p.path, p.own_weights.float() if p.own else None, p.kept.float(), p.b.float(), p.relu)
        for p in bed.parts[first:]
    )
    return Target(matrices, bed.counted, draw)


def states(target: Target, a: Float[Tensor, "B in"]) -> list[Float[Tensor, "B width"]]:
    """The input of every matrix of a target in turn, and its output."""
    found = [a]
    for m in target.matrices:
        pre = torch.addmm(m.b, found[-1], m.W.mT)
        found.append(pre.relu() if m.relu else pre)
    return found
