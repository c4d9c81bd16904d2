"""The two kinds of small circuit, T of one shape at a time. Chapter 2."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.checks import check_batch, check_positive, check_tensor

C = TypeVar("C", bound="Circuits")


class Circuits(ABC):
    """T small networks of one shape, in stacked tensors: axis 0 is the layer, axis 1 the circuit.

    `circuits[:256]`, `circuits[3]` and `circuits[[4, 2]]` are some of them, of the same kind. Chapter 2.
    """

    @property
    @abstractmethod
    def stack(self) -> Float[Tensor, "L T out d"]:
        """The tensor that gives the circuits their shape, dtype and device."""

    @property
    def L(self) -> int:
        """The number of layers."""
        return self.stack.shape[0]

    @property
    def T(self) -> int:
        """The number of circuits."""
        return self.stack.shape[1]

    @property
    def d(self) -> int:
        """The width of a circuit's state."""
        return self.stack.shape[3]

    @abstractmethod
    def layer(self, l: int, active: Int64[Tensor, "B z"], x: Float[Tensor, "B z d"]) -> Float[Tensor, "B z d"]:
        """The states after layer l (from 0) of the circuits in `active`, from their states x before it."""

    def run(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "L1 B z d"]:
        """The states of the circuits in `active`, each run alone: what a large network has to reproduce.

        Args:
            active: indices of circuits, distinct within a row.
            inputs: their inputs.

        Returns:
            States (L+1, B, z, d); entry 0 is the inputs, entry l the state after layer l.

        Raises:
            TypeError, ValueError: for a wrong shape, dtype, device, index, or a value that is not finite.
        """
        check_batch(active, inputs, self.T, self.d, like=self.stack)
        states = [inputs]
        for l in range(self.L):
            states.append(self.layer(l, active, states[-1]))
        return torch.stack(states)

    def __len__(self) -> int:
        return self.T

    def __getitem__(self: C, chosen: int | slice | Sequence[int] | Int64[Tensor, " chosen"]) -> C:
        """Some of the circuits: `circuits[:256]`, `circuits[3]`, or a list or tensor of indices.

        Raises:
            IndexError: for an index outside 0 … T − 1.
        """
        if isinstance(chosen, slice):
            return self._map(lambda tensor: tensor[:, chosen])
        indices = torch.as_tensor(chosen, device=self.stack.device).reshape(-1)
        if indices.is_floating_point() or indices.dtype == torch.bool:
            raise TypeError(f"circuits are indexed by a slice or by integers, not by {indices.dtype}")
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.T:
            wrong = next(i for i in indices.tolist() if not 0 <= i < self.T)
            raise IndexError(f"index {wrong} names no circuit; indices lie in 0 … T − 1 = {self.T - 1}")
        return self._map(lambda tensor: tensor[:, indices])

    def detach(self: C) -> C:
        """The same circuits without gradients."""
        return self._map(Tensor.detach)

    def to(self: C, *args, **kwargs) -> C:
        """The same circuits in another dtype or on another device, as `Tensor.to`."""
        return self._map(lambda tensor: tensor.to(*args, **kwargs))

    def _map(self: C, change: Callable[[Tensor], Tensor]) -> C:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return replace(self, **{k: change(v) for k, v in tensors.items() if isinstance(v, Tensor)})  # type: ignore[type-var]


@dataclass(frozen=True, eq=False)
class MLPCircuits(Circuits):
    """T multilayer perceptrons of one width d, without a residual stream. Chapter 2.

    Circuit t turns its input a_t^0 into

        a_t^l = ReLU(w_t^l a_t^{l−1} + b_t^l),  l = 1 … L.

    Args:
        weights: w, shape (L, T, d, d).
        biases: b, shape (L, T, d).
        last_relu: False leaves the ReLU of layer L out (a linear output).
        bound: the largest |activation|, inputs included, on inputs as they are meant; None if it is not known.

    Raises:
        TypeError, ValueError: for a wrong shape, dtype or device, or a weight that is not finite.
    """

    weights: Float[Tensor, "L T d d"]
    biases: Float[Tensor, "L T d"]
    last_relu: bool = True
    bound: float | None = None

    def __post_init__(self) -> None:
        check_tensor("weights", self.weights, {"L": None, "T": None, "d": None, "d ": None})
        L, T, _, d = self.weights.shape
        check_tensor("weights", self.weights, {"L": L, "T": T, "d": d, "d ": d})
        check_tensor("biases", self.biases, {"L": L, "T": T, "d": d}, like=self.weights)
        if not isinstance(self.last_relu, bool):
            raise TypeError(f"last_relu is {self.last_relu!r} ({type(self.last_relu).__name__}); it must be a bool")
        if self.bound is not None:
            check_positive("bound", self.bound)

    @property
    def stack(self) -> Float[Tensor, "L T d d"]:
        return self.weights

    def layer(self, l: int, active: Int64[Tensor, "B z"], x: Float[Tensor, "B z d"]) -> Float[Tensor, "B z d"]:
        pre = (self.weights[l, active] @ x[..., None])[..., 0] + self.biases[l, active]
        return pre if l == self.L - 1 and not self.last_relu else pre.relu()

    def activation_bound(self, reach: float) -> float:
        """A bound β that no |activation| of any circuit exceeds while no |input| exceeds `reach`, both in units of a.

        It is found by interval arithmetic, in double precision; infinite where that does not hold it. Every coordinate
        lies in an interval of centre c and radius r. A layer makes of it w c + b and |w| r, and the ReLU cuts both ends
        off at 0. Chapter 15.

        Raises:
            ValueError: if reach is not positive.
        """
        check_positive("reach", reach)
        c = torch.zeros_like(self.biases[0], dtype=torch.float64)
        r, bound = torch.full_like(c, float(reach)), float(reach)
        for l, layer in enumerate(zip(self.weights.detach(), self.biases.detach(), strict=True)):
            w, b = (x.double() for x in layer)
            c, r = (w @ c[..., None])[..., 0] + b, (w.abs() @ r[..., None])[..., 0]
            if l < self.L - 1 or self.last_relu:
                low, high = (c - r).relu(), (c + r).relu()
                c, r = (high + low) / 2, (high - low) / 2
            largest = (c.abs() + r).max().item()
            if not math.isfinite(largest):
                return math.inf
            bound = max(bound, largest)
        return bound


@dataclass(frozen=True, eq=False)
class ResidualCircuits(Circuits):
    """T residual networks of one shape: a state of d coordinates, to which m neurons add in every layer. Chapter 2.

    Circuit t turns its input x_t^0 into

        x_t^{l+1} = x_t^l + w_out,t^l ReLU(w_in,t^l x_t^l + b_t^l),  l = 0 … L − 1.

    Args:
        w_in: reads the state into m neurons, shape (L, T, m, d).
        w_out: writes the neurons back, shape (L, T, d, m).
        bias: of the neurons, shape (L, T, m).

    Raises:
        TypeError, ValueError: for a wrong shape, dtype or device, or a weight that is not finite.
    """

    w_in: Float[Tensor, "L T m d"]
    w_out: Float[Tensor, "L T d m"]
    bias: Float[Tensor, "L T m"]

    def __post_init__(self) -> None:
        check_tensor("w_in", self.w_in, {"L": None, "T": None, "m": None, "d": None})
        L, T, m, d = self.w_in.shape
        check_tensor("w_out", self.w_out, {"L": L, "T": T, "d": d, "m": m}, like=self.w_in)
        check_tensor("bias", self.bias, {"L": L, "T": T, "m": m}, like=self.w_in)

    @property
    def stack(self) -> Float[Tensor, "L T m d"]:
        return self.w_in

    @property
    def m(self) -> int:
        """The number of neurons in a layer of one circuit."""
        return self.w_in.shape[2]

    def pre_activations(
        self, l: int, active: Int64[Tensor, "B z"], x: Float[Tensor, "B z d"]
    ) -> Float[Tensor, "B z m"]:
        """The pre-activations w_in,t x_t + b_t of layer l (from 0)."""
        return (self.w_in[l, active] @ x[..., None])[..., 0] + self.bias[l, active]

    def layer(self, l: int, active: Int64[Tensor, "B z"], x: Float[Tensor, "B z d"]) -> Float[Tensor, "B z d"]:
        neurons = self.pre_activations(l, active, x).relu()
        return x + (self.w_out[l, active] @ neurons[..., None])[..., 0]

    def as_mlp(self) -> MLPCircuits:
        """The same functions as MLPs without a residual stream, 2d + m wide and one layer deeper.

        A state goes through a ReLU as its two halves, x = ReLU(x) − ReLU(−x). So a hidden layer holds
        (ReLU(x), ReLU(−x), h) with h = ReLU(w_in x + b) of one residual layer, and the next one forms
        x' = ReLU(x) − ReLU(−x) + w_out h within its weights. The last layer leaves x^L in its first d coordinates,
        without a ReLU; what lies beyond is 0. Chapter 15.
        """
        L, T, m, d = self.w_in.shape
        width = 2 * d + m
        weights, biases = self.w_in.new_zeros(L + 1, T, width, width), self.w_in.new_zeros(L + 1, T, width)
        one = torch.eye(d, dtype=self.w_in.dtype, device=self.w_in.device).expand(T, d, d)
        for l in range(L + 1):
            state = one if l == 0 else torch.cat([one, -one, self.w_out[l - 1]], dim=-1)  # x from what is there
            held = slice(0, state.shape[-1])
            weights[l, :, :d, held] = state
            if l < L:
                weights[l, :, d : 2 * d, held] = -state
                weights[l, :, 2 * d :, held] = self.w_in[l] @ state
                biases[l, :, 2 * d :] = self.bias[l]
        return MLPCircuits(weights, biases, last_relu=False)

    @staticmethod
    def from_mlp(mlp: MLPCircuits, d: int) -> "ResidualCircuits":
        """The residual circuits of which `as_mlp` made these MLPs, with states of width d. Chapter 15."""
        hidden = mlp.weights.shape[2] - 2 * d
        w_in = mlp.weights[:-1, :, -hidden:, :d]
        w_out = mlp.weights[1:, :, :d, -hidden:]
        return ResidualCircuits(w_in.contiguous(), w_out.contiguous(), mlp.biases[:-1, :, -hidden:].contiguous())
