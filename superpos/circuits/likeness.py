"""Tasks that no linear read-out gets: are two samples alike? Chapter 2."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from superpos.checks import check_active
from superpos.sampling import generator


@dataclass(frozen=True, eq=False)
class Likeness:
    """T tasks on pairs of samples: task t asks whether the two are alike in a few directions of its own.

    With u and v the principal components of two samples, each of variance 1, circuit t is given
    x = directions_t (u − v)/√2, then zeros up to its width d. The label is −1 (alike) where |x| ≤ `alike` and +1 where
    |x| ≥ `unlike`; pairs between are left out. The circuit's answer is the sign of its last coordinate. Which of the
    two samples comes first is drawn, so that x and −x are equally likely and E[y x] = 0: an affine function that is
    fitted to the labels finds nothing.

    Args:
        differences: (u − v)/√2 of each pair; columns of the data set that a pair is not of are 0.
        pair_set: the data set of each pair, an index of `set_names`.
        pool: the pairs that are drawn from; as shipped, pairs of samples that training never saw.
        task_set: the data set of each task.
        directions: of each task, i ≤ d orthonormal rows.
        alike, unlike: the two radii.
        d: width of the circuits.
        set_names: the data sets, in words.
    """

    differences: Float[Tensor, "pairs columns"]
    pair_set: Int64[Tensor, " pairs"]
    pool: Bool[Tensor, " pairs"]
    task_set: Int64[Tensor, " T"]
    directions: Float[Tensor, "T i columns"]
    alike: float
    unlike: float
    d: int
    set_names: tuple[str, ...]
    sign: ClassVar[bool] = True  # whether the answer is a sign, as with `Tasks`

    @property
    def T(self) -> int:
        """The number of tasks."""
        return self.task_set.shape[0]

    def to(self, device: str | torch.device) -> "Likeness":
        """The same tasks with their tensors on another device."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: x.to(device) for name, x in held.items() if isinstance(x, Tensor)})

    def name(self, t: int) -> str:
        """The name of task t in words: 'two handwritten digits, alike in three directions?'."""
        directions = {2: "two", 3: "three", 4: "four"}[self.directions.shape[1]]
        return f"{self.set_names[self.task_set[t]]}, alike in {directions} directions of task {t}?"

    def samples(self, t: int) -> tuple[Float[Tensor, "samples d"], Int64[Tensor, " samples"]]:
        """The inputs and labels of every pair of task t in the pool, each pair in both orders."""
        pairs, count = self._pairs
        chosen = [pairs[t, k, : count[t, k]] for k in (0, 1)]
        x = self._inputs(torch.cat(chosen), torch.full((len(chosen[0]) + len(chosen[1]),), t, device=pairs.device))
        y = torch.cat([torch.full_like(c, 2 * k - 1) for k, c in enumerate(chosen)])
        return torch.cat([x, -x]), torch.cat([y, y])

    def draw(
        self, active: Int64[Tensor, "batch z"], *, seed: int
    ) -> tuple[Float[Tensor, "batch z d"], Int64[Tensor, "batch z"]]:
        """The inputs and labels of one pair for every circuit in `active`, drawn from its own task.

        Both labels are equally likely, and so are both orders of a pair.

        Raises:
            TypeError, ValueError: for indices that `circuits.run` would refuse.
        """
        check_active(active, self.T, device=self.differences.device)
        pairs, count = self._pairs
        g = generator(seed)
        k, order = torch.randint(2, (2, *active.shape), generator=g).to(active.device)
        share = torch.rand(active.shape, generator=g, dtype=torch.float64).to(active.device)
        pair = pairs[active, k, (share * count[active, k]).long()]
        return (2 * order - 1)[..., None] * self._inputs(pair, active), 2 * k - 1

    def answers(self, outputs: Float[Tensor, "*batch d"], active: Int64[Tensor, "*batch"]) -> Int64[Tensor, "*batch"]:
        """The labels that the circuits' last states stand for; compare them with the labels of `draw`."""
        return torch.where(outputs[..., -1] > 0, 1, -1)

    @cached_property
    def _pairs(self) -> tuple[Int64[Tensor, "T 2 most_pairs"], Int64[Tensor, "T 2"]]:
        """Of every task the pairs that are alike, and those that are not, its own ones in front; and their numbers."""
        drawn = self.pool.nonzero()[:, 0]
        square = (self.directions @ self.differences[drawn].mT).square().sum(dim=1)
        mine = torch.stack([square <= self.alike**2, square >= self.unlike**2], dim=1)
        mine &= (self.pair_set[drawn] == self.task_set[:, None])[:, None]
        count = mine.sum(dim=-1)
        order = mine.int().argsort(dim=-1, descending=True, stable=True)
        return drawn[order[..., : int(count.max())]], count

    def _inputs(self, pair: Int64[Tensor, "*batch"], t: Int64[Tensor, "*batch"]) -> Float[Tensor, "*batch d"]:
        x = (self.directions[t] @ self.differences[pair][..., None])[..., 0]
        return pad(x, (0, self.d - x.shape[-1]))
