"""Build the site aside, then let it take the place of the last good one.

    python scripts/build.py BUILD_FOLDER

The site is made in BUILD_FOLDER/next and moved to BUILD_FOLDER/html once all of it is there; a build that fails leaves
the last good site as it is, shows what went wrong (for a chapter: the failing cell) and ends with a non-zero code.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

STOPPED = re.compile(r"Extension error:\S*\n(.*?)\nTraceback \(most recent call last\):\n  File", re.DOTALL)
WARNED = re.compile(r"^.*(?:WARNING|ERROR|CRITICAL): .*$", re.MULTILINE)
PROGRESS = re.compile(r"([\w./-]+)\.md: (Executing notebook|Executed notebook in [\d.]+ seconds)")


def run(command: list[str], log: Path) -> int:
    """Run the builder; all that it says goes to the log, the chapters that it executes are named here."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    with log.open("w") as out:
        for line in process.stdout:
            out.write(line)
            out.flush()
            if found := PROGRESS.search(line):
                page, what = found.groups()
                print(f"  {Path(page).name}: {what.lower()}", flush=True)
    return process.wait()


def faults(said: str) -> str:
    """What stopped the build (for a chapter: its failing cell) and all warnings; everything if neither is found."""
    return "\n".join(STOPPED.findall(said) + WARNED.findall(said)) or said


def swap(new: Path, old: Path) -> None:
    """Put the finished folder `new` in the place of `old`."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def main(build: Path) -> int:
    stage, log, start = build / "next", build / "build.log", time.monotonic()
    shutil.rmtree(stage, ignore_errors=True)
    html = stage / "_build/html"
    html.mkdir(parents=True)
    (html / ".built").touch()  # as old as the start: a source that changes during the build is newer
    builder = Path(sys.executable).with_name("jupyter-book")
    print("Building the book …", flush=True)
    options = ["--path-output", str(stage), "--all", "-W", "-n", "--keep-going"]
    if run([str(builder), "build", ".", *options], log):
        print(f"\nThe book was NOT built (all that was said is in {log}):\n{faults(log.read_text())}", file=sys.stderr)
        print("The last good site, if there is one, is untouched.", file=sys.stderr)
        return 1
    swap(stage / "_build/jupyter_execute", build / "jupyter_execute")
    swap(html, build / "html")
    shutil.rmtree(stage)
    print(f"Built in {time.monotonic() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
