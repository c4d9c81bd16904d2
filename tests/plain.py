"""The redundant and the balanced construction as their formulas read, one circuit and one entry at a time."""

import torch
from torch import Tensor

from superpos.blocks import BlockNetwork
from superpos.circuits import MLPCircuits


def embedding(slots: Tensor, n: int) -> Tensor:
    """e_t ∈ {0,1}^n as the rows of a (T, n) matrix."""
    e = torch.zeros(len(slots), n, dtype=torch.float64)
    for t, own in enumerate(slots.tolist()):
        e[t, own] = 1
    return e


def weights(w: Tensor, to: Tensor, source: Tensor, n: int) -> Tensor:
    """(1/S) Σ_t w_t ⊗ |e_t⟩⟨e_t'|."""
    e, f, S = embedding(to, n), embedding(source, n), to.shape[1]
    terms = [torch.kron(w_t.double(), torch.outer(e_t, f_t)) for w_t, e_t, f_t in zip(w, e, f, strict=True)]
    return torch.stack(terms).sum(dim=0) / S


def linking(to: Tensor, source: Tensor, n: int, *, cap: bool = True, chi: float | None = None) -> Tensor:
    """𝒲: 1/S where a circuit links two slots (as often as they do, without the cap), −χ elsewhere."""
    count, S = embedding(to, n).T @ embedding(source, n), to.shape[1]
    value = count.clamp(max=1) if cap else count
    chi = balance(to, source, n, cap=cap) if chi is None else chi
    return torch.where(count > 0, value / S, -chi)


def balance(to: Tensor, source: Tensor, n: int, *, cap: bool = True) -> float:
    """χ by looking at what every circuit hears of every other one, slot by slot."""
    linked, unlinked = linking(to, source, n, cap=cap, chi=0.0), linking(to, source, n, cap=cap, chi=-1.0)
    heard, silent = 0.0, 0
    for t, own in enumerate(to.tolist()):
        for u, other in enumerate(source.tolist()):
            for i in own:
                for j in other:
                    if t != u:
                        heard += linked[i, j].item()
                        silent += linked[i, j].item() == 0 and unlinked[i, j].item() == 1
    return heard / silent if silent else 0.0


def check(network: BlockNetwork, circuits: MLPCircuits, active: Tensor, inputs: Tensor, tolerance: float) -> None:
    """Encoding, layers, read-outs and `run` against the formulas with dense e_t and against the dense matrices."""
    sample, chosen = torch.arange(len(active))[:, None], active

    def close(found: Tensor, expected: Tensor) -> None:
        assert found.dtype == inputs.dtype
        torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)

    e = [embedding(slots, network.n) for slots in network.slots]
    a = torch.einsum("bzij,bzj->bzi", circuits.weights[0][chosen].double(), inputs.double())
    a = a / network.unit[0][chosen].double()
    A = torch.einsum("bzi,bzn->bin", a, e[0][chosen]).flatten(1)  # Σ_t w_t a_t ⊗ e_t
    close(network.encode(active, inputs), A)
    run, forward = network.run(active, inputs), network(A.to(inputs.dtype))
    assert torch.equal(run.estimates[0], inputs)
    for l, (W, b) in enumerate(network.dense()):
        pre, last = A @ W.T.double() + b.double(), l + 1 == circuits.L
        A = pre if last and not circuits.last_relu else pre.relu()
        everyone = torch.einsum("tn,bin->bti", e[l], A.unflatten(1, (network.d, network.n))) / network.slots.shape[2]
        everyone = everyone * network.unit[l].double()
        close(network.read_all(A.to(inputs.dtype), l + 1), everyone)
        close(network.read(A.to(inputs.dtype), active, l + 1), everyone[sample, chosen])
        close(run.estimates[l + 1], everyone[sample, chosen])
        least, most = ((edge < A).double().mean().item() for edge in (tolerance, -tolerance))
        assert least - 1e-6 <= run.on[l].item() <= most + 1e-6
    close(forward, A)
