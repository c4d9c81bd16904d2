"""compress: small modules in, one network out that does the same, says what it is worth, and survives a file."""

import copy
import json
import pickle
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import superpos
from superpos import circuits
from superpos.__main__ import main
from superpos.beds import NONE
from superpos.circuits import MLPCircuits, ResidualBlock
from superpos.compression import Compressed, compress, load
from superpos.compression.unproved import recipe
from superpos.exact.sizes import encoded
from superpos.sampling import generator, turns

MLPS, RESIDUAL, SAMPLES = circuits.trained()
TASKS = SAMPLES.mlp


def trained(T: int) -> list[nn.Module]:
    return [circuits.to_module(MLPS, t, [8, 8, 8, 8]) for t in range(T)]


def drawn(module: nn.Module, g: torch.Generator) -> nn.Module:
    """The module with numbers of a generator's."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=g) / 2)
    return module


def chains(T: int, *, seed: int = 0, last: bool = False) -> list[nn.Module]:
    """MLPs of unlike widths: 2 to 4 inputs, 3 to 5 neurons, 1 to 3 outputs."""
    g, made = torch.Generator().manual_seed(seed), []
    for t in range(T):
        a, b, c = 2 + t % 3, 3 + t % 3, 1 + t % 3
        layers = [nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c)]
        made.append(drawn(nn.Sequential(*layers, *([nn.ReLU()] if last else [])), g))
    return made


def blocks(T: int, *, seed: int = 0) -> list[nn.Module]:
    g = torch.Generator().manual_seed(seed)
    shapes = [(2 + t % 2, 3, 1 + t % 3) for t in range(T)]
    return [drawn(nn.Sequential(ResidualBlock(d, m), ResidualBlock(d, k)), g) for d, m, k in shapes]


def samples(network: Compressed, batch: int, z: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    active = circuits.random_active(network.T, batch, z, seed=seed)
    return active, torch.randn(batch, z, network.width_in, generator=g).to(network.like.dtype)


def alone(modules: list[nn.Module], network: Compressed, active: Tensor, inputs: Tensor) -> Tensor:
    """Every module by itself on its own part of the input."""
    out = inputs.new_zeros(*active.shape, network.width_out)
    for sample, row in enumerate(active.tolist()):
        for k, t in enumerate(row):
            module = modules[t]
            inside = next(p for p in module.parameters() if p.dim() == 2).shape[1]
            answer = module(inputs[sample, k, :inside]).detach()
            out[sample, k, : len(answer)] = answer
    return out


# --- What it must reach -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "width"), [(1, 302), (2, 604), (3, 906)])  # lanes of 32 slots of 9, and 14 wires
def test_a_thousand_trained_networks(z: int, width: int) -> None:
    modules = trained(1000)
    start = time.monotonic()
    network = compress(modules, z=z)
    assert time.monotonic() - start < 5
    assert network.D == max(W.shape[0] for W, _ in network.dense()) == width
    active = circuits.random_active(1000, 400, z, seed=1)
    x, _ = TASKS.draw(active, seed=2)
    truth = alone(modules, network, active, x)
    run, dense = network.run(active, x), network.encode(active, x)
    *matrices, (last, bias) = network.dense()
    for W, b in matrices:
        dense = (dense @ W.mT + b).relu()
    dense = dense @ last.mT + bias
    for outputs in (run.outputs, network.read(dense, active)):
        torch.testing.assert_close(outputs, truth, atol=1e-5, rtol=0)
        assert torch.equal(TASKS.answers(outputs, active), TASKS.answers(truth, active))
    assert run.live.all()


def test_every_sample_of_every_task_at_z_1() -> None:
    modules = trained(200)
    network = compress(modules)
    for t in range(0, 200, 10):
        x, _ = TASKS.samples(t)
        active = torch.full((len(x), 1), t)
        truth = modules[t](x).detach()[:, None]
        dense = network.read(network(network.encode(active, x[:, None])), active)
        for outputs in (network.run(active, x[:, None]).outputs, dense):
            torch.testing.assert_close(outputs, truth, atol=1e-5, rtol=0)
            assert torch.equal(TASKS.answers(outputs, active), TASKS.answers(truth, active))


def test_double_precision() -> None:
    modules = [module.double() for module in trained(1000)]
    network = compress(modules)
    active = circuits.random_active(1000, 300, 1, seed=1)
    x = TASKS.draw(active, seed=2)[0].double()
    truth = alone(modules, network, active, x)
    torch.testing.assert_close(network.run(active, x).outputs, truth, atol=1e-12, rtol=0)
    torch.testing.assert_close(network.read(network(network.encode(active, x)), active), truth, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("z", "more"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_more_than_it_was_made_for(z: int, more: int) -> None:
    network = compress(trained(300), z=z)
    active = circuits.random_active(300, 1000, z + more, seed=1)
    certificate = network.certify(active, TASKS.draw(active, seed=2)[0])
    assert certificate.found_missing[0] == pytest.approx(certificate.missing, rel=0.1)
    assert certificate.missing >= more / (z + more) - 1e-9  # there are z lanes
    assert sum(m.missing for m in certificate.modules) == round(certificate.found_missing[0] * active.numel())
    assert certificate.wrong == 0
    assert all(fault.startswith("no answer of") for fault in certificate.faults)  # whose slots are late ones
    assert f"{certificate.found_missing[0]:.2%}" in str(certificate)


@pytest.mark.parametrize(("z", "tolerance"), [(1, 0.03), (2, 0.1), (3, 0.15)])
def test_the_error_of_a_balanced_network_is_foretold(z: int, tolerance: float) -> None:
    network = compress(trained(300), z=z, tolerance=tolerance, method="balanced")
    known, held_out = (turns(300, 1000, z, generator=generator(seed)) for seed in (1, 2))
    expected = network.certify(known, TASKS.draw(known, seed=3)[0]).expected
    found = network.certify(held_out, TASKS.draw(held_out, seed=4)[0])
    assert expected is not None
    assert found.measured[-1].relative == pytest.approx(expected[-1], rel=0.15)
    assert found.holds


# --- Any modules ------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(T=st.integers(1, 12), z=st.integers(1, 3), last=st.booleans(), kind=st.sampled_from(["exact", "dedicated"]))
def test_modules_of_unlike_widths(T: int, z: int, last: bool, kind: str) -> None:
    modules, z = chains(T, last=last), min(z, T)
    network = compress(modules, z=z, method=kind)
    active, x = samples(network, 20, z)
    truth = alone(modules, network, active, x)
    torch.testing.assert_close(network.run(active, x).outputs, truth, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network.read(network(network.encode(active, x)), active), truth, atol=1e-5, rtol=1e-5)
    for t in range(T):
        own = torch.linspace(-1, 1, 2 + t % 3)
        torch.testing.assert_close(network.extract(t)(own), modules[t](own), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("z", [1, 2])
def test_residual_blocks(z: int) -> None:
    modules = blocks(12)
    network = compress(modules, z=z, method="exact")
    active, x = samples(network, 30, z)
    torch.testing.assert_close(network.run(active, x).outputs, alone(modules, network, active, x), atol=1e-5, rtol=1e-5)
    for t in (0, 5, 11):
        own = torch.linspace(-1, 1, 2 + t % 2)
        assert isinstance(network.extract(t)[0], ResidualBlock)
        torch.testing.assert_close(network.extract(t)(own), modules[t](own), atol=1e-6, rtol=1e-6)


def test_residual_circuits_as_mlps() -> None:
    residual = RESIDUAL[:20]
    mlp = residual.as_mlp()
    active = torch.arange(20)[:, None]
    x = SAMPLES.residual.draw(active, seed=0)[0]
    padded = nn.functional.pad(x, (0, mlp.d - 4))
    torch.testing.assert_close(mlp.run(active, padded)[-1, ..., :4], residual.run(active, x)[-1])
    assert not mlp.run(active, padded)[-1, ..., 4:].any()
    again = circuits.ResidualCircuits.from_mlp(mlp, 4)
    assert torch.equal(again.w_in, residual.w_in)
    assert torch.equal(again.w_out, residual.w_out)


def test_the_redundant_construction_takes_modules_without_bias() -> None:
    family = circuits.kaleidoscopes(120, 2, seed=0)
    network = compress(family, method="redundant", tolerance=0.3)
    certificate = network.certify()
    assert certificate.expected is not None
    assert certificate.holds
    torch.testing.assert_close(network.circuits().weights, family.weights, atol=1e-5, rtol=1e-5)


def test_beyond_its_own_width_a_module_puts_out_zeros() -> None:
    # The balanced network itself holds noise there.
    narrow = nn.Sequential(*trained(1)[0][:4], drawn(nn.Linear(8, 3), torch.Generator().manual_seed(0)))  # type: ignore[index]
    network = compress([*trained(63), narrow], method="balanced", tolerance=0.5)
    active, x = torch.tensor([[63], [0]]), torch.ones(2, 1, 8)
    for outputs in (network.run(active, x).outputs, network.read(network(network.encode(active, x)), active)):
        assert outputs.shape == (2, 1, 8)
        assert not outputs[0, 0, 3:].any()
        assert outputs[1, 0, :4].all()


def test_an_interval_bounds_every_activation() -> None:
    c = MLPS[:50]
    for reach in (0.5, 3.0):
        x = reach * (2 * torch.rand(500, 1, 8, generator=torch.Generator().manual_seed(0)) - 1)
        states = c.run(torch.arange(50).repeat(10)[:, None], x)
        assert states.abs().max() <= c.activation_bound(reach)
    # one neuron, by hand: |2 x − 1| ≤ 7 for |x| ≤ 3
    one = MLPCircuits(torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1), -1.0), last_relu=False)
    assert one.activation_bound(3.0) == 7


def test_a_conditional_circuit_is_the_circuit_when_called_and_silent_when_not() -> None:
    c = MLPS[:30]
    made = circuits.conditional(c, 1.0)
    active, x = torch.arange(30)[:, None], circuits.sphere(30, 1, 8, seed=0)
    torch.testing.assert_close(
        made.run(active, circuits.called(x))[1:, ..., 2:], c.run(active, x)[1:], atol=1e-5, rtol=1e-5
    )
    noise = 0.05 * torch.randn(30, 1, 10, generator=torch.Generator().manual_seed(0))
    assert not made.run(active, noise)[-1].any()
    back = circuits.unconditional(made)
    torch.testing.assert_close(back.weights, c.weights)
    torch.testing.assert_close(back.biases, c.biases, atol=1e-6, rtol=0)


# --- The choice -------------------------------------------------------------------------------------------------


def test_the_narrowest_is_chosen() -> None:
    modules = trained(64)
    assert compress(modules).report().method == "exact"
    wide = compress(modules, z=7)  # six lanes of 82 still pay
    assert (wide.report().method, wide.D, wide.report().pays) == ("dedicated", 512, False)
    assert "does not pay" in str(wide.report())
    assert [o.method for o in wide.report().options] == ["exact", "dedicated", "balanced", "redundant"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"D": 60}, ["D is 60", "needs D ≥ 82", "needs D ≥ 512"]),
        ({"D": 60, "z": 2, "tolerance": 0.01}, ["D is 60", "needs D ≥"]),
        (
            {"D": 480, "tolerance": 0.001, "method": "balanced"},
            ["D is 480", "more than the tolerance", "exact needs D ≥ 82"],
        ),
        ({"method": "balanced"}, ["tolerance is 0", "needs a tolerance above 0"]),
        ({"method": "redundant", "tolerance": 0.1}, ["bias", "balanced"]),
        ({"method": "best"}, ["method is 'best'", "auto, exact, dedicated, balanced, redundant"]),
        ({"z": 65}, ["z is 65", "at most 64"]),
        ({"z": 0}, ["z is 0", "at least 1"]),
        ({"tolerance": 1.0}, ["tolerance is 1.0", "[0, 1)"]),
        ({"bound": -1.0}, ["bound is -1.0", "positive"]),
        ({"seed": -1}, ["seed is -1"]),
    ],
)
@pytest.mark.usefixtures("unhooked")
def test_what_cannot_be_done_is_refused(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match="is") as error:
        compress(trained(64), **options)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("z", [1, 2])
def test_what_is_planned_is_built(z: int, bias: float) -> None:
    family = MLPCircuits(MLPS.weights[:, :50], bias * MLPS.biases[:, :50], last_relu=False)
    network = compress(family, z=z, method="exact")
    assert network.report().width == network.D == max(W.shape[0] for W, _ in network.dense())
    assert compress(family, z=z, method="exact", D=network.D).D == network.D
    numbers = 8 if z == 1 and not bias else 9  # of a slot: without biases nothing needs a constant, but what is raised
    assert network.dense()[-1][0].shape[0] == z * (8 * numbers + 2 * 5)
    assert network.certify().holds


def test_a_width_is_the_most_that_is_used() -> None:
    # Given room, an unproved network is not made wider for it, and does not displace a proved one.
    for D in (700, 5000):
        assert compress(trained(64), z=1, tolerance=0.3, D=D).report() == replace(
            compress(trained(64), z=1, tolerance=0.3).report(), D=D
        )


@pytest.mark.usefixtures("unhooked")
def test_bad_batches_are_refused() -> None:
    network = compress(chains(9))
    active, x = samples(network, 5, 1)
    for wrong, word in [
        (x[..., :2], "width=4"),
        (x.double(), "float64"),
        (x * torch.nan, "finite"),
        (x * 1e3, "bound"),
    ]:
        with pytest.raises((ValueError, TypeError), match=word):
            network.run(active, wrong)
    with pytest.raises(ValueError, match="0 … T − 1"):
        network.run(active + 9, x)
    calls = [
        (lambda: network.extract(9), "0 … T − 1"),
        (lambda: network.owner(0, 99, 0), "i is 99"),
        (lambda: network.owners(2), "0 … 1"),
        (lambda: network.owners(True), "l is True"),
        (lambda: network.owner(0, True, 0), "i is True"),
        (lambda: network.neurons(True), "l is True.* 0 … 2"),
        (lambda: network.neurons(-1), "l is -1"),
        (lambda: network.neurons(3), "l is 3"),
    ]
    for call, word in calls:
        with pytest.raises(IndexError, match=word):
            call()


# --- Going back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "z"), [("exact", 1), ("exact", 2), ("dedicated", 1), ("balanced", 1)])
def test_an_owner_is_whoever_changes_the_weight(method: str, z: int) -> None:
    c = MLPS[:64]
    network = compress(c, z=z, method=method, tolerance=0.5 if method == "balanced" else 0.0, bound=1000.0)
    t = 7
    other = MLPCircuits(c.weights.clone(), c.biases.clone(), last_relu=False)
    other.weights[:, t] += 1.0
    other.biases[:, t] += 1.0
    if method == "balanced":
        changed = recipe("balanced", other, network.origin.threshold).build(network.D, 0).dense()
    else:
        changed = compress(other, z=z, method=method, bound=1000.0).dense()
    for l, ((W, _), (V, _)) in enumerate(zip(network.dense(), changed, strict=True)):
        owners = network.owners(l)
        assert owners.shape == W.shape
        place = (owners == t).nonzero()
        if method == "balanced":  # the common mean moves too, a little: the circuit's own links by 1/S
            moved = (W - V).abs() > 0.1
        else:
            gates = W.abs().maximum(V.abs()) > 50  # the gates' constant follows the largest weight
            moved = (W != V) & ~gates
        assert (owners[moved] == t).all() if method != "balanced" else set(owners[moved].tolist()) <= {t, -2}
        for i, j in place[:: max(len(place) // 10, 1)].tolist():
            assert network.owner(l, i, j) == (t,)
        if moved.any():
            mine = network.neurons(l + 1)[t]
            assert set(moved.nonzero()[:, 0].tolist()) <= set(mine.tolist())


@pytest.mark.parametrize("z", [1, 2, 3])
def test_only_its_neurons_hold_a_circuit(z: int) -> None:
    network = compress(trained(30), z=z, method="exact")
    active, x = samples(network, 20, 1)
    core: Any = network.network
    A, d = network.encode(active, x), core.d
    for l, layer in enumerate([None, *core.layers]):
        A, layout = (A, encoded(core.plan)) if layer is None else (layer(A), layer.leaves)
        neurons = network.neurons(l)
        assert neurons.max() < layout.width
        for sample, (t,) in enumerate(active.tolist()):
            others = A[sample].clone()
            others[neurons[t][neurons[t] >= 0]] = 0
            left = layout.split(others[None])
            states = [left[name][..., :d] for name in ("state", "slot", "list", "waiting") if name in left]
            takes = getattr(layer, "takes", ())
            states += [left["taken"][..., [c for c, number in enumerate(takes) if number < d]]] if takes else []
            assert states
            assert l == len(network.layers) or not any(state.any() for state in states)


@pytest.mark.parametrize(("method", "z"), [("exact", 1), ("exact", 2), ("dedicated", 1)])
@pytest.mark.parametrize("kind", ["mlp", "residual"])
def test_padding_has_no_owner(method: str, z: int, kind: str) -> None:
    if kind == "mlp":  # (a b + b) + (b c + c) numbers each
        widths = [(2 + t % 3, 3 + t % 3, 1 + t % 3) for t in range(40)]
        modules = chains(40)
    else:  # the halves of x, then these of x and all neurons, then x: each hears all that is there, and has a bias
        shapes = [(2 + t % 2, 3, 1 + t % 3) for t in range(40)]
        widths, modules = [(d, 2 * d + m, 2 * d + k, d) for d, m, k in shapes], blocks(40)
    network = compress(modules, z=z, method=method)
    bias = method == "exact"  # whose gates carry the biases, in one matrix with the weights
    numbers = sum((a + bias) * b for width in widths for a, b in pairwise(width))
    copies, layers = z if method == "exact" else 1, len(network.dense())  # in each lane
    assert sum((network.owners(l) >= 0).sum().item() for l in range(layers)) == copies * numbers
    held = [(network.neurons(l) >= 0).sum(dim=1).tolist() for l in (0, layers)]
    core: Any = network.network
    columns = core.plan.entry.S if method == "exact" and z > 1 else 1  # at the input
    assert held == [[columns * width[0] for width in widths], [copies * width[-1] for width in widths]]


def test_padding_has_no_owner_where_weights_are_shared() -> None:
    widths = [(3, 6, 2) if t % 2 else (8, 8, 8) for t in range(64)]
    g = torch.Generator().manual_seed(0)
    modules = [drawn(nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c)), g) for a, b, c in widths]
    network = compress(modules, method="balanced", tolerance=0.9)
    n, owned = network.D // 10, network.owners(1)  # 8 coordinates, after two of the on-indicator
    draw = torch.randint(network.D, (2000, 2), generator=g).tolist()
    for i, j in draw:
        sharers, found = network.owner(1, i, j), int(owned[i, j])
        assert sharers == ((found,) if found >= 0 else ()) or (found == -2 and len(sharers) > 1)
        to, source = i // n - 2, j // n - 2  # −2, −1: the on-indicator, which stops before the last layer
        assert all(0 <= to < widths[t][2] and source < widths[t][1] for t in sharers)
    assert {len(network.owner(1, i, j)) for i, j in draw} > {0, 1, 2}


@pytest.mark.parametrize(("method", "tolerance"), [("exact", 0.0), ("dedicated", 0.0), ("balanced", 0.5)])
def test_gradients_where_asked(method: str, tolerance: float, tmp_path: Path) -> None:
    network = compress(trained(64), tolerance=tolerance, method=method)
    active, x = samples(network, 10, 1)
    assert not any(p.requires_grad for p in network.parameters())
    network.requires_grad_()
    error = network.read(network(network.encode(active, x)), active).square().sum()
    network.save(tmp_path / "big.safetensors")  # which leaves it as it is
    error.backward()
    assert any(p.grad is not None and p.grad.any() for p in network.parameters())


# --- Files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "z", "tolerance"),
    [("exact", 1, 0.0), ("exact", 3, 0.0), ("dedicated", 2, 0.0), ("balanced", 2, 0.3)],
)
def test_round_trip(method: str, z: int, tolerance: float, tmp_path: Path) -> None:
    network = compress({f"net {t}": m for t, m in enumerate(trained(64))}, z=z, method=method, tolerance=tolerance)
    path = tmp_path / "big.safetensors"
    network.save(path)
    again = load(path)
    before, after = network.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert (again.report(), again.name(3)) == (network.report(), "net 3")
    active, x = samples(network, 20, z)
    assert torch.equal(network.run(active, x).outputs, again.run(active, x).outputs)
    assert torch.equal(network(network.encode(active, x)), again(again.encode(active, x)))
    torch.testing.assert_close(again.extract(5)(x[0, 0]), network.extract(5)(x[0, 0]), atol=1e-6, rtol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["big.safetensors"]
    with pytest.raises(FileExistsError, match="overwrite=True"):
        network.save(path)
    network.save(path, overwrite=True)


def moved(large: Compressed, how: str, folder: Path) -> Compressed:
    """The network after it has gone somewhere: into a copy, a pickle, a file, or another number format and back."""
    if how == "file":
        large.save(folder / "moved.safetensors")
        return load(folder / "moved.safetensors")
    if how == "double":
        return copy.deepcopy(large).double().float()
    return pickle.loads(pickle.dumps(large)) if how == "pickle" else copy.deepcopy(large)


@pytest.mark.parametrize("z", [1, 3])
def test_a_network_is_its_plan_and_its_weights(z: int, tmp_path: Path) -> None:
    large = compress(MLPS[:40], z=z, method="exact", bound=2000.0)
    first = len(large.network.layers) - 3
    names = {f"network.layers.{first + l}.{kind}" for l in range(3) for kind in ("weights", "biases")}
    assert large.state_dict().keys() == {"widths", *names}
    assert sum(p.numel() for p in large.parameters()) == 3 * 7**2 * (8 * 8 + 8)  # once, however many lanes
    active, x = samples(large, 20, z)
    A = large.encode(active, x)
    for how in ("copy", "pickle", "file", "double"):
        again = moved(large, how, tmp_path)
        assert torch.equal(again(again.encode(active, x)), large(A)), how
        assert torch.equal(again.run(active, x).outputs, large.run(active, x).outputs)
        assert all(torch.equal(a, b) for a, b in zip(sum(again.dense(), ()), sum(large.dense(), ()), strict=True))
        assert (again.report(), again.z) == (large.report(), z)
        next(again.network.parameters()).fill_(torch.nan)  # its own
    assert torch.equal(large(large.encode(active, x)), large(A))


def test_files_that_are_no_use(tmp_path: Path) -> None:
    path = tmp_path / "big.safetensors"
    compress(trained(10)).save(path)
    whole = path.read_bytes()
    for cut in (0, 4, 200, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged, cut short"):
            load(path)
    path.write_bytes(whole.replace(b'"version":"2"', b'"version":"3"'))
    with pytest.raises(ValueError, match=r"version 3.*up to version 2.*newer"):
        load(path)
    path.write_bytes(whole.replace(b'"version":"2"', b'"version":""'))
    with pytest.raises(ValueError, match="damaged"):
        load(path)
    assert b'\\"n\\": 4' in whole
    path.write_bytes(whole.replace(b'\\"n\\": 4', b'\\"n\\": 5'))
    with pytest.raises(ValueError, match="damaged"):
        load(path)
    save_file({"0.weight": torch.ones(2, 2)}, path)
    with pytest.raises(ValueError, match="not one that superpos has written"):
        load(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load(tmp_path / "none")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, network = tmp_path / "big.safetensors", compress(trained(10))
    network.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("superpos.tensors.save_file", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("method", ["exact", "dedicated", "balanced"])
def test_ground_truth(method: str, tmp_path: Path) -> None:
    """The bed's model is the large network: each active module's answer stands where that has it."""
    T = 64 if method == "balanced" else 25
    network = compress(trained(T), z=2, method=method, tolerance=0.5 if method == "balanced" else 0.0)
    network.ground_truth(tmp_path / "bed")
    bed = superpos.bed.load(tmp_path / "bed")
    assert (bed.T, bed.z, bed.level) == (T, 2, {"exact": 2, "dedicated": 0, "balanced": 3}[method])
    held = bed.samples(500, seed=1)
    both = (held.active != NONE).all(dim=1)
    active, x = held.active[both], held.x[both, :, network.skip :].float()
    assert x.abs().max() > 3
    found = network.read(bed.chain(torch.float64)(held.inputs)[both].float(), active)
    known = network.read(network(network.encode(active, x)), active)
    by = found - known
    if method == "exact":  # without a last ReLU, and with one in the bed, for which outputs are raised
        assert not network.relu
        assert set(by.round().flatten().tolist()) == {0.0, 2.0, 4.0}
        by = by - by.round()
    assert by.abs().max() < 2e-5
    for part in bed.parts:
        assert torch.equal(part.components.sum(dim=0) + part.kept if part.own else part.kept, part.W)
    with pytest.raises(FileExistsError):
        network.ground_truth(tmp_path / "bed")
    network.ground_truth(tmp_path / "bed", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["bed"]


def test_a_bed_of_modules_with_a_last_relu_is_the_network_itself(tmp_path: Path) -> None:
    """Matrix by matrix; from a file as well, and on inputs of one's own, cut to what each module takes."""
    modules = {
        f"net {t}": nn.Sequential(nn.Linear(2 + t % 2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU()) for t in range(5)
    }
    for module in modules.values():
        for p in module.parameters():
            p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    network = compress(modules, z=2, bound=64.0)
    network.save(tmp_path / "network")
    inputs = torch.arange(15.0).reshape(5, 1, 3).expand(5, 4, 3)
    for large in (network, load(tmp_path / "network")):
        bed = large.bed(inputs)
        assert bed.modules == tuple(modules)
        for part, (W, b) in zip(bed.parts, large.dense(), strict=True):
            torch.testing.assert_close(part.W.float(), W, atol=2**-24, rtol=1e-6)
            torch.testing.assert_close(part.b.float(), b, atol=2**-24, rtol=1e-6)
        held = bed.samples(20, seed=0)
        for active, x in zip(held.active.tolist(), held.x.tolist(), strict=True):
            for t, own in zip(active, x, strict=True):
                whole = [3.0 * t, 3.0 * t + 1, (3.0 * t + 2) * (t % 2)]
                assert own == (whole if t != NONE else [0.0, 0.0, 0.0])


def test_a_bed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"weights of at most 1e-05 in layer 0.*rescale the modules"):
        compress([nn.Sequential(filled(nn.Linear(2, 2), 1e-5))] * 3).bed()
    network = compress(trained(64), z=2, method="balanced", tolerance=0.5)
    with pytest.raises(ValueError, match=r"inputs has shape .*"):
        network.bed(torch.zeros(3, 4, 4))
    network.network.layers[1].W.data[0] += 0.5  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="changed since it was made: weights of circuit"):
        network.ground_truth(tmp_path / "bed")
    assert not list(tmp_path.iterdir())


def filled(layer: nn.Linear, value: float) -> nn.Linear:
    for p in layer.parameters():
        p.data.fill_(value)
    return layer


# --- The command line -------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nets = nn.ModuleList(chains(30, seed=1))
    save_file(nets.state_dict(), "many.safetensors")
    assert main(["compress", "many.safetensors", "-o", "big.safetensors", "--z", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["report"]["T"] == 30
    assert said["certificate"]["holds"]
    network = load("big.safetensors")
    active, x = samples(network, 120, 2)
    truth = alone(list(nets), network, active, x)
    torch.testing.assert_close(network.run(active, x).outputs, truth, atol=1e-5, rtol=1e-5)
    save_file({"active": active, "inputs": x}, "samples.safetensors")
    assert main(["verify", "big.safetensors", "many.safetensors", "--samples", "samples.safetensors"]) == 0
    assert main(["verify", "big.safetensors"]) == 3
    assert "120 samples (your own)" in capsys.readouterr().out
    save_file(nn.ModuleList(chains(30, seed=2)).state_dict(), "others.safetensors")
    assert main(["verify", "big.safetensors", "others.safetensors"]) == 1
    save_file({"active": active, "extra": x}, "odd.safetensors")
    before = Path("big.safetensors").read_bytes()
    for wrong, words in [
        (["compress", "many.safetensors", "-o", "big.safetensors"], "--force"),
        (["compress", "none.safetensors", "-o", "x.safetensors"], "no such file"),
        (["compress", "samples.safetensors", "-o", "x.safetensors"], "no weight or bias"),
        (["compress", "many.safetensors", "-o", "x.safetensors", "--z", "31"], "z is 31"),
        (["compress", "many.safetensors", "-o", "x.safetensors", "-D", "9"], "D is 9"),
        (["verify", "many.safetensors"], "not one that superpos has written"),
        (["verify", "big.safetensors", "--samples", "odd.safetensors"], "must hold active and inputs"),
    ]:
        assert main(wrong) == 2
        assert words in capsys.readouterr().err
    assert Path("big.safetensors").read_bytes() == before
    assert not Path("x.safetensors").exists()


def test_files_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for t, module in enumerate(chains(4)):
        save_file(module.state_dict(), f"net{t}.safetensors")
    files = [f"net{t}.safetensors" for t in range(4)]
    assert main(["compress", *files, "-o", "big.safetensors"]) == 0
    assert main(["verify", "big.safetensors", *reversed(files)]) == 0


def test_files_of_many_kinds(tmp_path: Path) -> None:
    from superpos.compression.reading import read_modules

    g = torch.Generator().manual_seed(0)
    mlps = [drawn(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), g) for _ in range(12)]
    stacked = {key: torch.stack([m.state_dict()[key] for m in mlps]) for key in mlps[0].state_dict()}
    save_file(stacked, tmp_path / "stack.safetensors")
    save_file(nn.ModuleList(blocks(11)).state_dict(), tmp_path / "blocks.safetensors")
    x = torch.ones(3)
    read = read_modules([tmp_path / "stack.safetensors"])
    assert list(read) == [str(t) for t in range(12)]
    assert all(torch.equal(read[str(t)](x), mlps[t](x)) for t in range(12))
    read = read_modules([tmp_path / "blocks.safetensors"])
    assert list(read) == [str(t) for t in range(11)]
    assert torch.equal(read["10"](x[:2]), blocks(11)[10](x[:2]))


@pytest.mark.parametrize("method", ["exact", "balanced"])
def test_the_picture_has_the_owners(method: str) -> None:
    from superpos.show import compression, data

    network = compress(trained(64), method=method, tolerance=0.5 if method == "balanced" else 0.0)
    figure = compression.owners(network, 1)
    assert isinstance(figure, data.Drawn)
    (panel,) = figure.record()["panels"]
    assert panel["series"][0]["columns"][2]["values"] == network.owners(1).flatten().tolist()
