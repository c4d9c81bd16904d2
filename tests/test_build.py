"""Building deletes and replaces nothing that it did not make. No book is built here."""

import os
import shutil
import subprocess
from pathlib import Path

import build
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of the builder: a page and a notebook in a moment; the names of the folders where it was called."""
    called: list[str] = []

    def made(command: list[str], log: Path) -> int:
        stage = Path(command[command.index("--path-output") + 1])
        called.append(stage.parent.name)
        log.write_text("built", encoding="utf8")
        (stage / "_build/html/index.html").write_text(f"build {len(called)}", encoding="utf8")
        (stage / "_build/jupyter_execute").mkdir()
        return 0

    monkeypatch.setattr(build, "run", made)
    return called


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("own", ["html/mine.html", "next/plan.txt", "jupyter_execute/mine.ipynb", "html.old/mine.html"])
@pytest.mark.parametrize("name", ["docs", "."])
def test_the_folder_of_a_user_is_refused_before_anything_is_done(
    tmp_path: Path,
    own: str,
    name: str,
    builder: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (Path(name) / own).parent.mkdir(parents=True)
    (Path(name) / own).write_text("years of work", encoding="utf8")
    before = contents(tmp_path)
    for options in ([], ["--claim"], ["--clean"]):
        assert build.command([*options, name]) == 2
        assert f"BUILD is {name}; no build has made it" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert not builder


def test_a_build_replaces_what_an_earlier_one_has_made(tmp_path: Path, builder: list[str]) -> None:
    for folder in (tmp_path / "new", tmp_path / "empty", tmp_path / "cached"):
        if folder.name != "new":
            folder.mkdir()
        if folder.name == "cached":  # restored by CI
            (folder / "cache").mkdir()
        for _ in range(2):
            assert build.command([str(folder)]) == 0
        assert (folder / "html/index.html").read_text(encoding="utf8") == f"build {len(builder)}"
        assert not (folder / "next").exists()
        assert build.command(["--clean", str(folder)]) == 0
        assert not folder.exists()
    assert build.command(["--clean", str(tmp_path / "new")]) == 0  # nothing there is nothing to do


def test_what_a_user_puts_into_the_folder_of_a_build_stays(
    tmp_path: Path, builder: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs"
    assert build.command([str(folder)]) == 0
    shutil.rmtree(folder / "jupyter_execute")
    (folder / "jupyter_execute").mkdir()
    (folder / "jupyter_execute/mine.ipynb").write_text("mine", encoding="utf8")
    before = contents(folder)
    assert build.command([str(folder)]) == 2
    assert "jupyter_execute was not made by a build" in capsys.readouterr().err
    assert contents(folder) == before


def test_clean_removes_nothing_else(tmp_path: Path, builder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, link = tmp_path / "docs", tmp_path / "link"
    link.symlink_to(folder)
    assert build.command([str(folder)]) == 0
    (folder / "notes.txt").write_text("years of work", encoding="utf8")
    before = contents(folder)
    for name in (folder, link):
        assert build.command(["--clean", str(name)]) == 2
        assert "no build has made notes.txt in it" in capsys.readouterr().err
        assert contents(folder) == before
    (folder / "notes.txt").rename(tmp_path / "notes.txt")
    (folder / "cache").symlink_to(tmp_path)  # elsewhere, where there is room
    assert build.command(["--clean", str(link)]) == 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["docs", "link", "notes.txt"]
    assert not list(folder.iterdir())
    assert build.command([str(link)]) == 0
    assert build.command(["--clean", str(folder)]) == 0
    assert not folder.exists()


def test_a_link_in_the_place_of_the_site_is_not_followed(tmp_path: Path, builder: list[str]) -> None:
    folder, elsewhere = tmp_path / "docs", tmp_path / "elsewhere"
    assert build.command([str(folder)]) == 0
    (folder / "html").rename(elsewhere)
    (folder / "html").symlink_to(elsewhere)
    assert build.command([str(folder)]) == 2
    assert (elsewhere / "index.html").exists()


def test_a_site_of_before_folders_were_marked_is_replaced_and_its_age_is_left(
    tmp_path: Path, builder: list[str]
) -> None:
    folder = tmp_path / "_build"
    for name in ("html", "jupyter_execute", "cache"):
        (folder / name).mkdir(parents=True)
    (folder / "html/.built").touch()
    os.utime(folder / "html/.built", (1e9, 1e9))
    assert build.command(["--claim", str(folder)]) == 0
    assert (folder / "html/.built").stat().st_mtime == 1e9  # make compares it with the sources
    assert build.command([str(folder)]) == 0


def test_a_file_in_the_place_of_the_folder(
    tmp_path: Path, builder: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf8")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("file", "nowhere"):
        assert build.command([str(tmp_path / name)]) == 2
        assert "it is no folder" in capsys.readouterr().err


def test_an_environment_that_was_not_made_here_is_not_removed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "pyvenv.cfg").write_text("home = here", encoding="utf8")
    own = {**os.environ, "PYTHON": "python3", "VENV": str(mine), "SOUND": "no"}
    done = subprocess.run(["sh", "scripts/setup.sh"], cwd=ROOT, env=own, capture_output=True, encoding="utf8")
    assert done.returncode == 1
    assert f"VENV is {mine}; there are files in it" in done.stderr
    made = [f"BUILD={tmp_path / 'none'}", f"VENV={mine}"]
    done = subprocess.run(["make", "clean", *made], cwd=ROOT, capture_output=True, encoding="utf8")
    assert done.returncode == 2
    assert "make has not made it" in done.stderr
    assert (mine / "pyvenv.cfg").exists()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/mine.txt").write_text("mine", encoding="utf8")
    made = [f"BUILD={tmp_path / 'docs'}", f"VENV={tmp_path / 'none'}"]
    done = subprocess.run(["make", "clean", *made], cwd=ROOT, capture_output=True, encoding="utf8")
    assert done.returncode == 2
    assert "no build has made it" in done.stderr
    assert (tmp_path / "docs/mine.txt").exists()
