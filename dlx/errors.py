"""RequestError for mistakes that a user can fix, suggestions for mistyped names, and storage errors."""

import errno
from collections.abc import Iterable

# What the file system says when nothing can be written, and what the user can do about it. ENOENT is missing:
# it may be about a file that the user's own module reads.
_FULL = "Make room, then give the same command again."
_DENIED = "Make it writable, or choose another folder, then give the same command again."
_TAKEN = "Something else is in the way; move it, then give the same command again."
_GONE = "It was removed or disconnected meanwhile; give the same command again."
_LIMIT = "Raise the limit on open files (ulimit -n), then give the same command again."
STORAGE_ERRNOS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), then give the same command again.",
    errno.EROFS: _DENIED,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: "The disk or the connection to it is faulty.",
    errno.ENXIO: _GONE,
    errno.ENODEV: _GONE,
    errno.ESTALE: _GONE,
    errno.ENOTDIR: _TAKEN,
    errno.EEXIST: _TAKEN,
    errno.EISDIR: _TAKEN,
    errno.ENOTEMPTY: _TAKEN,
    errno.ETXTBSY: _TAKEN,
    errno.EBUSY: _TAKEN,
    errno.ELOOP: _TAKEN,
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EMFILE: _LIMIT,
    errno.ENFILE: _LIMIT,
    errno.ENOLCK: "The file system has no locks; choose a folder on another one.",
}
NO_MEMORY = ("can't allocate memory", "out of memory", "Cannot allocate memory", "can't start new thread")
QUOTED = 200  # letters of the user's own text in a message


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


def quote(text: str) -> str:
    """Return the user's own text for a message: at most QUOTED letters, cut in the middle."""
    if len(text) <= QUOTED:
        return text
    half = (QUOTED - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def is_storage_error(error: BaseException | None) -> bool:
    """Return whether an exception says that writing failed."""
    return isinstance(error, OSError) and error.errno in STORAGE_ERRNOS


def describe_storage_error(error: OSError) -> str:
    """Say what failed, for which file, and what to do: "No space left on device: a/b. Make room, ..."."""
    files = " -> ".join(quote(str(name)) for name in (error.filename, error.filename2) if name is not None)
    advice = STORAGE_ERRNOS.get(error.errno or 0, _GONE)
    return f"{error.strerror or error}{f': {files}' if files else ''}. {advice}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that no memory was left; torch raises a RuntimeError for it."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    said = isinstance(error, RuntimeError | ImportError) and any(each in str(error) for each in NO_MEMORY)
    return isinstance(error, MemoryError) or said
