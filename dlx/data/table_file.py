"""Reads a CSV or Parquet file as columns, and says what each holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.data.huggingface_files import is_saved_dataset
from dlx.data.source import wrong_file
from dlx.device import check_memory

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # texts that a description names
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data")
PACKED = (".gz", ".bz2", ".xz", ".zip")
PARQUET_ENDINGS = (".parquet", ".pq")
SEPARATORS = ",;\t|"
NUMBER = r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?"
DECIMAL_COMMA = r"[-+]?\d+(,\d+)?"
DATE = r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T]\d.*)?"


def read_frame(file: Path) -> "pd.DataFrame":
    """Read a table as it is. Raises RequestError if it is none."""
    import pandas as pd  # took 0.9 s, and other data sets need none

    endings = [ending.lower() for ending in file.suffixes]
    kind = endings[-2] if len(endings) > 1 and endings[-1] in PACKED else endings[-1] if endings else ""
    if file.is_dir():
        saved = " with a data set of Hugging Face; use data=huggingface"
        raise wrong_file(
            file,
            f"is a folder{saved if is_saved_dataset(file) else ', not a table; give a CSV or Parquet file'}",
        )
    if kind not in (*TEXT_ENDINGS, *PARQUET_ENDINGS):
        raise wrong_file(
            file, f"is not read as a table; save it as {', '.join((*TEXT_ENDINGS, PARQUET_ENDINGS[0]))}"
        )
    check_memory(f"data.path: {file}, in memory, needs", 4 * file.stat().st_size)
    try:
        frame = pd.read_parquet(file) if kind in PARQUET_ENDINGS else _read_text(file)
    except ImportError as error:
        raise wrong_file(
            file, "is Parquet, which needs pyarrow: pip install 'dlx[parquet]', or save it as CSV"
        ) from error
    except UnicodeDecodeError as error:
        raise wrong_file(file, "is not text in UTF-8; save it as UTF-8") from error
    except Exception as error:  # pandas and its readers raise many kinds for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise wrong_file(file, f"cannot be read as a table: {reason}") from error
    if frame.empty:
        raise wrong_file(file, "has no rows; expected a line of column names and a line for each sample")
    return frame.rename(columns=str)


def _read_text(file: Path) -> "pd.DataFrame":
    """Read with the separator that splits the line of column names into most columns."""
    import pandas as pd

    widths = {each: len(pd.read_csv(file, sep=each, nrows=0).columns) for each in SEPARATORS}
    separator = max(SEPARATORS, key=lambda each: widths[each])
    frame = pd.read_csv(file, sep=separator, skipinitialspace=True)
    if separator != "," and any(
        _all_match(frame[name], DECIMAL_COMMA) for name in frame.columns if is_text(frame[name])
    ):
        return pd.read_csv(file, sep=separator, skipinitialspace=True, decimal=",")
    return frame


def describe_column(column: "pd.Series") -> str:
    """Say in a few words what a column holds."""
    missing = int(column.isna().sum())
    empty = f", {missing} empty" if missing else ""
    if _is_date(column):
        return f"dates{empty}"
    if not is_text(column):
        if column.dtype.kind == "b":
            return f"true or false{empty}"
        return f"numbers from {column.min():g} to {column.max():g}{empty}"
    values = sorted(map(str, column.dropna().unique()))
    shown = ", ".join(values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")
    return f"{len(values)} different texts: {shown}{empty}"


def check_column(file: Path, column: "pd.Series") -> None:
    """Raise RequestError for dates, for what is no single value, and for texts among numbers."""
    name, leave_out = column.name, f"leave it out with data.ignore=[{column.name}]"
    if _is_date(column):
        raise wrong_file(
            file, f"has dates in column {name}; make numbers of them, such as days, or {leave_out}"
        )
    if not is_text(column):
        return
    kinds = {type(value).__name__ for value in column} - {"str", "bool", "int", "float"}
    if kinds:
        raise wrong_file(
            file, f"has {min(kinds)} objects in column {name}, not numbers or texts; {leave_out}"
        )
    texts = column.drop_duplicates().astype(str)
    numbers = texts.str.fullmatch(NUMBER)
    if len(texts) / 2 < numbers.sum() < len(texts):
        other = texts[~numbers].iloc[0]
        row = int(np.argmax(column.astype(str).to_numpy() == other)) + 1
        raise wrong_file(
            file,
            f"has '{other}' among the numbers of column {name} (row {row}); empty that cell, or {leave_out}",
        )


def is_text(column: "pd.Series") -> bool:
    """Say whether a column is neither numbers nor times."""
    return column.dtype.kind not in "iufb" and not _is_time(column)


def _is_date(column: "pd.Series") -> bool:
    return _is_time(column) or (is_text(column) and _all_match(column, DATE))


def _is_time(column: "pd.Series") -> bool:
    return column.dtype.kind in "mM"


def _all_match(column: "pd.Series", pattern: str) -> bool:
    texts = column.dropna()
    return len(texts) > 0 and bool(texts.astype(str).str.fullmatch(pattern).all())


def to_numbers(column: "pd.Series") -> "np.ndarray[Any, Any]":
    """Return a column of numbers as an array [N] of whole numbers or float64."""
    whole = np.int64 if column.dtype.kind in "iu" else np.float64
    dtype = np.uint8 if column.dtype.kind == "b" else whole
    return column.to_numpy(dtype=dtype, copy=True)  # pandas' own arrays cannot be written to
