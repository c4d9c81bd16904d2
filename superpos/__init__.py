"""superpos: many small ReLU networks embedded in one large one, built, run and measured.

Data flows one way, one module a noun::

    circuits -> code -> (embed: residual, redundant, balanced, exact, dedicated) -> network -> run -> errors -> show
                                                                                                 theory ->

For networks of your own there is one call, `compress`, and `load` for what it has saved. `bed(name)` is a network whose
every weight is known by its circuit, for methods that take networks apart; `bed.names()` and `bed.load(path)` belong
to it.

A module imports from its own folder and from the floors below its own, never from one above or beside it::

    __main__
    show
    apart compression sweep training
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
        apart,
        balanced,
        beds,
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
        training,
    )
    from superpos.beds import bed
    from superpos.compression import compress, load

__version__ = "0.1.0"
__all__ = [
    "apart",
    "balanced",
    "bed",
    "beds",
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
    "training",
]
_CALLS = {"bed": "beds", "compress": "compression", "load": "compression"}


def __getattr__(name: str) -> object:
    """A public part, imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_CALLS.get(name, name)}")
    found = getattr(module, name) if name in _CALLS else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
