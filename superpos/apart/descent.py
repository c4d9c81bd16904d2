"""How methods go down their losses: Adam, a rate that falls, and an end at any time. Chapter 17."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Terms = dict[str, Float[Tensor, " R"]]
Watch = Callable[[int, Terms], bool | None]
OFTEN = 100  # steps between two looks


class Descent:
    """Steps of Adam whose rate falls to 0 as a cosine. Chapter 17.

    Attributes:
        done: how many steps were made, without those before the first.
    """

    def __init__(self, parameters: Sequence[Tensor], *, steps: int, warm: int, rate: float) -> None:
        self.optimizer = torch.optim.Adam(parameters, lr=rate, foreach=True)
        self.steps, self.warm, self.rate, self.done = steps, warm, rate, 0

    def run(
        self,
        terms: Callable[[int], Terms],
        price: Callable[[float], Mapping[str, float]],
        watch: Watch | None,
    ) -> None:
        """Go down Σ price · term from the first warm step to the last, or until it is stopped.

        Args:
            terms: of the loss at a step; those below 0 are warm steps.
            price: of each term, 1 if it is not named, where a share of the steps is made.
            watch: is told the step and the terms, every 100 steps; if it returns True this ends there, as it does when
                it is interrupted from the keyboard.
        """
        try:
            for step in range(-self.warm, self.steps):
                now = max(step, 0) / self.steps
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate * 0.5 * (1 + math.cos(math.pi * now))
                found, prices = terms(step), price(now)
                loss = torch.stack([prices.get(name, 1.0) * x for name, x in found.items()]).sum()
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                self.done = max(step + 1, 0)
                if watch is None or step < 0 or step % OFTEN:
                    continue
                if watch(step, {name: x.detach() for name, x in found.items()}):
                    break
        except KeyboardInterrupt:
            pass
