"""Where things lie: the files of a run's folder, the runs of a study, the newest study."""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HISTORY = "history.csv"
RESULT = "result.json"
CHECKPOINT = "checkpoint.pt"
PREDICTIONS = "predictions.npz"
LOG = "train.log"
LOCK = ".lock"
HYDRA = ".hydra"
REPORT = "report"


def find_runs(folder: Path, on_error: Callable[[OSError], object] | None = None) -> list[Path]:
    """Return the run folders at or below `folder` (those with Hydra's `.hydra/config.yaml`), sorted.

    Links to folders below are not followed, so that a loop of them ends. `on_error` is told of each
    folder that cannot be looked into.
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
    """Return the folder under `root` whose runs were written to last, or None if there is no run."""
    newest = max(find_runs(root), key=_last_written, default=None)
    return newest.parent if newest else None


def _last_written(run: Path) -> float:
    # A run that is training replaces its files: one listed now may be gone a moment later.
    times = [0.0]
    for file in run.iterdir():
        with suppress(FileNotFoundError):
            times.append(file.stat().st_mtime)
    return max(times)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that, whenever the process or machine dies, `path` is the old file or the new one.

    Raises OSError as the file system does (disk full, read-only).
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


def discard_unstarted(folder: Path) -> None:
    """Remove a run folder in which Hydra has left its own files and no training has left any.

    And the study above it, if nothing else is in it.
    """
    if not folder.is_dir() or any((folder / name).exists() for name in (HISTORY, RESULT, CHECKPOINT)):
        return
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
