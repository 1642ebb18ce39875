"""Who trains which cohort of a study: a lock for each in `.study/held/`, and a note of who has it since when.

The lock counts; the note is for people to read. Both are gone once the cohort has been let go.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dlx.run.documents import read_json
from dlx.run.files import STUDY_LIMIT
from dlx.run.paths import naming
from dlx.study.lock import Lock, is_held

YEARS = 1970, 9998  # a note may hold any date; the first and last ones do not exist in every time zone


@dataclass(frozen=True)
class Holder:
    """The process that trains a cohort."""

    pid: int
    host: str
    since: datetime


class Held:
    """The folder of the locks; cohorts are named by their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Hold a cohort without a note of it, and give True; give False if another process holds it."""
        self._folder.mkdir(exist_ok=True)
        lock = Lock(self._lock(key))
        mine = lock.acquire()
        try:
            yield mine
        finally:
            lock.release()

    @contextmanager
    def note(self, key: str) -> Iterator[None]:
        """Leave a note of this process while it holds a cohort."""
        path = self._note(key)
        path.unlink(missing_ok=True)  # a dead holder's, or a link
        me = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            with naming(path), path.open("x", encoding="utf-8") as file:
                json.dump(me, file)
            yield
        finally:
            path.unlink(missing_ok=True)

    def is_held(self, key: str) -> bool:
        """Say whether a process holds the cohort at the moment, on any machine."""
        held = is_held(self._lock(key))
        if held is not None:
            return held
        holder = self.holder(key)  # without locks, the note is the next best
        return holder is not None and (holder.host != platform.node() or _is_alive(holder.pid))

    def holder(self, key: str) -> Holder | None:
        """Return who noted last that it holds the cohort; `is_held` knows whether it still does."""
        try:
            content = read_json(self._note(key), STUDY_LIMIT)
            since = datetime.fromisoformat(content["since"]).astimezone(UTC)
            if not YEARS[0] <= since.year <= YEARS[1]:
                return None
            return Holder(int(content["pid"]), str(content["host"]), since)
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def tidy(self) -> None:
        """Remove what dead processes have left."""
        for key in {path.stem for path in self._folder.glob("*")}:
            lock = Lock(self._lock(key))
            if lock.acquire():
                self._note(key).unlink(missing_ok=True)
                lock.release()

    def _lock(self, key: str) -> Path:
        return self._folder / f"{key}.lock"

    def _note(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has a number of 20 digits
        return False
    except PermissionError:  # somebody else's
        return True
    return True
