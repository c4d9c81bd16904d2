"""The code of the exact construction: in each of S columns a circuit is a pair of slots. Chapter 11."""

import torch
from jaxtyping import Int64
from torch import Tensor

from superpos.checks import check_count
from superpos.codes.fields import Ring


def columns(T: int, n: int, S: int) -> tuple[Int64[Tensor, "S T"], Int64[Tensor, "S T"]]:
    """The slots (i, j) of T circuits in S columns of n slots: i after even layers, j after odd ones.

    Circuit t = a·n + b is the line b + a·c over the ring of n elements (F_n if n is a prime power, else a product of
    fields). In the column of the point c it is the pair i = b + a c, j = a; in one more column, that of the point at
    infinity, i = a, j = b. The points are such that the difference of any two has an inverse. Then

    - within a column every pair (i, j) is one circuit's: i and j give back a and b;
    - two circuits have the same i in at most one column: b + a c = b' + a'c and b + a e = b' + a'e give
      (a − a')(c − e) = 0, so a = a' and b = b'; and with the same a, the one at infinity, b = b' + (a' − a) c = b'.

    The column at infinity is used last: it alone puts n circuits on a slot when T is less than n². Chapter 11.

    Raises:
        ValueError: if n slots hold fewer than T pairs, or have fewer than S columns.
    """
    check_count("n", n)
    check_count("T", T, at_most=n * n, why=f"a column of n = {n} slots has n² pairs")
    check_count("S", S, at_most=max_columns(n), why=f"one more than the smallest prime power of n = {n}")
    ring, t = Ring(n), torch.arange(T)
    a, b = t // n, t % n
    first = [ring.add(b, ring.multiply(a, torch.tensor(ring.point(c)))) if c else b for c in range(min(S, ring.points))]
    second = [a] * len(first)
    if ring.points < S:
        first, second = [*first, a], [*second, b]
    return torch.stack(first), torch.stack(second)


def max_columns(n: int) -> int:
    """The number of columns that n slots have: one more than the smallest of the prime powers whose product is n."""
    return Ring(n).points + 1
