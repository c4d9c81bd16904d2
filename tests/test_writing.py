"""Files and folders are there whole or not at all, and replace nothing but what this package wrote."""

import ast
import errno
import json
import os
import socket
import stat
from pathlib import Path

import pytest

from superpos import writing
from superpos.sweep import store
from superpos.writing import ABOUT, check_free, written

ROOT = Path(__file__).resolve().parents[1]
FORM = "superpos.test"


def put(path: Path | str, text: str = "new", *, overwrite: bool = True) -> None:
    with written(path, overwrite=overwrite) as spare:
        spare.write_text(text, encoding="utf8")


def folder(path: Path, text: str = "new", *, overwrite: bool = True) -> None:
    with written(path, overwrite=overwrite, folder=FORM) as spare:
        spare.mkdir()
        (spare / "a.txt").write_text(text, encoding="utf8")
        about = {"format": FORM, "files": {"a.txt": "a", "b.txt": "b"}}
        (spare / ABOUT).write_text(json.dumps(about), encoding="utf8")


def read(path: Path) -> str:
    return path.read_text(encoding="utf8")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- What is replaced -------------------------------------------------------------------------------------------


def test_a_file_is_replaced_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    put(path, "old", overwrite=False)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        put(path, overwrite=False)
    assert read(path) == "old"
    put(path)
    assert read(path) == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_ours_is_replaced_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "bed"
    folder(path, "old", overwrite=False)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        folder(path, overwrite=False)
    folder(path)
    assert read(path / "a.txt") == "new"
    (tmp_path / "empty").mkdir()
    folder(tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bed", "empty"]


@pytest.mark.parametrize("more", ["notes.txt", "b.txt/", "another format", "no format", "a link"])
def test_a_folder_with_anything_else_in_it_is_not(tmp_path: Path, more: str) -> None:
    path = tmp_path / "bed"
    folder(path, "old")
    if more == "another format":
        (path / ABOUT).write_text('{"format": "another", "files": {"a.txt": ""}}', encoding="utf8")
    elif more == "no format":
        (path / ABOUT).write_text("a README of mine", encoding="utf8")
    elif more == "a link":
        (path / "b.txt").symlink_to(tmp_path)
    elif more.endswith("/"):
        (path / more).mkdir()
    else:
        (path / more).write_text("years of work", encoding="utf8")
    with pytest.raises(OSError, match=r"the folder holds .*, not what superpos wrote"):
        folder(path)
    assert read(path / "a.txt") == "old"


def test_a_folder_is_no_file_and_a_file_is_no_folder(tmp_path: Path) -> None:
    folder(tmp_path / "bed")
    with pytest.raises(IsADirectoryError, match="it is a folder: give the name of a file"):
        put(tmp_path / "bed")
    put(tmp_path / "file")
    with pytest.raises(OSError, match="it is a file, and a folder is to be written"):
        folder(tmp_path / "file")
    assert read(tmp_path / "file") == "new"


@pytest.mark.parametrize("overwrite", [True, False])
def test_devices_pipes_and_sockets_are_refused(
    tmp_path: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
        bound.bind("socket")
        for path, kind in ((os.devnull, "a device"), (tmp_path / "pipe", "a pipe"), (tmp_path / "socket", "a socket")):
            with pytest.raises(OSError, match=f"it is {kind}"):
                put(path, overwrite=overwrite)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")  # leads nowhere yet
    put(tmp_path / "link", "old", overwrite=False)
    assert read(tmp_path / "there/file") == "old"
    with pytest.raises(FileExistsError):
        put(tmp_path / "link", overwrite=False)
    put(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read(tmp_path / "there/file") == "new"
    folder(tmp_path / "there/bed")
    (tmp_path / "bed").symlink_to("there/bed")
    folder(tmp_path / "bed", "newer")
    assert (tmp_path / "bed").is_symlink()
    assert read(tmp_path / "there/bed/a.txt") == "newer"
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted(
        ["there", "link", "bed", "file", "bed", "a.txt", ABOUT]
    )


def test_links_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match=r"circle; .*symbolic links"):
        put(tmp_path / "circle")
    (tmp_path / "lost").symlink_to("none/file")
    with pytest.raises(FileNotFoundError, match=r"no folder .*none"):
        put(tmp_path / "lost")
    (tmp_path / "null").symlink_to(os.devnull)
    with pytest.raises(OSError, match="a device"):
        put(tmp_path / "null")


def test_what_turns_up_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileExistsError), written(path, overwrite=False) as spare:  # noqa: PT012
        spare.write_text("ours", encoding="utf8")
        path.write_text("theirs", encoding="utf8")
    assert read(path) == "theirs"
    assert list(tmp_path.iterdir()) == [path]


# --- Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("", OSError, "must be the name of a file"),
        ("a\0b", OSError, "must be the name of a file"),
        (".", IsADirectoryError, "it is a folder"),
        ("new/", IsADirectoryError, "ends with a slash"),
        ("none/file", FileNotFoundError, "no folder .*none: make it first"),
        ("file/new", NotADirectoryError, "file is a file, not a folder"),
        ("file/deep/new", NotADirectoryError, "file is a file, not a folder"),
        ("~/new", FileNotFoundError, "~ is not your home folder here: give .*new"),
        ("~", FileNotFoundError, "~ is not your home folder here"),
        ("x" * 300, OSError, "too long"),
    ],
)
def test_names_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[OSError], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put("file")
    with pytest.raises(kind, match=words):
        put(name)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["x" * 250, "probe", "old", "~mine", " ", "-o", "größe", ".new"])
def test_names_that_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("old", "new"):
        put(name, text)
    assert read(tmp_path / name) == "new"
    folder(tmp_path / f"{name[:200]} bed")
    folder(tmp_path / f"{name[:200]} bed/")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_where_nothing_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    for ask in (put, folder, lambda path: check_free(path, overwrite=False)):
        with pytest.raises(PermissionError, match=f"nothing may be written into the folder {tmp_path}"):
            ask(tmp_path / "new")


# --- How --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_permissions_are_those_of_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        put(tmp_path / "file")
        put(tmp_path / "file")
        folder(tmp_path / "bed")
        store(tmp_path / "rows.json", [{"a": 1}])
    finally:
        os.umask(before)
    for name in ("file", "rows.json", "bed/a.txt", f"bed/{ABOUT}"):
        assert mode(tmp_path / name) == 0o666 & ~mask, name
    assert mode(tmp_path / "bed") == 0o777 & ~mask


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["block", "fsync", "replace"])
@pytest.mark.parametrize("make", [put, folder])
def test_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str, make
) -> None:
    path, calls = tmp_path / "it", []
    make(path, "old")

    def fail(*arguments: object, **_: object) -> None:
        calls.append(arguments)
        if where != "replace" or make is put or len(calls) == 2:  # once the old folder stands aside
            raise error
        os.rename(*arguments)  # type: ignore[arg-type]

    if where == "block":
        monkeypatch.setattr(Path, "write_text", fail)
    else:
        monkeypatch.setattr(writing.os, where, fail)
    restore = type(error)
    with pytest.raises(restore):
        make(path, "new")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path]
    assert read(path if make is put else path / "a.txt") == "old"
    assert calls


# --- Text -------------------------------------------------------------------------------------------------------


def unencoded(source: str) -> list[int]:
    """The lines where text is read or written without saying how its characters are encoded."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        names = {keyword.arg: keyword.value for keyword in node.keywords}
        literal = [a.value for a in [*node.args, *names.values()] if isinstance(a, ast.Constant)]
        binary = any(isinstance(v, str) and "b" in v and set(v) <= set("rwxab+") for v in literal)
        owner = getattr(getattr(node.func, "value", None), "id", "")
        text = (
            name in ("read_text", "write_text", "NamedTemporaryFile")
            or (name == "open" and owner not in ("os", "Image", "webbrowser", "safetensors"))
            or (name in ("run", "Popen", "check_output") and {"text", "universal_newlines"} & names.keys())
        )
        if text and not binary and "encoding" not in names:
            found.append(node.lineno)
    return found


def test_what_says_how_it_is_encoded() -> None:
    said = ["p.read_text(encoding='utf8')", "open(p, 'rb')", "p.open(mode='wb')", "run(x, text=True, encoding='utf8')"]
    left = ["p.read_text()", "p.write_text('x')", "open(p)", "p.open('w')", "run(x, text=True)"]
    assert not unencoded("\n".join(said))
    assert len(unencoded("\n".join(left))) == len(left)


@pytest.mark.parametrize("folder", ["superpos", "scripts", "benchmarks", "book/_ext"])
def test_text_is_utf8_in_every_locale(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert not [f"{file.relative_to(ROOT)}:{line}" for file in files for line in unencoded(read(file))]
