"""Scores of decompositions: of the truth, of what needs no method, and spoiled by what they measure."""

import json
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from superpos import apart, beds
from superpos.__main__ import OK, REFUSED, main
from superpos.apart import Decomposition, trivial
from superpos.beds.scoring import Score, Scores, score
from superpos.beds.scoring.latents import latents
from superpos.beds.scoring.matching import likeness
from superpos.beds.scoring.running import replaced
from superpos.beds.scoring.scores import KINDS

FIRST = "0"  # a matrix of the bed exact-16; the other one is "2"
EXACT = tuple(name for name in beds.names() if name.startswith(("dedicated", "exact")))


@cache
def of(name: str, kind: str = "truth") -> Scores:
    """The scores of a decomposition without a method."""
    bed = beds.bed(name)
    return score(bed.held, {"truth": trivial.truth, **trivial.TRIVIAL}[kind](bed), capped=False)


@cache
def truth(name: str = "exact-16") -> Decomposition:
    return trivial.truth(beds.bed(name))


def changed(d: Decomposition, path: str = FIRST, **change: Callable[[Tensor], Tensor]) -> Decomposition:
    """A decomposition with something done to tensors of one matrix."""
    return replace(d, **{name: {**getattr(d, name), path: do(getattr(d, name)[path])} for name, do in change.items()})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


# The truth


@pytest.mark.parametrize("name", beds.names())
def test_the_truth_scores_one(name):
    found = of(name)
    for kind in ("r2", "cosine", "mmcs", "ml2r"):
        assert getattr(found, kind).value == pytest.approx(1, abs=1e-12), kind
    P = torch.stack([part.components.flatten(1) for part in beds.bed(name).matrices])
    overlap = ((P @ P.mT).square() / P.square().sum(dim=2)[:, None]).sum(dim=0)
    assert found.purity.value == pytest.approx(float((overlap.diagonal() / overlap.sum(dim=1)).mean()))
    assert found.purity.value > 0.98
    assert found.faithfulness.value == 0
    assert found.l0 == found.gate_sum == found.needed
    assert found.capped
    if name in EXACT:
        assert max(found.reconstruction.value, found.by_groups.value) < 1e-12


@pytest.mark.parametrize("name", sorted({*beds.names()} - {*EXACT}))
def test_what_the_truth_leaves_is_what_circuits_add_that_are_not_active(name):
    """Computed with a weight matrix for each sample."""
    held = beds.bed(name).held
    A = held.start[:40]
    for part in held.parts:
        W = part.kept + torch.einsum("bt,toi->boi", held.active[:40].double(), part.components) if part.own else part.W
        pre = (W @ A[..., None])[..., 0] + part.b
        A = pre.relu() if part.relu else pre
    made = replaced(held, truth(name), torch.float64)
    on = held.active.double()
    masks = {path: on[:, group] for path, group in truth(name).group.items()}
    torch.testing.assert_close(made.outputs(masks)[:40], A[:, held.counted], rtol=0, atol=1e-11)
    y = held.outputs
    assert of(name).by_groups.value == pytest.approx(float((made.outputs(masks) - y).square().sum() / y.square().sum()))


def test_the_exact_bed_stands_the_worst_masks():
    """What is not needed may be left in or out: the gates of the network itself silence it."""
    found = of("exact-16")
    assert set(found.ladder) == {20, 40, 80}
    assert max(x.value for x in found.ladder.values()) < 1e-10  # float32
    assert found.ladder[20] == found.adversarial
    assert of("residual-32").adversarial.value > of("residual-32").reconstruction.value


# Those that need no method


def test_neurons_and_circuits_tie_in_the_exact_network():
    neurons, circuits = of("exact-16", "neurons"), of("exact-16")
    assert neurons.l0 == circuits.l0
    for kind in ("faithfulness", "reconstruction", "adversarial"):
        assert max(getattr(x, kind).value for x in (neurons, circuits)) < 1e-10
    assert neurons.r2.value < 0.02
    assert neurons.cosine.value == pytest.approx(1 / 4, abs=0.06)  # a neuron carries a row of each of four circuits


@pytest.mark.parametrize("name", ["exact-16", "exact-64", "exact-16-z2", "exact-16-z3"])
@pytest.mark.parametrize("kind", ["singular vectors", "random"])
def test_directions_are_no_circuits(name, kind):
    found = of(name, kind)
    assert found.r2.value <= 0.02
    assert found.cosine.value < 0.12
    assert found.l0.value > 4 * found.needed.value


@pytest.mark.parametrize("name", ["exact-16", "exact-64"])
def test_each_weight_alone_is_caught_by_l0_alone(name):
    """Every weight has one owner, so that groups of them are circuits; the gates alone say that it is no answer."""
    found = of(name, "each weight alone")
    assert found.cosine.value > 0.94
    assert found.r2.value > 0.9
    assert found.l0.value > 3 * found.needed.value
    assert min(found.components.values()) >= min(found.cap.values())


def test_side_by_side_neurons_are_circuits():
    """All but one neuron, which is on in no sample: what reaches it says that it is another circuit's."""
    found = of("dedicated-16", "neurons")
    assert found.mmcs.value == pytest.approx(1)
    assert min(found.r2.value, found.cosine.value, found.purity.value) > 0.98
    assert found.l0 == of("dedicated-16").l0


def test_in_the_residual_network_neurons_need_many_gates():
    found = of("residual-32", "neurons")
    assert found.r2.value < 0.5
    assert found.l0.value > 10 * found.needed.value
    assert found.reconstruction.value < 1e-12


def test_too_many_weights_are_refused():
    with pytest.raises(ValueError, match=r"'2' has 7,864 weights; one by one, at most 4,096"):
        trivial.weights(beds.bed("balanced-48"))


# The control


@pytest.mark.parametrize("name", ["exact-16", "dedicated-16", "trained-16", "exact-16-z2"])
def test_nothing_is_found_in_the_control(name):
    """The mean over shuffles, and over what needs no method; the half on which a match was chosen flatters it."""
    cosines, r2s, lenient = [], [], []
    for seed in range(4):
        control = beds.bed(name).shuffled(seed)
        for make in (trivial.neurons, trivial.singular, trivial.random):
            alike = likeness(control.held, make(control))
            cosine, r2 = alike.crossed()
            cosines.append(float(cosine.mean()))
            r2s.append(float(r2.mean()))
            lenient.append(best_of(alike))
    assert abs(sum(cosines) / len(cosines)) <= 0.01, cosines
    assert max(r2s) <= 0.005
    assert sum(lenient) > 2 * abs(sum(cosines))  # of groups that are matched and scored on the same weights


def best_of(alike: Any) -> float:
    """The mean cosine where groups are scored on the weights on which they were matched."""
    norms = (alike.group.sum(dim=0)[..., None] * alike.circuit.sum(dim=0)[..., None, :]).sqrt()
    cosine = (alike.inner.sum(dim=0) / norms).nan_to_num().mean(dim=0)
    g = alike.matching(0, 1)
    return float(torch.where(g >= 0, cosine[g, torch.arange(len(g))], 0.0).mean())


def test_the_truth_of_the_original_is_not_that_of_the_control():
    bed = beds.bed("exact-16").shuffled()
    d = replace(truth(), about={})
    found = bed.score(d)
    assert found.r2.value == 1  # the circuits are those of the original …
    assert found.faithfulness.value > 0.5  # … and the control does not have their weights
    assert found.reconstruction.value > 0.1


# Against a plain computation


def test_scores_of_noisy_circuits_against_a_plain_computation():
    bed, d = beds.bed("exact-16"), truth()
    noise = torch.randn(24, 64, generator=generator(), dtype=torch.float64) * torch.linspace(0, 0.4, 64)
    noisy = changed(d, U=lambda U: U + noise)  # from none to so much that R² is cut at 0
    found = bed.score(noisy)
    r2, cosine = [], []
    for part in bed.matrices:
        V, U, group = noisy.V[part.path], noisy.U[part.path], noisy.group[part.path]
        for t, P in enumerate(part.components):
            own = U[:, group == t] @ V[:, group == t].T
            r2.append(max(0.0, 1 - float((own - P).square().sum() / P.square().sum())))
            cosine.append(float((own * P).sum() / own.norm() / P.norm()))
    assert 0 in r2
    assert found.r2.value == pytest.approx(sum(r2) / 32)
    assert found.r2_of[FIRST].value == pytest.approx(sum(r2[:16]) / 16)
    assert found.r2_of["2"].value == pytest.approx(1)
    assert found.cosine.value == pytest.approx(sum(cosine) / 32)
    by_circuit = torch.tensor(r2, dtype=torch.float64).view(2, 16).mean(dim=0)
    assert found.r2.standard_error == pytest.approx(float(by_circuit.std() / 4))


def test_the_ratio_of_norms_is_that_of_what_was_found():
    found = beds.bed("exact-16").score(changed(truth(), U=lambda U: 1.5 * U))
    assert found.ml2r.value == pytest.approx(1.25)  # 1.5 in one of two matrices
    assert found.faithfulness.value == pytest.approx(0.25 * share_of_first(beds.bed("exact-16")))


def share_of_first(bed: beds.Bed) -> float:
    """Of the squares of all weights of circuits those of the first matrix."""
    first, second = (float(part.own_weights.square().sum()) for part in bed.matrices)
    return first / (first + second)


def test_a_group_with_one_row_of_a_circuit_has_its_share():
    """It is found on both halves of the weights: each half has some of every row."""
    d = truth("dedicated-16")
    group = torch.where(torch.arange(64) % 4 == 0, 15 - torch.arange(64) // 4, apart.SHARED)
    found = beds.bed("dedicated-16").score(replace(d, group={path: group for path in d.group}))
    shares = [
        part.V[..., 0].square().sum(dim=1) / part.V.square().sum(dim=(1, 2)) for part in beds.bed("dedicated-16").parts
    ]
    assert found.r2.value == pytest.approx(float(torch.stack(shares).mean()))


def test_machinery_may_be_taken_apart_too():
    """With the shared weights as components without a circuit, that are always on."""
    bed, d = beds.bed("balanced-48"), truth("balanced-48")
    parts, more = {part.path: part for part in bed.matrices}, {"V": {}, "U": {}, "group": {}, "gates": {}}
    for path, part in parts.items():
        u, s, v = torch.linalg.svd(part.kept, full_matrices=False)
        r = int((s > 1e-9).sum())
        new = {"V": v[:r].T, "U": (u * s)[:, :r], "group": torch.full((r,), apart.SHARED), "gates": torch.ones(512, r)}
        for name, x in new.items():
            more[name][path] = torch.cat([getattr(d, name)[path], x], dim=-1)
    found = bed.score(Decomposition(**more, about={"machinery": "decomposed"}))
    assert found.r2.value == pytest.approx(1)
    assert found.l0 == found.needed
    assert found.faithfulness.value < 1e-12
    for kind in ("reconstruction", "by_groups"):
        assert getattr(found, kind).value == pytest.approx(getattr(of("balanced-48"), kind).value)
    kept = bed.score(Decomposition(**more))
    assert kept.faithfulness.value > 0.1
    assert kept.reconstruction.value > 0.1
    assert kept.l0.value > kept.needed.value + 1


# Spoiled


def rotated(d: Decomposition) -> Decomposition:
    """The pieces of every circuit mixed: the same sum."""
    R = torch.linalg.qr(torch.randn(4, 4, generator=generator(), dtype=torch.float64)).Q
    mixed = {path: torch.block_diag(*[R] * 16) for path in d.V}
    return replace(
        d,
        V={path: V @ mixed[path] for path, V in d.V.items()},
        U={path: U @ mixed[path] for path, U in d.U.items()},
        gates={path: x.view(512, 16, 4).amax(-1).repeat_interleave(4, dim=1) for path, x in d.gates.items()},
    )


def with_pair(d: Decomposition, gate: float, group: int) -> Decomposition:
    """Two more components that cancel."""
    V, U = d.V[FIRST][:, :1], torch.randn(24, 1, generator=generator(), dtype=torch.float64)
    return changed(
        d,
        V=lambda x: torch.cat([x, V, V], dim=1),
        U=lambda x: torch.cat([x, U, -U], dim=1),
        group=lambda x: torch.cat([x, torch.tensor([group, group])]),
        gates=lambda x: torch.cat([x, torch.full((512, 2), gate)], dim=1),
    )


def without(d: Decomposition) -> Decomposition:
    """A component left out: one that is needed often."""
    gone = int(d.gates[FIRST].mean(dim=0).argmax())
    keep = torch.arange(64) != gone
    return changed(
        d, V=lambda x: x[:, keep], U=lambda x: x[:, keep], group=lambda x: x[keep], gates=lambda x: x[:, keep]
    )


def relabelled(d: Decomposition) -> Decomposition:
    new = torch.randperm(16, generator=generator())
    return replace(d, group={path: new[x] for path, x in d.group.items()})


def scrambled(d: Decomposition) -> Decomposition:
    """Gates of other samples."""
    return replace(d, gates={path: x.roll(100, dims=0) for path, x in d.gates.items()})


ERRORS = {"reconstruction", "adversarial"}
# What is spoiled: how; the scores that must be worse; those that may move either way. All others stay as they are.
SPOILED: dict[str, tuple[Callable[[Decomposition], Decomposition], set[str], set[str]]] = {
    "nothing": (lambda d: d, set(), set()),
    "groups have other numbers": (relabelled, set(), set()),
    "components in another order": (
        lambda d: changed(d, V=flip, U=flip, group=lambda x: x.flip(0), gates=flip),
        set(),
        {"adversarial"},
    ),
    "pieces of a circuit mixed": (rotated, {"mmcs", "ml2r", "l0", "gate_sum", "adversarial"}, set()),
    "components in wrong groups": (
        lambda d: changed(d, group=lambda x: x.roll(1)),
        {"r2", "cosine", "purity", "by_groups"},
        set(),
    ),
    "two circuits in one group": (
        lambda d: replace(d, group={path: x.where(x != 1, 0) for path, x in d.group.items()}),
        {"r2", "cosine", "purity", "by_groups"},
        set(),
    ),
    "a group without a circuit": (
        lambda d: replace(d, group={path: x.where(x != 1, -1) for path, x in d.group.items()}),
        {"r2", "cosine", "purity"},
        {"by_groups"},
    ),
    "gates of other samples": (scrambled, ERRORS, set()),
    "gates halved": (lambda d: replace(d, gates={path: x / 2 for path, x in d.gates.items()}), ERRORS, {"gate_sum"}),
    "gates all on": (
        lambda d: replace(d, gates={path: torch.ones_like(x) for path, x in d.gates.items()}),
        {"l0", "gate_sum"},
        set(),
    ),
    "a pair that cancels, off": (lambda d: with_pair(d, 0.0, -1), {"adversarial"}, set()),
    "a pair that cancels, on": (lambda d: with_pair(d, 1.0, -1), {"l0", "gate_sum"}, set()),
    "a component left out": (
        without,
        {"r2", "cosine", "mmcs", "faithfulness", "by_groups", *ERRORS},
        {"l0", "gate_sum", "ml2r"},
    ),
    "one matrix too large": (
        lambda d: changed(d, U=lambda U: U * 1.5),
        {"r2", "ml2r", "faithfulness", "by_groups", *ERRORS},
        set(),
    ),
    "one matrix with the wrong sign": (
        lambda d: changed(d, U=lambda U: -U),
        {"r2", "cosine", "mmcs", "faithfulness", "by_groups", *ERRORS},
        {"ml2r"},
    ),
    "one matrix noisy": (
        lambda d: changed(d, V=lambda V: V + 0.1 * torch.randn(V.shape, generator=generator(), dtype=V.dtype)),
        {"r2", "cosine", "purity", "mmcs", "ml2r", "faithfulness", "by_groups", *ERRORS},
        set(),
    ),
}


def flip(x: Tensor) -> Tensor:
    return x.flip(-1)


@pytest.mark.parametrize("what", SPOILED)
def test_a_score_falls_when_what_it_measures_is_spoiled_and_only_then(what):
    spoil, worse, free = SPOILED[what]
    before, after = of("exact-16"), beds.bed("exact-16").score(spoil(truth()))
    for kind, _, better in KINDS:
        old, new = (getattr(x, kind).value for x in (before, after))
        lost = better * (old - new) if better else abs(new - 1) - abs(old - 1)
        if kind in worse:
            assert lost > 1e-4, (kind, old, new)
        elif kind not in free:
            assert new == pytest.approx(old, abs=1e-9), (kind, old, new)


def test_every_score_is_spoiled_by_something():
    assert set().union(*(worse for _, worse, _ in SPOILED.values())) == {kind for kind, *_ in KINDS} - {"needed"}
    assert {kind for kind, *_ in KINDS} == {field.name for field in fields(Scores) if field.type in ("Score", Score)}


# Refused


def nan(x: Tensor) -> Tensor:
    return x.clone().index_fill_(0, torch.tensor([1]), torch.nan)


def elsewhere(d: Decomposition, **about: object) -> Decomposition:
    return replace(d, about={**d.about, **about})


def lost(d: Decomposition, name: str) -> Decomposition:
    return replace(d, **{name: {"2": getattr(d, name)["2"]}})


def many(d: Decomposition) -> Decomposition:
    return changed(d, V=five, U=five, group=five, gates=five)


def five(x: Tensor) -> Tensor:
    return torch.cat([x] * 5, dim=-1)


REFUSED_ONES: dict[str, tuple[Callable[[Decomposition], Decomposition], str]] = {
    "V of another size": (
        lambda d: changed(d, V=lambda x: x[:-1]),
        r"V\.0 has shape \(23, 64\); it must be \(in, C\) = \(24, 64\)",
    ),
    "U of another count": (
        lambda d: changed(d, U=lambda x: x[:, 1:]),
        r"U\.0 has shape \(24, 63\); it must be \(out, C\) = \(24, 64\)",
    ),
    "a flat V": (lambda d: changed(d, V=lambda x: x[0]), r"V\.0 has shape \(64,\); it must be \(in, C\)"),
    "group of another count": (
        lambda d: changed(d, group=lambda x: x[1:]),
        r"group\.0 has shape \(63,\); it must be \(C,\) = \(64,\)",
    ),
    "too few samples": (
        lambda d: changed(d, gates=lambda x: x[1:]),
        r"gates\.0 has shape \(511, 64\); it must be \(held-out samples, C\) = \(512, 64\)",
    ),
    "no component": (
        lambda d: changed(
            d, V=lambda x: x[:, :0], U=lambda x: x[:, :0], group=lambda x: x[:0], gates=lambda x: x[:, :0]
        ),
        r"V\.0 has no component",
    ),
    **{
        f"no {name}": (lambda d, name=name: lost(d, name), rf"{name} has no matrix '0'; the bed 'exact-16' has 0, 2")
        for name in ("V", "U", "group", "gates")
    },
    "another matrix": (
        lambda d: replace(d, U={**d.U, "7": d.U["2"]}),
        r"U has a matrix '7'; the bed 'exact-16' has 0, 2",
    ),
    "NaN in V": (lambda d: changed(d, V=nan), r"V\.0 holds nan at index \(1, 0\); every entry must be finite"),
    "infinite U": (lambda d: changed(d, U=lambda x: x / 0), r"U\.0 holds .* every entry must be finite"),
    "NaN among gates": (lambda d: changed(d, gates=nan), r"gates\.0 holds nan at index \(1, 0\)"),
    "gates above 1": (
        lambda d: changed(d, gates=lambda x: x + 0.5),
        r"gates\.0 holds 1\.5 at .*; gates lie in \[0, 1\]",
    ),
    "gates below 0": (lambda d: changed(d, gates=lambda x: x - 0.5), r"gates\.0 holds -0\.5 at index .* \[0, 1\]"),
    "too many components": (many, r"V\.0 has 320 components; at most 256 are allowed, 4 for each of the 64 true ones"),
    "a group below −1": (
        lambda d: changed(d, group=lambda x: x - 2),
        r"group\.0 holds -2 at index \(0,\); groups are −1 for no circuit, or 0 … 255",
    ),
    "a group too high": (lambda d: changed(d, group=lambda x: x + 250), r"group\.0 holds 256 at .* 0 … 255"),
    "groups with fractions": (
        lambda d: changed(d, group=lambda x: x / 2),
        r"group\.0 has dtype .*; it must be integers",
    ),
    "whole factors": (lambda d: changed(d, V=lambda x: x.long()), r"V\.0 has dtype .*; it must be floating point"),
    "another bed": (
        lambda d: elsewhere(d, bed="exact-64"),
        r"about has bed 'exact-64'; the bed 'exact-16' has bed 'exact-16'",
    ),
    "another version": (lambda d: elsewhere(d, bed_version=2), r"about has bed_version 2; .* has bed_version 1"),
    "the control's": (lambda d: elsewhere(d, control=0), r"about has control 0; .* has control None"),
    "machinery of another kind": (
        lambda d: elsewhere(d, machinery="gone"),
        r"machinery 'gone'; it must be 'kept' or 'decomposed'",
    ),
}


@pytest.mark.parametrize("what", REFUSED_ONES)
def test_what_is_no_decomposition_of_the_bed_is_refused(unhooked, what):
    spoil, message = REFUSED_ONES[what]
    with pytest.raises((ValueError, TypeError), match=message):
        beds.bed("exact-16").score(spoil(truth()))


def test_the_control_refuses_what_is_of_the_original():
    with pytest.raises(
        ValueError, match="about has control None; the bed 'exact-16' shuffled with seed 0 has control 0"
    ):
        beds.bed("exact-16").shuffled().score(truth())


# Files


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_file_gives_back_every_bit(tmp_path, dtype):
    d = truth()
    V, U, gates = ({path: x.to(dtype) for path, x in found.items()} for found in (d.V, d.U, d.gates))
    d = Decomposition(V, U, d.group, gates, {**d.about, "note": "ħ", "more": {"beta": 0.1}})
    apart.save(d, tmp_path / "one")
    found = apart.load(tmp_path / "one")
    for name in ("V", "U", "group", "gates"):
        for path, x in getattr(d, name).items():
            torch.testing.assert_close(getattr(found, name)[path], x, rtol=0, atol=0)
    assert found.about == d.about
    apart.save(found, tmp_path / "two")
    for file in ("README.json", "decomposition.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_matrices_may_share_a_tensor(tmp_path):
    """As the groups of a method do whose components go through all of them."""
    d = truth()
    one = d.group[FIRST]
    apart.save(replace(d, group=dict.fromkeys(d.group, one)), tmp_path / "shared")
    assert all(torch.equal(group, one) for group in apart.load(tmp_path / "shared").group.values())


def test_a_small_file_scores_the_same(tmp_path):
    apart.save(truth("exact-64"), tmp_path / "large")
    apart.save(truth("exact-64"), tmp_path / "small", small=True)
    large, small = ((tmp_path / name / "decomposition.safetensors").stat().st_size for name in ("large", "small"))
    assert small < large / 3
    found, exact = beds.bed("exact-64").score(apart.load(tmp_path / "small")), of("exact-64")
    assert found.r2.value == pytest.approx(1, abs=1e-6)
    assert (found.l0, found.gate_sum) == (exact.l0, exact.gate_sum)
    assert found.reconstruction.value < 1e-6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    apart.save(truth(), tmp_path / "truth")
    return tmp_path / "truth"


def test_nothing_is_replaced_unasked(folder):
    with pytest.raises(FileExistsError, match="give overwrite=True"):
        apart.save(truth(), folder)
    apart.save(truth(), folder, overwrite=True)
    (folder / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"the folder holds mine\.txt"):
        apart.save(truth(), folder, overwrite=True)


def test_words_that_are_missing_or_wrong_are_refused_before_anything_is_written(tmp_path):
    for about, message in [
        ({}, "about: bed is missing; it must be the name of a bed"),
        ({**truth().about, "labels": 1}, "about: labels is 1; it must be whether"),
        ({**truth().about, "steps": True}, "about: steps is True"),
        ({**truth().about, "format": "x"}, "about: format is 'x'; the file itself says this"),
        ({**truth().about, "beta": float("nan")}, "JSON"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            apart.save(replace(truth(), about=about), tmp_path / "new")
    assert not list(tmp_path.iterdir())


def words(**change: object) -> Callable[[Path], None]:
    def change_them(folder: Path) -> None:
        file = folder / "README.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    return change_them


def tensors(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], None]:
    def change_them(folder: Path) -> None:
        file = folder / "decomposition.safetensors"
        save_file({name: x.contiguous() for name, x in change(load_file(file)).items()}, file)

    return change_them


SPOILED_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no words": (lambda f: (f / "README.json").unlink(), "there is no README.json in it"),
    "no tensors": (lambda f: (f / "decomposition.safetensors").unlink(), "there is no such file"),
    "no JSON": (lambda f: (f / "README.json").write_text("{"), "it is no JSON in UTF-8"),
    "no UTF-8": (lambda f: (f / "README.json").write_bytes(b"\xff"), "it is no JSON in UTF-8"),
    "very deep JSON": (lambda f: (f / "README.json").write_text("[" * 200_000), "it is no JSON in UTF-8"),
    "a list": (lambda f: (f / "README.json").write_text("[]"), "it holds a list; it must be an object"),
    "another format": (words(format="superpos.ground_truth"), "its format is 'superpos.ground_truth'; it must be"),
    "a later version": (words(version=2), "its version is 2; version 1 is read here"),
    "no bed": (words(bed=None), "bed is None; it must be the name of a bed"),
    "labels as a word": (words(labels="no"), "labels is 'no'; it must be whether"),
    "cut short": (
        lambda f: (f / "decomposition.safetensors").write_bytes((f / "decomposition.safetensors").read_bytes()[:-9]),
        "damaged, cut short",
    ),
    "a tensor of another name": (
        tensors(lambda x: {**x, "W.0": x["V.0"].clone()}),
        r"it holds W\.0; there may be V\.path, U\.path, group\.path, gates\.path alone",
    ),
    "no gates": (
        tensors(lambda x: {name: y for name, y in x.items() if name != "gates.2"}),
        r"gates\.2 is missing; every matrix needs V, U, group and gates",
    ),
    "whole V": (tensors(lambda x: {**x, "V.0": x["V.0"].byte()}), r"V\.0 has dtype torch\.uint8; it must be one of"),
    "groups with fractions": (
        tensors(lambda x: {**x, "group.0": x["group.0"].float()}),
        r"group\.0 has dtype torch\.float32; it must be one of int8, int16, int32, int64",
    ),
}


@pytest.mark.parametrize("what", SPOILED_FILES)
def test_a_spoiled_file_is_refused(folder, what, capsys):
    spoil, message = SPOILED_FILES[what]
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        apart.load(folder)
    assert main(["score", str(folder)]) == REFUSED
    assert re.search(message, capsys.readouterr().err)


class Bomb:
    """Code that a file would like to have run."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return Path.touch, (self.place,)


def test_nothing_in_a_file_is_executed(folder, tmp_path):
    mark = tmp_path / "executed"
    (folder / "decomposition.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ValueError, match="no safetensors file"):
        apart.load(folder)
    torch.save({"V.0": Bomb(mark)}, folder / "decomposition.safetensors")
    with pytest.raises(ValueError, match=r"of torch\.save"):
        apart.load(folder)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()  # the bomb is a real one


# The table and the command


def test_the_table_marks_what_needs_no_method():
    bed = beds.bed("exact-16")
    control = bed.shuffled(5)
    shown = apart.table(bed, {"neurons again": trivial.neurons(bed), "control": trivial.neurons(control)})
    assert shown.won("neurons again")["r2"] == ["neurons", "each weight alone"]
    assert shown.given["control"].about["control"] == 5
    assert shown.given["control"].r2.value < 0.01
    assert "needed" not in shown.won("control")
    head, first, *_ = shown.grid()
    assert head[1:] == ["neurons again", "control", "truth", *trivial.TRIVIAL]
    assert first[1].endswith("*")
    assert not first[3].endswith("*")
    assert "a decomposition that needs no method reaches it" in str(shown)
    assert shown._repr_html_().count("<td>") == len(head[1:]) * len(shown.grid()[1:])


def test_the_truth_is_reached_by_no_trivial_one_where_it_counts():
    bed = beds.bed("exact-16")
    won = apart.table(bed, {"mine": truth()}).won("mine")
    assert not {"r2", "cosine", "mmcs"} & won.keys()
    assert won["l0"] == ["neurons"]


def test_the_table_says_what_is_left_out_and_what_is_not_ranked():
    shown = apart.table(beds.bed("thin-48"), {}, trivial=True)
    assert "each weight alone: the matrix '2' has 6,240 weights" in str(shown)
    assert "not identifiable, outside the ranking" in str(shown)


def test_score_on_the_command_line(folder, tmp_path, capsys):
    control = beds.bed("exact-16").shuffled(1)
    apart.save(trivial.singular(control), tmp_path / "control")
    assert main(["score", str(folder), str(tmp_path / "control"), "--json", "--trivial"]) == OK
    found = json.loads(capsys.readouterr().out)
    assert found["given"][str(folder)]["r2"] == {"value": 1.0, "standard_error": 0.0}
    assert found["given"][str(tmp_path / "control")]["r2"]["value"] < 0.005
    assert set(found["trivial"]) == {"truth", *trivial.TRIVIAL}
    assert main(["score", str(folder)]) == OK
    assert "R²" in capsys.readouterr().out


def test_the_command_line_refuses_two_beds_and_unknown_ones(folder, tmp_path, capsys):
    apart.save(truth("exact-64"), tmp_path / "other")
    assert main(["score", str(folder), str(tmp_path / "other")]) == REFUSED
    assert "of the beds exact-16, exact-64; give those of one bed" in capsys.readouterr().err
    words(bed="exact-17")(folder)
    assert main(["score", str(folder)]) == REFUSED
    assert "name is 'exact-17'; the beds are dedicated-16" in capsys.readouterr().err


@pytest.mark.alone
def test_512_components_of_64_circuits_are_scored_in_ten_seconds():
    bed, g = beds.bed("exact-64"), generator()
    V, U = ({p.path: torch.randn(42, 512, generator=g) for p in bed.matrices} for _ in range(2))
    group = {p.path: torch.randint(-1, 64, (512,), generator=g) for p in bed.matrices}
    gates = {p.path: torch.rand(512, 512, generator=g) for p in bed.matrices}
    d = Decomposition(V, U, group, gates)
    assert bed.held
    start = time.perf_counter()
    bed.score(d)
    assert time.perf_counter() - start < 10


# Latents of dictionaries


def test_a_latent_for_each_circuit_says_all():
    bed = beds.bed("exact-16-z2")
    on = bed.held.active.double()
    noise = torch.rand(512, 40, generator=generator(), dtype=torch.float64)
    found = bed.latents(torch.cat([noise, on * 3 + 0.5, noise], dim=1))
    assert [getattr(found, name) for name in ("precision", "recall", "f1", "mcc", "auc")] == [Score(1.0, 0.0)] * 5
    blind = bed.latents(noise)
    assert blind.f1.value < 0.3
    assert abs(blind.mcc.value) < 0.1


def test_latents_against_a_plain_computation():
    """One latent alone, for all circuits: the threshold of the even samples, the counts of the odd ones."""
    bed = beds.bed("exact-16-z2")
    a = torch.rand(512, 1, generator=generator(), dtype=torch.float64).mul(8).round() + 3 * bed.held.active[:, :1]
    found, f1s, mccs = bed.latents(a), [], []
    for t in range(16):
        best = (-1.0, 0.0)
        for cut in a[::2].unique()[1:]:  # the least of all would say yes to all
            on, true = a[::2, 0] >= cut, bed.held.active[::2, t]
            best = max(best, (float(2 * (on & true).sum() / (on.sum() + true.sum())), float(cut)))
        on, true = a[1::2, 0] >= best[1], bed.held.active[1::2, t]
        f1s.append(float(2 * (on & true).sum() / (on.sum() + true.sum())))
        both = torch.corrcoef(torch.stack([on, true]).double())[0, 1]
        mccs.append(float(both.nan_to_num()))
    assert found.f1.value == pytest.approx(sum(f1s) / 16)
    assert found.mcc.value == pytest.approx(sum(mccs) / 16)


def test_latents_of_circuits_that_were_not_seen():
    """A circuit that is never active on a half is left out; it does not count as missed."""
    bed = beds.bed("exact-16")
    held = replace(bed.held, active=bed.held.active & (torch.arange(16) != 3))
    found = latents(held, held.active.double())
    assert (found.f1, found.auc) == (Score(1.0, 0.0), Score(1.0, 0.0))
    never = replace(held, active=held.active & False)
    with pytest.raises(ValueError, match="no circuit is active on some of the even"):
        latents(never, held.active.double())


def test_latents_of_another_size_are_refused(unhooked):
    bed = beds.bed("exact-16")
    for wrong, message in [
        (torch.zeros(100, 4), r"activations has shape \(100, 4\); it must be \(B=512, K\)"),
        (torch.zeros(512, 4, dtype=torch.int64), "activations has dtype torch.int64"),
        (torch.full((512, 4), torch.nan), "activations has nan at index"),
        ("these", "activations is str"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            bed.latents(wrong)  # pyright: ignore[reportArgumentType]
