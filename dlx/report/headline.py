"""The answer in words: the best setting, how the others compare, how certain that is, held-out results."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.report.comparison_text import against_baseline, against_best
from dlx.report.load import STATUSES
from dlx.report.summary import Summary
from dlx.report.text import METRIC_NAMES, visible, write_count, write_end, write_metric
from dlx.report.uncertainty import Uncertainty, estimate_uncertainty
from dlx.run.evaluations import Evaluation, read_evaluations
from dlx.stats.intervals import wilson

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.analysis import Analysis

HELD_OUT = "test"


def write_headline(analysis: "Analysis") -> str:
    """Return the answer, one paragraph per line."""
    summary = analysis.summary
    rows = summary.table.to_dict(orient="records")
    mean = f"{summary.metric}_last_mean"
    ranked = [row for row in rows if row[mean] == row[mean]]
    if not ranked:
        return f"No run completed, so there is nothing to compare. {_incomplete(summary.table)}".strip()
    if summary.exact:
        return " ".join([*_lowest_values(rows, ranked), _incomplete(summary.table)]).strip()
    uncertainty = estimate_uncertainty(analysis)
    paragraphs = [
        _best(summary, rows, ranked),
        against_best(analysis),
        against_baseline(analysis),
        " ".join(analysis.comparisons.notes),
        " ".join(_uncertainty(uncertainty, summary)) if uncertainty else "",
        " ".join(held_out_results(analysis)),
        _incomplete(summary.table),
    ]
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def _best(summary: Summary, rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]]) -> str:
    name, first = METRIC_NAMES[summary.metric], ranked[0]
    if len(rows) == 1:
        said = f"{name.capitalize()} at the last epoch: {_estimate(summary, first)}."
    else:
        end = "Highest" if summary.higher else "Lowest"
        said = f"{end} mean {name} at the last epoch: {_estimate(summary, first, first['label'])}."
    if first[f"{summary.metric}_last_count"] == 1 and len(ranked) == 1:
        said += " With a single run, the variation between seeds cannot be estimated."
    return said


def _lowest_values(rows: list[dict[Any, Any]], ranked: list[dict[Any, Any]]) -> list[str]:
    """Say where the paths over a surface end; they do not depend on a seed."""
    ends = [row["val_loss_last_mean"] for row in ranked]
    written = [write_metric("val_loss", end) for end in ends]
    if len(rows) == 1:
        sentences = [f"Value of f after the last step: {written[0]}."]
    else:
        sentences = [f"Lowest value of f after the last step: {written[0]} with {ranked[0]['label']}."]
    if len(ranked) > 1:
        higher = write_metric("val_loss", ends[1] - ends[0])
        sentences.append(f"Next lowest: {written[1]} with {ranked[1]['label']}, higher by {higher}.")
    lowest = min(ranked, key=lambda row: float(row["val_loss_best_mean"]))
    if lowest["val_loss_best_mean"] < ends[0]:
        best, step = write_metric("val_loss", lowest["val_loss_best_mean"]), int(lowest["best_epoch_min"])
        label = f" with {lowest['label']}" if len(rows) > 1 else ""
        sentences.append(f"Lowest value on the way: {best}{label}, after step {step}.")
    return sentences


def _estimate(summary: Summary, row: dict[Any, Any], label: str = "") -> str:
    mean, low, high, count = (
        row[f"{summary.metric}_last_{part}"] for part in ("mean", "low", "high", "count")
    )
    runs = write_count(count, "run") if count == row["runs"] else f"{count} of {row['runs']} runs completed"
    ends = " to ".join(write_end(summary.metric, end) for end in (low, high))
    interval = f", 95% interval {ends}" if count > 1 else ""
    return f"{write_metric(summary.metric, mean)}{f' with {label}' if label else ''} ({runs}{interval})"


def _uncertainty(uncertainty: Uncertainty, summary: Summary) -> list[str]:
    """Say how the best score varies with seeds and samples, and how biased it is by being picked."""
    metric, said = summary.metric, []
    if best := uncertainty.of_best:
        seed, sample = (write_metric(metric, std) for std in (best.seed_std, best.sample_std))
        said.append(
            f"The best setting's score varies between seeds (standard deviation {seed}) and between sets of "
            f"{best.sample_count:,} validation samples ({sample})."
        )
    if lead := uncertainty.of_lead:
        std = write_metric(metric, math.sqrt(lead.samples / lead.sample_count))
        said.append(
            "The tests cover other seeds but the same validation samples. Between sets of samples its lead "
            f"varies with a standard deviation of {std}, however many seeds there are."
        )
    if not math.isnan(uncertainty.selection_bias):
        counts = (("seeds", uncertainty.seeds), ("validation samples", uncertainty.samples))
        halves = " and ".join(name for name, count in counts if count > 1)
        said.append(
            f"Because it was picked as the best of {uncertainty.settings}, its score is probably about "
            f"{write_metric(metric, uncertainty.selection_bias)} too {'high' if summary.higher else 'low'}. "
            f"This is estimated by picking on random halves of the {halves} and scoring on the others."
        )
    return said


def _incomplete(table: "pd.DataFrame") -> str:
    runs = int(table["runs"].sum())
    counts = {status: int(table[status].sum()) for status in STATUSES[1:]}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"Of {write_count(runs, 'run')}, {' and '.join(parts)}." if parts else ""


def held_out_results(analysis: "Analysis") -> list[str]:
    """Say what `dlx evaluate` last found on the test split, and how often it was used; [] if never."""
    design = analysis.design
    evaluations: list[tuple[str, Evaluation]] = []
    sentences = []
    for run, folder in analysis.data.runs["folder"].items():
        try:
            recorded = read_evaluations(Path(folder))
        except (ValueError, OSError) as error:
            sentences.append(f"Recorded evaluations cannot be read: {visible(str(error))}.")
            continue
        evaluations += [(str(run), each) for each in recorded if each.split == HELD_OUT]
    if not evaluations:
        return sentences
    run, last = max(evaluations, key=lambda pair: pair[1].time)
    setting = design.of_run[run]
    best = setting == analysis.summary.table["setting"].iloc[0]
    of = f"{design.labels[setting]}{'' if best else ', which is not the best setting here'} ({visible(run)})"
    chosen = f", the best of {last.chosen_from} runs by validation" if last.chosen_from > 1 else ""
    return [f"On held-out data: {_score(last)} with {of}{chosen}.", _used(len(evaluations)), *sentences]


def _score(evaluation: Evaluation) -> str:
    samples = write_count(evaluation.samples, "test sample")
    if evaluation.accuracy is None:
        return f"test loss {write_metric('loss', evaluation.loss)} ({samples})"
    low, high = wilson(round(evaluation.accuracy * evaluation.samples), evaluation.samples)
    ends = " to ".join(write_metric("accuracy", end) for end in (low, high))
    return f"test accuracy {write_metric('accuracy', evaluation.accuracy)} (95% interval {ends}, {samples})"


def _used(times: int) -> str:
    if times == 1:
        return "The test split was evaluated once."
    return (
        f"The test split was evaluated {times} times. It no longer tests decisions that were made after the "
        "first time."
    )
