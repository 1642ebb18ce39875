"""evaluations.csv: every look at a split by `dlx evaluate`, one row each, so that a second one is visible."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path

from dlx.run.table import TableWriter, read_table

EVALUATIONS = "evaluations.csv"


@dataclass(frozen=True)
class Evaluation:
    """One look: the mean loss per sample and the accuracy of a checkpoint on a split."""

    time: str  # ISO 8601, UTC
    split: str
    samples: int
    epoch: int  # of the checkpoint
    loss: float
    accuracy: float | None  # fraction in [0, 1]; None where the loss knows no right answer
    checkpoint: str  # SHA-256 of checkpoint.pt
    chosen_from: int  # the runs among which this one was picked, itself included


COLUMNS = tuple(field.name for field in fields(Evaluation))


def read_evaluations(folder: Path) -> list[Evaluation]:
    """Return the looks at a run, oldest first; [] if there was none. Raises ValueError if damaged."""
    path = folder / EVALUATIONS
    if not path.is_file():
        return []
    counts, words = ("samples", "epoch", "chosen_from"), ("time", "split", "checkpoint")
    frame = read_table(path, COLUMNS, counts=counts, words=words)
    rows = frame[list(COLUMNS)].astype("object").where(frame.notna(), None)
    return [Evaluation(*row) for row in rows.itertuples(index=False)]


def record(folder: Path, evaluation: Evaluation) -> None:
    """Append a look to the run's evaluations.csv."""
    path = folder / EVALUATIONS
    TableWriter(path, COLUMNS, append=path.is_file()).append([astuple(evaluation)])
