"""The code of the exact construction's entry: T circuits on few slots, each alone somewhere. Chapter 12."""

from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from superpos.checks import check_count
from superpos.codes.fields import Ring, factors

_ring = lru_cache(Ring)  # with its tables


def polynomials(t: Int64[Tensor, "*circuits"], k: int, q: int, S: int) -> Int64[Tensor, "*circuits S"]:
    """The slots of circuits t, one in each of S columns of q slots: polynomials of degree below k.

    Circuit t is the polynomial whose coefficients are the base-q digits of t, over the ring of q elements (F_q if q is
    a prime power, else a product of fields). In column s it is on the slot s q + its value at point s; one more
    column, that of the point at infinity, has its leading coefficient. The difference of any two points has an inverse,
    so that two polynomials agree in at most k − 1 columns: k values, or k − 1 and the leading coefficient, determine
    one. Hence of any z circuits each is alone on its slot in at least one of (z − 1)(k − 1) + 1 columns. Chapter 12.

    Raises:
        ValueError: if a circuit has no polynomial, or there are fewer than S columns.

    Source: Kautz & Singleton (1964), superimposed codes from Reed–Solomon codes.
    """
    for name, value in (("k", k), ("q", q)):
        check_count(name, value)
    check_count("S", S, at_most=max_columns(q, k), why=f"polynomials over q = {q} elements have no more columns")
    if t.numel() and not 0 <= int(t.min()) <= int(t.max()) < q**k:
        raise ValueError(f"t holds {t.min()} … {t.max()}; there are q^k = {q}^{k} polynomials, numbered from 0")
    ring, number = _ring(q), t.cpu()
    digits = [number // q**c % q for c in range(k)]
    points = torch.tensor([ring.point(s) for s in range(min(S, ring.points) if k > 1 else 1)])
    values = digits[-1][..., None].expand(*t.shape, len(points))
    for digit in reversed(digits[:-1]):  # Horner's rule
        values = ring.add(ring.multiply(values, points), digit[..., None])
    if len(points) < S:
        values = torch.cat([values, digits[-1][..., None]], dim=-1)
    return (torch.arange(S) * q + values).to(t.device)


def max_columns(q: int, k: int = 2) -> int:
    """The number of columns of polynomials of degree below k over q elements: one for each point, and infinity.

    There are as many points as the smallest of the prime powers whose product is q. A constant (k = 1) has one column:
    all others would say the same.
    """
    return 1 if k == 1 else min(factors(q), default=1) + 1
