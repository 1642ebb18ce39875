"""A run's CSV tables, both ways: numbers in their shortest exact form, so that equal runs have equal bytes.

A missing value is an empty cell, never 0.
"""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Read a table whose header begins with `columns`; numbers of other names may follow.

    `counts` are whole numbers, `words` are text, all others floats, NaN where missing. Raises ValueError,
    with the file's name, for what pandas would read without complaint: a last line cut short, another
    header, a row of another width.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"), columns, counts, words)
    except (ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error


def _parse(
    text: str, columns: Sequence[str], counts: Collection[str], words: Collection[str]
) -> "pd.DataFrame":
    import pandas as pd

    if not text.endswith("\n"):
        raise ValueError("the last line is cut short")
    header, *lines = csv.reader(io.StringIO(text))
    if header[: len(columns)] != list(columns):
        raise ValueError(f"the header does not begin with {','.join(columns)}")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(f"line {number} has {len(line)} values, the header has {len(header)}")
    frame = pd.DataFrame(index=range(len(lines)))
    for place, name in enumerate(header):
        cells = [line[place] for line in lines]
        if name in words:
            frame[name] = pd.Series(cells, dtype="object")
        elif name in counts:
            frame[name] = pd.Series([int(cell) for cell in cells], dtype="int64")
        else:  # Python's float, since the parser of numbers in pandas 2 is off by the last bit now and then
            frame[name] = pd.Series([float(cell or "nan") for cell in cells], dtype="float64")
    return frame
