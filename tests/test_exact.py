"""The exact construction: the lemmas of its theorem, and every network as plain matrices against the small circuits."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superpos import circuits, codes, errors, exact
from superpos.circuits import MLPCircuits
from superpos.codes.fields import Ring
from superpos.exact import ExactNetwork
from superpos.exact.layers import Cell, OneHot, Split


def mlps(T: int, d: int, L: int, *, seed: int = 0, last: bool = True) -> MLPCircuits:
    """MLPs whose weights and biases share a mean, as trained ones do."""
    g = torch.Generator().manual_seed(seed)
    weights = 0.1 + 0.9 * torch.randn(L, T, d, d, generator=g) / math.sqrt(d)
    return MLPCircuits(weights, 0.2 + 0.3 * torch.randn(L, T, d, generator=g), last_relu=last)


def points(batch: int, z: int, *, seed: int = 0) -> Tensor:
    """Inputs of plain rotations."""
    return circuits.rotation_inputs(circuits.sphere(batch, z, 2, seed=seed) / 2**0.5)


def every_set(T: int, z: int) -> Tensor:
    return torch.tensor(list(combinations(range(T), z)))


def bounded(c: MLPCircuits, active: Tensor, x: Tensor) -> float:
    return 1.01 * c.run(active, x).abs().max().item()


def matrices(network: ExactNetwork, active: Tensor, x: Tensor, *, relu: bool = True) -> list[Tensor]:
    """The activations after each circuit layer: nothing but plain matrices and a plain ReLU."""
    A, found, layers = network.encode(active, x), [], network.dense()
    for k, (W, b) in enumerate(layers):
        A = A @ W.mT + b
        A = A.relu() if relu or k + 1 < len(layers) else A
        found.append(A)
    return found[-network.L :]


def worst(network: ExactNetwork, c: MLPCircuits, active: Tensor, x: Tensor) -> float:
    """Largest |δ|² over all layers and circuits."""
    return errors.measure(network, c, active, x).active.worst.max().item() ** 2


# --- The two lemmas of the theorem ------------------------------------------------------------------------------


@given(n=st.integers(1, 36), S=st.integers(1, 8), share=st.floats(0.01, 1.0))
def test_lemmas(n: int, S: int, share: float) -> None:
    S, T = min(S, codes.max_columns(n)), max(1, round(share * n * n))
    here, there = codes.columns(T, n, S)
    for i, j in zip(here, there, strict=True):
        assert 0 <= int(i.min()) <= int(i.max()) < n
        assert 0 <= int(j.min()) <= int(j.max()) < n
        assert len(torch.unique(i * n + j)) == T  # a pair of slots, and so a weight, has one owner
    shared = (here[:, :, None] == here[:, None, :]).sum(dim=0).fill_diagonal_(0)
    assert shared.max() <= 1  # two circuits share a slot in at most k − 1 = 1 column


@pytest.mark.parametrize("n", [8, 9, 25, 27, 12, 15, 30, 7])
def test_a_ring_has_the_points_it_says(n: int) -> None:
    ring = Ring(n)
    x = torch.arange(n)
    negative = {int(y): v for v in range(n) for y in x if ring.add(torch.tensor(v), y) == 0}
    values = [ring.point(c) for c in range(ring.points)]
    assert len(set(values)) == ring.points == min(q for q in (2, 3, 4, 5, 7, 8, 9, 25, 27) if n % q == 0 and
                                                  math.gcd(q, n // q) == 1)  # fmt: skip
    for u, v in combinations(values, 2):
        difference = ring.add(torch.tensor(u), torch.tensor(negative[v]))
        assert 1 in ring.multiply(difference.expand(n), x).tolist()  # it has an inverse


@pytest.mark.parametrize(("z", "n"), [(2, 4), (3, 5), (4, 5), (5, 7)])
def test_every_circuit_of_a_small_set_has_a_lane(z: int, n: int) -> None:
    network = exact.embed(circuits.rotations(n * n, 1, seed=0), z=z)
    assert (network.plan.n_g, network.plan.S) == (n, z)
    sets = every_set(n * n, z)
    active = sets[torch.randperm(len(sets), generator=torch.Generator().manual_seed(0))[:20000]]
    assert network.run(active, points(len(active), z)).live.all()


@pytest.mark.parametrize("z", [1, 2, 3, 4, 5])
def test_one_circuit_has_the_first_lane_and_the_last(z: int) -> None:
    network, one = exact.embed(circuits.rotations(49, 1, seed=0), z=z), torch.arange(49)[:, None]
    held = torch.stack([network._holds(one, lane) for lane in range(z)]).sum(dim=0)
    assert torch.equal(network._copies(one), held)


# --- It is a network --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("T", "z"), [(9, 1), (9, 2), (9, 3), (10, 4), (7, 5), (2, 2), (1, 1), (3, 3)])
@pytest.mark.parametrize("last", [True, False])
def test_all_sets_of_small_cases(T: int, z: int, last: bool) -> None:
    c = mlps(T, 3, 4, last=last)
    for size in range(1, z + 1):
        active = every_set(T, size)
        x = circuits.sphere(len(active), size, 3, seed=size)
        network = exact.embed(c, z=z, bound=bounded(c, active, x))
        assert worst(network, c, active, x) < 1e-9
        read = [network.read(A, active, l) for l, A in enumerate(matrices(network, active, x, relu=last), start=1)]
        torch.testing.assert_close(torch.stack(read), c.run(active, x)[1:], atol=1e-5, rtol=1e-5)
        run, truth = network.run(active, x), c.run(active, x)
        assert run.live.all()
        torch.testing.assert_close(run.estimates, truth, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(network.read(network.encode(active, x), active, 0), x, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("z", [1, 2, 3, 4])
@pytest.mark.parametrize("extra", [0, 1, 3])
def test_run_says_what_the_matrices_do(z: int, extra: int) -> None:
    # With more circuits than planned too: the same copies live, and the others read 0.
    c = circuits.rotations(40, 3, seed=0)
    network = exact.embed(c, z=z)
    active, x = circuits.random_active(40, 200, z + extra, seed=1), points(200, z + extra)
    run, A = network.run(active, x), matrices(network, active, x)
    everyone = torch.arange(40).expand(200, -1)
    for l, (neurons, gated) in enumerate(network.states(active, x), start=1):
        torch.testing.assert_close(gated, A[l - 1], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(network.read(A[l - 1], active, l), run.estimates[l], atol=1e-5, rtol=1e-5)
        assert torch.equal(network.live(A[l - 1], active, l), run.live)
        torch.testing.assert_close(network.read_all(A[l - 1], l), network.read(A[l - 1], everyone, l))
        if z > 1:  # with z = 1 a crowded lane is not silenced, only not read
            assert run.on[l - 1].item() == pytest.approx((A[l - 1] > 0).float().mean().item(), abs=1e-4)
        assert torch.equal(neurons, gated)
    assert (run.estimates[1:, ~run.live] == 0).all()
    torch.testing.assert_close(network(network.encode(active, x)), A[-1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("z", [2, 3])
def test_what_is_measured_is_the_layers(z: int) -> None:
    # The shortcut does not look at gates and sorting; the states do.
    c = circuits.rotations(30, 3, seed=0)
    network, active, x = exact.embed(c, z=z), circuits.random_active(30, 200, z, seed=1), points(200, z)
    shortcut = network.run(active, x).estimates
    assert errors.measure(network, c, active, x).relative.max() < 1e-9
    for layer in network.layers:
        if isinstance(layer, Split | OneHot | Cell):
            layer.C = 0.0
    assert torch.equal(network.run(active, x).estimates, shortcut)
    assert errors.measure(network, c, active, x).active.worst.max() > 1


def test_an_inactive_circuit_reads_zero() -> None:
    c = circuits.rotations(50, 3, seed=0)
    network, active = exact.embed(c, z=2), circuits.random_active(50, 300, 2, seed=0)
    found = errors.measure(network, c, active, points(300, 2))
    assert found.active.worst.max() < 1e-5
    assert found.inactive.worst.max() == 0
    network.cells[0].C = 0.0  # a slot without a circuit answers, and in the next layer so does another circuit
    assert errors.measure(network, c, active, points(300, 2)).active.worst.max() > 0.01


def test_a_weight_belongs_to_one_circuit() -> None:
    c = circuits.rotations(9, 2, seed=0)
    network, active = exact.embed(c, z=1), torch.arange(9)[:, None]
    before = network.run(active, points(9, 1)).estimates
    column, i, j = 0, network.here[0, 4], network.there[0, 4]
    with torch.no_grad():
        network.cells[0].cells[column, i, j] -= 0.1
    moved = (network.run(active, points(9, 1)).estimates != before).any(dim=-1).any(dim=0)[:, 0]
    assert moved.nonzero()[:, 0].tolist() == [4]


def test_dense_network_by_hand() -> None:
    # One lane of two slots, d = 1: circuit t = 2a + b has the pair (i, j) = (b, a). Neurons: state, gate i, gate j.
    c = MLPCircuits(torch.tensor([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]), torch.tensor([[[5.0], [6.0], [7.0], [8.0]]]))
    (W, b), *none = exact.embed(c, bound=1.0).dense()
    C = 1.01 * 4 + 8 + 1  # β max‖w‖ with its slack, max|b|, and 1
    # To slot 0 (a = 0): circuits 0 (from slot 0) and 1 (from slot 1); to slot 1: circuits 2 and 3.
    expected = [
        [1, 5, 0, 2, 6, -C],
        [0, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [3, 7, -C, 4, 8, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
    ]
    torch.testing.assert_close(W, torch.tensor(expected))
    assert not none
    assert not b.any()


# --- What it must reach -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-11), (torch.float64, 1e-24)])
def test_961_mlps_in_width_186(dtype: torch.dtype, most: float) -> None:
    c = circuits.random_mlps(961, 4, 8, seed=0).to(dtype)
    active, x = torch.arange(961)[:, None], circuits.sphere(961, 1, 4, seed=0).to(dtype)
    network = exact.embed(c, 186, bound=bounded(c, active, x))
    truth = c.run(active, x)[-1]
    error = network.read(matrices(network, active, x)[-1], active, 8) - truth
    assert network.D == 186
    assert (error.square().sum() / truth.square().sum()).item() < most


def test_a_million_in_one_cell() -> None:
    c = circuits.rotations(1_018_081, 20, seed=0)
    network = exact.embed(c)
    assert network.D == 4036
    active, x = circuits.random_active(c.T, 2000, 1, seed=0), points(2000, 1)
    truth = c.run(active, x)
    assert (network.run(active, x).estimates - truth).norm(dim=-1).max() < 1e-4
    A = network.encode(active[:16], x[:16])
    for layer in network.layers:
        A = layer(A)
    assert (network.read(A, active[:16], 20) - truth[-1, :16]).norm(dim=-1).max() < 1e-4
    W, b = network.cells[0].dense()
    plain = (network.encode(active[:16], x[:16]) @ W.mT + b).relu()
    assert (network.read(plain, active[:16], 1) - truth[1, :16]).norm(dim=-1).max() < 1e-4


@pytest.mark.parametrize(("z", "T"), [(2, 3844), (3, 729)])
def test_the_most_rotations_in_width_1000(z: int, T: int) -> None:
    assert exact.plan(None, 2, z=z, D=1000).T == T
    c = circuits.rotations(T, 5, seed=0)
    network = exact.embed(c, 1000, z=z)
    active, x = circuits.random_active(T, 100_000, z, seed=0), points(100_000, z)
    run = network.run(active, x)
    assert run.live.all()
    assert (run.estimates - c.run(active, x)).square().sum(dim=-1).max() < 1e-9
    assert worst(network, c, active[:3000], x[:3000]) < 1e-9


def test_200_layers_do_not_grow() -> None:
    c = circuits.rotations(729, 200, seed=0)
    network, active, x = exact.embed(c, z=2), circuits.random_active(729, 200, 2, seed=0), points(200, 2)
    error = errors.measure(network, c, active, x).active.worst.square().tolist()
    # Rounding of the two computations drifts apart like a random walk or, at worst, in proportion to the layers.
    eps = torch.finfo(torch.float32).eps
    assert all(e < (8 * eps * (l + 4)) ** 2 for l, e in enumerate(error))


def test_300_mlps_with_a_common_mean() -> None:
    c = mlps(300, 6, 5)
    active, x = circuits.random_active(300, 3000, 2, seed=0), circuits.sphere(3000, 2, 6, seed=0)
    assert (x < 0).any()
    network = exact.embed(c, z=2, bound=bounded(c, active, x))
    assert (network.run(active, x).estimates - c.run(active, x)).square().sum(dim=-1).max() < 1e-9
    assert worst(network, c, active, x) / c.run(active, x).square().sum(dim=-1).mean() < 1e-9


@pytest.mark.parametrize(("z", "most"), [(3, 0.008), (4, 0.025)])
def test_557_with_a_tolerance(z: int, most: float) -> None:
    c = circuits.rotations(557, 5, seed=0)
    network = exact.embed(c, 1000, z=z, tolerance=most)
    active, x = circuits.random_active(557, 200_000, z, seed=1), points(200_000, z)
    run = network.run(active, x)
    some, y = active[:4000], x[:4000]
    last = matrices(network, some, y)[-1]  # the flags too are those of the network itself
    assert torch.equal(network.live(last, some, 5), run.live[:4000])
    torch.testing.assert_close(network.read(last, some, 5), run.estimates[5, :4000], atol=1e-5, rtol=1e-5)
    error = (run.estimates - c.run(active, x))[1:].square().sum(dim=-1).amax(dim=0)
    assert 0 < 1 - run.live.double().mean() < most
    assert (error[run.live] < 1e-9).all()
    assert (error[~run.live] > 1e-9).all()  # no wrong read-out without its flag, and no flag without need
    assert (1 - run.live.double().mean()).item() == pytest.approx(network.plan.missing, rel=0.10)


# --- Plans and predictions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("T", "n", "S", "z"), [(9, 3, 1, 3), (25, 5, 2, 3), (20, 5, 2, 4), (14, 6, 3, 4), (13, 4, 2, 3)]
)
def test_missing_is_the_count_over_all_sets(T: int, n: int, S: int, z: int) -> None:
    slots, sets = codes.columns(T, n, S)[0], every_set(T, z)
    here = slots[:, sets]  # column, set, circuit
    tied = (here[..., :, None] == here[..., None, :]).sum(dim=-1) > 1
    assert codes.missing(T, n, S, z) == pytest.approx(tied.all(dim=0).double().mean().item(), rel=1e-9)


@pytest.mark.parametrize(("z", "active"), [(2, 4), (3, 5), (4, 7)])
def test_estimate_beyond_the_plan(z: int, active: int) -> None:
    c = circuits.rotations(31 * 31, 1, seed=0)
    network = exact.embed(c, z=z)
    chosen = circuits.random_active(c.T, 20_000, active, seed=0)
    lost = 1 - network.run(chosen, points(20_000, active)).live.double().mean().item()
    # The estimate takes columns for independent.
    assert lost == pytest.approx(codes.missing_estimate(31, network.plan.S, z, active), rel=0.25)


def test_plan_is_the_narrowest_and_holds_the_most() -> None:
    for z in (1, 2, 3, 4):
        for tolerance in (0.0, 0.02):
            for T in (5, 29, 130):
                found = exact.plan(T, 2, z=z, tolerance=tolerance)
                sizes = [(S, n) for S in range(1, z + 1) for n in range(1, T + 1) if n * n >= T]
                good = [
                    S * z * n * 4
                    for S, n in sizes
                    if codes.max_columns(n) >= S and codes.missing(T, n, S, z) <= tolerance
                ]
                assert min(good) == found.D
                assert found.S * found.q * found.n_g * 4 == found.D
                assert exact.plan(None, 2, z=z, D=found.D, tolerance=tolerance).T >= T
    most = exact.plan(None, 2, z=3, D=1000).T
    with pytest.raises(ValueError, match=f"T = {most + 1}.* need D ≥ .*holds at most T = {most}"):
        exact.plan(most + 1, 2, z=3, D=1000)


def test_seed_draws_who_is_missing() -> None:
    c = circuits.rotations(557, 1, seed=0)
    active, x = circuits.random_active(557, 5000, 3, seed=1), points(5000, 3)
    live = [exact.embed(c, z=3, tolerance=0.01, seed=seed).run(active, x).live for seed in (0, 0, 1)]
    assert torch.equal(live[0], live[1])
    assert not torch.equal(live[0], live[2])


# --- Bad input --------------------------------------------------------------------------------------------------

SMALL = circuits.rotations(9, 2, seed=0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"D": 10}, "D is 10; T = 9 .* need D ≥ 12.*holds at most T = 4"),
        ({"D": 30, "z": 3}, "D is 30; .* need D ≥ 108.* holds none"),
        ({"z": 0}, "z is 0; it must be at least 1"),
        ({"z": 10}, "z is 10; it must be at most T = 9"),
        ({"tolerance": 1.0}, r"tolerance is 1.0; it must be in \[0, 1\)"),
        ({"tolerance": -0.1}, "tolerance is -0.1; it must be"),
        ({"tolerance": math.nan}, "tolerance is nan; it must be"),
        ({"bound": 0.0}, "bound is 0.0; it must be positive"),
        ({"bound": math.inf}, "bound is inf; it must be finite"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_refused(unhooked: None, given: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        exact.embed(SMALL, **given)


def test_refuses_other_circuits_and_weights(unhooked: None) -> None:
    with pytest.raises(TypeError, match="circuits is ResidualCircuits; the exact construction takes MLPCircuits"):
        exact.embed(circuits.random_residual(4, 2, 2, 1, seed=0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weights has nan at index"):
        MLPCircuits(torch.full((1, 2, 2, 2), math.nan), torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="T and D are both None"):
        exact.plan(None, 2)
    with pytest.raises(ValueError, match="D is 3; even T = z = 1 circuits of width 2 need D ≥ 4"):
        exact.plan(None, 2, D=3)


@pytest.mark.parametrize("z", [1, 2])
def test_activations_beyond_the_bound(z: int) -> None:
    network, active = exact.embed(SMALL, z=z), torch.arange(z)[None]
    x = torch.full((1, z, 2), 2.5)
    for use in (network.run, network.encode):
        with pytest.raises(ValueError, match=r"inputs is 2.5 in size, but the bound is 2: .*bound=3 or more"):
            use(active, x)
    grows = MLPCircuits(3 * torch.eye(2).expand(2, 4, 2, 2).clone(), torch.zeros(2, 4, 2))
    network = exact.embed(grows, z=z, bound=2.0)
    for use in (network.run, lambda active, x: network(network.encode(active, x))):
        with pytest.raises(ValueError, match="an activation is 3 in size, but the bound is 2"):
            use(active, torch.ones(1, z, 2))


def test_inputs_up_to_the_bound_and_its_slack() -> None:
    turned = MLPCircuits(-torch.eye(2).expand(2, 4, 2, 2).clone(), torch.zeros(2, 4, 2))
    network, active = exact.embed(turned, z=2, bound=1.0), torch.tensor([[0, 3]])
    x = torch.tensor([[[-1.009, 0.5], [-0.3, -1.0]]])
    _, A = next(network.states(active, x))
    torch.testing.assert_close(network.read(A, active, 1), turned.run(active, x)[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_that_cannot_count(dtype: torch.dtype) -> None:
    n = 2 * round(1 / torch.finfo(dtype).eps)
    wide = MLPCircuits(
        torch.zeros(1, 1, 1, 1, dtype=dtype).expand(1, n * n, 1, 1), torch.zeros(1, n * n, 1, dtype=dtype)
    )
    with pytest.raises(ValueError, match=r"circuits are torch.*, which counts to .*call .to\(torch.float32\)"):
        exact.embed(wide, z=2)
    with pytest.raises(ValueError, match=r"bound makes a gate constant of .* which torch.float32 does not hold"):
        exact.embed(SMALL, bound=1e38)


@pytest.mark.parametrize("z", [1, 2])
def test_without_a_bound(z: int) -> None:
    c = circuits.random_mlps(9, 2, 2, seed=0)
    network, active, x = exact.embed(c, z=z), torch.arange(z)[None], torch.ones(1, z, 2)
    torch.testing.assert_close(network.run(active, x).estimates, c.run(active, x))
    with pytest.raises(ValueError, match="bound is None; dense needs the largest"):
        network.dense()
    with pytest.raises(ValueError, match="bound is None; forward needs the largest"):
        network(torch.zeros(1, network.D))
    with pytest.raises(ValueError, match="bound is None; a layer needs it"):
        network.cells[0](torch.zeros(1, network.D))
    if z > 1:
        with pytest.raises(ValueError, match="bound is None; encode needs the largest"):
            network.encode(active, x)


def test_the_circuits_are_not_kept() -> None:
    c = circuits.rotations(9, 1, seed=0)
    network = exact.embed(c)
    before = network.dense()[0][0].clone()
    c.weights.zero_()
    assert torch.equal(network.dense()[0][0], before)
