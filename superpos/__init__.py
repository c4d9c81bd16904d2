"""superpos: many small ReLU networks embedded in one large one, built, run and measured.

Data flows one way, one module a noun::

    circuits -> code -> (embed: residual, redundant, balanced, exact, dedicated) -> network -> run -> errors -> show
                                                                                                 theory ->

For networks of your own there is one call, `compress`, and `load` for what it has saved.

See the book for the mathematics; its notation page lists every symbol used in the docstrings.
"""

from superpos import balanced, circuits, codes, dedicated, errors, exact, network, redundant, residual, sweep, theory
from superpos.compression import compress, load

__version__ = "0.1.0"
__all__ = [
    "balanced",
    "circuits",
    "codes",
    "compress",
    "dedicated",
    "errors",
    "exact",
    "load",
    "network",
    "redundant",
    "residual",
    "sweep",
    "theory",
]
