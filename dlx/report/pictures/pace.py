"""Validation and training curves against update steps and against seconds, beside those against epochs."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.curves import Curves, trace
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.epochs import behind
from dlx.report.pictures.panel import describe, metric_axis, panel
from dlx.report.pictures.style import (
    COLOURS,
    GREYS,
    QUANTITY,
    SPLITS,
    chart,
    colour,
    legend_below,
    quantitative,
)
from dlx.report.pictures.ticks import log_ticks
from dlx.report.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

TITLES = {"epoch": "epoch", "step": "update steps", "time": "seconds"}
STEPS_APART = 1.01  # settings with this ratio of steps an epoch take the same steps
SECONDS_APART = 1.5  # repeats on a busy machine differ by a quarter in seconds an epoch
DECADE = 10.0
POINTS = 200  # of a curve: each panel is half as wide as one by epoch


@dataclass(frozen=True)
class Pace:
    """Curves with the columns `step` and `time` (seconds) added to both frames.

    Both are means over the completed runs of a setting at equal epochs, in `diverged` each run's own.
    `spans`: by field (epoch, and step or time where they tell more) the first and last value to show.
    `log`: fields whose settings end more than a decade apart; there epoch 0 (no step yet) has no place.
    `ticks`: of those, the places of the labels.
    """

    curves: Curves
    spans: dict[str, tuple[float, float]]
    log: tuple[str, ...]
    ticks: dict[str, list[float]]


def pace(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw each metric against steps and seconds, if settings differ in either."""
    if study.histories.empty:  # no run got further than its first step
        return []
    against = measure(study, layout, trace(Analysis(study, layout, summary, None)))
    if len(against.spans) == 1:
        return []
    words = " and ".join(TITLES[field] for field in against.spans if field != "epoch")
    charts = []
    for metric in against.curves.axes:
        curves = against.curves.of(metric=metric)
        caption = describe(curves, len(COLOURS), behind(len(curves.labels)))
        part = replace(against, curves=curves.first(len(COLOURS) + GREYS))
        if "time" in against.spans:
            caption += " Seconds are wall time, validation included, averaged at equal epochs."
        if against.log:
            fields = " and ".join(TITLES[field] for field in against.log)
            caption += f" The axis of {fields} is logarithmic, so epoch 0 is left out there."
        title = f"{metric.title()} against {words}"
        charts.append(Chart(f"{metric}_pace", title, caption, race(part, metric), wide=True))
    return charts


def measure(study: StudyData, layout: Design, curves: Curves) -> Pace:
    """Join steps and seconds to the curves, and find which of the two tell more than epochs do."""
    import pandas as pd

    histories = study.histories.assign(
        label=study.histories["run"].map(layout.of_run).map(dict(enumerate(layout.labels))),
        completed=study.histories["run"].map(study.runs["status"]) == "completed",
    )
    done = histories[histories["completed"]]
    means = done.groupby(["label", "epoch"])[["step", "time"]].mean().reset_index()
    estimates = _thin(curves.estimates).merge(means, on=["label", "epoch"])
    alone = histories[["run", "epoch", "step", "time"]]
    diverged = curves.diverged.merge(alone, on=["run", "epoch"])
    ends = estimates.groupby("label")[["epoch", "step", "time"]].max()
    ends = ends[ends["epoch"] > 0]
    spans, log = {"epoch": (0.0, float(curves.epochs))}, []
    for field, apart in (("step", STEPS_APART), ("time", SECONDS_APART)):
        each = ends[field] / ends["epoch"]
        if len(ends) < 2 or not each.min() > 0 or each.max() / each.min() < apart:
            continue
        is_log = bool(ends[field].max() / ends[field].min() > DECADE)
        both = pd.concat([estimates, diverged])
        first = both.loc[both["epoch"] > 0, field].min() if is_log else 0.0
        spans[field] = (float(first), float(both[field].max()))
        if is_log:
            log.append(field)
    ticks = {field: log_ticks(*spans[field]) for field in log}
    return Pace(replace(curves, estimates=estimates, diverged=diverged), spans, tuple(log), ticks)


def _thin(estimates: "pd.DataFrame") -> "pd.DataFrame":
    step = estimates["epoch"].nunique() // POINTS + 1
    last = estimates["epoch"] == estimates.groupby(["label", "metric", "split"])["epoch"].transform("max")
    return estimates[(estimates["epoch"].rank(method="dense") % step == 1 % step) | last]


def race(against: Pace, metric: str) -> Spec:
    """Put a row for each split, a column for each axis: epochs, steps, seconds."""
    curves = against.curves
    splits = [split for split in SPLITS if split in set(curves.estimates["split"])]
    labels = curves.labels[: len(COLOURS)]
    colours = colour("label", labels, legend_below(labels, wide=True))
    width = 700 // len(against.spans)
    panels = [
        {"width": width, "height": 150}
        | panel(
            _shown(against, field).of(split=split),
            colours,
            x=_axis(against, field, TITLES[field] if split == splits[-1] else None),
            y=metric_axis(curves.axes[metric], f"{split} {QUANTITY[metric]}" if field == "epoch" else None),
        )
        for split in splits
        for field in against.spans
    ]
    description = f"{metric} against {', '.join(TITLES[field] for field in against.spans)}"
    return chart(description, {"concat": panels, "columns": len(against.spans)})


def _shown(against: Pace, field: str) -> Curves:
    if field not in against.log:
        return against.curves
    curves = against.curves
    return replace(
        curves,
        estimates=curves.estimates[curves.estimates["epoch"] > 0],
        diverged=curves.diverged[curves.diverged["epoch"] > 0],
    )


def _axis(against: Pace, field: str, title: str | None) -> Spec:
    first, last = against.spans[field]
    scale = {"type": "log" if field in against.log else "linear", "domain": [first, last], "nice": False}
    ticks: Spec = {"grid": False, "tickCount": 5} | ({"format": "~s"} if last >= 10_000 else {})
    if field in against.log:
        ticks["values"] = against.ticks[field]
    return quantitative(field, title, ticks, scale)
