"""Build the site aside, then let it take the place of the last good one.

    python scripts/build.py BUILD_FOLDER

The site is made in BUILD_FOLDER/next and moved to BUILD_FOLDER/html once all of it is there; a build that fails leaves
the last good site as it is, shows what went wrong (for a chapter: the failing cell) and ends with a non-zero code.

    python scripts/build.py --claim BUILD_FOLDER
    python scripts/build.py --clean BUILD_FOLDER

Nothing is deleted or replaced that was not made here. A folder is taken for builds if it is new or empty; it is marked
then, and so is each folder in it that a later build replaces. Any other folder is refused before anything is done.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

STOPPED = re.compile(r"Extension error:\S*\n(.*?)\nTraceback \(most recent call last\):\n  File", re.DOTALL)
WARNED = re.compile(r"^.*(?:WARNING|ERROR|CRITICAL): .*$", re.MULTILINE)
PROGRESS = re.compile(r"([\w./-]+)\.md: (Executing notebook|Executed notebook in [\d.]+ seconds)")
MARK = ".built"  # in every folder that a build has made; as html/.built it is also what make compares sources with
MADE = ("next", "html", "html.old", "jupyter_execute", "jupyter_execute.old")
BESIDE = (MARK, "build.log", "cache", "sources", "sources.new", "first", "second")  # by the build too, and by make
PRINTED = ("superpos.html", "superpos.pdf", "superpos.pdf.new")


class Refused(Exception):
    """A folder that is not ours."""


def claim(build: Path) -> None:
    """Take a folder for builds, or refuse it: new or empty, but for a cache, or marked by an earlier build."""
    if not build.is_dir() and os.path.lexists(build):
        raise Refused(f"BUILD is {build}; it is no folder")
    others = sorted({entry.name for entry in build.iterdir()} - {"cache"}) if build.exists() else []
    if others and not _ours(build):
        raise Refused(
            f"BUILD is {build}; no build has made it, and it holds {', '.join(others[:3])}. Give a folder that is new "
            f"or empty, such as BUILD={build / '_build'}"
        )
    early = not (build / MARK).exists()  # made before more than the site was marked
    there = [folder for folder in (build / name for name in MADE) if os.path.lexists(folder)]
    for folder in there:
        if folder.is_symlink() or not (early or (folder / MARK).exists()):
            raise Refused(f"BUILD is {build}; {folder} was not made by a build: move it away, or give another BUILD")
    build.mkdir(parents=True, exist_ok=True)
    for folder in (build, *there):
        if not (folder / MARK).exists():  # the time of the site's own says how old it is
            (folder / MARK).touch()


def _ours(build: Path) -> bool:
    return (build / MARK).exists() or (build / "html" / MARK).exists()


def clean(build: Path) -> None:
    """Remove a folder that was taken for builds; refused, before anything is removed, if it holds anything else."""
    if not build.exists():
        return
    if not _ours(build):
        raise Refused(f"BUILD is {build}; no build has made it, so it is not removed")
    there = sorted(build.iterdir())
    if others := [entry.name for entry in there if entry.name not in (*MADE, *BESIDE, *PRINTED)]:
        raise Refused(f"BUILD is {build}; no build has made {', '.join(others[:3])} in it: move that away")
    for entry in there:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not build.is_symlink():
        build.rmdir()


def run(command: list[str], log: Path) -> int:
    """Run the builder; all that it says goes to the log, the chapters that it executes are named here."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf8"},
    )
    assert process.stdout
    with log.open("w", encoding="utf8") as out:
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
    claim(build)
    stage, log, start = build / "next", build / "build.log", time.monotonic()
    shutil.rmtree(stage, ignore_errors=True)
    html = stage / "_build/html"
    html.mkdir(parents=True)
    (stage / MARK).touch()
    (html / MARK).touch()  # as old as the start: a source that changes during the build is newer
    builder = Path(sys.executable).with_name("jupyter-book")
    print("Building the book …", flush=True)
    options = ["--path-output", str(stage), "--all", "-W", "-n", "--keep-going"]
    if run([str(builder), "build", ".", *options], log):
        print(
            f"\nThe book was NOT built (all that was said is in {log}):\n{faults(log.read_text(encoding='utf8'))}",
            file=sys.stderr,
        )
        print("The last good site, if there is one, is untouched.", file=sys.stderr)
        return 1
    (stage / "_build/jupyter_execute" / MARK).touch()
    swap(stage / "_build/jupyter_execute", build / "jupyter_execute")
    swap(html, build / "html")
    shutil.rmtree(stage)
    print(f"Built in {time.monotonic() - start:.0f} s.")
    return 0


def command(arguments: list[str]) -> int:
    """Do what the command line asks for."""
    *options, build = arguments
    try:
        if options:
            {"--claim": claim, "--clean": clean}[options[0]](Path(build))
            return 0
        return main(Path(build))
    except Refused as error:
        print(f"superpos: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(command(sys.argv[1:]))
