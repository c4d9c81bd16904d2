"""The exact construction as plain float32 matrices against the small circuits: every set, every size, no error."""

import math

import pytest
import torch
from exactly import bounded, every_set, mlps, neighbours, points, read, through, tied, worst
from torch import Tensor

from superpos import circuits, errors, exact
from superpos.circuits import MLPCircuits
from superpos.exact import ExactNetwork
from superpos.exact.cells import Cell, heard
from superpos.exact.gates import Places
from superpos.exact.layers import ClearTies, Keys, Listing
from superpos.network import NOBODY

# --- Every set of small cases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "T"), [(2, 169), (3, 49), (4, 25), (5, 16)])
def test_all_sets_of_rotations(z: int, T: int) -> None:
    c = circuits.rotations(T, 5, seed=0)
    network = exact.embed(c, z=z)
    for size in range(1, z + 1):
        active = every_set(T, size)
        assert worst(network, c, active, points(len(active), size, seed=size)) < 1e-11, size


MANY = (  # T, d, L, z, lanes: no square and square, one layer to twelve, all lanes from 1 to z
    (7, 1, 1, 2, 2),
    (10, 1, 12, 3, 1),
    (12, 1, 4, 3, 2),
    (11, 3, 5, 2, 1),
    (9, 3, 12, 4, 3),
    (13, 3, 2, 4, 2),
    (8, 3, 1, 5, 1),
    (14, 4, 3, 3, 3),
    (9, 4, 7, 5, 4),
    (10, 4, 2, 5, 3),
    (9, 8, 4, 2, 2),
    (7, 8, 3, 5, 5),
    (2, 3, 2, 2, 1),
    (3, 2, 3, 3, 2),
    (9, 3, 4, 1, 1),
    (1, 2, 2, 1, 1),
)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("T", "d", "L", "z", "lanes"), MANY)
def test_all_sets_of_mlps(T: int, d: int, L: int, z: int, lanes: int, last: bool) -> None:
    c = mlps(T, d, L, last=last)
    networks: dict[float, ExactNetwork] = {}
    for size in range(1, z + 1):
        active = every_set(T, size)
        x = circuits.sphere(len(active), size, d, seed=size)
        assert (x < 0).any()
        bound = math.ceil(bounded(c, active, x))
        network = networks.setdefault(bound, exact.embed(c, z=z, lanes=lanes, bound=float(bound), reach=math.sqrt(d)))
        assert network.plan.lanes == lanes
        signal = c.run(active, x).square().sum(dim=-1).max().item()
        assert worst(network, c, active, x) < 1e-12 * max(1.0, signal) * (L + 1)
        run, truth = network.run(active, x), c.run(active, x)[[0, *network.depths]]
        assert run.live.all()
        torch.testing.assert_close(run.estimates, truth, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(network.read(network.encode(active, x), active, 0), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_circuits_without_a_constant(lanes: int) -> None:
    c = circuits.random_mlps(40, 3, 4, seed=0)
    c = MLPCircuits(c.weights, torch.zeros_like(c.biases))
    active = circuits.random_active(40, 2000, 3, seed=0)
    x = circuits.sphere(2000, 3, 3, seed=0).abs()
    network = exact.embed(c, z=3, lanes=lanes, bound=bounded(c, active, x), nonnegative=True)
    assert network.cells[-1].leaves.shapes["slot"] == (lanes, 7, 3)
    most = 1e-12 * c.run(active, x).square().sum(dim=-1).max().item()
    assert worst(network, c, active, x) < most
    x[:5] = 0.0  # circuits whose states are 0 have lanes all the same
    assert worst(network, c, active, x) < most


def strided(kind: str, T: int, L: int, d: int) -> MLPCircuits:
    """MLPs whose numbers do not lie in memory one after the other."""
    g = torch.Generator().manual_seed(0)
    if kind == "transposed":
        return MLPCircuits(torch.randn(L, T, d, d, generator=g).mT / d, torch.randn(L, d, T, generator=g).mT)
    if kind == "circuits first":
        weights, biases = torch.randn(T, L, d, d, generator=g) / d, torch.randn(T, L, d, generator=g)
        return MLPCircuits(weights.transpose(0, 1), biases.transpose(0, 1))
    if kind == "rows first":
        weights, biases = torch.randn(L, d, T, d, generator=g) / d, torch.randn(d, L, T, generator=g)
        return MLPCircuits(weights.transpose(1, 2), biases.movedim(0, -1))
    if kind == "every second":
        weights, biases = torch.randn(L, 2 * T, d, 2 * d, generator=g) / d, torch.randn(L, 2 * T, d, generator=g)
        return MLPCircuits(weights[:, ::2, :, ::2], biases[:, ::2])
    weights, biases = torch.randn(L, 1, d, d, generator=g) / d, torch.randn(1, T, 1, generator=g)
    return MLPCircuits(weights.expand(L, T, d, d), biases.expand(L, T, d))


@pytest.mark.parametrize("T", [9, 8])  # a circuit for every pair of slots, or not
@pytest.mark.parametrize("kind", ["transposed", "circuits first", "rows first", "every second", "shared"])
@pytest.mark.parametrize(("z", "lanes"), [(1, 1), (2, 2), (2, 1)])
def test_circuits_however_they_lie_in_memory(z: int, lanes: int, kind: str, T: int) -> None:
    c = strided(kind, T, 3, 4)
    assert not c.weights.is_contiguous()
    assert not c.biases.is_contiguous()
    active = every_set(T, z)
    x = circuits.sphere(len(active), z, 4, seed=0)
    network = exact.embed(c, z=z, lanes=lanes, bound=bounded(c, active, x), reach=2.0)
    assert worst(network, c, active, x) < 1e-11
    assert torch.equal(network.small(torch.arange(T)).weights, c.weights)
    assert all(
        cell.weights.is_contiguous() and cell.biases.is_contiguous() for cell in network.cells
    )  # run copies none
    alike = c.weights[0].contiguous(), c.biases[0].contiguous()
    assert heard(c.weights[0], c.biases[0], 2.0) == heard(*alike, 2.0)
    torch.testing.assert_close(network.run(active, x).estimates[-1], c.run(active, x)[-1])


# --- As many as a width holds -----------------------------------------------------------------------------------


def hard(network: ExactNetwork, batch: int, z: int) -> Tensor:
    """Sets at random, sets of neighbours, and sets that tie as often as they can."""
    assert network.code is not None
    kinds = (
        circuits.random_active(network.T, batch, z, seed=1),
        neighbours(network.T, batch // 4, z),
        tied(network.code, batch // 4, z),
    )
    return torch.cat(kinds)


# 20,000 random sets, 2,000 of neighbours and 2,000 that tie were run once; here are some of them.
@pytest.mark.parametrize(
    ("z", "lanes", "T", "batch"),
    [
        *[(2, 2, 25_600, 400), (3, 3, 11_025, 400), (4, 4, 5_929, 400), (5, 5, 3_721, 400)],
        *[(2, 1, 104_976, 100), (3, 1, 104_329, 100), (4, 1, 103_684, 100)],
    ],
)
def test_the_most_rotations_in_width_1000(z: int, lanes: int, T: int, batch: int) -> None:
    assert exact.plan(None, 2, z=z, D=1000, lanes=lanes).T >= T
    c = circuits.rotations(T, 5, seed=0)
    network = exact.embed(c, 1000, z=z, lanes=lanes)
    active = hard(network, batch, z)
    assert worst(network, c, active, points(len(active), z)) < 1e-11


def test_9216_mlps_in_width_1000() -> None:
    c = mlps(9216, 4, 4)
    active = circuits.random_active(9216, 1000, 2, seed=0)
    x = circuits.sphere(1000, 2, 4, seed=0)
    network = exact.embed(c, 1000, z=2, bound=bounded(c, active, x), reach=2.0)
    assert worst(network, c, active, x) < 1e-12 * c.run(active, x).square().sum(dim=-1).max()


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-11), (torch.float64, 1e-24)])
def test_961_mlps_in_width_138(dtype: torch.dtype, most: float) -> None:
    c = circuits.random_mlps(961, 4, 8, seed=0).to(dtype)
    active, x = torch.arange(961)[:, None], circuits.sphere(961, 1, 4, seed=0).to(dtype)
    network = exact.embed(c, 138, bound=bounded(c, active, x))
    truth = c.run(active, x)[-1]
    error = read(network, through(network, active, x), active)[-1] - truth
    assert network.D == 31 * 4 + 2 * 7  # slots of 4 numbers, for there are no biases; C(7, 3) = 35 ≥ 31 sets
    assert (error.square().sum() / truth.square().sum()).item() < most


def test_a_million_in_one_lane() -> None:
    c = circuits.rotations(1_018_081, 20, seed=0)
    network = exact.embed(c)
    assert network.D <= 3060
    active, x = circuits.random_active(c.T, 2000, 1, seed=0), points(2000, 1)
    truth = c.run(active, x)
    assert (network.run(active, x).estimates - truth).norm(dim=-1).max() < 1e-4
    A = network(network.encode(active[:16], x[:16]))
    assert (network.read(A, active[:16], 20) - truth[-1, :16]).norm(dim=-1).max() < 1e-4
    W, b = network.cells[0].dense()
    plain = (network.encode(active[:16], x[:16]) @ W.mT + b).relu()
    assert (network.read(plain, active[:16], 1) - truth[1, :16]).norm(dim=-1).max() < 1e-4


def test_200_layers_do_not_grow() -> None:
    c = circuits.rotations(729, 200, seed=0)
    network, active, x = exact.embed(c, z=2), circuits.random_active(729, 200, 2, seed=0), points(200, 2)
    error = (read(network, through(network, active, x), active) - c.run(active, x)[1:]).norm(dim=-1).amax(dim=(1, 2))
    # Rounding of the two computations drifts apart like a random walk or, at worst, in proportion to the layers.
    eps = torch.finfo(torch.float32).eps
    assert all(e < 8 * eps * (l + 5) for l, e in enumerate(error.tolist()))


# --- More circuits than it is made for --------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "lanes"), [(1, 1), (2, 2), (2, 1), (3, 3), (3, 2), (4, 1), (5, 5)])
def test_run_says_what_the_matrices_do(z: int, lanes: int) -> None:
    # From one active circuit to 3z + 1: the same ones live, bit for bit, and are right; the others read 0.
    c = circuits.rotations(61, 3, seed=0)
    network = exact.embed(c, z=z, lanes=lanes)
    everyone, lost = torch.arange(61).expand(60, -1), 0
    for size in range(1, 3 * z + 2):
        active, x = circuits.random_active(61, 60, size, seed=size), points(60, size)
        run, states, truth = network.run(active, x), through(network, active, x), c.run(active, x)
        estimates, by_layers = read(network, states, active), network.run_layers(active, x)
        layers = [A for layer, A in zip(network.layers, states[1:], strict=True) if layer.computes]
        for l, A, found in zip(network.depths, layers, estimates, strict=True):
            assert torch.equal(network.live(A, active, l), run.live)
            assert ((found - truth[l]).square().sum(dim=-1) * run.live).max() < 1e-11
            assert (found[~run.live] == 0).all()
            assert torch.equal(network.read_all(A, l), network.read(A, everyone, l))
        assert torch.equal(by_layers.live, run.live)
        assert (run.estimates[1:, ~run.live] == 0).all()
        torch.testing.assert_close(by_layers.estimates, run.estimates, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(estimates, run.estimates[1:], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(network(network.encode(active, x)), layers[-1], atol=1e-5, rtol=1e-5)
        if lanes == z > 1:  # with z = 1 a crowded lane is not silenced, only not read
            # A state that is 0, or a rounding away from it, may be on in one of the two.
            torch.testing.assert_close(by_layers.on, run.on, atol=2 / (60 * network.D), rtol=0)
        assert (run.live.sum(dim=1) <= z).all()
        assert run.live.all() or size > z
        lost += int((~run.live).sum())
    assert lost > 0


def test_those_on_the_first_slots_have_a_lane() -> None:
    # z = 2, four active: by hand from the code, the two that are alone on the first slots.
    network = exact.embed(circuits.rotations(61, 1, seed=0), z=2)
    assert network.code is not None
    active = circuits.random_active(61, 200, 4, seed=0)
    live = network.run(active, points(200, 4)).live
    for slots, said in zip(network.code[active].tolist(), live, strict=True):
        on = sorted(slot for own in slots for slot in own)
        single = [slot for slot in on if on.count(slot) == 1]
        first = []
        for slot in single:
            owner = next(t for t, own in enumerate(slots) if slot in own)
            first += [owner] if owner not in first else []
        assert said.nonzero()[:, 0].tolist() == sorted(first[:2])


# --- What the layers and the shortcut measure -------------------------------------------------------------------


@pytest.mark.parametrize(("z", "lanes"), [(2, 2), (3, 3), (3, 1)])
def test_what_is_measured_is_the_layers(z: int, lanes: int) -> None:
    # The shortcut does not look at entry, list and gates; the states do.
    c = circuits.rotations(30, 3, seed=0)
    network, active, x = exact.embed(c, z=z, lanes=lanes), circuits.random_active(30, 200, z, seed=1), points(200, z)
    shortcut = network.run(active, x).estimates
    assert errors.measure(network, c, active, x).relative.max() < 1e-9
    for layer in network.layers:
        if isinstance(layer, Cell):
            layer.C = 0.0
    assert torch.equal(network.run(active, x).estimates, shortcut)
    assert errors.measure(network, c, active, x).active.worst.max() > 0.1


def test_an_inactive_circuit_reads_zero() -> None:
    c = circuits.rotations(50, 3, seed=0)
    network, active = exact.embed(c, z=2), circuits.random_active(50, 300, 2, seed=0)
    found = errors.measure(network, c, active, points(300, 2))
    assert found.active.worst.max() < 1e-5
    assert found.inactive.worst.max() == 0
    network.cells[0].C = 0.0  # a slot without a circuit answers, and in the next layer so does another circuit
    assert errors.measure(network, c, active, points(300, 2)).active.worst.max() > 0.01


def test_the_layers_are_the_matrices() -> None:
    c = mlps(30, 3, 3, last=False)
    active, x = circuits.random_active(30, 100, 3, seed=0), circuits.sphere(100, 3, 3, seed=0)
    for lanes in (1, 2, 3):
        network = exact.embed(c, z=3, lanes=lanes, bound=bounded(c, active, x))
        A, matrices = network.encode(active, x), network.dense()
        for layer, (W, b) in zip(network.layers, matrices, strict=True):
            assert (W.shape, b.shape) == ((layer.width, layer.fan_in), (layer.width,))
            plain = A @ W.mT + b
            A = layer(A)
            torch.testing.assert_close(A, plain.relu() if layer.relu else plain, atol=1e-4, rtol=1e-5)
        assert max(W.shape[0] for W, _ in matrices) == network.D == network.plan.D
        assert len(matrices) == network.plan.extra + network.plan.passes * c.L


def test_the_circuits_are_not_kept() -> None:
    for T in (9, 8):
        c = circuits.rotations(T, 1, seed=0)
        network = exact.embed(c)
        before = network.dense()[0][0].clone()
        c.weights.zero_()
        assert torch.equal(network.dense()[0][0], before)


@pytest.mark.parametrize(("z", "lanes"), [(1, 1), (4, 4), (3, 1)])
def test_all_lanes_and_passes_share_their_weights(z: int, lanes: int) -> None:
    network = exact.embed(mlps(16, 3, 4), z=z, lanes=lanes, bound=9.0)
    assert sum(p.numel() for p in network.parameters()) == 4 * 16 * 3 * 4
    moved = network.to(torch.float64)
    assert sum(p.numel() for p in moved.parameters()) == 4 * 16 * 3 * 4
    assert {t.dtype for layer in moved.dense() for t in layer} == {torch.float64}
    small = moved.small(torch.tensor([3, 0]))
    assert torch.equal(small.weights.float(), mlps(16, 3, 4).weights[:, [3, 0]])
    copies = list(moved.copies())
    assert [l for l, _, _ in copies] == list(range(4)) * -(-z // lanes)
    assert all(torch.equal(w.float(), mlps(16, 3, 4).weights[l]) for l, w, _ in copies)


def test_what_silences_is_large_enough() -> None:
    for z, lanes in ((1, 1), (2, 2), (3, 1)):
        network = exact.embed(mlps(16, 3, 3), z=z, lanes=lanes, bound=9.0)
        assert network.gated
        for layer in network.layers:
            if isinstance(layer, Cell):
                assert layer.C is not None
                sound, layer.C = layer.C, layer.C / 2
                assert not network.gated, layer.title
                layer.C = sound
            elif isinstance(layer, ClearTies | Listing | Places):
                sound = layer.keys
                for keys in (Keys(sound.B, sound.K / 2), Keys(sound.B - 1, sound.K)):
                    layer.keys = keys
                    assert not network.gated, layer.title
                layer.keys = sound
        assert network.gated


def test_states_that_are_raised_are_silenced_too() -> None:
    # What waits is raised by the bound: slots without a circuit hear that beside the circuit itself.
    c = MLPCircuits(torch.eye(2).expand(2, 9, 2, 2).clone(), torch.zeros(2, 9, 2), last_relu=False)
    network, active = exact.embed(c, z=2, lanes=1, bound=5.0), every_set(9, 2)
    assert worst(network, c, active, torch.full((36, 2, 2), 5.0)) < 1e-11
    assert network.gated


def test_the_loudest_circuit_is_the_last() -> None:
    weights, biases = torch.zeros(40, 40, 8, 8), torch.zeros(40, 40, 8)
    assert heard(weights, biases, 1.0) == 0
    weights[39, 39], biases[7, 3, 1] = -5.0, -3.0
    assert heard(weights, biases, 1.0) == 43
    assert heard(weights, biases, 2.0) == 83


def test_rounding_of_what_waits() -> None:
    # It is raised by the bound, which is a thousand times what it is: nothing else here is rounded but the input.
    c = MLPCircuits(torch.eye(2).expand(2, 9, 2, 2).clone(), torch.zeros(2, 9, 2), last_relu=False)
    network, active = exact.embed(c, z=2, lanes=1, bound=1000.0, reach=1.0), every_set(9, 2)
    x = torch.rand(36, 2, 2, generator=torch.Generator().manual_seed(0))
    off = (read(network, through(network, active, x), active)[-1] - x).abs()
    halves = torch.finfo(torch.float32).eps / 2
    entry, waited = (halves * network.rounding(x, layer) for layer in (0, 2))
    assert (off <= entry + waited).all()
    assert (off > entry).any()


# --- Whose weights and neurons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "lanes", "last"), [(1, 1, True), (2, 2, False), (3, 1, True)])
def test_a_weight_belongs_to_one_circuit(z: int, lanes: int, last: bool) -> None:
    # Move any weight of the plain matrices of the cells: only the outputs of its owner move.
    c = mlps(9, 2, 2, last=last)
    active = every_set(9, z).repeat(4, 1)
    x = circuits.sphere(len(active), z, 2, seed=0)
    network = exact.embed(c, z=z, lanes=lanes, bound=2 * bounded(c, active, x))
    states, layers = through(network, active, x), network.dense()
    before = network.read(states[-1], active, network.L)
    own = torch.ones(3, 9, 2, dtype=torch.bool)
    owned = set()
    for l, layer in enumerate(network.layers):
        W, b = layers[l]
        i, j = torch.meshgrid(torch.arange(len(W)), torch.arange(W.shape[1]), indexing="ij")
        owners = network.owner(l, i, j, own)
        if not isinstance(layer, Cell):
            assert (owners == NOBODY).all()
            continue
        entries = (owners != NOBODY).nonzero()
        for at in entries[torch.randperm(len(entries), generator=torch.Generator().manual_seed(l))[:40]].tolist():
            t, moved = int(owners[tuple(at)]), W.clone()
            moved[tuple(at)] += 0.1
            A = states[l] @ moved.mT + b
            A = A.relu() if layer.relu else A
            for (V, a), later in zip(layers[l + 1 :], list(network.layers)[l + 1 :], strict=True):
                A = A @ V.mT + a
                A = A.relu() if later.relu else A
            off = ((network.read(A, active, network.L) - before).abs() > 1e-4).any(dim=-1)
            assert set(active[off].tolist()) <= {t}
            owned |= set(active[off].tolist())
        # A circuit's d² weights and d biases stand there once in every lane.
        counts = owners[owners != NOBODY].bincount(minlength=9)
        assert counts.tolist() == [lanes * 2 * 3] * 9
    assert owned == set(range(9))


def test_padding_and_circuits_that_are_not_there_own_nothing() -> None:
    network = exact.embed(mlps(7, 2, 2), z=2, bound=9.0)  # 9 pairs of slots
    own = torch.ones(3, 7, 2, dtype=torch.bool)
    own[1, 4, 1] = False  # after layer 1 circuit 4 has one coordinate
    i, j = torch.meshgrid(torch.arange(network.D), torch.arange(network.D), indexing="ij")
    for l, cell in enumerate(network.cells):
        at = len(network.layers) - 2 + l
        owners = network.owner(at, i[: cell.width, : cell.width], j[: cell.width, : cell.width], own)
        counts = owners[owners != NOBODY].bincount(minlength=7).tolist()
        assert counts == [12] * 4 + [2 * (3 if l == 0 else 4)] + [12] * 2


@pytest.mark.parametrize(("z", "lanes"), [(1, 1), (2, 2), (3, 3), (3, 2), (2, 1)])
def test_neurons_that_hold_a_circuit(z: int, lanes: int) -> None:
    # Move one coordinate of one input: what moves is among the neurons that may hold it; after the first cell, which
    # mixes them, among those of its circuit. And each neuron that is said to hold one does so in some sample.
    T, d = 12, 3
    c = mlps(T, d, 3)
    active = circuits.random_active(T, 1500, z, seed=0)
    x = circuits.sphere(1500, z, d, seed=0)
    network = exact.embed(c, z=z, lanes=lanes, bound=2 * bounded(c, active, x), reach=2.0)
    states = [network.encode(active, x)]
    for layer in network.layers:
        states.append(layer(states[-1]))
    moved = {}
    for place in range(z):
        for e in range(d):
            y = x.clone()
            y[:, place, e] += 0.2
            A = network.encode(active, y)
            for l in range(len(states)):
                moved[place, e, l] = (A - states[l]).abs() > 1e-6
                A = network.layers[l](A) if l < len(network.layers) else A
    mixed = False
    for l in range(len(states)):
        step, held = network.holders(l)
        layer = network.layers[l - 1] if l else None
        assert step == (int(layer.title.split()[1]) if isinstance(layer, Cell) else 0)
        seen = torch.zeros(T, d, states[l].shape[1])
        for place in range(z):
            for e in range(d):
                seen[:, e].index_add_(0, active[:, place], moved[place, e, l].float())
        width = states[l].shape[1]
        named = torch.zeros(T, d, width + 1, dtype=torch.bool)
        named = named.scatter_(2, torch.where(held == NOBODY, width, held), True)[..., :width]
        mixed |= isinstance(layer, Cell)
        found, told = (x.any(dim=1) if mixed else x for x in (seen > 0, named))
        assert not (found & ~told).any(), l
        # While circuits are taken out the first slots are empty, and the last place of the list is half full. And the
        # circuits of the first slots do not come third.
        assert isinstance(layer, Listing) or z > 2 or torch.equal(found.any(dim=0), told.any(dim=0)), l


@pytest.mark.parametrize(("z", "lanes"), [(2, 2), (2, 1)])
def test_what_names_no_circuit_is_not_read(z: int, lanes: int) -> None:
    # T = 7 of 9 pairs of slots: wires of the other two, half a wire, and keys beyond T or between two circuits.
    network = exact.embed(mlps(7, 2, 2), z=z, lanes=lanes, bound=9.0)
    layout, everyone = network.cells[-1].leaves, torch.arange(7)[None]
    a = {name: torch.ones(1, *shape) for name, shape in layout.groups}
    for i, j in ((2, 1), (2, 2)):
        a["wire i"][:], a["wire j"][:] = network.sets[i], network.sets[j]
        for key in (16.0, 9.0 + 7, 10.5, 8.0, 0.0):
            if "list" in a:
                a["list"][..., -1] = key
            A = layout.join(a)
            assert not network.live(A, everyone, 2).any()
            assert not network.read_all(A, 2).any()
    a["wire i"][:], a["wire j"][:] = network.sets[2], network.sets[0]
    assert network.live(layout.join(a), everyone, 2)[0].tolist() == [False] * 6 + [True]
    a["wire j"] /= 2
    assert not network.live(layout.join(a), everyone, 2).any()
