"""Runs -> one row a setting: mean, standard deviation and count over its seeds, best first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import RequestError
from dlx.report.load import METRICS, StudyData
from dlx.report.settings import Design
from dlx.statistics.intervals import mean_intervals

if TYPE_CHECKING:
    import pandas as pd

STATUSES = ("completed", "diverged", "failed")
RULES = ("last", "best")


@dataclass(frozen=True, eq=False)  # one is itself alone, and can be a key
class Summary:
    """What each setting achieved.

    `table`: one row a setting, best first: `setting` (its place in Design.rows), `label`, a column for
    each of Design.keys, the counts `runs completed diverged failed`, `parameters`; for every metric and
    rule `<metric>_<rule>_mean`, `_std` (over n - 1; NaN for one run), `_count`, and `_low` and `_high`, the
    95% interval of the mean; `best_epoch_mean|min|max`, `seconds_mean|std|count`.

    Means are over completed runs alone: a network that diverged has no final accuracy to average, and one
    that was cut off is no example of its setting. The others stay visible in the counts.

    `metric` orders the table by its mean at the last epoch; `higher` says which end is better.
    `monitor` is the rule by which each run's best epoch was picked, "" if runs used different ones.
    `exact`: every run moves a point over a surface, with no data to sample and nothing left to chance.
    """

    table: "pd.DataFrame"
    metric: str
    higher: bool
    monitor: str
    exact: bool = False


def aggregate(study: StudyData, layout: Design, metric: str = "") -> Summary:
    """Aggregate the runs of each setting and order the settings, by `metric` if one is named.

    Raises RequestError if no completed run has it, or a swept key has the name of a column.
    """
    import pandas as pd

    place = pd.Series(layout.of_run)
    completed = study.runs[study.runs["status"] == "completed"]
    own = [_counts(study.runs, place), _estimates(completed, place)]
    _check_names(layout.keys, [name for part in own for name in part.columns])
    table = pd.concat([_settings(layout), *own], axis="columns")
    counts = table.columns[table.columns.str.endswith("_count")]
    table[counts] = table[counts].fillna(0).astype("int64")
    if metric and not table[f"{metric}_last_count"].any():
        raise RequestError(f"--metric: no completed run has a {metric}")
    metric = metric or _ordering_metric(table)
    higher = metric.endswith("accuracy")
    # Ties (all diverged, say) keep the order in which the runs are listed.
    order = table.sort_values(f"{metric}_last_mean", ascending=not higher, na_position="last", kind="stable")
    monitors = study.runs["monitor"].dropna().unique()
    return Summary(
        order.rename_axis("setting").reset_index(),
        metric,
        higher,
        str(monitors[0]) if len(monitors) == 1 else "",
        all(
            (s.get("loss.name"), s.get("model.name")) == ("surface", "point") for s in study.settings.values()
        ),
    )


def _check_names(keys: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a swept key that is called like a column: no key of dlx's own is, but a result may hold any."""
    for key in keys:
        if key in ("setting", "label", *columns):
            raise RequestError(f"the swept setting '{key}' has the name of a column of the report: rename it")


def _settings(layout: Design) -> "pd.DataFrame":
    import pandas as pd

    columns = {key: pd.Series([row[key] for row in layout.rows], dtype="object") for key in layout.keys}
    return pd.DataFrame({"label": pd.Series(layout.labels, dtype="object")} | columns)


def _counts(runs: "pd.DataFrame", place: "pd.Series[int]") -> "pd.DataFrame":
    grouped = runs.groupby(place)
    counts = grouped.size().to_frame("runs")
    for status in STATUSES:
        counts[status] = (runs["status"] == status).groupby(place).sum()
    counts["parameters"] = grouped["parameters"].first()
    return counts


def _estimates(completed: "pd.DataFrame", place: "pd.Series[int]") -> "pd.DataFrame":
    columns = [*(f"{metric}_{rule}" for metric in METRICS for rule in RULES), "seconds"]
    grouped = completed[[*columns, "best_epoch"]].astype("float64").groupby(place)
    estimates = grouped[columns].agg(["mean", "std", "count"])
    estimates.columns = estimates.columns.map("_".join)
    nth, rows = grouped.cumcount().to_numpy(), grouped.ngroup().to_numpy()
    for column in columns[:-1]:
        values_GK = np.full((len(estimates), nth.max(initial=-1) + 1), np.nan)
        values_GK[rows, nth] = completed[column]
        with np.errstate(over="ignore", invalid="ignore"):  # a loss may be infinite, or 1e300
            estimates[f"{column}_low"], estimates[f"{column}_high"] = mean_intervals(values_GK)
    for statistic in ("mean", "min", "max"):
        estimates[f"best_epoch_{statistic}"] = grouped["best_epoch"].agg(statistic)
    return estimates


def _ordering_metric(table: "pd.DataFrame") -> str:
    """Return the metric to order by: validation before training, accuracy before loss, if any run has it."""
    for metric in ("val_accuracy", "val_loss", "train_accuracy", "train_loss"):
        if table[f"{metric}_last_count"].any():
            return metric
    return "val_accuracy"
