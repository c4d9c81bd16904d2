"""The layers of the exact construction, one by one: the lemmas of the theorem, bit for bit, and the table by hand."""

from collections import Counter
from math import comb
from typing import Any

import pytest
import torch
from exactly import every_set, mlps, neighbours, points, through, tied
from torch import Tensor

from superpos import circuits, exact
from superpos.circuits import MLPCircuits
from superpos.exact import ExactNetwork
from superpos.exact.build import assemble
from superpos.exact.gates import Places, sets, wrong
from superpos.exact.layers import Clear, ClearTies, ExactLayer
from superpos.exact.layout import Layout
from superpos.exact.reading import named
from superpos.exact.sizes import encoded
from superpos.network import NOBODY

LANES = [(1, 1), (2, 2), (2, 1), (3, 3), (3, 2), (3, 1), (4, 3), (5, 5)]


def made(z: int, lanes: int) -> ExactNetwork:
    return exact.embed(mlps(40, 3, 3), z=z, lanes=lanes, bound=20.0, reach=2.0)


# --- Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "lanes"), LANES)
def test_every_neuron_has_one_name(z: int, lanes: int) -> None:
    network = made(z, lanes)
    layouts = [encoded(network.plan), *(layer.leaves for layer in layers(network))]
    for before, layer in zip(layouts, layers(network), strict=False):
        assert layer.reads == before
    for layout in layouts:
        assert layout.width == len(layout.names) == len(set(layout.names))
        at = torch.cat([layout.at(name).flatten() for name in layout.shapes])
        assert torch.equal(at, torch.arange(layout.width))
        A = torch.rand(3, layout.width, generator=torch.Generator().manual_seed(0))
        parts = layout.split(A)
        assert torch.equal(layout.join(parts), A)
        for name, shape in layout.groups:
            assert torch.equal(parts[name], A[:, layout.at(name)])
            assert parts[name].shape == (3, *shape)
            assert layout.start(name) == int(layout.at(name).flatten()[0])
            last = " ".join(str(k - 1) for k in shape)
            assert layout.names[int(layout.at(name).flatten()[-1])] == f"{name} {last}"


def test_groups_without_neurons_are_left_out() -> None:
    layout = Layout.of(wire_i=(2, 3), list=(0, 4), key=(5,))
    assert layout.groups == (("wire i", (2, 3)), ("key", (5,)))
    assert layout.names[5:7] == ["wire i 1 2", "key 0"]


def test_a_run_that_is_stepped_through_says_what_it_is_at() -> None:
    titles = [layer.title for layer in layers(exact.embed(mlps(4, 1, 3), z=2, lanes=1, bound=9.0))]
    first = ["ties", "clear ties", "mark 1", "mark 1", "compare 1", "match 1", "clear 1", "mark 2"]  # one lane: narrow
    cells = ["cell 1", "cell 2", "cell 3"]
    gates = [[f"{gate} {p}" for gate in ("stairs i", "steps i", "wires i", "places")] for p in (1, 2)]
    assert titles == [*first, *gates[0], *cells, *gates[1], *cells]
    assert [layer.title for layer in layers(made(1, 1))] == cells


def layers(network: ExactNetwork) -> list[ExactLayer]:
    return [layer for layer in network.layers if isinstance(layer, ExactLayer)]


# --- The table, neuron by neuron --------------------------------------------------------------------------------

FOUR = MLPCircuits(torch.tensor([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]), torch.tensor([[[5.0], [6.0], [7.0], [8.0]]]))


def by_name(layer: ExactLayer) -> dict[str, dict[str, float]]:
    """Of each neuron of the dense matrix the sources with weights other than 0, and its bias as that of "1"."""
    W, b = layer.dense()
    reads = [*layer.reads.names, "1"]
    return {
        name: {reads[k]: row[k].item() for k in row.nonzero()[:, 0].tolist()}
        for name, row in zip(layer.leaves.names, torch.cat([W, b[:, None]], dim=1), strict=True)
    }


def test_one_lane_by_hand() -> None:
    # Two slots, d = 1: circuit t = 2i + j. Slot 0 has wire 0, slot 1 has wire 1.
    C = 1.01 * 4 + 8 + 1  # β max‖w‖ with its slack, max|b|, and 1
    (cell,) = layers(exact.embed(FOUR, bound=1.0))
    expected = {
        "slot 0 0 0": {"slot 0 0 0": 1, "slot 0 0 1": 5, "slot 0 1 0": 3, "slot 0 1 1": 7, "wire j 0 1": -C},
        "slot 0 0 1": {"slot 0 0 1": 1, "slot 0 1 1": 1, "wire j 0 1": -C},
        "slot 0 1 0": {"slot 0 0 0": 2, "slot 0 0 1": 6, "slot 0 1 0": 4, "slot 0 1 1": 8, "wire j 0 0": -C},
        "slot 0 1 1": {"slot 0 0 1": 1, "slot 0 1 1": 1, "wire j 0 0": -C},
    }
    expected |= {name: {name: 1} for name in ("wire i 0 0", "wire i 0 1", "wire j 0 0", "wire j 0 1")}
    found = by_name(cell)
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == pytest.approx(expected[name]), name


def test_two_lanes_by_hand() -> None:
    # T = 4, z = 2: every circuit has a slot of its own in the entry, since a code of two columns is no shorter.
    # n = 2, B = 4; ρ = 1 with its slack is 1.01, K = 4 · 1.01 + 1.
    network = exact.embed(FOUR, z=2, bound=1.0)
    B, rho, K, C, s, lane = 4, 1.01, 5.04, 1.01 * 4 + 8 + 1, range(4), range(2)
    assert network.plan.entry == exact.Entry(1, 4, 1)
    assert network.plan.take == 2
    X = {f"state {i} 0": {f"state {i} 0": 1} for i in s}
    both = X | {f"key {i}": {f"key {i}": 1} for i in s}
    carried = {f"list 0 {k}": {f"list 0 {k}": 1} for k in range(2)}
    taken = {f"taken {i} 0": {f"key {i}": 1, **{f"key {p}": -2 for p in range(i)}} for i in s}
    taken |= {f"taken {i} 1": {f"state {i} 0": 1, **{f"key {p}": -K / B for p in range(i)}} for i in s}
    listed = [{f"taken {i} {k}": 1 for i in s} for k in (1, 0)]  # the state, and the key, which is taken first

    def cleared(by: str) -> dict[str, Any]:
        states = {f"state {i} 0": {f"state {i} 0": 1, f"{by} {i}": -K} for i in s}
        return states | {f"key {i}": {f"key {i}": 1, f"{by} {i}": -4 * B} for i in s}

    apart = {f"above {i}": {f"taken {p} 0": -1 for p in s} | {f"key {i}": 1} for i in s}
    apart |= {f"below {i}": {name: -w for name, w in apart[f"above {i}"].items()} for i in s}
    places = [{"list 0 0": 1}, {"list 0 1": 1}], listed  # state and key of place 0, and of place 1
    known = {f"number {r}": {f"number {r}": 1} for r in lane} | {f"waiting {r} 0": {f"waiting {r} 0": 1} for r in lane}
    wires = {f"wire {x} {r} {w}": {f"wire {x} {r} {w}": 1} for r in lane for w in lane for x in "ij"}
    table = {
        "ties": both | {f"tie {i}": {f"key {i}": 1, "1": 1 - 2 * B} for i in s},
        "clear ties": cleared("tie"),
        "mark 1": both | taken,
        "compare 1": X | {"list 0 0": listed[0], "list 0 1": listed[1]} | apart,
        "match 1": X
        | carried
        | {f"key {i}": {"list 0 1": 1, f"above {i}": 1, f"below {i}": -1} for i in s}
        | {f"match {i}": {"1": 1, f"above {i}": -1, f"below {i}": -1} for i in s},
        "clear 1": cleared("match") | carried,
        "mark 2": taken | carried,
        "stairs i": {f"stair i {r} {k}": {**places[r][1], "1": 1 - B - 2 * k} for r in lane for k in lane}
        | {f"number {r}": {**places[r][1], "1": -B} for r in lane}
        | {f"waiting {r} 0": places[r][0] for r in lane},
        "steps i": {f"step i {r} {k}": {f"stair i {r} {k}": -1, "1": 1} for r in lane for k in lane} | known,
        "wires i": {f"wire i {r} 0": {f"step i {r} 0": -1, f"step i {r} 1": 1} for r in lane}
        | {f"wire i {r} 1": {f"step i {r} 1": -1, "1": 1} for r in lane}
        | {  # j + on − k = number − 2 (1 − c_1) + 1 − c_0 − k
            f"stair j {r} {k}": {f"number {r}": 1, f"step i {r} 1": 2, f"step i {r} 0": -1, "1": -1 - k}
            for r in lane
            for k in lane
        }
        | {name: row for name, row in known.items() if name.startswith("waiting")},
        "places": {f"wire j {r} 0": {f"stair j {r} 0": 1, f"stair j {r} 1": -2} for r in lane}
        | {f"wire j {r} 1": {f"stair j {r} 1": 1} for r in lane}
        | {name: row for name, row in wires.items() if name.startswith("wire i")}
        | {f"slot {r} {k} 0": {f"waiting {r} 0": 1, f"wire i {r} {1 - k}": -K} for r in lane for k in lane}
        | {
            f"slot {r} {k} 1": {f"stair j {r} 0": 1, f"stair j {r} 1": -1, f"wire i {r} {1 - k}": -K}
            for r in lane
            for k in lane
        },
        "cell 1": wires
        | {
            f"slot {r} {j} 0": {
                **{f"slot {r} {i} 0": 1.0 + 2 * i + j for i in lane},
                **{f"slot {r} {i} 1": (5 + 2 * i + j) - rho * (1 + 2 * i + j) for i in lane},
                f"wire j {r} {1 - j}": -C,
            }
            for r in lane
            for j in lane
        }
        | {
            f"slot {r} {j} 1": {f"slot {r} 0 1": 1, f"slot {r} 1 1": 1, f"wire j {r} {1 - j}": -C}
            for r in lane
            for j in lane
        },
    }
    assert [layer.title for layer in layers(network)] == list(table)
    for layer in layers(network):
        found, expected = by_name(layer), table[layer.title]
        assert found.keys() == expected.keys(), layer.title
        for name in expected:
            assert found[name] == pytest.approx({k: w for k, w in expected[name].items() if w}), (layer.title, name)


# --- The lemmas -------------------------------------------------------------------------------------------------


def batches(network: ExactNetwork) -> list[Tensor]:
    """Sets of one to z circuits: at random, of neighbours, and such that tie as often as they can."""
    T, z = network.T, network.plan.z
    assert network.code is not None
    found = [circuits.random_active(T, 150, size, seed=size) for size in range(1, z + 1)]
    return [*found, neighbours(T, 100, z), tied(network.code, 100, z)]


def alone(network: ExactNetwork, active: Tensor) -> Tensor:
    """The circuit that is alone on each slot of the entry, counted slot by slot; NOBODY on all other slots."""
    code, rows = network.code, []
    assert code is not None
    for row in active.tolist():
        on = [(slot, t) for t in row for slot in code[t].tolist()]
        count = Counter(slot for slot, _ in on)
        single = {slot: t for slot, t in on if count[slot] == 1}
        assert set(single.values()) == set(row)  # of z circuits each is alone in one column at least
        rows.append([single.get(slot, NOBODY) for slot in range(encoded(network.plan).shapes["key"][0])])
    return torch.tensor(rows)


def expected(network: ExactNetwork, active: Tensor, x: Tensor) -> Tensor:
    """By circuit what a slot holds on which it is alone, x + ρ and B + t; 0 for all others, and for NOBODY."""
    holds = torch.zeros(len(active), network.T + 1, network.d + 1)
    sample = torch.arange(len(active))[:, None]
    holds[sample, active, :-1] = x + network.shift
    holds[sample, active, -1] = (network.plan.n**2 + active).float()
    return holds


@pytest.mark.parametrize(("z", "lanes"), LANES[1:])
def test_every_slot_holds_one_and_every_round_takes_one(z: int, lanes: int) -> None:
    network = made(z, lanes)
    for active in batches(network):
        x = circuits.sphere(len(active), active.shape[1], 3, seed=1)
        holds, who = expected(network, active, x), alone(network, active)
        sample, listed = torch.arange(len(active))[:, None], who[:, :0]
        for layer, A in zip(layers(network), through(network, active, x)[1:], strict=True):
            a = layer.leaves.split(A)
            if isinstance(layer, Clear):  # the first is in the list now, and with all its copies it is gone
                first = who.gather(1, (who != NOBODY).int().argmax(dim=1, keepdim=True))
                who, listed = who.masked_fill(who == first, NOBODY), torch.cat([listed, first], dim=1)
                assert torch.equal(a["list"], holds[sample, listed])
            if isinstance(layer, ClearTies | Clear):
                slots = torch.cat([a["state"], a["key"][..., None]], dim=-1)
                assert torch.equal(slots, holds[sample, who])
        assert listed.shape[1] == z - 1


@pytest.mark.parametrize(("z", "lanes"), LANES[1:])
def test_every_place_has_its_lane(z: int, lanes: int) -> None:
    network = made(z, lanes)
    n, R, starts = network.plan.n, lanes, range(0, z, lanes)
    at = [l for l, layer in enumerate(layers(network), start=1) if isinstance(layer, Places)]
    assert len(at) == len(starts)
    for active in batches(network):
        x = circuits.sphere(len(active), active.shape[1], 3, seed=1)
        holds, who = expected(network, active, x), alone(network, active)
        places = torch.full((len(active), z + R), NOBODY)
        for b, row in enumerate(who.tolist()):
            order = list(dict.fromkeys(t for t in row if t != NOBODY))  # by the first slot on which each is alone
            places[b, : len(order)] = torch.tensor(order)
        states = through(network, active, x)
        for l, start in zip(at, starts, strict=True):
            a, t = layers(network)[l - 1].leaves.split(states[l]), places[:, start : start + R]
            on = (t != NOBODY)[..., None]
            assert torch.equal(a["wire i"], network.sets[t // n] * on)
            assert torch.equal(a["wire j"], network.sets[t % n] * on)
            slot = (torch.arange(n) == t[..., None] // n)[..., None] & on[..., None]
            held = holds[torch.arange(len(active))[:, None], t][:, :, None]
            assert torch.equal(a["slot"][..., :3], held[..., :3] * slot)
            assert torch.equal(a["slot"][..., 3:], 1.0 * slot)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 20, 21, 326])
def test_wires_are_different_halves(n: int) -> None:
    m = next(m for m in range(1, 30) if comb(m, m // 2) >= n)
    own = sets(n, m)
    assert own.shape == (n, m)
    assert (own.sum(dim=1) == m // 2).all()
    assert set(own.unique().tolist()) <= {0.0, 1.0}
    assert len({tuple(row) for row in own.tolist()}) == n
    lost = wrong(own[None], own)[0]  # what slot k loses, by the wires of slot r
    assert torch.equal(lost == 0, torch.eye(n, dtype=torch.bool))
    assert torch.equal(named(own[None], own)[0], torch.arange(n))
    if m > 3:  # two wires of a half, or more
        half = own[:1, None].clone()
        half[..., 0], half[..., 1] = 0.5, 1.5  # slot 0 has the first wires
        assert named(half, own).item() == NOBODY
    if n > 1:
        assert (named(torch.stack([0 * own, 2 * own, own / 2 + 0.5, 1 - own * 0]), own) == NOBODY).all()


GATES = [(torch.float16, 25), (torch.bfloat16, 11), (torch.float32, 2896), (torch.float64, 3001)]


@pytest.mark.parametrize(("dtype", "n"), GATES, ids=str)
def test_keys_at_the_limit_of_the_number_format(dtype: torch.dtype, n: int) -> None:
    # Two circuits, each alone on one slot, and together on another; all layers before the cells.
    T = n * n
    plan = exact.plan(T, 1, z=2)
    cells = torch.zeros(1, dtype=dtype).expand(n, n, 1, 1)
    network = assemble(plan, [cells], [cells[..., 0]], True, 1.0, 1.0, False)
    assert plan.n == n
    some = [0, 1, 2, n - 1, n, n + 1, T // 2, T - n - 1, T - n, T - 2, T - 1]
    g = torch.Generator().manual_seed(0)
    pairs = torch.tensor([(t, u) for t in some for u in some if t != u])
    pairs = torch.cat([pairs, torch.randint(T, (100, 2), generator=g)])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    a = {name: torch.zeros(len(pairs), *shape, dtype=dtype) for name, shape in encoded(plan).groups}
    a["key"][:, :2] = (T + pairs).to(dtype)
    a["key"][:, 2] = (T + pairs).to(dtype).sum(dim=1)
    a["state"][:, :2, 0], a["state"][:, 2, 0] = 1.0, 2.0
    A = encoded(plan).join(a)
    for layer in layers(network)[:-1]:
        A = layer(A)
    a = network.cells[0].reads.split(A)
    i, j = (named(a[name], network.sets) for name in ("wire i", "wire j"))
    assert torch.equal(i * n + j, pairs)
    assert torch.equal(a["slot"].sum(dim=2), torch.ones(len(pairs), 2, 2, dtype=dtype))
    assert torch.equal(a["slot"][torch.arange(len(pairs))[:, None], torch.arange(2), i], torch.ones(len(pairs), 2, 2))


@pytest.mark.parametrize("T", [2, 3, 4, 5, 11, 25, 26])
def test_every_key_becomes_its_wires(T: int) -> None:
    network = exact.embed(circuits.rotations(T, 1, seed=0), z=2)
    for size in (1, 2):
        active = every_set(T, size)
        at = [layer.title for layer in layers(network)].index("places") + 1
        a = layers(network)[at - 1].leaves.split(through(network, active, points(len(active), size))[at])
        i, j = (named(a[name], network.sets) for name in ("wire i", "wire j"))
        found = Counter(tuple(sorted(t for t in row if t >= 0)) for row in (i * network.plan.n + j).tolist())
        assert found == Counter(map(tuple, active.tolist()))


def test_a_place_without_a_circuit_stays_empty() -> None:
    for z, lanes in LANES[1:]:
        network = made(z, lanes)
        A = torch.zeros(2, encoded(network.plan).width)
        for W, b in network.dense():
            A = (A @ W.mT + b).relu()
        assert (A == 0).all()
