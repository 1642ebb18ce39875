"""The picture of the answer: settings as dots with intervals, best first, below what was found about them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.metrics.catalogue import is_share, label_of
from dlx.report.analysis import Analysis
from dlx.report.answer import Group
from dlx.report.charts import Chart
from dlx.report.curves import Axis
from dlx.report.plots.dot_rows import COLOUR_OF, Rows, dots
from dlx.report.plots.effects import effects
from dlx.report.plots.panels import DECADES
from dlx.report.plots.style import log_ticks
from dlx.report.text import write_count, write_end, write_metric

NAME = "answer"
ROWS = 12  # settings at most: with three headings they leave room for findings on a first screen
CUT = 10.0  # an axis is cut if it would be this many times as long as the better half of the settings needs
KEPT = 4.0  # times that length are kept
SAME = 1e-6  # of a value: closer ones are drawn as one, as their axis could not be read
IN_WORDS = {"best": "tied", "undecided": "undecided", "worse": "worse", "untested": "not compared"}


def answer_chart(analysis: Analysis) -> Chart | None:
    """Draw what the report's first sentence says; None if there are fewer than two settings to draw.

    The page has this picture alone on its first screen; an answer of another kind brings its own here.
    """
    if analysis.answer.by_effects:
        return effects(analysis)[0]
    rows = rows_of_answer(analysis)
    if len(rows.settings) < 2:
        return None
    axis = find_axis(rows, higher=analysis.summary.higher)
    caption = _caption(analysis, rows, axis)
    description = analysis.answer.sentence if analysis.findings else caption
    spec = dots(rows, axis, _title(analysis), description)
    return Chart(NAME, "Settings, best first", caption, spec, wide=True, live=True)


def rows_of_answer(analysis: Analysis) -> Rows:
    """Collect the first settings, their runs, and the headings of their groups."""
    summary, metric = analysis.summary, analysis.summary.metric
    table = summary.table[np.isfinite(summary.table[f"{metric}_last_mean"])]
    groups = drawn_groups(analysis.answer.groups, table["setting"].tolist())
    order = [group for group in COLOUR_OF if group in groups.values()]
    table = table.assign(group=table["setting"].map(groups))
    table = table.sort_values("group", key=lambda column: column.map(order.index), kind="stable")
    counts = Counter(table["group"])
    shown = table.head(ROWS)
    columns = {part: shown[f"{metric}_last_{part}"] for part in ("mean", "low", "high")}
    settings = shown[["label", "group"]].assign(**columns)
    if is_share(metric):
        settings = settings.assign(low=settings["low"].clip(0, 1), high=settings["high"].clip(0, 1))
    texts = [write_metric(metric, mean) for mean in settings["mean"]]
    tips = [_tooltip(metric, row) for row in shown.to_dict(orient="records")]
    rest = counts - Counter(shown["group"])
    return Rows(
        settings.assign(text=texts, tooltip=tips),
        _runs(analysis, dict(zip(shown["setting"], shown["group"], strict=True))),
        _headings(analysis, counts, list(dict.fromkeys(shown["group"]))) if order != ["untested"] else {},
        _more(rest, named=order != ["untested"]),
    )


def drawn_groups(groups: Mapping[int, Group], settings: list[int]) -> dict[int, str]:
    """Return each setting's group in the picture: tied ones stand with the best, and all alike untested."""
    if not groups or set(groups.values()) == {"best", "untested"}:
        return dict.fromkeys(settings, "untested")
    return {setting: "best" if groups[setting] == "tied" else groups[setting] for setting in settings}


def _headings(analysis: Analysis, counts: Counter[str], shown: Sequence[str]) -> dict[str, str]:
    """Name the shown groups; the best mean alone is not called best while others may be as good."""
    found = Counter(analysis.answer.groups.values())
    if found["tied"]:
        best = f"Best or tied ({counts['best']})"
    elif found["undecided"] or found["untested"]:
        best = "Scored best"
    else:
        best = "Best"
    texts = {
        "best": best,
        "undecided": f"Undecided: not shown to be worse ({counts['undecided']})",
        "worse": f"Worse ({counts['worse']})",
        "untested": f"Not compared ({counts['untested']})",
    }
    return {group: texts[group] for group in shown}


def _more(rest: Counter[str], *, named: bool) -> str:
    if not rest:
        return ""
    parts = ", ".join(f"{rest[group]} {word}" for group, word in IN_WORDS.items() if rest[group])
    return f"{rest.total()} more" + (f": {parts}" if named else "")


def _runs(analysis: Analysis, groups: Mapping[int, str]) -> pd.DataFrame:
    design, metric = analysis.design, analysis.summary.metric
    completed = analysis.data.runs[analysis.data.runs["status"] == "completed"]
    values = completed[f"{metric}_last"].astype("float64")
    rows = [
        (design.labels[design.of_run[run]], groups[design.of_run[run]], value)
        for run, value in zip(completed.index.map(str), values, strict=True)
        if design.of_run[run] in groups and math.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=["label", "group", "value"])


def _tooltip(metric: str, row: Mapping[str, float]) -> str:
    mean, low, high, count = (row[f"{metric}_last_{part}"] for part in ("mean", "low", "high", "count"))
    said = f"{write_metric(metric, mean)}, {write_count(int(count), 'run')}"
    if not math.isfinite(low):
        return said
    return f"mean {said}, 95% interval {write_end(metric, low)} to {write_end(metric, high)}"


def find_axis(rows: Rows, *, higher: bool) -> Axis:
    """Return an axis that shows the better half of the settings well; it ends early at far worse values."""
    sign, settings = 1 if higher else -1, rows.settings
    half = settings.iloc[(-sign * settings["mean"]).argsort()].head(max(2, (len(settings) + 1) // 2))
    log = bool(half["mean"].min() > 0 and half["mean"].max() > DECADES * half["mean"].min())
    near = sign * _along(half, log=log)
    every = sign * np.concatenate([_along(settings, log=log), _along(rows.runs, log=log)])
    best, worst = every.max(), every.min()
    needed = best - near.min()
    cut = bool(0 < needed * CUT < best - worst)
    if cut:
        worst = best - KEPT * needed
    low, high = sorted((sign * best, sign * worst))
    equal = high - low <= SAME * abs(high)
    margin = (0.01 * abs(high) or 0.01) if equal else 0.03 * (high - low)
    low, high = low - margin, high + margin
    if log:
        low, high = 10**low, 10**high
    return Axis(low, high, log, cut, tuple(log_ticks(low, high)) if log else ())


def _along(frame: pd.DataFrame, *, log: bool) -> NDArray[np.float64]:
    """Return the finite numbers of a table as positions along the axis."""
    numbers = frame.select_dtypes("float64").to_numpy().ravel()
    finite: NDArray[np.float64] = numbers[np.isfinite(numbers)]
    return np.log10(finite[finite > 0]) if log else finite


def _title(analysis: Analysis) -> str:
    if analysis.summary.exact:
        return "value of f after the last step"
    summary = analysis.summary
    return f"{label_of(summary.metric)}, {summary.last_epoch}".strip(", ")


def _caption(analysis: Analysis, rows: Rows, axis: Axis) -> str:
    """Say what the marks are, in words that need no course in statistics."""
    metric = label_of(analysis.summary.metric)
    if analysis.summary.exact:
        said = ["Each dot is the value of f after the last step."]
    elif rows.runs["label"].duplicated().any():
        said = [f"Dots are means of {metric} over runs, faint dots single runs."]
    else:
        said = [f"Each dot is the {metric} of one run."]
    if np.isfinite(rows.settings["low"]).any():
        said.append("Lines are 95% confidence intervals of the mean.")
        if "best" in rows.headings and np.isfinite(rows.settings["low"].iloc[0]):
            said.append(
                "The first line is paler: that setting was picked for its score, so the score is optimistic."
            )
    if is_share(analysis.summary.metric):
        said.append("A point is 0.01.")
    if axis.cut:
        said.append("Triangles at the edge stand for values further out.")
    if axis.log:
        said.append("The axis is logarithmic.")
    return " ".join(said)
