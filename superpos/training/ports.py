"""How inputs get into a network that is trained, and answers out of it. Chapter 14."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import embedding_bag

from superpos.checks import check_count, check_seed, check_tensor
from superpos.network import Network
from superpos.sampling import generator

__all__ = ["Ports", "ports_of", "random_ports"]

_NUMBERS = 1 << 31  # of an encoder and a read-out together: 8 GB in single precision


@dataclass(frozen=True, eq=False)
class Ports:
    """The encoder and the read-out of every circuit, both linear, which training leaves alone. Chapter 14.

    Active circuits add their inputs a_t and their on-indicators, A⁰ = Σ_t encoder_tᵀ (a_t, 1), and the answer of
    circuit t is read as readout_t A of what the last layer leaves.

    Raises:
        TypeError, ValueError: for wrong shapes, or a number that is not finite.
    """

    encoder: Float[Tensor, "T d1 D"]
    readout: Float[Tensor, "T d D1"]

    def __post_init__(self) -> None:
        check_tensor("encoder", self.encoder, {"T": None, "d + 1": None, "D": None})
        T, d1, _ = self.encoder.shape
        check_tensor("readout", self.readout, {"T": T, "d": d1 - 1, "D": None}, like=self.encoder)

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """A⁰ of a batch."""
        return encode(self.encoder, active, inputs)

    def read(self, A: Float[Tensor, "B D1"], active: Int64[Tensor, "B z"]) -> Float[Tensor, "B z d"]:
        """The answers of the active circuits."""
        return read(self.readout, A, active)


def encode(
    encoder: Float[Tensor, "T d1 D"], active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]
) -> Float[Tensor, "B D"]:
    """Σ_t encoder_tᵀ (a_t, 1) over the active circuits."""
    given = torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=-1).flatten(1)
    d1 = encoder.shape[1]
    rows = (active[..., None] * d1 + torch.arange(d1, device=active.device)).flatten(1)
    return embedding_bag(rows, encoder.flatten(0, 1), per_sample_weights=given, mode="sum")


def read(
    readout: Float[Tensor, "T d D1"], A: Float[Tensor, "B D1"], active: Int64[Tensor, "B z"]
) -> Float[Tensor, "B z d"]:
    """readout_t A of the active circuits."""
    rows = readout[active]
    return torch.bmm(rows.flatten(1, 2), A[..., None])[..., 0].view(rows.shape[:3])


def random_ports(T: int, d: int, D: int, *, seed: int) -> Ports:
    """An encoder and a read-out that know nothing of the circuits: Gaussian numbers. Chapter 14.

    Entries of the encoder have variance 1/(d + 1), those of the read-out 1/D.

    Raises:
        TypeError, ValueError: for a size below 1, a seed that is none, or ports of more than 2³¹ numbers.
    """
    for name, value in (("T", T), ("d", d), ("D", D)):
        check_count(name, value)
    check_seed("seed", seed)
    numbers = T * (2 * d + 1) * D
    if numbers > _NUMBERS:
        raise ValueError(
            f"T is {T}: encoder and read-out of T circuits take T(2d + 1)D = {numbers:,} numbers; at most {_NUMBERS:,} "
            f"are allowed, which is T = {_NUMBERS // ((2 * d + 1) * D):,} with d = {d} and D = {D}"
        )
    g = generator(seed, "ports")
    encoder = torch.randn((T, d + 1, D), generator=g, dtype=torch.float32) / math.sqrt(d + 1)
    return Ports(encoder, torch.randn((T, d, D), generator=g, dtype=torch.float32) / math.sqrt(D))


def ports_of(network: Network) -> Ports:
    """The ports of a network: how it encodes an input, and how it reads an answer while one circuit runs. Chapter 14.

    Found by asking it: encoders are linear, and so are read-outs where one circuit is active.

    Raises:
        TypeError: if it is no network.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network is {type(network).__name__}; it must be a superpos.network.Network")
    T, d = network.T, network.d
    like = next(network.parameters())
    everyone = torch.arange(T, device=like.device)[:, None]
    none = like.new_zeros(T, 1, d)
    base = network.encode(everyone, none)
    unit = [network.encode(everyone, none + one) - base for one in torch.eye(d).to(like)]
    encoder = torch.stack([*unit, base], dim=1)
    *_, (_, left) = network.states(everyone, none + 0.5)
    A = left.detach().requires_grad_()
    answers = network.read(A, everyone, network.L)[:, 0]
    rows = [torch.autograd.grad(answers[:, i].sum(), A, retain_graph=True)[0] for i in range(d)]
    return Ports(encoder.detach(), torch.stack(rows, dim=1))
