"""Beyond first order: what conditional rotations do to the slots that should be silent. Chapter 11. Ours.

Seen slot by slot, the balanced network is small. With y the on-indicator that slot r of layer l reads, and ξ the
rotated vectors of the circuits on it,

    y = Σ_c 𝒲_rc α(c),   ξ = Σ_{t∋r} R_t x̂_t,   α(r) = min(1, max(0, 2y − ½)),   x(r) = ReLU(2y − 1 + ξ) − α(r),

where α̂_t, x̂_t are the means of α, x over the S slots of t. A slot that no active circuit uses is *idle*; it should hold
0, and does so while y ≤ ¼ and 2y + |ξ| < 1. What is followed from layer to layer are samples of n slots, held by some
circuits, active and inactive, of S slots each; what a slot reads of other circuits is drawn from the distribution that
its sample has in the layer before. Nothing is fitted, and no network is built: only the code's uses of its slots go in.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.codes import Code
from superpos.sampling import generator
from superpos.theory.overlap import Linear

_SLOTS, _ACTIVE = 60000, 4000  # slots and active circuits in all samples together


@dataclass(frozen=True)
class Rotations:
    """The predicted mean squared errors of conditional rotations after one layer, and what idle slots do. Chapter 11.

    Attributes:
        indicator: of the on-indicator α.
        point: of the rotating vector x.
        idle_on: share of idle slots whose first neuron is on.
    """

    indicator: Linear
    point: Linear
    idle_on: float


class Field:
    """The distribution of activations over slots, which `rotations` follows from layer to layer in G random samples.

    Each sample has C inactive and P active circuits. Its P active circuits read what z active circuits would; they are
    more for a better mean.

    Attributes:
        uses, count: how many circuits sit on a slot, its distinct values a, and how many slots have each.
        chosen: the distribution of a over the slots of circuits, which lie on much used slots more often.
        mean, square: Eα, Eα² on idle slots, for each a, over all samples.
        share, share_square: a sample's own mean of α, α² over idle slots, divided by that over all.
        alike: E αα' on two idle slots of one circuit.
        norm: E|x̂_u|² of an inactive circuit's idle slots.
        truth, alpha, x: true x_t, α̂_t and x̂_t of active circuits.
        met: with which active circuits each inactive one shared a slot in the last layer.
        idle_alpha, idle_x: what inactive ones read: α̂_u of idle slots alone, x̂_u of all.
    """

    def __init__(self, code: Code, z: int, seed: int) -> None:
        self.T, self.n, self.S, self.z, self.rho = code.T, code.n, code.S, z, code.rho_star
        self.generator = generator(seed, "seizure")
        uses, slots = code.uses.cpu(), code.slots.cpu()  # all that is drawn lies there
        self.rows = uses[slots].double()
        values, count = uses.unique(return_counts=True)
        self.uses, self.count = values.double(), count.double()
        self.chosen = self.uses * self.count / (self.T * self.S)
        self.idle_count = self.count * (1 - z * self.uses / self.T)
        self.chi = self._chi()
        self.link = 1 / self.S + self.chi  # what a linked slot weighs more than one that is not
        self.links, self.kind = self._chain()
        self.G = max(_SLOTS // self.n, 16)
        self.P, self.C = max(_ACTIVE // self.G, z), max(self.n // self.S, 1)
        self.turn, self.idle_turn = (2 * math.pi * self._uniform(self.G, k) for k in (self.P, self.C))
        self.truth = self._direction(self.G, self.P)

    def step(self, l: int) -> Rotations:
        """The prediction for layer l, after which the field holds what that layer leaves."""
        self.truth = _rotated(self.truth, self.turn)
        a, meets = self._places(self.P, self.z - 1)
        b, met = self._places(self.C, self.z)
        if l == 1:  # layer 0 is exact: only active circuits speak
            shared = meets.sum(dim=-1)
            xi = self.truth[:, :, None] + shared.sqrt()[..., None] * self._direction(*a.shape)
            alpha, x = _respond(1 + shared, xi)
            idle_alpha, idle_x = torch.zeros_like(b), b.new_zeros(*b.shape, 2)
        else:
            kinds = self.kind[self._integers(self.T, self.G, self.z)]  # of the active circuits' sets in layer l − 1
            alpha, x = self._active(a, meets, kinds)
            idle_alpha, idle_x = self._idle(b, kinds)
        # A slot that an active circuit has too is not idle: it holds what one of that circuit's slots holds.
        idle = (met.sum(dim=-1) == 0).double()
        sample, slot = torch.arange(self.G)[:, None, None], torch.arange(self.S)
        like = sample, self._integers(self.P, *b.shape), slot
        self.alpha, self.x, self.met = alpha.mean(dim=2), x.mean(dim=2), met.sum(dim=2)
        self.idle_alpha = (idle * idle_alpha).mean(dim=2)
        self.idle_x = torch.where(idle[..., None] > 0, idle_x, x[like]).mean(dim=2)
        self._summarise(b, idle, idle * idle_alpha, idle[..., None] * idle_x)
        heard = torch.where(idle > 0, idle_alpha, alpha[like]).mean(dim=2)
        on = self.idle_count @ self._by_uses(b, idle, (idle_alpha > 0).double()) / self.idle_count.sum()
        return Rotations(
            indicator=Linear((self.alpha - 1).square().mean().item(), heard.square().mean().item()),
            point=Linear(_square(self.x - self.truth).mean().item(), _square(self.idle_x).mean().item()),
            idle_on=on.item(),
        )

    def _active(self, a: Tensor, meets: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """(α, x) on the slots of active circuits, with a circuits on each, of which `meets` are active too."""
        shared = meets.sum(dim=-1)
        others = (a - 1 - shared).clamp_min(0)
        start = torch.zeros(self.G, self.P, self.z - 1, dtype=torch.float64)
        K = (self._linked_slots(others, start, kinds[:, 1:]) * (1 - meets)).sum(dim=-1)
        speaking, size = (q.mean(dim=1)[:, None, None] for q in (self.alpha, _square(self.x)))
        # A circuit's own slots are all linked: it reads α̂ of them, and the −χ that _heard takes for them is given back.
        own = self.alpha[..., None] + self.S * self.chi * speaking
        y = self._heard(others, K) + own + (1 + self.S * self.chi) * shared * speaking
        xi = self._noise(others * (self.z * self.rho * size + self.norm))
        xi = xi + (shared * size).sqrt()[..., None] * self._direction(*a.shape)
        return _respond(y, xi + _rotated(self.x, self.turn)[:, :, None])

    def _idle(self, b: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """(α, x) on the slots of inactive circuits, with b circuits on each, as if all of them were idle."""
        K = self._linked_slots(b - 1, self.met, kinds).sum(dim=-1)
        y = self._heard(b - 1, K) + self.idle_alpha[..., None]
        new = (K - self.met.sum(dim=-1, keepdim=True)).clamp_min(0)  # the rest is in what the circuit reads itself
        size = _square(self.x).mean(dim=1)[:, None, None]
        xi = self._noise(new * size / self.S**2 + (b - 1) * self.norm)
        return _respond(y, xi + _rotated(self.idle_x, self.idle_turn)[:, :, None])

    def _heard(self, a: Float[Tensor, "G N S"], K: Float[Tensor, "G N S"]) -> Float[Tensor, "G N S"]:
        """y that a slot reads through a inactive circuits, of K slots of active circuits and of all idle slots."""
        every = torch.arange(self.uses.max() + 1, dtype=torch.float64)[:, None]
        p, idle = self._linked(every), self.idle_count
        expected = (idle * (p * self.link - self.chi) * self.mean).sum(dim=1)
        weight = self.link * (self.link - 2 * self.chi) * p + self.chi**2  # E𝒲²
        mean = (self.chosen * self.mean).sum()
        # How many different slots aS links reach: those are balls thrown into urns, and their number is fixed.
        reached = (p * (1 - p) * self.count).sum(dim=1) - every[:, 0] * self.S * ((1 - p) * self.chosen).sum(dim=1) ** 2
        together = every[:, 0] * self.S * (self.S - 1) * ((1 - p).square() * self.chosen).sum(dim=1)
        variance = (idle * weight * (self.square - self.mean**2)).sum(dim=1)
        variance = variance + self.link**2 * (mean**2 * reached + together * (self.alike - mean**2))
        kind = a.long()
        from_active = (self.link * K - self.chi * self.z * self.S) * self.alpha.mean(dim=1)[:, None, None]
        noise = (variance.clamp_min(0)[kind] * self.share_square).sqrt() * self._normal(*a.shape)
        return from_active + expected[kind] * self.share + noise

    def _summarise(self, b: Tensor, idle: Tensor, alpha: Tensor, x: Tensor) -> None:
        """The moments of idle slots, from samples that are 0 elsewhere."""
        self.mean, self.square = (self._by_uses(b, idle, q) for q in (alpha, alpha.square()))
        slots = idle.sum(dim=-1)
        twos = alpha.sum(dim=-1).square() - alpha.square().sum(dim=-1)
        self.alike = (twos.sum() / (slots.square() - slots).sum().clamp_min(1)).item()
        self.norm = _square(x.mean(dim=2)).mean().item()
        own = (q.sum(dim=(1, 2)) / slots.sum(dim=1).clamp_min(1) for q in (alpha, alpha.square()))
        shares = (q / q.mean().clamp_min(1e-300) for q in own)
        self.share, self.share_square = (q[:, None, None] for q in shares)

    def _by_uses(self, b: Tensor, idle: Tensor, q: Tensor) -> Float[Tensor, " kinds"]:
        """Mean of q over idle slots, for each number of circuits on a slot."""
        kind = torch.searchsorted(self.uses, b).flatten()
        total, slots = (torch.zeros_like(self.uses).index_add_(0, kind, v.flatten()) for v in (q * idle, idle))
        return total / slots.clamp_min(1)

    def _places(self, circuits: int, z: int) -> tuple[Float[Tensor, "G N S"], Float[Tensor, "G N S z"]]:
        """Uses of the slots of circuits in every sample; which of the slots they share with each of z active ones."""
        a = self.rows[self._integers(self.T, self.G, circuits)]
        edge = ((a - 1) / max(self.T - 1, 1)).cumsum(dim=2)[..., None]
        below = torch.nn.functional.pad(edge[:, :, :-1], (0, 0, 1, 0))
        u = self._uniform(self.G, circuits, 1, z)
        return a, ((below <= u) & (u < edge)).double()

    def _linked_slots(
        self, a: Float[Tensor, "G N S"], start: Float[Tensor, "G N z"], kinds: Tensor
    ) -> Float[Tensor, "G N S z"]:
        """Of each of z active circuits, how many slots a circuits link, where `start` of them are linked already.

        How many circuits share a slot with an active one is given by the code, so that all slots of a sample together
        have a fixed number of links: what one slot has more, the others have less.
        """
        found = [a.new_zeros(a.shape)[..., None][..., :0]]
        for t in range(start.shape[2]):
            below = self.links[a.long(), start[:, :, t : t + 1].long(), kinds[:, None, t : t + 1]]
            score = self._normal(*a.shape, 1)
            score = score - score.mean(dim=(1, 2), keepdim=True)
            found.append((torch.special.ndtr(score) > below).sum(dim=-1, keepdim=True).double())
        return torch.cat(found, dim=-1)

    def _chain(self) -> tuple[Float[Tensor, "a start kinds k"], Int64[Tensor, " T"]]:
        """Distribution functions of the number k of linked slots, and of which kind each circuit of the code is.

        With k of the S slots of one active circuit linked, one more circuit links a new one with probability
        π (1 − k/S): a chain of a steps, from k = 0 or k = 1.
        """
        total, kind = (self.rows - 1).sum(dim=1).unique(return_inverse=True)
        k = torch.arange(self.S + 1, dtype=torch.float64)
        free = total[:, None] * (1 - k / self.S).clamp_min(0)  # circuits that would link a new slot
        state = torch.eye(self.S + 1, dtype=torch.float64)[:2, None].repeat(1, len(total), 1)
        every = []
        for drawn in range(int(self.uses.max()) + 1):
            every.append(state.cumsum(dim=-1))
            new = (free / max(self.T - 1 - drawn, 1)).clamp_max(1)
            moved = torch.nn.functional.pad((state * new)[..., :-1], (1, 0))
            state = state * (1 - new) + moved
        return torch.stack(every), kind

    def _linked(self, a: Float[Tensor, "a 1"]) -> Float[Tensor, "a kinds"]:
        """Probability that one of a circuits has a given slot of the layer before, by the uses of that slot."""
        log = torch.lgamma
        none = log(self.T - self.uses + 1) + log(self.T - a + 1) - log((self.T - self.uses - a).clamp_min(0) + 1)
        none = (none - log(torch.tensor(self.T + 1.0, dtype=torch.float64))).exp()
        return 1 - torch.where(self.uses + a > self.T, 0.0, none)

    def _chi(self) -> float:
        """χ as `superpos.balanced.balance` finds it, in the mean over permutations."""
        every = self.uses * self.count
        pairs, own = (every @ self._linked(self.uses[:, None]) @ every).item(), self.T * self.S**2
        return (pairs - own) / (self.S * max(self.T * own - pairs, 1.0))

    def _noise(self, square: Float[Tensor, "*s"]) -> Float[Tensor, "*s 2"]:
        """Normal vectors of that mean square."""
        return (square / 2).sqrt()[..., None] * self._normal(*square.shape, 2)

    def _direction(self, *shape: int) -> Float[Tensor, "*shape 2"]:
        angle = 2 * math.pi * self._uniform(*shape)
        return torch.stack([angle.cos(), angle.sin()], dim=-1)

    def _integers(self, below: int, *shape: int) -> Tensor:
        return torch.randint(below, shape, generator=self.generator)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, dtype=torch.float64)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)


def _square(x: Float[Tensor, "*s 2"]) -> Float[Tensor, "*s"]:
    """|x|²."""
    return x.square().sum(dim=-1)


def _respond(y: Float[Tensor, "*s"], xi: Float[Tensor, "*s 2"]) -> tuple[Float[Tensor, "*s"], Float[Tensor, "*s 2"]]:
    """(α, x) of a slot that reads y and ξ."""
    alpha = (2 * y - 0.5).clamp(0, 1)
    return alpha, ((2 * y - 1)[..., None] + xi).relu() - alpha[..., None]


def _rotated(x: Float[Tensor, "*s 2"], angle: Float[Tensor, "*s"]) -> Float[Tensor, "*s 2"]:
    c, s = angle.cos(), angle.sin()
    return torch.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], dim=-1)
