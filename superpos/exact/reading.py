"""Which circuit a lane holds, which circuits get one, and whose every weight and neuron is. Chapter 12."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos.exact.cells import Cell
from superpos.exact.layers import Listing
from superpos.exact.layout import Layout
from superpos.network import NOBODY


def named(wires: Float[Tensor, "B R m"], sets: Float[Tensor, "n m"]) -> Int64[Tensor, "B R"]:
    """The slot k whose set R_k the wires of a lane are, exactly; `NOBODY` where they are no slot's."""
    half = sets[0].sum()
    own = (wires @ sets.mT == half) & ((wires == 0) | (wires == 1)).all(dim=-1, keepdim=True)
    own &= wires.sum(dim=-1, keepdim=True) == half
    return torch.where(own.any(dim=-1), own.int().argmax(dim=-1), NOBODY)


def served(slots: Int64[Tensor, "B c S"], z: int) -> Bool[Tensor, "B c"]:
    """Which of the active circuits the list takes in: of those that are alone on a slot the z on the first such slots.

    Args:
        slots: of the active circuits, one in each column, numbered through all columns.
    """
    tied = (slots[:, :, None] == slots[:, None, :]).sum(dim=2) > 1  # batch, circuit, column
    first = slots.masked_fill(tied, torch.iinfo(torch.int64).max).amin(dim=2)
    before = (first[:, None, :] < first[:, :, None]).sum(dim=2)
    return ~tied.all(dim=2) & (before < z)


def owner(cell: Cell, step: int, T: int, i: Tensor, j: Tensor, own: Bool[Tensor, "L1 T d"]) -> Int64[Tensor, "*at"]:
    """The circuit to which entry (i, j) of a cell's weights belongs; `NOBODY` for wires, constants and silence."""
    (lanes, n, numbers), d, start = cell.leaves.shapes["slot"], own.shape[2], cell.leaves.start("slot")
    (lane, to, c), (source_lane, source, number) = (
        (k // (n * numbers), k // numbers % n, k % numbers) for k in (i - start, j - start)
    )
    within = (i >= start) & (lane < lanes) & (j >= start) & (source_lane < lanes) & (lane == source_lane)
    t = to * n + source if cell.back else source * n + to
    known = within & (t < T) & (c < d)
    t = torch.where(known, t, 0)
    # Number d, the constant of the sender, carries the bias.
    mine = own[step + 1, t, c.clamp_max(d - 1)] & (own[step, t, number.clamp_max(d - 1)] | (number == d))
    return torch.where(known & mine, t, NOBODY)


def holders(
    layout: Layout, layer: torch.nn.Module | None, code: Int64[Tensor, "T S"] | None, slot: Int64[Tensor, " T"], d: int
) -> Int64[Tensor, "T d k"]:
    """The neurons of a layout that may hold each coordinate of each circuit's state; `NOBODY` fills up.

    Args:
        layer: which leaves them; None for the encoded input.
        slot: of each circuit in a lane, at this depth.
    """
    return torch.cat(list(_holders(layout, layer, code, slot, d)), dim=-1)


def _holders(
    layout: Layout, layer: torch.nn.Module | None, code: Int64[Tensor, "T S"] | None, slot: Int64[Tensor, " T"], d: int
) -> Iterator[Int64[Tensor, "T d k"]]:
    T = len(slot)
    for name, shape in layout.groups:
        place = layout.at(name).to(slot.device)
        if name == "state" and code is not None:
            yield place[code].mT
        elif name == "taken" and code is not None and isinstance(layer, Listing):
            found = place.new_full((T, d, code.shape[1]), NOBODY)
            for column, number in enumerate(layer.takes):
                if number < d:
                    found[:, number] = place[code, column]
            yield found
        elif name in ("list", "waiting"):
            yield place[:, :d].mT.expand(T, d, shape[0])
        elif name == "slot":
            yield place[:, slot, :d].permute(1, 2, 0)
