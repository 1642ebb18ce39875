"""evaluations.csv: one row for each time `dlx evaluate` scores a run, so repeated looks are visible."""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dlx.run.formats import read_table_columns, write_lines
from dlx.run.paths import write_atomically

EVALUATIONS = "evaluations.csv"


@dataclass(frozen=True)
class Evaluation:
    """The mean loss per sample, the accuracy and the metrics=[...] of a checkpoint on a split."""

    time: str  # ISO 8601, UTC
    split: str
    samples: int
    epoch: int  # of the checkpoint
    loss: float
    accuracy: float | None  # fraction in [0, 1]; None if the loss has no classes
    checkpoint: str  # SHA-256 of checkpoint.pt
    chosen_from: int  # how many runs this one was picked from, itself included
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # by name: further columns


COLUMNS = tuple(field.name for field in fields(Evaluation) if field.name != "metrics")
COUNTS, WORDS = ("samples", "epoch", "chosen_from"), ("time", "split", "checkpoint")


def read_evaluations(folder: Path) -> list[Evaluation]:
    """Return a run's evaluations, oldest first. Raises ValueError if the file is damaged.

    A last row that is cut short does not count: it was being written when the disk was full.
    """
    try:
        columns = read_table_columns(folder / EVALUATIONS, COLUMNS, COUNTS, WORDS, cut=True)
    except FileNotFoundError:
        return []
    further = [name for name in columns if name not in COLUMNS]
    rows = zip(*(map(_present, columns.get(name, [])) for name in (*COLUMNS, *further)), strict=True)
    looks = [
        Evaluation(
            **dict(zip(COLUMNS, row, strict=False)),
            metrics=dict(zip(further, row[len(COLUMNS) :], strict=True)),
        )
        for row in rows
    ]
    if any(look.accuracy is not None and not 0 <= look.accuracy <= 1 for look in looks):
        raise ValueError(f"{folder / EVALUATIONS}: an accuracy is not between 0 and 1")
    return looks


def append_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Add a row to the run's evaluations.csv, which is written whole; the caller holds the run's lock."""
    looks = [*read_evaluations(folder), evaluation]
    further = list(dict.fromkeys(name for look in looks for name in look.metrics))
    rows = [
        (*astuple(replace(look, metrics={}))[: len(COLUMNS)], *(look.metrics.get(name) for name in further))
        for look in looks
    ]
    text = write_lines([(*COLUMNS, *further), *rows])
    write_atomically(folder / EVALUATIONS, text.encode())


def _present(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell
