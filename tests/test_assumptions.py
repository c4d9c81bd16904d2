"""What the constructions assume of the circuits: what passes, what is refused, and which circuit is named."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superpos import assumptions, balanced, circuits, redundant
from superpos.circuits import MLPCircuits

T, d, L = 50, 3, 4
PLAIN = circuits.random_mlps(T, d, L, seed=0)


def changed(tensor: Tensor, index: tuple[int, ...], value: float) -> Tensor:
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


def scaled(c: MLPCircuits, factor: float, t: int | slice, layers: slice = slice(None)) -> MLPCircuits:
    """Weights of some circuits in some layers times a factor."""
    weights = c.weights.clone()
    weights[layers, t] *= factor
    return MLPCircuits(weights, c.biases)


def with_biases(*biases: list[list[float]], last_relu: bool = True) -> MLPCircuits:
    """Circuits whose every weight is 0.1, from biases [layer][circuit][neuron]."""
    b = torch.tensor(biases)
    return MLPCircuits(torch.full((*b.shape, b.shape[2]), 0.1), b, last_relu=last_relu)


def test_random_circuits_pass() -> None:
    for seed in range(5):
        c = circuits.random_mlps(600, d, L, seed=seed)
        assumptions.check_no_bias(c)
        assumptions.check_uncorrelated(c)
        assumptions.check_robust(c)
        assert assumptions.with_common_bias(c)[0] is c


def test_conditional_rotations_are_what_balanced_is_for() -> None:
    c = circuits.conditional_rotations(557, 5, seed=0)
    same, unit = assumptions.with_common_bias(c)
    assert same is c
    assert (unit == 1).all()
    assumptions.check_robust(c)
    with pytest.raises(ValueError, match=r"weight \(0, 0\) of layer 2 has the mean 2 over .*, 24 standard"):
        assumptions.check_uncorrelated(c)


def test_the_largest_bias_is_named() -> None:
    biases = changed(changed(PLAIN.biases, (1, 7, 0), 0.1), (2, 31, 1), -0.2)
    with pytest.raises(ValueError, match=r"biases\[2, 31, 1\] is -0\.2, the largest, of circuit 31; .*balanced\.embed"):
        redundant.embed(MLPCircuits(PLAIN.weights, biases), 300, 2, seed=0)


def test_a_mean_weight_of_more_than_six_standard_deviations() -> None:
    def ones(T: int, sign: float = 1.0) -> MLPCircuits:
        """Weight (1, 0) of layer 3 is 1 in all circuits, the other weights ±1 in turn; the first layer is all 1."""
        weights = (torch.arange(T) % 2 * 2.0 - 1)[None, :, None, None].repeat(3, 1, 2, 2)
        weights[0], weights[2, :, 1, 0] = 1, sign
        return MLPCircuits(weights, torch.zeros(3, T, 2))

    assumptions.check_uncorrelated(ones(36))  # |w̄| √T / rms = 1 · 6 / 1
    with pytest.raises(ValueError, match=r"weight \(1, 0\) of layer 3 has the mean 1 over the T = 50 .* 7 standard"):
        assumptions.check_uncorrelated(ones(50))  # √50 = 7.07
    # Of the one sign the largest, of the other the smallest has most of it: (49 · 1 + 3)/50 = 1.04
    for sign in (1.0, -1.0):
        c = ones(50, sign)
        c.weights[2, 17, 1, 0] = 3 * sign
        with pytest.raises(ValueError, match=rf"mean {sign * 1.04:g} over .* circuit 17 has the most, {sign * 3:g}\."):
            redundant.embed(c, 200, 2, seed=0)


@given(seed=st.integers(0, 10**6), T=st.integers(1, 6), d=st.integers(1, 4), L=st.integers(1, 4), last=st.booleans())
def test_a_common_bias_changes_units_alone(seed: int, T: int, d: int, L: int, last: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    biases = torch.where(torch.rand((L, 1, d), generator=g) < 0.5, 0.0, -torch.rand((L, T, d), generator=g) - 0.01)
    if not last:
        biases[-1] = 0
    c = MLPCircuits(torch.randn((L, T, d, d), generator=g), biases, last_relu=last).to(torch.float64)
    rescaled, unit = assumptions.with_common_bias(c)
    assert torch.equal(rescaled.biases, rescaled.biases[:, :1].expand_as(c.biases))
    assert torch.equal(rescaled.biases == 0, c.biases == 0)
    assert (unit > 0).all()
    # b' is the geometric mean: the product of the units over circuits is 1.
    torch.testing.assert_close(unit.log().sum(dim=1), torch.zeros(L, d).double(), atol=1e-9, rtol=0)
    active, x = circuits.random_active(T, 4, T, seed=seed), circuits.sphere(4, T, d, seed=seed).double()
    own_units = rescaled.run(active, x)[1:] * unit[:, active]
    torch.testing.assert_close(own_units, c.run(active, x)[1:], atol=1e-10, rtol=1e-9)
    assert rescaled.last_relu is last


BIASES: list[tuple[MLPCircuits, str]] = [
    (
        with_biases([[-1.0], [-2.0], [0.5]]),
        r"biases\[0, 2, 0\] of circuit 2 is 0\.5 and that of circuit 1 is -2; an inactive circuit 2 .* with 0\.5\.",
    ),
    (with_biases([[0.0], [0.0]], [[0.0], [0.25]]), r"biases\[1, 1, 0\] of circuit 1 is 0\.25; an inactive circuit 1 "),
    (
        with_biases([[-1.0, -1.0], [-1.0, -1.0], [-1.0, 0.0]]),
        r"biases\[0, 2, 1\] of circuit 2 is 0 and biases\[0, 0, 1\] of circuit 0 is -1; .*: give neuron 1 a negative",
    ),
    (
        with_biases([[0.0], [0.0]], [[0.0], [-3.0]]),
        r"biases\[1, 0, 0\] of circuit 0 is 0 and biases\[1, 1, 0\] of circuit 1 is -3; ",
    ),
    (
        with_biases([[-1.0], [-1.0]], [[0.0], [-0.5]], last_relu=False),
        r"biases\[1, 1, 0\] of circuit 1 is -0\.5.* answer 0 with 0\.5 \(the last layer has no ReLU\)",
    ),
]


@pytest.mark.parametrize("case", range(len(BIASES)))
def test_biases_without_a_common_one(case: int) -> None:
    c, message = BIASES[case]
    for call in (lambda: assumptions.with_common_bias(c), lambda: balanced.embed(c, 60, 2, seed=0)):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_last_layer_without_relu_may_have_no_bias_alone() -> None:
    c = with_biases([[-1.0], [-2.0]], [[0.0], [0.0]], last_relu=False)
    assert assumptions.with_common_bias(c)[1].flatten().tolist() == pytest.approx([0.5**0.5, 2**0.5, 1, 1])


def alike(gain: float, L: int = 4) -> MLPCircuits:
    """T circuits of two neurons ReLU(±g x): an inactive one multiplies the mean square of noise by about g²/2."""
    weights = gain * torch.tensor([[1.0, 1.0], [-1.0, -1.0]]) / 2**0.5
    return MLPCircuits(weights.expand(L, T, 2, 2).clone(), torch.zeros(L, T, 2))


@pytest.mark.parametrize("layer", [2, 3, 4])
def test_a_layer_that_amplifies(layer: int) -> None:
    one = slice(layer - 1, layer)
    c = scaled(scaled(alike(0.5), 20, slice(None), one), 2, 11, one)
    # 10²/2 = 50, and 200 of circuit 11: 53 in the mean, up to the few draws of noise
    match = rf"inactive, layer {layer} multiplies .* by [4-6]\d(\.\d)? in .*; circuit 11 the most, by (1|2)\d\d"
    with pytest.raises(ValueError, match=match):
        assumptions.check_robust(c)


def test_layer_1_hears_nothing_but_its_inputs() -> None:
    assumptions.check_robust(scaled(alike(0.5), 100, slice(None), slice(0, 1)))
    assumptions.check_robust(alike(100, L=1))


def test_one_circuit_that_amplifies_over_all_layers() -> None:
    # 6²/2 = 18 a layer, 5832 over layers 2 … 4; in the mean over circuits (49 · 0.125 + 18)/50 = 0.5 a layer.
    loud = scaled(alike(0.5), 12, 23)
    with pytest.raises(ValueError, match=r"circuit 23, inactive, .* over layers 2 … 4 \(at most 1000 is allowed\)"):
        assumptions.check_robust(loud)
    for embed in (redundant.embed, balanced.embed):
        with pytest.raises(ValueError, match="circuit 23, inactive"):
            embed(loud, 300, 2, seed=0)
    assumptions.check_robust(scaled(alike(0.5), 12, 23, slice(0, 3)))  # 18² = 324


def test_biases_silence_noise() -> None:
    # Noise of 0.1 a coordinate, times 10, stays below 8.
    c = alike(10)
    assumptions.check_robust(MLPCircuits(c.weights, c.biases - 8))
    with pytest.raises(ValueError, match="multiplies"):
        assumptions.check_robust(MLPCircuits(c.weights, c.biases - 0.1))


def test_what_is_checked_is_what_is_embedded() -> None:
    # Layer 1 has biases −100 and −0.01, in common −1: layer 2 hears what stands for 100 as 1, and its weights 0.1
    # become 10 in circuits 0 … 24.
    size = torch.tensor([100.0, 0.01]).repeat_interleave(25)[None, :, None].expand(1, T, 2)
    c = MLPCircuits(alike(0.1, L=2).weights, torch.cat([-size, torch.zeros(1, T, 2)]))
    assumptions.check_robust(c)
    with pytest.raises(ValueError, match=r"layer 2 multiplies .* by 2\d(\.\d)? in the mean over circuits"):
        balanced.embed(c, 300, 2, seed=0)
