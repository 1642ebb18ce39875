"""history.csv, both ways: one row an epoch, epoch 0 before training.

Equal runs have equal bytes but for `time`.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.run import table
from dlx.run.table import TableWriter

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """One epoch. Losses are means per sample; `train_*` average the epoch's minibatches while learning."""

    epoch: int
    step: int  # optimizer steps taken so far
    time: float  # seconds since training began, validation included
    lr: float | None  # the learning rate of the epoch's last step
    train_loss: float | None
    train_accuracy: float | None  # fraction in [0, 1]
    val_loss: float | None
    val_accuracy: float | None


COLUMNS = tuple(field.name for field in fields(Row))
COUNTS = ("epoch", "step")
TAIL = 65536  # bytes in which the last row lies


class HistoryWriter:
    """Appends rows to a new history.csv, each whole line flushed as its epoch ends.

    `extra` names further columns (of probes, of a loss that measures more) after those of `Row`.
    """

    def __init__(self, path: Path, extra: Sequence[str] = ()) -> None:
        self._extra = tuple(extra)
        self._table = TableWriter(path, (*COLUMNS, *self._extra))

    def append(self, row: Row, extra: Mapping[str, float | None] | None = None) -> None:
        """Append one epoch; a further column that `extra` lacks stays empty."""
        extra = extra or {}
        assert set(extra) <= set(self._extra), "every further column is named before training"
        self._table.append([(*astuple(row), *(extra.get(name) for name in self._extra))])


def read_history(path: Path) -> "pd.DataFrame":
    """Read a history into a frame, one row an epoch; see `read_columns`, whose ValueError it raises."""
    import pandas as pd

    return pd.DataFrame(read_columns(path))


def read_columns(path: Path) -> "dict[str, NDArray[Any]]":
    """Read a history by column: `Row`'s (numbers of other names may follow), a value an epoch from 0.

    Counts are int64, all else float64, NaN where missing. Raises ValueError, with the file's name, for a
    damaged table (see `table.read_columns`) and for a missing epoch.
    """
    import numpy as np

    columns = table.read_columns(path, COLUMNS, counts=COUNTS)
    if columns["epoch"] != list(range(len(columns["epoch"]))):
        raise ValueError(f"{path}: the epochs are not 0, 1, 2, ...")
    return {
        name: np.array(values, dtype="int64" if name in COUNTS else "float64")
        for name, values in columns.items()
    }


def read_last(path: Path) -> dict[str, float]:
    """Read the last whole row of a history that may still be written to, NaN where a value is missing.

    Raises ValueError, with the file's name, if there is no such row.
    """
    with path.open("rb") as file:
        header = file.readline().decode(errors="replace").rstrip("\n").split(",")
        start = file.tell()
        file.seek(max(start, file.seek(0, os.SEEK_END) - TAIL))
        *lines, _ = file.read().decode(errors="replace").split("\n")  # what follows the last newline is cut
    cells = lines[-1].split(",") if lines else []
    if tuple(header[: len(COLUMNS)]) != COLUMNS or len(cells) != len(header):
        raise ValueError(f"{path}: no whole row yet" if not lines else f"{path}: the last row is damaged")
    try:
        return {name: float(cell) if cell else math.nan for name, cell in zip(header, cells, strict=True)}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
