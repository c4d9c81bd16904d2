"""superpos: many small ReLU networks embedded in one large one, built, run and measured.

Data flows one way, one module a noun::

    circuits -> code -> (embed: residual, redundant, balanced, exact, dedicated) -> network -> run -> errors -> show
                                                                                                 theory ->

For networks of your own there is one call, `compress`, and `load` for what it has saved.

A module imports from its own folder and from the floors below its own, never from one above or beside it::

    __main__
    show
    apart compression sweep
    beds
    errors
    balanced dedicated exact redundant residual theory
    assumptions blocks
    network
    circuits codes
    sampling
    checks tensors words writing

See the book for the mathematics; its notation page lists every symbol used in the docstrings. A part is imported when
it is first asked for, so that a tool that needs one file does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from superpos import (
        balanced,
        circuits,
        codes,
        dedicated,
        errors,
        exact,
        network,
        redundant,
        residual,
        sweep,
        theory,
    )
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
_CALLS = ("compress", "load")


def __getattr__(name: str) -> object:
    """A public part, imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = (
        getattr(import_module(f"{__name__}.compression"), name)
        if name in _CALLS
        else import_module(f"{__name__}.{name}")
    )
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
