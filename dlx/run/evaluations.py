"""evaluations.csv: one row for each time `dlx evaluate` scores a run, so repeated looks are visible."""

import zlib
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from dlx.run.formats import TableEnd, TableWriter, read_table

EVALUATIONS = "evaluations.csv"


@dataclass(frozen=True)
class Evaluation:
    """The mean loss per sample and the accuracy of a checkpoint on a split."""

    time: str  # ISO 8601, UTC
    split: str
    samples: int
    epoch: int  # of the checkpoint
    loss: float
    accuracy: float | None  # fraction in [0, 1]; None if the loss has no classes
    checkpoint: str  # SHA-256 of checkpoint.pt
    chosen_from: int  # how many runs this one was picked from, itself included


COLUMNS = tuple(field.name for field in fields(Evaluation))


def read_evaluations(folder: Path) -> list[Evaluation]:
    """Return a run's evaluations, oldest first. Raises ValueError if the file is damaged."""
    path = folder / EVALUATIONS
    if not path.is_file():
        return []
    counts, words = ("samples", "epoch", "chosen_from"), ("time", "split", "checkpoint")
    frame = read_table(path, COLUMNS, counts=counts, words=words)
    rows = frame[list(COLUMNS)].astype("object").where(frame.notna(), None)
    return [Evaluation(*row) for row in rows.itertuples(index=False)]


def append_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Append a row to the run's evaluations.csv."""
    path = folder / EVALUATIONS
    before = path.read_bytes() if path.is_file() else b""
    end = TableEnd(len(before), zlib.crc32(before)) if before else None
    TableWriter(path, COLUMNS, end).append([astuple(evaluation)])
