"""A lock that one process holds. The kernel releases it when its holder dies, on whichever machine that was.

The lock is flock's, on a file that its holder removes when it lets go, so that nothing is left behind.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Literal

# What flock says on a file system that has no locks.
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
OPEN = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
A_LOOK = 0.01  # seconds after which a lock is tried again: somebody may just have looked whether it is held
WAIT = 0.05  # seconds between two tries of who waits


class Lock:
    """The lock of the file `path`. `supported` is False after a try on a file system that has no locks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.supported = True

    def acquire(self) -> bool:
        """Take the lock and return True, as where there are no locks; return False if somebody holds it."""
        for pause in (A_LOOK, 0.0):
            taken = self._try()
            if taken is not None:
                return taken
            time.sleep(pause)
        return False

    def _try(self) -> bool | None:
        """Return True for a lock that was taken; None if somebody has it."""
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | OPEN, 0o644)
            state = _flock(descriptor, exclusive=True)
            if state == "free" and not _is_at(descriptor, self._path):
                os.close(descriptor)  # its last holder has removed the file meanwhile
                continue
            if state == "held":
                os.close(descriptor)
                return None
            self._descriptor, self.supported = descriptor, state == "free"
            return True

    def release(self) -> None:
        """Remove the file and let go of the lock."""
        if self._descriptor is None:
            return
        try:
            if _is_at(self._descriptor, self._path):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Hold the lock; wait until it is free."""
        while not self.acquire():
            time.sleep(WAIT)
        try:
            yield
        finally:
            self.release()


def is_held(path: Path) -> bool | None:
    """Say whether somebody holds the lock of a file, without changing any; None where there are no locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | OPEN)
    except FileNotFoundError:
        return False
    try:
        state = _flock(descriptor, exclusive=False)
        return None if state == "unsupported" else state == "held"
    finally:
        os.close(descriptor)


def _flock(descriptor: int, *, exclusive: bool) -> Literal["free", "held", "unsupported"]:
    """Try to take flock's lock; it is released when the descriptor is closed."""
    fcntl = _fcntl()
    if fcntl is None:
        return "unsupported"
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return "held"
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return "unsupported"
    return "free"


def _fcntl() -> ModuleType | None:
    with suppress(ImportError):
        import fcntl

        return fcntl
    return None


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file still has this name."""
    try:
        there, own = path.stat(follow_symlinks=False), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)
