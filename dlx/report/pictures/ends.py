"""What each run came to, for pictures of end results: last, best, highest in training, final loss."""

from pathlib import Path
from typing import TYPE_CHECKING

from dlx.report.load import StudyData
from dlx.report.summary import Summary
from dlx.report.text import write_count
from dlx.run.probes import STEPS, read_steps

if TYPE_CHECKING:
    import pandas as pd

FINAL_STEPS = 100  # over which the source experiment averages its final loss
MOST_RUNS = 200  # whose steps.csv are read for it; a large one takes 20 ms
WORDS = {"val": "validation", "train": "training"}


def measures(summary: Summary) -> dict[str, str]:
    """Return the columns of `end_values` with the titles of their axes."""
    split, quantity = summary.metric.split("_")
    return {
        f"{summary.metric}_last": f"{WORDS[split]} {quantity}, last epoch",
        f"{summary.metric}_best": f"{WORDS[split]} {quantity}, best epoch",
        "train_accuracy_highest": "training accuracy, highest",
        "final_loss": "training loss, last epoch",
        "final_step_loss": f"training loss, last {write_count(FINAL_STEPS, 'step')}",
    }


def end_values(study: StudyData, summary: Summary) -> "pd.DataFrame":
    """Return a row for each completed run, indexed by run, a column for each of `measures` (NaN: none).

    The highest training accuracy is of any epoch: that at an epoch's end (`train_end_accuracy`) where it
    was measured, else the epoch's running mean. The final loss is the mean of the last hundred steps where
    every run recorded them, else the last epoch's.
    """
    import pandas as pd

    runs = study.runs[study.runs["status"] == "completed"]
    histories = study.histories
    measured = "train_end_accuracy" in histories and histories["train_end_accuracy"].notna().any()
    column = "train_end_accuracy" if measured else "train_accuracy"
    highest = histories.groupby("run")[column].max()
    values = {
        f"{summary.metric}_last": runs[f"{summary.metric}_last"],
        f"{summary.metric}_best": runs[f"{summary.metric}_best"],
        "train_accuracy_highest": highest.reindex(runs.index),
    }
    losses = _step_losses({str(run): Path(folder) for run, folder in runs["folder"].items()})
    name = "final_step_loss" if losses else "final_loss"
    values[name] = pd.Series(losses).reindex(runs.index) if losses else runs["train_loss_last"]
    frame = pd.DataFrame(values).astype("float64")
    return frame.where(frame.abs() < float("inf"))


def _step_losses(folders: dict[str, Path]) -> dict[str, float]:
    """Return each run's mean loss over the last hundred steps; {} unless all runs have readable steps."""
    if len(folders) > MOST_RUNS or not all((folder / STEPS).is_file() for folder in folders.values()):
        return {}
    losses = {}
    for run, folder in folders.items():
        try:
            table = read_steps(folder)
        except (ValueError, OSError):
            return {}  # the picture of the steps names the damaged file
        if table is None or table.empty:
            return {}
        losses[run] = float(table["loss"].tail(FINAL_STEPS).mean())
    return losses
