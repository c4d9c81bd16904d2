"""The record of checked claims: what holds, what fails, and what is refused."""

import json
import math

import pytest

from superpos.show.claims import Claim, ClaimFailed, check
from superpos.show.mime import CLAIM as MIME
from superpos.words import number


def claim(**changes: object) -> Claim:
    arguments: dict = {"predicted": 2.0, "measured": 2.1, "kind": "derived", "source": "ours"} | changes
    name, statement = arguments.pop("name", "a-name"), arguments.pop("statement", "It is so.")
    return check(name, statement, **arguments)


@pytest.mark.parametrize(
    "figures",
    [
        {"predicted": 2, "measured": 2.5, "tolerance": 0.25},  # 0.5 ≤ 0.25 · 2
        {"predicted": -2.0, "measured": -1.8},  # 0.2 ≤ 0.10 · |−2|
        {"predicted": 2.0, "measured": 2.5, "standard_error": 0.25},  # 0.5 ≤ 2 · 0.25
        {"predicted": 0.0, "measured": 0.0},
        {"predicted": 2.0, "measured": -9.0, "relation": "≤"},
        {"predicted": 2.0, "measured": 2.5, "relation": "≤", "tolerance": 0.25},  # 2.5 ≤ 2 · 1.25
        {"predicted": 2.0, "measured": 1.5, "relation": "≥", "tolerance": 0.25},  # 1.5 ≥ 2 · 0.75
        {"predicted": 2.0, "measured": 2.0, "relation": "≥", "tolerance": 0},
    ],
)
def test_holds(figures):
    assert claim(**figures).holds


@pytest.mark.parametrize(
    "figures",
    [
        {"measured": 2.21},
        {"measured": 1.79},
        {"measured": 2.51, "standard_error": 0.25},
        {"predicted": 0.0, "measured": 1e-9},
        {"measured": 2.21, "relation": "≤"},
        {"measured": 1.79, "relation": "≥"},
        {"measured": 2.3, "relation": "≤", "standard_error": 1.0},  # the standard error widens "≈" only
        {"measured": math.nan},
        {"predicted": math.nan},
        {"standard_error": math.inf},
        {"measured": -math.inf, "relation": "≤"},
        {"predicted": math.inf, "relation": "≤"},
    ],
)
def test_fails(figures):
    with pytest.raises(ClaimFailed):
        claim(**figures)


def test_failure_has_all_figures():
    with pytest.raises(ClaimFailed) as failure:
        claim(name="noise", measured=3.125, standard_error=0.25, tolerance=0.05, source="bushnaq2024")
    for figure in ("noise", "It is so.", "2.0", "3.125", "0.25", "0.05", "≈", "bushnaq2024"):
        assert figure in str(failure.value)
    assert isinstance(failure.value, AssertionError)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", "Not a slug"),
        ("name", "two--hyphens"),
        ("statement", "  "),
        ("statement", "two\nlines"),
        ("standard_error", -0.1),
        ("tolerance", 1.0),
        ("tolerance", -0.1),
        ("tolerance", math.nan),
        ("relation", "<"),
        ("source", ""),
    ],
)
def test_bad_value(argument, value):
    with pytest.raises(ValueError, match=f"{argument} is .*must be"):
        claim(**{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [("measured", "2.0"), ("predicted", None), ("standard_error", True), ("tolerance", [0.1]), ("name", 3)],
)
def test_bad_type(argument, value):
    with pytest.raises(TypeError):
        claim(**{argument: value})


def test_what_a_notebook_gets():
    made = claim(statement="The noise $|x|^2 < D$ is small.", measured=2, standard_error=0.02, source="adler2024")
    bundle = made._repr_mimebundle_()
    assert Claim(**json.loads(json.dumps(bundle[MIME]))) == made
    page = bundle["text/html"]
    assert 'id="claim-a-name"' in page
    assert r"\(|x|^2 &lt; D\)" in page  # marked, and escaped
    for text in (page, bundle["text/plain"]):
        assert "≈ 2" in text
        assert "2 ± 0.020" in text
        assert "adler2024" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (256.0, "256"),
        (12345.0, "12,345"),
        (0.031847, "0.0318"),
        (2.0301, "2.03"),
        (123.4, "123"),
        (45678.9, "45,679"),
        (-0.5, "-0.500"),
        (2.13e-5, "2.13·10⁻⁵"),
        (3.2e9, "3.20·10⁹"),
    ],
)
def test_number(value, text):
    assert number(value) == text
