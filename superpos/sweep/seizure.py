"""When networks of conditional rotations seize: idle slots that are on, and the largest T without. Chapter 11."""

import torch
from jaxtyping import Float
from torch import Tensor

from superpos import balanced, circuits, codes, theory
from superpos.sweep.experiments import RotationSetting


def stray(setting: RotationSetting, seed: int, *, L: int, batch: int) -> Float[Tensor, "L batch"]:
    """The share of idle slots, which no active circuit uses, whose first neuron is on: in each sample, layer by layer.

    Drawn as in `rotations`; `superpos.theory.rotations` predicts its mean. Chapter 11.
    """
    s, shares = setting, []
    small = circuits.conditional_rotations(s.T, L, seed=seed)
    large = balanced.embed(small, s.D, s.S, seed=seed, code=s.code)
    active = circuits.random_active(s.T, batch, s.z, seed=seed)
    x = circuits.conditional_inputs(circuits.sphere(batch, s.z, 2, seed=seed) / 2**0.5)
    for slots, (neurons, _) in zip(large.slots, large.states(active, x), strict=True):
        idle = torch.ones(batch, large.n).scatter_(1, slots[active].flatten(1), 0.0)
        on = (large.blocks(neurons)[:, 0] > 0) * idle
        shares.append(on.sum(dim=1) / idle.sum(dim=1))
    return torch.stack(shares)


def limit(n: int, S: int, z: int, code: str, seed: int, *, L: int = 20, batch: int = 100) -> int:
    """The largest T, to 3%, with which fewer than a third of the idle slots of a network are on after L layers.

    The mean over a batch, found by halving the range in log T; what the code holds if that is less. Chapter 11;
    `superpos.theory.seizure_limit` predicts it.
    """

    def seizes(T: int) -> bool:
        return stray(RotationSetting(4 * n, T, S, z, code), seed, L=L, batch=batch)[-1].mean().item() > 1 / 3

    return theory.largest_without(seizes, n, codes.max_circuits(code, n, S))
