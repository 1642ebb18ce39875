"""Replaces the files of a report together, so that whatever stops it leaves the earlier report whole."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from errno import ELOOP
from pathlib import Path, PurePosixPath

NEW = ".new"  # how the name of a file ends that is not yet in its place


def replace_files(folder: Path, files: Mapping[str, bytes], obsolete: Iterable[Path] = ()) -> None:
    """Write `files`, by their paths below `folder`, in this order, and then remove the `obsolete` ones.

    Every file is written and synced under another name before the first is put in its place, so a full disk
    changes nothing. What a killed process left is removed. Raises OSError, with the file's name, if the file
    system does, or if a folder below `folder` is a link.
    """
    paths = {folder / name: content for name, content in files.items()}
    folders = _make_folders(folder, files)
    with _alone(folder) as alone:
        if alone:
            for leftover in [path for each in folders for path in each.glob(f".*{NEW}")]:
                leftover.unlink()
        written: dict[Path, Path] = {}
        try:
            for path, content in paths.items():
                _write(path, content, written)
            for path, new in written.items():
                new.replace(path)
        except BaseException:
            for new in written.values():
                new.unlink(missing_ok=True)
            raise
        for path in set(obsolete) - set(paths):
            path.unlink(missing_ok=True)
        for each in folders:
            _sync(each)


def _make_folders(folder: Path, names: Iterable[str]) -> list[Path]:
    """Make the folders of the files below `folder`, and return them, `folder` first."""
    folder.mkdir(parents=True, exist_ok=True)
    below = {parent for name in names for parent in PurePosixPath(name).parents}
    folders = [folder / each for each in sorted(below)]  # sorted: a folder comes before those in it
    for each in folders[1:]:
        if each.is_symlink():
            raise OSError(ELOOP, "A link in place of a folder", str(each))
        each.mkdir(exist_ok=True)
    return folders


def _write(path: Path, content: bytes, written: dict[Path, Path]) -> None:
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=NEW)
        written[path] = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written[path].chmod(0o644)
    except OSError as error:  # which names the other file, or none
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Wait until no other process replaces files in `folder`; give False where a folder cannot be locked.

    The lock is the folder's own, so it leaves no file, and the kernel releases it when its holder dies.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a network file system
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
