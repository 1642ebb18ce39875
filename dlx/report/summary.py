"""Runs -> settings: mean, standard deviation and interval over seeds, best first, and the scores by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.errors import RequestError
from dlx.report.design import Design
from dlx.report.load import METRICS, STATUSES, StudyData
from dlx.run.identity import comparable, is_seed
from dlx.stats.intervals import mean_intervals

if TYPE_CHECKING:
    import pandas as pd

RULES = ("last", "best")


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Summary:
    """What each setting achieved.

    `table`: one row per setting, best first: `setting` (its index in Design.rows), `label`, a column for
    each of Design.keys, the counts `runs completed diverged failed`, `parameters`; for every metric and
    rule `<metric>_<rule>_mean`, `_std` (over n - 1; NaN for one run), `_count`, and `_low` and `_high`, the
    95% interval of the mean; `best_epoch_mean|min|max`, `seconds_mean|std|count`.

    Means are over completed runs only: a network that diverged has no final accuracy to average, and one
    that failed early does not represent its setting. The counts include all runs.

    `metric` orders the table by its mean at the last epoch; `higher`: whether higher values are better.
    `monitor`: the metric that picked each run's best epoch, "" if runs used different ones.
    `exact`: every run moves a point over a surface, so there are no samples and nothing is random.
    """

    table: "pd.DataFrame"
    metric: str
    higher: bool
    monitor: str
    exact: bool = False

    @cached_property
    def ranks(self) -> dict[int, int]:
        """Return the row in the table, from 0, of each setting by its index in Design.rows."""
        return {int(setting): rank for rank, setting in enumerate(self.table["setting"])}


@dataclass(frozen=True)
class Scores:
    """The scores of C settings, in the order of Design.rows, by S seeds.

    A seed is one combination of all seed keys. `values_CS`: the mean score of the setting's runs with that
    seed; NaN if it has none, or if one of them did not complete. `lost_CS`: whether one did not complete.
    """

    values_CS: NDArray[np.float64]
    lost_CS: NDArray[np.bool_]

    def shared(self, setting: int, reference: int) -> NDArray[np.float64]:
        """Return the differences, setting minus reference, over the seeds that both completed."""
        differences_S: NDArray[np.float64] = self.values_CS[setting] - self.values_CS[reference]
        both_S: NDArray[np.float64] = differences_S[~np.isnan(differences_S)]
        return both_S

    def lost(self, setting: int, reference: int) -> int:
        """Return how many seeds both were trained with, but only one or neither completed."""
        trained_CS = self.lost_CS | ~np.isnan(self.values_CS)
        either_S = self.lost_CS[setting] | self.lost_CS[reference]
        return int((either_S & trained_CS[setting] & trained_CS[reference]).sum())


def summarise(data: StudyData, design: Design, metric: str = "") -> Summary:
    """Aggregate the runs of each setting and order the settings, by `metric` if given.

    Raises RequestError if no completed run has the metric, or if a swept key has the name of a column.
    """
    import pandas as pd

    setting = pd.Series(design.of_run)
    completed = data.runs[data.runs["status"] == "completed"]
    own = [_counts(data.runs, setting), _estimates(completed, setting)]
    _check_names(design.keys, [name for part in own for name in part.columns])
    table = pd.concat([_settings(design), *own], axis="columns")
    counts = table.columns[table.columns.str.endswith("_count")]
    table[counts] = table[counts].fillna(0).astype("int64")
    if metric and not table[f"{metric}_last_count"].any():
        raise RequestError(f"--metric: no completed run has a {metric}")
    metric = metric or _ordering_metric(table)
    higher = metric.endswith("accuracy")
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


def _estimates(completed: "pd.DataFrame", setting: "pd.Series[int]") -> "pd.DataFrame":
    columns = [*(f"{metric}_{rule}" for metric in METRICS for rule in RULES), "seconds"]
    grouped = completed[[*columns, "best_epoch"]].astype("float64").groupby(setting)
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
    metrics = ("val_accuracy", "val_loss", "train_accuracy", "train_loss")
    return next((metric for metric in metrics if table[f"{metric}_last_count"].any()), metrics[0])


def scores_by_seed(data: StudyData, design: Design, column: str) -> Scores:
    """Collect a column of StudyData.runs, for example `val_accuracy_last`, by setting and seed."""
    indices: dict[str, int] = {}
    seeds = {run: seed_of(data, design, run) for run in data.runs.index}
    for seed in seeds.values():
        indices.setdefault(seed, len(indices))
    shape = (len(design.rows), len(indices))
    sums_CS, counts_CS, lost_CS = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    for run, status, value in data.runs[["status", column]].itertuples(name=None):
        cell = design.of_run[run], indices[seeds[run]]
        if status == "completed":
            sums_CS[cell] += value
            counts_CS[cell] += 1
        else:
            lost_CS[cell] = True
    whole_CS = (counts_CS > 0) & ~lost_CS & np.isfinite(sums_CS)
    values_CS = np.divide(sums_CS, counts_CS, out=np.full(shape, np.nan), where=whole_CS)
    return Scores(values_CS, lost_CS)


def seed_of(data: StudyData, design: Design, run: str) -> str:
    """Write the seed of a run: the values of all seed keys that vary."""
    return comparable([data.settings[run].get(key) for key in design.seeds if is_seed(key)])
