"""Reads a CSV of somebody else as columns of text: any delimiter, any line ends, a limited size."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dlx.errors import RequestError
from dlx.importers.foreign_run import read_number
from dlx.run.documents import shorten
from dlx.run.files import TABLE_LIMIT, read_bytes

COLUMNS = 1000  # of a table: a search may log hundreds of settings
CELLS = 4_000_000
DELIMITERS = ",;\t|"
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?%?")
DECIMAL_POINT = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?%?")
MISSING = ("", "nan", "inf", "-inf", "none", "null", "-")  # among numbers, in lower case


@dataclass(frozen=True)
class TextTable:
    """The cells of a table by column, all columns of equal length; `path`: the file."""

    path: Path
    columns: dict[str, list[str]]

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()), []))

    def numeric(self, name: str) -> bool:
        """Return whether a column holds numbers and missing values only, and at least one number."""
        cells = [cell for cell in self.columns[name] if cell.strip()]
        return bool(cells) and all(is_number(cell) or _is_missing(cell) for cell in cells)

    def select(self, rows: Sequence[int]) -> "TextTable":
        """Return some of the rows."""
        return TextTable(
            self.path, {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        )


def is_number(cell: str) -> bool:
    """Return whether a cell holds a finite number or "nan"."""
    return read_number(cell) == read_number(cell)


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def read_text_table(path: Path) -> TextTable:
    """Read a CSV file whose first line names the columns.

    Raises RequestError in one line for anything else, and for more than CELLS values.
    """
    try:
        text = read_bytes(path, TABLE_LIMIT).decode("utf-8-sig")
        delimiter = _delimiter(text)
        columns = _columns(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        return TextTable(path, columns if delimiter == "," else _with_decimal_points(columns))
    except FileNotFoundError:
        raise RequestError(f"there is no file '{path}'") from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not a table in UTF-8: {shorten(error)}") from error
    except (ValueError, csv.Error) as error:
        said = shorten(error).removeprefix(f"{path}: ")
        raise RequestError(f"{path}: cannot be read as a table: {said}") from error


def _delimiter(text: str) -> str:
    """Return the delimiter that the first line has most of."""
    first = text[: text.find("\n") if "\n" in text else None]
    return max(DELIMITERS, key=first.count)


def _columns(lines: Iterator[list[str]]) -> dict[str, list[str]]:
    header = [name.strip() for name in next(lines, [])]
    if not header:
        raise ValueError("the file is empty")
    if len(header) > COLUMNS:
        raise ValueError(f"more than {COLUMNS} columns")
    if not header[0]:
        header[0] = "index"  # as pandas writes its index
    if twice := {name for name in header if header.count(name) > 1 or not name}:
        named = shorten(min(twice))
        raise ValueError(f"two columns are called '{named}'" if named else "a column has no name")
    rows = []
    for number, row in enumerate(islice(lines, CELLS // len(header) + 1), start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} values, the header has {len(header)}")
        rows.append(row)
    if len(rows) * len(header) > CELLS:
        raise ValueError(f"more than {CELLS:,} values")
    if not rows:
        raise ValueError("it has no row below the header")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def _with_decimal_points(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Write "0,912" as "0.912", as spreadsheets of many countries need it.

    If any cell has a decimal point, commas mean something else, for example a list of widths.
    """
    if any(DECIMAL_POINT.fullmatch(cell.strip()) for cells in columns.values() for cell in cells):
        return columns
    return {
        name: [cell.replace(",", ".") for cell in cells] if _has_decimal_commas(cells) else cells
        for name, cells in columns.items()
    }


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    """Return whether a column holds numbers only, and one of them has a decimal comma."""
    commas = [bool(DECIMAL_COMMA.fullmatch(cell.strip())) for cell in cells]
    return any(commas) and all(
        comma or is_number(cell) or _is_missing(cell) for comma, cell in zip(commas, cells, strict=True)
    )
