"""Gradient descent on a network that is not exact: what training mends of it. Chapter 15."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos import circuits, errors
from superpos.checks import check_count, check_positive, check_seed
from superpos.circuits import MLPCircuits
from superpos.circuits.trained import Tasks
from superpos.compression.compress import compress
from superpos.compression.compressed import Compressed


@dataclass(frozen=True)
class Tuning:
    """What is fine-tuned, and for how long: the first T trained networks, any z active, balanced in width D at most.

    Each of the `steps` takes a batch of samples; the rate falls from `lr` to 0.
    """

    steps: int
    T: int = 121
    z: int = 2
    D: int = 660
    lr: float = 1e-3
    batch: int = 256


def tune(
    large: Compressed, small: MLPCircuits, tasks: Tasks, *, steps: int, seed: int, lr: float = 1e-3, batch: int = 256
) -> list[float]:
    """Fine-tuning of a network's weights, in place, by Adam: Σ |y_large − y_small|² / Σ |y_small|² falls. Chapter 15.

    Every step takes `batch` samples of the tasks, with as many networks active as `large` is made for; the rate falls
    from `lr` to 0, in equal steps.

    Args:
        large: a network of `small` in which training can change every weight, such as a balanced one.
        small: the networks that went into it; what they put out is right.
        tasks: where samples are drawn from.
        seed: of the active sets and samples; different seeds share none up to 100,000 steps.

    Returns:
        The squared error over the squared signal, of each step's batch before it is learnt from.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    check_count("steps", steps)
    check_count("batch", batch)
    check_positive("lr", lr)
    check_seed("seed", seed)
    large.requires_grad_()
    adam = torch.optim.Adam(large.parameters(), lr=lr)
    curve = []
    for step in range(steps):
        adam.param_groups[0]["lr"] = lr * (1 - step / steps)
        active = circuits.random_active(small.T, batch, large.z, seed=seed * 100_000 + step)
        x, _ = tasks.draw(active, seed=seed * 100_000 + step)
        right = small.run(active, x)[-1]
        loss = (_outputs(large, active, x) - right).square().sum() / right.square().sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        curve.append(loss.item())
    large.requires_grad_(False)
    return curve


def tuned(setting: Tuning, seed: int) -> dict[str, float]:
    """The squared error over the squared signal, on samples that training has not seen: before and after. Chapter 15.

    Network, batches and the 2,000 samples of the test are drawn from the seed. Training has the even rows of the tasks'
    held-out samples, the test the odd ones.

    Returns:
        "before" and "after"; "last", the error on the batches of the last tenth of the steps.
    """
    s = setting
    stack, _, samples = circuits.trained()
    small, (train, test) = stack[: s.T], halves(samples.mlp)
    large = compress(small, z=s.z, tolerance=0.5, D=s.D, method="balanced", seed=seed)
    active = circuits.random_active(s.T, 2000, s.z, seed=seed)
    x, _ = test.draw(active, seed=seed)
    right = small.run(active, x)[-1]
    before = errors.relative(_outputs(large, active, x), right).error.item()
    curve = tune(large, small, train, steps=s.steps, seed=seed, lr=s.lr, batch=s.batch)
    last = curve[-max(1, s.steps // 10) :]
    after = errors.relative(_outputs(large, active, x), right).error.item()
    return {"before": before, "after": after, "last": sum(last) / len(last)}


def halves(tasks: Tasks) -> tuple[Tasks, Tasks]:
    """The tasks with the even rows of their held-out samples, for training, and with the odd ones. Chapter 15."""
    even = torch.arange(len(tasks.pool), device=tasks.pool.device) % 2 == 0
    return replace(tasks, pool=tasks.pool & even), replace(tasks, pool=tasks.pool & ~even)


def _outputs(
    large: Compressed, active: Int64[Tensor, "batch z"], x: Float[Tensor, "batch z d"]
) -> Float[Tensor, "batch z d"]:
    return large.read(large(large.encode(active, x)), active)
