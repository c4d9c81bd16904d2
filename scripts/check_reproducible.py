"""Build the book twice from scratch, and compare every file of the two sites byte by byte.

make reproducible
"""

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path) -> dict[str, Path]:
    """The files of a site built from an empty cache, by their addresses."""
    shutil.rmtree(folder, ignore_errors=True)
    relative = folder.relative_to(ROOT)
    subprocess.run(["make", "--no-print-directory", "book", f"BUILD={relative}"], cwd=ROOT, check=True)
    site = folder / "html"
    return {str(path.relative_to(site)): path for path in sorted(site.rglob("*")) if path.is_file()}


def main() -> int:
    first, second = build(ROOT / "_build/first"), build(ROOT / "_build/second")
    faults = sorted(set(first) ^ set(second))
    faults += [name for name in first if name in second and not filecmp.cmp(first[name], second[name], shallow=False)]
    for name in faults:
        print(f"differs: {name}")
    print(f"{len(first)} files, {len(faults)} differ")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
