"""Files and folders that are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp


@contextmanager
def written(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path to write to, a file or a folder; it takes the place of `path` when the block has ended without an error.

    Raises:
        FileExistsError: if there is something at `path` already, and overwrite is not given.
        FileNotFoundError: if the folder in which it should be is not there.
    """
    check_free(path, overwrite=overwrite)
    space = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))  # beside it: a rename must not cross file systems
    try:
        yield space / path.name
        if path.is_dir():  # a folder is not replaced by a rename
            os.replace(path, space / "old")
        try:
            os.replace(space / path.name, path)
        except OSError:
            if (space / "old").exists():
                os.replace(space / "old", path)
            raise
    finally:
        shutil.rmtree(space, ignore_errors=True)


def check_free(path: Path, *, overwrite: bool, how: str = "overwrite=True") -> None:
    """Refuse a path that is taken, or that cannot be written to, before work is done."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path is {path}; there is no folder {path.parent}: make it first")
    if path.exists() and not overwrite:
        raise FileExistsError(f"path is {path}; it is there already: give {how} to replace it")
