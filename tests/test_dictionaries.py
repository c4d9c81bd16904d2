"""Dictionaries: what they find where the answer is known, what their scores say, and what is refused."""

import ast
import builtins
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from superpos import beds, sweep
from superpos.apart import readings
from superpos.apart.dictionaries import Dictionary, Run, Training, autoencoder, transcoder
from superpos.apart.nonnegative import factors, split
from superpos.apart.study import SCORES, Study, best, studied, studies
from superpos.apart.transcoded import components, likeness, owners, transcoders
from superpos.beds import Bed
from superpos.beds.scoring.evidence import areas, match
from superpos.sampling import distinct, generator

QUICK = Training(steps=30, batch=32)


def sparse(N: int, K: int, n: int, z: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of z out of K directions of length 1, each between once and twice; and the directions."""
    g = generator(seed)
    D = torch.nn.functional.normalize(torch.randn(K, n, generator=g), dim=1)
    which = distinct(N, z, K, generator=g)
    f = torch.zeros(N, K).scatter(1, which, 1 + torch.rand(N, z, generator=g))
    return f @ D, D


def found(D: torch.Tensor, dictionary: Dictionary) -> torch.Tensor:
    """The cosine of every direction to the nearest column of each decoder."""
    return (D @ torch.nn.functional.normalize(dictionary.decoder, dim=1)).amax(dim=-1)


@pytest.fixture(scope="module")
def exact() -> Bed:
    return beds.bed("exact-16")


def test_a_sparse_autoencoder_finds_directions_with_either_kind_of_sparsity():
    """24 directions in 16 dimensions, two at a time; those that an untrained one has are far from them."""
    A, D = sparse(4096, 24, 16, 2)
    runs = [Run(0, l1=0.2), Run(1, l1=0.2), Run(0, top=2), Run(1, top=2)]
    learnt = autoencoder(A, 36, runs, training=Training(steps=400, batch=64))
    assert (found(D, learnt).mean(dim=1) > 0.93).all()
    left = (learnt.decode(learnt.latents(A)) - A).square().sum(dim=(1, 2)) / (A - A.mean(dim=0)).square().sum()
    assert (left < 0.1).all()
    assert (learnt.decoder.norm(dim=1) - 1).abs().max() < 1e-5
    first = autoencoder(A, 36, runs, training=Training(steps=1, batch=64))
    assert (found(D, first).mean(dim=1) < 0.8).all()
    assert (learnt.losses[-50:].mean(dim=0) < 0.5 * learnt.losses[:5].mean(dim=0)).all()


def test_a_price_makes_latents_few():
    A, _ = sparse(1024, 16, 10, 2)
    learnt = autoencoder(A, 32, [Run(0, l1=p) for p in (0.0, 0.3, 1.0)], training=Training(steps=200, batch=64))
    few = (learnt.latents(A) > 0).sum(dim=-1).float().mean(dim=1)
    assert few[0] > 1.5 * few[1] > 3 * few[2]


def test_top_has_exactly_so_many_latents_and_they_are_the_largest():
    A, _ = sparse(256, 16, 10, 2)
    learnt = autoencoder(A, 64, [Run(0, top=k) for k in (1, 3, 8)], training=Training(steps=1, batch=64))
    f, every = learnt.latents(A), replace(learnt, keep=torch.full((3,), 64)).latents(A)
    assert [one.count_nonzero(dim=-1).unique().tolist() for one in f] == [[1], [3], [8]]
    for k, few, all_ in zip((1, 3, 8), f, every, strict=True):
        assert torch.equal(few, torch.where(all_ >= all_.topk(k).values[:, -1:], all_, 0.0))


def test_a_transcoder_of_a_linear_map():
    """One input at a time: the map's columns are what each stands for, so they are the rank-one parts, times 1."""
    g = generator(3)
    M = torch.randn(5, 6, generator=g)
    A = torch.eye(6)[torch.randint(6, (2048,), generator=g)] * torch.rand(2048, 1, generator=g)
    learnt = transcoder(A, A @ M.mT, 12, [Run(s, l1=0.1) for s in (0, 1)], training=Training(steps=600, batch=128))
    f = learnt.latents(A)
    left = (learnt.decode(f) - A @ M.mT).square().sum(dim=(1, 2)) / (A @ M.mT).square().sum()
    assert (left < 0.01).all()
    assert (found(torch.nn.functional.normalize(M.mT, dim=1), learnt) > 0.98).all()


def test_nonnegative_factors_of_a_product():
    """Parts that lie apart from each other: the factors are they, up to their order."""
    g = generator(0)
    D = torch.nn.functional.normalize(torch.block_diag(*(torch.rand(1, 3, generator=g) + 0.1 for _ in range(4))), dim=1)
    F = torch.rand(300, 4, generator=g)
    learnt = factors(F @ D, 4, [0, 1], rounds=1000)
    assert (learnt.errors[-1] < 1e-3).all()
    assert (learnt.errors.diff(dim=0) < 1e-6).all()  # each round is better than the one before
    assert ((D @ learnt.decoder.mT).amax(dim=-1) > 0.99).all()
    fresh = torch.rand(50, 4, generator=g) @ D
    assert (learnt.decode(learnt.latents(fresh)) - fresh).square().sum() < 1e-3 * 2 * fresh.square().sum()


def test_activations_of_both_signs_are_split():
    assert split(torch.tensor([[1.0, -2.0]])).tolist() == [[1.0, 0.0, 0.0, 2.0]]


@pytest.mark.parametrize("kind", ["autoencoder", "transcoder", "factors"])
def test_several_at_once_are_each_as_alone_and_a_seed_gives_the_same_bits(kind):
    A, _ = sparse(128, 16, 10, 2)

    def learn(*seeds: int) -> torch.Tensor:
        if kind == "factors":
            return factors(split(A), 6, seeds, rounds=20).decoder
        runs = [Run(s, l1=0.1, top=4) for s in seeds]
        learnt = (
            autoencoder(A, 12, runs, training=QUICK)
            if kind == "autoencoder"
            else transcoder(A, A[:, :5].clone(), 12, runs, training=QUICK)
        )
        return torch.cat([learnt.encoder.flatten(1), learnt.decoder.flatten(1), learnt.offset], dim=1)

    both = learn(0, 7)
    assert torch.equal(both, learn(0, 7))
    for one, seed in zip(both, (0, 7), strict=True):
        assert torch.allclose(one, learn(seed)[0], atol=1e-4)
    assert not torch.allclose(both[0], both[1], atol=0.1)


def test_nothing_is_drawn_from_the_global_generator():
    before = torch.get_rng_state()
    autoencoder(sparse(64, 8, 5, 1)[0], 8, [Run()], training=QUICK)
    assert torch.equal(before, torch.get_rng_state())


def test_training_can_be_watched_stopped_and_interrupted():
    A, _ = sparse(128, 16, 10, 2)
    seen = []
    stopped = autoencoder(
        A, 8, [Run(), Run(1)], training=QUICK, watch=lambda step, loss: seen.append(step) or step == 9
    )
    assert seen == list(range(10))
    assert stopped.losses.shape == (10, 2)

    def break_off(step: int, loss: torch.Tensor) -> None:
        if step == 9:
            raise KeyboardInterrupt

    broken = autoencoder(A, 8, [Run(), Run(1)], training=QUICK, watch=break_off)
    assert torch.equal(broken.encoder, stopped.encoder)
    assert broken.latents(A).isfinite().all()


def test_scores_of_a_latent_by_hand():
    """Even samples choose latent 1 and 2.5 as the threshold; the odd ones have two hits, one miss, one false alarm.

    precision 2/3, recall 2/3, F1 2/3; MCC (2·2 − 1·1)/√(3·3·3·3) = 1/3. Its area: of 3·3 pairs (5, 4, 1) against
    (3, 0, 0) it has 3 + 3 + 2 = 8.
    """
    active = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=torch.bool)[:, None]
    right = torch.tensor([3.0, 5.0, 4.0, 4.0, 3.0, 1.0, 0.0, 3.0, 2.0, 0.0, 1.0, 0.0])
    other = torch.arange(12.0).remainder(5)
    scores = match(torch.stack([other, right], dim=1), active)
    assert scores.means() == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "mcc": 1 / 3, "auc": 8 / 9}
    )


def test_a_latent_is_not_chosen_on_the_samples_that_it_is_scored_on():
    """A latent that is right on the odd samples alone is not found; with both halves it would be."""
    active = (torch.rand(400, 1, generator=generator(0)) < 0.3).view(-1, 1)
    right = active.float().clone()
    right[::2] = 0
    weak = active.float() + torch.randn(400, 1, generator=generator(1))
    scores = match(torch.cat([right, weak], dim=1), active)
    assert scores.f1.item() < 0.8
    assert match(active.float(), active).means() == dict.fromkeys(("precision", "recall", "f1", "mcc", "auc"), 1.0)


def test_areas_count_pairs():
    g = generator(0)
    x, y = torch.randint(5, (40, 3), generator=g).float(), torch.rand(40, 2, generator=g) < 0.4
    for k in range(3):
        for t in range(2):
            on, off = x[y[:, t], k][:, None], x[~y[:, t], k][None]
            pairs = (on > off).double() + (on == off).double() / 2
            assert areas(x, y)[k, t].item() == pytest.approx(pairs.mean().item())


def test_which_circuit_is_active_is_no_evidence(exact):
    """A network without any circuit in its weights does as well, by every score; its weights tell the two apart.

    At the input both are given the same; at the output the shuffled weights are as good as the circuits' own.
    """
    control = exact.shuffled(0)
    samples = exact.samples(2048, 0)
    first, last = ([list(b.states(samples.inputs)) for b in (exact, control)][k] for k in (0, 1))
    assert torch.equal(first[0], last[0])
    assert not torch.equal(first[-1], last[-1])
    active = exact.active(samples)
    training = Training(steps=250, batch=128)
    scores = [
        match(autoencoder(a, 96, [Run(0, top=4)], training=training).latents(a)[0], active).means()
        for a in (first[-1].float(), last[-1].float())
    ]
    for name in ("auc", "f1", "mcc"):
        assert scores[1][name] > scores[0][name] - 0.06
    assert min(score["auc"] for score in scores) > 0.9
    runs = [Run(0, l1=0.1)]
    cosines = [
        likeness(b, components(b, transcoders(b, 96, runs, samples=2048, training=training)))["cosine"]
        for b in (exact, control)
    ]
    assert cosines[0] > 0.15
    assert abs(cosines[1]) < 0.05


def test_a_transcoder_that_has_the_truth_gives_the_truth():
    """Each piece V_tk as a latent and as another one of the other sign, U_tk as what it stands for: all is found.

    In the second matrix, which reads what is never below 0, a few pieces are of one sign alone and so half as large.
    """
    bed = beds.bed("dedicated-16")
    learnt = {}
    for part in bed.matrices:
        U, V = (x.transpose(0, 1).flatten(1).float() for x in (part.U, part.V))
        E, D = torch.cat([V, -V], dim=1).mT[None], torch.cat([U, -U], dim=1)[None]
        none = torch.zeros(0, 1)
        learnt[part.path] = Dictionary(E, E[..., 0] * 0, D, D[..., 0] * 0, torch.tensor([E.shape[1]]), none)
    truth = components(bed, learnt)
    like = likeness(bed, truth)
    assert like["cosine"] > 0.99
    assert like["r2"] > 0.98
    for part in bed.matrices:
        assert truth.gates[part.path].shape == (512, truth.group[part.path].numel())
    first = bed.matrices[0]
    assert truth.group["0"].tolist() == 2 * torch.arange(16).repeat_interleave(4).tolist()
    assert torch.allclose(truth.U["0"] @ truth.V["0"].mT, first.own_weights, atol=1e-6)
    spoiled = {path: replace(d, decoder=d.decoder.roll(4, 1)) for path, d in learnt.items()}
    assert abs(likeness(bed, components(bed, spoiled))["cosine"]) < 0.05


def test_owners_are_the_circuits_that_latents_go_with():
    active = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=torch.bool)
    latents = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    assert owners(latents, active).tolist() == [1, 0, -1]


def test_readings(exact):
    A = torch.tensor([[1.0, -2.0], [3.0, 0.0]])
    assert readings.neurons(A).tolist() == [[1.0, 0.0, 0.0, 2.0], [3.0, 0.0, 0.0, 0.0]]
    assert readings.principal(A).amax(dim=0).sort().values[-2:].tolist() == pytest.approx([2**0.5, 2**0.5])
    assert torch.equal(readings.random(A, 3, seed=1), readings.random(A, 3, seed=1))
    samples = exact.samples(2048, 0)
    states = list(exact.states(samples.inputs.double()))
    said = readings.truth(exact.matrices[-1], states[-2], states[-1])
    assert match(said.float(), exact.active(samples)).f1.mean() > 0.9


@pytest.mark.parametrize(
    ("wrong", "error", "name"),
    [
        ({"A": torch.zeros(8)}, ValueError, "A has shape"),
        ({"A": torch.zeros(8, 3)}, ValueError, "all the same"),
        ({"A": torch.full((8, 3), torch.nan)}, ValueError, "nan"),
        ({"A": torch.zeros(8, 3, dtype=torch.int64)}, TypeError, "floating"),
        ({"latents": 0}, ValueError, "latents is 0"),
        ({"runs": []}, ValueError, "runs is empty"),
        ({"runs": [Run(-1)]}, ValueError, "seed is -1"),
        ({"runs": [Run(0, l1=-0.1)]}, ValueError, "l1 is -0.1"),
        ({"runs": [Run(0, top=5)]}, ValueError, "top is 5; it must be at most 4"),
        ({"training": Training(steps=0)}, ValueError, "steps is 0"),
        ({"training": Training(lr=0.0)}, ValueError, "lr is 0"),
    ],
)
def test_bad_input_of_a_dictionary_is_refused(wrong, error, name, unhooked):
    given = {"A": torch.rand((8, 3), generator=generator(0)), "latents": 4, "runs": [Run()], "training": QUICK} | wrong
    with pytest.raises(error, match=name):
        autoencoder(given["A"], given["latents"], given["runs"], training=given["training"])


def test_other_bad_input_is_refused(exact, unhooked):
    A = torch.rand((8, 3), generator=generator(0))
    learnt = autoencoder(A, 4, [Run()], training=QUICK)
    parts = factors(A, 2, [0], rounds=3)
    on = torch.arange(8)[:, None] % 4 < 2
    for error, name, call in (
        (ValueError, "A has shape", lambda: learnt.latents(A.new_zeros(8, 4))),
        (TypeError, "dtype", lambda: learnt.latents(A.double())),
        (ValueError, "Y has shape", lambda: transcoder(A, A[:7], 4, [Run()])),
        (ValueError, "at least 0: give split", lambda: factors(-A, 2, [0])),
        (ValueError, "at least 0: give split", lambda: parts.latents(-A)),
        (ValueError, "seeds is empty", lambda: factors(A, 2, [])),
        (ValueError, "rounds is 0", lambda: factors(A, 2, [0], rounds=0)),
        (TypeError, "bool", lambda: match(A, on.float())),
        (ValueError, "active has 7 rows", lambda: match(A, on[:7])),
        (ValueError, "circuit 0 on all or none", lambda: match(A, torch.zeros_like(on))),
        (ValueError, "no transcoder of matrix 0, 2", lambda: components(exact, {})),
        (ValueError, "method is 'pca'", lambda: studied(Study("exact-16", False, "input", "pca"), 0)),
    ):
        with pytest.raises(error, match=name):
            call()


def test_a_study_is_made_again_from_its_seed():
    short = Study("exact-16", True, "output", "top", steps=20, batch=32, samples=256)
    row = studied(short, 1)
    assert row == studied(short, 1) | {"seconds": row["seconds"]}
    assert row["f1"] != studied(short, 2)["f1"]


def rows(bed: str, control: bool, site: str, method: str) -> list[dict]:
    return sweep.stored("dictionaries", bed=bed, control=control, site=site, method=method)


@pytest.mark.parametrize("method", ["neurons", "principal", "random"])
def test_stored_readings_are_measured_again(method):
    for control in (False, True):
        [stored] = [row for row in rows("exact-16", control, "output", method) if row["seed"] == 1]
        again = studied(Study("exact-16", control, "output", method), 1)
        for name in ("precision", "recall", "f1", "mcc", "auc"):
            assert again[name] == pytest.approx(stored[name], abs=0.005)


def test_what_is_stored_is_whole_and_controls_are_as_good():
    """Every bed has every study with three seeds; latents do as well in a control, components do not.

    By F1 of the best learnt method at the output the control is better than the network in most beds; not where the
    stream carries the input on, nor in the thin bed, where hardly anything is found in either. The components that
    transcoders say are like the circuits in the network alone.
    """
    better = set()
    for name in beds.names():
        for study in studies(name):
            own = rows(name, study.control, study.site, study.method)
            assert [row["seed"] for row in own] == [0, 1, 2]
            assert all(row["machine"] and row["seconds"] >= 0 for row in own)
            assert {row["version"] for row in own} == {beds.bed(name).version}
            assert set(best(own)) <= set(SCORES)
        f1 = [max(best(rows(name, c, "output", m))["f1"][0] for m in ("l1", "top", "nmf")) for c in (False, True)]
        better |= {name} if f1[1] > f1[0] else set()
        assert f1[1] > 0.75 * f1[0]
        plain, shuffled = (best(rows(name, control, "matrix", "transcoder"))["cosine"][0] for control in (False, True))
        assert abs(shuffled) < 0.03 < plain
    assert set(beds.names()) - better == {"residual-32", "thin-48"}


def test_snippets_for_other_tools_are_python():
    """They are not run with the book; what they take from it is there."""
    page = (Path(__file__).parents[1] / "book/use-it-with.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 6
    cells = re.findall(r"ipython3\n(?::.*?\n)*(.*?)```", page, re.DOTALL)  # without the tags, which start with a colon
    given = {name for cell in cells for name in bound(ast.parse(cell))}
    made: set[str] = set()
    for block in blocks:
        tree = ast.parse(block)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        made |= bound(tree)
        assert used - made - given <= set(dir(builtins))


def bound(tree: ast.AST) -> set[str]:
    """The names that code gives to something."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found
