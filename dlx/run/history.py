"""history.csv: one row for each epoch; epoch 0 is before training.

Equal runs write equal bytes, except for `time`.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.run.documents import shorten
from dlx.run.files import TABLE_LIMIT, open_regular
from dlx.run.formats import TableEnd, TableWriter, read_table_columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class EpochRow:
    """One epoch. Losses are means per sample; `train_*` are means over the epoch while the model learns."""

    epoch: int
    step: int  # optimizer steps taken so far
    time: float  # seconds since training began, validation included
    lr: float | None  # the learning rate of the epoch's last step
    train_loss: float | None
    train_accuracy: float | None  # fraction in [0, 1]
    val_loss: float | None
    val_accuracy: float | None


COLUMNS = tuple(field.name for field in fields(EpochRow))
_values = attrgetter(*COLUMNS)
COUNTS = ("epoch", "step")
NUMBERS = tuple(name for name in COLUMNS if name != "time")  # equal in runs that are equal
TAIL = 65536  # bytes at the end of the file that are sure to include the last row


class HistoryWriter:
    """Starts a new history.csv, or continues one from `end`, and appends a row as each epoch ends.

    `extra` names the columns after those of `EpochRow`, which come from probes or the loss. `pause`: see
    `TableWriter`.
    """

    def __init__(
        self, path: Path, extra: Sequence[str] = (), end: TableEnd | None = None, pause: float = 0.0
    ) -> None:
        self._extra = tuple(extra)
        self._table = TableWriter(path, (*COLUMNS, *self._extra), end, pause)

    def append(self, row: EpochRow, extra: Mapping[str, float | None] | None = None) -> None:
        """Append one epoch; columns that are missing from `extra` stay empty."""
        extra = extra or {}
        assert set(extra) <= set(self._extra), "every extra column must be named before training"
        self._table.append([(*_values(row), *(extra.get(name) for name in self._extra))])

    def flush(self) -> None:
        """Write the rows that wait for the next one."""
        self._table.flush()

    def state(self) -> tuple[list[str], list[int]]:
        """Have the disk hold all rows; return the extra columns and the table's end, as plain values."""
        return list(self._extra), list(self._table.sync())


def read_history(path: Path) -> "pd.DataFrame":
    """Read a history as a frame with one row for each epoch; raises ValueError as `read_columns` does."""
    import pandas as pd

    return pd.DataFrame(read_columns(path))


def read_columns(path: Path) -> "dict[str, NDArray[Any]]":
    """Read a history as one array per column: those of `EpochRow`, then any extra ones.

    `epoch` and `step` are int64, the others float64 with NaN for missing values. Raises ValueError, with the
    file's name, if the table is damaged (see `read_table_columns`) or an epoch is missing.
    """
    import numpy as np

    columns = read_table_columns(path, COLUMNS, counts=COUNTS)
    if columns["epoch"] != list(range(len(columns["epoch"]))):
        raise ValueError(f"{path}: the epochs are not 0, 1, 2, ...")
    return {
        name: np.array(values, dtype="int64" if name in COUNTS else "float64")
        for name, values in columns.items()
    }


def first_difference(one: "Mapping[str, NDArray[Any]]", other: "Mapping[str, NDArray[Any]]") -> int | None:
    """Return the first epoch in which two histories, as `read_columns` gives them, part; None if none does.

    Only columns that both have count, and seconds do not. A missing value equals a missing one. If one
    history ends where the other goes on, they part in the first epoch that one lacks.
    """
    import numpy as np

    length = min(len(one["epoch"]), len(other["epoch"]))
    shared = [name for name in one if name in other and name != "time"]
    parted = [
        (one[name][:length] != other[name][:length])
        & ~(np.isnan(one[name][:length]) & np.isnan(other[name][:length]))
        for name in shared
    ]
    epochs = np.flatnonzero(np.any(parted, axis=0))
    if len(epochs):
        return int(epochs[0])
    return None if len(one["epoch"]) == len(other["epoch"]) else length


def read_last(path: Path) -> dict[str, float]:
    """Read the last complete row of a history that may still be growing; missing values are NaN.

    Raises ValueError, with the file's name, if there is none.
    """
    with open_regular(path, TABLE_LIMIT) as file:
        header = file.readline(TAIL).decode(errors="replace").rstrip("\n").split(",")
        start = file.tell()
        file.seek(max(start, file.seek(0, os.SEEK_END) - TAIL))
        *lines, _ = file.read().decode(errors="replace").split("\n")  # the last line may be incomplete
    cells = lines[-1].split(",") if lines else []
    if tuple(header[: len(COLUMNS)]) != COLUMNS or len(cells) != len(header):
        raise ValueError(f"{path}: no complete row yet" if not lines else f"{path}: the last row is damaged")
    try:
        return {name: float(cell) if cell else math.nan for name, cell in zip(header, cells, strict=True)}
    except ValueError as error:
        raise ValueError(f"{path}: {shorten(error)}") from error
