"""The two formats of a run's files: CSV tables and compressed NumPy arrays.

Numbers in tables have their shortest exact form, so equal runs write equal bytes. A missing value is an empty
cell, never 0. A damaged file of either format raises ValueError with the file's name.
"""

import csv
import io
import math
import os
import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

from dlx.run.paths import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# The errors that np.load raised when any single bit of a file was flipped (OSError: another compressor;
# RuntimeError: a password or an unknown method), and for a file with a single unnamed array (TypeError).
DAMAGE = (ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, BadZipFile, zlib.error)


class TableEnd(NamedTuple):
    """Where a table ended when a checkpoint was written."""

    size: int  # bytes
    crc32: int  # of these bytes


class TableWriter:
    """Starts a new table with its header, or continues one, and writes whole lines.

    `end`: cut the table off there and continue. Raises ValueError if what comes before is another table.
    """

    def __init__(self, path: Path, columns: Sequence[str], end: TableEnd | None = None) -> None:
        self._path = path
        self._columns = len(columns)
        if end is None:
            header = _lines([columns]).encode()
            path.write_bytes(header)
            self._end = TableEnd(len(header), zlib.crc32(header))
        else:
            _cut(path, end)
            self._end = end

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows, each as long as the header."""
        rows = list(rows)
        assert all(len(row) == self._columns for row in rows), "a row must have as many values as columns"
        lines = _lines(rows).encode()
        with self._path.open("ab") as file:
            file.write(lines)
        self._end = TableEnd(self._end.size + len(lines), zlib.crc32(lines, self._end.crc32))

    def sync(self) -> TableEnd:
        """Have the disk hold all that was written, and return where the table ends."""
        with self._path.open("ab") as file:
            os.fsync(file.fileno())
        return self._end


def _cut(path: Path, end: TableEnd) -> None:
    try:
        with path.open("r+b") as file:
            content = file.read(end.size)
            if len(content) < end.size or zlib.crc32(content) != end.crc32:
                raise ValueError(f"{path}: is not the file that the checkpoint goes on from")
            file.truncate(end.size)
    except FileNotFoundError as error:
        raise ValueError(f"{path}: is missing, but the checkpoint goes on from it") from error


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    # float.__repr__, because repr() of a NumPy float is "np.float64(0.5)".
    csv.writer(text, lineterminator="\n").writerows(
        ["" if v is None else float.__repr__(v) if isinstance(v, float) else str(v) for v in row]
        for row in rows
    )
    return text.getvalue()


def read_table(
    path: Path, columns: Sequence[str], counts: Collection[str] = (), words: Collection[str] = ()
) -> "pd.DataFrame":
    """Read a table as a frame; see `read_table_columns` for the arguments and the errors."""
    import pandas as pd

    read = read_table_columns(path, columns, counts, words)
    kinds = {name: "int64" if name in counts else "object" if name in words else "float64" for name in read}
    return pd.DataFrame({name: pd.Series(cells, dtype=kinds[name]) for name, cells in read.items()})


def read_table_columns(
    path: Path, columns: Sequence[str], counts: Collection[str] = (), words: Collection[str] = ()
) -> dict[str, list[Any]]:
    """Read a table whose header begins with `columns`; further columns of numbers may follow.

    Columns in `counts` hold integers and those in `words` text; the others hold floats, NaN where missing.
    Raises ValueError, with the file's name, also for damage that pandas would not notice: a last line cut
    short, another header, rows of different lengths, two columns of one name.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"), columns, counts, words)
    except (ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error


def _parse(
    text: str, columns: Sequence[str], counts: Collection[str], words: Collection[str]
) -> dict[str, list[Any]]:
    if not text.endswith("\n"):
        raise ValueError("the last line is cut short" if text else "the file is empty")
    header, *lines = csv.reader(io.StringIO(text))
    if header[: len(columns)] != list(columns):
        raise ValueError(f"the header does not begin with {','.join(columns)}")
    if len(set(header)) < len(header):
        raise ValueError("the header names a column twice")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(f"line {number} has {len(line)} values, the header has {len(header)}")
    cells = zip(*lines, strict=True) if lines else ([] for _ in header)
    return {name: _values(name, column, counts, words) for name, column in zip(header, cells, strict=True)}


def _values(name: str, cells: Sequence[str], counts: Collection[str], words: Collection[str]) -> list[Any]:
    if name in words:
        return list(cells)
    if name in counts:
        return [int(cell) for cell in cells]
    # Python's float, because the parser of pandas 2 sometimes gets the last bit wrong.
    return [float(cell) if cell else math.nan for cell in cells]


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a compressed .npz atomically."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path, names: Sequence[str]) -> "list[NDArray[Any]] | None":
    """Return the arrays called `names`; None if there is no such file.

    Raises ValueError, with the file's name, if it is not an .npz, lacks an array, or fails zip's checksums.
    """
    import numpy as np

    if not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return [file[name] for name in names]
    except DAMAGE as error:
        raise ValueError(f"{path}: {error}") from error
