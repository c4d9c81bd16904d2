"""Files and folders that are there whole or not at all, and that replace nothing but what this package wrote."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

ABOUT = "README.json"  # in a folder of ours: its format, and the files that belong to it

Place = str | os.PathLike[str]


@contextmanager
def written(path: Place, *, overwrite: bool, folder: str | None = None) -> Iterator[Path]:
    """A path to write to; what was written there takes the place of `path` when the block has ended without an error.

    It is synchronised to the disk, and has the permissions that the umask gives. Where `path` is a link, what it leads
    to is replaced.

    Args:
        path: of a file; of a folder, if `folder` is given.
        overwrite: whether to replace what is there.
        folder: the format of folders that may be replaced, as their README.json has it.

    Raises:
        OSError: as `check_free`, before the block and once more at its end; or if the disk is full.
    """
    check_free(path, overwrite=overwrite, folder=folder)
    goal = Path(os.path.realpath(path))
    space = Path(mkdtemp(prefix=".superpos-", dir=goal.parent))  # beside it: a rename must not cross file systems
    try:
        yield space / goal.name
        _settle(space / goal.name)
        check_free(path, overwrite=overwrite, folder=folder)  # somebody else may have written it in the meantime
        _put(space / goal.name, goal, space / f"{goal.name}.old")
    finally:
        shutil.rmtree(space, ignore_errors=True)


def check_free(path: Place, *, overwrite: bool, folder: str | None = None, how: str = "overwrite=True") -> None:
    """Refuse a path that is taken, or that cannot be written to, before work is done.

    Raises:
        FileExistsError: if there is something, and overwrite is not given; if there is a folder with other files.
        FileNotFoundError, NotADirectoryError: if the folder in which it should be is not there, or is none.
        IsADirectoryError: if there is a folder and a file is meant.
        PermissionError: if nothing may be written there.
        OSError: if there is something else that is not replaced, such as a device or a pipe.
    """
    text = os.fspath(path)
    said = f"path is {text}"
    if not text or "\0" in text:
        raise OSError(f"path is {text!r}; it must be the name of a {'folder' if folder else 'file'}")
    if not _utf8(text):
        raise OSError(f"path is {text!a}; its name is no UTF-8: give another name")
    if text.endswith((os.sep, os.altsep or os.sep)) and not folder:
        raise IsADirectoryError(f"{said}; a name that ends with a slash is that of a folder: give that of a file")
    goal = Path(os.path.realpath(text))
    try:
        mode = os.stat(goal).st_mode  # fails for links in a circle, and for names that are too long
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:
        raise OSError(f"{said}; {error.strerror}") from error
    if mode is None:
        _check_parent(said, text, goal.parent)
    elif stat.S_ISDIR(mode):
        if not folder:
            raise IsADirectoryError(f"{said}; it is a folder: give the name of a file, such as {goal / 'FILE'}")
        others = _others(goal, folder)
        if others:
            raise FileExistsError(f"{said}; the folder holds {others}, not what superpos wrote: give another name")
    elif folder or not stat.S_ISREG(mode):
        raise OSError(f"{said}; it is {_KINDS.get(stat.S_IFMT(mode), 'no file')}: give another name")
    if not os.access(goal.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{said}; nothing may be written into the folder {goal.parent}")
    if mode is not None and not overwrite:
        raise FileExistsError(f"{said}; it is there already: give {how} to replace it")


def _utf8(text: str) -> bool:
    """Whether a name can be told to others: one in an old encoding holds halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


_KINDS = {
    stat.S_IFREG: "a file, and a folder is to be written",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def _check_parent(said: str, text: str, parent: Path) -> None:
    """Refuse a folder that is not there."""
    first = Path(text).parts[0]
    if first.startswith("~") and os.path.expanduser(first) != first and not os.path.lexists(first):
        raise FileNotFoundError(f"{said}; ~ is not your home folder here: give {os.path.expanduser(text)}")
    if parent.is_dir():
        return
    there = next(folder for folder in parent.parents if folder.exists()) if not parent.exists() else parent
    if not there.is_dir():
        raise NotADirectoryError(f"{said}; {there} is a file, not a folder")
    raise FileNotFoundError(f"{said}; there is no folder {parent}: make it first")


def _others(folder: Path, form: str) -> str:
    """What a folder holds that does not belong to that format; nothing, if it may be replaced."""
    there = {entry.name for entry in folder.iterdir()}
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf8"))
        ours = {ABOUT, *about["files"]} if about["format"] == form else set()
    except (OSError, ValueError, TypeError, KeyError):
        ours = set()
    if any(not (folder / name).is_file() or (folder / name).is_symlink() for name in ours & there):
        ours = set()
    others = sorted(there - ours)
    return ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")


def _settle(new: Path) -> None:
    """All of it on the disk, with the permissions of a file that is made without further words."""
    probe = new.with_name(f"{new.name}.new")
    probe.touch(exist_ok=False)  # the umask itself can only be read by changing it, for all threads
    mode = stat.S_IMODE(probe.stat().st_mode)
    for file in new.iterdir() if new.is_dir() else [new]:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.chmod(file, mode)


def _put(new: Path, goal: Path, aside: Path) -> None:
    """Give `new` the place of `goal`; a folder is not replaced by a rename."""
    try:
        if goal.is_dir():
            os.replace(goal, aside)
        os.replace(new, goal)
    except BaseException:
        if aside.exists() and not goal.exists():
            os.replace(aside, goal)
        raise
