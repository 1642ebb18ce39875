"""What `dlx evaluate` found on the test split, in words."""

from pathlib import Path
from typing import TYPE_CHECKING

from dlx.metrics.catalogue import label_of
from dlx.report.text import visible, write_count, write_metric
from dlx.run.evaluations import Evaluation, read_evaluations
from dlx.stats.intervals import wilson

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

HELD_OUT = "test"


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
    metrics = "".join(
        f", {label_of(f'test_{name}')} {write_metric(name, value)}"
        for name, value in evaluation.metrics.items()
        if value is not None
    )
    if evaluation.accuracy is None:
        return f"test loss {write_metric('loss', evaluation.loss)}{metrics} ({samples})"
    low, high = wilson(round(evaluation.accuracy * evaluation.samples), evaluation.samples)
    ends = " to ".join(write_metric("accuracy", end) for end in (low, high))
    accuracy = write_metric("accuracy", evaluation.accuracy)
    return f"test accuracy {accuracy} (95% interval {ends}, {samples}){metrics}"


def _used(times: int) -> str:
    if times == 1:
        return "The test split was evaluated once."
    return (
        f"The test split was evaluated {times} times. It no longer tests decisions that were made after the "
        "first time."
    )
