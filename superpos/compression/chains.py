"""Whether things that take and put out numbers can stand one behind the other, and in which order. Chapter 15."""

import re
from collections import Counter
from collections.abc import Sequence

Ends = Sequence[tuple[int, int]]  # how many numbers each takes, and puts out


def in_order(names: Sequence[str], ends: Ends) -> list[int] | None:
    """The only order in which layers named by words make a chain; None if there is none, or more than one.

    `ends` holds what each takes and puts out. Names that differ in a number at their end, like fc1 and fc2, are taken
    in the order of these, if the layers do not all put out as many numbers as they take: then every order would do, and
    they may as well be networks.
    """
    if all(a == b for a, b in ends):
        return None
    counted = [re.fullmatch(r"(.*?)(\d+)", name, re.ASCII) for name in names]
    if all(counted) and len({match[1] for match in counted if match}) == 1:
        numbers = [int(match[2]) for match in counted if match]
        return sorted(range(len(names)), key=numbers.__getitem__) if len(set(numbers)) == len(numbers) else None
    after = {a: i for i, (a, _) in enumerate(ends)}
    starts = after.keys() - {b for _, b in ends}
    if len(after) < len(ends) or len({b for _, b in ends}) < len(ends) or len(starts) != 1:
        return None
    order = [after[starts.pop()]]
    while (following := after.get(ends[order[-1]][1])) is not None:
        order.append(following)
    return order if len(order) == len(ends) else None


def may_follow(ends: Ends) -> bool:
    """Whether in some order each takes as many numbers as the one before puts out.

    Numbers are nodes and things are edges: such an order is a walk over all edges, which there is (Euler) if they hang
    together and no node but the first and the last has more edges that come than go, or the other way round.
    """
    balance = Counter(a for a, _ in ends)
    balance.subtract(b for _, b in ends)
    if sum(abs(count) for count in balance.values()) > 2:
        return False
    reached, left = {ends[0][0]}, list(ends)
    while joined := [(a, b) for a, b in left if a in reached or b in reached]:
        left = [pair for pair in left if pair not in joined]
        reached |= {width for pair in joined for width in pair}
    return not left
