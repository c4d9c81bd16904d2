"""The layers of the exact construction. Chapter 11.

Activations are columns × lanes × slots × (d + 2): d coordinates of a circuit's state, and two numbers. Before the
lanes are told apart these are the number of circuits on the slot and what they add up to of n + j; afterwards they
are two gates, 1 on slot i for the circuit that is there and 1 on the slot j to which it goes.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from superpos.network import Layer


class LaneLayer(Layer):
    """A layer A ← ReLU(linear(A) + b) on lanes: what all layers here have in common.

    Args:
        shape: columns, lanes after the layer, slots, d + 2.
        lanes: lanes of a column before the layer.
    """

    computes = False

    def __init__(self, shape: tuple[int, int, int, int], lanes: int) -> None:
        super().__init__()
        self.shape, self.lanes, self.relu = shape, lanes, True
        self.b = nn.Parameter(torch.zeros(shape, dtype=torch.float32), requires_grad=False)

    @property
    def width(self) -> int:
        return self.b.numel()

    @property
    def fan_in(self) -> int:
        S, _, n, c = self.shape
        return S * self.lanes * n * c

    @abstractmethod
    def linear(self, A: Float[Tensor, "B S lanes n c"]) -> Float[Tensor, "B S R n c"]:
        """The linear part W A, without forming W."""

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        S, _, n, c = self.shape
        pre = (self.linear(A.view(len(A), S, self.lanes, n, c)) + self.b).flatten(1)
        return pre.relu_() if self.relu else pre

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B M"]:
        return neurons

    def dense(self) -> tuple[Tensor, Tensor]:
        """The matrix and bias W, b: the columns of W are what the layer makes of each input neuron."""
        S, _, n, c = self.shape
        unit = torch.eye(self.fan_in, dtype=self.b.dtype, device=self.b.device)
        return self.linear(unit.view(-1, S, self.lanes, n, c)).flatten(1).mT.contiguous(), self.b.flatten()


class Split(LaneLayer):
    """The layer that takes two slots out of the last lane E, which may hold several circuits.

    The first occupied slot of E goes into one lane, the last into another:

        first_i = ReLU(E_i − C Σ_{k<i} count_k),   last_i = ReLU(E_i − C Σ_{k>i} count_k)

    C exceeds every entry of E. `keep` keeps E beside them, for `Rest`. Chapter 11. Ours.
    """

    def __init__(self, shape: tuple[int, int, int, int], lanes: int, C: float, *, keep: bool) -> None:
        super().__init__(shape, lanes)
        self.C, self.keep = C, keep

    def linear(self, A: Float[Tensor, "B S lanes n c"]) -> Float[Tensor, "B S R n c"]:
        E = A[:, :, -1:]
        count = E[..., -2:-1]
        before = count.cumsum(dim=3) - count
        after = count.sum(dim=3, keepdim=True) - count - before
        lanes = [A[:, :, :-1], E - self.C * before, E - self.C * after]
        return torch.cat([*lanes, E] if self.keep else lanes, dim=2)


class Rest(LaneLayer):
    """The layer E ← ReLU(E − first − last): what the two lanes before it have taken is gone, to the last bit.

    Chapter 11. Ours.
    """

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        super().__init__(shape, shape[1])

    def linear(self, A: Float[Tensor, "B S R n c"]) -> Float[Tensor, "B S R n c"]:
        return torch.cat([A[:, :, :-1], A[:, :, -1:] - A[:, :, -3:-2] - A[:, :, -2:-1]], dim=2)


class Staircase(LaneLayer):
    """The layer that counts up to the slot j to which a lane's circuit goes: with V = Σ_i (n + j) over its slots,

        u_k = ReLU(V − n − k + 1),   k = 1 … n.

    One circuit has V = n + j, so u_k = ReLU(j − k + 1), and u_n = 0. Several have V ≥ 2n, and u_n ≥ 1.
    Chapter 11. Ours.
    """

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        super().__init__(shape, shape[1])
        n = shape[2]
        self.b[..., -1] = -n - torch.arange(n).to(self.b)  # −n − k + 1, k = 1 … n

    def linear(self, A: Float[Tensor, "B S R n c"]) -> Float[Tensor, "B S R n c"]:
        V = A[..., -1:].sum(dim=3, keepdim=True).expand_as(A[..., -1:])
        return torch.cat([A[..., :-1], V], dim=-1)


class OneHot(LaneLayer):
    """The layer that makes the gate of slot j, g_k = [j = k], of the staircase, and silences lanes of several circuits:

        g_0 = ReLU(count − u_1 + u_2 − C u_n),   g_k = ReLU(u_k − 2u_{k+1} + u_{k+2} − C u_n),

    and every other neuron loses C u_n as well. C exceeds every entry; in a lane with one circuit u_n is 0. Chapter 11.
    """

    def __init__(self, shape: tuple[int, int, int, int], C: float) -> None:
        super().__init__(shape, shape[1])
        self.C = C

    def linear(self, A: Float[Tensor, "B S R n c"]) -> Float[Tensor, "B S R n c"]:
        u = A[..., -1]
        n = u.shape[-1]
        count = A[..., -2].sum(dim=-1, keepdim=True)
        steps = torch.cat([count + u[..., :1], u, torch.zeros_like(u[..., :1])], dim=-1)  # u_0 … u_n, and 0
        gate = steps[..., :n] - 2 * steps[..., 1 : n + 1] + steps[..., 2 : n + 2]
        return torch.cat([A[..., :-1], gate[..., None]], dim=-1) - self.C * u[..., -1:, None]


class Cell(LaneLayer):
    """The layer of the circuits themselves in every lane: from slot i of an active circuit to its slot j, or back.

        A_j ← ReLU(Σ_i W_ji A_i + Σ_i W_b,ji g_i − C Σ_{k≠j} g_k)

    The block W_ji is the weights of the circuit with the pair (i, j), and of no other; g_i are the gates of the slots
    where circuits are, g_k those of the slots where they go. The two kinds of gate change places from layer to layer.
    C exceeds what a slot without a circuit can hear, so that it stays silent; to the slot that has one, exact zeros
    are added. The last layer has no C and no ReLU where the circuits have none: silent slots are not read. Chapter 11.

    Args:
        cells, biases: w_t^l and b_t^l of the circuit with the pair (i, j), at [column, i, j].
        back: whether the layer goes from j to i.
        C: or None, as long as no bound on the activations is known.
        shift: what the states of the input were raised by to be positive.
    """

    computes = True

    def __init__(
        self,
        cells: Float[Tensor, "S n n d d"],
        biases: Float[Tensor, "S n n d"],
        lanes: int,
        *,
        back: bool,
        C: float | None,
        shift: float,
        relu: bool,
    ) -> None:
        S, n, _, d, _ = cells.shape
        super().__init__((S, lanes, n, d + 2), lanes)
        self.cells, self.biases = (nn.Parameter(x, requires_grad=False) for x in (cells, biases))
        self.back, self.C, self.shift, self.relu = back, C, shift, relu

    def linear(self, A: Float[Tensor, "B S R n c"]) -> Float[Tensor, "B S R n c"]:
        here, there = A[..., -2], A[..., -1]
        state = A[..., :-2] - self.shift * here[..., None]
        pair = "smnod,smno" if self.back else "snmod,snmo"  # [column, i, j]: from n to m
        weight, bias = pair.split(",")
        pre = torch.einsum(f"{weight},bsrnd->bsrmo", self.cells, state)
        pre += torch.einsum(f"{bias},bsrn->bsrmo", self.biases, here)
        if self.relu:
            if self.C is None:
                raise ValueError("bound is None; a layer needs it for its gates: give superpos.exact.embed a bound")
            pre -= (self.C * (there.sum(dim=-1, keepdim=True) - there))[..., None]
        return torch.cat([pre, there[..., None], here[..., None]], dim=-1)


def heard(w: Float[Tensor, "*some d d"], b: Float[Tensor, "*some d"], bound: float) -> float:
    """β max ‖w‖_∞ + max |b|: what a slot hears at most of circuits with these weights, which C has to exceed."""
    return bound * w.abs().sum(dim=-1).max().item() + b.abs().max().item()


def crowded(n: int, reach: float) -> float:
    """The largest entry of a slot on which n circuits stand, each raised by the reach."""
    return n * max(2 * reach, 2.0 * n)


def sorting(S: int, z: int, n: int, c: int, C: float) -> list[LaneLayer]:
    """The layers that give each of up to z circuits of a column a lane of its own; none for z = 1."""
    layers, left = [], z
    while z > 1 and left > 1:
        lanes = z - left + 1
        layers.append(Split((S, lanes + (2 if left > 2 else 1), n, c), lanes, C, keep=left > 2))
        left -= 2
        if left:
            layers.append(Rest((S, z - left + 1, n, c)))
    return [*layers, Staircase((S, z, n, c)), OneHot((S, z, n, c), C)] if layers else []
