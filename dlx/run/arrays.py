"""A run's .npz files, both ways: written whole or not at all, every damage one ValueError with the name."""

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dlx.run.paths import write_atomically


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a compressed .npz, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path, names: Sequence[str]) -> list[NDArray[Any]] | None:
    """Return the arrays called `names`; None if there is no such file.

    Raises ValueError, with the file's name, if it is no .npz, lacks one of them, or a bit has flipped
    (zip's checksums see it).
    """
    if not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return [file[name] for name in names]
    except _DAMAGE as error:
        raise ValueError(f"{path}: {error}") from error


# What every single flipped bit of a file raised (an OSError is another compressor's, a RuntimeError a
# password's or an unknown method's), and what a file of one bare array does (no context manager: TypeError).
_DAMAGE = (ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, BadZipFile, zlib.error)
