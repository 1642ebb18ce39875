"""Reads the folder of a run, whatever state it is in; what has not changed on disk is not read again."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.run.history import read_columns, read_last
from dlx.run.paths import HISTORY, HYDRA, RESULT
from dlx.run.result import Result, read_result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    History = dict[str, NDArray[Any]]

SILENT = 120.0  # seconds without a new epoch after which a run may have been interrupted
SILENT_EPOCHS = 5  # and as many of its epochs, where those are long
Stamp = tuple[tuple[int, int, int] | None, ...]  # of each file: time of writing, bytes, inode


@dataclass(frozen=True)
class Ended:
    """A run that has a result; `history` by column, None of a failed run."""

    result: Result
    history: "History | None"


@dataclass(frozen=True)
class Unended:
    """A run without a result: its last whole row, how many epochs it is to take, when it wrote last."""

    row: dict[str, float]
    epochs: int | None
    written: float  # seconds since 1970

    def silent(self, now: float) -> float:
        """Return for how many seconds nothing has been written."""
        return max(0.0, now - self.written)

    def running(self, now: float) -> bool:
        """Say whether a new epoch is still to be expected."""
        pace = self.row["time"] / max(1.0, self.row["epoch"])
        return self.silent(now) < max(SILENT, SILENT_EPOCHS * (pace if math.isfinite(pace) else 0.0))


class Reader:
    """Reads runs and remembers them: while a sweep is watched, 2000 ended runs are not parsed anew."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.parsed = 0  # folders read, one that has changed counted again
        self._known: dict[Path, tuple[Stamp, Ended | Unended | str]] = {}

    def read(self, folder: Path) -> Ended | Unended:
        """Return what the run in `folder` has come to; raises ValueError, saying why it cannot be read."""
        stamp = tuple(_stamp(folder / name) for name in (RESULT, HISTORY))
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            known = self._known[folder] = (stamp, _try(folder))
            self.parsed += 1
        if isinstance(known[1], str):
            raise ValueError(known[1])  # noqa: TRY004 (what is remembered is the reason of a ValueError)
        return known[1]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # reading will say it
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _try(folder: Path) -> Ended | Unended | str:
    try:
        return _read(folder)
    except ValueError as error:
        return str(error).replace(f"{folder}/", "")
    except OSError as error:
        return write_error(error, folder)


def write_error(error: OSError, folder: Path) -> str:
    """Say which file or folder below `folder` cannot be read, and why."""
    name = Path(str(error.filename)).name if error.filename else folder.name
    return f"{name} cannot be read: {error.strerror or error}"


def _read(folder: Path) -> Ended | Unended:
    result = read_result(folder)
    path = folder / HISTORY
    if result is None:
        if not path.is_file():
            raise ValueError(f"no {RESULT} and no {HISTORY}: not started, or interrupted")
        return Unended(read_last(path), _epochs(folder), path.stat().st_mtime)
    if not result.config:
        raise ValueError(f"{RESULT} holds no configuration")
    if result.status == "failed":
        return Ended(result, None)  # nothing of its history is used, and it may have failed in writing it
    if not path.is_file():
        raise ValueError(f"no {HISTORY}, though the run {result.status}")
    history = read_columns(path)
    if not len(history["epoch"]):
        raise ValueError(f"{HISTORY} holds no epoch")
    return Ended(result, history)


def _epochs(folder: Path) -> int | None:
    """Return how many epochs Hydra's record of the configuration asks for."""
    text = (folder / HYDRA / "config.yaml").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^epochs: (\d{1,9})$", text, re.MULTILINE)
    return int(found[1]) if found else None
