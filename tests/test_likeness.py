"""The shipped networks whose tasks no affine read-out gets: are two samples alike? From the data files alone."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch

from superpos.circuits import Circuits, random_active, trained
from superpos.circuits.likeness import Likeness
from superpos.sweep import affine

MLP, RESIDUAL, SAMPLES = trained("inseparable")
KINDS = {"residual": (RESIDUAL, SAMPLES.residual), "mlp": (MLP, SAMPLES.mlp)}


def load(name: str) -> dict[str, np.ndarray]:
    with files("superpos").joinpath("data", name).open("rb") as stream:
        return dict(np.load(stream, allow_pickle=False))


STORED = load("inseparable.npz")


@pytest.fixture(params=KINDS)
def kind(request) -> tuple[Circuits, Likeness]:
    return KINDS[request.param]


def test_what_ships():
    assert (RESIDUAL.L, RESIDUAL.T, RESIDUAL.d, RESIDUAL.m) == (2, 1024, 4, 4)
    assert (MLP.L, MLP.T, MLP.d, MLP.last_relu) == (3, 272, 8, False)
    assert (SAMPLES.residual.T, SAMPLES.mlp.T) == (1024, 272)
    assert len(files("superpos").joinpath("data", "inseparable.npz").read_bytes()) < 0.5e6


def test_every_network_alone_is_right_where_an_affine_read_out_is_not(kind):
    circuits, tasks = kind
    active = torch.arange(0, tasks.T, 4)[None].expand(1000, -1)
    inputs, labels = tasks.draw(active, seed=0)
    alone = (tasks.answers(circuits.run(active, inputs)[-1], active) == labels).double().mean(dim=0)
    assert alone.min() > 0.91  # all but a few have at least 95%
    assert alone.mean() > 0.97
    assert (alone > 0.93).sum() >= len(alone) - 1
    seen, seen_labels = replace(tasks, pool=~tasks.pool).draw(active[:400], seed=1)
    w = affine(seen.flatten(0, 1), seen_labels.flatten(), active[:400].flatten() // 4, active.shape[1])
    guess = torch.where(torch.einsum("btd,td->bt", inputs.double(), w[:, :-1]) + w[:, -1] > 0, 1, -1)
    linear = (guess == labels).double().mean(dim=0)
    assert linear.max() <= 0.65
    assert linear.mean() == pytest.approx(0.5, abs=0.03)


def test_alone_on_all_held_out_pairs(kind):
    circuits, tasks = kind
    for t in range(0, tasks.T, 16):
        inputs, labels = tasks.samples(t)
        active = torch.full((len(labels), 1), t)
        right = tasks.answers(circuits.run(active, inputs[:, None])[-1][:, 0], active[:, 0]) == labels
        assert right.double().mean() >= 0.95


@pytest.mark.parametrize("name", KINDS)
def test_samples_by_hand(name):
    tasks = KINDS[name][1]
    u, v = STORED["components"][STORED["pairs"].T].astype(np.float64)
    alike, unlike = STORED[f"{name}_radii"]
    for t in (0, 100, tasks.T - 1):
        mine = STORED["held_out"] & (STORED["pair_set"] == STORED[f"{name}_set"][t])
        x = (u - v)[mine] @ STORED[f"{name}_directions"][t].astype(np.float64).T / 2**0.5
        near, far = (x[side] for side in (np.linalg.norm(x, axis=1) <= alike, np.linalg.norm(x, axis=1) >= unlike))
        inputs, labels = tasks.samples(t)
        assert labels.tolist() == 2 * ([-1] * len(near) + [1] * len(far))  # each pair in both orders
        np.testing.assert_allclose(inputs[:, : x.shape[1]], np.concatenate([near, far, -near, -far]), atol=1e-5)
        assert not inputs[:, x.shape[1] :].any()  # the answer is not given


def test_directions_are_orthonormal_and_of_one_data_set(kind):
    _, tasks = kind
    eye = torch.eye(tasks.directions.shape[1]).expand(tasks.T, -1, -1)
    torch.testing.assert_close(tasks.directions @ tasks.directions.mT, eye, atol=2e-3, rtol=0)
    digits = tasks.directions[..., :20].any(dim=-1).any(dim=-1)
    tumours = tasks.directions[..., 20:].any(dim=-1).any(dim=-1)
    assert torch.equal(digits, tasks.task_set == 0)
    assert torch.equal(tumours, tasks.task_set == 1)
    assert 0.25 < tumours.double().mean() < 0.4
    assert "tumours" in tasks.name(int(tumours.nonzero()[0]))
    assert "digits" in tasks.name(int(digits.nonzero()[0]))


def test_held_out_pairs_are_of_rows_that_training_never_saw():
    table = load("trained.npz")
    aside = table["held_out"][STORED["pairs"]]
    assert (aside == STORED["held_out"][:, None]).all()
    tumour = table["row_class"][STORED["pairs"]] >= 10
    assert (tumour == STORED["pair_set"][:, None]).all()
    assert (STORED["pairs"][:, 0] != STORED["pairs"][:, 1]).all()
    train = ~table["held_out"] & (table["row_class"] < 10)
    np.testing.assert_allclose(STORED["components"][train, :20].astype(np.float64).std(0), 1, atol=1e-3)


def test_draws(kind):
    _, tasks = kind
    active = random_active(tasks.T, batch=4000, z=2, seed=3)
    inputs, labels = tasks.draw(active, seed=1)
    assert torch.equal(inputs, tasks.draw(active, seed=1)[0])
    assert not torch.equal(inputs, tasks.draw(active, seed=2)[0])
    # Both labels and both orders are equally likely: means over 8,000 draws, of size 1/√8000 = 0.011.
    assert labels.double().mean().abs() < 0.04
    assert (inputs * labels[..., None]).mean(dim=(0, 1)).abs().max() < 0.06
    second = 0
    for b in range(40):
        rows, row_labels = tasks.samples(int(active[b, 0]))
        near = (rows - inputs[b, 0]).abs().amax(dim=1) < 1e-5
        assert near.any()
        assert (row_labels[near] == labels[b, 0]).all()
        second += int(near.nonzero()[0]) >= len(rows) / 2  # the pair the other way round
    assert 8 < second < 32


@pytest.mark.parametrize("active", [[[1024]], [[-1]], [[1, 1]]])
def test_wrong_indices_are_refused(active):
    with pytest.raises(ValueError, match="active"):
        SAMPLES.residual.draw(torch.tensor(active), seed=0)


def test_a_wrong_kind_is_refused(unhooked):
    with pytest.raises(ValueError, match=r"kind is 'hard'; .* separable or inseparable"):
        trained("hard")  # pyright: ignore[reportCallIssue, reportArgumentType]
