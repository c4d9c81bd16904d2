"""What the answers of active circuits owe to the weights of inactive ones. Chapter 13."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_count, check_positive, check_tensor
from superpos.circuits import Circuits
from superpos.errors.measured import check_pair
from superpos.network import Network, parts
from superpos.sampling import generator


@dataclass(frozen=True, eq=False)
class Squares:
    """A square |δ|² of every sample of a batch, the mean over the circuits that are active in it. Chapter 13.

    Attributes:
        each: one number a sample.
    """

    each: Float[Tensor, " B"]

    @property
    def mean(self) -> float:
        """Over the samples."""
        return self.each.mean().item()

    @property
    def standard_error(self) -> float:
        """Of the mean; NaN of a single sample."""
        return self.each.std().item() / len(self.each) ** 0.5 if len(self.each) > 1 else float("nan")

    @property
    def median(self) -> float:
        """Over the samples; of an even number the mean of the two in the middle."""
        return self.each.quantile(0.5).item()

    @property
    def worst(self) -> float:
        """The largest."""
        return self.each.max().item()


@dataclass(frozen=True, eq=False)
class Ablated:
    """The outputs of active circuits without the weights of inactive ones, or with a part of these. Chapter 13.

    Attributes:
        before: |x̂ − x|² of the whole network, against the small circuits run alone, after the last layer.
        after: |x̂(μ) − x|² of the ablated one.
        change: |x̂(μ) − x̂|², what the ablation itself does.
    """

    before: Squares
    after: Squares
    change: Squares


def ablated(
    network: Network,
    circuits: Circuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    mask: Float[Tensor, "*B T"],
) -> Ablated:
    """The outputs of active circuits when the weights of inactive circuit t are multiplied by mask_t. Chapter 13.

    A network of T circuits has weights W(μ) = shared + Σ_t μ_t W_t, as `superpos.network.Network.masked` of its
    construction says, and is meant to be run with μ = 1. Active circuits keep their 1, whatever the mask says. A mask
    of zeros drops the inactive circuits wholly, one of halves in part, a random one at random, and that of `adversary`
    so that it does the most harm. The encoding is made of active circuits alone: there is nothing in it to ablate.

    Args:
        network: the embedded circuits.
        circuits: the same circuits.
        active, inputs: a batch.
        mask: in [0, 1], (T,) for the whole batch or (B, T), one for each sample.

    Raises:
        TypeError: if `network` or `circuits` is something else, or the batch has a wrong dtype.
        ValueError: if the network does not carry these circuits, as far as sizes tell; the batch does not fit them, or
            the mask is of another shape or leaves [0, 1].
    """
    _check(network, circuits, active, inputs)
    _check_mask(mask, active, network.T, inputs)
    mask = mask.expand(len(active), -1)
    found: list[list[Tensor]] = [[], [], []]
    with torch.no_grad():
        for t, x, m in parts(_numbers(circuits), active, inputs, mask):
            true = circuits.run(t, x)[-1]
            whole = _outputs(network, circuits, t, x, torch.ones_like(m))
            left = _outputs(network, circuits, t, x, m)
            for squares, off in zip(found, (whole - true, left - true, left - whole), strict=True):
                squares.append(_square(off))
    return Ablated(*(Squares(torch.cat(squares)) for squares in found))


def adversary(
    network: Network,
    circuits: Circuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    *,
    shared: bool = False,
    steps: int = 20,
    step: float = 0.1,
    seed: int = 0,
) -> Float[Tensor, "*B T"]:
    """The mask of inactive circuits that does the most harm, of those that ascent by signs of the gradient finds:

        μ ← clamp(μ + step · sign ∂|x̂(μ) − x|²/∂μ, 0, 1),

    from a random start, uniform in [0, 1]. It is the mask with the largest error seen on the way. Chapter 13.

    Args:
        network, circuits, active, inputs: as in `ablated`.
        shared: one mask for the whole batch, against its mean error, in the place of one for each sample.
        steps, step: how many steps, and how long.
        seed: of the start.

    Returns:
        The mask for `ablated`: (T,) if it is shared, else (B, T).

    Raises:
        TypeError, ValueError: as `ablated`, or for steps, a step or a seed that is none.

    Source: the ascent is the one of PGDReconLoss in goodfire-ai/spd, the code that goes on from Bushnaq, Braun &
    Sharkey (2025); there it is against what the network itself answers with a mask of ones.
    """
    _check(network, circuits, active, inputs)
    check_count("steps", steps)
    check_positive("step", step)
    truth, rows = circuits.run(active, inputs)[-1].detach(), 1 if shared else len(active)
    drawn = torch.rand(rows, network.T, generator=generator(seed, "masks"), dtype=torch.float32)
    mask = best = drawn.to(inputs)
    most = torch.full_like(mask[:, :1], -torch.inf)
    for left in range(steps, -1, -1):
        harm, slope = _harm(network, circuits, active, inputs, truth, mask)
        best, most = torch.where(harm > most, mask, best), harm.maximum(most)
        mask = (mask + step * slope.sign()).clamp(0, 1) if left else mask
    return best[0] if shared else best


def _harm(
    network: Network,
    circuits: Circuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    truth: Float[Tensor, "B z d"],
    mask: Float[Tensor, "rows T"],
) -> tuple[Float[Tensor, "rows 1"], Float[Tensor, "rows T"]]:
    """The squared error with each mask, and its gradient; of a single mask over the mean of the batch."""
    harm, slope = [], []
    for t, x, y, part in parts(_numbers(circuits), active, inputs, truth, mask.expand(len(active), -1)):
        m = part.detach().requires_grad_()
        with torch.enable_grad():
            square = _square(_outputs(network, circuits, t, x, m) - y)
            total = square.sum() + 0 * m.sum()  # circuits of one layer may have nothing to mask
        slope.append(torch.autograd.grad(total, m)[0])
        harm.append(square.detach())
    each, gradient = torch.cat(harm)[:, None], torch.cat(slope)
    if len(mask) < len(each):
        return each.mean(dim=0, keepdim=True), gradient.sum(dim=0, keepdim=True)
    return each, gradient


def _outputs(
    network: Network,
    circuits: Circuits,
    active: Int64[Tensor, "B z"],
    inputs: Float[Tensor, "B z d"],
    mask: Float[Tensor, "B T"],
) -> Float[Tensor, "B z d"]:
    """The estimates after the last layer, with the masks of inactive circuits; active ones have 1."""
    *_, (_, A) = network.masked(circuits, active, inputs, mask.scatter(1, active, 1.0))
    return network.read(A, active, network.L)


def _square(off: Float[Tensor, "B z d"]) -> Float[Tensor, " B"]:
    return off.square().sum(dim=-1).mean(dim=-1)


def _numbers(circuits: Circuits) -> int:
    """What a sample with a mask of its own takes: the masked weights of all circuits, in all layers."""
    return circuits.stack.numel()


def _check(network: Network, circuits: Circuits, active: Tensor, inputs: Tensor) -> None:
    check_pair(network, circuits)
    network.check(active, inputs)


def _check_mask(mask: object, active: Int64[Tensor, "B z"], T: int, like: Tensor) -> None:
    B = len(active)
    if not isinstance(mask, Tensor):
        raise TypeError(f"mask is {type(mask).__name__}; it must be a torch.Tensor of shape (T={T}) or (B={B}, T={T})")
    shape: dict[str, int | None] = {"T": T} if mask.dim() == 1 else {"B": B, "T": T}
    check_tensor("mask", mask, shape, like=like)
    wrong = (mask < 0) | (mask > 1)
    if wrong.any():
        where = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(f"mask has {mask[where].item():g} at index {where}; it must lie in 0 … 1: clamp it")
