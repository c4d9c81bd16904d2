"""Trained circuits at their tasks in one network, beside a read-out that has no neuron. Chapters 2 and 8."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos import circuits, errors, residual
from superpos.sampling import generator, turns


def accuracy(
    D: int,
    T: int,
    z: int,
    seed: int,
    *,
    kind: circuits.Kind = "separable",
    S: int = 8,
    threshold: float = 0.5,
    batch: int = 2000,
) -> dict[str, float]:
    """The share of right answers of the first T trained residual circuits, z of them active, M = D. Chapter 8.

    alone: each circuit by itself; superposed: all T in one network of width D; dedicated: in a network of the same size
    as many as fit get their own d coordinates and m neurons, and the others guess between two classes. `error` is the
    superposed circuits' relative squared error after the last layer. `kind` is of their tasks, as in
    `circuits.trained`.
    """
    _, trained, samples = circuits.trained(kind)
    small = trained[:T]
    active = circuits.random_active(T, batch, z, seed=seed)
    x, labels = samples.residual.draw(active, seed=seed)
    truth = small.run(active, x)[-1]
    estimate = residual.embed(small, D, D, S, seed=seed, threshold=threshold).run(active, x).estimates[-1]
    right = [
        (samples.residual.answers(states, active) == labels).double().mean().item() for states in (truth, estimate)
    ]
    fit = min(1.0, min(D // small.d, D // small.m) / T)
    return {
        "alone": right[0],
        "superposed": right[1],
        "dedicated": fit * right[0] + (1 - fit) * 0.5,
        "error": errors.relative(estimate, truth).error.item(),
    }


def affine(
    x: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], task: Int64[Tensor, " n"], T: int
) -> Float[Tensor, "T d1"]:
    """The affine functions (w_t, b_t) whose w_t·x + b_t come nearest to the labels −1 and +1, one for each task.

    Least squares over the samples of a task, in which both labels together weigh the same. Where several fit equally
    well it is the shortest. Chapters 2 and 8.

    Raises:
        ValueError: if a task has no sample of one of the labels.
    """
    A = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()
    gram, right = A.new_zeros(T, A.shape[1], A.shape[1]), A.new_zeros(T, A.shape[1])
    for label in (-1, 1):
        of, t = A[labels == label], task[labels == label]
        count = torch.bincount(t, minlength=T)
        if not count.all():
            raise ValueError(f"task {int(count.argmin())} has no sample of the label {label}; a fit needs some of both")
        weighed = of / count[t, None]
        gram.index_add_(0, t, weighed[:, :, None] * of[:, None, :])
        right.index_add_(0, t, label * weighed)
    return (torch.linalg.pinv(gram, hermitian=True) @ right[..., None])[..., 0]


def linear_accuracy(
    D: int, T: int, z: int, seed: int, *, kind: circuits.Kind = "separable", samples: int = 400, batch: int = 2000
) -> float:
    """The share of right answers of a read-out without a neuron, on the tasks of T trained residual circuits.

    The inputs of z tasks are stored together, X = Σ_t E_t x_t in width D, and each is read as the sign of an affine
    function of E_tᵀX. It is fitted to about `samples` samples of its task that training saw, stored with those of z − 1
    others, and tested on `batch` held-out ones. Chapter 8.
    """
    tasks = circuits.trained(kind)[2].residual
    E = residual.embedding_matrix(T, tasks.d, D, seed=seed)
    stream = residual.ResidualNetwork(tasks.d, E, torch.empty((0, T, 1, 1), dtype=torch.int64), [])  # it has no layer
    every = turns(T, -(-samples * T // z), z, generator=generator(seed))
    x, labels = replace(tasks, pool=~tasks.pool).draw(every, seed=seed)
    read = stream.read(stream.encode(every, x), every, 0)
    w = affine(read.flatten(0, 1), labels.flatten(), every.flatten(), T)
    active = circuits.random_active(T, batch, z, seed=seed)
    x, labels = tasks.draw(active, seed=seed)
    read = stream.read(stream.encode(active, x), active, 0).double()
    value = (w[active][..., :-1] * read).sum(dim=-1) + w[active][..., -1]
    return (torch.where(value > 0, 1, -1) == labels).double().mean().item()
