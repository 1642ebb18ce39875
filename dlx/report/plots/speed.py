"""What a setting costs: curves by update step and second, and the time until an accuracy is reached."""

from dataclasses import dataclass, replace

import pandas as pd

from dlx.metrics.catalogue import label_of, sentence_case
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.curves import Curves, trace
from dlx.report.plots.panels import curves_caption, curves_panel, grey_caption, metric_axis
from dlx.report.plots.style import (
    COLOURS,
    DECADE,
    GREYS,
    SPLITS,
    chart,
    colour,
    layer,
    layered,
    legend_below,
    log_ticks,
    metric_title,
    nominal,
    quantitative,
    row_axis,
)
from dlx.report.text import write_metric

TITLES = {"epoch": "epoch", "step": "update steps", "time": "seconds"}
STEPS_APART = 1.01  # a smaller ratio of steps per epoch counts as equal
SECONDS_APART = 1.5  # repeats on a busy machine differ by a quarter in seconds per epoch
POINTS = 200  # of a curve, half as many as by epoch, because the panels are half as wide
SETTINGS = 16
SHARES = (0.8, 0.95, 0.99)  # of the best setting's mean accuracy at the last epoch
STEP = 200  # targets are multiples of 1/STEP


@dataclass(frozen=True)
class CostCurves:
    """Curves with the columns `step` and `time` (seconds) added to both frames.

    In `estimates` they are means over a setting's completed runs at equal epochs, in `diverged` each run's
    own. `spans`: the first and last value to show by field: epoch, and step and time if settings differ in
    them. `log`: fields with a logarithmic axis without epoch 0, because settings end more than a decade
    apart. `ticks`: for those.
    """

    curves: Curves
    spans: dict[str, tuple[float, float]]
    log: tuple[str, ...]
    ticks: dict[str, list[float]]


def curves_by_cost(analysis: Analysis) -> list[Chart]:
    """Draw each metric against steps and seconds, if settings differ in either."""
    if analysis.data.histories.empty:  # no run got beyond its first step
        return []
    costs = add_costs(analysis, trace(analysis))
    if len(costs.spans) == 1:
        return []
    words = " and ".join(TITLES[field] for field in costs.spans if field != "epoch")
    charts = []
    for metric in costs.curves.axes:
        curves = costs.curves.of(metric=metric)
        caption = curves_caption(curves, len(COLOURS), grey_caption(len(curves.labels)))
        part = replace(costs, curves=curves.first(len(COLOURS) + GREYS))
        if "time" in costs.spans:
            caption += " Seconds are wall time, validation included, averaged at equal epochs."
        if costs.log:
            fields = " and ".join(TITLES[field] for field in costs.log)
            caption += f" The axis of {fields} is logarithmic and leaves out epoch 0."
        title = f"{sentence_case(label_of(metric))} against {words}"
        spec = cost_panels(part, metric, exact=analysis.summary.exact)
        charts.append(Chart(f"{metric}_pace", title, caption, spec, wide=True))
    return charts


def add_costs(analysis: Analysis, curves: Curves) -> CostCurves:
    """Join steps and seconds to the curves, and find in which of them the settings differ."""
    data, design = analysis.data, analysis.design
    histories = data.histories.assign(
        label=data.histories["run"].map(design.of_run).map(dict(enumerate(design.labels))),
        completed=data.histories["run"].map(data.runs["status"]) == "completed",
    )
    completed = histories[histories["completed"]]
    means = completed.groupby(["label", "epoch"])[["step", "time"]].mean().reset_index()
    estimates = _thin(curves.estimates).merge(means, on=["label", "epoch"])
    diverged = curves.diverged.merge(histories[["run", "epoch", "step", "time"]], on=["run", "epoch"])
    ends = estimates.groupby("label")[["epoch", "step", "time"]].max()
    ends = ends[ends["epoch"] > 0]
    spans, log = {"epoch": (0.0, float(curves.epochs))}, []
    for field, apart in (("step", STEPS_APART), ("time", SECONDS_APART)):
        per_epoch = ends[field] / ends["epoch"]
        if len(ends) < 2 or not per_epoch.min() > 0 or per_epoch.max() / per_epoch.min() < apart:
            continue
        is_log = bool(ends[field].max() / ends[field].min() > DECADE)
        both = pd.concat([estimates, diverged])
        first = both.loc[both["epoch"] > 0, field].min() if is_log else 0.0
        spans[field] = (float(first), float(both[field].max()))
        if is_log:
            log.append(field)
    ticks = {field: log_ticks(*spans[field]) for field in log}
    return CostCurves(replace(curves, estimates=estimates, diverged=diverged), spans, tuple(log), ticks)


def _thin(estimates: pd.DataFrame) -> pd.DataFrame:
    step = estimates["epoch"].nunique() // POINTS + 1
    last = estimates["epoch"] == estimates.groupby(["label", "metric", "split"])["epoch"].transform("max")
    return estimates[(estimates["epoch"].rank(method="dense") % step == 1 % step) | last]


def cost_panels(costs: CostCurves, metric: str, *, exact: bool) -> Spec:
    """Draw a row of panels for each split and a column for each axis: epochs, steps, seconds."""
    curves = costs.curves
    splits = [split for split in SPLITS if split in set(curves.estimates["split"])]
    labels = curves.labels[: len(COLOURS)]
    colours = colour("label", labels, legend_below(labels, wide=True))
    width = 700 // len(costs.spans)
    panels = [
        {"width": width, "height": 150}
        | curves_panel(
            _without_epoch_0(curves, costs.log, field).of(split=split),
            colours,
            x=_cost_axis(costs, field, TITLES[field] if split == splits[-1] else None),
            y=metric_axis(
                curves.axes[metric], _title(metric, split, exact=exact) if field == "epoch" else None
            ),
        )
        for split in splits
        for field in costs.spans
    ]
    description = f"{metric} against {', '.join(TITLES[field] for field in costs.spans)}"
    return chart(description, {"concat": panels, "columns": len(costs.spans)})


def _title(metric: str, split: str, *, exact: bool) -> str:
    """Return an axis's title without its unit, as the panels are low."""
    return metric_title(metric, exact=True) if exact else f"{split} {label_of(metric)}"


def _without_epoch_0(curves: Curves, log: tuple[str, ...], field: str) -> Curves:
    if field not in log:
        return curves
    estimates, diverged = (frame[frame["epoch"] > 0] for frame in (curves.estimates, curves.diverged))
    return replace(curves, estimates=estimates, diverged=diverged)


def _cost_axis(costs: CostCurves, field: str, title: str | None) -> Spec:
    first, last = costs.spans[field]
    scale = {"type": "log" if field in costs.log else "linear", "domain": [first, last], "nice": False}
    ticks: Spec = {"grid": False, "tickCount": 5} | ({"format": "~s"} if last >= 10_000 else {})
    if field in costs.log:
        ticks["values"] = costs.ticks[field]
    return quantitative(field, title, ticks, scale)


def time_to_accuracy(analysis: Analysis) -> list[Chart]:
    """Draw when each of the first settings reached each of three accuracies."""
    summary = analysis.summary
    if summary.metric != "val_accuracy" or len(summary.table) < 2 or analysis.data.histories.empty:
        return []
    times, targets = target_times(analysis)
    if times.empty:
        return []
    caption = (
        "Wall time, validation included, until validation accuracy first reached each target. Points are "
        "medians over a setting's runs; runs that never reached the target count as slowest. If these are "
        "half of the runs or more, there is no point. Bars span the fastest to the slowest run that reached "
        "it. Runs that share a machine slow each other down."
    )
    labels = summary.table["label"].tolist()
    if len(labels) > SETTINGS:
        caption += f" Only the first {SETTINGS} of {len(labels)} settings in the table are drawn."
    spec = time_chart(times, targets, labels[:SETTINGS])
    return [Chart("time_to_accuracy", "Time to accuracy", caption, spec)]


def target_times(analysis: Analysis) -> tuple[pd.DataFrame, list[str]]:
    """Return when settings reach target accuracies, and the targets as texts, ascending.

    The table has columns `label target seconds low high`, and a row for each setting and target that more
    than half of its runs reached: the median over all runs (infinite for the others), and the fastest and
    slowest run that reached it.
    """
    data, of_run, summary = analysis.data, analysis.design.of_run, analysis.summary
    best = float(summary.table["val_accuracy_last_mean"].fillna(0.0).max())
    targets = sorted({int(best * share * STEP) / STEP for share in SHARES} - {0.0})
    table = summary.table.head(SETTINGS)
    drawn = data.runs.index.map(of_run).isin(table["setting"])
    kept = data.runs.index[(data.runs["status"] != "failed") & drawn]
    histories = data.histories[data.histories["run"].isin(kept)]
    labels = dict(zip(table["setting"], table["label"], strict=True))
    rows: list[tuple[str, str, float, float, float]] = []
    for target in targets:
        text = write_metric("accuracy", target)
        reached = histories[histories["val_accuracy"] >= target].groupby("run")["time"].min()
        times = reached.astype("float64").reindex(kept, fill_value=float("inf")).fillna(float("inf"))
        for setting, each in times.groupby(times.index.map(of_run)):
            finite = each[each < float("inf")]
            if 2 * len(finite) > len(each):
                rows.append((labels[setting], text, each.median(), finite.min(), finite.max()))
    frame = pd.DataFrame(rows, columns=["label", "target", "seconds", "low", "high"])
    return frame, [write_metric("accuracy", target) for target in targets]


def time_chart(times: pd.DataFrame, targets: list[str], labels: list[str]) -> Spec:
    """Draw the seconds in a row for each setting, with a colour for each target."""
    low, high = float(times["low"].min()), float(times["high"].max())
    log = low > 0 and high / low > DECADE
    scale = {"type": "log", "nice": False, "padding": 10} if log else {"domainMin": 0}
    ticks = {"values": log_ticks(low, high), "format": "~g"} if log else {"tickCount": 6}
    x = quantitative("seconds", "seconds of training", ticks, scale)
    axis = row_axis(labels, 150) | {"grid": True}
    y = nominal("label") | {"sort": labels, "axis": axis, "scale": {"domain": labels}}
    legend = {"orient": "top", "title": "first at", "symbolType": "circle", "symbolStrokeWidth": 0}
    hue = colour("target", targets, legend | {"symbolSize": 80})
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y, "color": hue}
    point = {"type": "point", "filled": True, "size": 60, "opacity": 1}
    layers = [
        layer(times, {"type": "rule", "strokeWidth": 1.4, "opacity": 0.6}, ranges),
        layer(times, point, {"x": x, "y": y, "color": hue}),
    ]
    return layered("seconds until each setting first reached an accuracy", 300, {"step": 22}, layers)
