"""Beyond first order: what conditional rotations do to the slots that should be silent. Chapter 10. Ours.

Seen slot by slot, the balanced network is small. With y the on-indicator that slot r of layer l hears, and ξ the
rotated vectors of the circuits on it,

    y = Σ_c 𝒲_rc α(c),   ξ = Σ_{t∋r} R_t x̂_t,   α(r) = min(1, max(0, 2y − ½)),   x(r) = ReLU(2y − 1 + ξ) − α(r),

where α̂_t, x̂_t are the means of α, x over the S slots of t. A slot that no active circuit uses is *idle*; it should hold
0, and does so while y ≤ ¼ and 2y + |ξ| < 1. What is followed from layer to layer is the distribution of (α, x) on idle
slots, in five moments, and a sample of active circuits. Nothing is fitted, and no network is built: only the code's
uses of its slots go in.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_count
from superpos.codes import Code
from superpos.sampling import generator
from superpos.theory.overlap import Linear, point

_SLOTS, _CIRCUITS = 10000, 4000  # drawn for a mean over idle slots of one kind, and over active circuits


def leak(T: int, n: int, S: int, z: int) -> float:
    """√(z(e^x − 1)/S) with x = TS²/n²: standard deviation of the on-indicator that an idle slot hears in layer 2.

    A slot r is linked to each of the zS slots that are on with probability p = 1 − e^{−x}, and then hears
    1/S + χ = 1/(S(1−p)), so that y = (K − zSp)/(S(1−p)) with K of them linked: the variance is zp/(S(1−p)). For small x
    it is √(zTS)/n. What is above ¼ switches neurons on. Chapter 10.
    """
    return math.sqrt(z * math.expm1(T * S**2 / n**2) / S)


@dataclass(frozen=True)
class Rotations:
    """Predicted mean squared errors of conditional rotations after one layer, and what the idle slots do.

    Attributes:
        indicator: of the on-indicator α.
        point: of the rotating vector x.
        idle_on: share of idle slots whose first neuron is on.
    """

    indicator: Linear
    point: Linear
    idle_on: float


def rotations(code: Code, z: int, L: int, *, seed: int = 0) -> list[Rotations]:
    """Predict L layers of the balanced construction of conditional rotations, idle slots included.

    In layer 2 and later, a slot with a circuits on it hears K of the slots of active circuits, of each of them as many
    as are linked: each of the a circuits shares a slot with an active one with probability ρ*S², and one slot is heard
    once. Of the idle slots it hears a normal sum, with

        mean Σ_c E𝒲 Eα,
        variance Σ_c E𝒲² var α + (1/S+χ)² [(Eα)² var(links) + a S(S−1)(1−p)² cov(α, α')],

    α and α' on two slots of one circuit, which read that circuit's own α̂_t both. Active circuits hear the same on their
    slots, beside their own y = 1. E|x̂_u|² of an inactive circuit, which sets ξ, is zρ* E|x̂_t|² plus what stands on its
    idle slots. Chapter 10.

    Args:
        code: of the circuits; only how often its slots are used is looked at.
        z: active circuits.
        L: layers.
        seed: of the sample that the means are taken over.
    """
    check_count("z", z, at_most=code.T)
    check_count("L", L)
    field = _Field(code, z, seed)
    return [field.step(l) for l in range(1, L + 1)]


def onset(code: Code, z: int, L: int, *, factor: float = 2.0, seed: int = 0) -> int | None:
    """The first layer ≤ L in which the error of active circuits is `factor` times the linear law `point`, or None.

    At z = 1 the first layer has no error by either, and does not count. Chapter 10.
    """
    predicted = [layer.point.active for layer in rotations(code, z, L, seed=seed)]
    return first_excess(predicted, code.T, z, code.rho_star, factor=factor)


def first_excess(errors: list[float], T: int, z: int, rho: float, *, factor: float = 2.0) -> int | None:
    """The first layer in which errors, measured or predicted, are `factor` times the linear law, or None."""
    for l, error in enumerate(errors, start=1):
        law = point(l, T, z, rho).active
        if law > 0 and error >= factor * law:
            return l
    return None


class _Field:
    """What `rotations` follows from layer to layer.

    Attributes:
        uses, count: how many circuits sit on a slot, its distinct values a, and how many slots have each.
        chosen: the distribution of a over the slots of circuits, which lie on much used slots more often.
        mean, square, norm: Eα, Eα², E|x|² on idle slots, for each a.
        alike: E αα' and E x·x' on two idle slots of one circuit.
        alpha, x, truth: α̂_t, x̂_t and the true x_t of a sample of active circuits.
    """

    def __init__(self, code: Code, z: int, seed: int) -> None:
        self.T, self.n, self.S, self.z, self.rho = code.T, code.n, code.S, z, code.rho_star
        self.generator = generator(seed, "seizure")
        self.rows = code.uses[code.slots].double()
        values, count = code.uses.unique(return_counts=True)
        self.uses, self.count = values.double(), count.double()
        self.chosen = self.uses * self.count / (self.T * self.S)
        self.chi = self._chi()
        self.link = 1 / self.S + self.chi  # what a linked slot weighs more than one that is not
        self.mean, self.square, self.norm = (torch.zeros(len(values), dtype=torch.float64) for _ in range(3))
        self.alike = 0.0, 0.0
        self.angle = 2 * math.pi * self._uniform(_CIRCUITS)
        self.truth = self._direction(_CIRCUITS)

    def step(self, l: int) -> Rotations:
        """Go through layer l."""
        self.truth = _rotated(self.truth, self.angle)
        a = self.rows[torch.randint(self.T, (_CIRCUITS,), generator=self.generator)]
        shared = self._binomial(self.z - 1, (a - 1) / max(self.T - 1, 1))  # other active circuits on the same slot
        idle_on = 0.0
        if l == 1:  # layer 0 is exact: only active circuits speak
            y, xi = 1 + shared, self.truth[:, None] + shared.sqrt()[..., None] * self._direction(*a.shape)
        else:
            y, _ = self._heard(a - 1, self.z - 1)
            y = y + (1 + self.S * self.chi) * (self.alpha[:, None] + shared * self.alpha.mean())
            xi = _rotated(self.x, self.angle)[:, None] + self._noise((a - 1) * self._inactive()[1])
            xi = xi + (shared * self._size()).sqrt()[..., None] * self._direction(*a.shape)
            idle_on = self._idle()
        alpha, x = _respond(y, xi)
        self.alpha, self.x = alpha.mean(dim=1), x.mean(dim=1)
        indicator, vector = self._inactive()
        return Rotations(
            indicator=Linear((self.alpha - 1).square().mean().item(), indicator),
            point=Linear((self.x - self.truth).square().sum(dim=-1).mean().item(), vector),
            idle_on=idle_on,
        )

    def _idle(self) -> float:
        """Go through the layer on idle slots; the share of them that is on."""
        share, noise = self._on_idle()
        # One slot, for each number a of circuits on it.
        a = self.uses[:, None].expand(-1, _SLOTS)
        y, K = self._heard(a, self.z)
        alpha, x = _respond(y, self._noise(K * self._size() / self.S**2 + a * noise))
        # Two slots of one inactive circuit: what that circuit reads itself stands on both.
        touched = (self._uniform(_SLOTS) < self.z * self.rho * self.S**2).double()
        mean = (self.chosen * self.mean).sum()
        own = touched * self.alpha.mean() / self.S + mean + (share - mean**2).clamp_min(0).sqrt() * self._normal(_SLOTS)
        turned = self._noise(touched * self._size() / self.S**2 + noise)
        a = self.uses[torch.multinomial(self.chosen, 2 * _SLOTS, True, generator=self.generator)].view(_SLOTS, 2) - 1
        y, K = self._heard(a, self.z)
        y = y + (1 + self.S * self.chi) * own[:, None]
        pair = _respond(y, turned[:, None] + self._noise(K * self._size() / self.S**2 + a * noise))
        self.mean, self.square, self.norm = alpha.mean(dim=1), alpha.square().mean(dim=1), x.square().sum(-1).mean(1)
        self.alike = pair[0].prod(dim=1).mean().item(), pair[1].prod(dim=1).sum(dim=-1).mean().item()
        idle = self._idle_count()
        return (idle @ (alpha > 0).double().mean(dim=1) / idle.sum()).item()

    def _heard(self, a: Float[Tensor, "*s"], z: int) -> tuple[Float[Tensor, "*s"], Float[Tensor, "*s"]]:
        """What a slot hears through a inactive circuits: y, and how many slots of z active circuits are in it.

        All z circuits that are active, these and a slot's own, stand in the balance −χ.
        """
        every = torch.arange(self.uses.max() + 1, dtype=torch.float64)[:, None]
        p, idle = self._linked(every), self._idle_count()
        expected = (idle * (p * self.link - self.chi) * self.mean).sum(dim=1)
        weight = self.link * (self.link - 2 * self.chi) * p + self.chi**2  # E𝒲²
        mean = (self.chosen * self.mean).sum()
        twice = (every[:, 0] * self.S - (p * self.count).sum(dim=1)).clamp_min(0)  # links that the cap takes away
        together = every[:, 0] * self.S * (self.S - 1) * ((1 - p).square() * self.chosen).sum(dim=1)
        variance = (idle * weight * (self.square - self.mean**2)).sum(dim=1)
        variance = variance + self.link**2 * (mean**2 * twice + together * (self.alike[0] - mean**2))
        K, kind = self._touched(a, z), a.long()
        from_active = (self.link * K - self.chi * self.z * self.S) * self.alpha.mean()
        noise = variance.clamp_min(0).sqrt()[kind] * self._normal(*a.shape)
        return from_active + expected[kind] + noise, K

    def _touched(self, a: Float[Tensor, "*s"], z: int) -> Float[Tensor, "*s"]:
        """How many of the S slots of each of z active circuits are linked by a inactive ones, each counted once.

        With k of the S slots of one active circuit linked, one more circuit links a new one with probability
        ρ*S² (1 − k/S): a chain of a steps gives the distribution of k, of z circuits its z-fold convolution.
        """
        if z == 0:
            return torch.zeros_like(a)
        k = torch.arange(self.S + 1, dtype=torch.float64)
        new = self.rho * self.S**2 * (1 - k / self.S)
        one, every = (k == 0).double(), []
        for _ in range(int(self.uses.max()) + 1):
            total = one
            for _ in range(z - 1):
                total = torch.nn.functional.conv1d(total[None, None], one.flip(0)[None, None], padding=self.S)[0, 0]
            every.append(total.cumsum(0))
            one = one * (1 - new) + torch.cat([one.new_zeros(1), (one * new)[:-1]])
        return (self._uniform(*a.shape)[..., None] > torch.stack(every)[a.long()]).sum(dim=-1).double()

    def _linked(self, a: Float[Tensor, "*s"]) -> Float[Tensor, "*s kinds"]:
        """Probability that one of a circuits has a given slot of the layer before, by the uses of that slot."""
        return 1 - (1 - self.uses / self.T) ** a

    def _chi(self) -> float:
        """χ as `superpos.balanced.balance` finds it, in the mean over permutations."""
        every = self.uses * self.count
        pairs, own = (every @ self._linked(self.uses[:, None]) @ every).item(), self.T * self.S**2
        return (pairs - own) / (self.S * max(self.T * own - pairs, 1.0))

    def _idle_count(self) -> Float[Tensor, " kinds"]:
        return self.count * (1 - self.z * self.uses / self.T)

    def _on_idle(self) -> tuple[Tensor, Tensor]:
        """E α̂_u² and E|x̂_u|² of an inactive circuit, from its idle slots alone."""
        one = (self.chosen * self.square).sum(), (self.chosen * self.norm).sum()
        alpha, x = ((first + (self.S - 1) * two) / self.S for first, two in zip(one, self.alike, strict=True))
        return alpha, x.clamp_min(0)

    def _inactive(self) -> tuple[float, float]:
        """E α̂_u² and E|x̂_u|² of an inactive circuit: where it shares a slot with an active one, and from idle slots."""
        alpha, x = self._on_idle()
        overlap = self.z * self.rho
        return (overlap * self.alpha.square().mean() + alpha).item(), (overlap * self._size() + x).item()

    def _size(self) -> Tensor:
        return self.x.square().sum(dim=-1).mean()

    def _noise(self, square: Float[Tensor, "*s"]) -> Float[Tensor, "*s 2"]:
        """Normal vectors of that mean square."""
        return (square / 2).sqrt()[..., None] * self._normal(*square.shape, 2)

    def _direction(self, *shape: int) -> Float[Tensor, "*shape 2"]:
        angle = 2 * math.pi * self._uniform(*shape)
        return torch.stack([angle.cos(), angle.sin()], dim=-1)

    def _binomial(self, n: float | Tensor, p: Tensor) -> Tensor:
        n = torch.as_tensor(n, dtype=p.dtype).expand_as(p).contiguous()
        return torch.binomial(n, p.contiguous(), generator=self.generator)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, dtype=torch.float64)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)


def _respond(y: Float[Tensor, "*s"], xi: Float[Tensor, "*s 2"]) -> tuple[Float[Tensor, "*s"], Float[Tensor, "*s 2"]]:
    """(α, x) of a slot that hears y and ξ."""
    alpha = (2 * y - 0.5).clamp(0, 1)
    return alpha, ((2 * y - 1)[..., None] + xi).relu() - alpha[..., None]


def _rotated(x: Float[Tensor, "s 2"], angle: Float[Tensor, " s"]) -> Float[Tensor, "s 2"]:
    c, s = angle.cos(), angle.sin()
    return torch.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], dim=-1)
