"""The layers that give every place of the list a lane: from its key to wires, and its state to its slot. Chapter 12.

A place holds the key B + t of circuit t = i n + j, or nothing. Slot k of a lane has a set R_k of wires, half of all,
so that no set contains another.
"""

from itertools import combinations, islice

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.exact.layers import ExactLayer, Keys, joined
from superpos.exact.layout import Layout, Parts
from superpos.exact.sizes import Stage


def sets(n: int, wires: int) -> Float[Tensor, "n wires"]:
    """The sets R_k of n slots as zeros and ones: different halves of the wires."""
    chosen = torch.tensor(list(islice(combinations(range(wires), wires // 2), n)), dtype=torch.int64)
    return torch.zeros(n, wires, dtype=torch.float32).scatter_(1, chosen.view(n, -1), 1.0)


def wrong(wires: Float[Tensor, "B R m"], own: Float[Tensor, "n m"]) -> Float[Tensor, "B R n"]:
    """For every slot the number of wires that are on and not its own: exactly 0 on one slot, at least 1 on others."""
    return wires @ (1 - own).mT


class Gate(ExactLayer):
    """A layer between the list and the lanes. Where places wait for another pass, or are done, the list goes along."""

    own: Float[Tensor, "n wires"]

    def __init__(self, reads: Layout, stage: Stage, n: int, own: Float[Tensor, "n wires"]) -> None:
        super().__init__(reads, stage)
        self.n = n
        self.register_buffer("own", own, persistent=False)


class StairsI(ExactLayer):
    """stairs i: V − B − k n + 1 (k = 0 … n − 1), V − B, x. Step k is above 0 where i ≥ k; V − B = i n + j.

    Args:
        collects: the numbers that `mark` took out, for the last place of the list; none in later passes.
        first: the first of the places that this pass runs. What the pass before has made of its own is in the lanes,
            and the list takes it up.
    """

    def __init__(
        self, reads: Layout, stage: Stage, keys: Keys, n: int, z: int, collects: tuple[int, ...], first: int
    ) -> None:
        super().__init__(reads, stage)
        self.collects, self.first, self.z = collects, first, z
        self.bias("stair i")[:] = 1 - keys.B - n * torch.arange(n)
        self.bias("number")[:] = -keys.B

    def linear(self, a: Parts) -> Parts:
        R, d = self.leaves.shapes["waiting"]
        places = self._places(a, R, d)
        chosen = places[:, self.first : self.first + R]
        chosen = torch.nn.functional.pad(chosen, (0, 0, 0, R - chosen.shape[1]))
        key = chosen[..., -1]
        stairs = key[..., None].expand(*key.shape, self.leaves.shapes["stair i"][1])
        return {"stair i": stairs, "number": key, "waiting": chosen[..., :-1], "list": places}

    def _places(self, a: Parts, R: int, d: int) -> Float[Tensor, "B z numbers"]:
        """All places of the list; those of the pass before with what the cells have made of them."""
        if "slot" not in a:
            return joined(a, self.collects, self.z, d + 1)
        done = a["list"].clone()
        done[:, self.first - R : self.first, :-1] = a["slot"][..., :d].sum(dim=2)
        return done


class StepsI(ExactLayer):
    """steps i: c_k = 1 − stair_k, which is 1 − [i ≥ k]; V − B, x. A place without a circuit has all of them on."""

    def __init__(self, reads: Layout, stage: Stage) -> None:
        super().__init__(reads, stage)
        self.bias("step i")[:] = 1.0

    def linear(self, a: Parts) -> Parts:
        return {**a, "step i": -a["stair i"]}


class WiresI(Gate):
    """wires i: wire w is Σ_{k: w ∈ R_k} (c_{k+1} − c_k), c_n = 1; stairs j + on − k; x.

    j = (V − B) − n Σ_{k≥1} (1 − c_k), and on = 1 − c_0 says that there is a circuit.
    """

    def __init__(self, reads: Layout, stage: Stage, n: int, own: Float[Tensor, "n wires"]) -> None:
        super().__init__(reads, stage, n, own)
        self.bias("wire i")[:] = own[-1]
        self.bias("stair j")[:] = 1 - n * (n - 1) - torch.arange(n)

    def linear(self, a: Parts) -> Parts:
        c, n = a["step i"], self.n
        before = torch.cat([torch.zeros_like(self.own[:1]), self.own[:-1]])
        j = a["number"] + n * c[..., 1:].sum(dim=-1) - c[..., 0]
        return {**a, "wire i": c @ (before - self.own), "stair j": j[..., None].expand_as(c)}


class Places(Gate):
    """places: wires i; wires j of the staircase's second difference; (x, 1) − K (wires of i that are not the slot's).

    With u_k = ReLU(j + on − k) the second difference u_k − 2 u_{k+1} + u_{k+2} is 1 at k = j and 0 elsewhere, and
    u_0 − u_1 is 1 where there is a circuit.
    """

    def __init__(self, reads: Layout, stage: Stage, n: int, own: Float[Tensor, "n wires"], keys: Keys) -> None:
        super().__init__(reads, stage, n, own)
        self.keys = keys

    def linear(self, a: Parts) -> Parts:
        u = torch.nn.functional.pad(a["stair j"], (0, 2))
        slot = a["waiting"]
        if self.leaves.shapes["slot"][2] > slot.shape[-1]:
            slot = torch.cat([slot, (u[..., :1] - u[..., 1:2])], dim=-1)
        lost = self.keys.K * wrong(a["wire i"], self.own)
        one = u[..., : self.n] - 2 * u[..., 1 : self.n + 1] + u[..., 2:]
        return {**a, "wire j": one @ self.own, "slot": slot[:, :, None] - lost[..., None]}
