"""Training: a run that is stopped and goes on ends at the same weights; what is measured inside is what is there."""

import json
import math
import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from superpos import balanced, circuits, dedicated, errors, exact, redundant, residual, theory, training
from superpos.sampling import generator
from superpos.sweep import stored
from superpos.tensors import write_tensors
from superpos.training import (
    Options,
    Training,
    ablation,
    attribution,
    batch,
    inside,
    of_network,
    ports_of,
    random_network,
    random_ports,
    sharers,
)
from superpos.training.inside import alone
from superpos.training.study import Trained, adversarial, construction, measured, small_circuits, start, trained

D, T, d, L = 16, 6, 4, 2
OPTIONS = Options(batch=64, rate=1e-2)


def made(seed: int = 0, options: Options = OPTIONS, **more) -> Training:
    """A training of one small network."""
    small = circuits.random_mlps(T, d, L, seed=seed)
    net = random_network(random_ports(T, d, D, seed=seed), L, seed=seed, **more)
    return Training([net], [small], options, [seed])


def weights(run: Training) -> list[torch.Tensor]:
    return [x.detach() for x in run.learnt.values()]


def constructions() -> dict[str, tuple[Any, Any]]:
    """The five constructions, each with circuits that it runs."""
    small = circuits.random_mlps(64, 4, 2, seed=0)
    few = circuits.random_mlps(16, 4, 2, seed=0)
    bound = 2 * torch.linalg.matrix_norm(small.weights, ord=2).cumprod(dim=0).max().item()
    old = circuits.random_residual(16, 4, 4, 2, seed=0)
    return {
        "dedicated": (dedicated.embed(few), few),
        "exact": (exact.embed(small, 64, z=1, bound=bound, reach=2.0), small),
        "redundant": (redundant.embed(small, 64, 2, seed=0), small),
        "balanced": (balanced.embed(small, 64, 2, seed=0), small),
        "residual": (residual.embed(old, 256, 256, 1, seed=0), old),
    }


MADE = constructions()


# Training


def test_training_lowers_the_error_below_that_of_a_network_without_neurons():
    run, linear = made(), made(relu=False)
    small, found = run.circuits[0], []
    for one in (run, linear):
        before = measured(one.networks[0], small, 1, "sphere", 0)["error"]
        found.append(measured(one.run(800).settled()[0], small, 1, "sphere", 0)["error"])
        assert found[-1] < before
    assert found[0] < 0.3 * found[1]


def test_the_loss_is_that_of_the_modules_own_forward():
    for options in (OPTIONS, replace(OPTIONS, z=2), replace(OPTIONS, loss="fourth"), replace(OPTIONS, loss="worst")):
        run = made(options=options).run(20)
        [net], [small] = run.networks_now(), run.circuits
        loss = run._step(options.rate, "20")
        active, x = batch(small, options.z, options.batch, seed=generator(0, "batch 20").initial_seed())
        square = (net.run(active, x).estimates[-1] - small.run(active, x)[-1]).square().sum(dim=-1)
        of = {
            "square": square.mean(),
            "fourth": square.square().mean().sqrt(),
            "worst": square.flatten().topk(max(1, square.numel() // 100)).values.mean(),
        }
        torch.testing.assert_close(loss[0] * run.unit[0], of[options.loss])


@pytest.mark.parametrize("neurons", [None, 12])
def test_networks_side_by_side_are_trained_as_alone(neurons):
    alone_ = [made(seed, neurons=neurons) for seed in (0, 1)]
    both = Training(
        [x.networks[0] for x in alone_], [x.circuits[0] for x in alone_], OPTIONS, [x.seeds[0] for x in alone_]
    )
    both.run(30)
    for r, one in enumerate(alone_):
        one.run(30)
        for mine, theirs in zip(weights(one), weights(both), strict=True):
            torch.testing.assert_close(mine[0], theirs[r], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("options", [OPTIONS, replace(OPTIONS, noise=0.1, shake=0.1, decay=0.1, z=2)])
def test_a_run_stopped_at_ten_moments_ends_at_the_same_weights(options, tmp_path):
    whole = made(options=options).run(300)
    file, moments = tmp_path / "training.safetensors", sorted(random.Random(0).sample(range(1, 300), 10))
    for moment in [*moments, 300]:
        run = made(options=options)
        if file.exists():
            run.restore(training.load(file))
        run.run(moment)
        training.save(file, run.state())
    for one, other in zip(weights(whole), weights(made(options=options).restore(training.load(file))), strict=True):
        assert torch.equal(one, other)
    settled = [x.settled()[0].state_dict() for x in (whole, made(options=options).restore(training.load(file)))]
    assert all(torch.equal(settled[0][name], settled[1][name]) for name in settled[0])


def test_it_stops_when_it_is_told_to_and_goes_on():
    whole, run = made().run(400), made()
    steps = []

    def stop(step: int, loss: torch.Tensor) -> bool:
        steps.append((step, loss.shape))
        return step == 200

    assert run.run(400, stop).done == 200
    assert steps == [(100, (1,)), (200, (1,))]

    def interrupted(step: int, loss: torch.Tensor) -> None:
        raise KeyboardInterrupt

    assert run.run(400, interrupted).done == 300
    assert run.run(400).done == 400
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(run), strict=True))


def test_an_interrupt_in_the_middle_of_a_step_makes_no_half_step(monkeypatch):
    whole, run = made().run(300), made()
    step, calls = run.adam.step, []

    def interrupted(*args):
        step(*args)
        calls.append(run.done)
        if len(calls) in (37, 151, 222):
            raise KeyboardInterrupt

    monkeypatch.setattr(run.adam, "step", interrupted)
    ends = [run.run(300).done for _ in range(4)]
    assert ends == [0, 100, 100, 300]
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(run), strict=True))


def test_settling_leaves_the_training_where_it_is():
    run, whole = made().run(100), made().run(200)
    found = run.settled()[0]
    assert not torch.equal(found.dense()[0][0], run.networks_now()[0].dense()[0][0])
    run.run(200)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(run), strict=True))


@pytest.mark.parametrize(
    ("learns", "moves"),
    [("layers", "layers."), ("last layer", "layers.1."), ("ports", ("encoder", "readout")), ("everything", "")],
)
def test_only_what_is_to_learn_moves(learns, moves):
    run = made(options=replace(OPTIONS, learns=learns)).run(3)
    before, after = run.networks[0].state_dict(), run.networks_now()[0].state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith(moves)}


def test_what_it_starts_from_stays_as_it_is():
    run = made()
    before = {name: x.clone() for name, x in run.networks[0].state_dict().items()}
    run.run(5)
    assert all(torch.equal(before[name], x) for name, x in run.networks[0].state_dict().items())


def test_a_trained_network_is_a_network_like_the_others():
    run = made().run(50)
    [net], [small] = run.networks_now(), run.circuits
    active, x = batch(small, 2, 32, seed=5)
    found = errors.measure(net, small, active, x)
    off = net.run(active, x).estimates[-1] - small.run(active, x)[-1]
    torch.testing.assert_close(found.active.mean[0], off.square().sum(dim=-1).mean())
    A = net.encode(active, x)
    for W, b in net.dense():
        A = (A @ W.mT + b).relu()
    torch.testing.assert_close(net.read(A, active, L), net.run(active, x).estimates[-1])
    torch.testing.assert_close(
        net.read_all(A, L).gather(1, active[..., None].expand(-1, -1, d)), net.read(A, active, L)
    )
    with pytest.raises(ValueError, match="layer is 1; a trained network is read after its last layer, 2, only"):
        net.read(A, active, 1)


def test_the_adversary_finds_no_less_than_chance():
    run = made().run(200)
    [net], [small] = run.networks_now(), run.circuits
    assert adversarial(net, small, 1, 0) >= measured(net, small, 1, "sphere", 0)["worst"]
    plain = of_network(MADE["dedicated"][0])
    assert adversarial(plain, MADE["dedicated"][1], 1, 0) < 1e-9


# Constructions as a start


@pytest.mark.parametrize("name", MADE)
def test_a_construction_is_the_same_as_a_plain_network(name):
    net, small = MADE[name]
    plain = of_network(net)
    active, x = batch(small, 1, 200, seed=1)
    torch.testing.assert_close(
        plain.run(active, x).estimates[-1], net.run_layers(active, x).estimates[-1], rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(ports_of(net).encode(active, x), net.encode(active, x))


def test_a_construction_whose_last_layer_has_no_relu_is_refused():
    small = circuits.random_mlps(8, 4, 2, seed=0)
    net = dedicated.embed(circuits.MLPCircuits(small.weights, small.biases, last_relu=False))
    with pytest.raises(ValueError, match="network has layers that no plain ReLU layer says"):
        of_network(net)


# What is inside


def test_dedicated_neurons_have_one_user_and_no_bystanders():
    net, small = MADE["dedicated"]
    plain = of_network(net)
    active, x = alone(small, 16, seed=0)
    for use in (ablation(plain, active, x), attribution(plain, active, x)):
        assert sharers(use).max() == 1
        owners = torch.arange(32 * 4) // 4 % 16
        circuit, neuron = (use > 1e-9).nonzero().unbind(dim=1)
        assert (owners[neuron] == circuit).all()
    found = inside(plain, small, seed=0)
    assert found.bystanders == 0
    assert found.neurons <= 2 * 4
    assert found.margin < 2


@pytest.mark.parametrize("name", ["redundant", "balanced"])
def test_block_neurons_are_used_by_the_circuits_that_have_them(name):
    net, small = MADE[name]
    plain = of_network(net)
    active, x = alone(small, 16, seed=0)
    owns = torch.zeros(64, 2, 4, 16, dtype=torch.bool)
    for l in range(2):
        owns[torch.arange(64)[:, None], l, :, net.slots[l]] = True
    for use in (ablation(plain, active, x), attribution(plain, active, x)):
        used = use >= 0.01
        assert not used[~owns.flatten(1)].any()
        assert (sharers(use) <= owns.flatten(1).sum(dim=0)).all()
        assert used[owns.flatten(1)].double().mean() > 0.5
    found = inside(plain, small, seed=0)
    assert found.margin < 2
    assert 0 < found.bystanders < 0.5


def test_exact_neurons_are_those_of_slots_and_gates_show():
    net, small = MADE["exact"]
    plain = of_network(net)
    found = inside(plain, small, seed=0)
    n = net.plan.n
    assert found.margin > 10  # a gate lies far below 0
    assert abs(found.bystanders - (64 / n - 1 + 64 / n - 1) / 63) < 0.05 or n * n != 64
    active, x = alone(small, 16, seed=0)
    i, j = net._pair(torch.arange(64))
    same = (i[:, None] == i) | (j[:, None] == j)
    used = (ablation(plain, active, x) >= 0.01).double()
    met = (used @ used.mT > 0) & ~torch.eye(64, dtype=torch.bool)
    assert (same | ~met).double().mean() > 0.95


def test_residual_circuits_use_their_own_neurons_most():
    net, small = MADE["residual"]
    plain = of_network(net)
    active, x = alone(small, 16, seed=0)
    use = ablation(plain, active, x)[:, :256]
    own = torch.zeros_like(use, dtype=torch.bool)
    own.scatter_(1, net.neurons[0].flatten(1), True)
    assert use[own].mean() > 20 * use[~own].mean()


def test_a_neuron_of_the_last_layer_does_what_its_gradient_says():
    for name in ("redundant", "balanced", "dedicated"):
        net, small = MADE[name]
        plain = of_network(net)
        active, x = alone(small, 4, seed=0)
        last = plain.plain_layers[-1].neurons_wide
        pair = [f(plain, active, x)[:, -last:] for f in (ablation, attribution)]
        torch.testing.assert_close(*pair, rtol=1e-3, atol=1e-6)


# Theory


def test_a_network_without_neurons_gets_the_share_of_its_weights():
    T, d, D, g = 20, 4, 12, generator(0)
    R, E, M = (torch.randn(shape, generator=g).double() for shape in ((T, d, D), (T, d + 1, D), (T, d, d + 1)))
    design = torch.einsum("tiD,tjF->tijDF", R, E).reshape(T * d * (d + 1), D * D)
    W = torch.linalg.lstsq(design, M.flatten()).solution
    left = (design @ W - M.flatten()).square().sum() / M.square().sum()
    assert theory.without_neurons(T, d, D, affine=1.0) == pytest.approx(left.item(), rel=0.1)
    assert theory.without_neurons(T, d, D, affine=0.5) == pytest.approx(0.5 + 0.5 * left.item(), rel=0.1)
    assert theory.without_neurons(1, d, D, affine=0.75) == 0.25


def test_tangent_features_leave_what_is_predicted():
    T, D = 40, 16
    small, ports = circuits.random_mlps(T, 4, 1, seed=0), random_ports(T, 4, D, seed=0)
    W = torch.randn((D, D), generator=generator(0)) * math.sqrt(2 / D)
    active, x = alone(small, 100, seed=0)
    A = ports.encode(active, x)
    on = (A @ W.mT > 0).float()
    slopes = torch.einsum("bip,bp,bq->bipq", ports.readout[active[:, 0]], on, A).reshape(-1, D * D).double()
    truth = small.run(active, x)[-1].flatten().double()
    at_first = torch.einsum("bip,bp->bi", ports.readout[active[:, 0]], (A @ W.mT).relu()).flatten().double()
    # what is there at first is a function of the features too, so that it does not matter
    moved = torch.linalg.lstsq(slopes, truth - at_first).solution
    left = (at_first + slopes @ moved - truth).square().sum() / truth.square().sum()
    assert theory.tangent(T, D, 1) == pytest.approx(left.item(), rel=0.15)
    assert theory.tangent(10, 64, 2) < theory.tangent(40, 64, 2) < theory.tangent(160, 64, 2) < 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_smallest_network_and_other_precisions(dtype):
    small = circuits.random_mlps(1, 1, 1, seed=0).to(dtype)
    net = random_network(random_ports(1, 1, 1, seed=0), 1, seed=0).to(dtype)
    [found] = Training([net], [small], OPTIONS, [0]).run(5).networks_now()
    assert found.dense()[0][0].dtype == dtype
    assert all(math.isfinite(x) for x in vars(inside(found, small, seed=0)).values())


def test_no_construction_of_that_name_or_size_is_said():
    small = circuits.random_mlps(64, 4, 2, seed=0)
    with pytest.raises(ValueError, match="name is 'exakt'; for MLPCircuits it must be 'dedicated' or 'exact' or 'red"):
        construction("exakt", small, 64, 0)
    with pytest.raises(ValueError, match="D is 16: redundant holds no 64 circuits there with 1 … 8 copies"):
        construction("redundant", small, 16, 0)


# Bad input


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"z": 0}, "z is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"rate": 0.0}, "rate is 0.0; it must be positive"),
        ({"decay": -1.0}, "decay is -1.0"),
        ({"loss": "cube"}, "loss is 'cube'; it must be 'square' or 'fourth' or 'worst'"),
        ({"learns": "nothing"}, "learns is 'nothing'"),
        ({"inputs": "cube"}, "inputs is 'cube'"),
    ],
)
def test_options_that_are_none_are_refused(what, message, unhooked):
    with pytest.raises(ValueError, match=message):
        Options(**what)


def test_sizes_that_do_not_fit_are_refused(unhooked):
    run = made()
    [net], [small] = run.networks, run.circuits
    with pytest.raises(ValueError, match="1 networks, 2 circuits and 1 seeds are given"):
        Training([net], [small, small], OPTIONS, [0])
    with pytest.raises(ValueError, match="a network has L = 2 for 3 of its circuits"):
        Training([net], [circuits.random_mlps(T, d, 3, seed=0)], OPTIONS, [0])
    with pytest.raises(ValueError, match="z is 7"):
        Training([net], [small], replace(OPTIONS, z=7), [0])
    wide = random_network(random_ports(T, d, D + 1, seed=0), L, seed=0)
    with pytest.raises(ValueError, match="networks have several shapes"):
        Training([net, wide], [small, small], OPTIONS, [0, 1])
    with pytest.raises(ValueError, match="steps is 0"):
        run.run(0)
    with pytest.raises(ValueError, match="T is 100000000: encoder and read-out"):
        random_ports(10**8, 4, 64, seed=0)
    with pytest.raises(ValueError, match="affine is 1"):
        theory.without_neurons(4, 4, 16, affine=1.5)
    with pytest.raises(ValueError, match="D is 0"):
        theory.tangent(4, 0, 2)
    with pytest.raises(TypeError, match="network is int"):
        ports_of(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="readout has shape"):
        training.Ports(torch.ones(3, 5, 8), torch.ones(3, 5, 8))


def test_a_loss_that_is_not_finite_ends_the_run_at_the_last_good_state():
    run = made(options=replace(OPTIONS, rate=1e20))
    with pytest.raises(
        FloatingPointError, match=r"the loss is not finite at step \d+; the weights are those of step 0"
    ):
        run.run(400)
    assert run.done == 0
    assert all(torch.isfinite(x).all() for x in weights(run))
    late = made().run(250)
    with torch.no_grad():
        late.learnt["layers.0.W"].fill_(math.inf)
    with pytest.raises(FloatingPointError, match="not finite at step 250; the weights are those of step 250"):
        late.run(300)
    good = made().run(250)
    assert all(torch.equal(a, b) for a, b in zip(weights(good), weights(late), strict=True))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    file = tmp_path / "a.safetensors"
    training.save(file, made().run(5).state())
    with pytest.raises(ValueError, match=r"state is of a training with other settings, rate = 0.01 for 0.02"):
        made(options=replace(OPTIONS, rate=0.02)).restore(training.load(file))
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        training.load(tmp_path / "b.safetensors")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged"):
        training.load(file)
    write_tensors(other := tmp_path / "c.safetensors", {"x": torch.ones(3)})
    with pytest.raises(ValueError, match="it holds no training"):
        training.load(other)
    (plain := tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no safetensors file"):
        training.save(plain, made().state())
    assert plain.read_text() == "mine"
    cut = made().state()
    cut.tensors["exp_avg layers.0.b"] = torch.ones(1, 1)
    run = made()
    with pytest.raises(ValueError, match=r"state has \(1, 1\) for exp_avg layers.0.b; it must be of shape \(1, 16\)"):
        run.restore(cut)
    assert all(torch.equal(a, b) for a, b in zip(weights(run), weights(made()), strict=True))
    strange = Training(made().networks, [circuits.random_mlps(T, d, L, seed=9)], OPTIONS, [0])
    with pytest.raises(ValueError, match="other settings, digest"):
        strange.restore(made().state())
    state = made().state()
    state.tensors["learnt layers.0.W"][0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="state is not to be saved: learnt layers"):
        training.save(file, state)


# Stored results


ROWS = stored("training")


def test_there_are_enough_stored_networks_of_the_sizes_that_are_asked():
    assert len(ROWS) >= 120
    assert {32, 64, 128, 256} <= {row["D"] for row in ROWS}
    assert {1, 2, 3, 4} <= {row["z"] for row in ROWS}
    assert {1, 2, 4} <= {row["L"] for row in ROWS}
    assert all(row["script"] == "scripts/trainings.py" and row["seconds"] > 0 for row in ROWS)
    assert json.dumps(ROWS)


def test_stored_rows_say_how_far_they_came():
    for row in ROWS:
        steps, curve = zip(*row["curve"], strict=True)
        assert all(b == 2 * a for a, b in pairwise(steps))
        assert curve[-1] == row["error"]
        assert len(curve) == 1 or row["drop"] == pytest.approx(1 - curve[-1] / curve[-2])
        assert row["drop"] < 0.05 or 2 * steps[-1] > row["steps"]


def test_a_row_is_the_same_when_it_is_made_again():
    short = Trained(32, 8, steps=1000)
    one, other = (trained(short, 0) for _ in range(2))
    own = {"seconds"}
    assert {k: v for k, v in one.items() if k not in own} == {k: v for k, v in other.items() if k not in own}
    assert start(short, small_circuits(short, 0), 0).D == 32
