"""Test beds: the parts are the network, the samples say what is needed, a file gives back the same, neurons tie."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import superpos
from superpos import beds, exact
from superpos.beds import NONE, Bed, Inputs, building, cuts, folder, instances, pieces, tie
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.network import Network
from superpos.sampling import generator
from superpos.tensors import digest, write_tensors

NAMES = superpos.bed.names()
EXACT = [name for name in NAMES if name.startswith(("exact", "trained"))]
CLOSE = 1e-12  # of float64


def end(bed: Bed, inputs: Tensor) -> Tensor:
    """What the model puts out, in float64."""
    (*_, last) = bed.states(inputs)
    return last


def whole(T: int, *, z: int = 1, d: int = 2, L: int = 3) -> Bed:
    """An exact bed of whole numbers in eighths: whatever is added up of them in float64 is not rounded."""
    g = torch.Generator().manual_seed(T)
    w = torch.randint(-8, 9, (L, T, d, d), generator=g).double() / 8
    b = torch.randint(-8, 9, (L, T, d), generator=g).double() / 8
    b += 2.0 ** -(7 + 4 * torch.arange(L))[:, None, None]  # half a step of w a: no neuron is just at 0
    small, x = MLPCircuits(w, b), torch.randint(-8, 9, (1, 64, d), generator=g).double() / 8
    network = exact.embed(small, z=z, bound=64.0, reach=1.0)
    return beds.make("whole", 1, "of whole numbers", network, small, z, Inputs(x))


# --- The parts are the network ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_components_add_up_to_the_weights(name: str) -> None:
    """Bit for bit, in whatever order, of the bed, without biases, and of the control."""
    bed = superpos.bed(name)
    for one in (bed, bed.folded(), bed.shuffled(), bed.folded().shuffled(3), bed.shuffled(3).folded()):
        chain = [layer for layer in one.chain(torch.float64) if isinstance(layer, nn.Linear)]
        for part, layer in zip(one.parts, chain, strict=True):
            shared = [x for x in one.shared[part.path].values()]
            own = [part.own_weights] if one.control is not None else list(one.components.get(part.path, []))
            for order in ([*own, *shared], [*shared, *reversed(own)]):
                assert torch.equal(sum(order, torch.zeros_like(layer.weight)), layer.weight)
            assert torch.equal(layer.bias if layer.bias is not None else torch.zeros(len(part.b)).double(), part.b)
        assert [layer.weight.dtype for layer in one.model if isinstance(layer, nn.Linear)] == [torch.float32] * len(
            chain
        )
    for path, P in bed.components.items():
        ranks = torch.linalg.matrix_rank(P)
        assert ranks.max() <= next(part for part in bed.parts if part.path == path).U.shape[2]


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_the_network_of_the_construction(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 10,000 samples with 1 … z active: what its own `encode` and layers make of them."""
    made: list[Network] = []

    def kept(*args: Any, **more: Any) -> Bed:
        made.append(args[3])
        return building.make(*args, **more)

    monkeypatch.setattr(instances, "make", kept)
    bed = instances._MADE[name](name)
    samples, (network,) = bed.samples(10_000, seed=1), made
    found, count = end(bed, samples.inputs), (samples.active != NONE).sum(dim=1)
    assert count.unique().tolist() == list(range(1, bed.z + 1))
    for z in range(1, bed.z + 1):
        some = count == z
        A = network.encode(samples.active[some, :z], samples.x[some, :z])
        torch.testing.assert_close(samples.inputs[some], A, atol=1e-6, rtol=0)
        torch.testing.assert_close(found[some], network(A), atol=4e-6, rtol=1e-6)
    torch.testing.assert_close(bed.model(samples.inputs.float()), found.float(), atol=2e-5, rtol=1e-5)


def test_a_construction_that_is_not_known_is_refused() -> None:
    class Other(Network):
        encode = read = read_all = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="network is Other; nothing is known of whose its weights are"):
        list(pieces.matrices(Other(), superpos.bed("exact-16").circuits))
    with pytest.raises(ValueError, match=r"a number of 2\.68e"):
        beds.on_grid(torch.tensor([1.0, 2.0**28]))


@pytest.mark.parametrize("name", NAMES)
def test_the_constant_takes_the_place_of_biases(name: str) -> None:
    bed = superpos.bed(name)
    one = bed.folded()
    assert one.folded() is one
    assert all(layer.bias is None for layer in one.model if isinstance(layer, nn.Linear))
    samples, same = one.samples(200, 5), bed.samples(200, 5)
    assert torch.equal(samples.inputs, torch.cat([same.inputs, torch.ones(200, 1).double()], dim=1))
    torch.testing.assert_close(end(one, samples.inputs), end(bed, same.inputs), atol=CLOSE, rtol=0)
    assert all((A[:, -1] == 1).all() for A in list(one.states(samples.inputs))[:-1])
    assert all(torch.equal(x, one.importance(samples)[k]) for k, x in bed.importance(same).items())


# --- The samples, and what they need ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_has_one_to_z_active(name: str) -> None:
    bed = superpos.bed(name)
    inputs, active = bed.sample(3000, seed=7)
    assert inputs.dtype == torch.float32
    assert bed.model(inputs).isfinite().all()
    count = (active != NONE).sum(dim=1)
    shares = torch.bincount(count, minlength=bed.z + 1)[1:] / 3000
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / bed.z), atol=0.04, rtol=0)
    for row in active.tolist():
        live = [t for t in row if t != NONE]
        assert row == live + [NONE] * (bed.z - len(live))
        assert len(set(live)) == len(live)
    assert torch.equal(torch.cat([bed.active(bed.samples(3000, 7)).sum(dim=1)]), count)
    assert torch.equal(inputs, bed.sample(3000, seed=7)[0])
    assert not torch.equal(active, bed.sample(3000, seed=8)[1])
    with pytest.raises(ValueError, match="batch is 0"):
        bed.sample(0, seed=1)


@pytest.mark.parametrize("name", [*EXACT, "dedicated-16"])
def test_what_is_not_needed_can_be_taken_away(name: str) -> None:
    """With every mask in [0, 1] of pieces with importance 0 nothing changes; without one of importance 1 something."""
    bed, g = superpos.bed(name), torch.Generator().manual_seed(0)
    samples = bed.samples(1000, seed=2)
    cut, right = cuts.circuits(bed, samples), list(bed.states(samples.inputs))[1:]
    for fill in (0.0, 0.37, None):
        masks = {}
        for path, needed in cut.gates.items():
            free = torch.rand(needed.shape, generator=g).double() if fill is None else torch.tensor(fill).double()
            masks[path] = torch.where(needed > 0, 1.0, free)
        for found, known in zip(cuts.states(bed, cut, masks, samples.inputs), right, strict=True):
            torch.testing.assert_close(found, known, atol=CLOSE, rtol=CLOSE)
    changed = {}
    for k, part in enumerate(bed.parts):
        if part.own:
            needed = cut.gates[part.path] > 0
            some = needed.any(dim=1)
            one = torch.multinomial(needed[some].double(), 1, generator=g)
            masks = {path: torch.ones_like(x) for path, x in cut.gates.items()}
            masks[part.path][some.nonzero()[:, 0], one[:, 0]] = 0.0
            states = list(cuts.states(bed, cut, masks, samples.inputs))
            assert ((states[k] - right[k])[some].abs().amax(dim=1) > 1e-9).all()
            changed[k] = ((states[-1] - right[-1])[some][:, bed.counted].abs().amax(dim=1) > 1e-9).double().mean()
    assert changed[max(changed)] == 1.0
    assert min(changed.values()) > (0.5 if name == "trained-16" else 0.75)  # what follows may be off for all that


def test_a_circuit_is_needed_in_its_own_lane_alone() -> None:
    """Two that start at one slot: each lane holds what the other lane's circuit reads as well."""
    bed = superpos.bed("exact-16-z3")
    active = torch.tensor([[0, 1, 2], [5, 4, 9], [3, 7, 11], [2, NONE, NONE]])
    x = bed.given.pool[0, : active.numel()].view(4, 3, -1) * (active != NONE)[..., None]
    samples = beds.Samples(active, x, bed.encode(active, x))
    for part in bed.matrices:
        lanes = bed.importance(samples)[part.path].unflatten(2, (3, 2)).any(dim=3)
        assert lanes.sum(dim=2).max() == 1
        assert lanes.sum(dim=1).max() == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_piece_is_needed_only_where_its_small_neuron_is_on(name: str) -> None:
    """In noisy networks too: as the circuits, run alone, have it; and most that are on are needed."""
    bed = superpos.bed(name)
    samples = bed.samples(100, seed=6)
    for part in bed.matrices:
        needed = bed.importance(samples)[part.path]
        for b, row in enumerate(samples.active.tolist()):
            live = [t for t in row if t != NONE]
            assert set(needed[b].any(dim=1).nonzero()[:, 0].tolist()) <= set(live)
        on = small_neurons(bed, samples, part.layer)
        found = needed.unflatten(2, (-1, on.shape[2])).any(dim=2)
        assert not (found & ~on).any()
        has = part.V.abs().sum(dim=1).unflatten(1, (-1, on.shape[2])).sum(dim=1) > 0  # what is no mean of all circuits
        assert found.sum() > 0.75 * (on & has).sum() > 0


def small_neurons(bed: Bed, samples: beds.Samples, l: int) -> Tensor:
    """Which neurons of the active circuits are on in layer l, of each sample and circuit by itself."""
    small = bed.circuits.to(torch.float64)
    if isinstance(small, ResidualCircuits):
        w, c = small.w_in[l], small.bias[l]
    else:
        assert isinstance(small, MLPCircuits)
        w, c = small.weights[l], small.biases[l]
    on = torch.zeros(len(samples.x), bed.T, w.shape[1], dtype=torch.bool)
    for b, row in enumerate(samples.active):
        live = row[row != NONE]
        for t, x in zip(live.tolist(), small.run(live[None], samples.x[b : b + 1, : len(live)])[l, 0], strict=True):
            on[b, t] = w[t] @ x + c[t] > 0
    return on


@pytest.mark.parametrize("name", NAMES)
def test_the_control_has_the_same_numbers_elsewhere(name: str) -> None:
    bed = superpos.bed(name)
    control = bed.shuffled(4)
    assert control.control == 4
    for part, other in zip(bed.parts, control.parts, strict=True):
        assert torch.equal(part.kept, other.kept)
        assert torch.equal(part.b, other.b)
        own, mixed = part.own_weights, other.own_weights
        assert torch.equal(own != 0, mixed != 0)
        out, fan_in = own.shape
        folded = next(one for one in control.folded().parts if one.path == part.path).own_weights
        assert torch.equal(folded[:out, :fan_in], mixed)
        assert folded.abs().sum() == mixed.abs().sum()
        assert torch.equal(own.flatten().sort().values, mixed.flatten().sort().values)
        if part.own:
            assert torch.equal(other.components, part.components)
            assert ((own != mixed)[own != 0]).double().mean() > 0.3  # a number may stand there often
            assert ((own * mixed).sum() / own.square().sum()).abs() < 0.03
            halves = (part.halves[:, None] * part.components).flatten(2)
            there = ((halves != 0) * mixed.flatten().square()).sum(dim=2)
            cosines = halves @ mixed.flatten() / (there * halves.square().sum(dim=2)).sqrt().clamp_min(1e-12)
            assert cosines.abs().max() < (0.02 if own.count_nonzero() > 100 else 1)  # 36 numbers leave little choice
    same, others = bed.shuffled(4), bed.shuffled(5)
    assert torch.equal(same.matrices[0].W, control.matrices[0].W)
    assert not torch.equal(others.matrices[0].W, control.matrices[0].W)
    assert torch.equal(bed.sample(9, 1)[0], control.sample(9, 1)[0])


DIGESTS = {
    ("dedicated-16", 1): "aaeba8262ea59959",
    ("exact-9", 1): "f5142521c74bf4a8",
    ("exact-16", 1): "662aa525771cee42",
    ("exact-64", 1): "7f3043bfc3e0937f",
    ("trained-16", 1): "f8490e5dd0c42a0a",
    ("exact-16-z2", 1): "d038f6084e409a81",
    ("exact-16-z3", 1): "3696b3aba9381d95",
    ("balanced-48", 1): "8906195cf77f113d",
    ("residual-32", 1): "50bdd569831dc82e",
    ("thin-48", 1): "015f55ee0edcc5a1",
}
VECTORS = torch.backends.cpu.get_cpu_capability()  # how normal numbers are drawn depends on it, in the last place


@pytest.mark.skipif(VECTORS not in ("AVX2", "AVX512"), reason="the digests are those of processors with AVX2")
@pytest.mark.parametrize("name", NAMES)
def test_a_version_of_a_bed_never_changes(name: str) -> None:
    """Weights, whose they are, inputs and the held-out samples. Whoever changes one gives the beds a new version."""
    bed = superpos.bed(name)
    numbers = {f"{key} {part.path}": getattr(part, key) for part in bed.parts for key in ("W", "b", "U", "V", "neuron")}
    numbers |= {f"W control {part.path}": part.W for part in bed.shuffled().parts}
    numbers |= {"pool": bed.given.pool, "inputs": bed.held_out().inputs, "counted": bed.counted}
    assert digest(numbers, "")[:16] == DIGESTS[name, bed.version]


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name is 'exact'; the beds are dedicated-16, exact-9, exact-16"):
        superpos.bed("exact")
    assert superpos.bed("exact-16") is superpos.bed("exact-16")
    assert [superpos.bed(name).level for name in NAMES] == [0, 1, 1, 1, 1, 2, 2, 3, 4, 3]
    assert {(superpos.bed(name).name, superpos.bed(name).version) for name in NAMES} == {(n, 1) for n in NAMES}


# --- Files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", ["as it is", "control, without biases"])
def test_a_file_gives_the_same_bed(name: str, change: str, tmp_path: Path) -> None:
    bed = superpos.bed(name) if change == "as it is" else superpos.bed(name).shuffled(2).folded()
    bed.save(tmp_path / "bed")
    back = superpos.bed.load(tmp_path / "bed")
    plain = ("name", "version", "level", "words", "z", "identifiable", "constant", "control", "modules", "T")
    assert [getattr(back, key) for key in plain] == [getattr(bed, key) for key in plain]
    for one, two in ((bed, back), (bed.shuffled(9), back.shuffled(9)), (bed.folded(), back.folded())):
        for (key, x), (other, y) in zip(one.model.state_dict().items(), two.model.state_dict().items(), strict=True):
            assert key == other
            assert torch.equal(x, y)
        for part, other in zip(one.parts, two.parts, strict=True):
            assert torch.equal(part.W, other.W)
            assert torch.equal(part.components, other.components)
            assert list(part.shared) == list(other.shared)
    for x, y in zip(bed.sample(50, 3), back.sample(50, 3), strict=True):
        assert torch.equal(x, y)
    needed, again = bed.importance(bed.held_out()), back.importance(back.held_out())
    assert all(torch.equal(x, again[key]) for key, x in needed.items())
    assert torch.equal(bed.counted, back.counted)


def test_a_folder_is_of_use_without_us(tmp_path: Path) -> None:
    """The model from `layers` and a state_dict, the samples, and the components by their path."""
    superpos.bed("exact-16-z2").save(tmp_path / "bed")
    about = json.loads((tmp_path / "bed" / "README.json").read_text(encoding="utf8"))
    assert set(about["files"]) == {file.name for file in (tmp_path / "bed").iterdir()} - {"README.json"}
    state, held, parts, small = (load_file(tmp_path / "bed" / name) for name in about["files"])
    model = nn.Sequential()
    for k, layer in enumerate(about["layers"]):
        kind, _, sizes = layer.partition("(")
        shape = [int(size) for size in sizes.rstrip(")").split(",")] if sizes else []
        model.append(nn.ReLU() if kind == "ReLU" else nn.Linear(*shape, bias=f"{k}.bias" in state))
    model.load_state_dict(state)
    out = model(held["inputs"])
    t, x = held["active"][:, 0], held["x"][:, 0]
    for l in range(2):
        x = ((small["weights"][l, t] @ x[..., None])[..., 0] + small["biases"][l, t]).relu()
    alone = held["active"][:, 1] == NONE
    found = out[alone][:, small["counted"]].sort(dim=1).values[:, -2:]
    torch.testing.assert_close(found, x[alone].float().sort(dim=1).values, atol=1e-5, rtol=1e-5)
    for matrix in about["matrices"]:
        K = matrix["path"]
        W = (parts[f"U.{K}"] @ parts[f"V.{K}"].mT).sum(dim=0)
        W = W + sum(parts[f"shared.{K}.{name}"] for name in matrix["shared"])
        assert torch.equal(W.float(), state[f"{K}.weight"])
    assert held["importance.26"].shape == (512, 16, 4)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    superpos.bed("exact-16").save(tmp_path / "bed")
    about = json.loads((tmp_path / "bed" / "README.json").read_text(encoding="utf8"))

    def refused(match: str, kind: type[Exception] = ValueError, **change: Any) -> None:
        (tmp_path / "bed" / "README.json").write_text(json.dumps(about | change), encoding="utf8")
        with pytest.raises(kind, match=match):
            superpos.bed.load(tmp_path / "bed")

    refused(r"its format is version 2, and this superpos reads up to version 1: install a newer one", version=2)
    refused("its version is 'one', which is none", version="one")
    refused("its format is 'superpos.decomposition'", format="superpos.decomposition")
    refused(r"an earlier superpos has written it. Make it again.*network.ground_truth\(path\)", format=folder.EARLIER)
    refused("it is damaged: its numbers or their description are not those that were saved", active=2)
    refused("it is damaged: its numbers or their description are not those that were saved", digest="0")
    (tmp_path / "bed" / "README.json").write_text('{"format": ', encoding="utf8")
    with pytest.raises(ValueError, match=r"its README.json is damaged"):
        superpos.bed.load(tmp_path / "bed")
    (tmp_path / "bed" / "README.json").write_text(json.dumps(about), encoding="utf8")
    assert superpos.bed.load(tmp_path / "bed").name == "exact-16"
    with pytest.raises(FileNotFoundError, match=r"there is no such folder$"):
        superpos.bed.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="there is no such folder: it is a file"):
        superpos.bed.load(tmp_path / "bed" / "README.json")
    with pytest.raises(FileNotFoundError, match=r"there is no README.json in it"):
        superpos.bed.load(tmp_path)
    for name in folder.FILES:
        file = tmp_path / "bed" / name
        before = file.read_bytes()
        for spoilt in (before[:-9], bytes([*before[:-1], before[-1] ^ 1])):
            file.write_bytes(spoilt)
            with pytest.raises(ValueError, match="it is damaged"):
                superpos.bed.load(tmp_path / "bed")
        file.unlink()
        with pytest.raises(FileNotFoundError, match=name):
            superpos.bed.load(tmp_path / "bed")
        file.write_bytes(before)


def test_numbers_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """With a digest that is right: what somebody else has put together."""
    bed = superpos.bed("exact-16")
    contents = bed._contents()
    del contents["components.safetensors"]["U.0"]
    folder.write(tmp_path / "bed", bed._about(), contents, overwrite=False)
    with pytest.raises(ValueError, match=r"it is damaged, or no test bed \(KeyError: 'U.0'\)"):
        superpos.bed.load(tmp_path / "bed")
    contents["components.safetensors"]["U.0"] = torch.full((2, 2, 2), math.nan)
    with pytest.raises(ValueError, match=r"in components.safetensors U.0 holds nan at index \(0, 0, 0\)"):
        folder.write(tmp_path / "other", bed._about(), contents, overwrite=False)
    assert not (tmp_path / "other").exists()


def test_a_bed_replaces_a_bed_and_nothing_else(tmp_path: Path) -> None:
    bed = superpos.bed("exact-16")
    bed.save(tmp_path / "bed")
    with pytest.raises(FileExistsError, match="give overwrite=True"):
        bed.save(tmp_path / "bed")
    superpos.bed("dedicated-16").save(tmp_path / "bed", overwrite=True)
    assert superpos.bed.load(tmp_path / "bed").name == "dedicated-16"
    write_tensors(tmp_path / "bed" / "mine.safetensors", {"x": torch.ones(1)})
    with pytest.raises(FileExistsError, match=r"holds mine.safetensors, not what superpos wrote"):
        bed.save(tmp_path / "bed", overwrite=True)


# --- What decompositions cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_bed_says_whether_its_answer_can_be_found(name: str) -> None:
    """It cannot where the neurons that write most leave a smaller error than as many components of the circuits."""
    bed = superpos.bed(name)
    samples = bed.samples(1024, seed=5)
    assert bed.identifiable == (not cuts.beaten(bed, samples))
    truth, neurons = (cuts.losses(bed, cut(bed, samples), samples) for cut in (cuts.circuits, cuts.neurons))
    assert truth.faithfulness == neurons.faithfulness == 0.0
    assert neurons.reconstruction < CLOSE
    found = cuts.losses(bed, cuts.directions(bed, samples), samples)
    assert max(found.reconstruction, found.faithfulness) < CLOSE
    assert sum(torch.linalg.matrix_rank(part.own_weights).item() for part in bed.matrices) == found.L0
    if name in EXACT or bed.level == 0:
        assert truth.reconstruction < CLOSE
    else:
        assert truth.reconstruction > 0.01
    if name == "thin-48":  # with a gate that says no more than which circuit is active, even all neurons are fewer
        active = bed.active(samples).sum(dim=1).double().mean().item() * 4 * len(bed.matrices)
        assert active > neurons.L0


def test_each_loss_rises_when_its_thing_is_spoiled_and_only_then() -> None:
    bed = superpos.bed("exact-16")
    samples = bed.samples(500, seed=1)
    cut = cuts.circuits(bed, samples)
    right = cuts.losses(bed, cut, samples)
    silent = cuts.losses(bed, cuts.Cut(cut.V, cut.U, {k: 0 * g for k, g in cut.gates.items()}), samples)
    assert (silent.faithfulness, silent.reconstruction, silent.L0, silent.weighted) == (0.0, 1.0, 0.0, 0.0)
    every = cuts.losses(bed, cuts.Cut(cut.V, cut.U, {k: 0 * g + 1 for k, g in cut.gates.items()}), samples)
    assert every.reconstruction < CLOSE
    assert every.L0 == 2 * 16 * 4
    halves = cuts.losses(bed, cuts.Cut(cut.V, {k: U / 2 for k, U in cut.U.items()}, cut.gates), samples)
    assert halves.faithfulness == 0.25
    assert halves.L0 == right.L0
    assert abs(halves.weighted - right.weighted / 2) < CLOSE
    assert halves.reconstruction > 0.1
    sorted_out = cuts.pruned(bed, cut, samples, right.L0 / 2)
    few = cuts.losses(bed, sorted_out, samples)
    assert abs(few.L0 - right.L0 / 2) <= 1 / 500
    assert 0 < few.reconstruction < 0.5
    twice = cuts.Cut(*({k: torch.cat([x, x], dim=-1) for k, x in held.items()} for held in (cut.V, cut.U, cut.gates)))
    assert cuts.losses(bed, twice, samples).faithfulness == 1.0


# --- The tie ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
def test_neurons_and_circuits_tie(name: str) -> None:
    """Sample by sample as many of each are on; nothing changes with masks in [gate, 1], random ones or extreme ones."""
    bed, g = superpos.bed(name), torch.Generator().manual_seed(1)
    samples = bed.samples(1500, seed=3)
    both, right = [cut(bed, samples) for cut in (cuts.circuits, cuts.neurons)], list(bed.states(samples.inputs))[1:]
    for path in both[0].gates:
        assert torch.equal(*(cut.gates[path].sum(dim=1) for cut in both))
        assert set(both[0].gates[path].unique().tolist()) == {0.0, 1.0}
    for cut in both:
        for draw in (lambda x: torch.rand(x.shape, generator=g).double(), torch.zeros_like):
            masks = {path: torch.where(gate > 0, 1.0, draw(gate)) for path, gate in cut.gates.items()}
            for found, known in zip(cuts.states(bed, cut, masks, samples.inputs), right, strict=True):
                torch.testing.assert_close(found, known, atol=CLOSE, rtol=CLOSE)
    truth, neurons = (cuts.losses(bed, cut, samples) for cut in both)
    assert truth.L0 == neurons.L0
    assert truth.faithfulness == neurons.faithfulness == 0.0
    assert max(truth.reconstruction, neurons.reconstruction) < CLOSE
    root = math.sqrt(math.isqrt(bed.T))
    assert 1.02 * root < neurons.weighted / truth.weighted < 1.2 * root


@pytest.mark.parametrize(("T", "z"), [(9, 1), (7, 1), (9, 2), (7, 3)])
def test_they_tie_without_any_rounding(T: int, z: int) -> None:
    """Of whole numbers all of it holds bit for bit; and what masks of the one do, masks of the other do as well."""
    bed, g = whole(T, z=z), torch.Generator().manual_seed(2)
    samples = bed.samples(400, seed=1)
    truth, neurons = cuts.circuits(bed, samples), cuts.neurons(bed, samples)
    right = list(bed.states(samples.inputs))[1:]

    def drawn(x: Tensor) -> Tensor:
        return torch.randint(9, x.shape, generator=g).double() / 8

    def same(one: Any, two: Any) -> bool:
        return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))

    for cut in (truth, neurons):
        assert cuts.losses(bed, cut, samples).reconstruction == 0.0
        masks = {path: torch.where(gate > 0, 1.0, drawn(gate)) for path, gate in cut.gates.items()}
        assert same(cuts.states(bed, cut, masks, samples.inputs), right)
        spoilt = {path: torch.where(gate > 0, 0.5, 1.0) for path, gate in cut.gates.items()}
        assert not same(cuts.states(bed, cut, spoilt, samples.inputs), right)
    assert cuts.losses(bed, truth, samples).L0 == cuts.losses(bed, neurons, samples).L0
    free = {path: drawn(gate) for path, gate in neurons.gates.items()}
    found = list(cuts.states(bed, neurons, free, samples.inputs))
    assert same(cuts.states(bed, truth, tie.spread(bed, free), samples.inputs), found)
    assert not same(found, right)
    # The other way round, for the circuits that are active: their neurons have the masks of their pieces.
    free = {path: drawn(gate) for path, gate in truth.gates.items()}
    found, given = list(cuts.states(bed, truth, free, samples.inputs)), {}
    active = bed.active(samples)
    for part, A in zip(bed.parts, [samples.inputs, *found], strict=False):
        if part.own:
            reads = ((A != 0).double() @ (part.V != 0).double().transpose(0, 1).flatten(1)) > 0
            mine = reads & active.repeat_interleave(part.U.shape[2], dim=1)
            to = (part.U != 0).double().transpose(0, 1).flatten(1)
            used = part.own_weights.abs().sum(dim=1) > 0
            given[part.path] = torch.where(mine, free[part.path], 0.0) @ to.mT[:, used]
    if z == 1:  # with more lanes a circuit may hear another's slot in a lane that is not its own
        assert same(cuts.states(bed, neurons, given, samples.inputs), found)


@pytest.mark.parametrize("T", [4, 9, 7, 5])
def test_the_norm_tells_them_apart_by_the_root_of_how_many_share_a_neuron(T: int) -> None:
    """The mean square of the shares of c circuits is 1/c, and c is what the docstring says."""
    bed = whole(T)
    n = math.isqrt(T - 1) + 1
    for l, part in enumerate(bed.matrices):
        share, writes = tie.shares(bed, part.path), part.U.abs().argmax(dim=1)
        for neuron in writes.unique().tolist():
            mine = share[writes == neuron]
            t = (writes == neuron).nonzero()[:, 0]
            slot = int(t[0]) % n if l % 2 == 0 else int(t[0]) // n
            c = math.ceil((T - slot) / n) if l % 2 == 0 else min(n, T - slot * n)
            assert len(mine) == c
            zero = mine.isnan().sum()  # a row of zeros has no share
            assert zero == (part.V.norm(dim=1)[writes == neuron] == 0).sum()
            assert abs(mine.nan_to_num().square().sum().item() - 1.0) < CLOSE


def test_rows_of_one_norm_make_neurons_dearer_by_exactly_that_root() -> None:
    for n in (2, 3):
        w = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double().expand(2, n * n, 2, 2).contiguous()
        small = MLPCircuits(w, torch.zeros(2, n * n, 2).double())
        network = exact.embed(small, bound=2.0, reach=1.0)
        bed = beds.make(
            "turned", 1, "", network, small, 1, Inputs(torch.rand((1, 64, 2), generator=generator(0)).double() + 0.5)
        )
        samples = bed.samples(100, seed=0)
        truth, neurons = (cuts.losses(bed, cut(bed, samples), samples) for cut in (cuts.circuits, cuts.neurons))
        assert truth.L0 == truth.weighted == 4.0
        assert abs(neurons.weighted - 4 * math.sqrt(n)) < CLOSE


@pytest.mark.parametrize("name", ["exact-16", "exact-64", "trained-16"])
def test_a_gate_on_what_a_component_reads_cannot_tell_circuits_apart(name: str) -> None:
    """In the first matrix V·A is the same for all circuits that start at one slot: n times as many are on."""
    bed = superpos.bed(name)
    x = bed.given.pool[0, :40].repeat(bed.T, 1)[:, None]
    active = torch.arange(bed.T).repeat_interleave(40)[:, None]
    samples, n = beds.Samples(active, x, bed.encode(active, x)), math.isqrt(bed.T)
    first, truth, seen = bed.matrices[0], cuts.circuits(bed, samples), tie.seen(bed, samples)
    reads = (samples.inputs @ truth.V[first.path]).view(n, n, 40, -1)
    assert torch.equal(reads, reads[:, :1].expand_as(reads))
    gates = truth.gates[first.path].view(n, n, 40, -1)
    assert not torch.equal(gates, gates[:, :1].expand_as(gates))
    assert seen.gates[first.path].sum() == n * truth.gates[first.path].sum()
    assert (seen.gates[first.path] >= truth.gates[first.path]).all()
    assert cuts.losses(bed, seen, samples).reconstruction < CLOSE
