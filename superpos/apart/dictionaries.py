"""Dictionaries: a layer's activations as sums of few directions out of many, learnt from samples. Chapter 17."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count, check_number, check_positive, check_seed, check_tensor
from superpos.sampling import generator

__all__ = ["Dictionary", "Run", "Training", "autoencoder", "transcoder"]

Watch = Callable[[int, Float[Tensor, " R"]], bool | None]


@dataclass(frozen=True)
class Run:
    """One of the dictionaries that are learnt side by side: what is drawn for it, and what makes it sparse. Chapter 17.

    Attributes:
        seed: of its first weights and its batches.
        l1: the price of a latent. At this price one latent that explains all by itself is too small by l1/2 of it.
        top: the number of latents that are kept on a sample, the largest ones; None: all.
    """

    seed: int = 0
    l1: float = 0.0
    top: int | None = None


@dataclass(frozen=True)
class Training:
    """How long a dictionary is trained: steps of Adam on a batch each, the rate falling from `lr` to 0. Chapter 17."""

    steps: int = 2000
    batch: int = 256
    lr: float = 1e-2


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Dictionaries learnt side by side: latents f = top(ReLU(E a + e)), which stand for D f + c. Chapter 17.

    Attributes:
        encoder: E.
        bias: e.
        decoder: D; its columns have length 1 in units of what is to be explained.
        offset: c.
        keep: how many latents are kept on a sample.
        losses: what was minimised, step by step; fewer than asked for if training was stopped.
    """

    encoder: Float[Tensor, "R K in"]
    bias: Float[Tensor, "R K"]
    decoder: Float[Tensor, "R out K"]
    offset: Float[Tensor, "R out"]
    keep: Int64[Tensor, " R"]
    losses: Float[Tensor, "steps R"]

    def latents(self, A: Float[Tensor, "B in"]) -> Float[Tensor, "R B K"]:
        """The latents of every run on a batch of activations.

        Raises:
            TypeError, ValueError: if A is no batch of activations such as it was made from.
        """
        check_tensor("A", A, {"B": None, "in": self.encoder.shape[-1]}, like=self.encoder)
        return _few((A @ self.encoder.mT + self.bias[:, None]).relu(), self.keep)

    def decode(self, f: Float[Tensor, "R B K"]) -> Float[Tensor, "R B out"]:
        """What latents stand for."""
        return f @ self.decoder.mT + self.offset[:, None]


def autoencoder(
    A: Float[Tensor, "N in"],
    latents: int,
    runs: Sequence[Run],
    *,
    training: Training | None = None,
    watch: Watch | None = None,
) -> Dictionary:
    """Sparse autoencoders of a layer's activations, one for each run, all at once. Chapter 17.

    What is minimised is |a − D f − c|² / E|a − ā|² + l1 Σ f / √(E|a − ā|²), with D's columns of length 1: with a price
    on latents as in [Bricken et al. 2023] and [Cunningham et al. 2023], or with the largest ones alone kept as in
    [Gao et al. 2024]. The encoder begins as the decoder's transpose. Latents that fall silent are left so: there is
    neither resampling nor an auxiliary loss.

    Args:
        A: activations, of any device; training takes place there.
        latents: how many there are.
        runs: seeds, and what makes each run sparse.
        training: how long.
        watch: called after each step with its number and the losses of all runs; training ends if it returns True.
            It ends as well when it is interrupted from the keyboard. What has been learnt until then is returned.

    Raises:
        TypeError, ValueError: if A is no batch of activations, all of them are the same, or a number is out of range.
    """
    return _learn(A, A, latents, runs, True, training or Training(), watch)


def transcoder(
    A: Float[Tensor, "N in"],
    Y: Float[Tensor, "N out"],
    latents: int,
    runs: Sequence[Run],
    *,
    training: Training | None = None,
    watch: Watch | None = None,
) -> Dictionary:
    """Transcoders: a layer's output from its input through sparse latents [Dunefsky et al. 2024]. Chapter 17.

    As `autoencoder`, with the outputs Y in the place of what is to be explained. The encoder begins at random.

    Raises:
        TypeError, ValueError: as `autoencoder`, and if Y has not one row for each of A.
    """
    check_tensor("A", A, {"N": None, "in": None})
    check_tensor("Y", Y, {"N": len(A), "out": None}, like=A)
    return _learn(A, Y, latents, runs, False, training or Training(), watch)


def _learn(
    A: Float[Tensor, "N in"],
    Y: Float[Tensor, "N out"],
    K: int,
    runs: Sequence[Run],
    tied: bool,
    training: Training,
    watch: Watch | None,
) -> Dictionary:
    """Both are trained alike, on inputs and outputs of mean 0 and mean square 1."""
    _check(A, K, runs, training)
    (A, a, size_a), (Y, c, size_c) = _standard("A", A), _standard("Y", Y)
    draws = [generator(run.seed, "dictionary") for run in runs]
    D = _unit(_normal(draws, Y.shape[1], K).to(Y))
    E = D.mT.clone() if tied else _unit(_normal(draws, K, A.shape[1]).to(A).mT).mT.contiguous()
    e, y = E.new_zeros(E.shape[:2]), D.new_zeros(D.shape[:2])
    weights = [w.requires_grad_() for w in (E, e, D, y)]
    price = A.new_tensor([run.l1 for run in runs])
    keep = torch.tensor([K if run.top is None else run.top for run in runs], device=A.device)
    adam, losses = torch.optim.Adam(weights, lr=training.lr, betas=(0.9, 0.99)), []
    try:
        for step in range(training.steps):
            adam.param_groups[0]["lr"] = training.lr * (1 - step / training.steps)
            drawn = torch.stack([torch.randint(len(A), (training.batch,), generator=g) for g in draws]).to(A.device)
            loss = _loss(A[drawn], Y[drawn], E, e, D, y, price, keep, tied)
            adam.zero_grad()
            loss.sum().backward()
            _descend(adam, D)
            losses.append(loss.detach())
            if watch is not None and watch(step, losses[-1]):
                break
    except KeyboardInterrupt:
        pass
    E, e, D, y = (w.detach() for w in weights)
    D = _unit(D)
    e = e - (E @ y[..., None])[..., 0] if tied else e
    e = e - (E @ a / size_a)
    scale = size_c / size_a  # latents in units of the outputs
    curve = torch.stack(losses) if losses else price.new_zeros(0, len(runs))
    return Dictionary(E * scale, e * size_c, D, y * size_c + c, keep, curve)


def _loss(
    A: Tensor, Y: Tensor, E: Tensor, e: Tensor, D: Tensor, c: Tensor, price: Tensor, keep: Tensor, tied: bool
) -> Float[Tensor, " R"]:
    read = A - c[:, None] if tied else A
    f = _few((read @ E.mT + e[:, None]).relu(), keep)
    left = (f @ D.mT + c[:, None] - Y).square().sum(dim=-1)
    n = Y.shape[-1]
    return left.mean(dim=-1) / n + price * f.sum(dim=-1).mean(dim=-1) / math.sqrt(n)


def _descend(adam: torch.optim.Adam, D: Float[Tensor, "R out K"]) -> None:
    """A step in which the decoder's columns keep their length: along them they are not moved."""
    assert D.grad is not None
    with torch.no_grad():
        D.grad -= D * (D.grad * D).sum(dim=1, keepdim=True)
        adam.step()
        D.copy_(_unit(D))


def _few(f: Float[Tensor, "R B K"], keep: Int64[Tensor, " R"]) -> Float[Tensor, "R B K"]:
    """The largest latents alone."""
    most = int(keep.max())
    if int(keep.min()) >= f.shape[-1]:
        return f
    largest, place = f.topk(most, dim=-1)
    kept = torch.arange(most, device=f.device) < keep[:, None, None]
    return torch.zeros_like(f).scatter(-1, place, largest * kept)


def _standard(name: str, A: Float[Tensor, "N n"]) -> tuple[Float[Tensor, "N n"], Float[Tensor, " n"], float]:
    """Rows of mean 0 and mean square 1, the mean, and the size that was divided by."""
    mean = A.mean(dim=0)
    size = (A - mean).square().mean().sqrt().item()
    if size == 0:
        raise ValueError(f"{name} has {len(A)} rows that are all the same; there is nothing to explain in them")
    return (A - mean) / size, mean, size


def _unit(D: Float[Tensor, "R out K"]) -> Float[Tensor, "R out K"]:
    return D / D.norm(dim=1, keepdim=True).clamp_min(torch.finfo(D.dtype).tiny)


def _normal(draws: list[torch.Generator], *shape: int) -> Float[Tensor, "R a b"]:
    return torch.stack([torch.randn(shape, generator=g, dtype=torch.float32) for g in draws])


def _check(A: object, K: int, runs: Sequence[Run], training: Training) -> None:
    check_tensor("A", A, {"N": None, "in": None})
    check_count("latents", K)
    check_count("steps", training.steps)
    check_count("batch", training.batch)
    check_positive("lr", training.lr)
    if not runs:
        raise ValueError("runs is empty; it must hold at least one Run, e.g. [Run(seed=0, l1=0.1)]")
    for run in runs:
        check_seed("seed", run.seed)
        check_number("l1", run.l1, at_least=0.0)
        if run.top is not None:
            check_count("top", run.top, at_most=K, why="there are no more latents")
