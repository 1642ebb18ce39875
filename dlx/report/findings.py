"""What the table shows, in plain words and never more than the runs show."""

from typing import TYPE_CHECKING, Any

from dlx.report.aggregate import STATUSES, Summary
from dlx.report.text import write_count, write_metric

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
}


def headline(summary: Summary) -> str:
    """Name the first setting, the second, how far apart they are, and what did not complete."""
    rows = summary.table.to_dict(orient="records")
    mean = f"{summary.metric}_last_mean"
    ranked = [row for row in rows if row[mean] == row[mean]]
    if not ranked:
        return f"No run completed, so there is nothing to compare. {_unlucky(summary.table)}".strip()
    if summary.exact:
        return " ".join([*_heights(rows, ranked), _unlucky(summary.table)]).strip()
    words = WORDS[summary.metric]
    first = ranked[0]
    if len(rows) == 1:
        sentences = [f"{words.capitalize()} at the last epoch: {_estimate(summary, first, named=False)}."]
    else:
        end = "Highest" if summary.higher else "Lowest"
        sentences = [f"{end} mean {words} at the last epoch: {_estimate(summary, first)}."]
    if len(ranked) > 1:
        sentences.append(f"Next: {_estimate(summary, ranked[1])}.")
        sentences.append(_distance(summary, first, ranked[1]))
    elif first[f"{summary.metric}_last_count"] == 1:
        sentences.append("One run cannot say how much another seed would change it.")
    return " ".join([*sentences, _unlucky(summary.table)]).strip()


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


def _estimate(summary: Summary, row: dict[Any, Any], *, named: bool = True) -> str:
    mean, std = row[f"{summary.metric}_last_mean"], row[f"{summary.metric}_last_std"]
    count = int(row[f"{summary.metric}_last_count"])
    spread = f" ± {write_metric(summary.metric, std)}" if count > 1 else ""
    runs = write_count(count, "run") if count == row["runs"] else f"{count} of {row['runs']} runs completed"
    label = f" with {row['label']}" if named else ""
    return f"{write_metric(summary.metric, mean)}{spread}{label} ({runs})"


def _distance(summary: Summary, first: dict[Any, Any], second: dict[Any, Any]) -> str:
    """Set the difference of two means beside the spread of seeds, which is a hint and no test."""
    metric = summary.metric
    difference = abs(first[f"{metric}_last_mean"] - second[f"{metric}_last_mean"])
    apart = f"differ by {write_metric(metric, difference)}"
    if min(first[f"{metric}_last_count"], second[f"{metric}_last_count"]) < 2:
        return f"They {apart}; with a single run on a side, nothing here says how much of that is chance."
    spread = max(first[f"{metric}_last_std"], second[f"{metric}_last_std"])
    size = "more" if difference > spread else "no more"
    return (
        f"The means {apart}, {size} than the larger standard deviation over seeds "
        f"({write_metric(metric, spread)}); no statistical test has been made."
    )


def _unlucky(table: "pd.DataFrame") -> str:
    runs = int(table["runs"].sum())
    counts = {status: int(table[status].sum()) for status in STATUSES[1:]}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"Of {write_count(runs, 'run')}, {' and '.join(parts)}." if parts else ""
