"""What every export of runs needs: their settings, their values by epoch and the time of each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.importers.foreign_run import STATUS_KEY
from dlx.report.analysis import Analysis
from dlx.run.identity import requested
from dlx.run.paths import HISTORY

if TYPE_CHECKING:
    import pandas as pd

NO_METRICS = ("run", "epoch", "time")  # other programs have these as axes


@dataclass(frozen=True)
class ExportedRun:
    """One run.

    `settings`: by dotted key. `epochs`: for each the number, the time (seconds since 1970) and the values
    that are there, by column of history.csv. `seconds`: of training, NaN if unknown.
    """

    name: str
    status: str
    settings: dict[str, Any]
    epochs: list[tuple[int, float, dict[str, float]]]
    seconds: float

    @property
    def end(self) -> dict[str, str]:
        """Return how the run ended as a setting, which other programs can show; {} if it completed."""
        return {} if self.status == "completed" else {STATUS_KEY: self.status}

    @property
    def began(self) -> float:
        """Return when it began, in seconds since 1970; 0 if unknown."""
        return self.epochs[0][1] if self.epochs else 0.0


def exported_runs(analysis: Analysis) -> Iterator[ExportedRun]:
    """Yield the runs of a study in its order."""
    data = analysis.data
    histories = {str(run): history for run, history in data.histories.groupby("run", sort=False)}
    for name, row in zip(map(str, data.runs.index), data.runs.to_dict(orient="records"), strict=True):
        epochs = list(_epochs(histories[name], Path(row["folder"]))) if name in histories else []
        if not epochs and row["status"] == "completed":  # a table with one row a run
            values = {metric: float(row[f"{metric}_last"]) for metric in data.metrics}
            epochs = [(0, 0.0, {metric: value for metric, value in values.items() if value == value})]
        yield ExportedRun(name, str(row["status"]), requested(data.settings[name]), epochs, row["seconds"])


def _epochs(history: "pd.DataFrame", folder: Path) -> Iterator[tuple[int, float, dict[str, float]]]:
    names = [str(name) for name in history.columns if name not in NO_METRICS]
    times = history["time"].fillna(0.0).tolist()
    try:
        began = (folder / HISTORY).stat().st_mtime - times[-1]
    except OSError:  # of another program
        began = 0.0
    rows = history[names].to_numpy(dtype="float64").tolist()
    for epoch, time, values in zip(history["epoch"].tolist(), times, rows, strict=True):
        present = {name: value for name, value in zip(names, values, strict=True) if not math.isnan(value)}
        yield epoch, began + time, present
