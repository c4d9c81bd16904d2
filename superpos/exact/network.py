"""The exact network: T circuits, any z of them computed without error. Chapter 12."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos import codes
from superpos.circuits import Circuits, MLPCircuits
from superpos.exact.cells import Cell, heard
from superpos.exact.gates import Places
from superpos.exact.layers import ClearTies, ExactLayer, Listing
from superpos.exact.limits import SLACK, check_arithmetic, check_bound, check_inputs, check_keys, check_known
from superpos.exact.reading import holders, named, owner, served
from superpos.exact.sizes import Plan, encoded, lanes
from superpos.network import NOBODY, Network, Promise, Run


class ExactNetwork(Network):
    """The exact network of T MLP circuits: an entry and a list that hand out lanes, and z lanes of n slots. Chapter 12.

    Every layer names its neurons (`superpos.exact.layout`): `network.layers[l].leaves.split(A)`.

    Attributes:
        plan: the sizes.
        bound, reach: the largest |activation| of any circuit, and the largest |input|; or None.
        nonnegative: whether inputs are at least 0.
        sets: R_k, the wires of every slot of a lane, as zeros and ones.
    """

    sets: Float[Tensor, "n wires"]

    def __init__(
        self,
        plan: Plan,
        layers: list[ExactLayer],
        sets: Float[Tensor, "n wires"],
        bound: float | None,
        reach: float | None,
        nonnegative: bool,
    ) -> None:
        super().__init__()
        self.plan, self.T, self.d, self.bound, self.reach = plan, plan.T, plan.d, bound, reach
        self.nonnegative, self.layers = nonnegative, nn.ModuleList(layers)
        like = self.cells[0].weights
        self.register_buffer("sets", sets.to(like), persistent=False)

    @property
    def cells(self) -> list[Cell]:
        """The layers of the circuits, of all passes, without those before them."""
        return [layer for layer in self.layers if isinstance(layer, Cell)]

    @property
    def L(self) -> int:
        return len(self.cells) // self.plan.passes

    @property
    def depths(self) -> tuple[int, ...]:
        return super().depths if self.plan.passes == 1 else (self.L,)

    @property
    def code(self) -> Int64[Tensor, "T S"] | None:
        """The slots of all circuits in the entry, numbered 0 … N − 1; None for z = 1, where there is no entry."""
        return None if self.plan.entry is None else self._slots(torch.arange(self.T, device=self.sets.device))

    @property
    def shift(self) -> float:
        """ρ, what inputs are raised by while the network finds out which circuits are active; 0 for z = 1."""
        if self.plan.entry is None or self.nonnegative:
            return 0.0
        check_known(self.bound, "encode")
        return SLACK * (self.reach or 0.0)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """The encoded input Σ_t (a_t + ρ, B + t), each circuit on its slots of the code, B = n².

        ρ makes a negative input positive. For z = 1 there is nothing to tell apart: (a_t, 1) on slot i of the lane,
        with the wires of i and j.

        Raises:
            ValueError: for z ≥ 2, if no bound is known; or for inputs beyond the reach, or below 0 if that
                was excluded.
        """
        check_inputs(inputs, self.reach, nonnegative=self.nonnegative)
        layout = encoded(self.plan)
        a = {name: inputs.new_zeros(len(inputs), *shape) for name, shape in layout.groups}
        sample = torch.arange(len(inputs), device=active.device)[:, None]
        if self.plan.entry is None:
            i, j = self._pair(active)
            one = torch.ones_like(inputs[..., : self.plan.numbers - self.d])
            entry = (sample, torch.zeros_like(i), i)
            a["slot"].index_put_(entry, torch.cat([inputs, one], dim=-1), accumulate=True)
            for name, slots in (("wire i", i), ("wire j", j)):
                a[name] += self.sets[slots].sum(dim=1, keepdim=True)
        else:
            place, S = (sample[..., None], self._slots(active)), self.plan.entry.S
            raised = (inputs + self.shift)[:, :, None].expand(-1, -1, S, -1)
            key = (self.plan.n**2 + active).to(inputs)[..., None].expand(-1, -1, S)
            a["state"].index_put_(place, raised, accumulate=True)
            a["key"].index_put_(place, key, accumulate=True)
        return layout.join(a)

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        """What stands on a circuit's slot in the lane that is its own, or on its place in the list; else 0.

        Raises:
            ValueError: for a layer after which it cannot be read: with fewer lanes than z there is only the last.
        """
        state, held = self._found(A, active, layer)
        return torch.where(held[..., None], state, 0.0).sum(dim=2)

    def live(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Bool[Tensor, "B z"]:
        """Whether a circuit has a lane: one whose wires are exactly those of its slots i and j.

        For layer 0, of an input just encoded, whether it is alone on a slot.
        """
        return self._found(A, active, layer)[1].any(dim=2)

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        """The states of all circuits: those of the lanes, which name theirs by their wires, and 0 for all others."""
        everyone = torch.arange(self.T, device=A.device)
        if layer == 0:
            return self.read(A, everyone.expand(len(A), -1), 0)
        circuit, state = self._held(A, layer)
        known = circuit != NOBODY
        out = A.new_zeros(len(A), self.T, self.d)
        sample = torch.arange(len(A), device=A.device)[:, None].expand_as(circuit)
        return out.index_put_((sample[known], circuit[known]), state[known])

    def promise(self, active: int) -> Promise:
        return self.plan.promise(active)

    def forward(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D1"]:
        """The activations that all layers, entry, list and gates included, leave of an encoded input.

        Raises:
            ValueError: if no bound is known, or an activation of a lane with one circuit is beyond it.
        """
        check_arithmetic(self.sets, self.bound, self.plan)
        for layer in self._layers():
            A = layer(A)
            if isinstance(layer, Cell) and layer.relu:
                a = layer.leaves.split(A)
                one = (named(a["wire i"], self.sets) >= 0) & (named(a["wire j"], self.sets) >= 0)
                check_bound("an activation", a["slot"][..., : self.d].sum(dim=2)[one] - layer.lift, self.bound)
        return A

    def trace(self, A: Float[Tensor, "B D"]) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D1"]]]:
        """The neurons and activations of each circuit layer, as of any network, with entry, list and gates.

        Activations may be beyond the bound: what is measured shows it.
        """
        check_arithmetic(self.sets, self.bound, self.plan)
        yield from super().trace(A)

    def masked(
        self,
        circuits: Circuits,
        active: Int64[Tensor, "B z"],
        inputs: Float[Tensor, "B z d"],
        mask: Float[Tensor, "B T"],
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The `states` with mask_t (w_t, b_t) in every cell; entry, list, gates and constants belong to no circuit."""
        check_arithmetic(self.sets, self.bound, self.plan)
        A, n = self.encode(active, inputs), self.plan.n
        pairs = nn.functional.pad(mask, (0, n * n - self.T), value=1.0).unflatten(1, (n, n))
        for layer in self._layers():
            A = layer.masked(A, pairs) if isinstance(layer, Cell) else layer(A)
            if layer.computes:
                yield A, A

    def dense(self) -> list[tuple[Tensor, ...]]:
        check_known(self.bound, "dense")
        check_keys(self.sets.dtype, self.plan)
        return super().dense()

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Run:
        """The states of the active circuits by a shortcut: from their own weights alone, in a lane where they are live.

        The estimates are those of `encode`, the layers and `read`, at the cost of the circuits alone: entry, list and
        gates are taken to do what the theorem says of them, and are not run. So nothing is measured by it; `states`
        runs the layers. More circuits than the network was made for are allowed: `live` says which have a lane, and the
        others read 0. `on` counts neurons of lanes with a circuit, in all passes; not of the list or crowded lanes.

        Raises:
            TypeError, ValueError: for a batch that does not fit, or activations beyond the bound.
        """
        self.check(active, inputs)
        check_inputs(inputs, self.reach, nonnegative=self.nonnegative)
        live, t, last = self._live(active), active.flatten(), self.cells[-self.L :]
        state, states = inputs.flatten(0, 1)[..., None], [inputs]
        for cell in last:
            w, b = (x.flatten(0, 1).index_select(0, t) for x in (cell.weights, cell.biases))
            state = torch.baddbmm(b[..., None], w, state)
            state = state.relu_() if cell.relu else state
            states.append(state.view(inputs.shape))
        estimates = torch.stack(states)
        if active.shape[1] > self.plan.z:
            estimates = torch.cat([inputs[None], estimates[1:].where(live[..., None], 0.0)])
        free = self.plan.passes == 1 and not last[-1].relu  # outputs that nothing is made for
        check_bound("an activation", estimates[1 : -1 if free else None], self.bound)
        gates = live.sum() * (2 * (self.plan.wires // 2) + self.plan.numbers - self.d)
        on = ((estimates[1:] > 0).sum(dim=(1, 2, 3)) + gates).to(inputs.dtype) / (len(active) * last[0].width)
        return Run(estimates, on, live) if self.plan.passes == 1 else Run(estimates[[0, -1]], on[-1:], live)

    def rounding(self, state: Float[Tensor, "B z d"], layer: int) -> Float[Tensor, "B z d"]:
        """The rounding of what is read: an input that is told apart from others is raised and lowered."""
        raised = self.shift if layer == 0 else self._lift
        return 3 * (state.abs() + raised) if raised else torch.zeros_like(state)

    @property
    def gated(self) -> bool:
        if self.bound is None or self.reach is None:
            return True  # nothing is said of how far it goes
        keyed = [layer for layer in self.layers if isinstance(layer, ClearTies | Listing | Places)]
        told = all(self.plan.n**2 == layer.keys.B and 4 * self.reach < layer.keys.K for layer in keyed)
        cells = [(c, heard(c.weights, c.biases, self.bound) + c.lift) for c in self.cells if c.relu]
        return told and all((c.C or 0.0) >= max(most, 1.0) for c, most in cells)

    def owner(self, l: int, i: Tensor, j: Tensor, own: Bool[Tensor, "L1 T d"]) -> Tensor:
        cell = self.layers[l]
        if not isinstance(cell, Cell):  # entry, list and gates
            return torch.full_like(i + j, NOBODY)
        return owner(cell, self._step(l), self.T, i, j, own)

    def holders(self, l: int) -> tuple[int, Int64[Tensor, "T d k"]]:
        layer = self.layers[l - 1] if l else None
        layout = layer.leaves if isinstance(layer, ExactLayer) else encoded(self.plan)
        step = self._step(l - 1) + 1 if isinstance(layer, Cell) else 0
        slot = self._pair(torch.arange(self.T, device=self.sets.device))[step % 2]
        return step, holders(layout, layer, self.code, slot, self.d)

    def small(self, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
        """The chosen circuits, bit for bit as they went in."""
        last = self.cells[-self.L :]
        w, b = (torch.stack([getattr(c, name).flatten(0, 1)[t] for c in last]) for name in ("weights", "biases"))
        return MLPCircuits(w.detach(), b.detach(), last_relu=last[-1].relu)

    def copies(self) -> Iterator[tuple[int, Float[Tensor, "T d d"], Float[Tensor, "T d"]]]:
        for l, cell in enumerate(self.cells):
            w, b = (x.detach().flatten(0, 1)[: self.T] for x in (cell.weights, cell.biases))
            yield l % self.L, w, b

    def _found(
        self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int
    ) -> tuple[Float[Tensor, "B z places d"], Bool[Tensor, "B z places"]]:
        """What stands in each place where a circuit may be, and whether it is that circuit's; in one place at most."""
        if layer == 0 and self.plan.entry is not None:
            a, slots = encoded(self.plan).split(A), self._slots(active)
            sample = torch.arange(len(A), device=A.device)[:, None, None]
            own = a["key"][sample, slots] == (self.plan.n**2 + active)[..., None]
            return a["state"][sample, slots] - self.shift, own & (own.cumsum(dim=2) == 1)
        circuit, state = self._held(A, layer)
        own = active[..., None] == circuit[:, None]
        return state[:, None].expand(*own.shape, self.d), own

    def _held(
        self, A: Float[Tensor, "B D"], layer: int
    ) -> tuple[Int64[Tensor, "B places"], Float[Tensor, "B places d"]]:
        """The circuit in each lane, by its wires, and in each place of the list that is done; and their states."""
        if layer not in (0, *self.depths):
            raise ValueError(f"layer is {layer}; this network can be read after {', '.join(map(str, self.depths))}")
        a, n = lanes(self.plan).split(A), self.plan.n
        i, j = (named(a[name], self.sets) for name in ("wire i", "wire j"))
        at = (j if layer % 2 else i).clamp_min(0)[..., None, None].expand(-1, -1, 1, self.d)
        state = a["slot"][..., : self.d].gather(2, at)[:, :, 0]
        circuit = torch.where((i == NOBODY) | (j == NOBODY), NOBODY, i * n + j)
        if "list" in a:
            done = a["list"][:, : (self.plan.passes - 1) * self.plan.lanes]
            t = done[..., -1] - n * n
            waited = torch.where(t == t.floor(), t, NOBODY).long().clamp_min(NOBODY)
            circuit, state = torch.cat([circuit, waited], dim=1), torch.cat([state, done[..., :-1] - self._lift], dim=1)
        return circuit.masked_fill(circuit >= self.T, NOBODY), state

    def _live(self, active: Int64[Tensor, "B z"]) -> Bool[Tensor, "B z"]:
        """Which active circuits get a lane: all, unless there are more than the network was made for."""
        few = active.shape[1] <= self.plan.z
        if few or self.plan.entry is None:
            return torch.full_like(active, few, dtype=torch.bool)
        return served(self._slots(active), self.plan.z)

    def _slots(self, t: Int64[Tensor, "*t"]) -> Int64[Tensor, "*t S"]:
        """The slots of circuits in the entry."""
        entry = self.plan.entry
        assert entry is not None
        return codes.polynomials(t, entry.k, entry.q, entry.S)

    def _pair(self, t: Int64[Tensor, "*t"]) -> tuple[Int64[Tensor, "*t"], Int64[Tensor, "*t"]]:
        """The slots i and j of circuits: where their state is after even and odd layers."""
        return t // self.plan.n, t % self.plan.n

    def _step(self, l: int) -> int:
        """Which layer of the circuits a cell is, from 0."""
        return (sum(isinstance(layer, Cell) for layer in self.layers[: l + 1]) - 1) % self.L

    @property
    def _lift(self) -> float:
        """What states that wait in the list are raised by."""
        return self.cells[self.L - 1].lift
