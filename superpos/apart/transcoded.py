"""Transcoders of a bed's matrices, and what they make of the weights: a component for each latent. Chapter 17."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from superpos.apart.decomposition import SHARED, Decomposition
from superpos.apart.dictionaries import Dictionary, Run, Training, transcoder
from superpos.beds import Bed

__all__ = ["components", "transcoders"]

_LABELLED, _SEED = 4096, 1 << 41  # the samples by which latents are said to be of a circuit


def transcoders(
    bed: Bed, latents: int, runs: Sequence[Run], *, samples: int = 8192, seed: int = 0, training: Training | None = None
) -> dict[str, Dictionary]:
    """Transcoders of every matrix in which circuits have weights, by its path: what these weights add. Chapter 17.

    Each is from the matrix's input a to W a, with W the circuits' own weights; machinery is left in place.

    Args:
        bed: whose matrices.
        latents, runs, training: as `dictionaries.transcoder` has them.
        samples: from how many it learns.
        seed: of the samples.
    """
    states, found = bed.states(bed.samples(samples, seed).inputs.double()), {}
    for part, A in zip(bed.parts, states, strict=False):
        if part.own:
            Y = A @ part.own_weights.mT
            found[part.path] = transcoder(A.float(), Y.float(), latents, runs, training=training)
    return found


def components(bed: Bed, found: Mapping[str, Dictionary], run: int = 0) -> Decomposition:
    """The decomposition that transcoders say: latent c is the component of U_c = D_c and V_c = E_c. Chapter 17.

    Where latents are above 0 they are linear, so that a sample's active components are what the matrix does on it, but
    for biases; there the gate is 1. Nothing makes the components add up to the weights. A signed direction takes two
    latents, for example, and so stands in the sum twice: all of a matrix are multiplied with the one number that
    brings their sum nearest to its weights. A latent's group is the circuit with whose activity it is correlated most;
    this uses labels. Latents that are never above 0 are left out.

    Raises:
        ValueError: if a matrix has no transcoder.
    """
    lacking = [part.path for part in bed.matrices if part.path not in found]
    if lacking:
        raise ValueError(f"found has no transcoder of matrix {', '.join(lacking)}; make them with transcoders(bed, …)")
    held, labelled = bed.held_out(), bed.samples(_LABELLED, _SEED)
    active = bed.active(labelled)
    V, U, group, gates = {}, {}, {}, {}
    both = (bed.states(samples.inputs.double()) for samples in (held, labelled))
    for part, A, B in zip(bed.parts, *both, strict=False):
        if part.own:
            one = found[part.path]
            f, g = (one.latents(X.to(one.encoder))[run].double() for X in (A, B))
            live = (g > 0).any(dim=0)
            v, u = (x[run].double().cpu() for x in (one.encoder.mT, one.decoder))
            v, u = v[:, live], u[:, live]
            total = u @ v.mT
            size = (total * part.own_weights).sum() / total.square().sum().clamp_min(1e-300)
            V[part.path], U[part.path] = v, u * size
            gates[part.path] = (f[:, live] > 0).double()
            group[part.path] = owners(g[:, live], active)
    about = {"bed": bed.name, "version": bed.version, "method": "transcoder", "labels": True, "run": run}
    return Decomposition(V, U, group, gates, about)


def owners(latents: Float[Tensor, "B K"], active: Bool[Tensor, "B T"]) -> Int64[Tensor, " K"]:
    """The circuit with whose activity each latent is correlated most; `SHARED` for a latent that never changes."""
    f, on = (x.double() - x.double().mean(dim=0) for x in (latents, active))
    together = (f.mT @ on) / (f.norm(dim=0)[:, None] * on.norm(dim=0)).clamp_min(1e-300)
    return torch.where(f.norm(dim=0) > 0, together.argmax(dim=1), SHARED)


def likeness(bed: Bed, found: Decomposition) -> dict[str, float]:
    """How like the groups are to the circuits of the same number: mean cosine, and R², over circuits and matrices."""
    cosines, shares = [], []
    for part in bed.matrices:
        said = torch.stack(
            [
                found.U[part.path][:, own] @ found.V[part.path][:, own].mT
                for own in (found.group[part.path] == t for t in range(bed.T))
            ]
        ).flatten(1)
        true = part.components.flatten(1)
        norm = true.norm(dim=1)
        cosines.append((said * true).sum(dim=1) / (said.norm(dim=1) * norm).clamp_min(1e-300))
        shares.append((1 - (said - true).square().sum(dim=1) / norm.square()).clamp_min(0))
    return {"cosine": torch.cat(cosines).mean().item(), "r2": torch.cat(shares).mean().item()}
