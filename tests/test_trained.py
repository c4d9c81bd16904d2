"""The shipped networks and tasks, checked from the data file alone (without the script that made it)."""

from importlib.resources import files

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from superpos.circuits import random_active, trained

MLP, RESIDUAL, SAMPLES = trained()
KINDS = {"residual": (RESIDUAL, SAMPLES.residual), "mlp": (MLP, SAMPLES.mlp)}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_what_ships():
    assert (RESIDUAL.L, RESIDUAL.T, RESIDUAL.d, RESIDUAL.m) == (2, 1024, 4, 4)
    assert (MLP.L, MLP.T, MLP.d, MLP.last_relu) == (3, 1024, 8, False)
    assert (SAMPLES.residual.T, SAMPLES.mlp.T) == (1024, 1024)
    assert len(files("superpos").joinpath("data", "trained.npz").read_bytes()) < 1.5e6


def test_accuracy_alone(kind):
    circuits, tasks = kind
    samples = [tasks.samples(t) for t in range(circuits.T)]
    labels = pad_sequence([y for _, y in samples], padding_value=99)  # (most samples, T)
    active = torch.arange(circuits.T).expand(labels.shape)
    answers = tasks.answers(circuits.run(active, pad_sequence([x for x, _ in samples]))[-1], active)
    accuracy = (answers == labels).sum(dim=0) / (labels < 99).sum(dim=0)
    assert accuracy.mean() > 0.965
    assert accuracy.min() > 0.85


def test_the_networks_use_their_inputs(kind):
    """On another sample's input a circuit is right about as often as chance: the labels are not leaked."""
    circuits, tasks = kind
    active = torch.arange(circuits.T).expand(50, -1)
    inputs, labels = tasks.draw(active, seed=0)
    answers = tasks.answers(circuits.run(active, inputs.roll(1, dims=0))[-1], active)
    chance = (1 / (tasks.classes >= 0).sum(1)).mean().item()  # nearly balanced classes
    assert (answers == labels).double().mean().item() == pytest.approx(chance, abs=0.05)


def test_held_out_rows_are_not_training_rows(kind):
    _, tasks = kind
    values = tasks.values.numpy()
    held_out = {row.tobytes() for row in values[tasks.pool]}
    assert len(held_out) == tasks.pool.sum() > 700
    assert held_out.isdisjoint(row.tobytes() for row in values[~tasks.pool])
    for t in range(0, tasks.T, 50):
        # Standardised by the training rows of the task's own classes: nothing of the held-out rows went in.
        train = np.isin(tasks.row_class, tasks.classes[t]) & ~tasks.pool.numpy()
        columns = values[train][:, tasks.features[t]].astype(np.float64)
        np.testing.assert_allclose(tasks.mean[t], columns.mean(0), rtol=1e-5)
        np.testing.assert_allclose(tasks.scale[t], columns.std(0), rtol=1e-5)
        assert tasks.pool[tasks.rows(t)].all()


def test_every_circuit_has_its_own_task(kind):
    _, tasks = kind
    assert len({tasks.name(t) for t in range(tasks.T)}) == tasks.T
    for classes, features in zip(tasks.classes.tolist(), tasks.features.tolist(), strict=True):
        assert len(set(features)) == len(features)
        digits = {0 <= c < 10 for c in classes if c >= 0}
        assert digits == {all(f < 64 for f in features)}  # classes and columns of one data set
        assert digits == {any(f < 64 for f in features)}


def test_samples_by_hand():
    """Inputs and labels of all samples of some tasks, straight from the file."""
    with files("superpos").joinpath("data", "trained.npz").open("rb") as stream:
        stored = dict(np.load(stream, allow_pickle=False))
    for t in (0, 7, 1023):
        first, second = stored["residual_classes"][t]
        rows = [r for r, c in enumerate(stored["row_class"]) if c in (first, second) and stored["held_out"][r]]
        assert SAMPLES.residual.rows(t).tolist() == rows
        inputs, labels = SAMPLES.residual.samples(t)
        assert labels.tolist() == [1 if stored["row_class"][r] == second else -1 for r in rows]
        assert (inputs[:, 3] == 0).all()  # the answer is not given
        for i in range(3):
            v = stored["values"][rows, stored["residual_features"][t, i]].astype(np.float32)
            x = (v - stored["residual_mean"][t, i]) / stored["residual_scale"][t, i]
            np.testing.assert_allclose(inputs[:, i], x, rtol=1e-5, atol=1e-6)


def test_one_residual_circuit_in_plain_loops():
    t, inputs = 5, SAMPLES.residual.samples(5)[0][:3]
    states = RESIDUAL.run(torch.full((3, 1), t), inputs[:, None])[:, :, 0]
    for b in range(3):
        x = inputs[b].tolist()
        for l in range(2):
            w_in, w_out, bias = (a[l, t].tolist() for a in (RESIDUAL.w_in, RESIDUAL.w_out, RESIDUAL.bias))
            neurons = [max(0.0, sum(w * v for w, v in zip(w_in[j], x, strict=True)) + bias[j]) for j in range(4)]
            x = [x[i] + sum(w_out[i][j] * neurons[j] for j in range(4)) for i in range(4)]
            np.testing.assert_allclose(states[l + 1, b], x, rtol=1e-4, atol=1e-5)


def test_draws(kind):
    circuits, tasks = kind
    active = random_active(circuits.T, batch=200, z=4, seed=3)
    inputs, labels = tasks.draw(active, seed=1)
    again, same = tasks.draw(active, seed=1)
    assert torch.equal(inputs, again)
    assert torch.equal(labels, same)
    assert not torch.equal(inputs, tasks.draw(active, seed=2)[0])
    for b in range(20):  # a sample of the circuit's own task, with its own label
        for j in range(4):
            rows, row_labels = tasks.samples(int(active[b, j]))
            match = (rows == inputs[b, j]).all(dim=1)
            assert labels[b, j] in row_labels[match]


def test_draws_reach_every_row():
    active = torch.full((5000, 1), 9)
    drawn = {x.numpy().tobytes() for x in SAMPLES.residual.draw(active, seed=0)[0][:, 0]}
    assert drawn == {x.numpy().tobytes() for x in SAMPLES.residual.samples(9)[0]}


def test_answers_by_hand():
    two = int((SAMPLES.mlp.classes[:, 2] < 0).nonzero()[0])
    four = int((SAMPLES.mlp.classes[:, 3] >= 0).nonzero()[0])
    outputs = torch.tensor([[0.1, 0.2, 5.0, 0.3, 9, 9, 9, 9]] * 2)
    assert SAMPLES.mlp.answers(outputs, torch.tensor([two, four])).tolist() == [1, 2]
    state = torch.tensor([[9.0, 9, 9, -0.1], [-9, -9, -9, 0.1]])
    assert SAMPLES.residual.answers(state, torch.tensor([0, 1])).tolist() == [-1, 1]


def test_padding_is_zero():
    for classes in (2, 3, 4):
        mine = (SAMPLES.mlp.classes >= 0).sum(dim=1) == classes
        assert mine.sum() > 100
        assert (MLP.weights[-1, mine][:, classes:] == 0).all()
        assert (MLP.biases[-1, mine][:, classes:] == 0).all()
        assert (MLP.weights[-1, mine][:, :classes] != 0).any(dim=-1).all()


def test_scale_of_the_residual_circuits():
    assert RESIDUAL.w_in.pow(2).sum(-1).mean().item() == pytest.approx(1, abs=0.05)  # 1 before the best were kept


@pytest.mark.parametrize("active", [[[1024]], [[-1]], [[1, 1]]])
def test_wrong_indices_are_refused(active):
    with pytest.raises(ValueError, match="active"):
        SAMPLES.mlp.draw(torch.tensor(active), seed=0)
