"""File names in a run's folder, finding runs and studies, the cache, and writing files atomically."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from dlx.errors import RequestError

HISTORY = "history.csv"
RESULT = "result.json"
CHECKPOINT = "checkpoint.pt"
PREDICTIONS = "predictions.npz"
LOG = "train.log"
LOCK = ".lock"
HYDRA = ".hydra"
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
    """Return the run folders at or below `folder` (those with a `.hydra/config.yaml`), sorted.

    Links to folders are not followed, because they may form a loop. `on_error` is called with the error for
    each folder that cannot be read.
    """
    runs = []
    for where, folders, _ in os.walk(folder, onerror=on_error):
        if HYDRA not in folders:
            continue
        folders.remove(HYDRA)
        try:
            (Path(where) / HYDRA / "config.yaml").stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if on_error is not None:
                on_error(error)
            continue
        runs.append(Path(where))
    return sorted(runs)


def newest_study(root: Path) -> Path | None:
    """Return the study below `root` with the most recent change, or None if there is no run."""
    newest = max(find_runs(root), key=_last_written, default=None)
    return newest.parent if newest else None


def _last_written(run: Path) -> float:
    # A run in training replaces its files, so a file that was listed may be gone a moment later.
    times = [0.0]
    for file in run.iterdir():
        with suppress(FileNotFoundError):
            times.append(file.stat().st_mtime)
    return max(times)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that, if the process or machine dies, `path` is either the old file or the new one.

    Raises OSError if the file system does (disk full, read-only).
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
