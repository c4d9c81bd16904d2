"""Every public function on a device that is not the CPU: the same numbers come out, and stay on it.

Run on `elsewhere`, which every machine has, and on CUDA where there is one.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import elsewhere
import pytest
import torch
from torch import Tensor, nn

from superpos import (
    assumptions,
    balanced,
    blocks,
    circuits,
    codes,
    compress,
    dedicated,
    errors,
    exact,
    load,
    redundant,
    residual,
    theory,
)
from superpos.circuits import Circuits, MLPCircuits
from superpos.codes import Code
from superpos.network import Network

T, B, Z, L = 12, 5, 2, 2
CPU = torch.device("cpu")
ACTIVE = circuits.random_active(T, B, Z, seed=0)
OTHERS = (ACTIVE.amax(dim=1, keepdim=True) + torch.arange(1, T)).remainder(T)  # of which some are active


@pytest.fixture(scope="module", params=[elsewhere.NAME, *(["cuda"] * torch.cuda.is_available())])
def far(request: pytest.FixtureRequest) -> torch.device:
    return elsewhere.device() if request.param == elsewhere.NAME else torch.device("cuda", 0)


def leaves(found: Any) -> Iterator[Any]:
    """All tensors, numbers and words of a result, in order."""
    if isinstance(found, nn.Module):
        yield from found.state_dict().values()
    elif isinstance(found, dict):
        yield from leaves(list(found.values()))
    elif is_dataclass(found):
        yield from leaves([getattr(found, f.name) for f in fields(found)])
    elif isinstance(found, list | tuple | Iterator):
        for x in found:
            yield from leaves(x)
    else:
        yield found


def same(make: Callable[[torch.device], Any], far: torch.device, *, stays: bool = True) -> None:
    """What is made on the CPU and on the other device is the same, and each lies where it was made."""
    here, there = list(leaves(make(CPU))), list(leaves(make(far)))
    assert len(here) == len(there) > 0
    for x, y in zip(here, there, strict=True):
        if not isinstance(x, Tensor):
            assert x == (pytest.approx(y, rel=1e-4, abs=1e-5) if isinstance(y, float) and far.type == "cuda" else y)
            continue
        assert (x.device, y.device) == (CPU, far if stays else CPU)
        assert x.dtype == y.dtype
        off = 0.0 if far.type == elsewhere.NAME else 1e-4
        torch.testing.assert_close(y.detach().cpu(), x.detach(), equal_nan=True, atol=off, rtol=off)


def plain(device: torch.device) -> MLPCircuits:
    return circuits.random_mlps(T, 4, L, seed=0).to(device)


def turning(device: torch.device) -> MLPCircuits:
    return circuits.conditional_rotations(T, L, seed=0).to(device)


def called(device: torch.device) -> Tensor:
    return circuits.conditional_inputs(circuits.sphere(B, Z, 2, seed=0).to(device) / 2**0.5)


def points(device: torch.device, d: int = 4) -> Tensor:
    return circuits.sphere(B, Z, d, seed=0).to(device)


def streams(device: torch.device, threshold: float = 0.0) -> circuits.ResidualCircuits:
    return circuits.random_residual(T, 4, 3, L, seed=0, threshold=threshold).to(device)


def biased(device: torch.device) -> circuits.ResidualCircuits:
    """Circuits whose biases differ, so that each has an on-indicator."""
    own = streams(CPU)
    return circuits.ResidualCircuits(own.w_in, own.w_out, 0.1 * own.w_in[..., 0]).to(device)


def unequal(device: torch.device) -> MLPCircuits:
    """Circuits whose biases differ and are all negative, so that they are rescaled."""
    own = circuits.conditional_rotations(T, L, seed=0)
    return MLPCircuits(own.weights / 2, own.biases * torch.linspace(1, 2, T)[:, None]).to(device)


def nets(device: torch.device, count: int = T, *, widths: bool = False) -> list[nn.Sequential]:
    more = [t % 2 * widths for t in range(count)]  # every second one is wider, where widths differ
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [nn.Sequential(nn.Linear(2 + w, 3 + w), nn.ReLU(), nn.Linear(3 + w, 3 + w)).to(device) for w in more]


def residual_blocks(device: torch.device) -> list[circuits.ResidualBlock]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [circuits.ResidualBlock(3, 2).to(device) for _ in range(T)]


# Circuits


@pytest.mark.parametrize("family", [plain, turning, streams, biased, unequal])
def test_circuits(family: Callable[[torch.device], Circuits], far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        own, active = family(device), ACTIVE.to(device)
        chosen = [own[3], own[1:4], own[[0, 5]], own[torch.tensor([2, 2])], own[torch.tensor([7], device=device)]]
        return own, chosen, own.run(active, points(device)), own.detach().to(torch.float64)

    same(make, far)


def test_circuits_are_rewritten(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small = streams(device)
        mlp = small.as_mlp()
        conditional = circuits.conditional(mlp, 0.5)
        back = circuits.unconditional(conditional)
        return mlp, mlp.activation_bound(2.0), conditional, back, small.from_mlp(mlp, small.d)

    same(make, far)


def test_inputs_and_states(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        x = points(device, 2)
        return circuits.rotation_inputs(x), circuits.called(x), circuits.conditional_state(circuits.called(x))

    same(make, far)


@pytest.mark.parametrize("widths", [False, True])
def test_modules(widths: bool, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        stack, sizes = circuits.stacked(nets(device, widths=widths))
        return stack, sizes, circuits.from_modules(nets(device)), circuits.to_module(stack, 1, sizes[1].tolist())

    same(make, far)


def test_residual_modules(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        stack, sizes = circuits.stacked(residual_blocks(device))
        return stack, sizes, circuits.to_module(stack, 1, sizes[1].tolist())

    same(make, far)


def test_trained_circuits_and_their_tasks(far: torch.device) -> None:
    mlp, stream, samples = circuits.trained()

    def make(device: torch.device) -> Any:
        found = []
        for small, tasks in ((mlp[:T], samples.mlp), (stream[:T], samples.residual)):
            own, there, active = small.to(device), tasks.to(device), ACTIVE.to(device)
            x, labels = there.draw(active, seed=0)
            answers = there.answers(own.run(active, x)[-1], active)
            found += [x, labels, answers, there.rows(3), there.samples(3), there.name(3)]
        return found

    same(make, far)


# Codes


def test_a_code(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        own = Code(codes.random(T, 15, 3, seed=0).slots.to(device), 15)
        return own, own.uses, own.overlaps, own.rho, own.rho_star, own.T, own.S

    same(make, far)


def test_a_code_is_refused(far: torch.device) -> None:
    for wrong in ([[0, 9]], [[1, 1]]):
        with pytest.raises(ValueError, match="slots gives circuit 0"):
            Code(torch.tensor(wrong).to(far), 5)


# Constructions


def driven(network: Network, small: Any, inputs: Tensor) -> Any:
    """Everything a network can be asked."""
    active = ACTIVE.to(inputs.device)
    A = network.encode(active, inputs)
    after = network(A)
    states, dense, run = list(network.states(active, inputs)), network.dense(), network.run(active, inputs)
    read = [network.read(after, active, network.L), network.read_all(after, network.L)]
    one = network.layers[0]
    return (
        network,
        A,
        after,
        states,
        dense,
        run,
        read,
        one(A),
        network.D,
        errors.measure(network, small, active, inputs),
    )


@pytest.mark.parametrize("family", [streams, biased])
@pytest.mark.parametrize("options", [{}, {"orthonormal": False}, {"threshold": 0.25}], ids=str)
def test_residual(family: Callable, options: dict, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small, x = family(device), points(device)
        return driven(residual.embed(small, 60, 60, 3, seed=0, **options), small, x), residual.carry_bias(small)

    same(make, far)


def test_the_steps_of_the_residual_construction(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small = streams(device)
        E = residual.embedding_matrix(T, 4, 60, seed=0).to(device)
        neurons = residual.choose_neurons(T, 3, 60, 2, seed=0).to(device)
        return [
            residual.reading(E, small.w_in[0]),
            residual.writing_to_neurons(E, small.w_in[0], neurons, 60),
            residual.writing_back(E, small.w_out[0], neurons, 60),
        ]

    same(make, far)


@pytest.mark.parametrize("code", [*codes.NAMES, "own"])
@pytest.mark.parametrize("ideal", [False, True])
def test_redundant(code: str, ideal: bool, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        own = Code(codes.line(T, 15, 3).slots.to(device), 15) if code == "own" else code
        small = plain(device)
        return driven(redundant.embed(small, 60, 3, seed=0, code=own, ideal=ideal), small, points(device))

    same(make, far)


@pytest.mark.parametrize("family", [turning, unequal])
@pytest.mark.parametrize(
    "options", [{}, {"split": False}, {"cap": False}, {"chi": 0.1}, {"code": "random"}, {"ideal": True}], ids=str
)
def test_balanced(family: Callable, options: dict, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small, x, active = family(device), called(device), ACTIVE.to(device)
        large = balanced.embed(small, 100, 3, seed=0, **options)
        return driven(large, small, x), errors.rotations(large, small, active, x)

    same(make, far)


def test_what_the_balanced_construction_is_made_of(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        to, source = (codes.random(T, 20, 3, seed=s).slots.to(device) for s in (0, 1))
        chi = [balanced.balance(to, source, 20, cap=cap) for cap in (True, False)]
        w = plain(device).weights[0]
        laid = blocks.superpose(w, to, source, 20, linked=w[0], unlinked=w[1])
        return balanced.links(to, source, 20), chi, laid, assumptions.with_common_bias(unequal(device))

    same(make, far)


@pytest.mark.parametrize("family", [plain, streams, turning])
def test_dedicated(family: Callable, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small = family(device)
        return driven(dedicated.embed(small), small, points(device))

    same(make, far)


@pytest.mark.parametrize("options", [{"z": 1}, {"z": 2}, {"z": 3}, {"z": 3, "lanes": 2}, {"z": 4, "lanes": 1}], ids=str)
def test_exact(options: dict, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        small, x, active = turning(device), called(device), ACTIVE.to(device)
        large = exact.embed(small, **options)
        A = large.encode(active, x)
        read = [
            large.read(A, active, 0),
            large.read_all(A, 0),
            large.live(A, active, 0),
            large.live(large(A), active, L),
            large.run(OTHERS.to(device), x[:, :1].expand(-1, T - 1, -1).contiguous()),  # more than it is made for
        ]
        chosen = large.small(active[0]), list(large.copies()), large.code, large.gated
        own, at = torch.ones(L + 1, T, 4, dtype=torch.bool, device=device), torch.arange(20, device=device)
        whose = [large.owner(l, at[:, None], at, own) for l in range(len(large.layers))]
        held = [large.holders(l) for l in range(len(large.layers) + 1)]
        return driven(large, small, x), read, list(large.trace(A)), chosen, whose, held

    same(make, far)


# Errors and theory


def test_the_terms_of_an_error(far: torch.device) -> None:
    idle = torch.stack([next(o for o in row if o not in a) for row, a in zip(OTHERS, ACTIVE, strict=True)])[:, None]

    def make(device: torch.device) -> Any:
        small, x, active = biased(device), points(device), ACTIVE.to(device)
        large = residual.embed(small, 60, 60, 3, seed=0)
        return errors.terms(large, small, active, x), errors.terms(large, small, active, x, others=idle.to(device))

    same(make, far)


@pytest.mark.parametrize("family", [streams, biased])
def test_predicted_layers(family: Callable, far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        found = theory.layers(family(device), ACTIVE.to(device), points(device), D=60, M=60, S=3)
        statistics = theory.statistics(family(device), ACTIVE.to(device), points(device))
        return found, [theory.layer(s, T, 60, 60, 3, Z) for s in statistics], statistics, statistics[0].kurtosis

    same(make, far, stays=False)


def test_predictions_that_take_tensors(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        p, v = (torch.linspace(low, 2, 20, dtype=torch.float64).to(device) for low in (-2, 0.1))
        met = theory.collisions(p.view(4, 5), 2, 0.1)
        weights, variances = theory.sharers(20, 0.1, 0.5, 1.5)
        noise = weights.to(device), variances.to(device)
        return theory.rectified(p, v), met, theory.copies(p, v, noise, met, 3)

    same(make, far)


def test_predicted_rotations(far: torch.device) -> None:
    def make(device: torch.device) -> Any:
        own = Code(codes.line(200, 60, 3).slots.to(device), 60)
        return theory.rotations(own, 2, 3), theory.onset(own, 1, 3), theory.leak(own.T, own.n, own.S, 1)

    same(make, far)


# Compression


def many(device: torch.device) -> list[nn.Sequential]:
    """So many that they fit on fewer slots, in the line code of 7 × 6, than there are of them."""
    return nets(device, 49)


def many_plain(device: torch.device) -> MLPCircuits:
    return circuits.random_mlps(49, 4, L, seed=0).to(device)


def of(modules: Callable[[torch.device], Any], **options: Any) -> Callable[[torch.device], Any]:
    return lambda device: compress(modules(device), **options)


COMPRESSED = {
    "exact": of(nets, z=2),
    "exact of three": of(nets, z=3, method="exact"),
    "exact of many widths": of(lambda device: nets(device, widths=True), z=1),
    "exact of residual blocks": of(residual_blocks, z=2),
    "dedicated": of(nets, z=2, method="dedicated"),
    "balanced": of(many, method="balanced", tolerance=0.9),
    "redundant": of(many_plain, method="redundant", tolerance=0.9),
    "auto": of(streams, z=1, tolerance=0.5),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed(kind: str, far: torch.device) -> None:
    given = {"exact": nets, "dedicated": nets, "balanced": many, "redundant": many_plain, "auto": streams}

    def make(device: torch.device) -> Any:
        large = COMPRESSED[kind](device)
        active = ACTIVE.to(device)
        x = points(device, large.width_in)
        A = large.encode(active, x)
        after = large(A)
        run = large.run(active, x)
        read = [large.read(after, active), large.live(after, active), list(large.states(active, x))]
        last = len(large.dense()) - 1
        owned = [large.owners(last), large.owners(0), large.neurons(0), large.neurons(last), large.owner(last, 0, 0)]
        back = large.circuits([1, 2]), large.small(), large.extract(3)
        said = str(large.report()), large.report(), large.extra_repr()
        certificates = [large.certify(), large.certify(active, x)]
        if kind in given:
            certificates.append(large.certify(active, x, modules=given[kind](device)))
        return large, A, after, run, read, owned, back, said, certificates, [c.to_json() for c in certificates]

    same(make, far)


@pytest.mark.parametrize("kind", ["exact", "dedicated", "balanced", "exact of many widths"])
def test_files(kind: str, far: torch.device, tmp_path: Path) -> None:
    """Written from one device, read on another, and moved there by hand."""
    large = COMPRESSED[kind](far)
    large.save(tmp_path / "large")
    active, x = ACTIVE.to(far), points(far, large.width_in)
    there = [load(tmp_path / "large", device=far), load(tmp_path / "large").to(far), COMPRESSED[kind](CPU).to(far)]
    for again in there:
        outputs = again.run(active, x).outputs
        assert outputs.device == far
        assert torch.equal(outputs, large.run(active, x).outputs)
        assert not again.certify().faults
        assert again.extract(1)[0].weight.device == far


@pytest.mark.parametrize("kind", ["exact", "balanced"])
def test_ground_truth(kind: str, far: torch.device, tmp_path: Path) -> None:
    for name, device in (("here", CPU), ("there", far)):
        large = COMPRESSED[kind](device)
        own = () if kind == "exact" else (circuits.sphere(large.T, 8, 2, seed=0).to(device),)
        large.ground_truth(tmp_path / name, *own)
    for file in sorted((tmp_path / "here").iterdir()):
        assert file.read_bytes() == (tmp_path / "there" / file.name).read_bytes(), file.name


# What is not on the one device is refused, and the instrument sees it


@pytest.mark.usefixtures("unhooked")
def test_a_mixture_is_refused(far: torch.device) -> None:
    for small in (plain(far), streams(far)):
        with pytest.raises(ValueError, match="active is on cpu; it must be on"):
            small.run(ACTIVE, points(far))
        with pytest.raises(ValueError, match="inputs is on cpu; it must be on"):
            small.run(ACTIVE.to(far), points(CPU))
    large = compress(nets(far))
    with pytest.raises(ValueError, match="inputs is on cpu; it must be on"):
        large.run(ACTIVE.to(far), points(CPU, 2))
    with pytest.raises(ValueError, match="all must be where the first is"):
        circuits.from_modules([*nets(far)[:1], *nets(CPU)[:1]])


def test_elsewhere_refuses_what_cuda_refuses(far: torch.device) -> None:
    here, there, index = torch.ones(3), torch.ones(3).to(far), torch.tensor([0, 2])
    for mixed in (
        lambda: here + there,
        lambda: there.add_(here),
        lambda: torch.tensor(1.0).add_(there.sum()),
        lambda: torch.cat([here, there]),
        lambda: here @ there,
        lambda: torch.where(here > 0, there, there),
        lambda: torch.zeros(3).index_add_(0, index.to(far), there[:2]),
        lambda: there.index_add(0, index, there[:2]),
        lambda: there.gather(0, index),
        lambda: torch.searchsorted(there, here),
        lambda: here[index.to(far)],
        lambda: there.index_put_((index.to(far),), here[:2]),
        lambda: torch.rand(3, device=far, generator=torch.Generator()),
        lambda: torch.sparse_coo_tensor(index[None].to(far), here[:2], (3,)),
        lambda: torch.nn.functional.linear(there, torch.ones(2, 3)),
    ):
        with pytest.raises((RuntimeError, IndexError)):
            mixed()
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()


def test_elsewhere_allows_what_cuda_allows(far: torch.device) -> None:
    there, index = torch.arange(3.0, device=far), torch.tensor([0, 2])
    assert (there + torch.tensor(1.0)).tolist() == [1, 2, 3]
    assert there[index].tolist() == [0, 2]
    assert torch.zeros(3).copy_(there).tolist() == [0, 1, 2]
    assert torch.where(there > 0, torch.tensor(5.0), there).tolist() == [0, 5, 5]
    there[index] = torch.tensor(7.0)
    there[:2] = torch.tensor([3.0, 4.0])
    assert there.tolist() == [3, 4, 7]
    assert f"{there[0]:.1f}" == "3.0"
