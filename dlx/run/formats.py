"""Tables in CSV: the format of a run's history, its probes and its evaluations.

Numbers have their shortest exact form, so equal runs write equal bytes. A missing value is an empty cell,
never 0. A damaged table raises ValueError with the file's name.
"""

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dlx.run.documents import shorten
from dlx.run.files import TABLE_LIMIT, append_text, open_regular
from dlx.run.paths import write_atomically

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 100  # of a table
CELLS = 4_000_000  # of a table: 400,000 epochs, or 2 million steps
LINE = 1_000_000  # letters
LARGEST_COUNT = 10**15
ROWS = 1000  # parsed at a time


class TableWriter:
    """Starts a new table with its header, or continues one with `append`, and writes whole lines."""

    def __init__(self, path: Path, columns: Sequence[str], *, append: bool = False) -> None:
        self._path = path
        self._columns = len(columns)
        if not append:
            write_atomically(path, write_lines([columns]).encode(), durable=False)

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows, each as long as the header."""
        rows = list(rows)
        assert all(len(row) == self._columns for row in rows), "a row must have as many values as columns"
        append_text(self._path, write_lines(rows))


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
