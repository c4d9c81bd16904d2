"""A study: what dictionaries and readings say of which circuits are active, on beds and their controls. Chapter 17."""

import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.apart import readings
from superpos.apart.dictionaries import Run, Training, autoencoder
from superpos.apart.nonnegative import factors, split
from superpos.apart.transcoded import components, likeness, transcoders
from superpos.beds import Bed, Samples, bed
from superpos.beds.scoring.evidence import match
from superpos.tensors import machine

SITES = ("input", "output", "matrix")
LEARNT = ("l1", "top", "nmf", "transcoder")
_PRICES = (0.1, 0.3, 0.6)  # of latents
_TOP = (2, 4, 8)  # latents for each circuit that can be active
_PARTS = (0.25, 0.5, 1.0)  # of the latents of the others, for non-negative factors
_SCORED = 2048  # samples


@dataclass(frozen=True)
class Study:
    """A method on a bed: from which activations, and for how long. Chapter 17.

    Attributes:
        bed: its name.
        control: whether the circuits' own weights are shuffled, by the seed of the row.
        site: "input" of the first matrix with weights of circuits, "output" of the layer of the last one, or that
            "matrix", from its input to what these weights add.
        method: "l1" and "top" (autoencoders), "nmf", "transcoder"; "neurons", "principal", "random", "truth".
        steps, batch, samples: of training.
    """

    bed: str
    control: bool
    site: str
    method: str
    steps: int = 400
    batch: int = 64
    samples: int = 8192


def studied(study: Study, seed: int) -> dict[str, object]:
    """How well the method's latents say which circuits are active, for each sparsity that was tried. Chapter 17.

    The seed is that of the weights and batches, of the control, and of the samples to learn from; those on which it is
    scored are others. There are as many latents as all circuits together have small neurons in a layer.

    Returns:
        Lists with an entry for each sparsity: "sparsity" itself, None where there is nothing to choose, the means over
        circuits of `evidence.Match`, and for a transcoder "cosine" and "r2" of its components to the circuits' own;
        "version" of the bed; "seconds" and "machine".
    """
    start, plain = time.perf_counter(), bed(study.bed)
    b = plain.shuffled(seed) if study.control else plain
    samples, scored = b.samples(study.samples, 2 * seed), b.samples(_SCORED, 2 * seed + 1)
    active = b.active(scored)
    if study.method == "transcoder":
        found = _transcoded(b, study, seed, scored)
    else:
        before, after = ([a.float() for a in _at(b, x)] for x in (samples, scored))
        found = _latents(b, study, seed, before, after)
    rows = [{"sparsity": s, **match(f, active).means(), **more} for s, f, more in found]
    columns = {name: [_short(row[name]) for row in rows] for name in rows[0]}
    return {**columns, "version": b.version, "seconds": round(time.perf_counter() - start, 1), "machine": machine()}


def studies(name: str) -> list[Study]:
    """All methods on a bed and its control; the input is the same for both, so it is looked at once."""
    found = []
    for site, methods in (
        ("input", ("l1", "top", "nmf", "neurons", "principal", "random")),
        ("output", ("l1", "top", "nmf", "neurons", "principal", "random")),
        ("matrix", ("transcoder", "truth")),
    ):
        found += [Study(name, c, site, m) for c in (False, True)[: 1 + (site != "input")] for m in methods]
    return found


def best(rows: list[dict], score: str = "f1") -> dict[str, tuple[float, float]]:
    """Of the rows of one study, the sparsity with the largest mean score: each score's mean and standard error.

    That is a choice by labels, which a method by itself does not have.
    """
    values = {k: torch.tensor([row[k] for row in rows], dtype=torch.float64) for k in SCORES if k in rows[0]}
    at = int(values[score].mean(dim=0).argmax())
    n = len(rows)
    return {
        name: (x[:, at].mean().item(), (x[:, at].std() / n**0.5).item() if n > 1 else float("nan"))
        for name, x in values.items()
    }


SCORES = ("precision", "recall", "f1", "mcc", "auc", "cosine", "r2")

_Found = list[tuple[float | None, Float[Tensor, "B K"], dict[str, float]]]


def _at(b: Bed, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """The input of the first matrix with weights of circuits; input and output of the last one's layer."""
    own = [k for k, part in enumerate(b.parts) if part.own]
    states = list(b.states(samples.inputs.double()))
    return states[own[0]], states[own[-1]], states[own[-1] + 1]


def _latents(b: Bed, study: Study, seed: int, before: list[Tensor], after: list[Tensor]) -> _Found:
    k = 0 if study.site == "input" else 2
    A, X, K = before[k], after[k], _count(b)
    training = Training(steps=study.steps, batch=study.batch)
    match study.method:
        case "l1":
            f = autoencoder(A, K, [Run(seed, l1=p) for p in _PRICES], training=training).latents(X)
            return [(p, f[r], {}) for r, p in enumerate(_PRICES)]
        case "top":
            top = [min(K, k * b.z) for k in _TOP]
            f = autoencoder(A, K, [Run(seed, top=k) for k in top], training=training).latents(X)
            return [(float(k), f[r], {}) for r, k in enumerate(top)]
        case "nmf":
            signed = bool((A < 0).any())
            A, X = (split(x) if signed else x.relu() for x in (A[:1024], X))
            counts = [round(p * K) for p in _PARTS]
            return [(float(n), factors(A, n, [seed]).latents(X)[0], {}) for n in counts]
        case "neurons":
            return [(None, readings.neurons(X), {})]
        case "principal":
            return [(None, readings.principal(X), {})]
        case "random":
            return [(None, readings.random(X, K // 2, seed=seed), {})]
        case "truth":
            last = b.matrices[-1]
            return [(None, readings.truth(last, after[1], after[2]), {})]
    raise ValueError(
        f"method is {study.method!r}; it must be l1, top, nmf, transcoder, neurons, principal, random, truth"
    )


def _transcoded(b: Bed, study: Study, seed: int, scored: Samples) -> _Found:
    runs = [Run(seed, l1=p) for p in _PRICES]
    training = Training(steps=study.steps, batch=study.batch)
    found = transcoders(b, _count(b), runs, samples=study.samples, seed=2 * seed, training=training)
    f = found[b.matrices[-1].path].latents(_at(b, scored)[1].float())
    return [(p, f[r], likeness(b, components(b, found, r))) for r, p in enumerate(_PRICES)]


def _count(b: Bed) -> int:
    """The small neurons of a layer, of all circuits together."""
    return b.T * (int(max(part.neuron.max() for part in b.matrices)) + 1)


def _short(x: object) -> object:
    return round(x, 5) if isinstance(x, float) else x
