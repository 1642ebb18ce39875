"""The user's own table, a CSV or Parquet file: one sample a row, one column of it to predict.

Axes: N rows, F features, of which a column of texts gives one for each text.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from dlx.data.labels import SAMPLES_PER_CLASS, Labels, Task, read_labels
from dlx.data.source import Arrays, Source, below, sources, wrong_file
from dlx.data.table_file import NUMBER, check_column, is_text, read_frame, to_numbers
from dlx.device import check_memory
from dlx.errors import RequestError, nearest

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = "Unnamed: "  # how pandas names columns without a name


@sources.register("table")
def table(
    root: Path,
    *,
    path: str | None = None,
    target: str | tuple[str, ...] | None = None,
    ignore: tuple[str, ...] = (),
    missing: Literal["refuse", "drop"] = "refuse",
    task: Task = "auto",
) -> Source:
    """Read a CSV or Parquet file of root / path; `target` is the column to predict, or several numbers.

    Numbers stay as they are, and a column of texts becomes one 0 or 1 for each text, in alphabetical order.
    `ignore`: columns to leave out. `missing`: with `drop`, rows with an empty cell are left out. `task`: see
    `read_labels`. Raises RequestError for dates, for texts that hardly repeat, and for empty cells.
    """
    if path is None:
        raise RequestError(f"data.path: give a file below data.root={root}, for example data.path=iris.csv")
    file = below(root, path)
    frame = read_frame(file)
    targets = [target] if isinstance(target, str) else list(target or ())
    _check_names(file, frame, targets, ignore)
    notes: list[str] = []
    frame = _without(frame, ignore, notes)
    frame = _without_missing(file, frame, missing, notes)
    labels = _labels(file, frame[targets], task)
    features = frame.drop(columns=targets)
    if features.shape[1] == 0:
        raise wrong_file(file, f"has no column besides the target {', '.join(targets)}")
    inputs_NF = _features(file, features, notes)
    train = Arrays(torch.from_numpy(inputs_NF), torch.from_numpy(next(iter(labels.arrays.values()))))
    return Source(
        labels.classes,
        train,
        notes=tuple(f"data.path: {file.name}: {note}" for note in [*notes, *labels.notes]),
    )


def _check_names(file: Path, frame: "pd.DataFrame", targets: Sequence[str], ignore: Sequence[str]) -> None:
    held = ", ".join(name for name in frame.columns if not name.startswith(UNNAMED))
    if not targets:
        raise RequestError(f"data.target: name the column to predict; {file.name} has {held}")
    for key, names in (("data.target", targets), ("data.ignore", ignore)):
        for name in names:
            if name not in frame:
                values = any(re.fullmatch(NUMBER, each) for each in frame.columns)
                headless = "; if its first line holds values, add a line of names" if values else ""
                near = nearest(name, frame.columns)
                raise RequestError(f"{key}={name}: {file} has no such column{near} (it has {held}){headless}")
    for name in set(targets) & set(ignore):
        raise RequestError(f"data.ignore={name}: this column is the target")


def _without(frame: "pd.DataFrame", ignore: Sequence[str], notes: list[str]) -> "pd.DataFrame":
    """Leave out the columns that are to be ignored, and the row numbers that pandas writes without a name."""
    frame = frame.drop(columns=list(ignore))
    counting = [name for name in frame.columns if _counts_rows(frame[name])]
    unnamed = [name for name in counting if name.startswith(UNNAMED)]
    if unnamed:
        notes.append("the column without a name counts the rows and is left out")
    notes += [
        f"column {name} counts the rows; to leave it out: data.ignore=[{name}]"
        for name in counting
        if name not in unnamed
    ]
    return frame.drop(columns=unnamed)


def _counts_rows(column: "pd.Series") -> bool:
    if len(column) < 2 or column.dtype.kind not in "iu" or column.isna().any():
        return False
    first = column.iloc[0]
    return first in (0, 1) and bool((column.to_numpy() == np.arange(first, first + len(column))).all())


def _without_missing(
    file: Path, frame: "pd.DataFrame", missing: Literal["refuse", "drop"], notes: list[str]
) -> "pd.DataFrame":
    counts = frame.isna().sum()
    empty = counts[counts > 0].sort_values(ascending=False)
    if empty.empty:
        return frame
    if missing == "refuse":
        listed = ", ".join(f"{name} ({count} of {len(frame)} rows)" for name, count in empty.items())
        raise wrong_file(
            file,
            f"has empty cells in {listed}; fill them in, leave out these rows with data.missing=drop, or a "
            f"column with data.ignore=[{empty.index[0]}]",
        )
    whole = frame.dropna()
    if whole.empty:
        raise wrong_file(
            file, f"has an empty cell in every row; leave out a column with data.ignore=[{empty.index[0]}]"
        )
    notes.append(f"{len(frame) - len(whole)} of {len(frame)} rows have an empty cell and are left out")
    return whole


def _labels(file: Path, targets: "pd.DataFrame", task: Task) -> Labels:
    name = f"target {', '.join(targets.columns)}"
    columns = [targets[name] for name in targets.columns]
    for column in columns:
        check_column(file, column)
    if len(columns) == 1:
        column = columns[0]
        if is_text(column):  # as its names, which needs no note
            array = np.array([str(value) for value in column])
            return replace(read_labels({name: array}), notes=[])
        array = to_numbers(column)
    else:
        texts = [column.name for column in columns if is_text(column)]
        if texts or task == "classification":
            what = f"{texts[0]} holds texts" if texts else "data.task=classification takes one"
            raise wrong_file(file, f"has several targets, which are read as numbers, but {what}")
        array, task = np.stack([to_numbers(column) for column in columns], axis=1), "regression"
    try:
        return read_labels({name: array}, task)
    except ValueError as error:
        raise wrong_file(file, str(error)) from error


def _features(
    file: Path, columns: "pd.DataFrame", notes: list[str]
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return [N, F], float64: the columns of numbers, and one column for each text of the others."""
    texts = [name for name in columns.columns if is_text(columns[name])]
    for name in columns:
        check_column(file, columns[name])
    endless = [name for name in texts if len(columns) < SAMPLES_PER_CLASS * columns[name].nunique() > 4]
    if endless:
        of = ", ".join(f"{columns[name].nunique()} in {name}" for name in endless)
        raise wrong_file(
            file,
            f"has columns of texts that hardly repeat ({of}, in {len(columns)} rows); leave them out with "
            f"data.ignore=[{','.join(endless)}]",
        )
    values = {name: sorted(map(str, columns[name].unique())) for name in texts}
    width = sum(len(values.get(name, [""])) for name in columns.columns)
    check_memory(f"data.path: {file}, as numbers, needs", 3 * 8 * len(columns) * width)
    parts = []
    for name in columns:
        if name in values:
            written = columns[name].astype(str).to_numpy()
            parts += [(written == value).astype(np.float64) for value in values[name]]
        else:
            parts.append(to_numbers(columns[name]))
    inputs_NF = np.stack(parts, axis=1).astype(np.float64)
    if not np.isfinite(inputs_NF).all():
        row = int(np.argwhere(~np.isfinite(inputs_NF))[0, 0])
        raise wrong_file(file, f"has an infinite number in row {row + 1}; leave out that row or its column")
    if texts:
        notes.append(f"texts became {sum(map(len, values.values()))} columns of 0 and 1: {', '.join(texts)}")
    return inputs_NF
