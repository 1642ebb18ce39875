"""The exception for what a user can put right, the nearest name to a mistyped one, and failed storage."""

import errno
from collections.abc import Iterable

# The disk is full, the quota is used up, the file system is read-only, the device is broken, the folder is
# not ours or is not a folder.
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


class RequestError(ValueError):
    """The request, the configuration or the data is wrong; one line says what, where and what is allowed.

    `dlx` prints the message without a traceback and exits with code 2. It is raised before any training.
    """


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the name in `allowed` closest to `name`, or "" if none is close."""
    from difflib import get_close_matches  # takes 9 ms, and help needs none

    close = get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(what: str, given: str, allowed: Iterable[str]) -> RequestError:
    """Build the error for a name that does not exist: what was given, the nearest name, what is allowed."""
    names = sorted(allowed)
    return RequestError(f"{what}: there is no '{given}'{nearest(given, names)} (allowed: {', '.join(names)})")


def is_storage_error(error: BaseException | None) -> bool:
    """Return whether an exception says that writing failed."""
    return isinstance(error, OSError) and error.errno in STORAGE_ERRNOS
