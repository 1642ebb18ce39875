"""The report's tables: the settings, how they compare, and the layers of their networks."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dlx.metrics.catalogue import label_of
from dlx.report.comparison import Comparison
from dlx.report.comparison_text import sentence, verdict_cell
from dlx.report.curves import metric_of, split_of
from dlx.report.design import Design
from dlx.report.formats import Column, Table, write_csv
from dlx.report.summary import Summary
from dlx.report.text import (
    MISSING,
    visible,
    write_count,
    write_end,
    write_interval,
    write_metric,
    write_p,
    write_range,
    write_seconds,
    write_value,
)
from dlx.run.folds import find_folding
from dlx.run.result import STATUSES

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

Write = Callable[[dict[Any, Any]], str]  # a row of Summary.table -> its cell
Layer = tuple[str, str, str, int]  # name, module, output shape, parameters
ARCHITECTURES = 4  # tables of layers at most
LAYERS = 200  # rows of such a table at most
NUMBERS = (  # columns of comparisons.csv, by the name of their attribute
    *("pairs", "difference", "low", "high", "p", "p_holm", "p_equivalent", "verdict"),
)


def settings_table(analysis: "Analysis") -> Table:
    """Return the settings as text, with verdicts, without columns that are empty in every row."""
    summary = analysis.summary
    ranking, *others = _metric_columns(summary)
    parts = [*_setting_columns(analysis.design), ranking, *_verdict_columns(analysis), *others]
    cells = [[write(row) for _, write in parts] for row in summary.table.to_dict(orient="records")]
    kept = [index for index in range(len(parts)) if any(row[index] != MISSING for row in cells)]
    return Table(
        [parts[index][0] for index in kept],
        [[row[index] for index in kept] for row in cells],
        _notes(summary, folds=find_folding(analysis.data.settings.values()) is not None),
    )


def settings_csv(analysis: "Analysis") -> str:
    """Return every column of the summary at full precision, one row per setting; missing values are empty."""
    return write_csv(*settings_columns(analysis))


def settings_columns(analysis: "Analysis") -> tuple[Iterable[object], Iterable[Sequence[Any]]]:
    """Return the columns of table.csv and its rows."""
    table = analysis.summary.table.drop(columns="setting")
    return table.columns, table.itertuples(index=False, name=None)


def _setting_columns(design: Design) -> list[tuple[Column, Write]]:
    def value(key: str) -> Write:
        return lambda row: write_value(row[key])

    parts = [(Column(visible(design.names[key])), value(key)) for key in design.keys]
    parts = parts or [(Column("setting"), lambda row: str(row["label"]))]
    return [*parts, (Column("runs", numeric=True), _runs)]


def _metric_columns(summary: Summary) -> list[tuple[Column, Write]]:
    """Order by importance: the ranking metric at the last epoch, then at the best one, then the others."""
    metric = summary.metric
    others = _other_metrics(summary)
    by = f"by {summary.monitor}" if summary.monitor else "by its monitor"
    spread = "" if summary.exact else ", mean (95% interval)"

    def mean(metric: str) -> Write:
        return lambda row: write_metric(metric, row[f"{metric}_last_mean"])

    parts = [
        (
            Column(_short(metric), f"{summary.last_epoch}{spread}".strip(", "), 0, numeric=True),
            _estimate(metric, "last"),
        ),
        (Column(_short(metric), f"best epoch, {by}{spread}", 3, numeric=True), _estimate(metric, "best")),
        (
            Column("best epoch", by, 4, numeric=True),
            lambda row: write_range(row["best_epoch_min"], row["best_epoch_max"]),
        ),
    ]
    for rank, other in enumerate(others, start=5):
        if not summary.exact:  # on a surface all are the same value
            column = Column(_short(other), "last epoch, mean", min(rank, 7), numeric=True)
            parts.append((column, mean(other)))
    parts.append((Column("seconds", "mean", 7, numeric=True), lambda row: write_seconds(row["seconds_mean"])))
    return parts


def _other_metrics(summary: Summary) -> list[str]:
    """Return the metrics that are shown beside the one that ranks: of training, and on the same split."""
    metric = summary.metric
    quantity, split = metric_of(metric), "train" if split_of(metric) == "training" else "val"
    usual = f"{split}_{'loss' if quantity == 'accuracy' else 'accuracy'}"
    usual = usual if summary.measured(usual) else f"{split}_loss"
    recorded = [f"{split}_{name}" for name in summary.recorded]
    found = dict.fromkeys([f"train_{quantity}", usual, *recorded])
    return [each for each in found if each != metric and summary.measured(each)]


def _verdict_columns(analysis: "Analysis") -> list[tuple[Column, Write]]:
    """Return the groups of the answer, and the verdicts on a baseline."""
    comparisons, groups = analysis.comparisons, analysis.answer.groups
    words = {setting: MISSING if group == "untested" else group for setting, group in groups.items()}
    if set(words.values()) == {"best", MISSING}:  # nothing was tested
        words = {}
    columns: list[tuple[Column, Write]] = []
    if comparisons.against_best:
        columns.append((Column("against best", "", 1), lambda row: words.get(int(row["setting"]), MISSING)))
    if comparisons.against_baseline:
        write = _verdict(comparisons.against_baseline)
        columns.append((Column("against baseline", "", 2), write))
    return columns


def _verdict(compared: list[Comparison]) -> Write:
    cells = {each.setting: verdict_cell(each) for each in compared}
    if all(cell == MISSING for cell in cells.values()):
        return lambda row: MISSING  # noqa: ARG005
    cells |= {each.reference: "baseline" for each in compared}
    return lambda row: cells.get(int(row["setting"]), MISSING)


def _notes(summary: Summary, *, folds: bool) -> list[str]:
    if summary.exact:
        return [
            "Best first, by val loss after the last step. One epoch is one step; val loss is the value of f.",
            "The best epoch is the lowest point of the path. Nothing here is random.",
        ]
    incomplete = summary.table[["diverged", "failed"]].to_numpy().any()
    order = (
        f"Best first, by mean {label_of(summary.metric)}{' at the last epoch' if summary.last_epoch else ''}."
    )
    shared = ", wider because folds share training data" if folds else ""
    means = f"Means over completed runs; 95% confidence intervals (Student's t{shared})."
    others = " Diverged and failed runs are counted, but have no final value to average."
    by = f"by {summary.monitor}" if summary.monitor else "by each run's own monitor"
    picked = f"The best epoch is picked {by} on the same validation data, so its value is optimistic."
    notes = [f"{order} {means}{others if incomplete else ''}"]
    return [*notes, f"{picked} The last epoch is not picked."] if summary.last_epoch else notes


def _short(metric: str) -> str:
    return metric.replace("_", " ")


def _runs(row: dict[Any, Any]) -> str:
    """Write "3", or "2 of 3 diverged"."""
    incomplete = [f"{row[status]} {status}" for status in STATUSES[1:] if row[status]]
    return ", ".join(incomplete).replace(" ", f" of {row['runs']} ", 1) if incomplete else str(row["runs"])


def _estimate(metric: str, rule: str) -> Write:
    def write(row: dict[Any, Any]) -> str:
        mean, *ends = (row[f"{metric}_{rule}_{part}"] for part in ("mean", "low", "high"))
        interval = MISSING.join(write_end(metric, end) for end in ends)
        if row["collapsed"] and rule == "last":  # an interval for the mean of two kinds would say nothing
            interval = f"{row['collapsed']} of {row[f'{metric}_last_count']} collapsed"
        return write_metric(metric, mean) + (f" ({interval})" if math.isfinite(ends[0]) else "")

    return write


def comparisons_table(analysis: "Analysis") -> Table:
    """Return one row per comparison: those with the best, best first, then those with the baseline."""
    comparisons, labels = analysis.comparisons, analysis.design.labels
    columns = [
        Column("setting"),
        Column("against"),
        Column(f"{comparisons.unit}s", "completed by both", numeric=True),
        Column(f"difference in {_short(comparisons.metric)}", "last epoch, mean", numeric=True),
        Column("95% interval", "of the difference", numeric=True),
        Column("p", "paired t", numeric=True),
        Column("p", "corrected", numeric=True),
        Column("verdict"),
    ]
    rows = [
        [
            labels[each.setting],
            labels[each.reference],
            str(each.pairs),
            write_metric(comparisons.metric, each.difference),
            write_interval(comparisons.metric, each.low, each.high),
            write_p(each.p).removeprefix("p ").removeprefix("= "),
            write_p(each.p_holm).removeprefix("p ").removeprefix("= "),
            verdict_cell(each),
        ]
        for each in [*comparisons.against_best, *comparisons.against_baseline]
    ]
    return Table(columns, rows)


def comparisons_csv(analysis: "Analysis") -> str:
    """Return every comparison at full precision, with the labels of its settings."""
    return write_csv(*comparisons_columns(analysis))


def comparisons_columns(analysis: "Analysis") -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Return the columns of comparisons.csv and its rows."""
    comparisons, labels = analysis.comparisons, analysis.design.labels
    families = (("best", comparisons.against_best), ("baseline", comparisons.against_baseline))
    rows = [
        [
            *(labels[each.setting], labels[each.reference], reference),
            *(comparisons.metric, "last", comparisons.margin),
            *(getattr(each, name) for name in NUMBERS),
            sentence(each, labels, comparisons),
        ]
        for reference, compared in families
        for each in compared
    ]
    columns = ["setting", "reference", "reference_is", "metric", "rule", "margin", *NUMBERS, "sentence"]
    return columns, rows


def layer_tables(analysis: "Analysis") -> list[tuple[str, Table]]:
    """Return a heading and a table of layers for each of the first architectures, best setting first.

    Results without a list of layers, such as older ones, have no table.
    """
    of_setting: dict[int, tuple[Layer, ...]] = {}
    for run, layers in analysis.data.runs["layers"].items():
        setting = analysis.design.of_run[str(run)]
        if setting not in of_setting and (read := _read_layers(layers)):
            of_setting[setting] = tuple(read)
    labels_of: dict[tuple[Layer, ...], list[str]] = {}
    for setting, label in analysis.summary.table[["setting", "label"]].itertuples(index=False, name=None):
        if layers := of_setting.get(setting):
            labels_of.setdefault(layers, []).append(label)
    shown = list(labels_of.items())[:ARCHITECTURES]
    tables = [(_heading(labels, len(labels_of)), _layer_table(layers)) for layers, labels in shown]
    if hidden := len(labels_of) - len(shown):
        tables[-1][1].notes.append(f"{write_count(hidden, 'further architecture')} not shown.")
    return tables


def _heading(labels: list[str], architectures: int) -> str:
    if architectures == 1:
        return "all settings" if len(labels) > 1 else labels[0]
    more = f" and {write_count(len(labels) - 1, 'more setting')}" if len(labels) > 1 else ""
    return f"{labels[0]}{more}"


def _read_layers(layers: Any) -> list[Layer]:
    if not isinstance(layers, list):
        return []
    read = []
    for each in layers:
        if not isinstance(each, dict) or not isinstance(each.get("parameters"), int):
            return []
        shape = each.get("output_shape")
        text = " x ".join(map(str, shape)) if isinstance(shape, list) else write_value(shape)
        name, module = (visible(str(each.get(key, MISSING))) for key in ("layer", "module"))
        read.append((name, module, visible(text) or MISSING, each["parameters"]))
    return read


def _layer_table(layers: Sequence[Layer]) -> Table:
    columns = [Column("layer"), Column("module")]
    columns += [Column("output shape", numeric=True), Column("parameters", numeric=True)]
    rows = [[name, module, shape, f"{count:,}"] for name, module, shape, count in layers[:LAYERS]]
    rows.append(["total", "", "", f"{sum(count for *_, count in layers):,}"])
    notes = [f"The first {LAYERS} of {len(layers)} layers."] if len(layers) > LAYERS else []
    return Table(columns, rows, notes)
