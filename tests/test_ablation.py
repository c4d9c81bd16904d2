"""Ablation: networks with weights of inactive circuits dropped, against plain matrices that never had them."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import plain
import pytest
import torch
from torch import Tensor

from superpos import balanced, circuits, codes, dedicated, errors, exact, redundant, residual, theory
from superpos.blocks import BlockNetwork
from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits
from superpos.compression import files
from superpos.exact import ExactNetwork
from superpos.network import NOBODY, Network
from superpos.residual import ResidualNetwork

T, B, z = 7, 3, 2
ACTIVE = circuits.random_active(T, B, z, seed=0)
Matrices = Callable[[Tensor], list[tuple[Tensor, ...]]]  # of the network with these masks


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def block_matrices(network: BlockNetwork, c: MLPCircuits, centred: bool, cap: bool, mask: Tensor) -> list[Any]:
    """(1/S) Σ_t μ_t w_t ⊗ |e_t⟩⟨e_t|, or with Δw_t, and w̄ ⊗ 𝒲 whole."""
    found: list[Any] = [(torch.eye(network.D).double(), network.layers[0].b)]
    for l in range(1, c.L):
        to, source, n = network.slots[l], network.slots[l - 1], network.n
        w = c.weights[l] * network.unit[l - 1][:, None, :] / network.unit[l][:, :, None]
        mean = w.mean(dim=0) if centred else torch.zeros_like(w[0])
        W = plain.weights(mask[:, None, None] * (w - mean), to, source, n)
        if centred:
            W += torch.kron(mean, plain.linking(to, source, n, cap=cap))
        found.append((W, network.layers[l].b))
    return found


def residual_matrices(network: ResidualNetwork, c: ResidualCircuits, theta: float, mask: Tensor) -> list[Any]:
    """Σ_t μ_t V_t w_in,t E_tᵀ and Σ_t μ_t E_t w_out,t V_tᵀ / S; the on-indicator carries what is beyond −θ."""
    found, d = [], c.d
    for l in range(c.L):
        W_in, W_out = torch.zeros(network.M, network.D).double(), torch.zeros(network.D, network.M).double()
        for t in range(c.T):
            S, E = network.neurons.shape[3], network.E[t]
            for j in range(c.m):
                read = E[:, :d] @ c.w_in[l, t, j]
                if network.indicator:
                    read = read + (c.bias[l, t, j] + theta) * E[:, d]
                for n in network.neurons[l, t, j].tolist():
                    W_in[n] += mask[t] * read
                    W_out[:, n] += mask[t] * (E[:, :d] @ c.w_out[l, t, :, j]) / S
        found.append((W_in, torch.full((network.M,), -theta).double(), W_out))
    return found


def dedicated_matrices(c: Circuits, mask: Tensor) -> list[Any]:
    def each(w: Tensor) -> Tensor:
        return torch.block_diag(*(mask[:, None, None] * w))

    def flat(b: Tensor) -> Tensor:
        return (mask[:, None] * b).flatten()

    if isinstance(c, MLPCircuits):
        return [(each(w), flat(b)) for w, b in zip(c.weights, c.biases, strict=True)]
    assert isinstance(c, ResidualCircuits)
    return [(each(w), flat(b), each(v)) for w, b, v in zip(c.w_in, c.bias, c.w_out, strict=True)]


def rescaled(c: MLPCircuits) -> MLPCircuits:
    """The same circuits, neurons counted in other units after each layer but the input's."""
    unit = 0.5 + drawn(c.L, c.T, c.d)
    weights = torch.cat([c.weights[:1], c.weights[1:] / unit[:-1, :, None, :]]) * unit[..., None]
    return MLPCircuits(weights, c.biases * unit)


@cache
def built(name: str) -> tuple[Network, Circuits, Matrices]:
    """A network in double precision, its circuits, and its plain matrices for any mask."""
    kind, _, option = name.partition(", ")
    if kind == "redundant":
        c = circuits.random_mlps(T, 3, 3, seed=1).to(torch.float64)
        c = MLPCircuits(c.weights, c.biases, last_relu=option != "linear end")
        network = redundant.embed(c, 3 * 11, 3, seed=2, ideal=option == "ideal")
        return network, c, lambda mask: block_matrices(network, c, False, True, mask)
    if kind == "balanced":
        c = circuits.conditional_rotations(T, 3, seed=1).to(torch.float64)
        c = rescaled(c) if option == "units" else c
        network = balanced.embed(c, 4 * 16, 3, seed=2, split=option != "unsplit", cap=option != "uncapped")
        return network, c, lambda mask: block_matrices(network, c, option != "unsplit", option != "uncapped", mask)
    if kind == "residual":
        r = circuits.random_residual(T, 3, 2, 3, seed=1, threshold=0.3).to(torch.float64)
        r = replace(r, bias=r.bias + 0.2 * drawn(*r.bias.shape)) if option == "indicator" else r
        theta = 0.0 if option == "indicator" else 0.3
        network = residual.embed(r, 12, 15, 3, seed=2)
        return network, r, lambda mask: residual_matrices(network, r, theta, mask)
    if option == "residual":
        r = circuits.random_residual(T, 3, 2, 3, seed=1, threshold=0.1).to(torch.float64)
        return dedicated.embed(r), r, lambda mask: dedicated_matrices(r, mask)
    c = circuits.conditional_rotations(T, 3, seed=1).to(torch.float64)
    return dedicated.embed(c), c, lambda mask: dedicated_matrices(c, mask)


NAMES = ["redundant", "redundant, linear end", "redundant, ideal", "balanced", "balanced, units", "balanced, unsplit",
         "balanced, uncapped", "residual", "residual, indicator", "dedicated", "dedicated, residual"]  # fmt: skip
every_network = pytest.mark.parametrize("name", NAMES)


def batch(c: Circuits, active: Tensor = ACTIVE, seed: int = 0) -> Tensor:
    """Inputs of both signs, or points of conditional rotations."""
    B, z = active.shape
    if c.d == 4:
        x = circuits.sphere(B, z, 2, seed=seed) / 2**0.5
        return circuits.conditional_inputs(x).to(c.stack)
    return circuits.sphere(B, z, c.d, seed=seed).to(c.stack)


def forward(network: Network, matrices: list[Any], active: Tensor, A: Tensor) -> Tensor:
    """One sample through plain matrices."""
    for l, (W, b, *back) in enumerate(matrices):
        h = W.double() @ A + b.double()
        if back or getattr(network.layers[l], "relu", True):
            h = h.relu()
        A = A + back[0] @ h if back else h
        if getattr(network, "ideal", False):
            used = torch.zeros(network.d, network.n).double()  # type: ignore[arg-type]
            used[:, network.slots[l][active].flatten()] = 1  # type: ignore[index]
            A = A * used.flatten()
    return A


@every_network
@pytest.mark.parametrize("own", [True, False])
def test_a_masked_network_is_one_really_built_with_those_weights(name: str, own: bool) -> None:
    """Every mask of its own, or one for all; active circuits among those that lose weights."""
    network, c, matrices = built(name)
    x, mask = batch(c), drawn(B if own else 1, T).expand(B, T)
    A = network.encode(ACTIVE, x)
    *_, (_, found) = network.masked(c, ACTIVE, x, mask)
    expected = [forward(network, matrices(m), t, a) for m, t, a in zip(mask, ACTIVE, A, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-12, rtol=1e-10)


@every_network
def test_with_a_mask_of_ones_it_is_the_network_itself(name: str) -> None:
    network, c, _ = built(name)
    x = batch(c)
    masked = network.masked(c, ACTIVE, x, torch.ones(B, T).to(x))
    for one, other in zip(masked, network.states(ACTIVE, x), strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


@every_network
def test_it_can_be_differentiated_in_the_mask(name: str) -> None:
    network, c, _ = built(name)
    x, mask = batch(c), drawn(B, T).clamp(0.1, 0.9)

    def outputs(mask: Tensor) -> Tensor:
        *_, (_, A) = network.masked(c, ACTIVE, x, mask)
        return network.read(A, ACTIVE, network.L)

    torch.autograd.gradcheck(outputs, mask.requires_grad_(), eps=1e-7, atol=1e-5)


@every_network
def test_errors_before_and_after_by_hand(name: str) -> None:
    """Active circuits keep their weights, whatever the mask says; inactive ones get it."""
    network, c, matrices = built(name)
    x, mask = batch(c), drawn(B, T, seed=1)
    kept = mask.clone()
    for row, t in zip(kept, ACTIVE, strict=True):
        row[t] = 1.0
    A = [network.encode(ACTIVE, x)] * 2
    A = [
        torch.stack([forward(network, matrices(m), t, a) for m, t, a in zip(rows, ACTIVE, A[0], strict=True)])
        for rows in (torch.ones(B, T), kept)
    ]
    whole, left = (network.read(end, ACTIVE, network.L) for end in A)
    true = c.run(ACTIVE, x)[-1]
    found = errors.ablated(network, c, ACTIVE, x, mask)
    for squares, off in ((found.before, whole - true), (found.after, left - true), (found.change, left - whole)):
        expected = torch.tensor([sum(row.square().sum() for row in sample) / z for sample in off])
        torch.testing.assert_close(squares.each, expected.to(x), atol=1e-12, rtol=1e-8)
    shared = errors.ablated(network, c, ACTIVE, x, mask[0]).after.each
    torch.testing.assert_close(shared, errors.ablated(network, c, ACTIVE, x, mask[:1].repeat(B, 1)).after.each)


def test_a_batch_in_parts_is_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, c, _ = built("redundant")
    x, mask = batch(c), drawn(B, T)
    whole = errors.ablated(network, c, ACTIVE, x, mask), errors.adversary(network, c, ACTIVE, x, shared=True)
    monkeypatch.setattr("superpos.network._NUMBERS", c.stack.numel())  # one sample at a time
    torch.testing.assert_close(errors.ablated(network, c, ACTIVE, x, mask).after.each, whole[0].after.each)
    torch.testing.assert_close(errors.adversary(network, c, ACTIVE, x, shared=True), whole[1])


def test_summaries_by_hand() -> None:
    squares = errors.Squares(torch.tensor([1.0, 2.0, 9.0, 4.0]))
    assert (squares.mean, squares.median, squares.worst) == (4.0, 3.0, 9.0)
    assert squares.standard_error == pytest.approx((38 / 3 / 4) ** 0.5)  # deviations −3, −2, 5, 0; over 3; over √4
    alone = errors.Squares(torch.tensor([5.0]))
    assert alone.standard_error != alone.standard_error


def one_read_in(T: int, seed: int) -> tuple[BlockNetwork, MLPCircuits, Tensor, Tensor]:
    """Every circuit alone: 1 on its S = 6 of n = 250 slots, and from there with a Gaussian weight to other ones."""
    g = torch.Generator().manual_seed(seed)
    w = torch.stack([torch.ones(T, 1, 1), torch.randn(T, 1, 1, generator=g)])
    c = MLPCircuits(w, torch.zeros(2, T, 1), last_relu=False)
    return redundant.embed(c, 250, 6, seed=seed + 1), c, torch.arange(T)[:, None], torch.ones(T, 1, 1)


def pulls(network: BlockNetwork, c: MLPCircuits) -> Tensor:
    """v_u of every inactive circuit u, for every active one t: (1/S²) ⟨e_t|e_u⟩⟨e_u'|e_t'⟩ w_u."""
    source, to = (plain.embedding(slots, network.n) for slots in network.slots)
    shared = (to @ to.T) * (source @ source.T) / 36
    return shared.fill_diagonal_(0).float() * c.weights[1].flatten()


@pytest.mark.parametrize("T", [250, 557])
def test_masks_on_one_coordinate_against_every_circuit_by_itself(T: int) -> None:
    """The worst that can be dropped is known: all that pull up, or all that pull down.

    Over 24 codes the median squared error rises 3.05-fold at T = 250, 6.2-fold at T = 557; from code to code ± .4, .65.
    """
    each = []
    for seed in range(6):
        network, c, active, x = one_read_in(T, seed)
        v = pulls(network, c)
        mask = errors.adversary(network, c, active, x, seed=seed)
        assert mask.shape == (T, T)
        assert 0 <= mask.min().item() <= mask.max().item() <= 1
        found = errors.ablated(network, c, active, x, mask)
        torch.testing.assert_close(found.before.each, v.sum(dim=1).square(), atol=1e-6, rtol=1e-3)
        up, down = v.clamp_min(0).sum(dim=1).square(), v.clamp_max(0).sum(dim=1).square()
        reached = torch.minimum((found.after.each - up).abs(), (found.after.each - down).abs())
        assert reached.max().item() < 1e-5  # ascent ends at one of the two …
        each.append(torch.stack([found.before.each, found.after.each, up.maximum(down)]))
    b, a, e = map(errors.Squares, torch.cat(each, dim=1))
    assert a.mean > 0.88 * e.mean  # … mostly the worse one
    assert a.median / b.median == pytest.approx({250: 3.05, 557: 6.2}[T], rel=0.1)
    rho = codes.progression(T, 250, 6).rho_star
    assert e.mean / b.mean == pytest.approx(theory.harm(T, 6, rho), rel=0.1)


MOMENTS = {"dropped": (0.0, 0.0), "half": (0.5, 0.25), "kept by chance": (0.3, 0.3), "uniform": (0.5, 1 / 3)}


def masks(kind: str, B: int, T: int, seed: int) -> Tensor:
    u = drawn(B, T, seed=seed).float()
    return {"dropped": 0 * u, "half": 0 * u + 0.5, "kept by chance": (u < 0.3).float(), "uniform": u}[kind]


@cache
def pairs(z: int, seed: int) -> tuple[BlockNetwork, MLPCircuits, Tensor, Tensor]:
    T, d = 250, 4
    c = circuits.random_mlps(T, d, 2, seed=seed)
    c = MLPCircuits(c.weights, c.biases, last_relu=False)
    network = redundant.embed(c, 250 * d, 6, seed=seed + 1, code="line")
    return network, c, circuits.random_active(T, T, z, seed=seed), circuits.sphere(T, z, d, seed=seed) * d**0.5


@pytest.mark.parametrize("kind", MOMENTS)
@pytest.mark.parametrize("z", [1, 2])
def test_errors_without_inactive_circuits_are_predicted(z: int, kind: str) -> None:
    mean, square = MOMENTS[kind]
    total = torch.zeros(4)
    for seed in range(8):  # of one network the errors are 11% from their mean
        network, c, active, x = pairs(z, seed)
        found = errors.ablated(network, c, active, x, masks(kind, len(active), c.T, seed))
        signal = c.run(active, x)[-1].square().sum(dim=-1).mean().item()
        total += torch.tensor([found.before.mean, found.after.mean, found.change.mean, signal]) / 8
    before, after, change, pre = total.tolist()
    rho = codes.line(250, 250, 6).rho_star
    expected = theory.masked(2, 250, z, rho, mean=mean, square=square, pre=pre)
    assert before == pytest.approx(theory.mlps(2, 250, z, rho, pre=pre).active, rel=0.1)
    assert after == pytest.approx(expected.after, rel=0.1, abs=1e-9)
    assert change == pytest.approx(expected.change, rel=0.1)


def test_masked_by_hand() -> None:
    # l = 3, T = 10, z = 2, ρ = .1, E|wa|² = 5: 3·.1·1·5 = 1.5, and 2·10·.01·2·5 = 2 times E[μ²] or E[(1−μ)²]
    found = theory.masked(3, 10, 2, 0.1, mean=0.5, square=0.3, pre=5.0)
    assert (found.after, found.change) == (pytest.approx(1.5 + 0.6), pytest.approx(0.3 * 2))
    assert theory.harm(64, 1, 0.25) == pytest.approx(0.5 + 4 / torch.pi)  # λ = 64/16 = 4, √λ/π + λ/2π = 4/π


@pytest.mark.parametrize("p", [0.0, 0.2])
def test_residual_circuits_without_the_inactive_ones_are_as_many_as_are_left(p: float) -> None:
    """Of T = 100 at z = 3 none is kept, or a fifth by chance, 22.4 with the active ones."""
    ratios = []
    for seed in range(4):  # of one network the error is 7% from its mean
        c = circuits.random_residual(100, 4, 4, 1, seed=seed)
        network = residual.embed(c, 128, 128, 6, seed=seed + 1)
        active, x = circuits.random_active(100, 100, 3, seed=seed), circuits.sphere(100, 3, 4, seed=seed) * 2
        found = errors.ablated(network, c, active, x, (drawn(100, 100, seed=seed) < p).float())
        [s] = theory.statistics(c, active, x)
        ratios.append(found.after.mean / theory.layer(s, round(3 + 97 * p), 128, 128, 6, 3)[0].active.total)
    assert sum(ratios) / 4 == pytest.approx(1, abs=0.07)


@cache
def lanes(z: int, lanes: int, plain: bool = False) -> tuple[ExactNetwork, MLPCircuits, Tensor, Tensor]:
    """Biased MLPs with inputs of both signs and no ReLU at the end, or circuits without biases on positive inputs."""
    g, T, d, L = torch.Generator().manual_seed(z), 14, 3, 3
    c = MLPCircuits(torch.randn(L, T, d, d, generator=g), torch.randn(L, T, d, generator=g), last_relu=plain)
    c = MLPCircuits(c.weights, 0 * c.biases) if plain else c
    network = exact.embed(c, z=z, lanes=lanes, bound=200.0, reach=3.0, nonnegative=plain)
    x = (3 * drawn(24, z, d) if plain else 6 * drawn(24, z, d) - 3).float()
    return network, c, circuits.random_active(T, 24, z, seed=z), x


every_plan = pytest.mark.parametrize(("z", "R"), [(1, 1), (2, 2), (2, 1), (3, 3), (3, 2), (3, 1)])


def hard(active: Tensor, T: int, n: int) -> dict[str, Tensor]:
    """Masks that drop what is nearest to the active circuits: those with the same slot i, or the same slot j."""
    t, u = torch.arange(T), drawn(len(active), T).float()
    i, j = (
        (one[:, :, None] == every).any(dim=1).float() for one, every in ((active // n, t // n), (active % n, t % n))
    )
    return {"all": 0 * u, "part": 0 * u + 0.3, "slot i": 1 - i, "slot j": 1 - j, "uniform": u, "chance": u.round()}


@every_plan
@pytest.mark.parametrize("plain", [False, True])
def test_nothing_changes_in_an_exact_network_bit_for_bit(z: int, R: int, plain: bool) -> None:
    network, c, active, x = lanes(z, R, plain)
    [*_, (_, whole)] = network.states(active, x)
    truth = c.run(active, x)[-1]
    assert network.live(whole, active, network.L).all()
    assert truth.square().sum(dim=-1).mean() > 1
    for name, mask in hard(active, c.T, network.plan.n).items():
        found = errors.ablated(network, c, active, x, mask)
        assert torch.equal(found.change.each, torch.zeros(len(x))), name
        assert torch.equal(found.before.each, found.after.each), name
        assert found.after.worst < 1e-10 * truth.square().sum(dim=-1).max().item()
        [*_, (_, left)] = network.masked(c, active, x, mask.scatter(1, active, 1.0))
        assert torch.equal(network.read(left, active, network.L), network.read(whole, active, network.L)), name
        if network.cells[-1].relu:  # else slots that nobody reads are left as they are
            assert torch.equal(left, whole), name


@every_plan
@pytest.mark.parametrize("shared", [True, False])
def test_an_adversary_finds_no_gradient_in_an_exact_network(z: int, R: int, shared: bool) -> None:
    network, c, active, x = lanes(z, R)
    mask = errors.adversary(network, c, active, x, shared=shared, seed=1)
    assert mask.shape == ((c.T,) if shared else (len(x), c.T))
    assert torch.equal(errors.ablated(network, c, active, x, mask).change.each, torch.zeros(len(x)))
    mask = mask.expand(len(x), -1).clone().requires_grad_()
    *_, (_, A) = network.masked(c, active, x, mask)
    [slope] = torch.autograd.grad(network.read(A, active, network.L).square().sum(), mask)
    assert not slope.scatter(1, active, 0.0).any()
    assert slope.gather(1, active).abs().min() > 0  # of the weights of active circuits there is one


@every_plan
def test_a_masked_exact_network_is_one_really_built_with_those_weights(z: int, R: int) -> None:
    """Also where active circuits lose weights: then something changes, by what their own weights say."""
    network, c, active, x = lanes(z, R)
    mask = drawn(c.T, seed=3).float()
    built = copy.deepcopy(network)
    for cell in built.cells[: c.L]:  # later passes have the same weights in memory
        cell.weights.flatten(0, 1)[: c.T] *= mask[:, None, None]
        cell.biases.flatten(0, 1)[: c.T] *= mask[:, None]
    [*_, (_, found)] = network.masked(c, active, x, mask.expand(len(x), -1))
    [*_, (_, expected)] = built.states(active, x)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    ones = network.masked(c, active, x, torch.ones(len(x), c.T))
    for one, other in zip(ones, network.states(active, x), strict=True):
        assert torch.equal(one[1], other[1])


@every_plan
def test_exact_through_plain_matrices_without_the_weights_of_any_other_circuit(z: int, R: int) -> None:
    """Every entry that belongs to an inactive circuit is multiplied by its mask; nothing that is read moves."""
    network, c, active, x = lanes(z, R)
    own, dense = torch.ones(c.L + 1, c.T, c.d, dtype=torch.bool), network.dense()
    owners = []
    for l, (W, _) in enumerate(dense):
        i, j = torch.meshgrid(*map(torch.arange, W.shape), indexing="ij")
        owners.append(network.owner(l, i, j, own))
    assert {int(t) for t in torch.cat([o.flatten() for o in owners]).unique()} == {NOBODY, *range(c.T)}
    for k, t in enumerate(active[:4]):  # from nothing left to all
        A = whole = network.encode(t.expand(len(x), -1), x)
        factor = drawn(c.T).float() * k / 3
        factor[t], changed = 1.0, 0
        for l, ((W, b), owner) in enumerate(zip(dense, owners, strict=True)):
            cut = torch.where(owner == NOBODY, W, W * factor[owner.clamp_min(0)])
            changed += not torch.equal(cut, W)
            A, whole = (torch.addmm(b, a, m.mT) for a, m in ((A, cut), (whole, W)))
            A, whole = (a.relu() if network.layers[l].relu else a for a in (A, whole))
        read = [network.read(a, t.expand(len(x), -1), network.L) for a in (A, whole)]
        assert changed == len(network.cells)
        assert torch.equal(*read)
        torch.testing.assert_close(read[0], c.run(t.expand(len(x), -1), x)[-1], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["redundant", "balanced"])
def test_a_network_of_blocks_from_a_file_knows_what_is_shared(name: str) -> None:
    network, c, _ = built(name)
    again = files._blocks(files._describe(network), dict(network.state_dict()))
    for one, other in zip(*(n.masked(c, ACTIVE, batch(c), drawn(B, T)) for n in (network, again)), strict=True):
        assert torch.equal(one[1], other[1])


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda n, c, t, x: errors.ablated(None, c, t, x, torch.ones(T)), TypeError, "network is NoneType"),  # type: ignore[arg-type]
    (lambda n, c, t, x: errors.ablated(n, None, t, x, torch.ones(T)), TypeError, "circuits is NoneType"),  # type: ignore[arg-type]
    (lambda n, c, t, x: errors.ablated(n, c[:5], t, x, torch.ones(5)), ValueError, "T = 7.*T = 5"),
    (lambda n, c, t, x: errors.ablated(n, c, t, x, [1.0]), TypeError, r"mask is list.*\(T=7\) or \(B=3, T=7\)"),  # type: ignore[arg-type]
    (lambda n, c, t, x: errors.ablated(n, c, t, x, torch.ones(5).double()), ValueError, r"mask has shape \(5,\).*T=7"),
    (
        lambda n, c, t, x: errors.ablated(n, c, t, x, torch.ones(1, T).double()),
        ValueError,
        r"mask has shape \(1, 7\).*\(B=3, T=7\)",
    ),
    (
        lambda n, c, t, x: errors.ablated(n, c, t, x, torch.ones(T)),
        TypeError,
        "mask has dtype torch.float32.*torch.float64",
    ),
    (
        lambda n, c, t, x: errors.ablated(n, c, t, x, torch.linspace(-1, 1, T).double()),
        ValueError,
        "mask has -1 at index .0,.*0 … 1",
    ),
    (
        lambda n, c, t, x: errors.ablated(n, c, t, x, torch.linspace(0, 2, T).double()),
        ValueError,
        "mask has 1.33333 at index .4,",
    ),
    (lambda n, c, t, x: errors.ablated(n, c, t, x, torch.full((T,), torch.nan).double()), ValueError, "mask has nan"),
    (lambda n, c, t, x: errors.ablated(n, c, t + 5, x, torch.ones(T).double()), ValueError, "active holds"),
    (lambda n, c, t, x: errors.adversary(None, c, t, x), TypeError, "network is NoneType"),  # type: ignore[arg-type]
    (lambda n, c, t, x: errors.adversary(n, c, t, x[:1]), ValueError, "inputs has shape"),
    (lambda n, c, t, x: errors.adversary(n, c, t, x, steps=0), ValueError, "steps is 0"),
    (lambda n, c, t, x: errors.adversary(n, c, t, x, step=-0.1), ValueError, "step is -0.1"),
    (lambda n, c, t, x: errors.adversary(n, c, t, x, seed=-1), ValueError, "seed is -1"),
]


@pytest.mark.parametrize("name", ["redundant", "residual"])
def test_circuits_of_the_other_kind_are_refused(name: str) -> None:
    network, c, _ = built(name)
    other = (
        circuits.random_mlps(T, 3, 3, seed=0) if name == "residual" else circuits.random_residual(T, 3, 2, 3, seed=0)
    )
    with pytest.raises(TypeError, match=f"circuits is {type(other).__name__}; .* carries {type(c).__name__}"):
        errors.adversary(network, other.to(torch.float64), ACTIVE, batch(c))


@pytest.mark.usefixtures("unhooked")
@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_refusals(call: Callable[..., Any], kind: type[Exception], words: str) -> None:
    network, c, _ = built("redundant")
    with pytest.raises(kind, match=words):
        call(network, c, ACTIVE, batch(c))


def test_a_construction_that_does_not_say_whose_its_weights_are() -> None:
    network, c, _ = built("dedicated")
    with pytest.raises(NotImplementedError, match="DedicatedNetwork does not say"):
        Network.masked(network, c, ACTIVE, batch(c), torch.ones(B, T).double())


def test_the_adversary_does_more_harm_with_more_steps() -> None:
    network, c, active, x = pairs(2, 0)
    active, x = active[:40], x[:40]
    for shared in (True, False):
        masks = [errors.adversary(network, c, active, x, shared=shared, steps=n, seed=4) for n in (1, 3, 20)]
        few, some, many = (errors.ablated(network, c, active, x, mask).after.mean for mask in masks)
        assert few < some < many
    assert torch.equal(errors.adversary(network, c, active, x, seed=4), masks[-1])
    assert not torch.equal(errors.adversary(network, c, active, x, seed=5), masks[-1])


def test_the_adversary_keeps_the_worst_mask_it_has_seen() -> None:
    """Steps that are too long lead past it, but are not followed."""
    network, c, _ = built("residual")
    active = circuits.random_active(T, 60, 1, seed=0)
    x = batch(c, active)
    masks = [errors.adversary(network, c, active, x, steps=n, step=0.4) for n in range(1, 6)]
    harm = torch.stack([errors.ablated(network, c, active, x, mask).after.each for mask in masks])
    assert (harm.diff(dim=0) >= -1e-9).all()


def test_circuits_of_one_layer_have_nothing_to_ablate() -> None:
    """The encoding of the redundant construction is made of active circuits alone."""
    c = circuits.random_mlps(T, 3, 1, seed=0)
    network, x = redundant.embed(c, 3 * 11, 3, seed=0), circuits.sphere(B, z, 3, seed=0)
    mask = errors.adversary(network, c, ACTIVE, x)
    assert errors.ablated(network, c, ACTIVE, x, mask).change.worst == 0
