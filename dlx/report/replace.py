"""Replaces the files of a report together, so that whatever stops it leaves the earlier report whole."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import ELOOP
from pathlib import Path, PurePosixPath

from dlx.run.paths import hold, naming, sync_folder

STAGING = ".new-"  # how the name of the folder begins in which files wait until all have been written


def replace_files(folder: Path, files: Mapping[str, bytes], obsolete: Iterable[Path] = ()) -> None:
    """Write `files`, by their paths below `folder`, in this order, and then remove the `obsolete` ones.

    Every file is written and synced elsewhere before the first is put in its place, so a full disk changes
    nothing. What a killed process left is removed. Raises OSError, with the file's name, if the file system
    does, or if a folder below `folder` is a link.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _staging(folder) as staging:
        folders = _make_folders(folder, files)
        for below in folders[1:]:
            (staging / below).mkdir()
        for name, content in files.items():
            _write(staging / name, content, folder / name)
        for name in files:
            (staging / name).replace(folder / name)
    for path in set(obsolete) - {folder / name for name in files}:
        path.unlink(missing_ok=True)
    for below in folders:
        sync_folder(folder / below)


def _make_folders(folder: Path, names: Iterable[str]) -> list[PurePosixPath]:
    """Make the folders of the files below `folder`, and return their paths there, that of `folder` first."""
    folders = sorted({parent for name in names for parent in PurePosixPath(name).parents})
    for path in (folder / below for below in folders[1:]):  # sorted: a folder comes before those in it
        if path.is_symlink():
            raise OSError(ELOOP, "A link in place of a folder", str(path))
        path.mkdir(exist_ok=True)
    return folders


def _write(path: Path, content: bytes, wanted: Path) -> None:
    with naming(wanted), path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a folder in `folder` for new files. It is removed in the end, as are those of killed processes."""
    staging, descriptor = _held_folder(folder)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)
    for leftover in folder.glob(f"{STAGING}*"):
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            if hold(descriptor):
                shutil.rmtree(leftover)
            os.close(descriptor)


def _held_folder(folder: Path) -> tuple[Path, int]:
    """Return a new folder and its descriptor, which this process holds so that no other removes it."""
    while True:
        with naming(folder):
            made = Path(tempfile.mkdtemp(dir=folder, prefix=STAGING))
        descriptor = os.open(made, os.O_RDONLY)
        if not hold(descriptor) or os.fstat(descriptor).st_nlink:
            return made, descriptor
        os.close(descriptor)
