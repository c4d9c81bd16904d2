"""The trained networks that ship with the book, and held-out samples of the tasks they solve. Chapter 2.

Residual circuits (L = 2, d = m = 4) and MLP circuits (L = 3, d = 8, two hidden layers, linear output), each with a task
of its own. Separable tasks, 1,024 of each kind of circuit: classes of one data set, told apart by a few of its
features. Inseparable ones, 1,024 for residual and 272 for MLP circuits: are two samples alike? `scripts/train.py` makes
them.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib.resources import files
from typing import Literal, NamedTuple, get_args, overload

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos.checks import check_active
from superpos.circuits.likeness import Likeness
from superpos.circuits.stacks import MLPCircuits, ResidualCircuits
from superpos.sampling import generator


@dataclass(frozen=True, eq=False)
class Tasks:
    """T classification tasks on one table of samples: task t tells `classes[t]` apart by the columns `features[t]`.

    Circuit t is given x = (v − mean_t)/scale_t of its k features v, then zeros up to its width d. Where `sign` is set
    the task has two classes, labelled −1 and +1, and the circuit's answer is the sign of its last coordinate.
    Otherwise labels count the task's classes from 0, output i is the score of class i and the largest is the answer.

    Args:
        values: the table, all data sets under one another (a column that a data set lacks is 0).
        row_class: the class of each row, an index of `class_names`.
        pool: the rows that samples are drawn from; as shipped, those that training never saw.
        classes: of each task, indices of `class_names`, filled up with −1.
        features: of each task, columns of `values`.
        mean, scale: of these columns, over the task's training rows.
        d: width of the circuits.
        sign: whether the answer is a sign.
        class_names, column_names: in words.
    """

    values: Float[Tensor, "rows columns"]
    row_class: Int64[Tensor, " rows"]
    pool: Bool[Tensor, " rows"]
    classes: Int64[Tensor, "T most_classes"]
    features: Int64[Tensor, "T k"]
    mean: Float[Tensor, "T k"]
    scale: Float[Tensor, "T k"]
    d: int
    sign: bool
    class_names: tuple[str, ...]
    column_names: tuple[str, ...]

    @property
    def T(self) -> int:
        """The number of tasks."""
        return self.classes.shape[0]

    def to(self, device: str | torch.device) -> "Tasks":
        """The same tasks with their tensors on another device."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: x.to(device) for name, x in held.items() if isinstance(x, Tensor)})

    def name(self, t: int) -> str:
        """The name of task t in words: 'digit 3 against digit 8 by pixel (2, 4), pixel (3, 5), …'."""
        classes = " against ".join(self.class_names[c] for c in self.classes[t] if c >= 0)
        return f"{classes} by {', '.join(self.column_names[f] for f in self.features[t])}"

    def rows(self, t: int) -> Int64[Tensor, " samples"]:
        """The rows of the table from which task t is drawn: all those of its classes that are in the pool."""
        table, count = self._rows
        return table[t, : count[t]]

    def samples(self, t: int) -> tuple[Float[Tensor, "samples d"], Int64[Tensor, " samples"]]:
        """The inputs and labels of every sample of task t in the pool."""
        rows = self.rows(t)
        return self._look_up(rows, torch.full_like(rows, t))

    def draw(
        self, active: Int64[Tensor, "batch z"], *, seed: int
    ) -> tuple[Float[Tensor, "batch z d"], Int64[Tensor, "batch z"]]:
        """The inputs and labels of one sample for every circuit in `active`, drawn from its own task.

        Raises:
            TypeError, ValueError: for indices that `circuits.run` would refuse.
        """
        check_active(active, self.T, device=self.values.device)
        table, count = self._rows
        share = torch.rand(active.shape, generator=generator(seed), dtype=torch.float64).to(active.device)
        return self._look_up(table[active, (share * count[active]).long()], active)

    def answers(self, outputs: Float[Tensor, "*batch d"], active: Int64[Tensor, "*batch"]) -> Int64[Tensor, "*batch"]:
        """The labels that the circuits' last states stand for; compare them with the labels of `draw`."""
        if self.sign:
            return torch.where(outputs[..., -1] > 0, 1, -1)
        scores = outputs[..., : self.classes.shape[1]]
        return scores.masked_fill(self.classes[active] < 0, -torch.inf).argmax(dim=-1)

    @cached_property
    def _rows(self) -> tuple[Int64[Tensor, "T most_rows"], Int64[Tensor, " T"]]:
        """The rows of every task, its own ones first, and their number."""
        mine = (self.row_class[:, None] == self.classes[:, None, :]).any(dim=-1) & self.pool
        count = mine.sum(dim=1)
        order = mine.int().argsort(dim=1, descending=True, stable=True)
        return order[:, : int(count.max())], count

    def _look_up(self, row: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        x = (self.values[row[..., None], self.features[t]] - self.mean[t]) / self.scale[t]
        inputs = torch.nn.functional.pad(x, (0, self.d - x.shape[-1]))
        labels = (self.row_class[row][..., None] == self.classes[t]).int().argmax(dim=-1)
        return inputs, 2 * labels - 1 if self.sign else labels


class Samples(NamedTuple):
    """The tasks of the residual circuits (answered by a sign) and of the MLP circuits (by the largest score)."""

    residual: Tasks
    mlp: Tasks


class Pairs(NamedTuple):
    """The inseparable tasks of the residual circuits and of the MLP circuits, both answered by a sign."""

    residual: Likeness
    mlp: Likeness


Kind = Literal["separable", "inseparable"]  # The kind of tasks: an affine read-out answers them, or it guesses


@overload
def trained(kind: Literal["separable"] = "separable") -> tuple[MLPCircuits, ResidualCircuits, Samples]: ...


@overload
def trained(kind: Literal["inseparable"]) -> tuple[MLPCircuits, ResidualCircuits, Pairs]: ...


@overload
def trained(kind: Kind) -> tuple[MLPCircuits, ResidualCircuits, Samples | Pairs]: ...


def trained(
    kind: Kind = "separable",
) -> tuple[MLPCircuits, ResidualCircuits, Samples | Pairs]:
    """The networks that ship with the book, and their tasks with the held-out samples.

    They stand in random order: the first T are as good a choice of T as any. Chapters 2, 8 and 15.

    Args:
        kind: of their tasks: "separable", which a linear read-out gets nearly as well, or "inseparable", of which one
            fitted by least squares gets next to nothing.

    Raises:
        ValueError: if there is no such kind.

    Example:
        >>> _, circuits, samples = trained()
        >>> active = random_active(circuits.T, batch=100, z=3, seed=0)
        >>> inputs, labels = samples.residual.draw(active, seed=1)
        >>> right = samples.residual.answers(circuits.run(active, inputs)[-1], active) == labels
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; the trained networks have tasks that are {' or '.join(get_args(Kind))}")
    name = "trained.npz" if kind == "separable" else "inseparable.npz"
    with files("superpos").joinpath("data", name).open("rb") as stream:
        stored = dict(np.load(stream, allow_pickle=False))
    mlp = MLPCircuits(_float(stored["mlp_weights"]), _float(stored["mlp_biases"]), last_relu=False)
    residual = ResidualCircuits(*(_float(stored[f"residual_{name}"]) for name in ("w_in", "w_out", "bias")))
    if kind == "separable":
        return mlp, residual, Samples(tasks(stored, "residual", residual.d), tasks(stored, "mlp", mlp.d))
    return mlp, residual, Pairs(likeness(stored, "residual", residual.d), likeness(stored, "mlp", mlp.d))


def tasks(stored: dict[str, np.ndarray], kind: str, d: int) -> Tasks:
    """The tasks of one kind of circuit, "residual" or "mlp", out of the arrays of the data file."""
    return Tasks(
        values=_float(stored["values"]),
        row_class=torch.from_numpy(stored["row_class"].astype(np.int64)),
        pool=torch.from_numpy(stored["held_out"]),
        classes=torch.from_numpy(stored[f"{kind}_classes"].astype(np.int64)),
        features=torch.from_numpy(stored[f"{kind}_features"].astype(np.int64)),
        mean=_float(stored[f"{kind}_mean"]),
        scale=_float(stored[f"{kind}_scale"]),
        d=d,
        sign=kind == "residual",
        class_names=tuple(stored["class_names"].tolist()),
        column_names=tuple(stored["column_names"].tolist()),
    )


def likeness(stored: dict[str, np.ndarray], kind: str, d: int) -> Likeness:
    """The inseparable tasks of one kind of circuit, "residual" or "mlp", out of the arrays of the data file."""
    first, second = _float(stored["components"])[stored["pairs"].T]
    alike, unlike = stored[f"{kind}_radii"].tolist()
    return Likeness(
        differences=(first - second) / 2**0.5,
        pair_set=torch.from_numpy(stored["pair_set"].astype(np.int64)),
        pool=torch.from_numpy(stored["held_out"]),
        task_set=torch.from_numpy(stored[f"{kind}_set"].astype(np.int64)),
        directions=_float(stored[f"{kind}_directions"]),
        alike=alike,
        unlike=unlike,
        d=d,
        set_names=tuple(stored["set_names"].tolist()),
    )


def _float(array: np.ndarray) -> Float[Tensor, "..."]:
    return torch.from_numpy(array.astype(np.float32))
