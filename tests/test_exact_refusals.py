"""What the exact construction refuses, and why: widths, plans, activations, coarse numbers and arithmetic."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from exactly import points, read, through
from torch import Tensor

from superpos import circuits, exact
from superpos.circuits import MLPCircuits
from superpos.exact import Entry, ExactNetwork, Plan
from superpos.exact.sizes import before

# --- Bad input --------------------------------------------------------------------------------------------------

SMALL = circuits.rotations(9, 2, seed=0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"D": 10}, r"D is 10; T = 9 .* z = 1 and 1 lane need D ≥ 15; D = 10 holds at most T = 4 with 1 lane$"),
        (
            {"D": 40, "z": 3},
            r"D is 40; T = 9 .* z = 3 and 3 lanes need D ≥ 45; D = 40 holds at most T = . with 3 lanes, and at most "
            r"T = . with one after another \(lanes=1\)",
        ),
        ({"D": 5, "z": 3}, r"need D ≥ .*; D = 5 holds none with 3 lanes, and none with one after another"),
        ({"z": 0}, "z is 0; it must be at least 1"),
        ({"z": -1}, "z is -1; it must be at least 1"),
        ({"z": 10}, "z is 10; it must be at most T = 9"),
        ({"z": 3, "lanes": 0}, "lanes is 0; it must be at least 1"),
        ({"z": 3, "lanes": 4}, "lanes is 4; it must be at most 3: no more than z = 3 circuits run at once"),
        ({"D": 0}, "D is 0; it must be at least 1"),
        ({"bound": 0.0}, "bound is 0.0; it must be positive"),
        ({"bound": -1.0}, "bound is -1.0; it must be positive"),
        ({"bound": math.inf}, "bound is inf; it must be finite"),
        ({"bound": math.nan}, "bound is nan; it must be finite"),
        ({"reach": 3.0}, r"reach is 3.0; it must be at most bound = 2.0"),
        ({"reach": 0.0}, "reach is 0.0; it must be positive"),
        ({"reach": math.nan}, "reach is nan; it must be finite"),
    ],
)
def test_refused(unhooked: None, given: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        exact.embed(SMALL, **given)


@pytest.mark.parametrize("given", [{"z": True}, {"z": 2.0}, {"lanes": 1.0}, {"D": 100.0}, {"nonnegative": 1}], ids=str)
def test_refused_types(unhooked: None, given: dict) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(given))} is "):
        exact.embed(SMALL, **given)


def test_what_a_refusal_says_works(unhooked: None) -> None:
    with pytest.raises(ValueError, match="need D ≥") as refused:
        exact.embed(circuits.rotations(400, 1, seed=0), 150, z=3)
    D, T, d, z, lanes, need, same, side, _, serial, _ = map(int, re.findall(r"\d+", str(refused.value)))
    assert (D, T, d, z, lanes, same) == (150, 400, 2, 3, 3, 150)
    assert side < serial
    assert need == exact.plan(400, 2, z=3).D
    for lanes, most in ((3, side), (1, serial)):
        assert exact.plan(most, 2, z=3, lanes=lanes).D <= 150 < exact.plan(most + 1, 2, z=3, lanes=lanes).D


def test_refuses_other_circuits_and_weights(unhooked: None) -> None:
    with pytest.raises(TypeError, match="circuits is ResidualCircuits; the exact construction takes MLPCircuits"):
        exact.embed(circuits.random_residual(4, 2, 2, 1, seed=0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weights has nan at index"):
        MLPCircuits(torch.full((1, 2, 2, 2), math.nan), torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="biases has inf at index"):
        MLPCircuits(torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2), math.inf))
    with pytest.raises(ValueError, match="T and D are both None"):
        exact.plan(None, 2)
    with pytest.raises(ValueError, match="D is 3; even T = z = 1 circuits of width 2 need D ≥ 5"):
        exact.plan(None, 2, D=3)
    with pytest.raises(TypeError, match=r"constant is 1 \(int\); it must be a bool"):
        exact.plan(4, 2, constant=1)  # type: ignore[arg-type]


SOUND: dict = {
    "T": 9,
    "d": 2,
    "z": 2,
    "lanes": 2,
    "constant": True,
    "n": 3,
    "wires": 3,
    "entry": Entry(2, 3, 2),
    "take": 2,
}


@pytest.mark.parametrize(
    "change",
    [
        {"T": 10},  # more than n² pairs
        {"T": 0},
        {"T": 9.0},
        {"d": 0},
        {"d": True},
        {"z": 3},  # three columns are asked for
        {"z": 1},  # has no entry
        {"z": 10},
        {"lanes": 3},
        {"lanes": 0},
        {"constant": 1},
        {"n": 4},  # six sets of wires would do, three do not
        {"n": 2.5},
        {"wires": 2},
        {"wires": 1},
        {"entry": None},
        {"entry": (2, 3, 1)},  # two circuits may share it
        {"entry": (2, 2, 2)},  # four polynomials
        {"entry": (2, 3, 5)},  # four columns
        {"entry": (1, 9, 2)},  # constants have one
        {"entry": (0, 9, 1)},
        {"entry": (2, 4.0, 2)},
        {"entry": (2.0, 4, 2)},
        {"entry": (True, 9, 1)},
        {"take": 0},
        {"take": 4},
        {"take": 1.0},
    ],
    ids=str,
)
def test_plans_of_which_nothing_is_proved(change: dict, unhooked: None) -> None:
    assert Plan(**SOUND).extra == 11
    if isinstance(change.get("entry"), tuple):
        change = {"entry": Entry(*change["entry"])}
    with pytest.raises(ValueError, match=r"is no plan of an exact network: superpos\.exact\.plan makes one"):
        Plan(**(SOUND | change))


@pytest.mark.parametrize("z", [1, 2])
def test_activations_beyond_the_bound(z: int) -> None:
    network, active = exact.embed(SMALL, z=z), torch.arange(z)[None]
    x = torch.full((1, z, 2), 2.5)
    for use in (network.run, network.encode, network.run_layers):
        with pytest.raises(ValueError, match=r"inputs is 2.5 in size, but the bound is 2: .*bound=3 or more"):
            use(active, x)
    grows = MLPCircuits(3 * torch.eye(2).expand(2, 4, 2, 2).clone(), torch.zeros(2, 4, 2))
    network = exact.embed(grows, z=z, bound=2.0)
    for use in (network.run, lambda active, x: network(network.encode(active, x))):
        with pytest.raises(ValueError, match=r"an activation is (3|9) in size, but the bound is 2"):
            use(active, torch.ones(1, z, 2))


@pytest.mark.parametrize("grown", [3.0, -3.0])
def test_outputs_that_wait_are_activations_too(grown: float) -> None:
    # Without a ReLU at the end outputs may be anything, unless they wait for another pass and have to be raised.
    c = MLPCircuits(grown * torch.eye(2).expand(1, 4, 2, 2).clone(), torch.zeros(1, 4, 2), last_relu=False)
    active, x = torch.tensor([[0, 3]]), torch.ones(1, 2, 2)
    side = exact.embed(c, z=2, bound=2.0)
    for run in (side.run, side.run_layers):
        torch.testing.assert_close(run(active, x).estimates[-1], grown * x)
    serial = exact.embed(c, z=2, lanes=1, bound=2.0)
    for use in (serial.run, lambda active, x: serial(serial.encode(active, x))):
        with pytest.raises(ValueError, match=r"an activation is (3|2\.0402) in size, but the bound is 2"):
            use(active, x)


def test_inputs_up_to_the_bound_and_its_slack() -> None:
    turned = MLPCircuits(-torch.eye(2).expand(2, 4, 2, 2).clone(), torch.zeros(2, 4, 2))
    network, active = exact.embed(turned, z=2, bound=1.0), torch.tensor([[0, 3]])
    x = torch.tensor([[[-1.009, 0.5], [-0.3, -1.0]]])
    _, A = next(network.states(active, x))
    torch.testing.assert_close(network.read(A, active, 1), turned.run(active, x)[1])


@pytest.mark.parametrize(("dtype", "n"), [(torch.float16, 25), (torch.bfloat16, 11), (torch.float32, 2896)])
def test_numbers_that_cannot_count(dtype: torch.dtype, n: int) -> None:
    # The largest n² that the refusal names does work, and n² + 1 does not.
    def wide(T: int) -> MLPCircuits:
        return MLPCircuits(torch.zeros(1, 1, 1, 1, dtype=dtype).expand(1, T, 1, 1), torch.zeros(1, T, 1, dtype=dtype))

    says = rf"circuits are {dtype}, which counts to .*at most n = {n}, T = {n * n} fit, or call .to\(torch.float"
    with pytest.raises(ValueError, match=says):
        exact.embed(wide(n * n + 1), z=2, bound=1.0)
    if dtype != torch.float32:  # tests/test_exact_layers.py has it at its limit
        assert exact.embed(wide(n * n), z=2, bound=1.0).plan.n == n
    assert exact.embed(wide(n * n + 1), z=1, bound=1.0).plan.n == n + 1  # no keys
    halved = exact.embed(circuits.rotations(9000, 1, seed=0), z=2).to(dtype)
    if dtype != torch.float32:
        for use in (halved.dense, lambda: halved.run_layers(torch.tensor([[0, 1]]), torch.ones(1, 2, 2, dtype=dtype))):
            with pytest.raises(ValueError, match=f"circuits are {dtype}, which counts to"):
                use()
    # Three slots are silenced at once: their constants are numbers by themselves, and have to be together.
    assert exact.embed(SMALL, bound=2e37).gated
    for bound in (5e37, 1e38):
        with pytest.raises(ValueError, match=r"bound makes a gate constant of .* which torch.float32 does not hold"):
            exact.embed(SMALL, bound=bound)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_coarse_numbers_find_their_lanes(dtype: torch.dtype) -> None:
    T = {torch.float16: 25, torch.bfloat16: 11}[dtype] ** 2
    c = circuits.rotations(T, 1, seed=0).to(dtype)
    network, active = exact.embed(c, z=2), circuits.random_active(T, 500, 2, seed=0)
    states = through(network, active, points(500, 2).to(dtype))
    assert network.live(states[-1], active, 1).all()
    off = read(network, states, active)[0] - c.run(active, points(500, 2).to(dtype))[1]
    assert off.abs().max() < 8 * torch.finfo(dtype).eps


# --- Coarse arithmetic ------------------------------------------------------------------------------------------


def bits(kept: int) -> Callable[[Tensor], Tensor]:
    """Rounds float32 to so many bits after the first, as a matrix unit does to what it reads."""
    last = 1 << 23 - kept
    return lambda x: ((x.contiguous().view(torch.int32) + last // 2) & -last).view(torch.float32)


def test_tf32_and_bfloat16_lose_keys() -> None:
    assert bits(10)(torch.tensor([1.0, 2049.0, 2051.0, 1 + 2**-12])).tolist() == [1.0, 2050.0, 2052.0, 1.0]
    c = circuits.rotations(2500, 2, seed=0)
    network, active = exact.embed(c, z=2), circuits.random_active(2500, 500, 2, seed=0)
    live = [
        network.live(through(network, active, points(500, 2), rounded=bits(kept))[-1], active, 2).double().mean()
        for kept in (23, 10, 7)
    ]
    assert live[0] == 1
    assert max(live[1:]) < 0.6


def drive(network: ExactNetwork, z: int) -> list[Callable[[], object]]:
    active, x = torch.arange(z)[None], torch.ones(1, z, 2)
    return [lambda: network(network.encode(active, x)), lambda: network.run_layers(active, x)]


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_coarse_products_are_refused_where_there_are_keys(precision: str) -> None:
    keyed, plain = exact.embed(SMALL, z=2), exact.embed(SMALL)
    try:
        torch.set_float32_matmul_precision(precision)
        for use in drive(keyed, 2):
            with pytest.raises(ValueError, match=rf"float32 matrix products are of precision '{precision}'.*'highest'"):
                use()
        for use in drive(plain, 1):
            use()
        assert keyed.run(torch.arange(2)[None], torch.ones(1, 2, 2)).live.all()  # it makes no keys
    finally:
        torch.set_float32_matmul_precision("highest")
    for use in drive(keyed, 2):
        use()


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch sets it for all devices alike")
def test_coarse_products_of_one_device_are_refused() -> None:
    keyed = exact.embed(SMALL, z=2)
    try:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        for use in drive(keyed, 2):
            with pytest.raises(ValueError, match=r"float32 matrix products are of precision 'mixed'.*'highest'"):
                use()
        torch.set_float32_matmul_precision("highest")  # as it says
        for use in drive(keyed, 2):
            use()
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")


def test_autocast_is_refused_where_there_are_keys() -> None:
    keyed, plain = exact.embed(SMALL, z=2), exact.embed(SMALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for use in drive(keyed, 2):
            with pytest.raises(ValueError, match=r"torch.autocast is on, whose products do not hold keys"):
                use()
        for use in drive(plain, 1):
            use()


# --- What can not be asked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [1, 2])
def test_without_a_bound(z: int) -> None:
    c = circuits.random_mlps(9, 2, 2, seed=0)
    network, active, x = exact.embed(c, z=z), torch.arange(z)[None], torch.ones(1, z, 2)
    torch.testing.assert_close(network.run(active, x).estimates, c.run(active, x))
    assert network.gated
    with pytest.raises(ValueError, match="bound is None; dense needs the largest"):
        network.dense()
    for use in (lambda A: network(A), lambda A: next(network.trace(A))):
        with pytest.raises(ValueError, match="bound is None; forward needs the largest"):
            use(torch.zeros(1, network.D))
    with pytest.raises(ValueError, match="bound is None; a layer needs it"):
        network.cells[0](torch.zeros(1, network.cells[0].fan_in))
    if z > 1:
        with pytest.raises(ValueError, match="bound is None; encode needs the largest"):
            network.encode(active, x)
    with pytest.raises(ValueError, match=r"reach is 1\.0; it must be at most bound = None"):
        exact.embed(c, reach=1.0)


@pytest.mark.parametrize("z", [1, 2])
def test_negative_inputs_where_none_were_to_be(z: int) -> None:
    network, active = exact.embed(SMALL, z=z, nonnegative=True), torch.arange(z)[None]
    x = torch.full((1, z, 2), 0.5)
    for use in (network.run, network.encode, network.run_layers):
        use(active, x)
        with pytest.raises(ValueError, match=r"inputs holds -0\.25, and the network was made for inputs of at least 0"):
            use(active, x - 0.75)


def test_a_network_that_waits_is_read_at_the_end() -> None:
    network = exact.embed(circuits.rotations(9, 3, seed=0), z=3, lanes=2)
    active = torch.arange(3)[None]
    A = network.encode(active, points(1, 3))
    assert network.depths == (3,)
    assert torch.equal(network.read(A, active, 0).round(decimals=5), points(1, 3).round(decimals=5))
    A = network(A)
    for layer in (1, 2, 4):
        for use in (network.read, network.live, lambda A, _, l: network.read_all(A, l)):
            with pytest.raises(ValueError, match=f"layer is {layer}; this network can be read after 3$"):
                use(A, active, layer)
    run = network.run(active, points(1, 3))
    assert run.estimates.shape[0] == 2
    assert run.on.shape == (1,)
    assert len(list(network.states(active, points(1, 3)))) == 1
    assert list(before(network.plan))[-1].title == "mark 3"
