"""The metric that ranks: which column of the history was asked for, and whether higher values are better."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlx.errors import RequestError, nearest
from dlx.metrics.catalogue import facts
from dlx.report.load import METRICS, StudyData
from dlx.report.text import visible
from dlx.run.identity import losses_of

if TYPE_CHECKING:
    import pandas as pd

NOT_MEASURED = ("run", "epoch", "step", "time", "lr")  # columns of a history that are no metric
DIRECTIONS = {"higher": True, "lower": False}


@dataclass(frozen=True)
class Ranking:
    """`data`: the runs, with the metric's columns. `metric`: the column that ranks."""

    data: StudyData
    metric: str
    higher: bool


def find_ranking(data: StudyData, asked: str = "") -> Ranking:
    """Return what to rank by: `asked` is a column of the histories, `val_` left out or not, or "".

    `asked` may end with `:higher` or `:lower`, which says which values are better. If nothing is asked, that
    is the metric that all runs monitored, if it is one of metrics=[...], else accuracy, else loss.
    Raises RequestError for a metric that no completed run has, or of which nothing says what is better.
    """
    name, _, direction = asked.partition(":")
    if direction and direction not in DIRECTIONS:
        raise RequestError(f"--metric: '{visible(asked)}' must end with :higher or :lower, or have no colon")
    metric = _find_column(data, name) if name else _default(data)
    if metric not in data.metrics:
        data = _with_column(data, metric)
    if name and not _has_values(data, metric):
        raise RequestError(f"--metric: no completed run has a {metric}")
    higher = DIRECTIONS.get(direction, data.higher.get(metric, facts(metric).higher_is_better))
    if higher is None:
        raise RequestError(
            f"--metric: dlx does not know which values of {visible(metric)} are better; write "
            f"--metric {visible(name)}:higher or --metric {visible(name)}:lower"
        )
    return Ranking(data, metric, higher)


def _find_column(data: StudyData, name: str) -> str:
    recorded = [str(column) for column in data.histories.columns if column not in NOT_MEASURED]
    columns = list(dict.fromkeys([*data.metrics, *recorded]))
    for column in (name, f"val_{name}"):
        if column in columns:
            return column
    there = [column for column in columns if column not in data.metrics or _has_values(data, column)]
    near = nearest(name, [*there, *(column.removeprefix("val_") for column in there)])
    raise RequestError(
        f"--metric: no run has recorded '{visible(name)}'{near} "
        f"(recorded: {', '.join(map(visible, there)) or 'nothing'})"
    )


def _default(data: StudyData) -> str:
    if data.score:
        return data.score
    monitors = data.runs["monitor"].dropna().unique()
    own = [str(monitors[0])] if len(monitors) == 1 and monitors[0] not in METRICS else []
    if not _has_values(data, "val_accuracy") and len(losses_of(data.settings.values())) > 1:
        # Values of different losses cannot be compared: a squared error is not an absolute one.
        recorded = [name for name in data.metrics[len(METRICS) :] if name.startswith("val_")]
        own += [name for name in recorded if data.higher[name] is not None]
    metrics = (*own, "val_accuracy", "val_loss", "train_accuracy", "train_loss")
    there = (metric for metric in metrics if metric in data.metrics and _has_values(data, metric))
    return next(there, "val_accuracy")


def _has_values(data: StudyData, metric: str) -> bool:
    completed = data.runs["status"] == "completed"
    return bool(data.runs.loc[completed, f"{metric}_last"].notna().any())


def _with_column(data: StudyData, metric: str) -> StudyData:
    """Add a column of the histories, which a loss or a probe recorded, to what is known of each run."""
    values: pd.Series[float] = data.histories.set_index(["run", "epoch"])[metric].astype("float64")
    runs = data.runs.copy()
    for rule in ("last", "best"):
        epochs = zip(runs.index, runs[f"{rule}_epoch"], strict=True)
        runs[f"{metric}_{rule}"] = [values.get(key, float("nan")) for key in epochs]
    return replace(data, runs=runs, metrics=(*data.metrics, metric))
