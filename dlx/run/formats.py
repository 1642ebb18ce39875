"""Tables in CSV: the format of a run's history, its probes and its evaluations.

Numbers have their shortest exact form, so equal runs write equal bytes. A missing value is an empty cell,
never 0. A damaged table raises ValueError with the file's name.
"""

import csv
import io
import math
import os
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from dlx.run.documents import shorten
from dlx.run.files import TABLE_LIMIT, open_regular, open_to_append, read_bytes
from dlx.run.paths import write_atomically

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 100  # of a table
CELLS = 4_000_000  # of a table: 400,000 epochs, or 2 million steps
LINE = 1_000_000  # letters
LARGEST_COUNT = 10**15
ROWS = 1000  # parsed at a time


class TableEnd(NamedTuple):
    """Where a table ended when a checkpoint was written."""

    size: int  # bytes
    crc32: int  # of these bytes


class TableWriter:
    """Starts a new table with its header, or continues one, and writes whole lines.

    `end`: cut the table off there and continue. Raises ValueError if what comes before is another table.
    `pause`: rows that come sooner than these seconds after others wait, until a later one or `flush`.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], end: TableEnd | None = None, pause: float = 0.0
    ) -> None:
        self._path, self._pause = path, pause
        self._columns = len(columns)
        self._waiting: list[bytes] = []
        self._written = -math.inf  # by time.monotonic()
        if end is None:
            header = write_lines([columns]).encode()
            write_atomically(path, header, durable=False)
            self._end = TableEnd(len(header), zlib.crc32(header))
        else:
            _cut(path, end)
            self._end = end

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows, each as long as the header."""
        rows = list(rows)
        assert all(len(row) == self._columns for row in rows), "a row must have as many values as columns"
        lines = write_lines(rows).encode()
        self._end = TableEnd(self._end.size + len(lines), zlib.crc32(lines, self._end.crc32))
        self._waiting.append(lines)
        if time.monotonic() - self._written >= self._pause:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if not self._waiting:
            return
        with open_to_append(self._path) as file:
            file.write(b"".join(self._waiting))
        self._waiting = []
        self._written = time.monotonic()

    def sync(self) -> TableEnd:
        """Have the disk hold all rows, and return where the table ends."""
        self.flush()
        with open_to_append(self._path) as file:
            os.fsync(file.fileno())
        return self._end


def _cut(path: Path, end: TableEnd) -> None:
    try:
        content = read_bytes(path, TABLE_LIMIT)[: end.size]
    except FileNotFoundError as error:
        raise ValueError(f"{path}: is missing, but the checkpoint goes on from it") from error
    if len(content) < end.size or zlib.crc32(content) != end.crc32:
        raise ValueError(f"{path}: is not the file that the checkpoint goes on from")
    os.truncate(path, end.size)


def write_lines(rows: Iterable[Sequence[object]]) -> str:
    """Write the lines of a table."""
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
    path: Path,
    columns: Sequence[str],
    counts: Collection[str] = (),
    words: Collection[str] = (),
    *,
    cut: bool = False,
) -> dict[str, list[Any]]:
    """Read a table whose header begins with `columns`; further columns of numbers may follow.

    Columns in `counts` hold integers and those in `words` text; the others hold floats, NaN where missing.
    `cut`: leave out a last line that is cut short; a header that is gives {}.
    Raises FileNotFoundError if there is none, and ValueError, with the file's name, also for damage that
    pandas would not notice: a last line cut short, another header, rows of different lengths, two columns of
    one name.
    """
    with io.TextIOWrapper(open_regular(path, TABLE_LIMIT), "utf-8") as file:
        try:
            return _parse(csv.reader(_whole_lines(file, cut)), columns, counts, words, cut)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}: {shorten(error)}") from error


def _whole_lines(file: TextIO, cut: bool) -> Iterator[str]:
    while line := file.readline(LINE):
        if line.endswith("\n"):
            yield line
        elif len(line) == LINE:
            raise ValueError(f"a line has {LINE:,} letters or more")
        elif not cut:
            raise ValueError("the last line is cut short")


def _parse(
    lines: Iterator[list[str]],
    columns: Sequence[str],
    counts: Collection[str],
    words: Collection[str],
    cut: bool,
) -> dict[str, list[Any]]:
    header = next(lines, [])
    if not header:
        if cut:
            return {}
        raise ValueError("the file is empty")
    if header[: len(columns)] != list(columns):
        raise ValueError(f"the header does not begin with {','.join(columns)}")
    if len(set(header)) < len(header) or len(header) > COLUMNS:
        named = f"more than {COLUMNS} columns" if len(header) > COLUMNS else "a column twice"
        raise ValueError(f"the header names {named}")
    table: dict[str, list[Any]] = {name: [] for name in header}
    first = 2  # the line of the next row
    while rows := list(islice(lines, ROWS)):
        for number, row in enumerate(rows, start=first):
            if len(row) != len(header):
                raise ValueError(f"line {number} has {len(row)} values, the header has {len(header)}")
        first += len(rows)
        if first * len(header) > CELLS:
            raise ValueError(f"more than {CELLS:,} values")
        for name, cells in zip(header, zip(*rows, strict=True), strict=True):
            table[name] += _values(name, cells, counts, words)
    return table


def _values(
    name: str, cells: Sequence[str], counts: Collection[str], words: Collection[str]
) -> Sequence[Any]:
    if name in words:
        return cells
    if name not in counts:
        # Python's float, because the parser of pandas 2 sometimes gets the last bit wrong.
        return [float(cell) if cell else math.nan for cell in cells]
    read = [int(cell) for cell in cells]
    if not 0 <= min(read) <= max(read) <= LARGEST_COUNT:
        raise ValueError(f"{name} has a value that is not between 0 and {LARGEST_COUNT:,}")
    return read
