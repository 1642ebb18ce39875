"""The runs one by one, the settings they share, and the study in a few counts: text for the page."""

import math
from dataclasses import dataclass
from typing import Any

from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.tables import Column, Table
from dlx.report.text import MISSING, visible, write_count, write_metric, write_seconds, write_value


@dataclass(frozen=True)
class Listing:
    """What to list: `facts` counts in words, `runs` a row a run in the table's order, the rest in pairs."""

    facts: list[str]
    runs: Table
    shared: list[tuple[str, str]]
    implied: list[tuple[str, str]]
    left_out: list[tuple[str, str]]
    running: list[tuple[str, str]]
    torch: str


def list_runs(study: StudyData, layout: Design, summary: Summary) -> Listing:
    """Write out every run and what all runs have in common."""
    return Listing(
        _facts(study, layout),
        _runs(study, layout, summary.metric, ordered(study, layout, summary)),
        [(visible(key), write_value(value)) for key, value in layout.shared.items()],
        [(visible(key), text) for key, text in layout.implied.items()],
        [(visible(run), visible(reason)) for run, reason in study.left_out.items()],
        [(visible(run), visible(progress)) for run, progress in study.running.items()],
        ", ".join(sorted({visible(version) for version in study.runs["torch"].dropna()})),
    )


def ordered(study: StudyData, layout: Design, summary: Summary) -> list[dict[Any, Any]]:
    """Return the rows of `study.runs` as they are listed: in the order of the table, then by name."""
    rank = {setting: place for place, setting in enumerate(summary.table["setting"])}
    records = study.runs.reset_index().to_dict(orient="records")
    return sorted(records, key=lambda row: (rank[layout.of_run[row["run"]]], row["run"]))


def _runs(study: StudyData, layout: Design, metric: str, records: list[dict[Any, Any]]) -> Table:
    seeds = layout.seeds or ["seed"]
    columns = [
        Column("run", "", 0, numeric=False),
        Column("setting", "", 0, numeric=False),
        *(Column(visible(key), "", 0, numeric=True) for key in seeds),
        Column("status", "", 0, numeric=False),
        Column(metric.replace("_", " "), "last epoch", 0, numeric=True),
        Column("last epoch", "", 0, numeric=True),
        Column(metric.replace("_", " "), "best epoch", 0, numeric=True),
        Column("best epoch", "", 0, numeric=True),
        Column("seconds", "", 0, numeric=True),
        Column("device", "", 0, numeric=False),
    ]
    rows = [
        [
            visible(row["run"]),
            layout.labels[layout.of_run[row["run"]]],
            *(write_value(study.settings[row["run"]].get(key)) for key in seeds),
            _status(row),
            write_metric(metric, row[f"{metric}_last"]),
            _epoch(row["last_epoch"]),
            write_metric(metric, row[f"{metric}_best"]),
            _epoch(row["best_epoch"]),
            write_seconds(row["seconds"]),
            write_value(row["device"]),
        ]
        for row in records
    ]
    return Table(columns, rows, [])


def _facts(study: StudyData, layout: Design) -> list[str]:
    facts = [write_count(len(study.runs), "run"), write_count(len(layout.rows), "setting")]
    counts = study.runs["status"].value_counts()
    facts += [f"{counts[status]} {status}" for status in ("diverged", "failed") if status in counts]
    if study.running:
        facts.append(f"{len(study.running)} running")
    if study.left_out:
        facts.append(f"{len(study.left_out)} left out")
    if layout.seeds:
        facts.append(f"averaged over {', '.join(visible(key) for key in layout.seeds)}")
    return facts


def _status(row: dict[Any, Any]) -> str:
    words = str(row["status"])
    if row["stopped_early"]:
        words += ", stopped early"
    return f"{words}: {visible(row['error'])}" if isinstance(row["error"], str) else words


def _epoch(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else MISSING
