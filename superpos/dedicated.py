"""No superposition: each circuit has its own neurons. The yardstick of every construction. Chapter 1."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos.circuits import Circuits, MLPCircuits, ResidualCircuits
from superpos.network import NOBODY, Layer, Network, Promise

__all__ = ["DedicatedNetwork", "embed"]


class OwnMLPLayer(Layer):
    """a_t ← ReLU(w_t a_t + b_t) for every circuit: a block-diagonal layer, kept as its T blocks."""

    def __init__(self, w: Float[Tensor, "T d d"], b: Float[Tensor, "T d"], relu: bool) -> None:
        super().__init__()
        self.w, self.b = (nn.Parameter(x.clone(), requires_grad=False) for x in (w, b))
        self.relu = relu

    @property
    def width(self) -> int:
        return self.b.numel()

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return self._rectified(_blocks(self.w, A) + self.b.flatten())

    def masked(self, A: Float[Tensor, "B D"], mask: Float[Tensor, "B T"]) -> tuple[Tensor, Tensor]:
        """The neurons, and what is left, with mask_t w_t and mask_t b_t."""
        pre = _blocks(self.w, A) + self.b.flatten()
        neurons = self._rectified(pre * mask.repeat_interleave(self.w.shape[1], dim=1))
        return neurons, neurons

    def _rectified(self, pre: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return pre.relu() if self.relu else pre

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return neurons

    def dense(self) -> tuple[Tensor, Tensor]:
        return torch.block_diag(*self.w), self.b.flatten()


class OwnResidualLayer(Layer):
    """x_t ← x_t + w_out,t ReLU(w_in,t x_t + b_t) for every circuit, kept as T blocks."""

    def __init__(self, w_in: Float[Tensor, "T m d"], b: Float[Tensor, "T m"], w_out: Float[Tensor, "T d m"]) -> None:
        super().__init__()
        self.w_in, self.b, self.w_out = (nn.Parameter(x.clone(), requires_grad=False) for x in (w_in, b, w_out))

    @property
    def width(self) -> int:
        return self.w_in.shape[0] * self.w_in.shape[2]

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        return (_blocks(self.w_in, A) + self.b.flatten()).relu()

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B D"]:
        return A + _blocks(self.w_out, neurons)

    def masked(self, A: Float[Tensor, "B D"], mask: Float[Tensor, "B T"]) -> tuple[Tensor, Tensor]:
        """The neurons, and what is left, with mask_t w_in,t, mask_t b_t and mask_t w_out,t."""
        each = mask.repeat_interleave(self.w_in.shape[1], dim=1)
        neurons = (each * (_blocks(self.w_in, A) + self.b.flatten())).relu()
        return neurons, self.write(A, each * neurons)

    def dense(self) -> tuple[Tensor, Tensor, Tensor]:
        return torch.block_diag(*self.w_in), self.b.flatten(), torch.block_diag(*self.w_out)


PROMISE = Promise("every set of circuits is computed exactly")


class DedicatedNetwork(Network):
    """T circuits side by side in width D = T·d: exact for every set of active circuits, even all. Chapter 1."""

    def __init__(self, T: int, d: int, layers: list[Layer]) -> None:
        super().__init__()
        self.T, self.d = T, d
        self.layers = nn.ModuleList(layers)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        A = inputs.new_zeros(len(inputs), self.T, self.d)
        A[torch.arange(len(inputs), device=active.device)[:, None], active] = inputs
        return A.flatten(1)

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        return self.read_all(A, layer)[torch.arange(len(A), device=active.device)[:, None], active]

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        return A.unflatten(1, (self.T, self.d))

    def masked(
        self,
        circuits: Circuits,
        active: Int64[Tensor, "B z"],
        inputs: Float[Tensor, "B z d"],
        mask: Float[Tensor, "B T"],
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The `states` with the weights and biases of circuit t, its block of every layer, multiplied by mask_t."""
        A = self.encode(active, inputs)
        for layer in self.layers:
            assert isinstance(layer, OwnMLPLayer | OwnResidualLayer)
            neurons, A = layer.masked(A, mask)
            yield neurons, A

    def promise(self, active: int) -> Promise:
        return PROMISE

    def owner(self, l: int, i: Tensor, j: Tensor, own: Bool[Tensor, "L1 T d"]) -> Tensor:
        """Circuit t has the neurons t d … t d + d − 1."""
        t, d = i // self.d, self.d
        return torch.where((t == j // d) & own[l + 1, t, i % d] & own[l, t, j % d], t, NOBODY)

    def holders(self, l: int) -> tuple[int, Int64[Tensor, "T d 1"]]:
        device = next(self.parameters()).device
        return l, torch.arange(self.T * self.d, device=device).view(self.T, self.d, 1)

    def small(self, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
        layers = [layer for layer in self.layers if isinstance(layer, OwnMLPLayer)]
        if len(layers) < len(self.layers):
            return super().small(t)
        w, b = (torch.stack([getattr(layer, name)[t] for layer in layers]) for name in "wb")
        return MLPCircuits(w.detach(), b.detach(), last_relu=layers[-1].relu)

    def copies(self) -> Iterator[tuple[int, Float[Tensor, "T d d"], Float[Tensor, "T d"]]]:
        for l, layer in enumerate(layer for layer in self.layers if isinstance(layer, OwnMLPLayer)):
            yield l, layer.w.detach(), layer.b.detach()

    def blocks(self, neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B blocks T"]:
        return neurons.unflatten(1, (self.T, -1)).mT


def embed(circuits: MLPCircuits | ResidualCircuits) -> DedicatedNetwork:
    """The network in which T circuits stand side by side, each with d coordinates and neurons of its own. Chapter 1.

    It is D = T·d wide and makes no error but rounding. An inactive circuit is given 0 and may answer its biases;
    nobody reads it.

    Raises:
        TypeError: if circuits is neither MLPCircuits nor ResidualCircuits.
    """
    if not isinstance(circuits, MLPCircuits | ResidualCircuits):
        raise TypeError(f"circuits is {type(circuits).__name__}; it must be MLPCircuits or ResidualCircuits")
    L, T, d = range(circuits.L), circuits.T, circuits.d
    if isinstance(circuits, ResidualCircuits):
        stacks = circuits.w_in, circuits.bias, circuits.w_out
        return DedicatedNetwork(T, d, [OwnResidualLayer(*(x[l] for x in stacks)) for l in L])
    relu = [circuits.last_relu or l + 1 < circuits.L for l in L]
    return DedicatedNetwork(T, d, [OwnMLPLayer(circuits.weights[l], circuits.biases[l], relu[l]) for l in L])


def _blocks(w: Float[Tensor, "T out d"], A: Float[Tensor, "B Td"]) -> Float[Tensor, "B Tout"]:
    """The block-diagonal product, without its zeros."""
    return torch.einsum("toi,bti->bto", w, A.unflatten(1, (w.shape[0], w.shape[2]))).flatten(1)
