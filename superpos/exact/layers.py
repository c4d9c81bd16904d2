"""The layers of the exact construction: what they all have in common, and those of the entry. Chapter 12.

Each class is one row of the chapter's table of layers. A layer reads neurons by name and leaves neurons with names:
`reads` and `leaves` say which (`superpos.exact.layout`).
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.exact.layout import Layout, Parts
from superpos.exact.sizes import Stage
from superpos.network import Layer


@dataclass(frozen=True)
class Keys:
    """The numbers by which circuits are told apart and silenced, before the cells.

    Attributes:
        B: more than the number of any circuit; circuit t has the key B + t, so that one has B ≤ V < 2B, several V ≥ 2B.
        K: more than any raised state can be in a slot of one or two circuits.
    """

    B: int
    K: float


class ExactLayer(Layer):
    """A layer A ← ReLU(linear(A) + b) whose neurons have names.

    Attributes:
        title: its name, like "mark 2".
        reads, leaves: the names of the neurons before and after it.
        relu: whether it has a ReLU; the last layer may have none.
        b: the biases, in float64 until the network is built: a coarser format may not hold them on the way.
    """

    computes = False
    b: Float[Tensor, " D"]

    def __init__(self, reads: Layout, stage: Stage) -> None:
        super().__init__()
        self.reads, self.leaves, self.title, self.relu = reads, stage.leaves, stage.title, True
        self.register_buffer("b", torch.zeros(self.width, dtype=torch.float64), persistent=False)

    @property
    def width(self) -> int:
        return self.leaves.width

    @property
    def fan_in(self) -> int:
        return self.reads.width

    @abstractmethod
    def linear(self, a: Parts) -> Parts:
        """The linear part W A of every group, without forming W."""

    def bias(self, name: str) -> Tensor:
        """The biases of a group's neurons, in its shape: a view, to be filled."""
        return self.leaves.split(self.b[None])[name][0]

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        pre = self.leaves.join(self.linear(self.reads.split(A))).add_(self.b)
        return pre.relu_() if self.relu else pre

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B M"]:
        return neurons

    def dense(self) -> tuple[Tensor, Tensor]:
        """The matrix and bias W, b: the columns of W are what the layer makes of each input neuron."""
        unit = torch.eye(self.fan_in, dtype=self.b.dtype, device=self.b.device)
        return self.leaves.join(self.linear(self.reads.split(unit))).mT.contiguous(), self.b


class Ties(ExactLayer):
    """ties: X, V, h = V − 2B + 1. One circuit on a slot has V < 2B and h = 0, several have h ≥ 1."""

    def __init__(self, reads: Layout, stage: Stage, keys: Keys) -> None:
        super().__init__(reads, stage)
        self.bias("tie")[:] = 1 - 2 * keys.B

    def linear(self, a: Parts) -> Parts:
        return {**a, "tie": a["key"]}


class ClearTies(ExactLayer):
    """clear ties: X − K h, V − 4B h. What is left on a slot is one circuit."""

    def __init__(self, reads: Layout, stage: Stage, keys: Keys) -> None:
        super().__init__(reads, stage)
        self.keys = keys

    def linear(self, a: Parts) -> Parts:
        return _cleared(a, a["tie"], self.keys)


class Listing(ExactLayer):
    """A layer of a round: it adds what the one before took out to the last place of the list.

    Only one slot holds something there, so that the sum over slots is that slot, bit for bit.

    Attributes:
        collects: the numbers which the layer before took out.
        takes: those which this one takes out of the first occupied slot: E = X − (K/B) p, V − 2p, with
            p_s = Σ_{s'<s} V_{s'} the keys on the slots before.
    """

    def __init__(self, reads: Layout, stage: Stage, keys: Keys, collects: tuple[int, ...]) -> None:
        super().__init__(reads, stage)
        self.keys, self.collects, self.takes = keys, collects, stage.takes

    def listed(self, a: Parts) -> Parts:
        """The list, and what was taken out in its last place; none while nothing was."""
        if "list" not in self.leaves.shapes:
            return {}
        return {"list": joined(a, self.collects, *self.leaves.shapes["list"])}

    def taken(self, a: Parts) -> Parts:
        """The numbers taken out of the first occupied slot; later ones are negative."""
        if not self.takes:
            return {}
        key = a["key"]
        p = torch.cat([torch.zeros_like(key[:, :1]), key[:, :-1].cumsum(dim=1)], dim=1)[..., None]
        state, numbers = a["state"], []
        for number in self.takes:
            if number == state.shape[-1]:
                numbers.append(key[..., None] - 2 * p)
            else:
                numbers.append(state[..., number, None] - self.keys.K / self.keys.B * p)
        return {"taken": torch.cat(numbers, dim=-1)}


class Mark(Listing):
    """mark r: E = (X − (K/B) p, V − 2p), the first occupied slot alone, or a part of its numbers; X, V, list."""

    def linear(self, a: Parts) -> Parts:
        return {**a, **self.taken(a), **self.listed(a)}


class Compare(Listing):
    """compare r: f = ΣE joins the list; V − f_V, f_V − V; X, list. V is left out: it is f_V and the one less the other.

    What `mark` has left to take is taken here.
    """

    def linear(self, a: Parts) -> Parts:
        listed = self.listed(a)
        apart = a["key"] - listed["list"][:, -1, -1:]
        return {**a, **self.taken(a), **listed, "above": apart, "below": -apart}


class Match(Listing):
    """match r: m = 1 − (V − f_V)⁺ − (f_V − V)⁺, which is 1 on every slot with the key f_V; X, V, list."""

    def __init__(self, reads: Layout, stage: Stage, keys: Keys, collects: tuple[int, ...]) -> None:
        super().__init__(reads, stage, keys, collects)
        self.bias("match")[:] = 1.0

    def linear(self, a: Parts) -> Parts:
        apart = a["above"] - a["below"]
        key = a["list"][:, -1, -1:] + apart
        return {**a, **self.listed(a), "key": key, "match": -a["above"] - a["below"]}


class Clear(Listing):
    """clear r: X − K m, V − 4B m, list. All copies of the circuit that was taken out are gone."""

    def linear(self, a: Parts) -> Parts:
        return {**_cleared(a, a["match"], self.keys), **self.listed(a)}


def joined(a: Parts, collects: tuple[int, ...], places: int, numbers: int) -> Float[Tensor, "B places numbers"]:
    """The list with so many places, and in the last of them the numbers that the layer before took out."""
    like = next(iter(a.values()))
    out = like.new_zeros(len(like), places, numbers)
    if "list" in a:
        out[:, : a["list"].shape[1]] = a["list"]
    if collects:
        out[:, -1, list(collects)] = a["taken"].sum(dim=1)
    return out


def _cleared(a: Parts, where: Float[Tensor, "B N"], keys: Keys) -> Parts:
    return {**a, "state": a["state"] - keys.K * where[..., None], "key": a["key"] - 4 * keys.B * where}
