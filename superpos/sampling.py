"""Seeded draws that several modules need. Nothing here touches torch's global generator."""

import math
from zlib import crc32

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from superpos.checks import check_count, check_seed


def generator(seed: int, purpose: str = "") -> Generator:
    """The CPU generator seeded with `seed`; every draw of the package comes from one of these.

    What is often drawn with one and the same seed, such as circuits and their inputs, names its purpose, and so has
    a stream of its own.
    """
    check_seed("seed", seed)
    return torch.Generator().manual_seed(seed ^ crc32(purpose.encode()) << 20 if purpose else seed)


def distinct(rows: int, k: int, n: int, *, generator: Generator) -> Int64[Tensor, "rows k"]:
    """Rows of k distinct integers below n, drawn so that every ordered k-tuple is equally likely.

    Floyd's algorithm over all rows at once: k steps, memory rows·k (never rows·n).

    Raises:
        ValueError: if k > n or a count is not positive.
    """
    check_count("rows", rows)
    check_count("k", k)
    check_count("n", n)
    if k > n:
        raise ValueError(f"k is {k}: at most n = {n} distinct integers lie below n")
    chosen = torch.full((rows, k), -1, dtype=torch.int64)
    for i, top in enumerate(range(n - k, n)):
        draw = torch.randint(top + 1, (rows,), generator=generator)
        taken = (chosen[:, :i] == draw[:, None]).any(dim=1)
        chosen[:, i] = torch.where(taken, top, draw)
    # Floyd makes a uniform set, not a uniform order.
    order = torch.rand((rows, k), generator=generator, dtype=torch.float32).argsort(dim=1)
    return chosen.gather(1, order)


def turns(T: int, rows: int, k: int, *, generator: Generator) -> Int64[Tensor, "rows k"]:
    """Rows of k distinct integers below T in which all take turns: each stands in one of the first ⌈T/k⌉ rows.

    A row is T cut into pieces of k in a random order; what is left in the end is filled up from the beginning. Then
    comes another order. Every row by itself is any ordered k-tuple with the same chance, as of `distinct`.
    """
    once = math.ceil(T / k)
    orders = [torch.randperm(T, generator=generator) for _ in range(math.ceil(rows / once))]
    return torch.cat([torch.cat([order, order[: once * k - T]]).view(once, k) for order in orders])[:rows]
