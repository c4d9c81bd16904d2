"""Stored submissions say what their decompositions are worth; those of strangers are read, shown and marked alike."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from superpos import apart, beds
from superpos.apart import Decomposition, descents, levels, trivial
from superpos.apart.costs import cost
from superpos.apart.spd import Options, _terms, decompositions, stake
from superpos.apart.starts import started
from superpos.apart.submissions import Submission, stored, submissions, submit
from superpos.apart.target import of_bed, states
from superpos.beds import cuts
from superpos.sampling import generator
from superpos.show.cuts import Found
from superpos.show.cuts import levels as drawn
from superpos.show.data import Drawn
from superpos.writing import ABOUT

MADE = {"seconds": 1.0, "machine": "mine", "script": "mine.py"}
STORED = submissions()
LEAST = 5e-3  # what factors in float16 and gates in steps of 1/255 may change of a score in [0, 1]


@cache
def nine(shuffled: bool = False) -> beds.Bed:
    bed = beds.bed("exact-9")
    return bed.shuffled() if shuffled else bed


def as_of(d: Decomposition, **about: object) -> Decomposition:
    return Decomposition(d.V, d.U, d.group, d.gates, {**d.about, "seed": 0, **about})


def put(place: Path, method: str, d: Decomposition, bed: beds.Bed | None = None, **about: object) -> Submission:
    bed = bed or nine()
    return submit(bed, [as_of(d, method=method, **about)], place / bed.name / method, **MADE)


@pytest.mark.parametrize("s", STORED, ids=lambda s: f"{s.bed}/{s.method}")
def test_a_stored_decomposition_has_the_scores_beside_it(s):
    d = apart.load(s.folder)
    said = json.loads((s.folder / "scores.json").read_text())["scores"][str(d.about["seed"])]
    assert s.folder == stored() / s.bed / s.method
    assert (d.about["bed"], d.about["method"], d.about["labels"]) == (s.bed, s.method, s.labels)
    found = beds.bed(s.bed).score(d)
    for kind in ("r2", "cosine", "reconstruction"):
        assert getattr(found, kind).value == pytest.approx(said[kind][0], abs=LEAST), kind
    assert found.l0.value == pytest.approx(said["l0"][0], rel=0.02, abs=LEAST)
    assert found.needed.value == said["needed"][0]
    assert said["components"] == found.components


def test_small_numbers_change_no_score_by_more_than_is_allowed(tmp_path):
    """The tolerance above, on a decomposition with gates and factors of all sizes."""
    g = torch.Generator().manual_seed(0)
    exact = trivial.random(nine())
    gates = {k: torch.rand(x.shape, generator=g) * x for k, x in exact.gates.items()}
    d = as_of(Decomposition(exact.V, exact.U, exact.group, gates, exact.about))
    s = submit(nine(), [d], tmp_path / "exact-9" / "some", **MADE)
    again, right = nine().score(apart.load(s.folder)), nine().score(d)
    for kind in ("r2", "cosine", "reconstruction"):
        assert getattr(again, kind).value == pytest.approx(getattr(right, kind).value, abs=LEAST)
    assert again.l0.value == pytest.approx(right.l0.value, rel=0.02)


def test_a_strangers_submission_is_in_the_table(tmp_path):
    """Three files, as the chapter says: two that `apart.save` writes, and the scores, here by hand."""
    mine = as_of(trivial.neurons(nine()), method="mine", labels=False)
    folder = tmp_path / "exact-9" / "mine"
    folder.parent.mkdir()
    apart.save(mine, folder, small=True)
    assert submissions(tmp_path) == []  # not whole without scores
    score = nine().score(mine)
    kinds = ("r2", "cosine", "l0", "needed", "reconstruction")
    figures = {kind: [getattr(score, kind).value, getattr(score, kind).standard_error] for kind in kinds}
    words = {"seconds": 3, "machine": "mine", "script": "mine", "scores": {"0": figures}, "control": {}}
    (folder / "scores.json").write_text(json.dumps(words))
    [s] = submissions(tmp_path)
    assert (s.bed, s.method, s.labels, s.seeds, s.control_r2) == ("exact-9", "mine", False, (0,), None)
    assert (s.r2, s.l0) == (score.r2, score.l0)
    [row, *others] = levels.table([s])
    assert row[:3] == ["exact-9", "mine*", "–"]
    assert row[3].startswith(f"{score.r2.value:.2f} ±")
    assert len(row) == len(levels.HEAD)
    assert [cells[1] for cells in others] == ["neurons", "each weight alone", "truth"]
    assert [cells[2] for cells in others][-1] == "1.00"


def test_what_is_no_submission_is_refused(tmp_path):
    s = put(tmp_path, "mine", trivial.truth(nine()))
    (s.folder / "scores.json").write_text("{}")
    with pytest.raises(ValueError, match="it is no submission"):
        submissions(tmp_path)
    good = put(tmp_path / "other", "mine", trivial.truth(nine()))
    about = json.loads((good.folder / ABOUT).read_text())
    (good.folder / ABOUT).write_text(json.dumps({**about, "bed": "exact-10"}))
    with pytest.raises(ValueError, match="of the bed 'exact-10'; the beds are dedicated-16"):
        submissions(tmp_path / "other")


def test_nothing_is_not_submitted(tmp_path):
    with pytest.raises(ValueError, match="found is empty"):
        submit(nine(), [], tmp_path / "exact-9" / "mine", **MADE)
    wrong = as_of(trivial.truth(beds.bed("exact-16")))
    with pytest.raises(ValueError, match="bed"):
        submit(nine(), [wrong], tmp_path / "exact-9" / "mine", **MADE)
    assert not (tmp_path / "exact-9").exists()  # refused before anything is written


def test_seeds_are_averaged_and_the_control_stands_beside_them(tmp_path):
    found = [as_of(trivial.truth(nine()), seed=0), as_of(trivial.singular(nine()), seed=1)]
    null = [as_of(trivial.neurons(nine(shuffled=True)))]
    s = submit(nine(), found, tmp_path / "exact-9" / "two", control=null, **MADE)
    r2 = [nine().score(d).r2.value for d in found]
    assert s.seeds == (0, 1)
    # of two numbers the standard deviation is |a − b|/√2, and the standard error |a − b|/2
    assert (s.r2.value, s.r2.standard_error) == pytest.approx((sum(r2) / 2, abs(r2[0] - r2[1]) / 2))
    control = nine(shuffled=True).score(null[0])
    assert (s.control_r2, s.control_cosine) == (control.r2, control.cosine)
    assert levels.table([s])[0][-1] == f"{control.cosine.value:.3f}".replace("-", "−")


def test_only_what_is_beaten_has_a_mark(tmp_path):
    others = levels.known(nine())
    right = put(tmp_path, "right", trivial.truth(nine()))
    assert levels.beaten(right, others) == []
    assert levels.beaten(put(tmp_path, "neurons", trivial.neurons(nine())), others) == ["neurons"]
    # each weight alone finds nearly all, with more at work than neurons have: it does not beat them
    assert others["each weight alone"].r2.value > 0.9
    many = put(tmp_path, "many", trivial.random(nine()))
    assert "each weight alone" in levels.beaten(many, others)


def test_a_bed_without_an_answer_to_be_found_is_said_to_be_one(tmp_path):
    thin = beds.bed("thin-48")
    s = put(tmp_path, "truth", trivial.truth(thin), thin)
    assert all(cells[0] == "thin-48 (not identifiable)" for cells in levels.table([s]))


def test_what_is_known_agrees_with_the_scores():
    for name, made in {"truth": trivial.truth, **trivial.TRIVIAL}.items():
        right, found = nine().score(made(nine())), levels.known(nine())[name]
        assert (found.r2, found.cosine, found.l0) == (right.r2, right.cosine, right.l0), name


def test_beds_come_by_level_and_labels_first(tmp_path):
    for bed in (nine(), beds.bed("dedicated-16")):
        put(tmp_path, "spd-unlabelled", trivial.truth(bed), bed, labels=False)
        put(tmp_path, "spd", trivial.truth(bed), bed, labels=True)
    found = submissions(tmp_path)
    assert [(s.bed, s.labels) for s in found] == [
        (bed, labels) for bed in ("dedicated-16", "exact-9") for labels in (True, False)
    ]
    rows = levels.by_method(found)
    assert [(row.bed, row.words) for row in rows] == [
        ("dedicated-16", "SPD as published"),
        ("exact-9", "SPD as published"),
    ]
    assert all(row.labelled and row.unlabelled for row in rows)


# Where a method starts


def test_a_start_at_a_cut_is_that_cut():
    bed, options = nine(), Options(20)
    samples = bed.samples(8, 0)
    for cut in (cuts.circuits(bed, samples), cuts.neurons(bed, samples)):
        model = started(of_bed(bed), options, [0, 1], cut)
        assert model.faithfulness().max().item() < 1e-12
        for k, part in enumerate(bed.matrices):
            n = cut.V[part.path].shape[1]
            V, U = model.V[k][1, :, :n], model.U[k][1, :n].mT
            for c in range(n):
                right = cut.U[part.path][:, c, None] * cut.V[part.path][:, c]
                assert torch.allclose((U[:, c, None] * V[:, c]).double(), right, atol=1e-6)


def test_noise_of_a_start_is_as_large_as_is_said():
    bed = nine()
    cut = cuts.circuits(bed, bed.samples(8, 0))
    plain, rough = (started(of_bed(bed), Options(18), range(40), cut, noise=x) for x in (0.0, 0.3))
    for k in range(len(plain.V)):
        off = (rough.V[k] - plain.V[k]).square().sum() / plain.V[k].square().sum()
        assert off.item() == pytest.approx(0.09, rel=0.1)  # 0.3²; 40·12·18 draws


def test_a_start_leaves_out_pieces_without_weights():
    """Of a small neuron that is never on nothing is built; its piece would have no direction."""
    bed = beds.bed("balanced-48")
    cut = cuts.circuits(bed, bed.samples(8, 0))
    live = [int((U.any(dim=0) & cut.V[path].any(dim=0)).sum()) for path, U in cut.U.items()]
    assert max(live) < min(U.shape[1] for U in cut.U.values())
    model = started(of_bed(bed), Options(max(live)), [0], cut)
    assert model.faithfulness().max().item() < 1e-10


def test_costs_of_what_is_known():
    """In an exact network truth and neurons cost nothing but their price; what is wrong costs more."""
    bed = nine()
    for masks in ("uniform", "ends"):
        options = Options(20, q=1.0, masks=masks)
        right, rows = (cost(bed, made(bed), options) for made in (trivial.truth, trivial.neurons))
        for known in (right, rows):
            assert max(known.faithfulness, known.error, known.alone) < 1e-20
            assert known.total(0.5) == pytest.approx(known.price / 2)
        assert rows.price > 1.5 * right.price
    unweighted = [cost(bed, made(bed), Options(20)).price for made in (trivial.truth, trivial.neurons)]
    assert unweighted[0] == pytest.approx(unweighted[1])
    d = trivial.truth(bed)
    halves = replace(d, U={path: U / 2 for path, U in d.U.items()})
    assert cost(bed, halves, Options(20)).faithfulness == pytest.approx(0.25 * len(d.U))
    shut = replace(d, gates={path: 0 * g for path, g in d.gates.items()})
    paid = cost(bed, shut, Options(20, masks="ends"))
    assert paid.price == 0.0
    assert 0.2 < paid.error < 1.0  # half of all components are in, by chance
    assert 0.01 < paid.alone < 1.0
    assert cost(bed, shut, Options(20)).error < paid.error  # in the mean as much of each, but with less chance


@pytest.mark.parametrize("masks", ["uniform", "ends"])
def test_costs_are_those_that_training_goes_down(masks):
    """Of what a model has: the same terms as in training, but for the masks that are drawn."""
    bed, options = nine(), Options(20, "input", 1.0, masks=masks)
    model = started(of_bed(bed), options, [0], cuts.circuits(bed, bed.samples(64, 0))).requires_grad_(False)
    for last in model.last:
        last.mul_(0.05)  # gates near one half
    (found,) = decompositions(model, bed, labels=True, method="spd")
    A = states(model.target, bed.held.start.float())
    assert all(g.min() > 0 and g.max() < 1 for g in found.gates.values())  # so that nothing leaks
    at_stake, seeds = stake(model.target, A), range(40)
    paid = [cost(bed, found, options, seed=seed) for seed in seeds]
    terms = [_terms(model, A, [generator(seed, "other masks")], at_stake) for seed in seeds]
    assert paid[0].faithfulness < 1e-10
    assert paid[0].price == pytest.approx(terms[0]["penalty"].item(), rel=1e-5)
    for name, term in (("error", "all"), ("alone", "one at a time")):
        one, two = (torch.tensor(x) for x in ([getattr(p, name) for p in paid], [t[term].item() for t in terms]))
        assert (one.mean() - two.mean()).abs() < 3 * (one.var() + two.var()).div(len(seeds)).sqrt()
        assert one.std() < 0.2 * one.mean()


def test_costs_of_what_spd_does_not_do_are_refused():
    d = trivial.truth(nine())
    with pytest.raises(ValueError, match="d has machinery 'decomposed'; what SPD pays"):
        cost(nine(), replace(d, about={**d.about, "machinery": "decomposed"}), Options(20))
    with pytest.raises(ValueError, match=r"V\.0 has shape"):
        cost(nine(), replace(d, V={path: V[1:] for path, V in d.V.items()}), Options(20))


def test_a_start_needs_room_for_the_cut():
    bed = nine()
    with pytest.raises(ValueError, match="options has 17 components; the cut has 18 in the matrix '0'"):
        started(of_bed(bed), Options(17), [0], cuts.circuits(bed, bed.samples(8, 0)))


@pytest.mark.parametrize("start", descents.STARTS)
def test_a_descent_says_what_gates_do_and_what_is_at_the_end(start, monkeypatch):
    monkeypatch.setattr(descents, "_GATES", 3)
    options = Options(18, "input", 1.0, steps=3, warm=2, batch=16, fade=0.5)
    row, again = (descents.descent(nine(), options, start, 1) for _ in range(2))
    assert row == again
    assert ("gates" in row) == (start != "random")
    if start in ("truth", "neurons"):
        assert row["gates"]["faithfulness"] < 1e-10  # the components are those that are known …
        assert row["end"]["faithfulness"] > 1e-6  # … and then they are not


def test_stored_descents_started_where_they_say():
    rows = json.loads((stored().parent / "descents.json").read_text(encoding="utf8"))
    assert {(row["bed"], row["version"]) for row in rows} == {
        (row["bed"], beds.bed(row["bed"]).version) for row in rows
    }
    for name in {row["bed"] for row in rows}:
        held = {row["start"]: row for row in rows if row["bed"] == name and row["seed"] == 0}
        assert held.keys() == set(descents.STARTS)
        assert held["truth"]["gates"]["faithfulness"] < 1e-10
        assert held["neurons"]["gates"]["faithfulness"] < 1e-10
        assert 0.3 < held["near the truth"]["gates"]["faithfulness"] < 3  # half the size of each factor, in each matrix


def test_the_picture_of_levels_has_every_bed_and_method():
    rows = [("one", [Found("a", 0.5, 0.1, 0.01), Found("b", 0.7)]), ("two", [Found("b", 0.2, 0.0, 0.02)])]
    figure = drawn(rows, "R²")
    assert isinstance(figure, Drawn)
    [panel] = figure.record()["panels"]
    assert [series["label"] for series in panel["series"]] == ["one, a", "one, b", "two, b"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["one", "two"]
