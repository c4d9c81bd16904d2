"""The recursion for idle slots against networks that were built, and against hand-sized cases."""

import functools
import itertools
import math
import operator

import plain
import pytest
import torch
from torch import Tensor

from superpos import balanced, circuits, codes, sweep, theory
from superpos.circuits import conditional_state
from superpos.sampling import generator
from superpos.theory import slots
from superpos.theory.slots import Field


def test_leak_is_the_spread_of_linked_slots() -> None:
    T, n, S, z = 300, 200, 5, 2
    p = 1 - math.exp(-T * S**2 / n**2)
    K = torch.arange(z * S + 1)
    chance = torch.tensor([math.comb(z * S, k) * p**k * (1 - p) ** (z * S - k) for k in K.tolist()])
    y = (K - z * S * p) / (S * (1 - p))
    assert (chance * y).sum().item() == pytest.approx(0, abs=1e-6)
    assert theory.leak(T, n, S, z) == pytest.approx((chance * y.square()).sum().sqrt().item(), rel=1e-5)
    # With x = 10·25/10⁶ small it is √(zTS)/n = √(2·10·5)/1000 = 0.01.
    assert theory.leak(10, 1000, 5, 2) == pytest.approx(0.01, rel=1e-3)


def test_first_excess_by_hand() -> None:
    # z = 2, T ρ² = 0.001 at T = 10, ρ = 0.01: the law is 9·l·0.01 + (l−1)·0.001·10 = 0.09, 0.19, 0.29.
    assert theory.first_excess([0.17, 0.37, 0.59], 10, 2, 0.01) == 3
    assert theory.first_excess([0.19, 0.1, 0.1], 10, 2, 0.01) == 1
    assert theory.first_excess([0.17, 0.37, 0.57], 10, 2, 0.01) is None
    # At z = 1 the first layer has no law and does not count: 0.001 at layer 2.
    assert theory.first_excess([5.0, 0.0015], 10, 1, 0.01) is None
    assert theory.first_excess([5.0, 0.0021], 10, 1, 0.01) == 2
    assert theory.first_excess([0.0, 0.0035], 10, 1, 0.01, factor=4.0) is None


def test_first_layer_is_exact() -> None:
    code = codes.progression(120, 100, 4)
    first = theory.rotations(code, 1, 1)[0]
    assert first.point.active == pytest.approx(0, abs=1e-20)
    assert first.indicator.active == 0
    assert first.point.inactive == pytest.approx(code.rho_star, rel=0.05)  # a sample's mean, not the formula


@pytest.mark.parametrize(("n", "T", "S", "z"), [(250, 250, 6, 1), (500, 557, 6, 2), (250, 557, 6, 1), (200, 150, 4, 3)])
def test_recursion_predicts_networks(n: int, T: int, S: int, z: int) -> None:
    setting = sweep.RotationSetting(4 * n, T, S, z)
    measured = [sweep.rotations(setting, seed, L=5, batch=500) for seed in range(4)]
    foretold = theory.rotations(codes.progression(T, n, S), z, 5)
    for name, predicted in {
        "point active": [p.point.active for p in foretold],
        "indicator inactive": [p.indicator.inactive for p in foretold],
    }.items():
        mean = torch.tensor([m[name] for m in measured]).mean(dim=0)
        ratio = mean / torch.tensor(predicted)
        alive = [l for l in range(1, 5) if foretold[l].point.active < 0.5]  # later a network is dead
        assert len(alive) > 1
        assert all(0.8 < ratio[l] < 1.25 for l in alive), (name, ratio)


# Small networks under a heavy load, where the error after a layer is mostly one term: circuits, slots, S, z.
LOADED = {
    ("line", 100, 60, 4, 1): ["point active 2", "point active 3", "indicator active 3", "point inactive 2"],
    ("line", 100, 48, 4, 2): ["point active 1", "point active 2", "indicator inactive 1", "indicator inactive 2"],
    ("line", 49, 14, 2, 1): ["point active 3", "indicator active 3", "indicator inactive 2"],
    ("progression", 60, 60, 3, 1): ["indicator inactive 3", "indicator inactive 4", "point inactive 4"],
    ("progression", 60, 60, 3, 2): ["point active 1", "point active 2", "point active 3", "indicator inactive 4"],
}


@pytest.mark.parametrize("load", LOADED, ids=str)
def test_recursion_predicts_small_networks(load: tuple[str, int, int, int, int]) -> None:
    name, T, n, S, z = load
    setting = sweep.RotationSetting(4 * n, T, S, z, code=name)
    measured = [sweep.rotations(setting, seed, L=4, batch=300) for seed in range(12)]
    foretold = theory.rotations(getattr(codes, name)(T, n, S), z, 4)
    for which in LOADED[load]:
        quantity, kind, l = which.split()
        values = torch.tensor([m[f"{quantity} {kind}"][int(l) - 1] for m in measured])
        predicted = getattr(getattr(foretold[int(l) - 1], quantity), kind)
        assert values.std().item() < 0.3 * values.mean().item(), which
        assert 0.85 < values.mean().item() / predicted < 1.15, (which, values.mean().item(), predicted)


def test_two_active_circuits_on_one_slot_add_up() -> None:
    # At light load the error after l layers is 9ρl: 8 of it since α is 2 on that slot, 1 from the other's x.
    code, z = codes.line(50, 100, 4), 2
    runs = [theory.rotations(code, z, 2, seed=seed) for seed in range(12)]
    foretold = torch.tensor([[layer.point.active for layer in run] for run in runs]).mean(dim=0)
    setting = sweep.RotationSetting(400, 50, 4, z, code="line")
    found = [sweep.rotations(setting, seed, L=2, batch=4000)["point active"] for seed in range(4)]
    assert foretold.tolist() == pytest.approx(torch.tensor(found).mean(dim=0).tolist(), rel=0.06)


@pytest.mark.parametrize(("name", "T"), [("line", 114), ("progression", 84)])
def test_recursion_stays_with_networks_over_many_layers(name: str, T: int) -> None:
    """Just short of the seizure a gain that is a little too large would switch on twice as many idle slots."""
    code, setting = getattr(codes, name)(T, 125, 6), sweep.RotationSetting(500, T, 6, 1, name)
    foretold = [p.idle_on for p in theory.rotations(code, 1, 12)]
    measured = torch.stack([sweep.stray(setting, seed, L=12, batch=100).mean(dim=1) for seed in range(4)]).mean(dim=0)
    assert measured[0] == foretold[0] == 0
    assert measured[1:].tolist() == pytest.approx(foretold[1:], rel=0.2)


def test_limit_of_a_network_is_where_its_idle_slots_switch_on() -> None:
    T = sweep.limit(60, 4, 1, "progression", 0, L=8)
    below, above = (
        sweep.stray(sweep.RotationSetting(240, t, 4, 1), 0, L=8, batch=100)[-1].mean().item()
        for t in (T, math.ceil(1.03 * T))
    )
    assert below < 1 / 3 < above
    assert sweep.limit(60, 4, 1, "line", 0, L=1) == codes.max_circuits("line", 60, 4)  # layer 1 has no idle slot on


# What one slot hears, layer by layer.


@pytest.mark.parametrize(
    ("load", "layers"), [((60, 100, 4, 1), (2, 3)), ((100, 60, 4, 1), (2, 3)), ((49, 40, 3, 2), (2,))]
)
def test_turned_points_that_a_slot_hears(
    load: tuple[int, int, int, int], layers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    T, n, S, z = load
    code, heard = codes.line(T, n, S), []
    respond = slots._respond
    monkeypatch.setattr(slots, "_respond", lambda y, xi: heard.append(xi) or respond(y, xi))
    field = Field(code, z, 0)
    measured = [turned_points(*load, L=max(layers), seed=seed) for seed in range(6)]
    for l in range(1, max(layers) + 1):
        own = slots._rotated(field.x, field.turn)[:, :, None] if l > 1 else 0.0
        heard.clear()
        field.step(l)
        if l in layers:
            active, idle = (heard[0] - own).square(), heard[1].square()
            for k, predicted in enumerate((active, idle)):
                mean = sum(m[l - 1][k] for m in measured) / len(measured)
                assert 0.85 < mean / predicted.sum(dim=-1).mean().item() < 1.18, (l, k)


def turned_points(T: int, n: int, S: int, z: int, *, L: int, seed: int) -> list[tuple[float, float]]:
    """E|ξ|² in a network by layer: on an active circuit's slots without its own point, and on idle slots."""
    small = circuits.conditional_rotations(T, L, seed=seed)
    large = balanced.embed(small, 4 * n, S, seed=seed, code="line")
    active = circuits.random_active(T, 100, z, seed=seed)
    A = large.encode(active, circuits.conditional_inputs(circuits.sphere(100, z, 2, seed=seed) / 2**0.5))
    found = []
    for l, (W, b) in enumerate(large.dense()):
        pre = (A @ W.T + b).view(100, 4, n)
        xi = pre[:, 2:] - (pre[:, :1] - 0.5)  # block 0 is 2y − ½, blocks 2 and 3 are 2y − 1 + ξ
        at = large.slots[l, active]
        idle = torch.ones(100, n, dtype=torch.bool).scatter_(1, at.flatten(1), False)
        own = xi.new_zeros(100, z, 2)
        if l:
            x = conditional_state(large.read(A, active, l))[1]
            own = (small.weights[l, active][..., 2:, 2:] @ x[..., None])[..., 0]
        on_own = torch.stack([xi[:, k].gather(1, at.flatten(1)).view(at.shape) for k in (0, 1)], dim=-1)
        others = (on_own - own[:, :, None]).square().sum(dim=-1).mean().item()
        found.append((others, xi.square().sum(dim=1)[idle].mean().item()))
        A = large.layers[l](A)
    return found


@pytest.mark.parametrize(
    ("kind", "T", "n", "S"),
    [("apart", 49, 21, 3), ("apart", 100, 60, 4), ("together", 40, 120, 6), ("uneven", 30, 60, 4)],
)
def test_the_indicator_that_a_slot_hears_of_idle_slots(kind: str, T: int, n: int, S: int) -> None:
    """Mean and variance of Σ_c 𝒲_rc α(c) over drawn α, "together": all slots of a loud circuit are on."""
    code = codes.progression(T, n, S) if kind == "uneven" else codes.line(T, n, S)
    field, g, e = Field(code, 1, 0), generator(1, kind), plain.embedding(code.slots, n)
    drawn: list[tuple[Tensor, ...]] = []
    for _ in range(24):
        to = code.slots[torch.randperm(T, generator=g)]
        W = plain.linking(to, code.slots, n, chi=field.chi)
        idle = 1 - e[torch.randint(T, (128,), generator=g)]
        loud = (torch.rand((128, T), generator=g) < 0.04).double() @ e
        alpha = loud.clamp(max=1) if kind == "together" else (torch.rand((128, n), generator=g) < 0.4).double()
        if kind == "uneven":
            alpha = alpha * (code.uses > 1)
        drawn.append((alpha * idle @ W.T, alpha * idle, idle, torch.bincount(to.flatten(), minlength=n).expand(128, n)))
    y, alpha, idle, uses = (torch.cat(rows) for rows in zip(*drawn, strict=True))
    field.mean = torch.stack([alpha[:, code.uses == a].sum() / idle[:, code.uses == a].sum() for a in field.uses])
    field.square = field.mean.clone()  # each α is 0 or 1
    on, there = alpha[:, code.slots], idle[:, code.slots]
    two = on.sum(dim=-1).square() - on.square().sum(dim=-1)
    field.alike = (two.sum() / (there.sum(dim=-1).square() - there.square().sum(dim=-1)).sum()).item()
    field.share = field.share_square = torch.ones(field.G, 1, 1, dtype=torch.float64)
    field.alpha = torch.zeros(field.G, field.P)
    for a in code.uses.unique().tolist():
        if (uses == a).double().mean() < 0.2 or a == 0:
            continue
        found = y[uses == a]
        heard = field._heard(torch.full((field.G, 20, S), float(a)), torch.zeros(field.G, 20, S))
        spread = found.std().item()
        assert heard.mean().item() == pytest.approx(found.mean().item(), abs=0.05 * spread), (a, "mean")
        assert heard.std().item() == pytest.approx(spread, rel=0.08), (a, "spread")


@pytest.mark.parametrize("T", [4, 7])
def test_how_often_one_of_some_circuits_has_a_slot(T: int) -> None:
    """Over all sets of a circuits, the others of a slot of u uses among them: some are too many to miss it."""
    code = codes.progression(T, 5, 2)
    field = Field(code, 1, 0)
    sets = [set(x) for a in range(1, T + 1) for x in itertools.combinations(range(T), a)]
    found = field._linked(torch.arange(1, T + 1, dtype=torch.float64)[:, None])
    for a in range(1, T + 1):
        for u, predicted in zip(field.uses.tolist(), found[a - 1].tolist(), strict=True):
            hit = [len(x & set(range(int(u)))) > 0 for x in sets if len(x) == a]
            assert predicted == pytest.approx(sum(hit) / len(hit), abs=1e-9), (a, u)


def test_how_many_slots_of_one_circuit_others_link() -> None:
    """Of every circuit of a code, on busy slots or lonely ones, over all sets of three others, or four that meet."""
    T, S, a, code = 30, 4, 3, codes.line(30, 60, 4)
    field, rows = Field(code, 1, 0), [set(own) for own in code.slots.tolist()]
    for t in range(T):
        shared = [rows[u] & rows[t] for u in range(T) if u != t]
        linked = [float(len(set().union(*some))) for some in itertools.combinations(shared, a)]
        more = [
            float(len(first.union(*some)))
            for i, first in enumerate(shared)
            if first
            for some in itertools.combinations(shared[:i] + shared[i + 1 :], a)
        ]
        for start, counts in enumerate((linked, more)):
            K = torch.tensor(counts) - start  # links of a circuits beside those that were there
            below = field.links[a, start, field.kind[t]]
            chance = below.diff(prepend=below.new_zeros(1))
            k = torch.arange(S + 1) - start
            assert (chance @ k.double()).item() == pytest.approx(K.mean().item(), rel=0.05), (t, start)
            assert (chance @ k.square().double()).item() == pytest.approx(K.square().mean().item(), rel=0.1), (t, start)


def test_a_loud_sample_hears_more() -> None:
    T, n, S, code = 60, 120, 4, codes.line(60, 120, 4)
    field, g, e = Field(code, 1, 0), generator(1, "loud"), plain.embedding(code.slots, n)
    field.mean = field.square = torch.full_like(field.uses, 0.2)  # each α is 0 or 1: with probability 0.1 or 0.3
    field.alike = 0.04  # 0.2², as if no two were tied
    loud = torch.arange(field.G) % 2 == 1
    field.share = field.share_square = torch.where(loud, 1.5, 0.5).double()[:, None, None]
    field.alpha = torch.zeros(field.G, field.P)
    heard = field._heard(torch.full((field.G, 20, S), 2.0), torch.zeros(field.G, 20, S))
    for often, rows in ((0.1, heard[~loud]), (0.3, heard[loud])):
        spread = []
        for _ in range(24):
            to = code.slots[torch.randperm(T, generator=g)]
            idle = 1 - e[torch.randint(T, (128,), generator=g)]
            alpha = (torch.rand((128, n), generator=g) < often).double() * idle
            y = alpha @ plain.linking(to, code.slots, n, chi=field.chi).T
            spread.append(y[:, torch.bincount(to.flatten(), minlength=n) == 2].var())
        assert rows.std().item() == pytest.approx(torch.stack(spread).mean().sqrt().item(), rel=0.1)


@pytest.mark.parametrize("L", [2, 3])
def test_some_samples_are_louder_than_others(L: int) -> None:
    """The spread, between samples, of the mean indicator on idle slots: smaller than if links were independent."""
    T, n, S, code = 100, 60, 4, codes.line(100, 60, 4)
    field, spread = Field(code, 1, 0), []
    for l in range(1, L + 1):
        field.step(l)
    for seed in range(8):
        large = balanced.embed(circuits.conditional_rotations(T, L, seed=seed), 4 * n, S, seed=seed, code=code)
        active = torch.arange(T)[:, None]
        A = large.encode(active, circuits.conditional_inputs(circuits.sphere(T, 1, 2, seed=seed) / 2**0.5))
        for layer in large.layers:
            A = layer(A)
        alpha = A.view(T, 4, n)[:, 0] - A.view(T, 4, n)[:, 1]
        idle = torch.ones(T, n).scatter_(1, large.slots[L - 1], 0.0)
        loud = (alpha * idle).sum(dim=1) / idle.sum(dim=1)
        spread.append((loud.std() / loud.mean()).item())
    assert field.share.std().item() == pytest.approx(sum(spread) / len(spread), rel=0.2)


def test_light_load_never_seizes_and_full_load_does() -> None:
    assert theory.onset(codes.line(100, 500, 5), 1, 12) is None
    assert theory.onset(codes.progression(557, 250, 6), 1, 12) == 3


def test_same_seed_same_prediction() -> None:
    code = codes.random(80, 60, 4, seed=0)
    once, again, other = (theory.rotations(code, 2, 4, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_tiny_cases_have_a_prediction() -> None:
    for T, n, S, z in ((1, 3, 2, 1), (2, 4, 1, 2), (3, 6, 2, 3)):
        for layer in theory.rotations(codes.line(T, n, S), z, 3):
            assert math.isfinite(layer.point.active)
            assert math.isfinite(layer.point.inactive)


@pytest.mark.parametrize(("z", "L", "name"), [(0, 3, "z"), (6, 3, "z"), (1, 0, "L")])
def test_refuses(z: int, L: int, name: str, unhooked: None) -> None:
    with pytest.raises(ValueError, match=name):
        theory.rotations(codes.line(5, 20, 3), z, L)


def test_a_stored_row_is_made_again() -> None:
    row = sweep.stored("reference", z=1, seed=3)[0]
    again = sweep.rotations(sweep.setting(row, sweep.RotationSetting), 3, L=5)
    for name, values in again.items():
        assert values == pytest.approx(row[name], rel=0.02, abs=1e-6), name


@pytest.mark.parametrize(("start", "most"), [(64, 1000), (1, 1000), (1000, 1000), (3, 5)])
def test_largest_that_does_not_seize(start: int, most: int) -> None:
    for limit in (1, 2, 40, 300, 999):
        found = theory.largest_without(functools.partial(operator.lt, limit), start, most)
        assert min(limit, most) / 1.03 <= found <= min(limit, most)
    assert theory.largest_without(lambda T: True, start, most) == 0


def test_limit_is_where_the_idle_slots_switch_on() -> None:
    T = theory.seizure_limit(60, 4, 1, code="line", L=10)
    below, above = (theory.rotations(codes.line(round(f * T), 60, 4), 1, 10)[-1].idle_on for f in (0.9, 1.15))
    assert below < 1 / 3 < above
