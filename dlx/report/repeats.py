"""Runs that are there more than once: one of each counts, and the reader is told by how much they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlx.metrics.catalogue import label_of
from dlx.report.text import write_difference, write_metric
from dlx.run.identity import comparable, requested
from dlx.run.result import STATUSES, Result, what_was_different


@dataclass(frozen=True)
class Copies:
    """`left_out`: by run that does not count, the reason. `sentence`: if numbers differ, by how much."""

    left_out: dict[str, str]
    sentence: str


def find_repeats(results: Mapping[str, Result], settings: Mapping[str, Mapping[str, Any]]) -> Copies:
    """Find runs with equal settings and seeds: one result that is seen twice must not count twice.

    It happens when studies that share runs are reported together, and when a run was trained on another
    device, with other threads or in another engine. The run with the better status is used, as the other one
    is usually a crash that was fixed; of equals, the first. `results`, `settings`: by run; only runs with
    `settings` count.
    """
    used: dict[str, str] = {}
    left_out: dict[str, str] = {}
    differences: dict[str, list[float]] = {}
    for run in sorted(settings, key=lambda run: STATUSES.index(results[run].status)):
        first = used.setdefault(comparable(requested(settings[run])), run)
        if first == run:
            continue
        left_out[run] = f"the same settings and seeds as {first}"
        metric, here, there = _scores(results[run], results[first])
        if here == there:
            continue
        if here is not None and there is not None:
            differences.setdefault(metric, []).append(abs(here - there))
        numbers = f"{label_of(metric)} {_written(metric, here)} here, {_written(metric, there)} there"
        why = what_was_different(results[run], results[first], "here", "there")
        left_out[run] += f", which is used: {numbers}{why and f' ({why})'}"
    return Copies(left_out, _sentence(differences))


def _scores(one: Result, other: Result) -> tuple[str, float | None, float | None]:
    """Return what two runs are judged by, and its values at their last epochs."""
    metric = "val_accuracy" if one.last.get("val_accuracy") is not None else "val_loss"
    return metric, one.last.get(metric), other.last.get(metric)


def _written(metric: str, value: float | None) -> str:
    return "missing" if value is None else write_metric(metric, value)


def _sentence(differences: Mapping[str, list[float]]) -> str:
    if not differences:
        return ""
    runs = sum(map(len, differences.values()))
    largest = [
        f"{write_difference(metric, max(each))} of {label_of(metric)}" for metric, each in differences.items()
    ]
    were = "runs were" if runs > 1 else "run was"
    return (
        f"{runs} {were} trained twice, with numbers that differ by up to {' and '.join(largest)}. "
        "One of each counts; the list of runs left out names both."
    )
