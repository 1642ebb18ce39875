"""Keeps the traceback of an error that dlx did not expect, so that the user sees one line."""

import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

NAME = "crash.log"


def keep_traceback(error: BaseException, words: Sequence[str]) -> Path | None:
    """Write the command and the traceback into the cache, or into the system's folder for temporary files.

    Returns the file, which replaces an earlier one; None if neither folder can be written to.
    """
    from dlx import __version__
    from dlx.run.paths import cache_root, write_atomically

    lines = [
        f"dlx {__version__}, Python {sys.version.split()[0]}",
        shlex.join(["dlx", *words]),
        *(line.rstrip("\n") for line in traceback.format_exception(error)),
    ]
    content = ("\n".join(lines) + "\n").encode(errors="backslashreplace")
    for folder in (cache_root(), Path(tempfile.gettempdir()) / "dlx"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / NAME, content)
        except OSError:
            continue
        return folder / NAME
    return None
