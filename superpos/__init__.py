"""superpos: many small ReLU networks embedded in one large one, built, run and measured.

Data flows one way, one module a noun::

    circuits -> (embed: residual, dedicated) -> network -> run -> errors, beside theory -> show

See the book for the mathematics; its notation page lists every symbol used in the docstrings.
"""

from superpos import circuits, dedicated, errors, network, residual, sweep, theory

__version__ = "0.1.0"
__all__ = ["circuits", "dedicated", "errors", "network", "residual", "sweep", "theory"]
