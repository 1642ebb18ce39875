"""RequestError for mistakes that a user can fix, suggestions for mistyped names, and storage errors."""

import errno
from collections.abc import Iterable

# The disk is full, the quota used up, the file system read-only, the device broken, access denied, or a path
# taken by something else.
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
    """The request, the configuration or the data is wrong; the message is one line for the user.

    It is raised before any training. `dlx` prints it without a traceback and exits with code 2.
    """


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the name in `allowed` closest to `name`, or "" if none is close."""
    from difflib import get_close_matches  # takes 9 ms, and help needs none

    close = get_close_matches(name, list(allowed), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def list_words(words: Iterable[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def unknown(what: str, given: str, allowed: Iterable[str]) -> RequestError:
    """Build the error for a name that does not exist: what was given, the nearest name, what is allowed."""
    names = sorted(allowed)
    return RequestError(f"{what}: there is no '{given}'{nearest(given, names)} (allowed: {', '.join(names)})")


def is_storage_error(error: BaseException | None) -> bool:
    """Return whether an exception says that writing failed."""
    return isinstance(error, OSError) and error.errno in STORAGE_ERRNOS
