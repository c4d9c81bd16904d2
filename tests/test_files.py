"""Small networks out of files: names are layers or networks, or are refused. A large one is what was saved."""

import json
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import prune

from superpos import circuits
from superpos.__main__ import main
from superpos.circuits import MLPCircuits, ResidualBlock
from superpos.compression import Compressed, compress, load
from superpos.compression.chains import in_order, may_follow
from superpos.compression.files import FORMAT
from superpos.compression.reading import assumed, read_modules
from superpos.tensors import digest

Linear, Sequential = nn.Linear, nn.Sequential


def net(*widths: int) -> nn.Sequential:
    layers = [layer for a, b in pairwise(widths) for layer in (Linear(a, b), nn.ReLU())]
    return Sequential(*layers[:-1])


def parts(**modules: nn.Module) -> nn.Module:
    """A module of one's own, with these parts."""
    made = nn.Module()
    for name, module in modules.items():
        made.add_module(name, module)
    return made


def stack(*modules: nn.Module) -> dict[str, Tensor]:
    return {key: x.detach().clone() for key, x in torch.func.stack_module_state(list(modules))[0].items()}


def saved(folder: Path, what: nn.Module | dict[str, Tensor]) -> Path:
    """The numbers in a file, drawn anew so that none is like another."""
    state = what.state_dict() if isinstance(what, nn.Module) else what
    save_file({key: x.clone().contiguous() for key, x in state.items()}, folder / "nets.safetensors")
    return folder / "nets.safetensors"


def as_one(*layers: nn.Module) -> Callable[[Tensor], Tensor]:
    """The layers with a ReLU between each two."""

    def run(x: Tensor) -> Tensor:
        for layer in layers[:-1]:
            x = layer(x).relu()
        return layers[-1](x)

    return run


# --- Names that are understood ----------------------------------------------------------------------------------

A, B, C = Linear(3, 5), Linear(5, 4), Linear(4, 2)


@pytest.mark.parametrize(
    "module",
    [
        Sequential(A, nn.ReLU(), B, nn.ReLU(), C),
        Sequential(A, nn.ReLU(), nn.Dropout(0.1), B, nn.ReLU(), nn.Dropout(0.1), C),
        parts(fc1=A, fc2=B, fc3=C),
        parts(l8=A, l9=B, l10=C),
        parts(first=A, hidden=B, last=C),
        parts(z=A, y=B, x=C),
        parts(mlp_in=A, mlp=B, mlp_out=C),
        Sequential(OrderedDict(input=A, relu=nn.ReLU(), output=B, relu2=nn.ReLU(), out=C)),
        Sequential(Sequential(A, nn.ReLU()), Sequential(B, nn.ReLU()), Sequential(C)),
        Sequential(Sequential(A, nn.ReLU()), Sequential(B, nn.ReLU()), C),
        Sequential(Sequential(Sequential(A), nn.ReLU(), B), nn.ReLU(), C),
        parts(net=Sequential(A, nn.ReLU(), B, nn.ReLU(), C)),
        parts(net=Sequential(Sequential(A, nn.ReLU()), Sequential(B, nn.ReLU()), C)),
        parts(layers=nn.ModuleList([A, B, C])),
    ],
    ids=lambda module: ",".join(key for key in module.state_dict() if "weight" in key),
)
def test_one_network_is_one_network(tmp_path: Path, module: nn.Module) -> None:
    modules = read_modules([saved(tmp_path, module)])
    x = torch.linspace(-2, 2, 21).reshape(7, 3)
    assert len(modules) == 1
    assert torch.equal(next(iter(modules.values()))(x), as_one(A, B, C)(x))


def test_two_layers_that_swap_their_widths_need_their_numbers(tmp_path: Path) -> None:
    # 3 → 5 → 3: of words, either may be the first
    there, back = Linear(3, 5), Linear(5, 3)
    for names in ({"l1": there, "l2": back}, {"enc_1": there, "enc_2": back}):
        (module,) = read_modules([saved(tmp_path, parts(**names))]).values()
        assert torch.equal(module(torch.ones(3)), as_one(there, back)(torch.ones(3)))


NETS = [net(3, 5, 2) for _ in range(12)]


@pytest.mark.parametrize(
    ("what", "names"),
    [
        (nn.ModuleList(NETS), [str(t) for t in range(12)]),
        (parts(nets=nn.ModuleList(NETS)), [f"nets.{t}" for t in range(12)]),
        (nn.ModuleDict({f"n{t}": NETS[t] for t in range(12)}), [f"n{t}" for t in range(12)]),
        (nn.ModuleList([parts(fc1=n[0], fc2=n[2]) for n in NETS]), [str(t) for t in range(12)]),
        (nn.ModuleList([parts(into=n[0], out=n[2]) for n in NETS]), [str(t) for t in range(12)]),
        (nn.ModuleList([Sequential(n) for n in NETS]), [f"{t}.0" for t in range(12)]),
        (stack(*NETS), [str(t) for t in range(12)]),
        (stack(*(parts(fc1=n[0], fc2=n[2]) for n in NETS)), [str(t) for t in range(12)]),
        (stack(*(parts(net=n) for n in NETS)), [f"net.{t}" for t in range(12)]),
        (
            {f"a.{k}": x for k, x in stack(*NETS[:7]).items()} | {f"b.{k}": x for k, x in stack(*NETS[7:]).items()},
            [*(f"a.{t}" for t in range(7)), *(f"b.{t}" for t in range(5))],
        ),
    ],
)
def test_many_networks_are_many(tmp_path: Path, what: nn.Module | dict[str, Tensor], names: list[str]) -> None:
    modules = read_modules([saved(tmp_path, what)])
    x = torch.linspace(-1, 1, 3)
    assert sorted(modules) == sorted(names)
    for name, own in zip(names, NETS, strict=True):
        torch.testing.assert_close(modules[name](x), own(x))


def test_networks_as_wide_at_the_end_as_at_the_start(tmp_path: Path) -> None:
    nets = [net(4, 6, 4) for _ in range(3)]
    assert list(read_modules([saved(tmp_path, nn.ModuleList(nets))])) == ["0", "1", "2"]
    assert list(read_modules([saved(tmp_path, nn.ModuleDict({"cat": nets[0], "dog": nets[1]}))])) == ["cat", "dog"]
    blocks = nn.ModuleList([Sequential(ResidualBlock(3, 4)) for _ in range(3)])
    assert list(read_modules([saved(tmp_path, blocks)])) == ["0", "1", "2"]


def test_single_layers_that_cannot_follow_one_another_are_networks(tmp_path: Path) -> None:
    layers = nn.ModuleList([Sequential(Linear(3, 2)) for _ in range(4)])
    assert list(read_modules([saved(tmp_path, layers)])) == ["0", "1", "2", "3"]
    assert list(read_modules([saved(tmp_path, stack(*(Linear(4, 4) for _ in range(3))))])) == ["0", "1", "2"]
    assert list(read_modules([saved(tmp_path, Linear(4, 4))])) == ["nets"]
    assert list(read_modules([saved(tmp_path, parts(fc=Linear(4, 4)))])) == ["fc"]


# --- Names that are not -----------------------------------------------------------------------------------------

TWO = {key: x.detach() for key, x in net(3, 5, 2).state_dict().items()}
MANY = stack(*NETS[:4])


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (parts(fc1=Linear(4, 4), fc2=Linear(4, 4)), "layers of one network, in an order that is not told, or networks"),
        (parts(encoder=Linear(8, 3), decoder=Linear(3, 8)), "in an order that is not told"),
        (parts(a=Linear(3, 5), b=Linear(5, 5), c=Linear(5, 2)), "in an order that is not told"),
        (nn.ModuleDict({"cat": Linear(3, 2), "dog": Linear(3, 2)}), "in an order that is not told"),
        (parts(fc1=Linear(3, 5), fc3=Linear(4, 2)), "'fc3' takes 4 numbers, but 'fc1' puts out 5"),
        (nn.ModuleList([Linear(3, 2) for _ in range(3)]), "'1' takes 3 numbers, but '0' puts out 2"),
        (nn.ModuleList([Linear(3, 3) for _ in range(3)]), "or networks of one layer"),
        (Sequential(Sequential(Linear(4, 4), nn.ReLU()), Sequential(Linear(4, 4))), "'0', '1' may be parts of one"),
        (Sequential(net(3, 5, 4), nn.ReLU(), net(4, 6, 2)), "'0', '2' may be parts of one network"),
        (Sequential(net(4, 5, 4), nn.ReLU(), net(4, 6, 4)), "'0', '2' may be parts of one network"),
        (parts(encoder=net(8, 5, 3), decoder=net(3, 5, 8)), "may be parts of one network"),
        (parts(body=net(3, 5, 4), head=Linear(4, 2)), "may be parts of one network"),
        (parts(body=net(3, 5, 4), **{"0": Linear(4, 2)}), "may be parts of one network"),
        ({**TWO, "weight": torch.ones(3, 3)}, "are not all layers of one network"),
        ({**TWO, "bias": torch.ones(3)}, "layer '' has bias; it must have bias, weight"),
        ({**TWO, "head.weight": torch.ones(2, 2)}, "may be parts|not all layers"),
        ({**TWO, "00.weight": torch.ones(3, 3)}, "are not all layers of one network"),
        ({**TWO, "1.weight": torch.ones(5)}, "layer '1' has a weight of shape .5,.*normalisation"),
        ({**MANY, "2.weight": MANY["2.weight"][:3], "2.bias": MANY["2.bias"][:3]}, "4 in '0', 3 in '2'"),
        ({**MANY, "2.bias": MANY["2.bias"][:3]}, r"bias is \(3, 2\), it must be \(4, 2\)"),
        ({**MANY, "2.weight": MANY["2.weight"][0], "2.bias": MANY["2.bias"][0]}, "4 in '0', none in '2'"),
        ({**TWO, "2.bias": torch.ones(1)}, r"bias is \(1,\), it must be \(2,\)"),
        ({**TWO, "2.weight": torch.ones(2, 5).half()}, "of one dtype"),
        ({"0.weight": torch.ones(2, 2, dtype=torch.int8)}, "dtype torch.int8; it must be one of float16"),
        ({"0.weight": torch.ones(0, 2)}, r"shape \(0, 2\)"),
        ({".weight": torch.ones(2, 2)}, "no weight or bias of a Linear"),
        (Sequential(Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), Linear(5, 2)), "1.*BatchNorm: fold it"),
        (Sequential(Linear(3, 5), nn.LayerNorm(5), nn.ReLU(), Linear(5, 2)), "layer '1'.*normalisation"),
        (Sequential(Linear(3, 5), nn.PReLU(), Linear(5, 2)), "layer '1'.*activation with numbers"),
        (Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), Linear(8, 2)), "layer '0' does not fit together"),
        (nn.LSTM(3, 4), "no weight or bias of a Linear layer"),
        ({"0.weight_g": torch.ones(5, 1), "0.weight_v": torch.ones(5, 3)}, "remove_weight_norm"),
        (nn.utils.parametrizations.weight_norm(Linear(3, 5)), "remove_parametrizations.layer, 'weight'"),
        (prune.random_unstructured(Linear(3, 5), "weight", 0.5), "prune.remove.layer, 'weight'"),
        (prune.random_unstructured(Linear(3, 5), "bias", 0.5), "prune.remove.layer, 'bias'"),
        (nn.utils.spectral_norm(Linear(3, 5)), "remove_spectral_norm"),
        ({"0.read.weight": torch.ones(4, 3)}, "layer '0' has read.weight; it must have"),
        ({"0.read.weight": torch.ones(4, 3), "0.write.weight": torch.ones(4, 3)}, "layer '0' does not fit together"),
    ],
)
def test_what_is_not_told_is_refused(tmp_path: Path, what: nn.Module | dict[str, Tensor], words: str) -> None:
    path = saved(tmp_path, what)
    with pytest.raises(ValueError, match=words) as error:
        read_modules([path])
    assert str(path) in str(error.value)


def test_files_that_hold_no_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nets.safetensors"
    compress(circuits.random_mlps(6, 2, 2, seed=0)).save(path)
    with pytest.raises(ValueError, match="a compressed network already"):
        read_modules([path])
    torch.save(net(3, 5, 2).state_dict(), path)
    with pytest.raises(ValueError, match=r"of torch.save; write net.state_dict\(\) with safetensors"):
        read_modules([path])
    os.mkfifo(tmp_path / "pipe")
    for wrong, words in (
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "none", "no such file"),
    ):
        with pytest.raises(FileNotFoundError, match=words):
            read_modules([wrong])

    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", locked)  # root may read everything
    with pytest.raises(PermissionError, match=r"denied.*nets"):
        read_modules([path])


def test_a_relu_at_the_end_of_residual_blocks_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Sequential(ResidualBlock(3, 4)))
    with pytest.raises(ValueError, match="leave out --last-relu"):
        read_modules([path], last_relu=True)


def test_what_was_taken_for_granted(tmp_path: Path) -> None:
    one = assumed(read_modules([saved(tmp_path, net(3, 5, 2))]))
    assert one == [
        "the names are those of 1 network, 'nets', the first of 2 Linear layers",
        "a ReLU, and no other activation, stands between each two Linear layers",
        "no ReLU (--last-relu puts one there) stands after the last",
    ]
    many = assumed(read_modules([saved(tmp_path, nn.ModuleList(NETS))], last_relu=True))
    assert many[0] == "the names are those of 12 networks, '0' … '11', the first of 2 Linear layers"
    assert many[2] == "a ReLU stands after the last"
    assert len(assumed(read_modules([saved(tmp_path, Linear(3, 2))]))) == 2
    blocks = assumed(read_modules([saved(tmp_path, Sequential(ResidualBlock(3, 4)))]))
    assert blocks[1] == "a block is x + write(ReLU(read(x))), and nothing stands between two blocks"


def test_orders() -> None:
    assert in_order(["b", "a"], [(3, 5), (5, 2)]) == [0, 1]
    assert in_order(["a", "b"], [(5, 2), (3, 5)]) == [1, 0]
    assert in_order(["x10", "x9"], [(5, 2), (3, 5)]) == [1, 0]
    assert in_order(["x1", "x01"], [(3, 5), (5, 2)]) is None
    assert in_order(["a", "b"], [(3, 5), (4, 2)]) is None
    assert may_follow([(3, 5), (4, 2), (5, 4)])
    assert may_follow([(4, 4), (4, 4)])
    assert not may_follow([(3, 5), (3, 5)])
    assert not may_follow([(3, 3), (4, 4)])
    assert not may_follow([(3, 5), (5, 3), (4, 4)])
    assert may_follow([(3, 5), (5, 3), (3, 4)])


# --- A large network in a file ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> Compressed:
    mlps, _, _ = circuits.trained()
    return compress({f"net {t}": circuits.to_module(mlps, t, [8, 8, 8, 8]) for t in range(40)}, z=2, method="exact")


@pytest.fixture(scope="module")
def balanced() -> Compressed:
    return compress(circuits.trained()[0][:64], tolerance=0.5, method="balanced")


def again(
    path: Path, tensors: dict[str, Any], about: Callable[[dict], None] = lambda _: None, *, sealed: bool = True
) -> None:
    """The file with other tensors in it and another description, with a digest of these or without."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        metadata = json.loads(stream.read(size))["__metadata__"]
    held = {k: x for k, x in {**load_file(path), **tensors}.items() if x is not None}
    words = json.loads(metadata["about"])
    about(words)
    metadata["about"] = json.dumps(words)
    metadata.pop("digest")
    if sealed:
        metadata["digest"] = digest(held, metadata["about"])
    save_file({k: x.clone().contiguous() for k, x in held.items()}, path, metadata=metadata)


def put(key: str, value: object) -> Callable[[dict], None]:
    """Something else at a place of the description, like "network.plan.S"."""

    def change(about: dict) -> None:
        *way, last = key.split(".")
        for part in way:
            about = about[part]
        about[last] = value

    return change


def nothing(_: dict) -> None:
    pass


@pytest.mark.usefixtures("unhooked")
@pytest.mark.parametrize(
    ("tensors", "about", "words"),
    [
        (
            {"network.layers.14.weights": lambda x: x.fill_(torch.nan)},
            nothing,
            "network.layers.14.weights holds nan at index",
        ),
        ({"network.layers.14.biases": lambda x: x.index_fill_(0, torch.tensor([1]), torch.inf)}, nothing, "holds inf"),
        ({"network.layers.14.weights": lambda x: x[:, :-1]}, nothing, "weights of shape"),
        ({"network.layers.14.biases": lambda x: x[..., :-1]}, nothing, "biases of .7, 7, 7. do not fit"),
        ({"network.layers.14.weights": lambda x: x.double()}, nothing, "one floating dtype"),
        ({"network.layers.14.biases": lambda x: None}, nothing, "argument 2 is shorter"),
        ({"network.more": lambda x: torch.ones(3)}, nothing, "more"),
        ({"more": lambda x: torch.ones(3)}, nothing, "nobody knows what more is"),
        ({"widths": lambda x: x + 1}, nothing, "widths are 9 … 9; they must lie in 1 … 8"),
        ({"widths": lambda x: x * 0}, nothing, "widths are 0"),
        ({"widths": lambda x: x[:-1]}, nothing, "of 40 modules"),
        ({"widths": lambda x: x[:, :-1]}, nothing, "widths are of 2 layers; there are 3"),
        ({"widths": lambda x: x.float()}, nothing, "widths are torch.float32"),
        ({}, put("names", ["a"] * 40), "names hold 'a' twice"),
        ({}, put("names", ["a", "b"]), "names are 2, of 40 modules"),
        ({}, put("names", [*range(40)]), "0, which is no word"),
        ({}, put("kind", "transformer"), "kind 'transformer'"),
        ({}, put("report.T", 41), "the report is of 41 circuits"),
        ({}, put("report.z", 0), "the report is of"),
        ({}, put("report.z", 1), "the report is of .* 1 of them active; the network of .* 2 of them active"),
        ({}, put("report.z", 1.5), "the report is of .* 1.5 of them active"),
        ({}, put("report.d", 7), "the report is of 40 circuits of 3 layers and width 7"),
        ({}, put("report.width", -1), "the report is of .* in width -1, 2 of them active; the network"),
        ({}, put("report.method", "dedicated"), "the report is of method dedicated, the network is ExactNetwork"),
        ({}, put("report.method", "balanced"), "the report is of method balanced"),
        ({}, put("report.method", "perfect"), "the report is of method perfect"),
        ({}, put("report.tolerance", "no"), "tolerance"),
        ({}, put("report.tolerance", -0.5), "tolerance"),
        ({}, put("report.tolerance", 1.0), "tolerance is 1.0"),
        ({}, put("threshold", 0.5), "threshold is 0.5, and the network of method exact"),
        ({}, put("kind", "residual"), "widths are of 3 layers; there are 2"),
        ({}, put("network.bound", "all"), "TypeError"),
        ({}, put("network.bound", -1.0), "bound is -1.0; it must be positive"),
        ({}, put("network.bound", None), "bound is None"),
        ({}, put("network.reach", 1e9), "reach 1000000000.0"),
        ({}, put("network.reach", 0), "reach is 0; it must be positive"),
        ({}, put("network.last_relu", 1), "last_relu is 1"),
        ({}, put("network.nonnegative", None), "nonnegative None"),
        ({}, put("network.construction", "perfect"), "KeyError: 'perfect'"),
        ({}, put("network.plan", {}), "KeyError: 'entry'"),
        ({}, put("network.plan.more", 1), "TypeError"),
        ({}, put("network.plan.entry.more", 1), "TypeError"),
        ({}, put("network.plan.T", 41), "the report is of 40 circuits .* the network of 41 circuits"),
        ({}, put("network.plan.d", 7), "do not fit the plan"),
        ({}, put("network.plan.n", 8), "do not fit the plan"),
        ({}, put("network.plan.n", 10**12), "do not fit the plan"),
        ({}, put("network.plan.lanes", 1), "Missing key"),
        ({}, put("network.plan.constant", False), "constant is False; slots need one"),
        *[
            ({}, put(f"network.plan.{what}", value), "is no plan of an exact network")
            for what, value in {
                "T": 50,
                "z": 3,
                "lanes": 3,
                "constant": 1,
                "take": 10,
                "wires": 4,
                "entry": None,
                "entry.k": 10**9,
                "entry.q": 1.5,
                "entry.S": 1,
            }.items()
        ],
        ({}, put("network.plan.wires", 10**12), "is no plan of an exact network"),
        ({}, put("network.plan.entry", {"k": 1, "q": 10**12, "S": 1}), "is no plan of an exact network"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    large: Compressed,
    tmp_path: Path,
    tensors: dict[str, Callable],
    about: Callable[[dict], None],
    words: str,
) -> None:
    path = tmp_path / "big.safetensors"
    large.save(path)
    held = load_file(path)
    again(path, {name: change(held.get(name)) for name, change in tensors.items()}, about)
    with pytest.raises(ValueError, match=words) as error:
        load(path)
    assert f"path is {path}; it is damaged" in str(error.value)


@pytest.mark.usefixtures("unhooked")
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("network.slots", lambda x: x + 1000, "slots holds"),
        ("network.slots", lambda x: x[:, :-1], "slots is"),
        ("network.unit", lambda x: x[..., :-1], "unit"),
        ("network.layers.1.W", lambda x: x[:-1], "layer 1 is not of width"),
        ("network.layers.1.b", lambda x: x[:-1], "layer 1 is not of width"),
    ],
)
def test_what_is_wrong_in_a_file_of_blocks(
    balanced: Compressed, tmp_path: Path, name: str, change: Callable[[Tensor], Tensor], words: str
) -> None:
    path = tmp_path / "big.safetensors"
    balanced.save(path)
    again(path, {name: change(load_file(path)[name])})
    with pytest.raises(ValueError, match=words):
        load(path)


def test_a_number_that_was_not_saved(large: Compressed, tmp_path: Path) -> None:
    path = tmp_path / "big.safetensors"
    large.save(path)
    whole = path.read_bytes()
    cells = large.state_dict()["network.layers.14.weights"].numpy().tobytes()
    at = whole.index(cells) + 4 * int(torch.tensor(list(memoryview(cells).cast("f"))).abs().argmax())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])  # the last bit of a weight
    with pytest.raises(
        ValueError, match="it is damaged: its numbers or their description are not those that were saved"
    ):
        load(path)
    for old, new in ((b'\\"bound\\": ', b'\\"bound\\":1'), (b'\\"reach\\": 32', b'\\"reach\\": 92')):
        assert old in whole
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    path.write_bytes(whole)
    again(path, {}, sealed=False)  # as superpos wrote it before there was a digest
    assert torch.equal(load(path).dense()[14][0], large.dense()[14][0])
    assert FORMAT.encode() in whole


def test_the_digest_is_of_names_dtypes_shapes_bytes_and_words() -> None:
    x = torch.arange(6.0)
    found = {
        digest(tensors, text)
        for tensors, text in [
            ({"a": x}, ""),
            ({"a": x}, "b"),
            ({"b": x}, ""),
            ({"a": x.view(2, 3)}, ""),
            ({"a": x.view(3, 2)}, ""),
            ({"a": x.view(torch.int32)}, ""),
            ({"a": x.flip(0)}, ""),
            ({"a": x[:3], "b": x[3:]}, ""),
            ({"a": x[:3], "c": x[3:]}, ""),
            ({"a": x.view(2, 3).T.contiguous()}, ""),
        ]
    }
    assert len(found) == 10
    assert digest({"a": x, "b": x}, "") == digest({"b": x, "a": x.view(2, 3).T.contiguous().T.reshape(6)}, "")


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "meta", "cpu:x", ""])
def test_a_device_that_is_not_there_is_no_damaged_file(large: Compressed, tmp_path: Path, device: str) -> None:
    path = tmp_path / "big.safetensors"
    large.save(path)
    with pytest.raises(ValueError, match=f"device is {device}; there is none such here, but 'cpu'") as error:
        load(path, device=device)
    assert "damaged" not in str(error.value)
    assert load(path, device=torch.device("cpu")).T == 40


def test_a_network_with_a_number_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    network = compress(circuits.random_mlps(6, 2, 2, seed=0))
    for wrong in (torch.nan, torch.inf):
        with torch.no_grad():
            next(network.network.parameters()).view(-1)[1] = wrong
        with pytest.raises(ValueError, match=r"network is not to be saved: network.* holds (nan|inf) at index"):
            network.save(tmp_path / "big.safetensors")
    with pytest.raises(ValueError, match="on meta"):
        network.to("meta").save(tmp_path / "big.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("dtype", "T"), [(torch.bfloat16, 122), (torch.float16, 626)])
def test_a_network_that_could_not_be_read_again_is_not_saved(tmp_path: Path, dtype: torch.dtype, T: int) -> None:
    # Keys up to 2·12² = 288, where bfloat16 counts to 256; 4·26³ > 65504, beyond float16.
    network = compress(circuits.random_mlps(T, 1, 1, seed=0), z=2, method="exact").to(dtype)
    with pytest.raises(ValueError, match=f"network is not to be saved.* {dtype}, which"):
        network.save(tmp_path / "big.safetensors")
    assert not list(tmp_path.iterdir())


# --- Files of version 1 -----------------------------------------------------------------------------------------

VERSION_1 = Path(__file__).parent / "data" / "version-1"


def of_version_1(T: int, d: int, bias: float, *, last: bool) -> MLPCircuits:
    """The circuits from which the files were made, by superpos as it was then."""
    g = torch.Generator().manual_seed(0)
    weights, biases = torch.randn(2, T, d, d, generator=g), bias * torch.randn(2, T, d, generator=g)
    return MLPCircuits(weights, biases, last_relu=last)


@pytest.mark.parametrize(
    ("method", "made"),
    [("dedicated", of_version_1(4, 2, 1, last=False)), ("redundant", of_version_1(64, 1, 0, last=True))],
)
def test_other_constructions_of_version_1_are_read(method: str, made: MLPCircuits) -> None:
    network = load(VERSION_1 / f"{method}.safetensors")
    assert network.report().method == method
    found = network.certify(modules=made)
    assert not [m.name for m in found.modules if m.altered]
    assert network.circuits().last_relu == made.last_relu


def test_an_exact_network_of_version_1_has_to_be_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = VERSION_1 / "exact.safetensors"
    assert main(["verify", str(path)]) == 2
    said = capsys.readouterr()
    assert not said.out
    (line,) = said.err.splitlines()
    assert "Make it again from the same modules: superpos.compress(modules, z=2)" in line
    assert "superpos.load(path).extract(t)" in line
    assert "damaged" not in line
    compress(of_version_1(4, 2, 1, last=False), z=2, method="exact").save(tmp_path / "big.safetensors")
    assert main(["verify", str(tmp_path / "big.safetensors")]) == 3


@pytest.mark.usefixtures("unhooked")
def test_a_name_that_a_file_does_not_give_back_is_refused(tmp_path: Path) -> None:
    nets: Any = {1: net(2, 3, 2), 2: net(2, 3, 2)}
    with pytest.raises(TypeError, match="named 1, a int; a name in a file is a str"):
        compress(nets).save(tmp_path / "big.safetensors")


def test_a_file_may_be_read_by_whom_the_umask_lets(large: Compressed, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        large.save(tmp_path / "big.safetensors")
        large.ground_truth(tmp_path / "bed")
        large.certify().save(tmp_path / "certificate.json")
    finally:
        os.umask(before)
    for file in tmp_path.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o750 if file.is_dir() else 0o640), file


def test_a_test_bed_replaces_a_test_bed_and_nothing_else(large: Compressed, tmp_path: Path) -> None:
    bed = tmp_path / "bed"
    large.ground_truth(bed)
    large.ground_truth(bed, overwrite=True)
    (bed / "notes.txt").write_text("years of work", encoding="utf8")
    with pytest.raises(FileExistsError, match=r"holds notes.txt, not what superpos wrote"):
        large.ground_truth(bed, overwrite=True)
    assert (bed / "notes.txt").exists()
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        large.save(bed, overwrite=True)
    large.save(tmp_path / "file")
    with pytest.raises(OSError, match="it is a file, and a folder is to be written"):
        large.ground_truth(tmp_path / "file", overwrite=True)
