"""RequestError for mistakes that a user can fix, suggestions for mistyped names, and storage errors."""

import errno
import re
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
