"""Results against a swept number: a chart for each key, a line for each combination of the other keys."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dlx.metrics.catalogue import label_of
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.design import Design, label
from dlx.report.plots.style import (
    COLOURS,
    DECADE,
    GREY,
    chart,
    colour,
    heading,
    layer,
    legend_below,
    log_ticks,
    nominal,
    quantitative,
)
from dlx.report.summary import Summary
from dlx.report.text import visible, write_count
from dlx.run.probes import STEPS, read_steps

KEYS = 6  # at most, one chart each; with more keys, the table is easier to read
VALUES = 3  # of a key, at least: two points are not a curve
TICKS = 8
LONG = 1e5  # from here, ticks are written as powers
FINAL_STEPS = 100  # over which the source experiment averages its final loss
MOST_RUNS = 200  # whose steps.csv are read for the final loss; a large one takes 20 ms


@dataclass(frozen=True)
class SweptKey:
    """The results against one key.

    `heading`: the key's short name. `word`: the word before its numbers ("normal:"), or "".
    `frame`: columns `value line measure mean low high n`, a row for each completed setting and measure.
    `measures`: their columns in `final_results`, and the titles of their axes.
    `lines`: those with two or more values, the one with the best setting first; a setting on none has "".
    `scale`: linear, log, or symlog, which can show 0; its unit is `smallest`, the smallest positive value.
    `spans`: the lowest and highest value by measure; those of the last and the best epoch are the same.
    `ticks`: for the measures with a logarithmic axis. `missing`: the number of settings without a completed
    run.
    """

    heading: str
    word: str
    frame: pd.DataFrame
    measures: dict[str, str]
    lines: list[str]
    scale: str
    smallest: float
    spans: dict[str, tuple[float, float]]
    ticks: dict[str, list[float]]
    missing: int


def results_by_value(analysis: Analysis) -> list[Chart]:
    """Draw a chart for each of the first six keys that take at least three numbers."""
    design = analysis.design
    keys = [key for key in design.keys if len(set(numeric_values(design, key).values())) >= VALUES]
    if not keys:
        return []
    results = final_results(analysis)
    charts: list[Chart] = []
    for index, key in enumerate(keys[:KEYS]):
        swept = against_key(analysis, key, results)
        if swept.frame.empty:
            continue
        stem = re.sub(r"[^a-zA-Z0-9]+", "_", key).strip("_")[:60] or "key"
        name = f"swept_{stem}"
        if any(chart.name == name for chart in charts):
            name += f"_{index}"
        caption = _caption(swept, analysis.summary)
        charts.append(Chart(name, f"Results against {swept.heading}", caption, points(swept), wide=True))
    return charts


def numeric_values(design: Design, key: str) -> dict[int, tuple[str, float]]:
    """Return each setting's number for `key` and the word before it ("normal:0.01").

    If several words occur, return only the numbers with the most frequent one.
    """
    numbers = {setting: _number(row[key]) for setting, row in enumerate(design.rows)}
    read = {setting: number for setting, number in numbers.items() if number}
    words = [word for word, _ in read.values()]
    commonest = max(dict.fromkeys(words), key=words.count, default="")
    return {setting: number for setting, number in read.items() if number[0] == commonest}


def _number(value: Any) -> tuple[str, float] | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return "", float(value)
    match = (
        re.fullmatch(r"([a-z_]+:)([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)", value) if isinstance(value, str) else None
    )
    try:
        return (match[1], float(match[2])) if match else None
    except ValueError:  # 1.2.3
        return None


def measures(summary: Summary) -> dict[str, str]:
    """Return the columns of `final_results` with the titles of their axes."""
    result = "value of f" if summary.exact else label_of(summary.metric)
    return {
        f"{summary.metric}_last": f"{result}, last epoch",
        f"{summary.metric}_best": f"{result}, best epoch",
        "train_accuracy_highest": "training accuracy, highest",
        "final_loss": "training loss, last epoch",
        "final_step_loss": f"training loss, last {write_count(FINAL_STEPS, 'step')}",
    }


def final_results(analysis: Analysis) -> pd.DataFrame:
    """Return a row for each completed run and a column for each of `measures` (NaN where unknown).

    The highest training accuracy of any epoch is that measured at the epoch's end (`train_end_accuracy`) if
    it was recorded, otherwise the mean over the epoch's steps. The final loss is the mean of the last hundred
    steps if every run recorded its steps, otherwise that of the last epoch.
    """
    metric, histories = analysis.summary.metric, analysis.data.histories
    runs = analysis.data.runs[analysis.data.runs["status"] == "completed"]
    measured = "train_end_accuracy" in histories and histories["train_end_accuracy"].notna().any()
    column = "train_end_accuracy" if measured else "train_accuracy"
    values = {name: runs[name] for name in (f"{metric}_last", f"{metric}_best")}
    values["train_accuracy_highest"] = histories.groupby("run")[column].max().reindex(runs.index)
    losses = _step_losses({str(run): Path(folder) for run, folder in runs["folder"].items()})
    name = "final_step_loss" if losses else "final_loss"
    values[name] = pd.Series(losses).reindex(runs.index) if losses else runs["train_loss_last"]
    frame = pd.DataFrame(values).astype("float64")
    return frame.where(frame.abs() < float("inf"))


def _step_losses(folders: dict[str, Path]) -> dict[str, float]:
    """Return each run's mean loss over the last hundred steps, or {} if any run has no readable steps."""
    if len(folders) > MOST_RUNS or not all((folder / STEPS).is_file() for folder in folders.values()):
        return {}
    losses = {}
    for run, folder in folders.items():
        try:
            table = read_steps(folder)
        except (ValueError, OSError):
            return {}  # `loss_by_step` names the damaged file
        if table is None or table.empty:
            return {}
        losses[run] = float(table["loss"].tail(FINAL_STEPS).mean())
    return losses


def against_key(analysis: Analysis, key: str, results: pd.DataFrame) -> SweptKey:
    """Average each setting's `final_results`, and add its number and its line."""
    design, summary = analysis.design, analysis.summary
    given = numeric_values(design, key)
    numbers = {setting: number for setting, (_, number) in given.items()}
    others = [other for other in design.keys if other != key]
    line_of = {
        setting: label({other: design.rows[setting][other] for other in others}, design.names)
        for setting in given
    }
    tall = results.assign(setting=results.index.map(design.of_run)).melt("setting", var_name="measure")
    tall = tall[tall["setting"].isin(list(given))].dropna(subset="value")
    grouped = tall.groupby(["setting", "measure"])["value"]
    estimates = grouped.agg(mean="mean", low="min", high="max", n="count").reset_index()
    frame = estimates.assign(
        value=estimates["setting"].map(numbers), line=estimates["setting"].map(line_of)
    ).sort_values("value", kind="stable")
    values_of_line = frame.groupby("line")["value"].nunique()
    order = dict.fromkeys(line_of[setting] for setting in summary.table["setting"] if setting in line_of)
    lines = [line for line in order if values_of_line.get(line, 0) > 1]
    frame["line"] = frame["line"].where(frame["line"].isin(lines), "")
    shown = measures(summary)
    ends = frame.groupby(frame["measure"].map(_axis_of)).agg({"low": "min", "high": "max"})
    spans = {name: (float(low), float(high)) for name, low, high in ends.itertuples()}
    spans = {name: spans[_axis_of(name)] for name in shown if _axis_of(name) in spans}
    return SweptKey(
        heading=visible(design.names[key]),
        word=next(iter(given.values()))[0],
        frame=frame,
        measures={name: title for name, title in shown.items() if (frame["measure"] == name).any()},
        lines=lines,
        scale=_scale([*numbers.values()]),
        smallest=min((number for number in numbers.values() if number > 0), default=1.0),
        spans=spans,
        ticks={name: log_ticks(*ends) for name, ends in spans.items() if 0 < ends[0] < ends[1] / 100},
        missing=len(given) - frame["setting"].nunique(),
    )


def _axis_of(measure: str) -> str:
    """Return the name of a measure's axis: last and best epoch share one."""
    return measure.removesuffix("_last").removesuffix("_best")


def _scale(values: list[float]) -> str:
    above = [value for value in values if value > 0]
    if min(values) < 0 or not above or max(above) / min(above) <= DECADE:
        return "linear"
    return "symlog" if 0 in values else "log"


def points(swept: SweptKey) -> Spec:
    """Draw a panel for each measure, side by side: means, ranges over seeds, and the lines."""
    lines = swept.lines[: len(COLOURS)]
    legend = legend_below(lines, wide=True) if len(swept.lines) > 1 else None
    named, alone = swept.frame["line"].isin(lines), swept.frame["line"] == ""
    looks = (
        (~named & ~alone, {"color": {"value": GREY}, "detail": nominal("line")}, 0.8),
        (alone, {"color": {"value": GREY if lines else COLOURS[0]}}, 0.0),
        (named, {"color": colour("line", lines, legend)}, 1.8),
    )
    panels = []
    for measure, title in swept.measures.items():
        of_measure = swept.frame["measure"] == measure
        x, y = _x_axis(swept), _y_axis(swept, measure)
        layers = []
        for chosen, encoding, width in looks:
            part = swept.frame[of_measure & chosen]
            along = {"x": x, "y": y} | encoding
            ranges = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}} | encoding
            layers += [
                layer(part[part["n"] > 1], {"type": "rule", "strokeWidth": 1.2, "opacity": 0.6}, ranges),
                layer(part if width else part[:0], {"type": "line", "strokeWidth": width}, along),
                layer(part, {"type": "point", "filled": True, "size": 26, "opacity": 1}, along),
            ]
        drawn = [each for each in layers if each["data"]["values"]]
        width = (960 - 44 * len(swept.measures)) // len(swept.measures)
        drawn.append(heading(title, width + 30, bold=False))
        panels.append({"width": width, "height": 190, "layer": drawn})
    return chart(f"results against {swept.heading}", {"hconcat": panels, "spacing": 44})


def _y_axis(swept: SweptKey, measure: str) -> Spec:
    domain = list(swept.spans[measure])
    if measure not in swept.ticks:
        return quantitative("mean", None, {"tickCount": 5}, {"domain": domain, "nice": True, "zero": False})
    values = swept.ticks[measure]
    ticks = {"values": values, "format": "~e" if max(values) >= LONG else "~g"}
    return quantitative("mean", None, ticks, {"type": "log", "domain": domain, "nice": False})


def _x_axis(swept: SweptKey) -> Spec:
    scale: Spec = {"type": swept.scale, "nice": False, "padding": 8}
    more: dict[str, Spec] = {"linear": {"zero": False}, "symlog": {"constant": swept.smallest}}
    scale |= more.get(swept.scale, {})
    given = sorted(set(swept.frame["value"]))
    ticks: Spec = {"grid": False, "labelOverlap": "greedy", "tickCount": 5}
    if len(given) <= TICKS or swept.scale == "symlog":
        ticks |= {"values": given, "format": "~g"}
    elif swept.scale == "log":
        ticks |= {"values": log_ticks(given[0], given[-1]), "format": "~g"}
    title = f"{swept.heading} ({swept.word}…)" if swept.word else swept.heading
    return quantitative("value", title, ticks, scale)


def _caption(swept: SweptKey, summary: Summary) -> str:
    several = bool((swept.frame["n"] > 1).any())
    sentences = [
        "Points are means over a setting's completed runs; vertical bars span the lowest to the highest run"
        if several
        else "Each point is a single run"
    ]
    sentences.append(f"The best epoch is picked by {summary.monitor or 'the monitor of each run'}")
    if len(swept.lines) > len(COLOURS):
        rest = len(swept.lines) - len(COLOURS)
        sentences.append(f"The first {len(COLOURS)} lines are in colour, {rest} more are thin and grey")
    if swept.scale != "linear":
        zero = ", and also shows 0" if swept.scale == "symlog" else ""
        sentences.append(f"The axis of {swept.heading} is logarithmic{zero}")
    if swept.missing:
        sentences.append(f"Not shown: {write_count(swept.missing, 'setting')} without a completed run")
    return ". ".join(sentences) + "."
