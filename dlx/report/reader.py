"""Reads the folder of a run in any state; a file that has not changed on disk is not read again."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.run.files import YAML_LIMIT, read_text
from dlx.run.history import read_columns, read_last
from dlx.run.paths import HISTORY, HYDRA, RESULT
from dlx.run.result import Result, read_result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    History = dict[str, NDArray[Any]]

SILENT = 120.0  # seconds without a new epoch, after which a run counts as interrupted
SILENT_EPOCHS = 5  # or the time of this many epochs, if that is longer
Stamp = tuple[tuple[int, int, int] | None, ...]  # for each file: modification time, bytes, inode


@dataclass(frozen=True)
class Ended:
    """A run that has a result; `history` by column, None for a failed run."""

    result: Result
    history: "History | None"


@dataclass(frozen=True)
class Unended:
    """A run without a result: its last complete row, its planned epochs, and when it last wrote."""

    row: dict[str, float]
    epochs: int | None
    written: float  # seconds since 1970

    def silent(self, now: float) -> float:
        """Return the seconds since anything was written."""
        return max(0.0, now - self.written)

    def running(self, now: float) -> bool:
        """Return whether a new epoch can still be expected."""
        pace = self.row["time"] / max(1.0, self.row["epoch"])
        return self.silent(now) < max(SILENT, SILENT_EPOCHS * (pace if math.isfinite(pace) else 0.0))


class Reader:
    """Reads runs and remembers them, so that watching a study does not parse 2000 ended runs every time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.parsed = 0  # folders read; a changed one counts again
        self._known: dict[Path, tuple[Stamp, Ended | Unended | str]] = {}

    def read(self, folder: Path) -> Ended | Unended:
        """Return the state of the run in `folder`; raises ValueError with the reason if it cannot be read."""
        stamp = tuple(_stamp(folder / name) for name in (RESULT, HISTORY))
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            state: Ended | Unended | str
            try:
                state = _read(folder)
            except ValueError as error:
                state = str(error).replace(f"{folder}/", "")
            except OSError as error:
                state = write_error(error, folder)
            known = self._known[folder] = (stamp, state)
            self.parsed += 1
        if isinstance(known[1], str):
            raise ValueError(known[1])  # noqa: TRY004 (a remembered reason)
        return known[1]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.lstat()
    except OSError:  # reading it gives the reason
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def write_error(error: OSError, folder: Path) -> str:
    """Write which file or folder below `folder` cannot be read, and why."""
    name = Path(str(error.filename)).name if error.filename else folder.name
    return f"{name} cannot be read: {error.strerror or error}"


def _read(folder: Path) -> Ended | Unended:
    result = read_result(folder)
    path = folder / HISTORY
    if result is None:
        try:
            return Unended(read_last(path), _epochs(folder), path.lstat().st_mtime)
        except FileNotFoundError as error:
            raise ValueError(f"no {RESULT} and no {HISTORY}: not started, or interrupted") from error
    if not result.config:
        raise ValueError(f"{RESULT} holds no configuration")
    if result.status == "failed":
        return Ended(result, None)  # its history is not used, and writing it may be what failed
    try:
        history = read_columns(path)
    except FileNotFoundError as error:
        raise ValueError(f"no {HISTORY}, though the run {result.status}") from error
    if not len(history["epoch"]):
        raise ValueError(f"{HISTORY} holds no epoch")
    last = len(history["epoch"]) - 1
    if result.last.get("epoch", last) != last:
        raise ValueError(f"{HISTORY} ends with epoch {last}, but {RESULT} with {result.last['epoch']}")
    return Ended(result, history)


def _epochs(folder: Path) -> int | None:
    """Return the number of epochs in the recorded configuration, None if there is none that can be read."""
    try:
        text = read_text(folder / HYDRA / "config.yaml", YAML_LIMIT)
    except (OSError, ValueError):
        return None
    found = re.search(r"^epochs: (\d{1,9})$", text, re.MULTILINE)
    return int(found[1]) if found else None
