"""Whether a run has been trained already, and whether somebody else trains it now."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlx.config import Settings
from dlx.errors import RequestError
from dlx.progress import RunDisplay
from dlx.run.identity import identity
from dlx.run.paths import LOCK, RESULT
from dlx.run.result import Result, read_result


def finished_result(folder: Path, config: dict[str, Any], settings: Settings) -> Result | None:
    """Return the result of this very configuration in `folder`, or None if it is to be trained.

    A diverged run is finished: it would diverge again. A failed one, one without a result, and any
    under rerun=true are not. Raises RequestError if the folder holds another configuration's result.
    """
    if settings.rerun:
        return None
    try:
        result = read_result(folder)
    except ValueError as error:
        raise RequestError(f"{error}; rerun=true trains it again") from error
    if result is None or result.status == "failed":
        return None
    if result.identity != identity(config):
        raise RequestError(f"{folder / RESULT}: belongs to another configuration; rerun=true replaces it")
    return result


@contextmanager
def lock(folder: Path, display: RunDisplay | None) -> Iterator[None]:
    """Hold the run's folder, after waiting for another process that trains the same run.

    The kernel lets go of the lock when a process dies, however it dies.
    """
    from filelock import FileLock, Timeout

    held = FileLock(folder / LOCK)
    try:
        held.acquire(timeout=0)
    except Timeout:
        if display is not None:
            display.wait(folder)
        held.acquire()
    try:
        yield
    finally:
        held.release()
