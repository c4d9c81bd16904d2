"""Ablation: networks with weights of inactive circuits dropped, against plain matrices that never had them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import plain
import pytest
import torch
from torch import Tensor

from superpos import balanced, circuits, codes, dedicated, errors, redundant, residual, theory
from superpos.blocks import BlockNetwork
from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits
from superpos.network import Network
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


def test_residual_circuits_without_the_inactive_ones_are_as_many_as_are_left() -> None:
    """Of T = 300 at z = 3 a fifth is kept by chance, on average 3 + 297/5 = 62.4; or none, 3."""
    c = circuits.random_residual(300, 4, 4, 1, seed=0)
    network = residual.embed(c, 256, 256, 6, seed=1)
    active, x = circuits.random_active(300, 300, 3, seed=2), circuits.sphere(300, 3, 4, seed=2) * 2
    [s] = theory.statistics(c, active, x)
    for p in (0.0, 0.2, 1.0):
        found = errors.ablated(network, c, active, x, (drawn(300, 300, seed=3) < p).float())
        expected, _, _ = theory.layer(s, round(3 + p * 297), 256, 256, 6, 3)
        assert found.after.mean == pytest.approx(expected.active.total, rel=0.1)
