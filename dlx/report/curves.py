"""Histories -> the curves to draw: mean and range over seeds per epoch, diverged runs, limits of the axes."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dlx.metrics.catalogue import facts
from dlx.report.load import StudyData

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.analysis import Analysis

LARGEST = 1e300
POINTS = 400  # of a curve; its panel is about 400 pixels wide


@dataclass(frozen=True)
class Axis:
    """The limits of an axis. `cut`: some values lie outside. `ticks`: () leaves them to the chart."""

    low: float
    high: float
    log: bool
    cut: bool
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curves:
    """The curves to draw.

    `estimates`: columns `rank label epoch metric split mean low high n`, one row per setting (rank 0 is the
    first row of the table), epoch, metric (loss, accuracy, f1_macro) and split (training, validation): the
    mean, lowest and highest value of its n completed runs. A curve ends at the last epoch that all of them
    reached, because a mean over fewer runs would jump.
    `diverged`: columns `run rank label epoch metric split value last`: each diverged run, while it is finite,
    clipped to the axis; `last` marks its last point.
    `axes`: by metric, or by "<metric> <split>" if each split has its own; column `axis`.
    `labels`: of every setting with a curve, best first. `epochs`: the last epoch of any run. `step`: the
    number of epochs between two points.
    """

    estimates: "pd.DataFrame"
    diverged: "pd.DataFrame"
    axes: dict[str, Axis]
    labels: list[str]
    epochs: int
    step: int

    def of(self, **wanted: str) -> "Curves":
        """Return the part with, for example, metric="loss" or split="training"."""
        estimates, diverged = self.estimates, self.diverged
        for column, value in wanted.items():
            estimates, diverged = estimates[estimates[column] == value], diverged[diverged[column] == value]
        kept = {
            name: axis
            for name, axis in self.axes.items()
            if all(wanted.get(column, part) == part for column, part in _parts(name).items())
        }
        return replace(self, estimates=estimates, diverged=diverged, axes=kept)

    def first(self, count: int) -> "Curves":
        """Return the part of the first `count` settings."""
        labels = self.labels[:count]
        estimates, diverged = (
            frame[frame["label"].isin(labels)] for frame in (self.estimates, self.diverged)
        )
        return replace(self, estimates=estimates, diverged=diverged, labels=labels)


@lru_cache(maxsize=2)  # four plots use it
def trace(analysis: "Analysis", *, apart: bool = False) -> Curves:
    """Compute the curves of every setting and the limits of their axes.

    `apart`: each split gets its own axis. On a common one, a training loss that falls to 1e-5 would flatten a
    validation loss that stays near 1.
    """
    estimates, diverged, epochs, step = _estimates(analysis)
    estimates, diverged = (
        frame.assign(axis=frame["metric"] + " " + frame["split"] if apart else frame["metric"])
        for frame in (estimates, diverged)
    )
    axes = {}
    for name in sorted({*estimates["axis"], *diverged["axis"]}, key=_order(analysis)):
        means = estimates[estimates["axis"] == name]
        alone = diverged[diverged["axis"] == name]
        axes[name] = (_rising_axis if _rises(analysis, _parts(name)["metric"]) else _loss_axis)(means, alone)
    drawn = {*estimates["label"], *diverged["label"]}
    labels = [label for label in analysis.summary.table["label"] if label in drawn]
    return Curves(_inside(estimates, axes), _inside(diverged, axes), axes, labels, epochs, step)


@lru_cache(maxsize=1)  # with 2000 runs it takes 0.5 s
def _estimates(analysis: "Analysis") -> tuple["pd.DataFrame", "pd.DataFrame", int, int]:
    """Return the estimates, the diverged runs, the last epoch and the step, before there are axes."""
    import pandas as pd

    data, summary = analysis.data, analysis.summary
    tall = _tall(data)
    if summary.exact:  # the training curve is the validation curve, one epoch later
        tall = tall[tall["split"] == "validation"]
    tall["rank"] = tall["run"].map(analysis.design.of_run).map(pd.Series(summary.ranks))
    tall["label"] = tall["rank"].map(summary.table["label"])
    status = tall["run"].map(data.runs["status"])
    epochs = int(tall["epoch"].max()) if len(tall) else 0
    step = epochs // POINTS + 1
    estimates = _thin(_estimate(tall[status == "completed"]), step)
    return estimates, _thin(tall[status == "diverged"], step), epochs, step


def metric_of(column: str) -> str:
    """Return the metric of a column: "f1_macro" of val_f1_macro."""
    return re.sub("^(train|val)_", "", column)


def split_of(column: str) -> str:
    """Return the split of a column; what a loss or a probe records without one is of validation."""
    return "training" if column.startswith("train_") else "validation"


def _order(analysis: "Analysis") -> Callable[[str], tuple[int, str]]:
    """Return the order of axes: a metric that ranks, accuracy, loss, then the others by name."""
    first = list(dict.fromkeys([metric_of(analysis.summary.metric), "accuracy", "loss"]))
    first = sorted(first) if len(first) == 2 else first

    def place(name: str) -> tuple[int, str]:
        metric = _parts(name)["metric"]
        return first.index(metric) if metric in first else len(first), name

    return place


def _rises(analysis: "Analysis", metric: str) -> bool:
    """Return whether a metric rises as a net learns, like an accuracy, rather than falls, like a loss."""
    known = facts(metric).higher_is_better
    summary = analysis.summary
    if known is None and metric == metric_of(summary.metric):
        return summary.higher
    return bool(analysis.data.higher.get(f"val_{metric}") if known is None else known)


def _tall(data: StudyData) -> "pd.DataFrame":
    """Return columns `run epoch metric split value`, finite values only."""
    recorded = [name for name in data.metrics if name in data.histories]
    tall = data.histories.melt(id_vars=["run", "epoch"], value_vars=recorded, var_name="column")
    # Below the largest float, so that no mean or axis limit overflows.
    tall = tall[tall["value"].astype("float64").abs() < LARGEST]
    return tall.assign(
        metric=tall["column"].map(metric_of),
        split=tall["column"].map(split_of),
        value=tall["value"].astype("float64"),
    ).drop(columns="column")


def _estimate(tall: "pd.DataFrame") -> "pd.DataFrame":
    curve = ["rank", "label", "metric", "split"]  # no run: the mean is over them
    values = tall.groupby([*curve, "epoch"])["value"]
    estimates = values.agg(mean="mean", low="min", high="max", n="count").reset_index()
    complete = estimates["n"] == estimates.groupby(curve)["n"].transform("max")
    return estimates[complete].reset_index(drop=True)


def _thin(frame: "pd.DataFrame", step: int) -> "pd.DataFrame":
    """Keep every `step`-th epoch and the last one of each curve."""
    last = frame["epoch"] == frame.groupby(_curve(frame))["epoch"].transform("max")
    return frame[(frame["epoch"] % step == 0) | last]


def _loss_axis(means: "pd.DataFrame", alone: "pd.DataFrame") -> Axis:
    """Show every mean up to ten times the median first loss; logarithmic beyond two decades.

    The first loss is that of an untrained network. A curve far above it is diverging, and its 1e30 would
    flatten all others.
    """
    shown = means if len(means) else alone.rename(columns={"value": "mean"})
    first = shown.loc[shown.groupby(["rank", "split"])["epoch"].idxmin(), "mean"].median()
    low, high = float(shown["mean"].min()), float(shown["mean"].max())
    if first > 0:  # a negative loss, such as a log-likelihood, gives no bound
        high = min(high, 10 * float(first))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    log = low > 0 and high / low > 100
    top = high * 1.1 if log else high + 0.03 * (high - low)
    bottom = low / 1.1 if log else (0.0 if 0 <= low < high / 3 else low - 0.03 * (high - low))
    decades = range(math.ceil(math.log10(bottom)), math.floor(math.log10(top)) + 1) if log else ()
    cut = bool((shown["mean"] > top).any() or (alone["value"] > top).any())
    return Axis(bottom, top, log, cut, tuple(10.0**decade for decade in decades))


def _rising_axis(means: "pd.DataFrame", alone: "pd.DataFrame") -> Axis:
    """Leave out the first climb: up to 5% of the means may lie below the axis, but no setting's last one.

    On an axis from 0.1 to 1, the last 2 points of accuracy, where settings differ, could not be seen. R2 may
    start at -50.
    """
    shown = means if len(means) else alone.rename(columns={"value": "mean"})
    ends = shown.loc[shown.groupby(["rank", "split"])["epoch"].idxmax(), "mean"].min()
    low = min(float(shown["mean"].quantile(0.05)), float(ends))
    high = float(shown["mean"].max())
    if float(shown["mean"].min()) >= 0 and high <= 1:
        bottom = max(0.0, int(low * 20 - 0.2) / 20)
        top = min(1.0, int(high * 20 + 1) / 20)
        top = max(top, bottom + 0.05)
    else:
        margin = 0.03 * (high - low) or 0.5
        bottom, top = low - margin, high + margin
    return Axis(bottom, top, log=False, cut=bool((shown["mean"] < bottom).any()))


def _inside(frame: "pd.DataFrame", axes: dict[str, Axis]) -> "pd.DataFrame":
    """Clip values to the axis, and start a curve that begins outside where it comes in.

    Clipping in the chart would put a mask on every line, and the PNG would take 2 s instead of 0.1 s.
    """
    if frame.empty:
        return frame.assign(last=False)
    low = frame["axis"].map({name: axis.low for name, axis in axes.items()})
    high = frame["axis"].map({name: axis.high for name, axis in axes.items()})
    line = "mean" if "mean" in frame else "value"
    inside = frame[line].between(low, high)
    curves = [frame[column] for column in _curve(frame)]
    begun = inside.groupby(curves).cummax() | inside.groupby(curves).shift(-1, fill_value=False)
    kept = begun | ~inside.groupby(curves).transform("any")
    if "run" in frame:  # a diverged run ends where it leaves for good
        back = inside[::-1].groupby(curves).cummax()[::-1]
        kept &= back | inside.groupby(curves).shift(1, fill_value=True)
    columns = [name for name in ("mean", "low", "high", "value") if name in frame]
    frame = frame.assign(**{name: frame[name].clip(low, high) for name in columns})[kept]
    return frame.assign(last=frame["epoch"] == frame.groupby(_curve(frame))["epoch"].transform("max"))


def _parts(name: str) -> dict[str, str]:
    """Return the parts of an axis' name: a metric and, if it is for one, a split."""
    return dict(zip(("metric", "split"), name.split(" "), strict=False))


def _curve(frame: "pd.DataFrame") -> list[str]:
    """Return the columns that tell curves apart."""
    return ["rank", "label", "metric", "split", *(["run"] if "run" in frame else [])]
