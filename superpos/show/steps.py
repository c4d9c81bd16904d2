"""A run of an exact network, layer by layer: every neuron with its number, and one sentence on what just happened.

The numbers are those that the layers leave; whose they are is read from the keys among them. Chapter 12.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch import Tensor

from superpos.exact import ExactNetwork
from superpos.exact.layers import ExactLayer, Listing
from superpos.show.data import Drawn, note
from superpos.show.lanes import OWNERS, ink
from superpos.show.series import BLACK
from superpos.show.sheet import drawing, sheet
from superpos.show.titles import broken

_NAMES, _GAP = 0.118, 0.18  # inches a point: the names on the left; inches: between two blocks of cells
_ROW, _ROWS, _TOP = 0.36, 8.3, 0.97  # inches a row; rows of the figure; inches for what is said above
_SEVERAL, _PALE = "#dddddd", "#6b6b6b"  # a sum of several circuits; a zero
_SLOTS = ("state", "key", "tie", "taken", "above", "below", "match")  # have numbers for each slot of the entry

Own = Sequence[int]  # the circuits behind a number
_Left = tuple[str, Sequence[int], Mapping[str, Tensor]]  # by a layer: its title, the numbers it takes out, its neurons


@dataclass(frozen=True)
class Row:
    """A name and its numbers (blocks, cells): the blocks are columns of the entry, places of the list, or lanes."""

    name: str
    kind: str
    values: Tensor


@dataclass(frozen=True)
class Step:
    """What one layer left, or the input.

    Attributes:
        title: the layer's; "entry" for the input.
        said: what just happened.
        rows: all of its neurons.
        slots: the circuits on each slot of the entry.
        places: the circuit of each place of the list, and so of each lane; none where it is empty.
    """

    title: str
    said: str
    rows: Sequence[Row]
    slots: Sequence[Own]
    places: Sequence[Own]

    @property
    def words(self) -> str:
        """The sentence and all numbers, for those who do not see the picture."""
        numbers = (f"{row.name} {', '.join(map(_text, row.values.flatten().tolist()))}" for row in self.rows)
        return f"{self.title}. {self.said} Neurons: {'; '.join(numbers)}."


@dataclass(frozen=True)
class _Now:
    """What the sentence about a layer may speak of."""

    network: ExactNetwork
    active: Sequence[int]
    number: int  # behind the title: the round, or the circuits' layer
    parts: Mapping[str, Tensor]
    slots: Sequence[Own]
    places: Sequence[Own]

    @property
    def n(self) -> int:
        return self.network.plan.n

    @property
    def found(self) -> str:
        """The circuit that came into the list last."""
        return f"circuit {self.places[-1][0]}" if self.places[-1] else "nothing"


def walk(network: ExactNetwork, active: Sequence[int], inputs: Tensor) -> list[Step]:
    """The steps of one sample: the input, and what each layer leaves. Chapter 12.

    Args:
        network: one that hands out lanes, z ≥ 2, with all of them side by side.
        active: the circuits that run; they may be more than z.
        inputs: their inputs, (len(active), d).

    Raises:
        ValueError: the network has no entry, or serves its circuits one after another.
    """
    plan = network.plan
    if plan.entry is None or plan.lanes < plan.z:
        raise ValueError(f"the network has z = {plan.z}, lanes = {plan.lanes}; steps are drawn for z ≥ 2, lanes = z")
    A, layers = network.encode(torch.tensor([active]), inputs[None]), [cast(ExactLayer, x) for x in network.layers]
    seen: list[_Left] = [("entry", (), layers[0].reads.split(A))]
    for layer in layers:
        A = layer(A)
        seen.append((layer.title, layer.takes if isinstance(layer, Listing) else (), layer.leaves.split(A)))
    return list(_told(network, active, seen))


def _told(network: ExactNetwork, active: Sequence[int], seen: Sequence[_Left]) -> Iterator[Step]:
    plan, code, base = network.plan, network.code, network.plan.n**2
    assert plan.entry is not None
    assert code is not None
    slots = held = [[t for t in active if s in code[t]] for s in range(plan.entry.N)]
    places: list[Own] = []
    for title, takes, batch in seen:
        parts = {name: values[0] for name, values in batch.items()}
        if "key" in parts:
            slots = [own if key else [] for own, key in zip(held, parts["key"].tolist(), strict=True)]
        keys = parts["list"][:, -1].tolist() if "list" in parts else []
        keys += [parts["taken"][:, takes.index(plan.d)].sum().item()] if plan.d in takes else []
        places = [[round(key) - base] if key else [] for key in keys] or places
        kind, _, last = title.rpartition(" ")
        number = int(last) if last.isdigit() else 0
        said = _SAID[kind if number else title](_Now(network, active, number, parts, slots, places))
        rows = [row for name, x in parts.items() for row in _rows(name, x, plan.d, plan.entry.S, takes)]
        yield Step(title, said, rows, slots, places)


def _rows(name: str, values: Tensor, d: int, S: int, takes: Sequence[int]) -> Iterator[Row]:
    """The rows of one group of neurons."""
    if name in _SLOTS:
        kind, parts = "column", values.reshape(S, len(values) // S, -1).permute(2, 0, 1)
    elif name in ("list", "waiting", "number"):
        kind, parts = "place" if name == "list" else "lane", values.reshape(len(values), -1).T[..., None]
    else:
        kind, parts = "lane", values.reshape(*values.shape[:2], -1).permute(2, 0, 1)
    states = ["state"] if d == 1 else [f"state {c + 1}" for c in range(d)]
    inner = {"taken": [f"taken: {[*states, 'key'][number]}" for number in takes], "list": [*states, "key"]}
    inner |= {"slot": [*states, "constant"][: len(parts)], "waiting": states, "state": states}
    for part, row in zip(inner.get(name, [name]), parts, strict=True):
        yield Row(part, kind, row)


def _each(numbers: Sequence[int]) -> str:
    """4; 2 and 4; 1, 2 and 4."""
    *some, last = map(str, numbers)
    return f"{', '.join(some)} and {last}" if some else last


def _tied(now: _Now) -> str:
    return ", ".join(_each(own) for own in now.slots if len(own) > 1)


def _entry(now: _Now) -> str:
    end = f"{tied} add up" if (tied := _tied(now)) else "no two meet"
    return (
        f"Each circuit puts state + {_text(now.network.shift)} and key {now.n**2} + t on a slot of each column: {end}."
    )


def _ties(now: _Now) -> str:
    end = f"a tie of {_tied(now)}" if now.parts["tie"].any() else "there is none"
    return f"A key of {2 * now.n**2} or more is a sum: {end}."


def _mark(now: _Now) -> str:
    if not now.places[-1]:
        return "No circuit is left to be taken out."
    return f"The first that is left, {now.found}, is taken out; those behind are silenced."


def _compare(now: _Now) -> str:
    key = _text(now.parts["list"][-1, -1].item())
    return f"It joins the list. How far is a key above its own, {key}, or below?"


def _place(now: _Now) -> str:
    lost = [t for t in now.active if [t] not in now.places]
    end = f" {_each(lost)} was never alone: no lane." if lost else ""
    return "The wires of j go on. State and constant stand on slot i alone." + end


def _cell(now: _Now) -> str:
    step = -1 if now.number % 2 == 0 else 1
    ways = [(t, *divmod(t, now.n)[::step]) for own in now.places for t in own]
    moves = [f"{t} from slot {i} to {j}" for t, i, j in ways]
    raised = _text(now.network.shift) if now.number == 1 else "0"
    off = "" if raised == "0" else f" after {raised} is taken off"
    return f"Their own weights take circuit {' and '.join(moves)}{off}; other slots lose C."


_SAID: Mapping[str, Callable[[_Now], str]] = {
    "entry": _entry,
    "ties": _ties,
    "clear ties": lambda now: "Ties are cleared. All that is left is alone on its slot.",
    "mark": _mark,
    "compare": _compare,
    "match": lambda now: f"Neither above nor below is the key of {now.found}.",
    "clear": lambda now: f"Cleared: {now.found} is in the list, and nowhere else.",
    "stairs i": lambda now: f"Every place gets a lane. How often does {now.n} fit into its number?",
    "steps i": lambda now: "Each step is cut to 0 or 1: 0 up to slot i, 1 behind it.",
    "wires i": lambda now: f"Where 0 turns to 1 is i: its wires go on. The number less {now.n} i counts to j.",
    "places": _place,
    "cell": _cell,
}


@drawing
def picture(step: Step) -> Figure:
    """All neurons of a step as rows of cells, in the colour and with the number of their circuit. Chapter 12."""
    height = _TOP + _ROWS * _ROW
    figure = Drawn(figsize=(sheet().width, sheet().tall * height))
    figure.finding = step.said
    ax = figure.add_axes((0.0, 0.0, 1.0, 1 - _TOP / height))
    ax.set(xlim=(0, sheet().width), ylim=(_ROWS, 0))
    ax.set_axis_off()
    said = "\n".join([step.title, *broken(step.said, sheet().width - 0.16, sheet().text)])
    above = 1 + (_TOP - 0.12) / (height - _TOP)
    ax.set_title(said, loc="left", fontsize=sheet().text, x=0.015, y=above, va="top", linespacing=1.3)
    y, kind, drawn = 0.0, "", []
    for row in step.rows:
        blocks, across = row.values.shape
        own = _owners(step, row.kind, blocks)
        left = _NAMES * sheet().text
        wide = (sheet().width - left - 0.1 + _GAP) / max(2, blocks) - _GAP
        lefts = [left + s * (wide + _GAP) for s in range(blocks)]
        if row.kind != kind:
            y, kind = _heads(ax, y + 0.3 * bool(kind), row.kind, lefts, wide, own), row.kind
        _name(ax, left, y, row.name)
        cells = row.values.flatten().tolist()
        note(ax, "cells", row.name, {"cell": range(len(cells)), "number": cells})
        each = wide / max(3, across)
        for x, values, whose in zip(lefts, row.values.tolist(), own, strict=True):
            spread = whose if len(whose) == across else [*whose] * across
            drawn += [(x + c * each, y, each, value, spread[c]) for c, value in enumerate(values)]
        y += 1.0
    _cells(ax, drawn)
    return figure


def _cells(ax: Axes, drawn: Sequence[tuple[float, float, float, float, Own]]) -> None:
    """Boxes with their numbers: (left, top, width, number, circuits) of each."""
    for colour in sorted({_face(value, who) for *_, value, who in drawn}):
        same = [_box(x, y + 0.05, w - 0.04, 0.9) for x, y, w, value, who in drawn if _face(value, who) == colour]
        ax.add_patch(PathPatch(Path.make_compound_path(*same), fc=colour, ec="#bbbbbb", lw=0.7, clip_on=False))
    middles = [(x + w / 2 - 0.02, y + 0.5, value, who) for x, y, w, value, who in drawn]
    for x, y, value, who in middles:
        if value:
            colour = ink(who[0]) if len(who) == 1 else BLACK
            ax.text(x, y, _text(value), ha="center", va="center_baseline", fontsize=sheet().text, color=colour)
    # All zeros are one mark: as texts they would be most of the picture's file.
    zeros = [(x, y) for x, y, value, _ in middles if not value]
    ax.plot(*torch.tensor(zeros).view(-1, 2).T, ls="", marker="$0$", ms=8, color=_PALE, mew=0, clip_on=False)


def _box(x: float, y: float, w: float, h: float) -> Path:
    return Path([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)], closed=True)


def _owners(step: Step, kind: str, blocks: int) -> list[list[Own]]:
    """The circuits behind the cells of each block; those of a place or a lane share one entry."""
    if kind == "column":
        q = len(step.slots) // blocks
        return [list(step.slots[s * q : (s + 1) * q]) for s in range(blocks)]
    return [[own] for own in step.places[:blocks]]


def _heads(ax: Axes, y: float, kind: str, lefts: Sequence[float], wide: float, own: Sequence[Sequence[Own]]) -> float:
    """Above the cells: which block it is, and whose; in the entry also who is on each slot. Returns the next row."""
    for s, x in enumerate(lefts):
        of = "" if kind == "column" else f": circuit {own[s][0][0]}" if own[s][0] else ": empty"
        ax.text(x, y + 0.5, f"{kind} {s + 1}{of}", va="center", fontsize=sheet().text)
    if kind != "column":
        return y + 1.0
    _name(ax, lefts[0], y + 0.9, "circuits")
    for x, whose in zip(lefts, own, strict=True):
        for c, who in enumerate(whose):
            at = x + (c + 0.5) * wide / len(whose) - 0.02
            ax.text(at, y + 1.4, "+".join(map(str, who)), ha="center", va="center", fontsize=sheet().text)
    return y + 1.85


def _name(ax: Axes, left: float, y: float, text: str) -> None:
    ax.text(left - 0.12, y + 0.5, text, ha="right", va="center", fontsize=sheet().text)


def _face(value: float, who: Own) -> str:
    if value == 0 or not who:
        return "white"
    return OWNERS[who[0] % len(OWNERS)] if len(who) == 1 else _SEVERAL


def _text(value: float) -> str:
    return f"{round(value, 2):g}"
