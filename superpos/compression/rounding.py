"""How far rounding may take the answers of an exact network, layer by layer. Chapter 15.

A network that is proved to be exact is wrong only by rounding, and how much that may be follows from its numbers. So
what it holds after each layer is compared with what the module's own layer makes, in double precision, of what the
network held before it: errors of earlier layers are not counted again, however deep the network is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.circuits import MLPCircuits
from superpos.network import Network
from superpos.sampling import generator

_MORE = 4  # operations of a neuron beside the products of its d inputs: bias, gates, the reference's own
_NEAR = 4  # variations of each input, from which a module's own size is taken


@dataclass(frozen=True, eq=False)
class Rounding:
    """The rounding that circuits in a network may meet, in the arithmetic of the network and of the reference.

    Attributes:
        core: the large network.
        circuits: the circuits alone, in double precision.
        unit: half an eps of the network's numbers and of the reference's.
        tiny: the smallest normal number, below which they lose digits.
    """

    core: Network
    circuits: MLPCircuits
    unit: float
    tiny: float

    @staticmethod
    def of(core: Network, circuits: MLPCircuits, dtype: torch.dtype) -> "Rounding":
        info = torch.finfo(dtype)
        return Rounding(core, circuits, (info.eps + torch.finfo(torch.float64).eps) / 2, info.tiny)

    def step(
        self, l: int, active: Int64[Tensor, "B z"], state: Float[Tensor, "B z d"]
    ) -> tuple[Float[Tensor, "B z d"], Float[Tensor, "B z d"]]:
        """The states that layer l (from 0) makes of those the network holds, and how far off its next ones may be.

        A sum of k products, each rounded, is off by at most k u (|w||a| + |b|), u half an eps. To this come what
        reading adds (`Network.rounding`), before the layer and after it. A neuron that is off by more than rounding
        below 0 stays at 0, exactly.
        """
        k, w, b = self.circuits.d + _MORE, self.circuits.weights[l, active], self.circuits.biases[l, active]
        pre = (w @ state[..., None])[..., 0] + b
        heard = state.abs() + self.core.rounding(state, l) / k
        heard = heard + self.tiny * (heard > 0)
        off = k * self.unit * ((w.abs() @ heard[..., None])[..., 0] + b.abs())
        if self.circuits.last_relu or l < self.circuits.L - 1:
            off, pre = off.minimum((pre + off).relu()), pre.relu()
        return pre, off + self.unit * self.core.rounding(pre, l + 1)

    def through(self, active: Int64[Tensor, "B z"], states: Float[Tensor, "L1 B z d"]) -> Float[Tensor, "B z d"]:
        """The distance from the last of these states up to which rounding in all layers together may take it."""
        off = torch.zeros_like(states[0])
        for l, state in enumerate(states[:-1]):
            w, b = self.circuits.weights[l, active].abs(), self.circuits.biases[l, active].abs()
            own = (self.circuits.d + _MORE) * self.unit
            off = (w @ (off + own * (state.abs() + off))[..., None])[..., 0] + own * b
        return off


def near(inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "some B z d"]:
    """Some inputs near those given: every number times one between a half and one and a half.

    The size of a module's output is taken from these, since the one output of a sample may happen to be near 0.
    """
    factor = torch.rand((_NEAR, *inputs.shape), generator=generator(0, "near"), dtype=torch.float64)
    return inputs * (0.5 + factor).to(inputs)
