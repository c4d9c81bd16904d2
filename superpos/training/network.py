"""The network that is trained: plain layers between the ports of its circuits. Chapter 14."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import linear

from superpos.checks import check_count, check_seed
from superpos.network import Layer, Network
from superpos.sampling import generator
from superpos.training.ports import Ports, encode, ports_of, read

__all__ = ["TrainedNetwork", "of_network", "random_network"]


class PlainLayer(Layer):
    """A ← ReLU(W A + b), or without the ReLU."""

    def __init__(self, W: Float[Tensor, "M D"], b: Float[Tensor, " M"], relu: bool = True) -> None:
        super().__init__()
        self.W, self.b, self.relu = nn.Parameter(W), nn.Parameter(b), relu

    @property
    def width(self) -> int:
        return len(self.W)

    @property
    def fan_in(self) -> int:
        return self.W.shape[1]

    @property
    def neurons_wide(self) -> int:
        """The number of its neurons."""
        return len(self.b)

    def pre_activations(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        """W A + b."""
        return linear(A, self.W, self.b)

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        pre = self.pre_activations(A)
        return pre.relu() if self.relu else pre

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B D1"]:
        return neurons

    def dense(self) -> tuple[Tensor, ...]:
        return self.W, self.b


class PlainResidualLayer(PlainLayer):
    """A ← A + W_out ReLU(W A + b), or without the ReLU."""

    def __init__(
        self, W: Float[Tensor, "M D"], b: Float[Tensor, " M"], W_out: Float[Tensor, "D M"], relu: bool = True
    ) -> None:
        super().__init__(W, b, relu)
        self.W_out = nn.Parameter(W_out)

    @property
    def width(self) -> int:
        return len(self.W_out)

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B D"]:
        return A + linear(neurons, self.W_out)

    def dense(self) -> tuple[Tensor, ...]:
        return self.W, self.b, self.W_out


class TrainedNetwork(Network):
    """A plain network that is trained to run T circuits, which go in and out through its ports. Chapter 14.

    It can be read after its last layer only. It may have more layers than its circuits, or fewer.

    Attributes:
        ports: the encoder and the read-out.
    """

    encoder: Float[Tensor, "T d1 D"]
    readout: Float[Tensor, "T d D1"]

    def __init__(self, ports: Ports, layers: Sequence[PlainLayer], L: int) -> None:
        super().__init__()
        self.T, d1, D = ports.encoder.shape
        self.d, self._L = d1 - 1, L
        widths = [D, *(layer.width for layer in layers)]
        reads = [*(layer.fan_in for layer in layers), ports.readout.shape[2]]
        if widths != reads:
            raise ValueError(f"layers leave widths {widths[1:]} of an input {D} wide, and read {reads}; they must meet")
        self.register_buffer("encoder", ports.encoder)
        self.register_buffer("readout", ports.readout)
        self.layers = nn.ModuleList(layers)

    @property
    def ports(self) -> Ports:
        """The encoder and the read-out."""
        return Ports(self.encoder, self.readout)

    @property
    def plain_layers(self) -> list[PlainLayer]:
        """All layers, in turn."""
        return [layer for layer in self.layers if isinstance(layer, PlainLayer)]

    @property
    def L(self) -> int:
        return self._L

    @property
    def depths(self) -> tuple[int, ...]:
        return (self.L,)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        return encode(self.encoder, active, inputs)

    def trace(self, A: Float[Tensor, "B D"]) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D1"]]]:
        """The neurons and the activations of the last layer: what stands before it belongs to no layer of a circuit."""
        *_, last = super().trace(A)
        yield last

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        self._check_layer(layer)
        return read(self.readout, A, active)

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        self._check_layer(layer)
        return linear(A, self.readout.flatten(0, 1)).unflatten(1, (self.T, self.d))

    def _check_layer(self, layer: int) -> None:
        if layer != self.L:
            raise ValueError(f"layer is {layer}; a trained network is read after its last layer, {self.L}, only")


def random_network(
    ports: Ports, L: int, *, seed: int, layers: int | None = None, neurons: int | None = None, relu: bool = True
) -> TrainedNetwork:
    """A network with Gaussian weights, variance 2 over what is read, and no biases: where training starts. Chapter 14.

    Args:
        ports: of the circuits; the width of the network is theirs.
        L: the number of layers of the circuits.
        seed: of the weights.
        layers: of the network; None is L.
        neurons: M of a residual network, whose W_out is 0 at first; None is a plain one.
        relu: False is a network without neurons, the linear baseline.

    Raises:
        TypeError, ValueError: for a size below 1, a seed that is none, or ports of two widths.
    """
    layers = L if layers is None else layers
    for name, value in (("L", L), ("layers", layers), ("neurons", 1 if neurons is None else neurons)):
        check_count(name, value)
    check_seed("seed", seed)
    D = ports.encoder.shape[2]
    g = generator(seed, "layers")
    like = ports.encoder
    made: list[PlainLayer] = []
    for _ in range(layers):
        M = D if neurons is None else neurons
        W = (torch.randn((M, D), generator=g, dtype=torch.float32) * math.sqrt((2 if relu else 1) / D)).to(like)
        if neurons is None:
            made.append(PlainLayer(W, like.new_zeros(M), relu))
        else:
            made.append(PlainResidualLayer(W, like.new_zeros(M), like.new_zeros(D, M), relu))
    return TrainedNetwork(ports, made, L)


def of_network(network: Network) -> TrainedNetwork:
    """A construction as a plain network that can be trained: its own layers between its own ports. Chapter 14.

    Raises:
        TypeError: if it is no network.
        ValueError: if a layer has no ReLU where the others have one, so that plain layers do not say the same.
    """
    ports = ports_of(network)
    layers: list[PlainLayer] = []
    for W, b, *back in network.dense():
        W_in, bias, *W_out = (x.detach().clone() for x in (W, b, *back))
        layers.append(PlainResidualLayer(W_in, bias, W_out[0]) if W_out else PlainLayer(W_in, bias))
    plain = TrainedNetwork(ports, layers, network.L)
    t = torch.arange(network.T, device=ports.encoder.device)[:, None]
    x = ports.encoder.new_ones(network.T, 1, network.d) / 2
    answers = [one.run_layers(t, x).estimates[-1] for one in (network, plain)]
    if not torch.allclose(*answers, rtol=1e-3, atol=1e-4):
        raise ValueError("network has layers that no plain ReLU layer says, such as a last one without a ReLU")
    return plain
