"""history.csv, both ways: one row an epoch, epoch 0 before training; a missing value is empty, never 0.

Numbers are written as Python's shortest exact form, so equal runs have equal bytes but for `time`.
"""

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


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


class HistoryWriter:
    """Appends rows to a new history.csv, each whole line flushed as its epoch ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text(_line(COLUMNS))

    def append(self, row: Row) -> None:
        """Append one epoch."""
        with self._path.open("a", newline="") as file:
            file.write(_line(astuple(row)))


def _line(values: tuple[object, ...]) -> str:
    text = io.StringIO()
    cells = ["" if v is None else repr(v) if isinstance(v, float) else str(v) for v in values]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def read_history(path: Path) -> "pd.DataFrame":
    """Read a history; columns as `Row`, one row an epoch from 0.

    Raises ValueError for what pandas would read without complaint: a last line cut short, another
    header, a row of another width, an epoch missing.
    """
    import pandas as pd

    text = path.read_text()
    if not text.endswith("\n"):
        raise ValueError(f"{path}: the last line is cut short")
    lines = list(csv.reader(io.StringIO(text)))
    if tuple(lines[0][: len(COLUMNS)]) != COLUMNS:
        raise ValueError(f"{path}: the header does not begin with {','.join(COLUMNS)}")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise ValueError(f"{path}: line {number} has {len(line)} values, the header has {len(lines[0])}")
    try:
        frame = pd.read_csv(io.StringIO(text)).astype({"epoch": "int64", "step": "int64"})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if frame["epoch"].tolist() != list(range(len(frame))):
        raise ValueError(f"{path}: the epochs are not 0, 1, 2, ...")
    return frame
