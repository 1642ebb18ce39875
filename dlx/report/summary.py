"""Runs -> settings: mean, standard deviation and interval over seeds, best first.

Axes: G settings with a completed run, U units (seeds or splits).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import RequestError
from dlx.metrics.catalogue import is_share
from dlx.report.design import Design
from dlx.report.load import METRICS, StudyData
from dlx.report.metric import Ranking
from dlx.report.scores import scores_by_unit
from dlx.run.result import STATUSES
from dlx.stats.collapse import collapsed
from dlx.stats.intervals import half_widths

if TYPE_CHECKING:
    import pandas as pd

RULES = ("last", "best")
TO_DEVIATION = 1.4826  # median absolute deviation -> standard deviation of a normal variable
ACCURACY_GAP = 0.1  # between runs that trained and runs that collapsed
LOSS_GAP = 0.25  # the same for losses, as a share of the median


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Summary:
    """What each setting achieved.

    `table`: one row per setting, best first: `setting` (its index in Design.rows), `label`, a column for
    each of Design.keys, the counts `runs completed diverged failed`, `parameters`, `collapsed` (completed
    runs that scored far below the setting's others); for every metric and rule `<metric>_<rule>_mean`, `_std`
    (over n - 1; NaN for one run), `_count`, and `_low` and `_high`, the 95% confidence interval of the mean
    over units (NaN if all are equal); `best_epoch_mean|min|max`, `seconds_mean|std|count`.

    Means are over completed runs only: a network that diverged has no final accuracy to average, and one
    that failed early does not represent its setting. The counts include all runs.

    `metric` orders the table by its mean at the last epoch; `higher`: whether higher values are better.
    `monitor`: the metric that picked each run's best epoch, "" if runs used different ones.
    `recorded`: the names of what runs recorded besides loss and accuracy, as in metrics=[...].
    `exact`: every run moves a point over a surface, so there are no samples and nothing is random.
    """

    table: "pd.DataFrame"
    metric: str
    higher: bool
    monitor: str
    exact: bool = False
    recorded: tuple[str, ...] = ()

    def measured(self, metric: str) -> bool:
        """Return whether any completed run has a metric."""
        column = f"{metric}_last_count"
        return column in self.table and bool(self.table[column].any())

    @property
    def last_epoch(self) -> str:
        """Return "last epoch", from where the scores are; "" for tables of another program without epochs."""
        return "last epoch" if self.table["best_epoch_max"].notna().any() else ""

    @cached_property
    def ranks(self) -> dict[int, int]:
        """Return the row in the table, from 0, of each setting by its index in Design.rows."""
        return {int(setting): rank for rank, setting in enumerate(self.table["setting"])}


def summarise(ranking: Ranking, design: Design) -> Summary:
    """Aggregate the runs of each setting and order the settings.

    Raises RequestError if a swept key has the name of a column.
    """
    import pandas as pd

    data, metric, higher = ranking.data, ranking.metric, ranking.higher
    setting = pd.Series(design.of_run)
    completed = data.runs[data.runs["status"] == "completed"]
    estimates = _estimates(completed, setting, data.metrics)
    own = [_counts(data.runs, setting), estimates, _intervals(data, design, estimates)]
    _check_names(design.keys, ["collapsed", *(name for part in own for name in part.columns)])
    table = pd.concat([_settings(design), *own], axis="columns")
    counts = table.columns[table.columns.str.endswith("_count")]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["collapsed"] = _collapsed(completed, setting, metric, higher=higher)
    table["collapsed"] = table["collapsed"].fillna(0).astype("int64")
    # Ties (all diverged, for example) keep the order in which the runs are listed.
    order = table.sort_values(f"{metric}_last_mean", ascending=not higher, na_position="last", kind="stable")
    monitors = data.runs["monitor"].dropna().unique()
    return Summary(
        order.rename_axis("setting").reset_index(),
        metric,
        higher,
        str(monitors[0]) if len(monitors) == 1 else "",
        all(
            (values.get("loss.name"), values.get("model.name")) == ("surface", "point")
            for values in data.settings.values()
        ),
        tuple(name.removeprefix("val_") for name in data.metrics[len(METRICS) :] if name.startswith("val_")),
    )


def _check_names(keys: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a swept key with the name of a column: none of dlx's keys has one, but a result may hold any."""
    for key in keys:
        if key in ("setting", "label", *columns):
            raise RequestError(f"the swept setting '{key}' has the name of a column of the report: rename it")


def _settings(design: Design) -> "pd.DataFrame":
    import pandas as pd

    columns = {key: pd.Series([row[key] for row in design.rows], dtype="object") for key in design.keys}
    return pd.DataFrame({"label": pd.Series(design.labels, dtype="object")} | columns)


def _counts(runs: "pd.DataFrame", setting: "pd.Series[int]") -> "pd.DataFrame":
    grouped = runs.groupby(setting)
    counts = grouped.size().to_frame("runs")
    for status in STATUSES:
        counts[status] = (runs["status"] == status).groupby(setting).sum()
    counts["parameters"] = grouped["parameters"].first()
    return counts


def _estimates(
    completed: "pd.DataFrame", setting: "pd.Series[int]", metrics: Sequence[str]
) -> "pd.DataFrame":
    columns = [*_columns(metrics), "seconds"]
    grouped = completed[[*columns, "best_epoch"]].astype("float64").groupby(setting)
    estimates = grouped[columns].agg(["mean", "std", "count"])
    estimates.columns = estimates.columns.map("_".join)
    for statistic in ("mean", "min", "max"):
        estimates[f"best_epoch_{statistic}"] = grouped["best_epoch"].agg(statistic)
    return estimates


def _intervals(data: StudyData, design: Design, estimates: "pd.DataFrame") -> "pd.DataFrame":
    """Return the ends of the 95% interval of each mean: as wide as the means of units vary."""
    import pandas as pd

    ends = {}
    for column in _columns(data.metrics):
        scores = scores_by_unit(data, design, column)
        with np.errstate(over="ignore", invalid="ignore"):  # a loss may be infinite, or 1e300
            half = pd.Series(half_widths(scores.by_unit(scores.values_CS), scores.overlaps))
            ends[f"{column}_low"] = estimates[f"{column}_mean"] - half
            ends[f"{column}_high"] = estimates[f"{column}_mean"] + half
    return pd.DataFrame(ends)


def _columns(metrics: Sequence[str]) -> list[str]:
    return [f"{metric}_{rule}" for metric in metrics for rule in RULES]


def _collapsed(
    completed: "pd.DataFrame", setting: "pd.Series[int]", metric: str, *, higher: bool
) -> "pd.Series[int]":
    """Count each setting's collapsed runs by the metric that ranks."""
    scores = completed[f"{metric}_last"].astype("float64")
    grouped = (scores if higher else -scores).groupby(setting)
    gap = ACCURACY_GAP if is_share(metric) else LOSS_GAP * float(scores.abs().median())
    spreads = grouped.agg(lambda each: (each - each.median()).abs().median())
    spread = TO_DEVIATION * float(spreads.median()) if len(spreads) else 0.0
    return grouped.agg(lambda each: int(collapsed(each.to_numpy(), gap, spread).sum()))
