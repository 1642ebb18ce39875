"""File names in a run's folder, finding runs and studies, the cache, and writing files atomically."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP
from glob import escape
from pathlib import Path
from typing import BinaryIO

import platformdirs

from dlx.errors import RequestError

NEW = ".new"  # how the name of a file ends that is not yet in its place
HISTORY = "history.csv"
RESULT = "result.json"
CHECKPOINT = "checkpoint.pt"
PREDICTIONS = "predictions.npz"
LOG = "train.log"
LOCK = ".lock"
HYDRA = ".hydra"
STUDY = ".study"
REPORT = "report"


def cache_root() -> Path:
    """Return the folder for files that dlx can make again: DLX_CACHE, else the user's cache."""
    if given := os.environ.get("DLX_CACHE"):
        return Path(given).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("dlx", appauthor=False))


def typed_path(text: str, where: str) -> Path:
    """Return a path as a user typed it, with `~` and `~user` expanded.

    Raises RequestError that begins with `where` if there is no such home, or for a zero byte.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise RequestError(f"{where}={text}: there is no home folder for {Path(text).parts[0]}") from None
    if "\0" in text:
        raise RequestError(f"{where}={text}: a path cannot hold a zero byte")
    return path


def find_runs(folder: Path, on_error: Callable[[OSError], object] | None = None) -> list[Path]:
    """Return the run folders at or below `folder`, sorted; one that is a link is resolved if it is `folder`.

    A run has a `.hydra/config.yaml`, or a result and a history. Links to folders are not followed, because
    they may form a loop or lead elsewhere. `on_error` is called with the error for each folder that cannot be
    read, and for each link to a run elsewhere.
    """
    runs: list[Path] = []
    note = on_error or (lambda _: None)
    for where, folders, files in os.walk(folder, onerror=note):
        here = Path(where)
        try:
            if _is_run(here, folders, files):
                runs.append(here.resolve() if here.is_symlink() else here)
        except OSError as error:
            note(error)
        for link in (here / name for name in folders):
            if not link.is_symlink():
                continue
            if link.joinpath(RESULT).exists() and not link.resolve().is_relative_to(folder.resolve()):
                note(OSError(ELOOP, "a symbolic link, which is not followed", str(link)))
        folders[:] = [name for name in folders if name not in (HYDRA, STUDY)]
    return sorted(runs)


def _is_run(folder: Path, folders: list[str], files: list[str]) -> bool:
    if RESULT in files and HISTORY in files:
        return True
    if HYDRA not in folders:
        return False
    with suppress(FileNotFoundError, NotADirectoryError):
        folder.joinpath(HYDRA, "config.yaml").lstat()
        return True
    return False


def newest_study(root: Path) -> Path | None:
    """Return the study below `root` with the most recent change, or None if there is no run."""
    newest = max(find_runs(root), key=_last_written, default=None)
    return newest.parent if newest else None


def _last_written(run: Path) -> float:
    # A run in training replaces its files, so a file that was listed may be gone a moment later.
    times = [0.0]
    for file in run.iterdir():
        with suppress(FileNotFoundError):
            times.append(file.lstat().st_mtime)
    return max(times)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that, if the process or machine dies, `path` is either the old file or the new one.

    A link is replaced, not followed. Without `durable` the file may be lost if the machine dies, but it takes
    a third of the time. What a killed process has left of this file is removed. Raises OSError, with the
    file's name, if the file system does (disk full, read-only).
    """
    with naming(path):
        _replace(path, content, durable=durable)
        _remove_leftovers(path)
        if durable:
            sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the file system name this file: they name a temporary one, or none if a write fails."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, content: bytes, *, durable: bool) -> None:
    file, new = _temporary_file(path)
    try:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
        new.chmod(0o644)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        file.close()


def _temporary_file(path: Path) -> tuple[BinaryIO, Path]:
    """Return a new file beside `path` that this process holds, so that no other takes it for a leftover."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=NEW)
        if not hold(handle) or os.fstat(handle).st_nlink:
            return os.fdopen(handle, "wb"), Path(name)
        os.close(handle)  # another process has removed it in between


def hold(descriptor: int) -> bool:
    """Lock a file or folder, without waiting, for as long as it is open; False if that is not possible.

    The kernel lets go when the process dies, so what nobody holds is a leftover.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # Windows; another process holds it, or the file system has no locks
        return False
    return True


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{escape(path.name)}.*{NEW}"):
        with suppress(OSError):  # a named pipe would be waited for
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            if hold(descriptor):
                leftover.unlink()
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk hold the names of the files in a folder."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_gone(error: Exception, folder: Path) -> bool:
    """Return whether an exception says that something in `folder` is not there any more."""
    return isinstance(error, FileNotFoundError) and folder in Path(str(error.filename)).parents
