"""What the project is made and checked with: sources with any name, the linters, and how tests are run."""

import shutil
import subprocess
import sys
from pathlib import Path

import jaxtyping
import lint
import pytest
import torch
from built_book import ROOT

from superpos import circuits

# --- Sources --------------------------------------------------------------------------------------------------------


def sources(folder: Path, **addresses: str) -> str:
    """The list of sources as `make` writes it."""
    command = ["make", "--no-print-directory", "_build/sources", *(f"{name}={at}" for name, at in addresses.items())]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "_build/sources").read_text()


def copy_tools(folder: Path) -> None:
    """What `make` needs to list the sources in a folder."""
    (folder / "scripts").mkdir()
    for name in ("Makefile", "scripts/build.py"):
        shutil.copy(ROOT / name, folder / name)


def test_a_source_may_have_any_name(tmp_path: Path) -> None:
    """Added, changed, renamed or deleted, with a blank in its path or not: the list changes, and only then."""
    copy_tools(tmp_path)
    (tmp_path / "book/a folder").mkdir(parents=True)
    page = tmp_path / "book/a folder/its page.md"
    seen = [sources(tmp_path)]
    page.write_text("one")
    seen.append(sources(tmp_path))
    assert seen[-1].count("book/a folder/its page.md\n") == 1
    made = (tmp_path / "_build/sources").stat()
    page.touch()
    assert sources(tmp_path) == seen[-1]
    assert (tmp_path / "_build/sources").stat() == made, "what has not changed is not built again"
    page.write_text("two")
    seen.append(sources(tmp_path))
    page.rename(page.with_name("it's $HOME.md"))
    seen.append(sources(tmp_path))
    seen.append(sources(tmp_path, SITE_URL="https://example.org/"))
    page.with_name("it's $HOME.md").unlink()
    seen.append(sources(tmp_path, SITE_URL="https://example.org/"))
    assert len(set(seen)) == len(seen) == 6
    assert not (tmp_path / "_build/sources.new").exists()


def test_what_is_made_is_no_source(tmp_path: Path) -> None:
    copy_tools(tmp_path)
    (tmp_path / "superpos/__pycache__").mkdir(parents=True)
    before = sources(tmp_path)
    for name in ("superpos/__pycache__/a.pyc", "superpos/.hidden", "superpos/a.ipynb"):
        (tmp_path / name).touch()
    assert sources(tmp_path) == before


# --- Lint -----------------------------------------------------------------------------------------------------------

CHAPTER = """# A title

```{code-cell} ipython3
---
tags: [hide-input]
---
import torch
%matplotlib inline
```

Text with `code` and

```python
not = executed
```

````{code-cell} ipython3
:tags: [hide-input]
x = torch.ones(2)
````
"""


def test_code_of_a_chapter_keeps_its_lines() -> None:
    lines = lint.code(CHAPTER).splitlines()
    assert len(lines) == len(CHAPTER.splitlines())
    assert {k + 1: line for k, line in enumerate(lines) if line} == {7: "import torch", 19: "x = torch.ones(2)"}


def test_every_page_with_code_is_checked() -> None:
    text = {path: path.read_text() for path in (ROOT / "index.md", *(ROOT / "book").glob("*.md"))}
    assert set(lint.chapters(ROOT)) == {path for path, page in text.items() if "\n```{code-cell}" in page}


@pytest.mark.parametrize(
    ("cell", "said"),
    [("import math", "F401"), ("print(unknown)", '"unknown" is not defined'), ("x = [1,", "invalid-syntax")],
)
def test_a_fault_in_a_chapter_is_named_with_its_line(cell, said, tmp_path, monkeypatch, capfd) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book/a.md").write_text(f"# A title\n\n```{{code-cell}} ipython3\n{cell}\n```\n")
    (tmp_path / "index.md").touch()
    assert lint.check_chapters(tmp_path) == 1
    told = capfd.readouterr().out
    assert said in told
    assert "book/a.md:4" in told


def test_a_python_file_with_a_blank_in_its_path_is_refused() -> None:
    paths = ["superpos/a b.py", "my book/c.py", "tab\there.py", "superpos/d.py", "book/a picture.svg", ""]
    assert lint.spaced(paths) == paths[:3]
    assert not lint.spaced(lint.tracked())
    assert "scripts/lint.py" in lint.tracked()


# --- Tests ----------------------------------------------------------------------------------------------------------


def test_annotations_are_checked_in_every_worker() -> None:
    small = circuits.rotations(4, 1, seed=0)
    with pytest.raises(jaxtyping.TypeCheckError):
        small.run(torch.zeros(2, 1), torch.zeros(2, 1, 2))  # `active` must be integers


OTHERS = """
import time
from pathlib import Path
import pytest

LOG = Path(__file__).with_name("log")

def say(what):
    with LOG.open("a") as file:
        file.write(what + " ")

@pytest.mark.parametrize("k", range(6))
{mark}
def test_it(k):
    say("{name}[")
    time.sleep(0.05)
    say("{name}]")
"""


HANGING = """
import pytest, time

@pytest.mark.timeout(0.5)
def test_hangs():
    time.sleep(60)

def test_other():
    pass
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What pytest says of three files of tests that are run as ours are, and what two of them noted."""
    folder = tmp_path_factory.mktemp("suite")
    for name in ("tests/conftest.py", "tests/browser.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name, mark in (("a", ""), ("b", "@pytest.mark.alone")):
        (folder / f"test_{name}.py").write_text(OTHERS.format(name=name, mark=mark))
    (folder / "test_c.py").write_text(HANGING)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, (folder / "log").read_text()


def test_nothing_runs_beside_a_test_that_runs_alone(suite: tuple[str, str]) -> None:
    _, noted = suite
    assert noted.count("b[ b]") == noted.count("b[") == 6
    assert noted.count("a[") == 6


def test_a_test_that_hangs_is_ended_and_named(suite: tuple[str, str]) -> None:
    said, _ = suite
    assert "FAILED test_c.py::test_hangs - Failed: Timeout (>0.5s)" in said
    assert "1 failed, 13 passed" in said
