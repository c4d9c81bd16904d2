"""The active circuits that are alone somewhere: how many of too many the exact construction computes. Chapter 12."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_count


def served(q: int, S: int, z: int, c: int) -> float:
    """The fraction of c active circuits that a network made for z computes: E[min(z, number of singles)] / c.

    A circuit is single if it is alone on its slot in at least one of S columns of q slots. Singles come into the list,
    which has z places; the others come into no lane, and say so. Up to c = z all are single, by the code. Beyond, the
    columns are taken as independent random maps:

    - in one column, the number of circuits alone on their slot is that of balls alone in their bin, c balls in q bins;
    - they are a random subset, so that the number a column adds to the u that are single already is hypergeometric.

    So the fraction is z/c as long as singles remain, and falls where they run out. Two polynomials of degree below k
    meet in at most k − 1 columns, which random maps do not know. Up to c = 3 z the estimate is within a tenth where
    there are more than about 26 circuits in all; far beyond, where hardly any are single, it is too high. With one
    column (k = 1) each circuit has a slot of its own, and is single. Chapter 12. Ours.

    Args:
        q: slots of a column.
        S: columns.
        z: places of the list.
        c: circuits that are active.

    Raises:
        TypeError, ValueError: if one of them is no integer ≥ 1.
    """
    for name, value in (("q", q), ("S", S), ("z", z), ("c", c)):
        check_count(name, value)
    if c <= z or S == 1:
        return min(1.0, z / c)
    alone = _alone(q, c).tolist()
    chance = [1.0] + [0.0] * z  # that u circuits are single; z stands for z and more, as they only grow
    for _ in range(S):
        after = [0.0] * z + [chance[z]]
        for u, before in enumerate(chance[:z]):
            for m, probability in enumerate(alone):
                for new in range(max(m - u, 0), min(m, c - u) + 1):
                    ways = math.comb(c - u, new) * math.comb(u, m - new) / math.comb(c, m)
                    after[min(z, u + new)] += before * probability * ways
        chance = after
    return sum(u * probability for u, probability in enumerate(chance)) / c


def _alone(q: int, c: int) -> Float[Tensor, " most1"]:
    """The probability that m of c balls are alone in their bin, of q bins, at entry m.

    Ball after ball: p[o, m] is the chance of o bins with a ball, m of them with one.
    """
    most = min(q, c)
    p = torch.zeros(most + 1, most + 1, dtype=torch.float64)
    p[0, 0] = 1.0
    occupied, alone = torch.arange(most + 1)[:, None], torch.arange(most + 1)
    for _ in range(c):
        after = p * (occupied - alone).clamp(min=0) / q  # beside several
        after[:, :-1] += (p * alone / q)[:, 1:]  # beside one, who is alone no longer
        after[1:, 1:] += (p * (q - occupied) / q)[:-1, :-1]
        p = after
    return p.sum(dim=0)
