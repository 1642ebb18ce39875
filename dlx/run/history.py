"""history.csv, both ways: one row an epoch, epoch 0 before training; a missing value is empty, never 0.

Numbers are written in Python's shortest exact form and read back to the same bits, so equal runs have
equal bytes but for `time`.
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
COUNTS = ("epoch", "step")


class HistoryWriter:
    """Appends rows to a new history.csv, each whole line flushed as its epoch ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text(_line(COLUMNS), newline="")

    def append(self, row: Row) -> None:
        """Append one epoch."""
        with self._path.open("a", newline="") as file:
            file.write(_line(astuple(row)))


def _line(values: tuple[object, ...]) -> str:
    text = io.StringIO()
    # float.__repr__: repr() of a NumPy float is "np.float64(0.5)", which no reader takes for a number.
    cells = ["" if v is None else float.__repr__(v) if isinstance(v, float) else str(v) for v in values]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def read_history(path: Path) -> "pd.DataFrame":
    """Read a history; columns as `Row` (numbers of other names may follow), one row an epoch from 0.

    Missing values are NaN. Raises ValueError, with the file's name, for what pandas would read without
    complaint: a last line cut short, another header, a row of another width, an epoch missing.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except (ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error


def _parse(text: str) -> "pd.DataFrame":
    import pandas as pd

    if not text.endswith("\n"):
        raise ValueError("the last line is cut short")
    header, *lines = csv.reader(io.StringIO(text))
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise ValueError(f"the header does not begin with {','.join(COLUMNS)}")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(f"line {number} has {len(line)} values, the header has {len(header)}")
    # Python's float, since the parser of numbers in pandas 2 is off by the last bit now and then.
    columns = {
        name: [
            int(cell) if name in COUNTS else float(cell or "nan") for cell in (line[place] for line in lines)
        ]
        for place, name in enumerate(header)
    }
    frame = pd.DataFrame(columns).astype({name: "int64" if name in COUNTS else "float64" for name in header})
    if frame["epoch"].tolist() != list(range(len(frame))):
        raise ValueError("the epochs are not 0, 1, 2, ...")
    return frame
