"""Makes the Nth change that a process makes to its files fail, or kills the process there.

A change is to open a file for writing, to write, to sync, to rename, to remove, or to make a folder. Python
tells of most of them before it makes them (audit events); what is written goes through our own file object.
"""

import builtins
import errno
import io
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = {"os.mkdir": "make", "os.rename": "rename", "os.remove": "remove", "os.rmdir": "remove"}
NEEDS_ROOM = ("open", "write", "sync", "make")


@dataclass(frozen=True)
class Fault:
    """What happens at the change number `at`, counted from 1.

    `kind`: "kill", or the name of an error. A full disk (ENOSPC) and a read-only one (EROFS) stay so; others
    are over with that change. On a full disk, files can still be removed and renamed.
    """

    kind: str
    at: int

    def hits(self, number: int, change: str) -> bool:
        """Say whether this change fails."""
        if self.kind == "ENOSPC":
            return number >= self.at and change in NEEDS_ROOM
        return number >= self.at if self.kind == "EROFS" else number == self.at


class Injector:
    """Counts the changes below `root` in this process, and makes the fault happen."""

    def __init__(self, fault: Fault, root: Path, log: Path) -> None:
        self._fault, self._root = fault, str(root)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT, 0o644)
        self.count = 0
        self._lock = threading.Lock()
        self._file, self._open = _faulty_file(self), io.open

    def install(self) -> None:
        """Watch this process from here on."""
        builtins.open = io.open = self._open_watched  # type: ignore[assignment]
        os.fsync = self._watch_fsync(os.fsync)
        sys.addaudithook(self._audit)

    def change(self, change: str, path: object, before: object = None) -> None:
        """Count a change to `path`; raise or kill if the fault is due, after calling `before`."""
        if not str(path).startswith(self._root):
            return
        with self._lock:
            self.count += 1
            due = self._fault.hits(self.count, change)
        if not due:
            return
        os.pwrite(self._log, f"{change} {str(path).removeprefix(self._root)[1:]}".encode(), 0)
        if callable(before):
            before()
        if self._fault.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self._fault.kind)
        raise OSError(number, os.strerror(number), None if change in ("write", "sync") else str(path))

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
            self.change("open", _absolute(arguments[0]))
        elif event in EVENTS:
            self.change(EVENTS[event], _absolute(arguments[0]))

    def _watch_fsync(self, fsync):
        def watched(descriptor):
            self.change("sync", _name(descriptor))
            fsync(descriptor)

        return watched

    def _open_watched(
        self,
        file,
        mode="r",
        buffering=-1,
        encoding=None,
        errors=None,
        newline=None,
        closefd=True,
        opener=None,
    ):
        if not set(mode) & set("wax+") or buffering == 0:
            return self._open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = self._file(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)


def _faulty_file(injector):
    class FaultyFile(io.FileIO):
        """A file on which half of what is written arrives before the fault."""

        def write(self, data):
            half = bytes(data)[: len(data) // 2]
            injector.change("write", _name(self.fileno()), lambda: os.write(self.fileno(), half))
            return super().write(data)

    return FaultyFile


def _name(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _absolute(path: object) -> str:
    return str(Path(os.fsdecode(path)).absolute()) if isinstance(path, str | bytes | os.PathLike) else ""
