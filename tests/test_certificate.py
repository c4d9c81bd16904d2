"""A certificate that can fail: every module runs, every weight is read back, right is relative to each module."""

import json
import math
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from superpos import circuits
from superpos.circuits import MLPCircuits, ResidualBlock
from superpos.compression import Certificate, Compressed, certificate, compress, evidence, large, load
from superpos.errors import relative
from superpos.exact.cells import Cell, heard
from superpos.network import Layer
from superpos.sampling import generator, turns

MLPS = circuits.trained()[0]
METHODS = {"exact": 0.0, "dedicated": 0.0, "balanced": 0.5, "redundant": 0.5}


def trained(T: int) -> list[nn.Module]:
    return [circuits.to_module(MLPS, t, [8, 8, 8, 8]) for t in range(T)]


def made(method: str, T: int = 40, z: int = 1) -> Compressed:
    family = (
        circuits.random_mlps(64, 4, 3, seed=0) if method == "redundant" else MLPS[: 64 if method == "balanced" else T]
    )
    return compress(family, z=z, method=method, tolerance=METHODS[method])


def layers(network: Compressed) -> list[Any]:
    return list(network.layers)


def added(layer: Layer, error: Tensor) -> None:
    """The layer puts out so much more: an error of which its weights say nothing."""
    plain = layer.neurons
    layer.neurons = lambda A: plain(A) + error  # type: ignore[method-assign]


def named(found: Certificate, what: str) -> list[str]:
    return [m.name for m in found.modules if getattr(m, what)]


# --- Every module runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("T", "rows", "k"), [(1000, 1000, 1), (7, 1000, 3), (5, 20, 5), (1, 3, 1), (2500, 1250, 2), (9, 4, 7)]
)
def test_all_take_turns(T: int, rows: int, k: int) -> None:
    found = turns(T, rows, k, generator=generator(3, "active"))
    assert found.shape == (rows, k)
    assert all(len(set(row)) == k for row in found.tolist())
    once = math.ceil(T / k)
    counts = torch.bincount(found[:once].flatten(), minlength=T)
    assert counts.min() == 1
    assert torch.bincount(found.flatten(), minlength=T).min() >= rows // once
    assert torch.equal(found, turns(T, rows, k, generator=generator(3, "active")))
    assert not torch.equal(found, turns(T, rows, k, generator=generator(4, "active"))) or T == 1


def test_any_set_may_be_drawn() -> None:
    # 3 of 5 in two rows, the second filled up: each of the 60 ordered triples in each row, 1/60 of 12,000.
    drawn = torch.stack([turns(5, 2, 3, generator=generator(seed)) for seed in range(12000)])
    for row in drawn.unbind(1):
        counts = torch.bincount((row * torch.tensor([25, 5, 1])).sum(dim=1), minlength=125)
        assert (counts > 0).sum() == 60
        assert counts[counts > 0].float().std() < 2 * (12000 / 60) ** 0.5


@pytest.mark.parametrize(("T", "z"), [(1000, 1), (1200, 1), (50, 3), (6, 6)])
def test_every_module_runs_in_the_default_samples(T: int, z: int) -> None:
    found = compress(MLPS[torch.arange(T) % 1000], z=z, method="exact").certify()
    assert min(m.samples for m in found.modules) >= 1
    assert found.samples == max(1000, math.ceil(T / z))
    assert found.holds
    assert "every module ran" in str(found)


def test_what_would_be_too_much_work_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "_WORK", 1e6)
    found = compress(MLPS[torch.arange(1200) % 1000]).certify()
    assert found.samples == 1000
    assert sum(m.samples == 0 for m in found.modules) == 200
    assert "200 of 1,200 modules" in found.verdict
    assert not found.holds


def test_modules_that_samples_leave_out_are_counted() -> None:
    network = made("exact")
    active = torch.arange(3, 40)[:, None]
    found = network.certify(active, torch.ones(37, 1, 8))
    assert not found.holds
    assert found.faults == (
        "no answer of 3 of 40 modules (0, 1, 2) was measured: give more samples, or samples in which all of them run",
    )
    assert "3 of 40 modules (0, 1, 2) never ran" in str(found)
    assert network.certify(torch.arange(40)[:, None], torch.ones(40, 1, 8)).holds


# --- Every weight is read back ------------------------------------------------------------------------------------


def spoilt_weight(network: Compressed, method: str, which: int) -> list[str]:
    """A weight changed by a thousandth of it, which no run would tell from rounding of its tolerance; whose it is."""
    core: Any = network.network
    with torch.no_grad():
        if method == "exact":
            core.cells[which].weights[7 // core.plan.n, 7 % core.plan.n, 3, 2] *= 1.001
            return ["7"]
        if method == "dedicated":
            core.layers[which].b[7, 3] *= 1.001
            return ["7"]
        if which == 0:
            core.first[7, 3, 3] *= 1.001
            return ["7"]
        W = core.layers[1].W
        i, j = (network.owners(1) == 7).nonzero()[0].tolist()
        W[i, j] += 0.001 * W.abs().max()
        return ["7"]


@pytest.mark.parametrize(("method", "which"), [(method, which) for method in METHODS for which in (0, 1)])
def test_a_weight_is_compared_wherever_it_stands(method: str, which: int) -> None:
    network = made(method, z=2 if method == "exact" else 1)
    found = network.certify()
    assert found.holds
    assert not named(found, "altered")
    whose = spoilt_weight(network, method, which)
    found = network.certify()
    assert named(found, "altered") == whose
    assert not found.holds
    assert "the weights of 1 of" in found.verdict
    assert "(7) are others" in str(found)
    assert [m["name"] for m in json.loads(found.to_json())["modules"] if m["altered"]] == whose


@pytest.mark.parametrize("what", ["bias", "unit", "background"])
def test_what_circuits_share_is_compared_too(what: str) -> None:
    network = made("balanced")
    core: Any = network.network
    with torch.no_grad():
        if what == "bias":
            core.layers[1].b[5] += 0.001
        elif what == "unit":
            core.unit[1] *= 1.001
        else:
            nobody = ~((network.owners(1) != -1).view(10, core.n, 10, core.n).any(dim=2).any(dim=0))
            to, source = nobody.nonzero()[0].tolist()
            core.layers[1].W.view(10, core.n, 10, core.n)[4, to, 5, source] += 0.1
    assert len(named(network.certify(), "altered")) == 64


@pytest.mark.parametrize("T", [1, 7])
def test_residual_blocks_are_read_back(T: int) -> None:
    g = torch.Generator().manual_seed(0)
    modules = [nn.Sequential(ResidualBlock(3, 5), ResidualBlock(3, 2)) for _ in range(T)]
    for module in modules:
        for p in module.parameters():
            p.data = torch.randn(p.shape, generator=g)
    network = compress(modules, method="exact")
    assert network.certify(modules=modules).holds
    with (
        torch.no_grad()
    ):  # their weights as MLPs are products, which are rounded: another machine rounds them otherwise
        layers(network)[1].weights.mul_(1 + 5e-7)
    assert network.certify(modules=modules).holds
    with torch.no_grad():
        modules[-1][1].write.weight[0, 0] += 0.01  # type: ignore[index, union-attr]
    found = network.certify(modules=modules)
    assert named(found, "altered") == [str(T - 1)]


def test_numbers_of_a_coarser_kind_are_other_weights() -> None:
    network = compress(circuits.random_mlps(40, 3, 2, seed=0))
    with torch.no_grad():
        layers(network)[1].weights[..., 0, 0] *= 1 + 5e-7
    assert len(named(network.certify(), "altered")) == 40
    network.half().float()
    assert len(named(network.certify(), "altered")) == 40


@pytest.mark.parametrize(("method", "z"), [*((method, 1) for method in METHODS), ("exact", 3)])
def test_a_network_in_double_precision_is_certified(method: str, z: int) -> None:
    network = made(method, z=z).double()
    found = network.certify()
    assert found.holds
    assert found.dtype == "float64"
    if method in ("exact", "dedicated"):  # its weights are float32; what it computes with them is not
        assert found.measured[-1].relative < 1e-25


# --- Right is relative to each module --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("method", "z"), [("exact", 1), ("exact", 2), ("exact", 3), ("dedicated", 1)])
def test_half_precision_proves_nothing(dtype: torch.dtype, method: str, z: int) -> None:
    network = compress(MLPS[:20].to(dtype), z=z, method=method)
    found = network.certify()
    assert not found.holds
    assert f"{str(dtype)[6:]} is too coarse" in found.verdict
    assert not named(found, "wrong")  # what it does wrong is rounding, and no more
    assert found.found_missing == (0, 0)  # keys are integers that even bfloat16 holds
    last = layers(network)[-1]
    with torch.no_grad():
        (last.weights if method == "exact" else last.w).mul_(1.03)
    assert len(named(network.certify(), "altered")) == 20
    assert compress(MLPS[:20], z=z, method=method).certify().holds


@pytest.mark.parametrize(("dtype", "T", "most"), [(torch.bfloat16, 122, 121), (torch.float16, 626, 625)])
def test_half_precision_that_does_not_hold_keys_is_refused(dtype: torch.dtype, T: int, most: int) -> None:
    family = circuits.random_mlps(T, 1, 1, seed=0)
    words = f"T = {most} fit, or call .to.torch.float32"
    with pytest.raises(ValueError, match=f"method is exact; {T} circuits .*{words}"):
        compress(family.to(dtype), z=2, method="exact")
    auto = compress(family.to(dtype), z=2).report()  # takes what the number format allows, and says why
    assert (auto.method, auto.width) == ("dedicated", T)
    assert f"T = {most} fit" in str(auto)
    network = compress(family, z=2, method="exact").to(dtype)
    active, x = torch.tensor([[3, T - 1]]), torch.ones(1, 2, 1, dtype=dtype)
    for refused in (network.certify, lambda: network(network.encode(active, x))):
        with pytest.raises(ValueError, match=words):
            refused()
    assert compress(family[:most].to(dtype), z=2, method="exact").certify().found_missing == (0, 0)
    assert compress(family.to(dtype), z=1, method="exact").certify().found_missing == (0, 0)  # where there are no keys


def test_half_precision_that_is_enough() -> None:
    # One product, of positive numbers: rounding is a quarter of a percent at most.
    halves = MLPCircuits(torch.full((2, 20, 1, 1), 0.5), torch.zeros(2, 20, 1)).to(torch.float16)
    network = compress(halves, method="dedicated")
    active, x = torch.arange(20)[:, None], torch.ones(20, 1, 1).half()
    assert network.certify(active, x).holds
    added(network.layers[-1], torch.tensor(0.005).half())
    assert network.certify(active, x).wrong == 20


def spoilt_output(network: Compressed, t: int, error: float) -> Certificate:
    """Module t puts out so much more in its first number, of which no weight says anything."""
    last = network.layers[-1]
    mine = network.neurons(len(network.layers))[t].view(network.network.d, -1)[0]
    added(last, torch.zeros(last.width).index_fill_(0, mine, error))
    return network.certify()


@pytest.mark.parametrize("z", [1, 2])
@pytest.mark.parametrize("method", ["exact", "dedicated"])
def test_one_module_is_larger_than_the_others(method: str, z: int) -> None:
    weights, biases = MLPS.weights[:, :20].clone(), MLPS.biases[:, :20].clone()
    weights[-1, 0] *= 1e5
    biases[-1, 0] *= 1e5
    network = compress(MLPCircuits(weights, biases, last_relu=False), z=z, method=method)
    assert network.certify().holds
    size = MLPS.run(torch.tensor([[4]]), torch.ones(1, 1, 8))[-1].abs().mean().item()
    found = spoilt_output(network, 4, 0.001 * size)
    wrong = named(found, "wrong")
    assert wrong == ["4"] if method == "dedicated" else "4" in wrong  # and others on its slot
    assert "0" not in wrong
    assert not found.holds


@pytest.mark.parametrize("z", [1, 2])
@pytest.mark.parametrize("method", ["exact", "dedicated"])
def test_hidden_states_are_larger_than_outputs(method: str, z: int) -> None:
    weights, biases = MLPS.weights[:, :20].clone(), MLPS.biases[:, :20].clone()
    weights[0], biases[0], biases[1] = weights[0] * 1e4, biases[0] * 1e4, biases[1] * 1e4
    weights[2], biases[2] = weights[2] * 1e-4, biases[2]
    network = compress(MLPCircuits(weights, biases, last_relu=False), z=z, method=method)
    found = network.certify()
    assert found.holds
    assert found.measured[-1].relative < 1e-9
    found = spoilt_output(network, 4, 0.01)
    assert "4" in named(found, "wrong")
    assert not found.holds


def test_outputs_that_are_small_differences_of_large_numbers() -> None:
    # 10⁷ a − 10⁷ a + a: in float32 rounding is as large as what is left; in float64 it is not.
    first = torch.tensor([[1e7, 0.0], [1e7, 0.0]]).expand(1, 5, 2, 2)
    last = torch.tensor([[1.0, -1.0], [0.0, 0.0]]).expand(1, 5, 2, 2)
    family = MLPCircuits(torch.cat([first, last]), torch.tensor([1.0, 0.0]).expand(2, 5, 2).clone(), last_relu=False)
    active, x = torch.arange(5)[:, None], torch.full((5, 1, 2), 0.3)
    coarse = compress(family, method="dedicated").certify(active, x)
    assert "float32 is too coarse" in coarse.verdict
    assert len(named(coarse, "coarse")) == 5
    assert not coarse.wrong
    fine = compress(family.to(torch.float64), method="dedicated").certify(active, x.double())
    assert fine.holds


def test_inputs_that_are_rounded_away_where_they_are_raised() -> None:
    # For z = 2 inputs are raised by the reach: with 10⁶ float32 keeps them to 0.06.
    assert "float32 is too coarse" in compress(MLPS[:10], z=2, method="exact", bound=1e6).certify().verdict
    assert compress(MLPS[:10], z=1, method="exact", bound=1e6).certify().holds


@pytest.mark.parametrize("z", [1, 2])
def test_depth_is_no_excuse(z: int) -> None:
    # Forty layers: a bound on what rounding adds up to would be larger than any state.
    network = compress(circuits.rotations(12, 40, seed=0), z=z, method="exact")
    assert network.certify().holds
    with torch.no_grad():
        layers(network)[-2].bias("slot")[..., 0] += 1e-3
    assert network.certify().wrong


def test_states_that_die_out() -> None:
    # Random networks without biases: after twenty layers many put out 0 whatever they are given.
    assert compress(circuits.random_mlps(30, 4, 20, seed=0), method="exact").certify().holds


def test_rounding_that_grows_from_layer_to_layer() -> None:
    # (1, 2) stays as it is, and what is off it along (1, 1) grows by 3 in every layer: 3¹⁶ u is more than a half.
    w = torch.tensor([[5.0, -2.0], [4.0, -1.0]])
    found = {}
    for dtype in (torch.float32, torch.float64):
        family = MLPCircuits(w.expand(16, 9, 2, 2).to(dtype), torch.zeros(16, 9, 2, dtype=dtype), last_relu=False)
        x = torch.tensor([0.1, 0.2], dtype=dtype) * torch.arange(1, 10, dtype=dtype)[:, None]
        found[dtype] = compress(family, method="dedicated").certify(torch.arange(9)[:, None], x[:, None])
    assert "float32 is too coarse" in found[torch.float32].verdict
    assert not found[torch.float32].wrong
    assert found[torch.float64].holds


def test_a_module_that_is_silent() -> None:
    weights, biases = MLPS.weights[:, :6].clone(), MLPS.biases[:, :6].clone()
    weights[:, 2], biases[:, 2] = 0.0, 0.0
    biases[:, 3] = -1e3  # all neurons off
    network = compress(MLPCircuits(weights, biases), method="exact", z=2, bound=4e3)
    found = network.certify()
    assert found.holds
    assert found.modules[2].relative == 0
    found = spoilt_output(network, 2, 1e-6)
    assert "2" in named(found, "wrong")
    assert math.isinf(found.modules[2].relative)
    assert json.loads(found.to_json())["modules"][2]["relative"] == "inf"


@pytest.mark.parametrize("method", ["exact", "dedicated"])
def test_what_is_measured_is_relative_to_the_truth(method: str) -> None:
    network = made(method, z=2)
    active, x = network.samples(None, None, seed=0)
    found = network.certify(active, x)
    truth = MLPS[:40].to(torch.float64).run(active, x.double())
    for l, (_, estimate) in enumerate(network.states(active, x), start=1):
        error = relative(estimate.double(), truth[l])
        assert found.measured[l - 1].relative == pytest.approx(error.error.item(), rel=1e-9)
        assert found.measured[l - 1].standard_error == pytest.approx(error.standard_error.item(), rel=1e-9)


# --- run, and the modules themselves --------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [1, 2])
def test_run_is_compared_with_the_layers(z: int) -> None:
    network = made("exact", z=z)
    assert 0 < network.certify().shortcut < 1e-4
    plain = network.network.run
    for change, words in [
        (lambda run: replace(run, estimates=run.estimates * 1.1), "they differ by"),
        (lambda run: replace(run, estimates=run.estimates * torch.nan), "finds other answers live"),
        (lambda run: replace(run, live=run.live & False), "finds other answers live"),
    ]:
        network.network.run = lambda *given, change=change: change(plain(*given))  # type: ignore[method-assign]
        found = network.certify()
        assert not found.holds
        assert words in found.verdict
    # Too little to be seen in a part of the size, too much to be rounding.
    network.network.run = lambda *given: replace(plain(*given), estimates=plain(*given).estimates * 1.0005)  # type: ignore[method-assign]
    found = network.certify()
    assert found.shortcut < certificate.CAP
    assert len(named(found, "wrong")) == 40


def test_samples_that_run_refuses() -> None:
    network = made("exact")
    with torch.no_grad():
        layers(network)[0].weights.mul_(1e4)  # beyond the bound
    found = network.certify()
    assert math.isinf(found.shortcut)
    assert "run refuses the samples" in found.verdict


@pytest.mark.parametrize("method", ["exact", "balanced"])
def test_modules_are_run_by_their_own_forward(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    T = 64
    modules, calls = trained(T), []
    network = compress(modules, method=method, tolerance=METHODS[method])
    for t, module in enumerate(modules):
        module.register_forward_hook(lambda _, given, out, t=t: calls.append((t, len(given[0]))))
    found = network.certify(modules=modules)
    seen = {(m.name, m.samples) for m in found.modules}
    assert {(str(t), rows) for t, rows in calls} >= seen
    assert found.holds
    assert found.ran
    assert "each run by its own forward" in str(found)
    # A module that does something else than what was read of it.
    monkeypatch.setattr(evidence.circuits, "from_modules", lambda _: MLPS[:T])
    with torch.no_grad():
        modules[5][0].bias[2] += 0.05  # type: ignore[index]
    found = network.certify(modules=modules)
    assert named(found, "unlike") == ["5"]
    assert not found.holds
    modules[5] = nn.Sequential(modules[4], nn.ReLU(), nn.Linear(8, 3))
    assert named(network.certify(modules=modules), "unlike") == ["5"]


def test_modules_by_name_in_any_order() -> None:
    modules = {f"net {t}": module for t, module in enumerate(trained(10))}
    network = compress(modules)
    assert network.certify(modules=dict(reversed(modules.items()))).holds
    named_otherwise = {name[::-1]: module for name, module in modules.items()}
    assert network.certify(modules=named_otherwise).holds
    assert not network.certify(modules=list(modules.values())[::-1]).holds
    assert network.certify(modules=nn.ModuleDict(dict(reversed(modules.items())))).holds
    assert network.certify(modules=nn.ModuleDict(named_otherwise)).holds
    exchanged = dict(zip(modules, reversed(modules.values()), strict=True))
    assert not network.certify(modules=nn.ModuleDict(exchanged)).holds


@pytest.mark.parametrize("method", ["exact", "dedicated"])
def test_a_relu_at_the_end_that_no_sample_tells(method: str) -> None:
    g = torch.Generator().manual_seed(0)
    weights, biases = torch.randn(2, 9, 3, 3, generator=g), torch.full((2, 9, 3), 100.0)  # all answers are positive
    without, rectified = (MLPCircuits(weights, biases, last_relu=relu) for relu in (False, True))
    for own, other in ((without, rectified), (rectified, without)):
        network = compress(own, method=method)
        assert network.certify(modules=own).holds
        with pytest.raises(ValueError, match=r"modules end with.* a ReLU; those that the network carries end with"):
            network.certify(modules=other)


def test_other_modules_are_seen() -> None:
    found = made("exact").certify(modules=[circuits.to_module(MLPS, t + 40, [8] * 4) for t in range(40)])
    assert len(named(found, "altered")) == len(named(found, "wrong")) == 40


# --- What is not proved can fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["balanced", "redundant"])
def test_a_construction_without_proof_fails(method: str) -> None:
    network = made(method)
    found = network.certify()
    assert found.holds
    assert found.expected is not None
    error = found.measured[-1].relative
    for change, words in [
        ({"tolerance": error / 2}, "above the tolerance"),
        ({"expected": (*found.expected[:-1], error / 4)}, "not the one expected"),
        ({"expected": (*found.expected[:-1], math.nan)}, "not the one expected"),
    ]:
        worse = replace(found, **change)  # type: ignore[arg-type]
        (fault,) = worse.faults
        assert words in fault
        assert not worse.holds
    assert len(replace(found, measured=(replace(found.measured[-1], relative=math.nan),)).faults) == 2
    added(network.layers[-1], torch.tensor(1.0))
    found = network.certify()
    assert not found.holds
    assert not named(found, "altered")


def test_a_tolerance_that_is_not_kept_to() -> None:
    network = made("balanced")
    tight = Compressed(network.network, network.widths, network.origin, replace(network.report(), tolerance=1e-4))
    assert "above the tolerance" in tight.certify().verdict


@pytest.mark.parametrize("method", METHODS)
def test_no_number_no_certificate(method: str) -> None:
    for l in range(len(made(method).layers)):
        network = made(method)
        added(network.layers[l], torch.tensor(torch.nan))
        found = network.certify()
        assert not found.holds
        text = found.to_json()
        assert json.loads(text, parse_constant=lambda constant: pytest.fail(constant))["holds"] is False


# --- The verdict ---------------------------------------------------------------------------------------------------


def module(**change: Any) -> Callable[[Certificate], dict[str, Any]]:
    return lambda found: {"modules": (replace(found.modules[0], **change), *found.modules[1:])}


def error(change: float) -> Callable[[Certificate], dict[str, Any]]:
    return lambda found: {"measured": (replace(found.measured[0], relative=change), *found.measured[1:])}


SOUND = {method: made(method).certify() for method in ("exact", "balanced")}


@pytest.mark.parametrize(
    ("method", "change", "words"),
    [
        ("exact", module(samples=0, missing=0), "no answer of 1 of 40 modules (0)"),
        ("exact", module(samples=3, missing=3), "no answer of 1 of 40 modules (0)"),
        ("exact", module(altered=True), "the weights of 1 of 40"),
        ("exact", module(unlike=1), "run by its own forward, 1 of 40"),
        ("exact", module(wrong=2), "2 answers are off by more than rounding"),
        ("exact", module(coarse=True), "float32 is too coarse"),
        ("exact", lambda _: {"shortcut": 0.02}, "run and the layers do not agree"),
        ("exact", lambda _: {"shortcut": math.nan}, "run and the layers do not agree"),
        ("exact", lambda _: {"found_missing": (0.02, 0.001)}, "2.00% of active modules have no answer"),
        ("exact", lambda _: {"found_missing": (math.nan, 0.001)}, "nan% of active modules have no answer"),
        ("exact", error(math.nan), "is no number"),
        ("exact", error(math.inf), "is no number"),
        ("balanced", module(samples=0), "no answer of 1 of 64 modules (0)"),
        ("balanced", module(altered=True), "the weights of 1 of 64"),
        ("balanced", module(unlike=1), "run by its own forward, 1 of 64"),
        ("balanced", lambda _: {"shortcut": 0.02}, "run and the layers do not agree"),
    ],
)
def test_every_condition_counts(method: str, change: Callable[[Certificate], dict[str, Any]], words: str) -> None:
    found = replace(SOUND[method], **change(SOUND[method]))
    (fault,) = found.faults
    assert words in fault
    assert not found.holds
    assert found.verdict == f"does NOT hold: {fault}"
    assert json.loads(found.to_json())["faults"] == [fault]


def test_answers_that_go_missing() -> None:
    network = compress(MLPS[:40], z=2)
    found = network.certify()
    assert found.holds
    assert (found.missing, found.found_missing) == (0, (0, 0))
    assert "no answer" not in str(found)
    assert replace(found, found_missing=(0.5, 0.01), active=7).holds  # more than it was made for
    layers(network)[-1].bias("wire i")[:] = 0.5  # which no slot has
    found = network.certify()
    assert found.found_missing == (1, 0)
    assert "100.00% of active modules have no answer" in found.verdict
    assert "0.00% expected, 100.00% ± 0.00% found" in str(found)


@pytest.mark.parametrize(("method", "z"), [("exact", 1), ("exact", 2), ("dedicated", 1)])
def test_a_file_held_against_itself_proves_nothing(method: str, z: int, tmp_path: Path) -> None:
    modules = trained(12)
    network = compress(modules, method=method, z=z)
    assert network.certify().holds
    network.save(tmp_path / "big.safetensors")
    again = load(tmp_path / "big.safetensors")
    found = again.certify()
    assert not found.holds
    assert not found.faults
    assert found.verdict == "consistent with itself: no proof of the networks that it was made of"
    assert found.against == "those in its own weights"
    assert again.certify(modules=modules).verdict == "holds"
    other = compress(trained(24)[12:], method=method, z=z)
    other.save(tmp_path / "other.safetensors")
    assert load(tmp_path / "other.safetensors").certify().verdict == found.verdict  # which is why it is no proof
    if method == "exact":
        layers(again)[-3].C = 0.0
        assert again.certify().verdict.startswith("does NOT hold")


@pytest.mark.parametrize("z", [1, 3])
def test_gates_that_are_too_weak_for_the_proof(z: int, tmp_path: Path) -> None:
    """The samples are far smaller than what is proved, so that no answer of theirs is wrong."""
    network = compress(MLPS[:12], z=z, method="exact")
    active, x = torch.arange(12).view(-1, z), torch.ones(12 // z, z, 8)
    gated = [layer for layer in layers(network) if hasattr(layer, "keys") or (isinstance(layer, Cell) and layer.relu)]
    gates = {type(layer).__name__: layer for layer in gated}  # the last of each kind
    assert gates.keys() == (
        {"Cell"} if z == 1 else {"ClearTies", "Mark", "Compare", "Match", "Clear", "Places", "Cell"}
    )
    for layer in gates.values():
        name = "C" if isinstance(layer, Cell) else "keys"
        enough = getattr(layer, name)
        if isinstance(layer, Cell):
            layer.C = 0.95 * heard(layer.weights, layer.biases, network.network.bound or 0.0)
        else:
            layer.keys = replace(layer.keys, K=0.95 * layer.keys.K)
        found = network.certify(active, x)
        (fault,) = found.faults
        assert fault.startswith("its gates are weaker than the proof asks, for activations up to ")
        network.save(tmp_path / "big.safetensors", overwrite=True)
        assert load(tmp_path / "big.safetensors").network.gated  # a file holds weights, and gates are made of these
        setattr(layer, name, enough)
    layers(network)[-1].C = 0.0  # without a ReLU there is nothing to silence
    assert network.certify(active, x).holds
    assert network.to(torch.bfloat16).network.gated  # weights are rounded, and there is room for that


# --- What it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "times"), [(1, 1.271), (2, 7.057), (3, 28.13)])
def test_a_thousand_networks_cost(z: int, times: float) -> None:
    cost = compress(MLPS[:1000], z=z).report().cost
    assert cost is not None
    assert cost.own_parameters == 1000 * 3 * (64 + 8)
    assert cost.own_multiplications == z * 3 * 64
    assert cost.parameters / cost.own_parameters == pytest.approx(times, rel=0.003)


@pytest.mark.parametrize(("method", "z"), [("exact", 2), ("dedicated", 1), ("balanced", 1), ("redundant", 1)])
def test_costs_are_those_of_the_plain_matrices(method: str, z: int) -> None:
    network = made(method, z=z)
    found, report, dense = network.certify(), network.report(), network.dense()
    assert found.cost == report.cost
    assert found.cost.layers == len(dense)
    assert found.cost.parameters == sum(W.numel() + b.numel() for W, b in dense)
    assert found.cost.multiplications == sum(W.numel() for W, _ in dense)
    assert found.proved == report.proved == network.network.promise(z).words
    for said in (str(found), str(report)):
        assert f"{found.cost.parameters:,} in plain matrices" in said
        assert (found.proved or "nothing") in said


def test_costs_of_modules_of_unlike_widths() -> None:
    g = torch.Generator().manual_seed(0)
    mlps = [nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c)) for a, b, c in [(2, 3, 1), (4, 5, 2), (1, 1, 1)]]
    blocks = [nn.Sequential(ResidualBlock(d, m)) for d, m in [(2, 3), (4, 5)]]
    for modules, own, work in [
        (mlps, 9 + 4 + 25 + 12 + 2 + 2, 6 + 3 + 20 + 10),  # the two largest
        (blocks, 2 * 6 + 3 + 2 * 20 + 5, 2 * 6 + 2 * 20),
    ]:
        for m in modules:
            for p in m.parameters():
                p.data = torch.randn(p.shape, generator=g)
        cost = compress(modules, z=2, method="dedicated").certify().cost
        counted = sum(p.numel() for m in modules for p in m.parameters())
        assert cost.own_parameters == own == counted
        assert cost.own_multiplications == work


def test_the_width_asked_for_and_made() -> None:
    network = compress(MLPS[:64], method="balanced", tolerance=0.5, D=485)
    found = network.certify()
    assert (found.asked, found.D) == (485, network.D)
    assert network.D % 10 == 0
    assert f"width {network.D} (asked for at most 485)" in str(found)


# --- As text -----------------------------------------------------------------------------------------------------


def test_a_certificate_as_text(tmp_path: Path) -> None:
    found = SOUND["exact"]
    found.save(tmp_path / "certificate.json")
    stored = json.loads((tmp_path / "certificate.json").read_text(encoding="utf-8"))
    assert {field.name for field in fields(Certificate)} < stored.keys()
    assert (stored["holds"], stored["verdict"], stored["faults"]) == (True, "holds", [])
    assert stored["cost"]["own_parameters"] == 40 * 3 * 72
    assert found.to_json() == (tmp_path / "certificate.json").read_text(encoding="utf-8")
    assert "<table" in found._repr_html_()
    assert "verdict" in str(found)
