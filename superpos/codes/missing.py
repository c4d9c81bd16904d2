"""What the code of the exact construction loses: active circuits without a slot of their own. Chapters 11 and 12."""

import math
from itertools import combinations

import torch

from superpos.checks import check_count
from superpos.codes.columns import columns


def missing(T: int, n: int, S: int, z: int) -> float:
    """The fraction of active circuits that share, in each of S columns of n slots, their slot with another one:

        mean_t Σ_{U ⊆ columns} (−1)^|U| C(T−1−Σ_{s∈U} m_s(t), z−1) / C(T−1, z−1),

    m_s(t) the number of other circuits on t's slot in column s. Exact for the code `superpos.codes.columns`, over all
    sets of z circuits: two circuits share a slot in at most one column, so that the others of t's slots are S disjoint
    sets, and the sum counts the choices that meet all of them. For S ≥ z it is 0: z − 1 others spoil at most z − 1
    columns. Chapter 11. Ours.
    """
    check_count("z", z, at_most=T, why=f"there are T = {T} circuits")
    if z <= S:
        return 0.0
    total = 0.0
    for m, count in _crowds(T, n, S):
        spoilt = [
            (-1) ** k * _none_of(sum(chosen), T - 1, z - 1) for k in range(S + 1) for chosen in combinations(m, k)
        ]
        total += count * math.fsum(spoilt)
    return max(total / T, 0.0)


def missing_estimate(n: int, S: int, z: int, active: int | None = None) -> float:
    """An estimate of that fraction from the sizes alone, with slots drawn at random, also for c > z active: (1 − p)^S.

    p is the chance that a circuit is alone on its slot in a column, (1 − 1/n)^{c−1}, and is taken into a lane: of the
    occupied slots a column made for z takes the first and the last ⌊z/2⌋, and one more if z is odd and only one is
    left. Every circuit is taken if c ≤ z. Chapter 11. Ours.

    Args:
        n, S, z: slots of a lane, columns, lanes of a column.
        active: c; z if it is None.
    """
    c, half = z if active is None else active, z // 2
    i = torch.arange(n, dtype=torch.float64)[:, None, None]
    p = torch.zeros(n, c, c, dtype=torch.float64)  # of so many occupied slots below i, and above, and i free
    p[:, 0, 0] = 1.0
    below, above = torch.meshgrid(torch.arange(c), torch.arange(c), indexing="ij")
    for _ in range(c - 1):
        again = p * (below + above)
        lower, upper = (p * (i - below)).roll(1, 1), (p * (n - 1 - i - above)).roll(1, 2)
        p = (again + lower + upper) / n
    taken = (torch.minimum(below, above) < half) | ((below == half) & (above == half) & (z % 2 == 1))
    return (1 - (p * taken).sum().item() / n) ** S


def _crowds(T: int, n: int, S: int) -> list[tuple[list[int], int]]:
    """How many others are on a circuit's slots, column by column, and how many circuits that is so for."""
    slots = columns(T, n, S)[0]
    others = torch.stack([torch.bincount(i, minlength=n)[i] - 1 for i in slots])
    least, span = others.amin(dim=1), others.amax(dim=1) - others.amin(dim=1) + 1
    place = torch.cat([torch.ones(1, dtype=torch.int64), span.cumprod(0)])
    times = torch.bincount(((others - least[:, None]) * place[:-1, None]).sum(dim=0))
    kinds = times.nonzero()[:, 0]
    return [((k // place[:-1] % span + least).tolist(), int(times[k])) for k in kinds]


def _none_of(marked: int, among: int, drawn: int) -> float:
    """Probability that none of `marked` things is among `drawn` of `among`."""
    return math.prod(max(among - marked - i, 0) / (among - i) for i in range(drawn))
