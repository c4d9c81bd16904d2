"""Run downloaded notebooks in a fresh environment that has only what their first cells install.

    python scripts/fresh.py BUILD_FOLDER [NOTEBOOK …]      # `make fresh`; by default chapters 2 and 12

Each is taken as the built site offers it. Where it names no repository, this folder is put in, as a reader would. The
environment holds what runs a notebook, ipykernel and nbclient; nothing of this tree is on its path.
"""

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ("book/02-small-circuits", "book/12-exact-superposition")
RUNNER = ("ipykernel", "nbclient")
RUN = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
NotebookClient(notebook, timeout=1800, kernel_name="python3").execute()
code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
assert all(cell.execution_count for cell in code)
print(len(code), "cells")
"""


def prepared(notebook: Path, folder: Path) -> Path:
    """The notebook in a folder of its own, with this repository where it names none."""
    made = json.loads(notebook.read_text(encoding="utf8"))
    install = next(cell for cell in made["cells"] if cell["id"] == "install")
    install["source"] = install["source"].replace('REPOSITORY = ""', f'REPOSITORY = "{ROOT}"')
    path = folder / notebook.name
    path.write_text(json.dumps(made), encoding="utf8")
    return path


def main(build: Path, names: list[str]) -> None:
    """Make one environment for each notebook, run it, and say how long that took."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER", "SUPERPOS", "MATPLOTLIB"))}
    for name in names:
        with TemporaryDirectory() as space:
            folder, start = Path(space), time.monotonic()
            venv.create(folder / "fresh", with_pip=True)
            python = folder / "fresh/bin/python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", *RUNNER], check=True, env=outside)
            absent = subprocess.run([python, "-c", "import torch"], env=outside, capture_output=True, check=False)
            assert absent.returncode, "the environment is not fresh: it has torch"
            notebook, ready = prepared(build / f"html/_sources/{name}.ipynb", folder), time.monotonic()
            print(f"{name}: the environment took {ready - start:.0f} s", flush=True)
            path = f"{python.parent}{os.pathsep}{outside['PATH']}"
            done = subprocess.run(
                [python, "-c", RUN, notebook], cwd=folder, env=outside | {"PATH": path}, check=True,
                stdout=subprocess.PIPE, encoding="utf8",
            )  # fmt: skip
            print(f"{name}: {done.stdout.strip()} installed and ran in {time.monotonic() - ready:.0f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or [*DEFAULT])
