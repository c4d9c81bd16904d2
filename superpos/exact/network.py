"""The exact network: T circuits, any z of them computed without error. Chapter 11."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos.circuits import MLPCircuits
from superpos.exact.layers import Cell, LaneLayer, OneHot, Split, crowded, heard
from superpos.exact.plan import Plan
from superpos.network import NOBODY, Network, Promise, Run

SLACK = 1.01  # the gates hold for activations up to the bound and a little more, so that rounding cannot cross it


class ExactNetwork(Network):
    """The exact network of T MLP circuits: S columns of z lanes of n slots, a slot being d + 2 neurons. Chapter 11.

    Number c of slot i in lane r of column s is neuron ((s z + r) n + i)(d+2) + c.

    Attributes:
        plan: the sizes.
        bound, reach: the largest |activation| of any circuit, and the largest |input|; or None.
        here, there: the slots i and j of each circuit in each column: where its state is after even and odd layers.
        circuit: the circuit with the pair (i, j) at i n + j, or −1 where there is none.
    """

    here: Int64[Tensor, "S T"]
    there: Int64[Tensor, "S T"]
    circuit: Int64[Tensor, "S pairs"]

    def __init__(
        self,
        plan: Plan,
        here: Int64[Tensor, "S T"],
        there: Int64[Tensor, "S T"],
        layers: list[LaneLayer],
        bound: float | None,
        reach: float | None,
    ) -> None:
        super().__init__()
        self.plan, self.T, self.d, self.bound, self.reach = plan, plan.T, plan.d, bound, reach
        self.register_buffer("here", here)
        self.register_buffer("there", there)
        pair, t = here * plan.n_g + there, torch.arange(plan.T, device=here.device).expand_as(here)
        self.register_buffer("circuit", torch.full((plan.S, plan.n_g**2), -1, device=here.device).scatter_(1, pair, t))
        self.layers = nn.ModuleList(layers)

    @property
    def cells(self) -> list[Cell]:
        """The layers of the circuits, without those that sort."""
        return [layer for layer in self.layers if isinstance(layer, Cell)]

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """The encoded input Σ_t (a_t + β, 1, n + j_t), each circuit on its slot i of every column, in one lane.

        β, the reach, makes a negative input positive. For z = 1 there is nothing to sort: the state as it is, a gate
        of 1 on slot i and one on slot j.

        Raises:
            ValueError: for z ≥ 2, if no bound is known.
        """
        shift = self._shift()
        check_bound("inputs", inputs, self.reach)
        S, n, d, sorts = self.plan.S, self.plan.n_g, self.d, self.plan.z > 1
        A = inputs.new_zeros(len(inputs), S, n, d + 2)
        sample = torch.arange(len(inputs), device=active.device)[:, None, None]
        column = torch.arange(S, device=active.device)
        i, j = (slots[:, active].permute(1, 2, 0) for slots in (self.here, self.there))
        one = torch.ones((), dtype=A.dtype, device=A.device)
        entry = torch.cat([inputs + shift, torch.ones_like(inputs[..., :1])], dim=-1)[:, :, None].expand(-1, -1, S, -1)
        A[..., :-1].index_put_((sample, column, i), entry, accumulate=True)
        A[..., -1].index_put_((sample, column, i if sorts else j), n + j.to(A) if sorts else one, accumulate=True)
        return A.flatten(1)

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        """The mean of a circuit's live copies, which are all equal; 0 where it has none (`live`)."""
        state, live = self._copies_in(A, active, layer)
        total = torch.where(live[..., None], state, 0.0).sum(dim=(2, 3))
        return total / live.sum(dim=(2, 3)).clamp_min(1)[..., None]

    def live(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Bool[Tensor, "B z"]:
        """Whether a circuit has a live copy: its two gates are on, in a lane that holds one circuit.

        For layer 0, of an input just encoded, a copy is live if it is alone on its slot.
        """
        return self._copies_in(A, active, layer)[1].any(dim=3).any(dim=2)

    def _copies_in(
        self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int
    ) -> tuple[Float[Tensor, "B z S lanes d"], Bool[Tensor, "B z S lanes"]]:
        """What stands on a circuit's slot in each lane of each column, and whether that is a live copy."""
        S, n, c = self.plan.S, self.plan.n_g, self.d + 2
        lanes = A.view(len(A), S, -1, n, c).transpose(2, 3)  # batch, column, slot, lane
        i, j = (slots[:, active].permute(1, 2, 0) for slots in (self.here, self.there))
        own, other = (i, j) if layer % 2 == 0 else (j, i)
        sample = torch.arange(len(A), device=A.device)[:, None, None]
        column = torch.arange(S, device=A.device)
        mine = lanes[sample, column, own]  # batch, circuit, column, lane, number
        state, on = mine[..., : self.d], mine[..., self.d] == 1
        if layer == 0 and self.plan.z > 1:
            return state - self._shift(), on & (mine[..., -1] == (n + j)[..., None])
        alone = (lanes[..., self.d].sum(dim=2) == 1)[:, None]
        return state, on & (lanes[sample, column, other][..., -1] == 1) & alone

    def promise(self, active: int) -> Promise:
        return self.plan.promise(active)

    @property
    def gated(self) -> bool:
        if self.bound is None or self.reach is None:
            return True  # nothing is said of how far it goes
        most = crowded(self.plan.n_g, SLACK * self.reach)
        sorts = all(most <= layer.C for layer in self.layers if isinstance(layer, Split | OneHot))
        return sorts and all((c.C or 0.0) >= heard(c.cells, c.biases, self.bound) for c in self.cells if c.relu)

    def owner(self, l: int, i: Tensor, j: Tensor, own: Bool[Tensor, "L1 T d"]) -> Tensor:
        """The circuit to which entry (i, j) of the weights of layer l belongs.

        Neuron ((s z + r) n + k)(d+2) + c is number c on slot k of lane r in column s.
        """
        cell = self.layers[l]
        if not isinstance(cell, Cell):  # sorting
            return torch.full_like(i + j, NOBODY)
        n, d, step = self.plan.n_g, self.d, l - (len(self.layers) - self.L)
        lane_to, to, c = i // (n * (d + 2)), i // (d + 2) % n, i % (d + 2)
        lane, source, number = j // (n * (d + 2)), j // (d + 2) % n, j % (d + 2)
        pair = to * n + source if cell.back else source * n + to
        t = self.circuit[lane // self.plan.z, pair]
        # Number d, the gate of the sender, carries the bias; what is beyond it is gates and silence.
        mine = own[step + 1, t, c.clamp_max(d - 1)] & (own[step, t, number.clamp_max(d - 1)] | (number == d))
        return torch.where((lane == lane_to) & (c < d) & (number <= d) & (t >= 0) & mine, t, NOBODY)

    def holders(self, l: int) -> tuple[int, Int64[Tensor, "T d k"]]:
        step = max(l - (len(self.layers) - self.L), 0)
        slot, first = (self.there if step % 2 else self.here), self.layers[0]
        assert isinstance(first, LaneLayer)
        S, _, n, c = first.shape
        width = self._layers()[l - 1].width if l else first.fan_in
        lane = torch.arange(width // (n * c), device=slot.device).view(S, -1, 1)
        place = (lane * n + slot[:, None, :]) * c  # column, lane, circuit
        number = torch.arange(self.d, device=slot.device)[:, None, None, None]
        return step, (place + number).permute(3, 0, 1, 2).flatten(2)

    def small(self, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
        """The chosen circuits, as they stand in the first column; `copies` has all of them."""
        i, j = self.here[0, t], self.there[0, t]
        w, b = (torch.stack([getattr(cell, name)[0, i, j] for cell in self.cells]) for name in ("cells", "biases"))
        return MLPCircuits(w.detach(), b.detach(), last_relu=self.cells[-1].relu)

    def copies(self) -> Iterator[tuple[int, Float[Tensor, "T d d"], Float[Tensor, "T d"]]]:
        for l, cell in enumerate(self.cells):
            for w, b, i, j in zip(cell.cells.detach(), cell.biases.detach(), self.here, self.there, strict=True):
                yield l, w[i, j], b[i, j]

    def rounding(self, state: Float[Tensor, "B z d"], layer: int) -> Float[Tensor, "B z d"]:
        """The rounding of what is read: an input to be sorted is raised and lowered, S z copies are averaged."""
        if layer == 0:
            return 3 * (state.abs() + self._shift()) if self.plan.z > 1 else torch.zeros_like(state)
        return (self.plan.S * self.plan.z + 1) * state.abs()

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        """The mean of the live copies of every circuit; 0 where it has none.

        A lane that holds one circuit names it by its two gates.
        """
        S, n, c = self.plan.S, self.plan.n_g, self.d + 2
        if layer == 0 and self.plan.z > 1:
            return self.read(A, torch.arange(self.T, device=A.device).expand(len(A), -1), 0)
        lanes = A.view(len(A), S, -1, n, c)
        here, there = lanes[..., -2], lanes[..., -1]
        sample, column, lane = ((here.sum(dim=3) == 1) & (there.sum(dim=3) == 1)).nonzero(as_tuple=True)
        own, other = (gate[sample, column, lane].argmax(dim=1) for gate in (here, there))
        pair = own * n + other if layer % 2 == 0 else other * n + own
        circuit = self.circuit[column, pair]
        place, known = sample * self.T + circuit, circuit >= 0
        out, times = A.new_zeros(len(A) * self.T, self.d), A.new_zeros(len(A) * self.T)
        state = lanes[sample, column, lane, own, : self.d]
        out.index_add_(0, place[known], state[known])
        times.index_add_(0, place[known], torch.ones_like(times[place[known]]))
        return (out / times.clamp_min_(1)[:, None]).view(len(A), self.T, self.d)

    def forward(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D1"]:
        """The activations that all layers, sorting and gates included, leave of an encoded input.

        Raises:
            ValueError: if no bound is known, or an activation of a lane with one circuit is beyond it.
        """
        for cell, (_, after) in zip(self.cells, self.trace(A), strict=True):
            if cell.relu:
                lanes = after.view(len(after), *cell.shape)
                alone = lanes[..., -2].sum(dim=-1) == 1
                check_bound("an activation", lanes[..., :-2].amax(dim=(3, 4))[alone], self.bound)
            A = after
        return A

    def trace(self, A: Float[Tensor, "B D"]) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D1"]]]:
        """The neurons and activations of each circuit layer, as of any network, with sorting and gates.

        Activations may be beyond the bound: what is measured shows it.
        """
        self._need_bound("forward")
        yield from super().trace(A)

    def dense(self) -> list[tuple[Tensor, ...]]:
        self._need_bound("dense")
        return super().dense()

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Run:
        """The states of the active circuits by a shortcut: from their own weights alone, in a lane where they are live.

        The estimates are those of `encode`, the layers and `read`, at the cost of the circuits alone: gates and sorting
        are taken to do what the theorem says of them, and are not run. So nothing is measured by it; `states` runs the
        layers. More circuits than the network was made for are allowed: `live` says which have a copy, and the others
        read 0. `on` counts the neurons of lanes that hold one circuit; with z = 1 a crowded lane has others on.

        Raises:
            TypeError, ValueError: for a batch that does not fit, or activations beyond the bound.
        """
        self.check(active, inputs)
        copies = self._copies(active)
        live = copies.any(dim=2)
        estimates = [inputs, *self._live_states(active, inputs, copies)]
        on = []
        for state in estimates[1:]:
            neurons = (state > 0).sum(dim=-1) + 2  # of one copy, with its gates
            on.append((neurons * copies.sum(dim=2)).sum(dim=1).to(inputs.dtype).mean() / self.plan.D)
        return Run(torch.stack(estimates), torch.stack(on), live)

    def _live_states(
        self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"], copies: Int64[Tensor, "B z S"]
    ) -> Iterator[Float[Tensor, "B z d"]]:
        """The states after each layer, 0 for circuits without a live copy."""
        check_bound("inputs", inputs, self.reach)
        column = (copies > 0).int().argmax(dim=2)  # the first with a live copy
        i, j, n = self.here[column, active], self.there[column, active], self.plan.n_g
        pair = (column * n + i) * n + j
        live, state = (copies > 0).any(dim=2)[..., None], inputs
        for cell in self.cells:
            w, b = cell.cells.flatten(0, 2)[pair], cell.biases.flatten(0, 2)[pair]
            pre = (w @ state[..., None])[..., 0] + b
            state = torch.where(live, pre.relu() if cell.relu else pre, 0.0)
            if cell.relu:
                check_bound("an activation", state, self.bound)
            yield state

    def _copies(self, active: Int64[Tensor, "B z"]) -> Int64[Tensor, "B z S"]:
        """How many lanes of each column hold an active circuit alone."""
        if active.shape[1] == 1:  # alone it is the first slot and the last one
            return torch.full((*active.shape, self.plan.S), min(self.plan.z, 2), device=active.device)
        return torch.stack([self._holds(active, lane) for lane in range(self.plan.z)]).sum(dim=0)

    def _holds(self, active: Int64[Tensor, "B z"], lane: int) -> Bool[Tensor, "B z S"]:
        """Whether the lane of a column holds that circuit, and no other.

        Lanes 0, 2, 4 … take the first slot of those that are left, lanes 1, 3, 5 … the last; the last lane of an odd
        number takes all that are left.
        """
        z, slot = self.plan.z, self.here[:, active].permute(1, 2, 0)
        same = slot[:, :, None] == slot[:, None, :]  # batch, circuit, other circuit, column
        first = same.int().argmax(dim=2) == torch.arange(active.shape[1], device=active.device)[:, None]
        below = ((slot[:, None, :] < slot[:, :, None]) & first[:, None]).sum(dim=2)
        above = ((slot[:, None, :] > slot[:, :, None]) & first[:, None]).sum(dim=2)
        taken = lane // 2
        if lane == z - 1 and z % 2:
            chosen = (below == taken) & (above == taken)
        elif lane % 2:
            chosen = (above == taken) & (below >= taken)
        else:
            chosen = (below == taken) & (above >= taken)
        return chosen & (same.sum(dim=2) == 1)

    def _shift(self) -> float:
        if self.plan.z == 1:
            return 0.0
        self._need_bound("encode")
        return SLACK * (self.reach or 0.0)

    def _need_bound(self, what: str) -> float:
        if self.bound is None:
            raise ValueError(
                f"bound is None; {what} needs the largest |activation| of any circuit: give it to superpos.exact.embed "
                "as bound=…, e.g. (1.5 * circuits.run(active, inputs).abs().max()).item() of inputs like your own. "
                "run does not need it"
            )
        return self.bound


def check_bound(name: str, values: Tensor, bound: float | None) -> None:
    """Refuse activations beyond the bound from which the gates were made."""
    if bound is None or not values.numel():
        return
    largest = values.abs().max().item()
    if not largest <= SLACK * bound:
        raise ValueError(
            f"{name} is {largest:.6g} in size, but the bound is {bound:g}: embed the circuits with "
            f"bound={math.ceil(largest) if math.isfinite(largest) else '…'} or more"
        )
