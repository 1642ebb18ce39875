"""A command's standard output and error: closed, without a reader, or unable to hold every letter."""

import errno
import io
import os
import stat
import sys
from typing import Any, TextIO

GONE = (errno.EPIPE, errno.EIO)  # writing to a pipe whose reader has ended, and to a terminal that was closed


class _Stream(io.FileIO):
    """Writes to a descriptor. Once nobody reads it (`dlx train | head`), drops the rest; the work goes on."""

    def write(self, data: Any, /) -> int:
        """Write the bytes. Raises OSError, with the stream's name, if the file behind it cannot hold them."""
        try:
            return super().write(data) or 0  # 0 is tried again: a full pipe that does not wait
        except OSError as error:
            has_reader = stat.S_ISREG(os.fstat(self.fileno()).st_mode)
            _lead_nowhere(self.fileno())  # else the interpreter would try again when it exits
            if error.errno in GONE and not has_reader:
                return len(memoryview(data))
            where = "standard output" if self.fileno() == 1 else "standard error"
            raise OSError(error.errno, error.strerror, where) from error


def take_over() -> None:
    """Replace sys.stdout and sys.stderr by streams that never end a command because of who reads them.

    Letters that the encoding lacks become "?" on standard output, such as "±" where there is only ASCII.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed; otherwise the next file to be opened would get its number
            _lead_nowhere(descriptor)
    sys.stdout = _stream(1, sys.stdout, "replace")
    sys.stderr = _stream(2, sys.stderr, "backslashreplace")


def wrapped(line: str, stream: TextIO) -> str:
    """Break a line between its words if `stream` is a terminal, which would break it within them.

    Paths and settings stay whole, so that they can be copied. A pipe gets one line.
    """
    if not stream.isatty():
        return line
    import shutil
    import textwrap

    columns = shutil.get_terminal_size().columns
    return textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)


def _stream(descriptor: int, before: TextIO | None, errors: str) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(descriptor, "w", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors=errors,
        line_buffering=descriptor == 2 or os.isatty(descriptor),
        write_through=bool(getattr(before, "write_through", False)),
    )


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
