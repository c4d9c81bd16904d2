"""Bad input is refused by a message that names the argument, its value and what is allowed."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from superpos import balanced, circuits, codes, dedicated, errors, redundant, residual, sampling, theory
from superpos.circuits import MLPCircuits, ResidualBlock, ResidualCircuits
from superpos.codes.fields import Field

# As users meet them: with the hook a wrong annotation would be refused first, and in other words.
pytestmark = pytest.mark.usefixtures("unhooked")

T, d, m, L = 5, 3, 2, 2
SMALL = circuits.random_residual(T, d, m, L, seed=0)
BIASED = ResidualCircuits(SMALL.w_in, SMALL.w_out, SMALL.bias + 1)
MLP = circuits.random_mlps(T, d, L, seed=0)
LARGE = residual.embed(SMALL, 8, 8, 2, seed=0)
OWN = dedicated.embed(MLP)
BLOCKS = redundant.embed(MLP, 18, 2, seed=0)
TURNING = circuits.conditional_rotations(T, L, seed=0)
BALANCED = balanced.embed(TURNING, 24, 2, seed=0)
ACTIVE, X = torch.tensor([[0, 1], [4, 2]]), torch.ones(2, 2, d)

Call = Callable[[], Any]


def refused(call: Call, kind: type[Exception], *words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert caught.type is kind
    message = str(caught.value)
    for word in words:
        assert re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", message), f"{word!r} is not in {message!r}"


def bad(tensor: Tensor, value: float) -> Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[1] = value
    return tensor


BATCHES: dict[str, tuple[Any, Any, type[Exception], list[str]]] = {
    "inputs of wrong d": (ACTIVE, torch.ones(2, 2, 4), ValueError, ["inputs", "(2, 2, 4)", "(B=2, z=2, d=3)"]),
    "inputs of wrong B": (ACTIVE, torch.ones(3, 2, 3), ValueError, ["inputs", "(3, 2, 3)", "(B=2, z=2, d=3)"]),
    "inputs of wrong rank": (ACTIVE, torch.ones(2, 3), ValueError, ["inputs", "(2, 3)", "(B=2, z=2, d=3)"]),
    "inputs float64": (
        ACTIVE,
        X.double(),
        TypeError,
        ["inputs", "torch.float64", "torch.float32", ".to(torch.float32)"],
    ),
    "inputs int": (ACTIVE, X.long(), TypeError, ["inputs", "torch.int64", "floating point"]),
    "inputs no tensor": (ACTIVE, [[1.0]], TypeError, ["inputs", "list", "torch.Tensor"]),
    "inputs elsewhere": (ACTIVE, X.to("meta"), ValueError, ["inputs", "meta", "cpu"]),
    "inputs NaN": (ACTIVE, bad(X, float("nan")), ValueError, ["inputs", "nan", "(0, 0, 1)", "finite"]),
    "inputs infinite": (ACTIVE, bad(X, float("inf")), ValueError, ["inputs", "inf", "finite"]),
    "active float": (ACTIVE.float(), X, TypeError, ["active", "torch.float32", "torch.int64", ".long()"]),
    "active int32": (ACTIVE.int(), X, TypeError, ["active", "torch.int32", "torch.int64"]),
    "active bool": (ACTIVE > 1, X, TypeError, ["active", "torch.bool", "torch.int64"]),
    "active list": ([[0, 1]], X, TypeError, ["active", "list", "torch.Tensor"]),
    "active of rank 1": (ACTIVE[0], X, ValueError, ["active", "(2,)", "(B, z)"]),
    "active empty": (ACTIVE[:0], X[:0], ValueError, ["active", "(0, 2)", "B ≥ 1"]),
    "active z = 0": (ACTIVE[:, :0], X[:, :0], ValueError, ["active", "(2, 0)", "z ≥ 1"]),
    "active elsewhere": (ACTIVE.to("meta"), X, ValueError, ["active", "meta", "cpu"]),
    "z > T": (torch.arange(6)[None], torch.ones(1, 6, d), ValueError, ["active", "z = 6", "T = 5"]),
    "active too large": (bad(ACTIVE, 5), X, ValueError, ["active", "5", "0 … T − 1 = 4"]),
    "active negative": (bad(ACTIVE, -1), X, ValueError, ["active", "-1", "0 … T − 1 = 4"]),
    "active repeated": (bad(ACTIVE, 0), X, ValueError, ["active", "circuit 0", "row 0", "distinct"]),
    "active repeated apart": (
        torch.tensor([[0, 1, 2], [3, 1, 3]]),
        torch.ones(2, 3, d),
        ValueError,
        ["active", "circuit 3", "row 1", "distinct"],
    ),
}
RUNNERS: dict[str, Callable[[Any, Any], Any]] = {
    "residual circuits": SMALL.run,
    "MLP circuits": MLP.run,
    "residual network": LARGE.run,
    "dedicated network": OWN.run,
    "redundant network": BLOCKS.run,
    "measure blocks": lambda active, x: errors.measure(BLOCKS, MLP, active, x),
    "measure": lambda active, x: errors.measure(LARGE, SMALL, active, x),
    "terms": lambda active, x: errors.terms(LARGE, SMALL, active, x),
    "theory": lambda active, x: theory.layers(SMALL, active, x, 8, 8, 2),
}


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("batch", BATCHES)
def test_batches(runner: str, batch: str) -> None:
    active, x, kind, words = BATCHES[batch]
    refused(lambda: RUNNERS[runner](active, x), kind, *words)


W, V, O, b = torch.ones(L, T, d, d), torch.ones(L, T, m, d), torch.ones(L, T, d, m), torch.ones(L, T, m)
NAN, INF = float("nan"), float("inf")
WEIGHTS: list[tuple[Call, type[Exception], list[str]]] = [
    (lambda: MLPCircuits(torch.ones(3, 3), b), ValueError, ["weights", "(3, 3)", "(L, T, d, d"]),
    (lambda: MLPCircuits(V, b), ValueError, ["weights", "(2, 5, 2, 3)", "d=3"]),
    (lambda: MLPCircuits(W, b), ValueError, ["biases", "(2, 5, 2)", "(L=2, T=5, d=3)"]),
    (lambda: MLPCircuits(W[:, :0], b), ValueError, ["weights", "(2, 0, 3, 3)", "no size may be 0"]),
    (lambda: MLPCircuits(W.long(), b), TypeError, ["weights", "torch.int64", "floating point"]),
    (lambda: MLPCircuits(W, W[..., 0].double()), TypeError, ["biases", "torch.float64", "torch.float32"]),
    (lambda: MLPCircuits(W, W[..., 0].to("meta")), ValueError, ["biases", "meta", "cpu"]),
    (lambda: MLPCircuits(bad(W, NAN), W[..., 0]), ValueError, ["weights", "nan", "(0, 0, 0, 1)", "finite"]),
    (lambda: MLPCircuits(W, bad(W[..., 0], INF)), ValueError, ["biases", "inf", "finite"]),
    (lambda: MLPCircuits(W.numpy(), W[..., 0]), TypeError, ["weights", "ndarray", "torch.Tensor"]),  # type: ignore[arg-type]
    (lambda: MLPCircuits(W, W[..., 0], last_relu=None), TypeError, ["last_relu", "None", "bool"]),  # type: ignore[arg-type]
    (lambda: MLPCircuits(W.to("meta"), W[..., 0].to("meta")), ValueError, ["weights", "meta"]),
    (lambda: ResidualCircuits(torch.ones(3), O, b), ValueError, ["w_in", "(3,)", "(L, T, m, d)"]),
    (lambda: ResidualCircuits(V, V, b), ValueError, ["w_out", "(2, 5, 2, 3)", "(L=2, T=5, d=3, m=2)"]),
    (lambda: ResidualCircuits(V, O, O), ValueError, ["bias", "(2, 5, 3, 2)", "(L=2, T=5, m=2)"]),
    (lambda: ResidualCircuits(V.double(), O, b), TypeError, ["w_out", "torch.float32", "torch.float64"]),
    (lambda: ResidualCircuits(V, O.to("meta"), b), ValueError, ["w_out", "meta", "cpu"]),
    (lambda: ResidualCircuits(bad(V, -INF), O, b), ValueError, ["w_in", "-inf", "(0, 0, 0, 1)", "finite"]),
    (lambda: ResidualCircuits(V, bad(O, NAN), b), ValueError, ["w_out", "nan", "finite"]),
    (lambda: ResidualCircuits(V, O, bad(b, NAN)), ValueError, ["bias", "nan", "finite"]),
    (lambda: SMALL[9], IndexError, ["9", "0 … T − 1"]),
    (lambda: SMALL[:0], ValueError, ["w_in", "(2, 0, 2, 3)", "no size may be 0"]),
]


@pytest.mark.parametrize("case", range(len(WEIGHTS)))
def test_weights(case: int) -> None:
    call, kind, words = WEIGHTS[case]
    refused(call, kind, *words)


COUNTS: dict[str, Callable[[Any], Any]] = {
    "random_mlps T": lambda n: circuits.random_mlps(n, d, L, seed=0),
    "random_mlps d": lambda n: circuits.random_mlps(T, n, L, seed=0),
    "random_mlps L": lambda n: circuits.random_mlps(T, d, n, seed=0),
    "random_residual T": lambda n: circuits.random_residual(n, d, m, L, seed=0),
    "random_residual m": lambda n: circuits.random_residual(T, d, n, L, seed=0),
    "rotations T": lambda n: circuits.rotations(n, L, seed=0),
    "conditional_rotations L": lambda n: circuits.conditional_rotations(T, n, seed=0),
    "random_active T": lambda n: circuits.random_active(n, 1, 1, seed=0),
    "random_active batch": lambda n: circuits.random_active(T, n, 1, seed=0),
    "random_active z": lambda n: circuits.random_active(T, 1, n, seed=0),
    "sphere batch": lambda n: circuits.sphere(n, 1, 1, seed=0),
    "sphere z": lambda n: circuits.sphere(1, n, 1, seed=0),
    "sphere d": lambda n: circuits.sphere(1, 1, n, seed=0),
    "ResidualBlock m": lambda n: ResidualBlock(2, n),
    "embed D": lambda n: residual.embed(SMALL, n, 8, 2, seed=0),
    "embed M": lambda n: residual.embed(SMALL, 8, n, 2, seed=0),
    "embed S": lambda n: residual.embed(SMALL, 8, 8, n, seed=0),
    "embedding_matrix T": lambda n: residual.embedding_matrix(n, d, 8, seed=0),
    "embedding_matrix d": lambda n: residual.embedding_matrix(T, n, 8, seed=0),
    "embedding_matrix D": lambda n: residual.embedding_matrix(T, d, n, seed=0),
    "choose_neurons T": lambda n: residual.choose_neurons(n, m, 8, 2, seed=0),
    "choose_neurons m": lambda n: residual.choose_neurons(T, n, 8, 2, seed=0),
    "choose_neurons M": lambda n: residual.choose_neurons(T, m, n, 2, seed=0),
    "choose_neurons S": lambda n: residual.choose_neurons(T, m, 8, n, seed=0),
    "progression T": lambda n: codes.progression(n, 8, 2),
    "progression n": lambda n: codes.progression(2, n, 2),
    "progression S": lambda n: codes.progression(2, 8, n),
    "line T": lambda n: codes.line(n, 8, 2),
    "line S": lambda n: codes.line(2, 8, n),
    "random n": lambda n: codes.random(2, n, 2, seed=0),
    "random_subsets S": lambda n: codes.random_subsets(2, 8, n, seed=0),
    "max_circuits n": lambda n: codes.max_circuits("line", n, 2),
    "max_circuits S": lambda n: codes.max_circuits("random_subsets", 8, n),
    "smallest T": lambda n: codes.smallest("line", n, 2),
    "smallest S": lambda n: codes.smallest("line", 2, n),
    "redundant D": lambda n: redundant.embed(MLP, n, 2, seed=0),
    "redundant S": lambda n: redundant.embed(MLP, 18, n, seed=0),
    "balanced D": lambda n: balanced.embed(TURNING, n, 2, seed=0),
    "balanced S": lambda n: balanced.embed(TURNING, 24, n, seed=0),
    "layers D": lambda n: theory.layers(SMALL, ACTIVE, X, n, 8, 2),
    "layers M": lambda n: theory.layers(SMALL, ACTIVE, X, 8, n, 2),
    "layers S": lambda n: theory.layers(SMALL, ACTIVE, X, 8, 8, n),
    "distinct k": lambda n: sampling.distinct(2, n, 8, generator=sampling.generator(0)),
}
SEEDS: dict[str, Callable[[Any], Any]] = {
    "generator": sampling.generator,
    "embed": lambda seed: residual.embed(SMALL, 8, 8, 2, seed=seed),
    "random code": lambda seed: codes.random(2, 8, 2, seed=seed),
    "random_subsets": lambda seed: codes.random_subsets(2, 8, 2, seed=seed),
    "redundant": lambda seed: redundant.embed(MLP, 18, 2, seed=seed),
    "balanced": lambda seed: balanced.embed(TURNING, 24, 2, seed=seed),
    "rotations": lambda seed: circuits.rotations(T, L, seed=seed),
    "random_active": lambda seed: circuits.random_active(T, 1, 1, seed=seed),
    "sphere": lambda seed: circuits.sphere(1, 1, 1, seed=seed),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    argument = name.split()[1]
    for value in (0, -3):
        refused(lambda value=value: COUNTS[name](value), ValueError, argument, f"{argument} is {value}", "at least 1")
    for value in (2.0, "2", True, torch.tensor(2)):
        refused(lambda value=value: COUNTS[name](value), TypeError, argument, repr(value), type(value).__name__, "int")


@pytest.mark.parametrize("name", SEEDS)
def test_seeds(name: str) -> None:
    for value in (-1, 2**63):
        refused(lambda value=value: SEEDS[name](value), ValueError, f"seed is {value}", "0 … 2**63 - 1")
    for value in (1.5, "1", True, None):
        refused(lambda value=value: SEEDS[name](value), TypeError, f"seed is {value!r}", type(value).__name__, "int")


THRESHOLDS: dict[str, Callable[[Any], Any]] = {
    "embed": lambda theta: residual.embed(SMALL, 8, 8, 2, seed=0, threshold=theta),
    "carry_bias": lambda theta: circuits.carry_bias(SMALL, theta),
    "random_residual": lambda theta: circuits.random_residual(T, d, m, L, seed=0, threshold=theta),
    "layers": lambda theta: theory.layers(SMALL, ACTIVE, X, 8, 8, 2, threshold=theta),
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds(name: str) -> None:
    for value in (-0.1, NAN, INF):
        refused(lambda value=value: THRESHOLDS[name](value), ValueError, f"threshold is {value}", "at least 0")
    for value in ("1", True, torch.tensor(1.0)):
        refused(lambda value=value: THRESHOLDS[name](value), TypeError, "threshold", repr(value), "number")


SIZES: list[tuple[Call, list[str]]] = [
    (lambda: redundant.embed(MLP, 19, 2, seed=0), ["D is 19", "multiple of d = 3", "18", "21"]),
    (lambda: redundant.embed(MLP, 2, 1, seed=0), ["D is 2", "multiple of d = 3", "3 or 6"]),
    (lambda: balanced.embed(TURNING, 1001, 2, seed=0), ["D is 1001", "multiple of d = 4", "1000 or 1004"]),
    (lambda: redundant.embed(MLP, 18, 7, seed=0), ["S is 7", "at most 6", "n = D/d = 6"]),
    (lambda: codes.line(1, 4, 5), ["S is 5", "at most 4", "n = 4"]),
    # Pairs of slots 1, 2, 3, 4 … apart: of 5 slots 2 + 2 + 2 + 1 = 7, of 6 slots 3 + 2 + 3 + 2 + 1 = 11
    (lambda: codes.progression(9, 5, 2), ["T is 9", "progression", "at most 7", "n = 5", "S = 2", "n ≥ 6"]),
    (lambda: codes.line(557, 120, 6), ["T is 557", "line", "at most 361", "n = 120", "S = 6", "n ≥ 150"]),  # 19², 25²
    (lambda: codes.random(1682, 250, 6, seed=0), ["T is 1682", "random", "at most 1681", "n ≥ 258"]),  # 43 · 6
    (lambda: codes.random_subsets(21, 6, 3, seed=0), ["T is 21", "at most 20", "n ≥ 7"]),  # 35 of 7
    (lambda: Field(6), ["q is 6", "prime power", "5"]),
    (lambda: Field(1), ["q is 1", "prime power", "2"]),
    (lambda: residual.embed(SMALL, 8, 8, 5, seed=0), ["S is 5", "S·m = 10", "M = 8", "M // m = 4"]),
    (lambda: residual.embed(SMALL, 8, 1, 1, seed=0), ["S is 1", "S·m = 2", "M = 1", "M ≥ 2"]),
    (lambda: residual.embed(SMALL, 2, 8, 2, seed=0), ["D is 2", "d = 3", "D ≥ 3"]),
    (lambda: residual.embed(BIASED, 3, 8, 2, seed=0), ["D is 3", "d = 3", "on-indicator", "D ≥ 4"]),
    (lambda: residual.embedding_matrix(T, 9, 8, seed=0), ["d is 9", "at most 8", "D ≥ d"]),
    (lambda: residual.choose_neurons(T, 3, 8, 3, seed=0), ["S is 3", "S·m = 9", "M = 8", "M // m = 2"]),
    (lambda: circuits.random_active(T, 1, 6, seed=0), ["z is 6", "at most 5", "T = 5"]),
    (lambda: sampling.distinct(2, 9, 8, generator=sampling.generator(0)), ["k is 9", "n = 8"]),
    (lambda: theory.layers(SMALL, ACTIVE, X, 8, 8, 5), ["S is 5", "S·m = 10", "M = 8"]),
]


@pytest.mark.parametrize("case", range(len(SIZES)))
def test_sizes_that_do_not_fit(case: int) -> None:
    call, words = SIZES[case]
    refused(call, ValueError, *words)


def test_nothing_is_drawn_before_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("work was done")

    for name in ("embedding_matrix", "choose_neurons", "generator"):
        monkeypatch.setattr(residual, name, work)
    for call in (SIZES[0][0], SIZES[2][0], SIZES[3][0], lambda: residual.embed(SMALL, 8, 8, 2, seed=-1)):
        with pytest.raises(ValueError, match="is"):
            call()


def test_usable_circuits() -> None:
    refused(lambda: theory.usable_circuits(float, -0.1), ValueError, "error is -0.1", "at least 0")
    refused(lambda: theory.usable_circuits(lambda T: 0.0), ValueError, "predict", "grow")


PAIRS: list[tuple[Call, type[Exception], list[str]]] = [
    (lambda: errors.measure(LARGE, SMALL[:4], ACTIVE, X), ValueError, ["network", "T = 5", "circuits", "T = 4"]),
    (lambda: errors.measure(OWN, circuits.random_mlps(T, d, 1, seed=0), ACTIVE, X), ValueError, ["L = 2", "L = 1"]),
    (
        lambda: errors.terms(LARGE, circuits.random_residual(T, 4, m, L, seed=0), ACTIVE, X),
        ValueError,
        ["d = 3", "d = 4"],
    ),
    (
        lambda: errors.terms(LARGE, circuits.random_residual(T, d, 4, L, seed=0), ACTIVE, X),
        ValueError,
        ["m = 2", "m = 4"],
    ),
    (lambda: errors.terms(LARGE, MLP, ACTIVE, X), TypeError, ["circuits", "MLPCircuits", "ResidualCircuits"]),  # type: ignore[arg-type]
    (lambda: errors.terms(OWN, SMALL, ACTIVE, X), TypeError, ["network", "DedicatedNetwork", "ResidualNetwork"]),  # type: ignore[arg-type]
    (
        lambda: errors.terms(LARGE, SMALL, ACTIVE, X, others=ACTIVE),
        ValueError,
        ["others", "circuit 0", "row 0", "active"],
    ),
    (lambda: errors.terms(LARGE, SMALL, ACTIVE, X, others=ACTIVE[:1]), ValueError, ["others", "(1, 2)", "B = 2"]),
    (lambda: errors.terms(LARGE, SMALL, ACTIVE, X, others=ACTIVE + 5), ValueError, ["others", "5", "T − 1 = 4"]),
    (lambda: errors.terms(LARGE, SMALL, ACTIVE, X, others=X), TypeError, ["others", "torch.float32", "torch.int64"]),  # type: ignore[arg-type]
    (lambda: residual.embed(MLP, 8, 8, 2, seed=0), TypeError, ["circuits", "MLPCircuits", "ResidualCircuits"]),  # type: ignore[arg-type]
    (lambda: errors.measure(BLOCKS, TURNING, ACTIVE, X), ValueError, ["network", "d = 3", "circuits", "d = 4"]),
    (lambda: errors.rotations(BLOCKS, MLP, ACTIVE, X), ValueError, ["circuits", "d = 3", "d = 4"]),
    (lambda: errors.rotations(BLOCKS, TURNING, ACTIVE, X), ValueError, ["network", "d = 3", "circuits", "d = 4"]),
    (lambda: errors.rotations(BLOCKS, None, ACTIVE, X), TypeError, ["circuits", "NoneType", "MLPCircuits"]),  # type: ignore[arg-type]
    (lambda: errors.terms(BLOCKS, SMALL, ACTIVE, X), TypeError, ["network", "BlockNetwork", "ResidualNetwork"]),  # type: ignore[arg-type]
    (lambda: redundant.embed(SMALL, 18, 2, seed=0), TypeError, ["circuits", "ResidualCircuits", "MLPCircuits"]),  # type: ignore[arg-type]
    (lambda: balanced.embed(SMALL, 18, 2, seed=0), TypeError, ["circuits", "ResidualCircuits", "MLPCircuits"]),  # type: ignore[arg-type]
    (lambda: balanced.embed(None, 18, 2, seed=0), TypeError, ["circuits", "NoneType", "MLPCircuits"]),  # type: ignore[arg-type]
    (
        lambda: redundant.embed(TURNING, 24, 2, seed=0),
        ValueError,
        ["biases[0, 0, 1] is -1.5", "superpos.balanced.embed"],
    ),
    (lambda: redundant.embed(MLP, 18, 2, seed=0, code="lines"), ValueError, ["code is 'lines'", *codes.NAMES]),
    (lambda: balanced.embed(TURNING, 24, 2, seed=0, code=None), ValueError, ["code is None", *codes.NAMES]),  # type: ignore[arg-type]
    (lambda: codes.max_circuits("lines", 8, 2), ValueError, ["name is 'lines'", *codes.NAMES]),
    (lambda: codes.smallest("lines", 8, 2), ValueError, ["name is 'lines'", *codes.NAMES]),
    (
        lambda: redundant.embed(MLP, 18, 2, seed=0, code=codes.line(4, 6, 2)),
        ValueError,
        ["code has T = 4", "n = 6", "S = 2", "T = 5", "n = D/d = 6"],
    ),
    (
        lambda: redundant.embed(MLP, 18, 2, seed=0, code=codes.line(5, 7, 2)),
        ValueError,
        ["code has T = 5", "n = 7", "n = D/d = 6"],
    ),
    (
        lambda: balanced.embed(TURNING, 36, 2, seed=0, code=codes.line(5, 9, 3)),
        ValueError,
        ["code has T = 5", "S = 3", "S = 2"],
    ),
    (lambda: balanced.embed(TURNING, 24, 2, seed=0, chi=NAN), ValueError, ["chi is nan", "finite"]),
    (lambda: balanced.embed(TURNING, 24, 2, seed=0, chi="0"), TypeError, ["chi", "'0'", "number"]),  # type: ignore[arg-type]
    (lambda: BLOCKS.read(torch.zeros(2, 18), ACTIVE, 0), ValueError, ["layer is 0", "1 … 2", "w^1"]),
    (lambda: BLOCKS.read_all(torch.zeros(2, 18), 0), ValueError, ["layer is 0", "1 … 2", "w^1"]),
    (lambda: BALANCED.read_all(torch.zeros(2, 24), 3), ValueError, ["layer is 3", "1 … 2"]),
    (lambda: dedicated.embed(LARGE), TypeError, ["circuits", "ResidualNetwork", "MLPCircuits"]),  # type: ignore[arg-type]
    (lambda: circuits.carry_bias(MLP), TypeError, ["circuits", "MLPCircuits", "ResidualCircuits"]),  # type: ignore[arg-type]
    (lambda: theory.layers(MLP, ACTIVE, X, 8, 8, 2), TypeError, ["circuits", "MLPCircuits", "ResidualCircuits"]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("case", range(len(PAIRS)))
def test_pairs_that_do_not_match(case: int) -> None:
    call, kind, words = PAIRS[case]
    refused(call, kind, *words)


EMBEDS: dict[str, Callable[..., Any]] = {"redundant": redundant.embed, "balanced": balanced.embed}


@pytest.mark.parametrize("name", codes.NAMES)
@pytest.mark.parametrize("embed", EMBEDS)
def test_too_many_circuits_for_a_width(embed: str, name: str) -> None:
    # What the message calls the most fits, one more does not; what it calls the least width does, a slot less not.
    S, n = (2, 6) if name == "random_subsets" else (3, 18)

    def build(T: int, D: int) -> Any:
        return EMBEDS[embed](circuits.random_mlps(T, 1, 2, seed=0), D, S, seed=0, code=name)

    most = codes.max_circuits(name, n, S)
    with pytest.raises(ValueError, match="at most") as caught:
        build(most + 1, n)
    words = [f"T = {most + 1}", f"the {name} code holds at most {most} circuits at D = {n}", f"S = {S}"]
    assert all(word in str(caught.value) for word in words)
    least = int(str(caught.value).rsplit("needs D ≥ ", 1)[1])
    widths = [build(most, n).D, build(most + 1, least).D]
    assert widths == [n, least]
    with pytest.raises(ValueError, match=f"needs D ≥ {least}"):
        build(most + 1, least - 1)


def test_no_place_for_a_balancing_weight() -> None:
    # Two circuits with both of their slots on the same two of two: all pairs are linked.
    code = codes.Code(torch.tensor([[0, 1], [1, 0]]), 2)
    c = MLPCircuits(torch.full((2, 2, 1, 1), 0.5), torch.full((2, 2, 1), -0.1))
    refused(lambda: balanced.embed(c, 2, 2, seed=0, code=code), ValueError, "S is 2", "T = 2", "n = 2", "chi = 0")
    assert balanced.embed(c, 2, 2, seed=0, code=code, chi=0.0).D == 2


def line(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


MODULES: list[tuple[Any, type[Exception], list[str]]] = [
    ([], ValueError, ["modules", "empty", "at least one"]),
    (line(2, 2), TypeError, ["modules", "Sequential", "list of nn.Module"]),
    (3, TypeError, ["modules", "int", "list of nn.Module"]),
    ([line(2, 2), "x"], TypeError, ["modules[1]", "str", "Linear"]),
    ([nn.Sequential()], ValueError, ["modules[0]", "empty", "at least one Linear"]),
    ([line(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Tanh())], TypeError, ["layer 1 of modules[1]", "Tanh", "ReLU"]),
    ([nn.Sequential(nn.ReLU())], TypeError, ["layer 0 of modules[0]", "ReLU", "Linear"]),
    (
        [nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(2, 2))],
        ValueError,
        ["layer 2 of modules[0]", "takes 2", "puts out 3"],
    ),
    ([line(2, 2), line(2, 2, 2)], ValueError, ["modules[1]", "Linear → ReLU → Linear", "modules[0]"]),
    ([line(2, 2), ResidualBlock(2, 2)], ValueError, ["modules[1]", "ResidualBlock", "modules[0]", "Linear"]),
    ([nn.Sequential(ResidualBlock(2, 2), ResidualBlock(3, 2))], ValueError, ["modules[0]", "[2, 3]", "one width"]),
    ([line(2, 2), line(2, 2).double()], TypeError, ["modules[1]", "torch.float64", "torch.float32"]),
    ([line(2, 2), line(2, 2).to("meta")], ValueError, ["modules[1]", "meta", "cpu"]),
]


@pytest.mark.parametrize("case", range(len(MODULES)))
def test_modules(case: int) -> None:
    modules, kind, words = MODULES[case]
    refused(lambda: circuits.from_modules(modules), kind, *words)


def test_a_nan_in_a_module_is_refused() -> None:
    module = line(2, 2)
    nn.init.constant_(module[0].weight, NAN)  # type: ignore[arg-type]
    refused(lambda: circuits.from_modules([module]), ValueError, "modules[0]", "nan", "weight of layer 0", "finite")
