"""Opens the files of runs and studies, which may come from somebody else.

Only regular files of a limited size are read. Links are followed neither to read nor to write: not a file
that is one, and not a folder below the one that the user named. SECURITY.md states the limits.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EEXIST
from pathlib import Path
from typing import BinaryIO

from dlx.errors import RequestError
from dlx.run.paths import naming

MEGABYTE = 1_000_000
RESULT_LIMIT = 4 * MEGABYTE  # bytes of a result.json; one of 1,000 layers takes 0.2 MB
YAML_LIMIT = 1 * MEGABYTE  # of a claim, of what was asked for, of a copy of the user's source
TABLE_LIMIT = 64 * MEGABYTE  # of a CSV: 100,000 epochs take 10 MB
PREDICTIONS_LIMIT = 40 * MEGABYTE  # packed and unpacked: 50,000 samples of 100 classes
ARRAYS_LIMIT = 100 * MEGABYTE  # of a probe's .npz: the logits of 50,000 samples and 10 classes at 100 epochs
STUDY_LIMIT = 64 * MEGABYTE  # of a file in .study/: a request of 20,000 runs takes 50 MB
CHECKPOINT_LIMIT = 4_000 * MEGABYTE

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path, limit: int) -> BinaryIO:
    """Open a regular file of at most `limit` bytes to read it.

    Raises FileNotFoundError if there is none, and ValueError, with the file's name, for anything else: a
    link, a named pipe, a device, a file whose folder is a link, a larger file.
    """
    if reason := why_not(path):
        raise ValueError(f"{path}: {reason}")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    size = os.fstat(descriptor).st_size
    if size > limit:
        file.close()
        raise ValueError(f"{path}: {write_size(size)}, more than the limit of {write_size(limit)}")
    return file


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a file, and raise what `open_regular` does."""
    with open_regular(path, limit) as file:
        content = file.read(limit + 1)
    if len(content) > limit:  # it has grown since it was opened
        raise ValueError(f"{path}: more than the limit of {write_size(limit)}")
    return content


def read_text(path: Path, limit: int) -> str:
    """Return the content of a file in UTF-8, and raise what `open_regular` does."""
    try:
        return read_bytes(path, limit).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error}") from error


@contextmanager
def open_to_append(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to append to it, or make it; raises OSError, with its name, for anything else."""
    if reason := why_not(path, missing=True):
        raise FileExistsError(EEXIST, reason, str(path))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with naming(path), os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        yield file


def make_folder(root: Path, *names: str) -> Path:
    """Make root/names[0]/names[1]/... and return it. `root` may be a link, a folder below it may not.

    Raises RequestError for a link, so that nothing is written outside of `root`.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        root = root / name
        if root.is_symlink():
            raise RequestError(f"{root} is a symbolic link, and nothing is written through one; remove it")
        root.mkdir(exist_ok=True)
    return root


def refuse_links(folder: Path) -> None:
    """Raise RequestError if a run's folder, or anything in it, is a link: training might write through it."""
    for path in (folder, *(folder.rglob("*") if not folder.is_symlink() else ())):
        if path.is_symlink():
            raise RequestError(f"{path} is a symbolic link, and nothing is written through one; remove it")


def why_not(path: Path, *, missing: bool = False) -> str:
    """Say why a file is not opened, "" if it is regular. `missing`: whether there need not be one."""
    if path.parent.is_symlink():
        return "its folder is a symbolic link, which is not followed"
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if missing:
            return ""
        raise
    return "" if stat.S_ISREG(mode) else f"{_KINDS.get(stat.S_IFMT(mode), 'a special file')}, not a file"


def write_size(size: int) -> str:
    """Write a number of bytes: "3.1 GB"."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"
