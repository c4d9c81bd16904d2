"""The terms without a ReLU: exact means over the random choices. Chapters 3 and 4."""


def read_off(d: int, D: int, signal: float) -> float:
    """The mean square of the embedding read-off, E|E_tᵀ Σ_s E_s x_s|² = d Σ_s |x_s|² / D over the circuits s ≠ t.

    `signal` is Σ_s |x_s|²: (z−1)|x|² if t is active, z|x|² if it is not. Chapter 3.

    Source: Bushnaq & Mendel (2024).
    """
    return d * signal / D


def gaussian_self_term(d: int, D: int, x: float) -> float:
    """The mean square that a Gaussian E_t, which is not orthonormal, adds to the read-off of its own x: (d+1)|x|²/D.

    `x` is |x|². Chapter 3.
    """
    return (d + 1) * x / D


def sharing(m: int, M: int, S: int) -> float:
    """The probability m S/M that a given circuit has a neuron on a given large neuron. Chapter 4."""
    return m * S / M


def interference(T: int, m: int, M: int, S: int, c: float) -> float:
    """The variance σ² = (S T m/M) c on one large neuron, from T inactive circuits that may share it.

    c is the variance that one of their small neurons brings. Chapter 4.

    Source: Bushnaq & Mendel (2024).
    """
    return sharing(m, M, S) * T * c


def averaged(variance: float, M: int, S: int) -> float:
    """The variance of the mean over S copies, σ²/S + (1 − 1/S) ϱ σ² with ϱ = (S−1)/(M−1), where one copy has σ².

    ϱ is the correlation of two copies: a small neuron that sits on one of them sits on the other with
    probability ϱ. With σ² = (S T m/M) c the first part, (T m/M) c, does not depend on S. Chapter 4.
    The correlation is ours.
    """
    correlation = (S - 1) / (M - 1) if M > 1 else 0.0
    return variance * (1 / S + (1 - 1 / S) * correlation)
