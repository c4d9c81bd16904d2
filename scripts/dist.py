"""Build the source archive and the wheel: `python scripts/dist.py FOLDER [TAG]`, which `make dist` calls.

The version is `superpos.__version__`; with a TAG it must be v and that version. The addresses of [project.urls] are
those of book/site.yml, or of SITE_URL and REPOSITORY; what is not known there is left out.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from flit_core import buildapi

import superpos

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
from superbook.address import GITHUB, Address, published  # noqa: E402

PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "superpos")


def check_tag(tag: str) -> None:
    """Refuse to release one version under the name of another."""
    if tag and tag != f"v{superpos.__version__}":
        raise SystemExit(f"TAG is {tag}; this is version {superpos.__version__}: tag it v{superpos.__version__}")


def urls(where: Address) -> Iterator[tuple[str, str]]:
    """The addresses of the project, as far as they are known."""
    if where.site:
        yield from (("Homepage", where.site), ("Documentation", where.site))
    if where.repository:
        yield "Source", where.repository
    if GITHUB.fullmatch(where.repository):
        yield "Issues", f"{where.repository}/issues"
        yield "Changelog", f"{where.repository}/blob/{where.branch}/CHANGELOG.md"


def build(out: Path, where: Address) -> list[Path]:
    """Both archives, from a copy of the package that has the addresses."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as space:
        copy = Path(space)
        for name in PACKAGED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        lines = [f'{name} = "{address}"\n' for name, address in urls(where)]
        if lines:
            with (copy / "pyproject.toml").open("a", encoding="utf8") as project:
                project.writelines(["\n[project.urls]\n", *lines])
        with chdir(copy):
            made = [make(str(copy)) for make in (buildapi.build_sdist, buildapi.build_wheel)]
        return [Path(shutil.copy(copy / name, out / name)) for name in made]


if __name__ == "__main__":
    check_tag("".join(sys.argv[2:]))
    os.environ.setdefault("SOURCE_DATE_EPOCH", "1704067200")  # the same sources are the same archives
    for path in build(Path(sys.argv[1]), published()):
        print(path)
