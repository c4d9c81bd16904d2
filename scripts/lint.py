"""Formatting, lint and types of everything that is Python, the code of the chapters included; nothing is repaired here.

make lint      # then, by hand: ruff format, ruff check --fix (in .venv/bin)

A chapter's cells are checked as one module in which every line keeps its number, so that what is said of a chapter
names its line.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUFF = ["ruff", "check", "--quiet", "--config", str(ROOT / "pyproject.toml")]
PYRIGHT = ["pyright", "--pythonpath", sys.executable]
CELL = re.compile(r"^(`{3,}|~{3,})\{code-cell\}.*$")
SET_UP = re.compile(r"^:\w+:.*$")  # an option of a cell
MAGIC = re.compile(r"^\s*[%!]")
# What cells do on purpose: import where it is first needed, end with a value, and keep a line as short as it can be.
ON_PURPOSE = ("E402", "B018", "B905", "PT018", "SIM300")
# Of types in a chapter what does not depend on how much a library tells of itself; the build runs every line.
TYPES = {"typeCheckingMode": "off", "extraPaths": [str(ROOT)]}
TYPES |= dict.fromkeys(("reportUndefinedVariable", "reportPossiblyUnboundVariable"), "error")


def code(chapter: str) -> str:
    """The cells of a chapter, every line where it stands there; all else is empty."""
    lines, fence, head = [], "", False
    for line in chapter.splitlines():
        kept = ""
        if fence:
            if line.strip() == fence:
                fence = ""
            elif line.strip() == "---":  # YAML ahead of the code
                head = not head
            elif not head and not SET_UP.match(line) and not MAGIC.match(line):
                kept = line
        elif found := CELL.match(line):
            fence = found[1]
        lines.append(kept)
    return "\n".join(lines) + "\n"


def chapters(root: Path) -> list[Path]:
    """The pages with code."""
    pages = [root / "index.md", *sorted((root / "book").glob("*.md"))]
    return [page for page in pages if code(page.read_text(encoding="utf8")).strip()]


def spaced(paths: list[str]) -> list[str]:
    """Python files that nobody can import, and that a list of words takes apart: white space in their path."""
    return [path for path in paths if path.endswith(".py") and re.search(r"\s", path)]


def tracked() -> list[str]:
    """What git keeps of the project, and what it would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf8", check=True)
    return done.stdout.split("\0")


def said(command: list[str], folder: Path) -> int:
    """Run a tool of this environment; what it says of a chapter's code names the chapter."""
    command = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf8", check=False
    )
    print(re.sub(rf"{re.escape(str(folder))}/(\S+?)\.py\b", r"\1.md", done.stdout), end="", flush=True)
    return done.returncode


def check_chapters(root: Path) -> int:
    """Lint and types of the code in the chapters of a book."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        for page in chapters(root):
            module = folder / page.relative_to(root).with_suffix(".py")
            module.parent.mkdir(exist_ok=True)
            module.write_text(code(page.read_text(encoding="utf8")), encoding="utf8")
        (folder / "pyright.json").write_text(json.dumps(TYPES), encoding="utf8")
        ruff = said([*RUFF, "--extend-ignore", ",".join(ON_PURPOSE), str(folder)], folder)
        return ruff | said([*PYRIGHT, "--project", str(folder / "pyright.json")], folder)


def main() -> int:
    failed = check_chapters(ROOT)
    for path in spaced(tracked()):
        print(f"{path}: a Python file must have no white space in its path")
        failed = 1
    for command in (["ruff", "format", "--check", "--diff", "--quiet"], RUFF, PYRIGHT):
        failed |= said(command, ROOT)
    print("lint: there are faults" if failed else "lint: no fault")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
