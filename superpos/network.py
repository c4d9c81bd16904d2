"""The large network: encode, run its layers, read. Every construction returns one. Chapter 3."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from superpos.checks import check_batch
from superpos.circuits import Circuits, MLPCircuits

_NUMBERS = 1 << 24  # largest intermediate, in numbers: batches are cut so that a read-out of all T fits
NOBODY, SEVERAL = -1, -2  # owners of a weight that no circuit has, or more than one

__all__ = ["Layer", "Network", "Run"]


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a run of the large network: what it says about the circuits that were active. Chapter 3.

    Attributes:
        estimates: entry 0 is the inputs, entry l what is read of each active circuit after circuit layer l, of all
            layers after which the network can be read (`depths`).
        on: fraction of the large network's neurons that are on (> 0) in each of these layers, over the batch.
        live: whether the large network says that it holds an estimate of an active circuit. Most cannot tell: all are.
    """

    estimates: Float[Tensor, "L1 B z d"]
    on: Float[Tensor, " L"]
    live: Bool[Tensor, "B z"]


class Layer(nn.Module, ABC):
    """A layer of a large network in two steps: the neurons it computes, and the activations it leaves. Chapter 3.

    Attributes:
        computes: whether it is a layer of the circuits, or one that only prepares for these.
    """

    computes: bool = True

    @property
    @abstractmethod
    def width(self) -> int:
        """The width of the activations that it leaves."""

    @property
    def fan_in(self) -> int:
        """The width of the activations that it reads."""
        return self.width

    @abstractmethod
    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        """The rectified neurons of the layer."""

    @abstractmethod
    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B D1"]:
        """The next activations, from the last ones and the neurons."""

    @abstractmethod
    def dense(self) -> tuple[Tensor, ...]:
        """The layer as plain matrices: (W, b), or (W_in, b, W_out) of a residual layer."""

    def forward(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D1"]:
        return self.write(A, self.neurons(A))


def parts(numbers: int, *tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """The batch in parts, small enough that `numbers` a sample stay below the largest intermediate allowed."""
    size = max(1, _NUMBERS // numbers)
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)


@dataclass(frozen=True)
class Promise:
    """The proved properties of a network, for a number of active circuits. Chapters 12 and 15.

    Attributes:
        words: in words; empty if nothing is proved.
        missing: the fraction of active circuits that have no answer, and say so.
    """

    words: str = ""
    missing: float = 0.0


class Network(nn.Module, ABC):
    """A large network that carries T circuits of width d in superposition; every construction makes one. Chapter 3.

    `encode` puts inputs in, `layers` are applied in turn, `read` takes estimates out; `run` does all three.

    Attributes:
        T, d: number of circuits, and their width.
        layers: applied in turn.
        bound, reach: the largest |activation|, and the largest |input|, for which it is made; None without a limit.
    """

    T: int
    d: int
    layers: nn.ModuleList
    bound: float | None = None
    reach: float | None = None

    @property
    def D(self) -> int:
        """The width of the widest layer, everything counted."""
        return max(layer.width for layer in self._layers())

    @property
    def L(self) -> int:
        """The number of circuit layers."""
        return sum(layer.computes for layer in self._layers())

    @property
    def depths(self) -> tuple[int, ...]:
        """The circuit layers after which it can be read, in the order of `states`: all of them, 1 … L."""
        return tuple(range(1, self.L + 1))

    @abstractmethod
    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """The input of the large network: linear in the inputs and the on-indicators of the active circuits."""

    @abstractmethod
    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        """The estimates of the active circuits' states after circuit layer `layer` (0: of their inputs)."""

    @abstractmethod
    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        """The estimates of all T circuits' states after circuit layer `layer`, by one matrix product."""

    def forward(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B D1"]:
        for _, after in self.trace(A):
            A = after
        return A

    def trace(self, A: Float[Tensor, "B D"]) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D1"]]]:
        """The neurons of each circuit layer, and the activations it leaves, of an encoded input."""
        for layer in self._layers():
            neurons = layer.neurons(A)
            A = layer.write(A, neurons)
            if layer.computes:
                yield neurons, A

    def dense(self) -> list[tuple[Tensor, ...]]:
        """The layers as plain matrices.

        (W, b) with A ← ReLU(A Wᵀ + b); for residual networks (W_in, b, W_out) with
        A ← A + ReLU(A W_inᵀ + b) W_outᵀ.
        """
        return [layer.dense() for layer in self._layers()]

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Run:
        """The estimates of the active circuits, by the layers, or by a shortcut past them where a construction has one.

        `ExactNetwork.run` is the one shortcut, and says so; `run_layers` takes none.

        Raises:
            TypeError, ValueError: for a wrong shape, dtype, device, index, or a value that is not finite.
        """
        return self.run_layers(active, inputs)

    def run_layers(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Run:
        """The estimates of the active circuits by the layers, all of them, a part of the batch at a time.

        Raises:
            TypeError, ValueError: as `run`.
        """
        self.check(active, inputs)
        runs = [self._run_part(t, x) for t, x in parts(self.D, active, inputs)]
        shares = [run.estimates.shape[1] / len(active) for run in runs]
        return Run(
            estimates=torch.cat([run.estimates for run in runs], dim=1),
            on=torch.stack([run.on * share for run, share in zip(runs, shares, strict=True)]).sum(dim=0),
            live=torch.cat([run.live for run in runs]),
        )

    def states(
        self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The neurons of each circuit layer and the activations that it leaves.

        All layers are run, gates and sorting included: these are the states that `superpos.errors` measures.
        """
        return self.trace(self.encode(active, inputs))

    def masked(
        self,
        circuits: Circuits,
        active: Int64[Tensor, "B z"],
        inputs: Float[Tensor, "B z d"],
        mask: Float[Tensor, "B T"],
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The `states` with the weights of circuit t multiplied by mask_t, W(μ) = shared + Σ_t μ_t W_t. Chapter 12.

        `circuits` are those that were embedded. Each construction says which weights are a circuit's own; the rest is
        shared, and stays. The encoding is made of active circuits alone, and is not masked. Differentiable in the mask.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which of its weights are a circuit's own")

    def blocks(self, neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B blocks size"]:
        """The neurons by what they stand for in a small circuit, where the construction knows it; else one block."""
        return neurons[:, None, :]

    def live(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Bool[Tensor, "B z"]:
        """Whether what a circuit layer leaves holds an answer of each circuit in `active`."""
        return torch.ones_like(active, dtype=torch.bool)

    def promise(self, active: int) -> Promise:
        """The properties proved for sets of that many active circuits: none, unless the construction has a proof."""
        return Promise()

    @property
    def gated(self) -> bool:
        """Whether the constants that silence neurons, which no weight of a circuit tells, are what the proof asks."""
        return True

    def owner(
        self, l: int, i: Int64[Tensor, "*at"], j: Int64[Tensor, "*at"], own: Bool[Tensor, "L1 T d"]
    ) -> Int64[Tensor, "*at"]:
        """The circuit to which entry (i, j) of the weights of layer l of `dense()` belongs.

        Args:
            l, i, j: i and j of one shape, or such that broadcast.
            own: which coordinates of each circuit are in use after each of its layers, the others being padding.

        Returns:
            Indices of circuits; NOBODY where no circuit has the weight, SEVERAL where more than one has (`sharers`).
        """
        raise NotImplementedError(f"{type(self).__name__} does not say whose its weights are")

    def sharers(self, l: int, i: int, j: int, own: Bool[Tensor, "L1 T d"]) -> tuple[int, ...]:
        """The circuits to which that entry belongs, all of them."""
        at = torch.tensor([i, j], device=own.device)
        t = int(self.owner(l, at[0], at[1], own))
        return () if t == NOBODY else (t,)

    def holders(self, l: int) -> tuple[int, Int64[Tensor, "T d k"]]:
        """The number of circuit layers behind a state, and the neurons that may hold each coordinate of it.

        Args:
            l: after so many layers of `dense()`; 0 for the encoded input.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which of its neurons hold a circuit")

    def small(self, t: Int64[Tensor, " chosen"]) -> MLPCircuits:
        """The circuits with these numbers, read back out of the large network's weights.

        Raises:
            ValueError: if a circuit has no weight of its own, so that it cannot be read.
        """
        raise NotImplementedError(f"the circuits of {type(self).__name__} cannot be read out of its weights")

    def copies(self) -> Iterator[tuple[int, Float[Tensor, "T d d"], Float[Tensor, "T d"]]]:
        """The layer l (from 0), weights and biases of all circuits, as they stand in the network: once a copy."""
        small = self.small(torch.arange(self.T, device=next(self.parameters()).device))
        yield from zip(range(small.L), small.weights, small.biases, strict=True)

    def rounding(self, state: Float[Tensor, "B z d"], layer: int) -> Float[Tensor, "B z d"]:
        """The most by which rounding may move what is read of a state, beside its own layer, in halves of an eps.

        Layer 0 is an input: how far what the first layer is given may lie from it.
        """
        return torch.zeros_like(state)

    def check(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> None:
        """Refuse a batch that this network cannot run.

        Raises:
            TypeError, ValueError: as `run`.
        """
        check_batch(active, inputs, self.T, self.d, like=next(self.parameters()))

    def _run_part(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Run:
        estimates, on, A = [inputs], [], inputs
        for l, (neurons, A) in zip(self.depths, self.states(active, inputs), strict=True):
            estimates.append(self.read(A, active, l))
            on.append((neurons > 0).to(inputs.dtype).mean())
        return Run(torch.stack(estimates), torch.stack(on), self.live(A, active, self.L))

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]
