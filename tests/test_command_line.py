"""The command line: exit codes are true, and a message says whether the file is there."""

import errno
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from superpos import __main__ as command_line
from superpos.__main__ import BROKEN, FAILS, OK, REFUSED, STOPPED, main
from superpos.compression import Certificate, compress, load

ROOT = Path(__file__).resolve().parents[1]
COMPRESS = ["compress", "nets.safetensors", "-o", "big.safetensors"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with twelve networks in a file."""
    monkeypatch.chdir(tmp_path)
    nets, g = nn.ModuleList(), torch.Generator().manual_seed(0)
    for _ in range(12):
        nets.append(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)))
    for p in nets.parameters():
        p.data = torch.randn(p.shape, generator=g) / 2
    save_file(nets.state_dict(), "nets.safetensors")
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


class Full(io.StringIO):
    """An output whose disk is full."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str) -> int:
        raise self.error


@contextmanager
def process(arguments: list[str], **more: object) -> Iterator[subprocess.Popen]:
    """The command in a process of its own."""
    own = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}  # type: ignore[dict-item]
    command = [sys.executable, "-m", "superpos", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=own, **more) as child:  # type: ignore[call-overload]
        yield child


# --- What is written, and what is said of it --------------------------------------------------------------------


def test_what_was_taken_for_granted_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMPRESS) == OK
    said = capsys.readouterr().out
    assert "assumed        the names are those of 12 networks, '0' … '11', the first of 2 Linear layers\n" in said
    assert "assumed        no ReLU (--last-relu puts one there) stands after the last\n" in said
    assert main(["verify", "big.safetensors", "nets.safetensors", "--json"]) == OK
    assert len(json.loads(capsys.readouterr().out)["assumed"]) == 3


def test_a_network_with_a_relu_at_its_end_is_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMPRESS, "--last-relu"]) == OK
    assert main(["verify", "big.safetensors", "nets.safetensors", "--last-relu"]) == OK
    assert "assumed        a ReLU stands after the last" in capsys.readouterr().out
    assert main(["verify", "big.safetensors", "nets.safetensors"]) == REFUSED
    assert "modules end without a ReLU; those that the network carries end with a ReLU" in capsys.readouterr().err


def test_exit_codes_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["compress", "--help"], ["verify", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
        said = " ".join(capsys.readouterr().out.split())
        for code in (OK, FAILS, REFUSED, BROKEN, STOPPED):
            assert f" {code} " in said.partition("exit codes:")[2]
        assert said.isascii()  # any terminal can show it


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", "must be the name of a file"),
        (".", "it is a folder"),
        ("new/", "ends with a slash"),
        ("none/big.safetensors", "there is no folder"),
        ("nets.safetensors/big", "is a file, not a folder"),
        ("/dev/null", "it is a device"),
        ("pipe", "it is a pipe"),
        ("folder", "it is a folder"),
        ("~/big.safetensors", "~ is not your home folder here"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_work_is_done(
    here: Path, output: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo("pipe")
    Path("folder").mkdir()
    Path("folder/notes.txt").write_text("years of work", encoding="utf8")
    monkeypatch.setattr(command_line, "read_modules", None)  # is not called
    before = left(here)
    for force in ([], ["--force"]):
        assert main(["compress", "nets.safetensors", "-o", output, *force]) == REFUSED
        said = capsys.readouterr().err
        assert words in said
        assert "nothing was written" in said
    assert left(here) == before
    assert Path("folder/notes.txt").exists()


@pytest.mark.parametrize("output", ["nets.safetensors", "./nets.safetensors", "link", "other_name"])
def test_the_networks_themselves_are_not_replaced(here: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.symlink("nets.safetensors", "link")
    os.link("nets.safetensors", "other_name")
    before, there = Path("nets.safetensors").read_bytes(), left(here)
    assert main(["compress", "nets.safetensors", "-o", output, "--force"]) == REFUSED
    said = capsys.readouterr().err
    assert f"output is {output}; it is the file nets.safetensors with the networks themselves" in said
    assert f"nothing was written, {output} is as it was" in said
    assert Path("nets.safetensors").read_bytes() == before
    assert left(here) == there


def test_force_replaces_a_file_through_a_link(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("there.safetensors").write_text("old", encoding="utf8")
    Path("big.safetensors").symlink_to("there.safetensors")
    assert main(COMPRESS) == REFUSED
    assert "give --force" in capsys.readouterr().err
    assert main([*COMPRESS, "--force"]) == OK
    assert Path("big.safetensors").is_symlink()
    assert load("there.safetensors").T == 12


# --- What goes wrong on the way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
def test_a_full_disk(here: Path, old: bool, capsys: pytest.CaptureFixture[str]) -> None:
    if old:
        Path("big.safetensors").write_text("old", encoding="utf8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # no file may be longer
    try:
        code = main([*COMPRESS, "--force"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == REFUSED
    said = capsys.readouterr().err
    assert "could not be written" in said
    assert ("big.safetensors is as it was" if old else "nothing was written") in said
    assert left(here) == ["big.safetensors"] * old + ["nets.safetensors"]
    assert not old or Path("big.safetensors").read_text(encoding="utf8") == "old"


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), STOPPED), (OSError(errno.ENOSPC, "No space left"), REFUSED), (MemoryError(), BROKEN)],
)
@pytest.mark.parametrize("where", ["read_modules", "compress", "check_free", "assumed"])
def test_what_stops_it_before_it_has_written(
    here: Path,
    error: BaseException,
    code: int,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command_line, where, fail)
    assert main(COMPRESS) == code
    assert capsys.readouterr().err.endswith("; nothing was written\n")
    assert left(here) == ["nets.safetensors"]


def test_an_interruption_while_it_writes(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(tensors: object, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr("superpos.tensors.save_file", stop)
    assert main(COMPRESS) == STOPPED
    assert capsys.readouterr().err == "superpos: interrupted; nothing was written\n"
    assert left(here) == ["nets.safetensors"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), BROKEN),
        (OSError(errno.ENOSPC, "No space left on device"), BROKEN),
        (ValueError("I/O operation on closed file"), BROKEN),
        (KeyboardInterrupt(), STOPPED),
    ],
)
def test_an_output_that_cannot_be_printed(
    here: Path,
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full(error))
        assert main(COMPRESS) == code
    assert capsys.readouterr().err.endswith("; big.safetensors is written\n")
    assert load("big.safetensors").T == 12
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full(error))
        assert main(["verify", "big.safetensors"]) == code
    assert "written" not in capsys.readouterr().err


def test_streams_that_are_not_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert main(COMPRESS) == OK
    assert main(COMPRESS) == REFUSED  # with nobody to hear why
    monkeypatch.setattr(sys, "stderr", Full(OSError(errno.ENOSPC, "No space left on device")))
    assert main(COMPRESS) == REFUSED
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["verify", "big.safetensors"]) == BROKEN


def test_json_has_no_nan(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certify = command_line.Compressed.certify

    def spoiled(network: command_line.Compressed, *arguments: object, **more: object) -> Certificate:
        found = certify(network, *arguments, **more)  # type: ignore[arg-type]
        last = replace(found.measured[-1], relative=float("nan"), worst=float("inf"))
        return replace(found, measured=(*found.measured[:-1], last))

    assert main(COMPRESS) == OK
    monkeypatch.setattr(command_line.Compressed, "certify", spoiled)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out := io.StringIO())
        assert main(["verify", "big.safetensors", "--json"]) == FAILS

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    said = json.loads(out.getvalue(), parse_constant=refuse)
    assert said["certificate"]["holds"] is False
    last = said["certificate"]["measured"][-1]
    assert last["relative"] == "nan"
    assert last["worst"] == "inf"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_that_cannot_encode_a_character(
    here: Path, encoding: str, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["größer", "ż", "🐈"]
    state = load_file("nets.safetensors")
    for t, name in enumerate(names):
        own = {key.removeprefix(f"{t}."): x for key, x in state.items() if key.startswith(f"{t}.")}
        save_file(own, f"{t}.safetensors")
        os.rename(f"{t}.safetensors", f"{name}.safetensors")
    files = [f"{name}.safetensors" for name in names]
    raw = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        assert main(["compress", *files, "-o", "ö.safetensors", *options]) == OK
        said = raw.getvalue().decode(encoding)
    if options:
        said = json.loads(said)
        assert said["output"] == "ö.safetensors"
        assert sorted(module["name"] for module in said["certificate"]["modules"]) == sorted(names)
    else:
        assert ("größer" in said) == (encoding != "ascii")
        assert ("🐈" in said) == (encoding == "utf-8")
        assert "verdict" in said
    assert load("ö.safetensors").origin.names == tuple(names)


def test_files_that_are_not_to_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("short.safetensors").write_bytes(Path("nets.safetensors").read_bytes()[:-1])
    latin = os.fsdecode(b"caf\xe9.safetensors")
    Path(latin).write_bytes(Path("nets.safetensors").read_bytes())
    for arguments, words in [
        (["verify", "short.safetensors"], "cut short"),
        (["verify", "."], "it is a folder"),
        (["verify", "nets.safetensors", "--samples", "short.safetensors"], "not one that superpos has written"),
        (["compress", "short.safetensors", "-o", "x"], "cut short"),
        (["compress", latin, "-o", "x"], "its name is no UTF-8: rename it"),
        (["compress", "nets.safetensors", "-o", latin], "its name is no UTF-8"),
        (["compress", "nets.safetensors", "nets.safetensors", "-o", "x"], "there is a network named"),
    ]:
        assert main(arguments) == REFUSED
        assert words in capsys.readouterr().err


# --- In a process of its own ------------------------------------------------------------------------------------


def test_a_closed_pipe(here: Path) -> None:
    with process(COMPRESS, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()  # as `| head -0` does
        said = child.stderr.read().decode()
    assert child.returncode == BROKEN
    assert said == "superpos: the result could not be printed ([Errno 32] Broken pipe); big.safetensors is written\n"
    assert load("big.safetensors").T == 12


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_and_another_locale(here: Path) -> None:
    network = compress({f"größer {t}": nn.Sequential(nn.Linear(2, 2)) for t in range(3)})
    network.save("big.safetensors")
    own = {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    with open("/dev/full", "wb") as full, process(["verify", "big.safetensors"], stdout=full, env=own) as child:
        assert child.stderr
        said = child.stderr.read().decode("ascii")
    assert child.returncode == BROKEN
    assert said == "superpos: the result could not be printed ([Errno 28] No space left on device)\n"


def test_everything_is_written_as_utf8_in_every_locale(here: Path) -> None:
    Path("script.py").write_text(
        """
import torch
from superpos import circuits, compress, load, sweep
from superpos.__main__ import main
names = ["größer", "ż", "🐈"]
small = circuits.random_mlps(3, 2, 2, seed=0)
large = compress({name: circuits.to_module(small, t, [2, 2, 2]) for t, name in enumerate(names)})
large.save("a.safetensors")
large.certify().save("a.json")
large.ground_truth("bed")
large.ground_truth("bed", overwrite=True)
sweep.store("rows.json", [{"name": name} for name in names])
assert load("a.safetensors").origin.names == tuple(names)
assert sweep.stored("limits")
assert main(["verify", "a.safetensors"]) in (0, 3)
""",
        encoding="utf8",
    )
    own = {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONWARNDEFAULTENCODING": "1"}
    command = [sys.executable, "-W", "error::EncodingWarning", "script.py"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT), **own}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "größer" in Path("a.json").read_text(encoding="utf8")
    assert json.loads(Path("bed/README.json").read_text(encoding="utf8"))["names"] == ["größer", "ż", "🐈"]
    assert [row["name"] for row in json.loads(Path("rows.json").read_text(encoding="utf8"))] == ["größer", "ż", "🐈"]
