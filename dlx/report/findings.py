"""What the runs show, in plain words and never more: which setting is better, and whether to believe it.

A paragraph each: the best setting, how the others compare with it, the baseline, luck, held-out data, what
did not complete.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlx.report.aggregate import STATUSES, Summary
from dlx.report.chance import Chance
from dlx.report.comparison import Comparisons
from dlx.report.standing import against_baseline, against_best
from dlx.report.text import write_count, write_end, write_metric

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
}


def headline(
    summary: Summary, comparisons: Comparisons, chance: Chance | None = None, held_out: Sequence[str] = ()
) -> str:
    """Return the paragraphs, a line each."""
    rows = summary.table.to_dict(orient="records")
    mean = f"{summary.metric}_last_mean"
    ranked = [row for row in rows if row[mean] == row[mean]]
    if not ranked:
        return f"No run completed, so there is nothing to compare. {_unlucky(summary.table)}".strip()
    if summary.exact:
        return " ".join([*_heights(rows, ranked), _unlucky(summary.table)]).strip()
    paragraphs = [
        _best(summary, rows, ranked),
        against_best(comparisons, summary),
        against_baseline(comparisons, summary),
        " ".join(comparisons.notes),
        " ".join(_luck(chance, summary)) if chance else "",
        " ".join(held_out),
        _unlucky(summary.table),
    ]
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def _best(summary: Summary, rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]]) -> str:
    words, first = WORDS[summary.metric], ranked[0]
    if len(rows) == 1:
        said = f"{words.capitalize()} at the last epoch: {_estimate(summary, first)}."
    else:
        end = "Highest" if summary.higher else "Lowest"
        said = f"{end} mean {words} at the last epoch: {_estimate(summary, first, first['label'])}."
    if first[f"{summary.metric}_last_count"] == 1 and len(ranked) == 1:
        said += " One run cannot say how much another seed would change it."
    return said


def _heights(rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]]) -> list[str]:
    """Say where the paths over a surface end, of which no seed could make another."""
    ends = [row["val_loss_last_mean"] for row in ranked]
    written = [write_metric("val_loss", end) for end in ends]
    if len(rows) == 1:
        sentences = [f"Value of f after the last step: {written[0]}."]
    else:
        sentences = [f"Lowest value of f after the last step: {written[0]} with {ranked[0]['label']}."]
    if len(ranked) > 1:
        higher = write_metric("val_loss", ends[1] - ends[0])
        sentences.append(f"Next: {written[1]} with {ranked[1]['label']}, higher by {higher}.")
    lowest = min(ranked, key=lambda row: float(row["val_loss_best_mean"]))
    if lowest["val_loss_best_mean"] < ends[0]:
        best, step = write_metric("val_loss", lowest["val_loss_best_mean"]), int(lowest["best_epoch_min"])
        by = f" with {lowest['label']}" if len(rows) > 1 else ""
        sentences.append(f"Lowest on the way: {best}{by}, after step {step}.")
    return sentences


def _estimate(summary: Summary, row: dict[Any, Any], label: str = "") -> str:
    mean, low, high, count = (
        row[f"{summary.metric}_last_{part}"] for part in ("mean", "low", "high", "count")
    )
    runs = write_count(count, "run") if count == row["runs"] else f"{count} of {row['runs']} runs completed"
    ends = " to ".join(write_end(summary.metric, end) for end in (low, high))
    interval = f", 95% interval {ends}" if count > 1 else ""
    return f"{write_metric(summary.metric, mean)}{f' with {label}' if label else ''} ({runs}{interval})"


def _luck(chance: Chance, summary: Summary) -> list[str]:
    """Say whose luck the best score is, and by how much the choice flatters it."""
    metric, said = summary.metric, []
    if chance.noise:
        seed, sample = (write_metric(metric, std) for std in (chance.noise.seed_std, chance.noise.sample_std))
        said.append(
            f"Luck (standard deviations): another seed moves a run of the best setting by {seed}, "
            f"another {chance.noise.sample_count:,} validation samples by {sample}."
        )
    if chance.apart:
        moved = write_metric(metric, math.sqrt(chance.apart.samples / chance.apart.sample_count))
        said.append(
            "The tests speak of other seeds on these validation samples; other samples would move its lead "
            f"by {moved}, however many seeds there are."
        )
    if chance.flattery == chance.flattery:
        counts = (("seeds", chance.seeds), ("validation samples", chance.samples))
        halves = " and ".join(word for word, count in counts if count > 1)
        said.append(
            f"Having been picked from {chance.settings} flatters its score by about "
            f"{write_metric(metric, chance.flattery)} (picked on random halves of the {halves}, scored on "
            "the others)."
        )
    return said


def _unlucky(table: "pd.DataFrame") -> str:
    runs = int(table["runs"].sum())
    counts = {status: int(table[status].sum()) for status in STATUSES[1:]}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"Of {write_count(runs, 'run')}, {' and '.join(parts)}." if parts else ""
