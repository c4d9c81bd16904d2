"""A study: where SPD goes from components that are known, and what that costs by its own loss. Chapter 17."""

from dataclasses import asdict, replace
from typing import Any

from superpos.apart.costs import cost
from superpos.apart.spd import Options, Spd, decompositions, train
from superpos.apart.starts import started
from superpos.apart.target import of_bed
from superpos.beds import Bed, cuts

KNOWN = {"truth": (cuts.circuits, 0.0), "near the truth": (cuts.circuits, 0.5), "neurons": (cuts.neurons, 0.0)}
STARTS = ("random", *KNOWN)
_GATES = 2000  # steps in which they learn alone
_SHOWN = ("r2", "cosine", "l0", "needed", "reconstruction")


def descent(of: Bed, options: Options, start: str, seed: int) -> dict[str, Any]:
    """Where SPD goes from a start: what gates alone do for its components, and what there is at the end. Chapter 17.

    Args:
        of: the bed.
        options: of the run; before it, the gates of known components learn alone, at the price with which it ends.
        start: "random"; "truth"; "near the truth", with noise of half their size on all factors; or "neurons".
        seed: of all that is drawn.

    Returns:
        "gates" and "end", each with the terms of the loss as `superpos.apart.costs.Cost` has them, and the scores with
        labels; without "gates" for a random start.
    """
    target = of_bed(of)
    if start == "random":
        return {"end": _stated(train(Spd(target, options, [seed])), of, options)}
    make, noise = KNOWN[start]
    cut = make(of, of.samples(512, seed))
    settled = replace(options, steps=_GATES, beta=options.beta * options.fade, fade=1.0)
    model = train(started(target, settled, [seed], cut, noise=noise), components=False)
    gates = _stated(model, of, options)
    model.options = options
    return {"gates": gates, "end": _stated(train(model), of, options)}


def _stated(model: Spd, of: Bed, options: Options) -> dict[str, float]:
    """The loss and the scores of what a model has."""
    [found] = decompositions(model, of, labels=True, method="spd")
    paid, scores = cost(of, found, options), of.score(found)
    return {**asdict(paid), **{name: getattr(scores, name).value for name in _SHOWN}}
