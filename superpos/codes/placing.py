"""Where the circuits of a network of blocks sit in each of its layers. Chapter 9."""

import torch
from jaxtyping import Int64
from torch import Tensor

from superpos.checks import check_count, check_seed
from superpos.codes import families
from superpos.codes.code import Code
from superpos.codes.families import NAMES, max_circuits, smallest
from superpos.sampling import generator


def place(T: int, d: int, L: int, D: int, S: int, *, seed: int, code: str | Code) -> Int64[Tensor, "L T S"]:
    """The slots of T circuits among n = D/d in every layer: one code's sets, permuted anew in later ones. Chapter 9.

    Args:
        code: the name of a family in `superpos.codes`, or a code of one's own.

    Raises:
        ValueError: if D is no multiple of d, S is not in 1 … n, or the code does not hold T circuits; the message
            says how many it holds and which D would do.
    """
    check_count("D", D)
    if D % d:
        near = max(D // d, 1) * d
        raise ValueError(f"D is {D}; it must be a multiple of d = {d}, e.g. {near} or {near + d}")
    n = D // d
    check_count("S", S, at_most=n, why=f"a circuit's slots are distinct, and there are n = D/d = {n}")
    check_seed("seed", seed)
    own, *later = torch.randint(2**62, (L,), generator=generator(seed, "slots")).tolist()
    slots = _sets(T, n, d, S, code, own)
    permuted = [slots[torch.randperm(T, generator=generator(s))] for s in later]
    return torch.stack([slots, *permuted])


def _sets(T: int, n: int, d: int, S: int, code: str | Code, seed: int) -> Int64[Tensor, "T S"]:
    if isinstance(code, Code):
        if (code.T, code.n, code.S) != (T, n, S):
            raise ValueError(
                f"code has T = {code.T} circuits on n = {code.n} slots with S = {code.S}; it must have T = {T}, "
                f"n = D/d = {n}, S = {S}"
            )
        return code.slots
    if code not in NAMES:
        raise ValueError(f"code is {code!r}; it must be a Code or one of {', '.join(NAMES)}")
    most = max_circuits(code, n, S)
    if most < T:
        raise ValueError(
            f"circuits has T = {T}; the {code} code holds at most {most} circuits at D = {d * n} (n = D/d = {n} "
            f"slots) with S = {S}; T = {T} needs D ≥ {d * smallest(code, T, S)}"
        )
    seeded = {"seed": seed} if code in ("random", "random_subsets") else {}
    return getattr(families, code)(T, n, S, **seeded).slots
