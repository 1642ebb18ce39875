"""The summary as a table of text for people (terminal, Markdown, page) and as CSV at full precision."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dlx.report.aggregate import STATUSES, Summary
from dlx.report.comparison import Comparison, Comparisons
from dlx.report.findings import WORDS
from dlx.report.settings import Design
from dlx.report.text import (
    MISSING,
    visible,
    write_end,
    write_metric,
    write_range,
    write_seconds,
    write_value,
)
from dlx.report.wording import brief

Write = Callable[[dict[Any, Any]], str]


@dataclass(frozen=True)
class Column:
    """`rule` says which epoch and statistic the numbers are; `rank` 0 is never dropped for width."""

    heading: str
    rule: str
    rank: int
    numeric: bool


@dataclass(frozen=True)
class Table:
    """Text cells, one list a row, as wide as `columns`; `notes` say how to read them."""

    columns: list[Column]
    rows: list[list[str]]
    notes: list[str]


def tabulate(summary: Summary, layout: Design, comparisons: Comparisons | None = None) -> Table:
    """Write the summary as text, with verdicts if given, leaving out columns that are empty in every row."""
    ranking, *others = _metric_columns(summary)
    verdicts = _verdict_columns(comparisons) if comparisons else []
    parts = [*_setting_columns(layout), ranking, *verdicts, *others]
    cells = [[write(row) for _, write in parts] for row in summary.table.to_dict(orient="records")]
    kept = [place for place in range(len(parts)) if any(row[place] != MISSING for row in cells)]
    return Table(
        [parts[place][0] for place in kept],
        [[row[place] for place in kept] for row in cells],
        _notes(summary),
    )


def _setting_columns(layout: Design) -> list[tuple[Column, Write]]:
    parts: list[tuple[Column, Write]] = [
        (Column(visible(layout.names[key]), "", 0, numeric=False), _setting(key)) for key in layout.keys
    ]
    if not parts:
        parts.append((Column("setting", "", 0, numeric=False), lambda row: str(row["label"])))
    parts.append((Column("runs", "", 0, numeric=True), _runs))
    return parts


def _metric_columns(summary: Summary) -> list[tuple[Column, Write]]:
    """Order by what decides: the metric that ranks at the last epoch, then at the best one, then the rest."""
    metric = summary.metric
    split, quantity = metric.split("_")
    others = [f"train_{quantity}", f"{split}_{'loss' if quantity == 'accuracy' else 'accuracy'}"]
    by = f"by {summary.monitor}" if summary.monitor else "by its monitor"
    spread = "" if summary.exact else ", mean (95% interval)"
    parts = [
        (Column(_short(metric), f"last epoch{spread}", 0, numeric=True), _estimate(metric, "last")),
        (Column(_short(metric), f"best epoch, {by}{spread}", 3, numeric=True), _estimate(metric, "best")),
        (Column("best epoch", by, 4, numeric=True), _best_epoch),
    ]
    for rank, other in enumerate(dict.fromkeys(others), start=5):
        if other != metric and not summary.exact:  # there, training's is validation's of an epoch before
            parts.append((Column(_short(other), "last epoch, mean", rank, numeric=True), _mean(other)))
    return [
        *parts,
        (Column("seconds", "mean", 7, numeric=True), lambda row: write_seconds(row["seconds_mean"])),
    ]


def _verdict_columns(comparisons: Comparisons) -> list[tuple[Column, Write]]:
    columns = (("best", comparisons.against_best, 1), ("baseline", comparisons.against_baseline, 2))
    return [
        (Column(f"against {name}", "paired, Holm", rank, numeric=False), _verdict(compared, name))
        for name, compared, rank in columns
        if compared
    ]


def _verdict(compared: list[Comparison], reference: str) -> Write:
    by_setting = {each.setting: brief(each.verdict, each.pairs, each.further_seeds) for each in compared}
    if all(cell == MISSING for cell in by_setting.values()):
        return lambda row: MISSING  # noqa: ARG005
    return lambda row: by_setting.get(int(row["setting"]), reference)


def _notes(summary: Summary) -> list[str]:
    if summary.exact:
        return [
            "Best first, by val loss after the last step. An epoch is a step, and val loss the value of f.",
            "The best epoch is the lowest point of the path; nothing here is left to chance.",
        ]
    by = f"by {summary.monitor}" if summary.monitor else "by the run's own monitor"
    order = f"Best first, by mean {WORDS[summary.metric]} at the last epoch."
    means = "Means are over completed runs, intervals by Student's t, from 10 runs on by the bootstrap"
    others = "; diverged and failed runs are counted but have no final value to average."
    unlucky = summary.table[["diverged", "failed"]].to_numpy().any()
    flatters = (
        f"The best epoch is picked {by} on the validation data it is scored on, so its value flatters; "
        "the last epoch is not picked."
    )
    return [f"{order} {means}{others if unlucky else '.'}", flatters]


def _short(metric: str) -> str:
    return metric.replace("_", " ")


def _setting(key: str) -> Write:
    return lambda row: write_value(row[key])


def _runs(row: dict[Any, Any]) -> str:
    """Write "3", or "2 of 3 diverged"."""
    unlucky = [f"{row[status]} {status}" for status in STATUSES[1:] if row[status]]
    return ", ".join(unlucky).replace(" ", f" of {row['runs']} ", 1) if unlucky else str(row["runs"])


def _estimate(metric: str, rule: str) -> Write:
    def write(row: dict[Any, Any]) -> str:
        mean, *ends = (row[f"{metric}_{rule}_{part}"] for part in ("mean", "low", "high"))
        interval = MISSING.join(write_end(metric, end) for end in ends)
        return write_metric(metric, mean) + (f" ({interval})" if math.isfinite(ends[0]) else "")

    return write


def _mean(metric: str) -> Write:
    return lambda row: write_metric(metric, row[f"{metric}_last_mean"])


def _best_epoch(row: dict[Any, Any]) -> str:
    return write_range(row["best_epoch_min"], row["best_epoch_max"])


def to_markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, user-controlled text shown as it is."""
    headings = [
        f"{column.heading} ({column.rule})" if column.rule else column.heading for column in table.columns
    ]
    rules = ["--:" if column.numeric else ":--" for column in table.columns]
    rows = [[_escape_markdown(cell) for cell in row] for row in [headings, *table.rows]]
    lines = [f"| {' | '.join(cells)} |" for cells in [rows[0], rules, *rows[1:]]]
    return "\n".join([*lines, "", *(f"{note}\n" for note in table.notes)])


def _escape_markdown(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "\\|`*[" else letter for letter in text)


def to_csv(summary: Summary) -> str:
    """Return every column of the summary at full precision, one row a setting; missing is empty."""
    table = summary.table.drop(columns="setting")
    return write_csv(table.columns, table.itertuples(index=False, name=None))


def write_csv(columns: Iterable[object], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table as CSV: full precision, None and NaN empty, no text that runs as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_guard(str(name)) for name in columns)
    writer.writerows(_csv_cells(row) for row in rows)
    return text.getvalue()


def _csv_cells(row: Iterable[Any]) -> list[str]:
    cells = []
    for value in row:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            cells.append("")
        elif isinstance(value, str):
            cells.append(_guard(value))
        elif isinstance(value, bool | list | dict):
            cells.append(json.dumps(value))
        else:
            cells.append(str(value))
    return cells


def _guard(text: str) -> str:
    """Keep spreadsheets from running text as a formula (OWASP, "CSV injection")."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
