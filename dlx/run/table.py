"""A run's CSV tables, both ways: numbers in their shortest exact form, so that equal runs have equal bytes.

A missing value is an empty cell, never 0.
"""

import csv
import io
import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class TableWriter:
    """Writes the header of a new table at once, then appends rows, each flushed as a whole line.

    With `append`, the table is there already, with these columns.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, append: bool = False) -> None:
        self._path = path
        self._columns = len(columns)
        if not append:
            path.write_text(_lines([columns]), newline="", encoding="utf-8")

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows, each as long as the header."""
        rows = list(rows)
        assert all(len(row) == self._columns for row in rows), "a row has as many values as there are columns"
        with self._path.open("a", newline="", encoding="utf-8") as file:
            file.write(_lines(rows))


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    # float.__repr__: repr() of a NumPy float is "np.float64(0.5)", which no reader takes for a number.
    csv.writer(text, lineterminator="\n").writerows(
        ["" if v is None else float.__repr__(v) if isinstance(v, float) else str(v) for v in row]
        for row in rows
    )
    return text.getvalue()


def read_table(
    path: Path, columns: Sequence[str], counts: Collection[str] = (), words: Collection[str] = ()
) -> "pd.DataFrame":
    """Read a table into a frame; see `read_columns`, whose ValueError it raises."""
    import pandas as pd

    read = read_columns(path, columns, counts, words)
    kinds = {name: "int64" if name in counts else "object" if name in words else "float64" for name in read}
    return pd.DataFrame({name: pd.Series(cells, dtype=kinds[name]) for name, cells in read.items()})


def read_columns(
    path: Path, columns: Sequence[str], counts: Collection[str] = (), words: Collection[str] = ()
) -> dict[str, list[Any]]:
    """Read a table whose header begins with `columns`; numbers of other names may follow.

    `counts` are whole numbers, `words` are text, all others floats, NaN where missing. Raises ValueError,
    with the file's name, for what pandas would read without complaint: a last line cut short, another
    header, a row of another width, a name that two columns have.
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
    # Python's float, since the parser of numbers in pandas 2 is off by the last bit now and then.
    return [float(cell) if cell else math.nan for cell in cells]
