"""What every large network promises: linear input, plain matrices, one read-out, fraction of neurons on."""

import pytest
import torch

import superpos.network
from superpos import balanced, circuits, dedicated, redundant, residual
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.network import Network

T, z, B = 6, 3, 5
BIASED = circuits.random_residual(T, 3, 2, 2, seed=0)
BIASED = ResidualCircuits(BIASED.w_in, BIASED.w_out, BIASED.bias + torch.linspace(-1, 1, 24).view(2, T, 2))
PLAIN = circuits.random_residual(T, 3, 2, 2, seed=1)
MLPS = circuits.random_mlps(T, 3, 2, seed=2)
MLPS = MLPCircuits(MLPS.weights + 0.2, MLPS.biases - 0.3)
RANKS = torch.arange(1.0, T + 1)[None, :, None]
NETWORKS: dict[str, Network] = {
    "residual": residual.embed(PLAIN, 12, 10, 2, seed=0),
    "with indicator": residual.embed(BIASED, 12, 10, 2, seed=0),
    "dedicated residual": dedicated.embed(BIASED),
    "dedicated MLP": dedicated.embed(circuits.random_mlps(T, 3, 2, seed=0)),
    "redundant": redundant.embed(circuits.random_mlps(T, 3, 2, seed=0), 24, 2, seed=0),
    "balanced": balanced.embed(MLPS, 24, 2, seed=0),
    "rescaled": balanced.embed(MLPCircuits(MLPS.weights, MLPS.biases * RANKS), 24, 2, seed=0, code="random"),
}
every = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
ACTIVE, X = circuits.random_active(T, B, z, seed=0), circuits.sphere(B, z, 3, seed=0)


@every
def test_encode_is_linear(network: Network) -> None:
    Y = circuits.sphere(B, z, 3, seed=1)
    nothing = network.encode(ACTIVE, torch.zeros_like(X))  # the on-indicators
    mixed = network.encode(ACTIVE, 2 * X - 3 * Y) - nothing
    expected = 2 * (network.encode(ACTIVE, X) - nothing) - 3 * (network.encode(ACTIVE, Y) - nothing)
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=1e-5)


@every
def test_encode_adds_up_over_the_active_circuits(network: Network) -> None:
    parts = [network.encode(ACTIVE[:, i : i + 1], X[:, i : i + 1]) for i in range(z)]
    torch.testing.assert_close(network.encode(ACTIVE, X), torch.stack(parts).sum(dim=0))


@every
def test_dense_matrices_reproduce_the_run(network: Network) -> None:
    A = network.encode(ACTIVE, X)
    run = network.run(ACTIVE, X)
    for l, matrices in enumerate(network.dense(), start=1):
        if len(matrices) == 2:
            W, b = matrices
            A = (A @ W.T + b).relu()
        else:
            W_in, b, W_out = matrices
            A = A + (A @ W_in.T + b).relu() @ W_out.T
        torch.testing.assert_close(network.read(A, ACTIVE, l), run.estimates[l], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network(network.encode(ACTIVE, X)), A, atol=1e-5, rtol=1e-4)
    assert torch.equal(run.estimates[0], X)


@every
def test_read_all_agrees_with_read(network: Network) -> None:
    A = network.layers[0](network.encode(ACTIVE, X))
    everything = network.read_all(A, 1)
    assert everything.shape == (B, T, 3)
    own = everything[torch.arange(B)[:, None], ACTIVE]
    torch.testing.assert_close(network.read(A, ACTIVE, 1), own, atol=1e-5, rtol=1e-4)


@every
def test_blocks_are_the_neurons_in_another_order(network: Network) -> None:
    for neurons, A in network.states(ACTIVE, X):
        blocks = network.blocks(neurons)
        assert blocks.shape[0] == B
        assert torch.equal(blocks.flatten(1).sort().values, neurons.sort().values)
        assert A.shape == (B, network.D)


@every
def test_fraction_of_neurons_on(network: Network) -> None:
    A, on = network.encode(ACTIVE, X), []
    for layer, matrices in zip(network.layers, network.dense(), strict=True):
        pre = A @ matrices[0].T + matrices[1]
        on.append((pre > 0).sum().item() / pre.numel())
        A = layer(A)
    assert network.run(ACTIVE, X).on.tolist() == pytest.approx(on)


def test_on_by_hand() -> None:
    # Two circuits, d = 1, weights 1 and biases −1, 1. Of x = 2 in circuit 0 and 0 in circuit 1 both neurons are on,
    # of x = 0 only circuit 1's: 3 of 4.
    c = MLPCircuits(torch.ones(1, 2, 1, 1), torch.tensor([[[-1.0], [1.0]]]))
    active = torch.tensor([[0], [0]])
    assert dedicated.embed(c).run(active, torch.tensor([[[2.0]], [[0.0]]])).on.tolist() == [0.75]


@every
def test_order_of_the_active_circuits_does_not_matter(network: Network) -> None:
    turned = network.run(ACTIVE.flip(1), X.flip(1)).estimates.flip(2)
    torch.testing.assert_close(network.run(ACTIVE, X).estimates, turned, atol=1e-5, rtol=1e-4)


@every
def test_a_batch_larger_than_one_part(network: Network) -> None:
    active, x = circuits.random_active(T, 600, z, seed=3), circuits.sphere(600, z, 3, seed=3)
    whole = network.run(active, x).estimates
    for s in (0, 255, 256, 599):
        one = network.run(active[s : s + 1], x[s : s + 1]).estimates[:, 0]
        torch.testing.assert_close(whole[:, s], one, atol=1e-5, rtol=1e-4)


@every
def test_parts_of_unequal_size_weigh_as_much_as_they_hold(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    active, x = circuits.random_active(T, 7, z, seed=4), circuits.sphere(7, z, 3, seed=4)
    x[-1] *= -10  # the last part, of one sample, has others on
    whole = network.run_layers(active, x)
    monkeypatch.setattr(superpos.network, "_NUMBERS", 3 * network.D)
    parts = network.run_layers(active, x)
    torch.testing.assert_close(whole.on, parts.on)
    torch.testing.assert_close(whole.estimates, parts.estimates)
    assert torch.equal(whole.live, parts.live)


def test_gradients_reach_inputs_and_weights() -> None:
    small = circuits.random_residual(6, 2, 2, 2, seed=0)
    large = residual.embed(small, 16, 16, 2, seed=0).requires_grad_(True)
    x = circuits.sphere(4, 2, 2, seed=0).requires_grad_()
    large.run(circuits.random_active(6, 4, 2, seed=0), x).estimates[-1].square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is not None for p in large.parameters())
