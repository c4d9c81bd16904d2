"""How many circuits private lanes hold: every design of the exact construction, and what none passes. Chapters 12, 13.

Leading order, without the wires: n slots a lane, d + 1 numbers a slot, n² circuits. What really fits, everything
counted, says `superpos.exact.plan`, which stands above this floor.
"""

import math

from superpos.checks import check_count
from superpos.codes.fields import prime_power


def circuits_in_lanes(D: int, d: int, lanes: int, *, constant: bool = True) -> float:
    """The number of circuits in lanes side by side: T = (D / R(d+1))², R the number of lanes, or (D/Rd)². Chapter 13.

    z lanes serve any z active circuits at once, one lane serves them one after another, in z times the depth. A slot
    needs no constant if no circuit has a bias and no input is negative.
    """
    _check(D=D, d=d, lanes=lanes)
    return (D / (lanes * (d + constant))) ** 2


def width_of_lanes(T: int, d: int, lanes: int, *, constant: bool = True) -> float:
    """The width of that many lanes for T circuits: D = R(d+1)√T, or R d √T without a constant. Chapter 13."""
    _check(T=T, d=d, lanes=lanes)
    return lanes * (d + constant) * math.sqrt(T)


def lanes_pay_from(d: int, lanes: int) -> float:
    """The width from which lanes hold more than the D/d circuits that fit side by side: D = R²(d+1)²/d. Chapter 13."""
    _check(d=d, lanes=lanes)
    return lanes**2 * (d + 1) ** 2 / d


def lanes_by_sorting(D: int, d: int, z: int) -> int:
    """The number of circuits in an earlier design, in which each of z columns is sorted into z lanes: T = D²/z⁴(d+2)².

    T = n², with n = ⌊D / z²(d+2)⌋ slots a lane; nothing that the sorting needs beside them is counted. Chapter 13.
    """
    _check(D=D, d=d, z=z)
    return (D // (z * z * (d + 2))) ** 2


def lanes_by_code(D: int, d: int, z: int) -> int:
    """The largest T of the first design of the exact construction, in which a code gives out the lanes.

    S columns of q lanes, q a prime power; a lane has n slots of d + 2 neurons. A circuit is a polynomial of degree
    below k over F_q and has one copy in each column, in the lane of its value there. Two circuits share a lane in at
    most k − 1 columns, so that the z − 1 others leave a circuit one of

        S = (z−1)(k−1) + 1 ≤ q + 1 columns;   T = min(q^k, q n²),   D = S q n (d+2) + S q.

    S·q neurons guard the lanes: one with several circuits is silenced. For z = 1 one lane does, without a guard:
    T = n², n = D//(d+2). 0 if not even z circuits fit. Chapter 13.
    """
    _check(D=D, d=d, z=z)
    if z == 1:
        return (D // (d + 2)) ** 2
    most = max((_by_code(D, d, z, q) for q in range(2, D // (d + 3) + 1) if prime_power(q)), default=0)
    return most if most >= z else 0


def hall_bound(D: int, d: int, z: int, lanes: int) -> int:
    """The most circuits that R equal lanes can serve, any z at once, if a lane runs one circuit at a time.

        T ≤ B/z + (1 − 1/z) min(B, (z−1)·C(R, z−1)),   B = R (D / R(d+1))².

    A lane of n slots has n² blocks, each of one circuit, so that there are at most B copies. Any z circuits must find
    lanes of their own among those that hold a copy of them; by Hall's theorem no z circuits may have all their copies
    in the same z − 1 lanes. Of the C(R, z−1) choices of z − 1 lanes each therefore holds all copies of at most z − 1
    circuits; every other circuit has z copies or more. So R = z lanes are best, but for the second term. Lanes of
    different widths do no better: a circuit with z copies has z − j + 1 of them outside the j − 1 widest lanes, and by
    majorization the widths then add up to z(d+1)√T at least.

    Gates and wires are not counted. With many more lanes than z the second term is the larger one: there, from about
    z > log T on, codes with fewer than z copies of most circuits may do better; none is built. Chapter 12. Ours.

    Raises:
        TypeError, ValueError: for a number below 1, or fewer lanes than z.
    """
    _check(D=D, d=d, z=z)
    check_count("lanes", lanes)
    if lanes < z:
        raise ValueError(f"lanes is {lanes}; z = {z} circuits at once need lanes ≥ {z}, if a lane runs one at a time")
    copies = D * D / (lanes * (d + 1) ** 2)
    few = min(copies, (z - 1) * math.comb(lanes, z - 1))
    return math.floor((copies + (z - 1) * few) / z)


def matching_bound(N: int) -> int:
    """The most circuits, any two active, that any pattern of blocks between N slots and N slots can serve.

        T(T−1) ≤ N²(N² − m)/4,   m ≥ 2T − N;   so T ≤ (√5−1)/4 · N² ≈ 0.309 N² as N grows.

    Two lanes of N/2 slots have 0.25 N². The pattern is a bipartite graph, each of whose m edges is one circuit's block.
    Two circuits run at once if they have edges (s, r) and (s', r') between which there is none, neither (s, r') nor
    (s', r), for the target slot would hear it: an induced matching.

    - An edge (s, r) is in at most (N − deg s)(N − deg r) of them, which is at most the mean of the two squares. By
      deg (N − deg) ≤ N²/4 that adds up to N²(N² − m)/4 ordered pairs of edges, and all T(T−1) need one.
    - The circuits with a single edge are a matching, so at most N; the others have two edges or more.

    Assumed is that an active circuit is read from a slot that hears nothing else; a network that subtracts again what
    a slot hears too much is not of this kind. Whether anything lies between 0.25 and 0.309 is open: up to N = 5
    no pattern has more circuits than two lanes, ⌊N²/4⌋ + 1 with one of a single copy in each. Chapter 12. Ours.
    """
    _check(N=N)
    # T² + (N²/2 − 1) T ≤ N²(N² + N)/4, in integers: (4T + N² − 2)² ≤ (N² − 2)² + 4 N²(N² + N).
    half = N * N - 2
    return (math.isqrt(half * half + 4 * N * N * (N * N + N)) - half) // 4


def _by_code(D: int, d: int, z: int, q: int) -> int:
    """T of the best k for a field of q elements."""
    most, k = 0, 2
    while (S := (z - 1) * (k - 1) + 1) <= q + 1 and (n := (D // (S * q) - 1) // (d + 2)) >= 1:
        most, k = max(most, min(q**k, q * n * n)), k + 1
    return most


def _check(**counts: int) -> None:
    for name, value in counts.items():
        check_count(name, value)
