"""The redundant construction: its matrices against the formulas, and the whole network end to end."""

from collections.abc import Callable
from typing import Any

import plain
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superpos import balanced, blocks, circuits, codes, errors, redundant, theory
from superpos.blocks import BlockNetwork
from superpos.circuits import MLPCircuits
from superpos.codes import Code

SIZES: dict[str, Any] = dict(
    T=st.integers(1, 8),
    d=st.integers(1, 4),
    S=st.integers(1, 4),
    more=st.integers(0, 5),
    seed=st.integers(0, 10**6),
    code=st.sampled_from(codes.NAMES),
)


def small(T: int, d: int, L: int, seed: int, last_relu: bool = True) -> MLPCircuits:
    c = circuits.random_mlps(T, d, L, seed=seed)
    return MLPCircuits(c.weights / 2, c.biases, last_relu=last_relu)


def width(T: int, d: int, S: int, more: int, code: str) -> int:
    return d * (codes.smallest(code, T, S) + more)


@given(**SIZES, numbers=st.sampled_from([1, 100, 1 << 19]))  # one row of slots at a time, some, all of them
def test_weights_are_the_formula(T: int, d: int, S: int, more: int, seed: int, code: str, numbers: int) -> None:
    c, D = small(T, d, 3, seed), width(T, d, S, more, code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_NUMBERS", numbers)
        large = redundant.embed(c, D, S, seed=seed, code=code)
    assert (large.T, large.d, large.D, large.n, len(large.layers)) == (T, d, D, D // d, 3)
    (identity, nothing), *later = large.dense()
    assert torch.equal(identity, torch.eye(D))
    assert torch.equal(nothing, torch.zeros(D))
    for l, (W, b) in enumerate(later, start=1):
        expected = plain.weights(c.weights[l], large.slots[l], large.slots[l - 1], large.n)
        torch.testing.assert_close(W.double(), expected, atol=1e-6, rtol=1e-5)
        assert torch.equal(b, nothing)


@given(**SIZES, L=st.integers(1, 4), z=st.integers(1, 8), last=st.booleans(), double=st.booleans())
def test_the_network_is_what_its_matrices_say(
    T: int, d: int, S: int, more: int, seed: int, code: str, L: int, z: int, last: bool, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    c = small(T, d, L, seed, last).to(dtype)
    large = redundant.embed(c, width(T, d, S, more, code), S, seed=seed, code=code)
    assert {tensor.dtype for matrices in large.dense() for tensor in matrices} == {dtype}
    active = circuits.random_active(T, 3, min(z, T), seed=seed)
    x = circuits.sphere(3, min(z, T), d, seed=seed).to(dtype)
    plain.check(large, c, active, x, 1e-12 if double else 1e-5)


@given(**{**SIZES, "T": st.just(1)}, L=st.integers(1, 4), last=st.booleans())
def test_one_circuit_alone_is_exact(
    T: int, d: int, S: int, more: int, seed: int, code: str, L: int, last: bool
) -> None:
    c = small(1, d, L, seed, last)
    large = redundant.embed(c, width(T, d, S, more, code), S, seed=seed, code=code)
    active, x = torch.zeros(5, 1, dtype=torch.int64), circuits.sphere(5, 1, d, seed=seed)
    torch.testing.assert_close(large.run(active, x).estimates, c.run(active, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("S", "code"), [(1, "progression"), (1, "random"), (3, "line"), (3, "random")])
def test_circuits_that_share_no_slot_are_exact(S: int, code: str) -> None:
    # 5 circuits on 15 slots: the first 5 lines over F_5 are parallel, and 5 sets of 3 can be disjoint.
    c = small(5, 3, 4, 0)
    large = redundant.embed(c, 45, S, seed=0, code=code)
    active, x = circuits.random_active(5, 6, 5, seed=0), circuits.sphere(6, 5, 3, seed=0)
    torch.testing.assert_close(large.run(active, x).estimates, c.run(active, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("code", codes.NAMES)
def test_every_layer_permutes_the_circuits_over_the_same_sets(code: str) -> None:
    c = small(30, 2, 3, 0)
    slots = redundant.embed(c, 100, 4, seed=5, code=code).slots
    sets = [sorted(map(sorted, layer)) for layer in slots.tolist()]
    assert sets[0] == sets[1] == sets[2]
    assert not any(torch.equal(slots[k], slots[l]) for k, l in ((0, 1), (0, 2), (1, 2)))
    if code in ("progression", "line"):
        assert torch.equal(slots[0], getattr(codes, code)(30, 50, 4).slots)


@pytest.mark.parametrize("code", codes.NAMES)
def test_the_seed_fixes_everything_and_the_global_generator_is_untouched(code: str) -> None:
    before = torch.get_rng_state()
    c = small(20, 2, 3, 0)
    states = [redundant.embed(c, 80, 4, seed=seed, code=code).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    for l in (0, 1, 2):
        same = torch.equal(states[0]["slots"][l], states[2]["slots"][l])
        assert same is (l == 0 and code in ("progression", "line")), l
    assert torch.equal(before, torch.get_rng_state())


def test_a_code_of_ones_own() -> None:
    own = Code(torch.tensor([[0, 1], [1, 2], [2, 3]]), 5)
    c = small(3, 2, 1, 0)
    large = redundant.embed(c, 10, 2, seed=0, code=own)
    assert torch.equal(large.slots[0], own.slots)
    # Slot 1 holds circuits 0 and 1: of a_0 = (1, 2) circuit 1 reads half of ReLU(w_0 a_0).
    a = torch.tensor([[[1.0, 2.0]]])
    A = large(large.encode(torch.tensor([[0]]), a))
    answer = (c.weights[0, 0] @ a[0, 0]).relu()
    torch.testing.assert_close(large.read_all(A, 1)[0], torch.stack([answer, answer / 2, 0 * answer]))


@pytest.mark.parametrize("last", [True, False])
def test_an_ideal_run_keeps_the_slots_of_active_circuits_alone(last: bool) -> None:
    c = small(12, 2, 4, 0, last)
    real, large = (redundant.embed(c, 24, 3, seed=1, code="random_subsets", ideal=ideal) for ideal in (False, True))
    active, x = circuits.random_active(12, 5, 2, seed=0), circuits.sphere(5, 2, 2, seed=0)
    run = large.run(active, x)
    A = large.encode(active, x)
    for l, (W, b) in enumerate(large.dense(), start=1):
        A = A @ W.T + b
        A = A.relu() if last or l < 4 else A
        for s, row in enumerate(active.tolist()):
            kept = {slot for t in row for slot in large.slots[l - 1, t].tolist()}
            A[s, [k for k in range(24) if k % 12 not in kept]] = 0
        torch.testing.assert_close(run.estimates[l], large.read(A, active, l), atol=1e-6, rtol=1e-5)
        assert run.on[l - 1].item() == pytest.approx((A > 0).float().mean().item())
    # After layer 1 nobody else's neurons are on: they speak from layer 2, are heard in layer 3.
    torch.testing.assert_close(run.estimates[:3], real.run(active, x).estimates[:3])
    assert not torch.allclose(run.estimates[3], real.run(active, x).estimates[3])


def turns(T: int, L: int, last_relu: bool) -> MLPCircuits:
    """Rotations of R² without bias: |w a|² = |a|²."""
    return MLPCircuits(circuits.rotations(T, L, seed=0).weights, torch.zeros(L, T, 2), last_relu=last_relu)


def test_errors_of_the_first_layer() -> None:
    # Every slot of all 25 lines on 15 slots holds 5 of them: each circuit meets 12 others, in one slot of 3 each.
    code, c = codes.line(25, 15, 3), turns(25, 1, False)
    large = redundant.embed(c, 30, 3, seed=0, code=code)
    pairs = torch.cartesian_prod(torch.arange(25), torch.arange(25))
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    for z, active in ((1, torch.arange(25)[:, None]), (2, pairs)):
        found = errors.measure(large, c, active, circuits.sphere(len(active), z, 2, seed=0))
        predicted = theory.mlps(1, 25, z, code.rho_star, state=2.0, pre=2.0)  # |a|² = |w a|² = d = 2
        assert found.active.mean.item() == pytest.approx(predicted.active, rel=1e-3, abs=1e-9)
        if z == 1:
            assert found.inactive.mean.item() == pytest.approx(predicted.inactive, rel=1e-3)


def test_gradients_reach_inputs_and_weights() -> None:
    large = redundant.embed(small(6, 2, 3, 0), 16, 2, seed=0).requires_grad_(True)
    x = circuits.sphere(4, 2, 2, seed=0).requires_grad_()
    large.run(circuits.random_active(6, 4, 2, seed=0), x).estimates[-1].square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is not None for p in large.parameters())


def test_the_network_owns_its_weights() -> None:
    c = small(4, 2, 2, 0)
    large = redundant.embed(c, 16, 2, seed=0)
    before = [tensor.clone() for tensor in large.state_dict().values()]
    c.weights.zero_()
    c.biases.fill_(-1)
    assert all(torch.equal(a, b) for a, b in zip(before, large.state_dict().values(), strict=True))


@pytest.mark.parametrize("embed", [redundant.embed, balanced.embed])
def test_circuits_in_training_are_embedded_without_their_gradients(embed: Callable[..., BlockNetwork]) -> None:
    c = small(4, 2, 2, 0)
    biases = -1 - torch.arange(4.0)[None, :, None].expand(2, 4, 2) if embed is balanced.embed else c.biases
    trained = MLPCircuits(c.weights.clone().requires_grad_(), biases.clone().requires_grad_())
    large = embed(trained, 16, 2, seed=0)
    active, x = circuits.random_active(4, 3, 2, seed=0), circuits.sphere(3, 2, 2, seed=0)
    assert not large.run(active, x).estimates.requires_grad
    assert not any(tensor.requires_grad for tensor in large.state_dict(keep_vars=True).values())
