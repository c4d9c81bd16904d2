"""superpos: many small ReLU networks embedded in one large one, built, run and measured.

Data flows one way, one module a noun::

    circuits -> code -> (embed: residual, redundant, balanced, dedicated) -> network -> run -> errors -> show
                                                                                          theory ->

See the book for the mathematics; its notation page lists every symbol used in the docstrings.
"""

from superpos import balanced, circuits, codes, dedicated, errors, exact, network, redundant, residual, sweep, theory

__version__ = "0.1.0"
__all__ = [
    "balanced",
    "circuits",
    "codes",
    "dedicated",
    "errors",
    "exact",
    "network",
    "redundant",
    "residual",
    "sweep",
    "theory",
]
