"""The one exception for what a user can put right, and the nearest name to what was mistyped."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class RequestError(ValueError):
    """The request, the configuration or the data is wrong; one line says what, where and what is allowed.

    `dlx` prints the message without a traceback and exits with code 2. It is raised before any training.
    """


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the name in `allowed` closest to `name`, or "" if none is close."""
    close = get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(what: str, given: str, allowed: Iterable[str]) -> RequestError:
    """Build the error for a name that does not exist: what was given, what is allowed, the nearest."""
    names = sorted(allowed)
    return RequestError(f"{what}: there is no '{given}'{nearest(given, names)} (allowed: {', '.join(names)})")


class StorageError(Exception):
    """Writing failed (disk full, read-only); `dlx` prints the line and exits with code 4."""


# The disk is full, the quota used up, the file system read-only, the device broken, the folder not ours
# or no folder.
STORAGE_ERRNOS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
)


def is_storage_error(error: BaseException | None) -> bool:
    """Return whether an exception says that writing failed."""
    return isinstance(error, StorageError) or (isinstance(error, OSError) and error.errno in STORAGE_ERRNOS)
