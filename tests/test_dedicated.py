"""Dedicated neurons: exact for every set of active circuits, even all of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superpos import circuits, dedicated
from superpos.circuits import MLPCircuits, ResidualCircuits


@given(T=st.integers(1, 6), d=st.integers(1, 4), L=st.integers(1, 4), z=st.integers(1, 6), last=st.booleans())
def test_mlps_are_exact(T: int, d: int, L: int, z: int, last: bool) -> None:
    g = torch.Generator().manual_seed(T)
    weights, biases = torch.randn(L, T, d, d, generator=g), torch.randn(L, T, d, generator=g)
    check_exact(MLPCircuits(weights, biases, last_relu=last), min(z, T))


@given(T=st.integers(1, 6), d=st.integers(1, 4), m=st.integers(1, 4), L=st.integers(1, 4), z=st.integers(1, 6))
def test_residual_circuits_are_exact(T: int, d: int, m: int, L: int, z: int) -> None:
    c = circuits.random_residual(T, d, m, L, seed=T)
    check_exact(ResidualCircuits(c.w_in, c.w_out, c.bias + 0.3), min(z, T))


def check_exact(c: MLPCircuits | ResidualCircuits, z: int) -> None:
    network = dedicated.embed(c)
    assert (network.D, network.T, network.d, len(network.layers)) == (c.T * c.d, c.T, c.d, c.L)
    active, x = circuits.random_active(c.T, 4, z, seed=1), circuits.sphere(4, z, c.d, seed=1)
    torch.testing.assert_close(network.run(active, x).estimates, c.run(active, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("z", [1, 3])
def test_conditional_rotations_are_exact(z: int) -> None:
    c = circuits.conditional_rotations(3, 5, seed=0)
    active = circuits.random_active(3, 2, z, seed=0)
    a = circuits.conditional_inputs(circuits.sphere(2, z, 2, seed=0) / 2**0.5)
    torch.testing.assert_close(dedicated.embed(c).run(active, a).estimates, c.run(active, a))


def test_the_network_owns_its_weights() -> None:
    c = circuits.random_mlps(2, 2, 1, seed=0)
    network = dedicated.embed(c)
    before = network.dense()[0][0].clone()
    c.weights.zero_()
    assert torch.equal(network.dense()[0][0], before)


def test_dense_is_block_diagonal() -> None:
    c = circuits.random_mlps(2, 2, 1, seed=0)
    W, b = dedicated.embed(c).dense()[0]
    assert torch.equal(W[:2, :2], c.weights[0, 0])
    assert torch.equal(W[2:, 2:], c.weights[0, 1])
    assert (W[:2, 2:] == 0).all()
    assert (W[2:, :2] == 0).all()
    assert (b == 0).all()


def test_blocks_are_the_neurons_of_one_kind() -> None:
    # Neuron i of all circuits makes block i, whatever the layer's shape.
    mlps = dedicated.embed(circuits.random_mlps(3, 2, 1, seed=0))
    assert mlps.blocks(torch.arange(6.0)[None]).tolist() == [[[0, 2, 4], [1, 3, 5]]]
    wide = dedicated.embed(circuits.random_residual(3, 1, 2, 1, seed=0))
    assert wide.blocks(torch.arange(6.0)[None]).tolist() == [[[0, 2, 4], [1, 3, 5]]]
