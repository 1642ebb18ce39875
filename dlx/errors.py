"""RequestError for mistakes that a user can fix, suggestions for mistyped names, and storage errors."""

import errno
import os
import re
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
NO_MEMORY = (
    *("can't allocate memory", "out of memory", "Cannot allocate memory", "can't start new thread"),
    "failed to map segment from shared object",  # a library that is loaded
)

# What of a message may be the user's own text: in quotes or brackets, or without a space.
PIECE = re.compile(r"(?<!\w)'.*?'(?!\w)|(?<!\w)\".*?\"(?!\w)|\[.*?\]|\{.*?\}|\S+", re.DOTALL)
SHORT, MOST_QUOTED, LONGEST_MESSAGE = 60, 200, 600  # characters
MOST_NAMES = 40  # listed as allowed; the configuration has 30 keys
LONGEST_READ = 5000  # of a message, before it is taken to pieces


class RequestError(ValueError):
    """The request, the configuration or the data is wrong; the message is one line for the user.

    It is raised before any training. `dlx` prints it without a traceback and exits with code 2.
    """

    def __init__(self, message: object) -> None:
        super().__init__(shorten_quotes(str(message)))

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for it in a notebook: the line, without the frames of dlx and Hydra."""
        return in_one_line(self)


def in_one_line(error: BaseException) -> list[str]:
    """Return what a notebook prints for an error whose message says it all.

    Raises NotImplementedError if HYDRA_FULL_ERROR=1: IPython then prints the traceback.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise NotImplementedError
    return [f"{type(error).__name__}: {error}"]


def shorten_quotes(message: str) -> str:
    """Return a message with at most 200 characters of long names, paths and values, cut in their middle.

    Pieces up to 60 characters stay as they are, and the whole gets no longer than 600.
    """
    message = _cut(message, LONGEST_READ)
    long = [piece for piece in PIECE.findall(message) if len(piece) > SHORT]
    most = max(SHORT, MOST_QUOTED // max(1, len(long)))
    short = PIECE.sub(lambda piece: _cut(piece[0], most) if len(piece[0]) > SHORT else piece[0], message)
    return _cut(short, LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    """Cut a text to `most` characters with an ellipsis in the middle."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}\N{HORIZONTAL ELLIPSIS}{text[-end:]}"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the name in `allowed` closest to `name`, or "" if none is close."""
    from difflib import get_close_matches  # takes 9 ms, and help needs none

    by_lower = {each.lower(): each for each in allowed}
    by_initials = {"".join(word[:1] for word in each.split("_")): each for each in by_lower if "_" in each}
    close = get_close_matches(name.lower(), by_lower, n=1)
    found = close[0] if close else by_initials.get(name.lower(), "")  # mse: mean_squared_error
    return f"; did you mean '{by_lower[found]}'?" if found else ""


def list_words(words: Iterable[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def unknown(what: str, given: str, allowed: Iterable[str]) -> RequestError:
    """Build the error for a name that does not exist: what was given, the nearest name, what is allowed."""
    names = sorted(allowed)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    listed = ", ".join(names[:MOST_NAMES]) + more
    return RequestError(f"{what}: there is no '{given}'{nearest(given, names)} (allowed: {listed})")


def is_storage_error(error: BaseException | None) -> bool:
    """Return whether an exception says that writing failed."""
    return isinstance(error, OSError) and error.errno in STORAGE_ERRNOS


def describe_storage_error(error: OSError) -> str:
    """Say what failed, for which file, and what to do: "No space left on device: a/b. Make room, ..."."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    files = shorten_quotes(" -> ".join(names))
    advice = STORAGE_ERRNOS.get(error.errno or 0, _GONE)
    return f"{error.strerror or error}{f': {files}' if files else ''}. {advice}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that no memory was left; torch raises a RuntimeError for it."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    said = isinstance(error, RuntimeError | ImportError) and any(each in str(error) for each in NO_MEMORY)
    return isinstance(error, MemoryError) or said


def describe_failure(error: Exception) -> str:
    """Return in one line what ended a run."""
    if is_out_of_memory(error):
        return "no memory was left; a smaller batch_size, launcher.memory or launcher.processes needs less"
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
