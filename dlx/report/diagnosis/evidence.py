"""What the checks look at: learning curves as arrays, stored predictions, and each setting's final scores.

Axes: R runs, E epochs (the first is epoch 1), M columns of a history, n completed runs of a setting.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlx.report.diagnosis.prediction_statistics import (
    LUCK_DEVIATIONS,
    PredictionStatistics,
    prediction_statistics,
)
from dlx.report.diagnosis.trend import Flags, Floats, running_median
from dlx.report.load import METRICS
from dlx.run.predictions import read_predictions

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

LARGEST = 1e100  # larger values overflow when they are squared
GAPS = 0.1  # share of epochs without a finite value, at most, that are bridged by straight lines
CLASSIFYING = ("cross_entropy", "binary_cross_entropy")
COLUMNS = [*METRICS, "lr"]  # of a history, in the order of Evidence.histories


@dataclass(frozen=True)
class Block:
    """Completed runs with the same number of epochs.

    `curves`: by metric [R, E], NaN where missing; a few lost epochs are bridged by a straight line. `lost`:
    by metric [R, E], the epochs without a finite value in curves that have one at most epochs. `untrained`:
    by metric [R], before training. `rate_RE`: the learning rate, 1 where none was recorded. `uniform_R`: the
    accuracy of guessing, 1 / classes. `largest_class_R`: the largest class's share of the validation
    labels. `samples_R`: the number of validation samples. `balanced_excess_R`: how far the balanced accuracy
    of the last epoch exceeds what guessing reaches by luck. The last four are NaN where unknown.
    """

    runs: list[str]
    curves: dict[str, Floats]
    lost: dict[str, Flags]
    untrained: dict[str, Floats]
    rate_RE: Floats
    uniform_R: Floats
    largest_class_R: Floats
    samples_R: Floats
    balanced_excess_R: Floats

    @property
    def epochs(self) -> int:
        """Return E."""
        return int(self.curves[METRICS[0]].shape[1])

    @cached_property
    def smoothed(self) -> dict[str, Floats]:
        """Return the curves' running medians over five epochs."""
        return {name: running_median(curve_RE, 2) for name, curve_RE in self.curves.items()}

    @cached_property
    def chance(self) -> Floats:
        """The accuracy of the better of two guessers [R]: any class, or always the largest."""
        return np.fmax(self.uniform_R, self.largest_class_R)

    @cached_property
    def guessing_bound(self) -> Floats:
        """Return the highest accuracy that guessing reaches [R]; NaN if the number of classes is unknown.

        Guessing any class needs luck, which one run in 740 has. Always naming the largest class does not:
        it scores exactly that class's share. Half a sample more allows for rounding.
        """
        deviation_R = np.sqrt(self.uniform_R * (1 - self.uniform_R) / self.samples_R)
        by_luck_R = self.uniform_R + LUCK_DEVIATIONS * deviation_R
        return np.fmax(by_luck_R, self.largest_class_R + 0.5 / self.samples_R)

    @cached_property
    def learned(self) -> Flags:
        """Return whether the best smoothed validation accuracy is above what guessing reaches [R]."""
        best_R = self.smoothed["val_accuracy"].max(axis=1)
        return np.asarray(best_R > self.guessing_bound, dtype=np.bool_)

    def finite(self, *metrics: str) -> Flags:
        """Return for each run whether these curves have a value at every epoch [R]."""
        whole = [np.isfinite(self.curves[name]).all(axis=1) for name in metrics]
        return np.asarray(np.all(whole, axis=0), dtype=np.bool_)


class Evidence:
    """An analysis, prepared for the checks; each part is computed when it is first needed.

    `training_failures`: by run, the kind of the first check that found a training failure. `diagnose` fills
    it in before it checks the sweep. `damaged`: by run, why a file beside its result cannot be read.
    """

    def __init__(self, analysis: "Analysis") -> None:
        self.data, self.design, self.summary = analysis.data, analysis.design, analysis.summary
        self.training_failures: dict[str, str] = {}
        self.damaged: dict[str, str] = {}
        last = f"{self.summary.metric}_last"
        self._further = [] if self.summary.metric in METRICS else [self.summary.metric]
        runs = self.data.runs[["folder", "status", "classes", last]].to_dict()
        self.classes, self.last_scores = runs["classes"], runs[last]
        self.folders = {str(run): Path(folder) for run, folder in runs["folder"].items()}
        self.statuses = {str(run): str(status) for run, status in runs["status"].items()}
        self.completed = [run for run, status in self.statuses.items() if status == "completed"]
        self.diverged = [run for run, status in self.statuses.items() if status == "diverged"]

    @cached_property
    def classes_are_learned(self) -> bool:
        """Whether any run has an accuracy; true if no run has anything."""
        frame = self.data.histories.reindex(columns=["train_accuracy", "val_accuracy"])
        return frame.empty or bool(frame.notna().any(axis=None))

    @cached_property
    def histories(self) -> dict[str, Floats]:
        """Return each run's history [epochs with epoch 0, COLUMNS and the metric that ranks]."""
        frame = self.data.histories
        if frame.empty:
            return {}
        values = frame.reindex(columns=[*COLUMNS, *self._further]).to_numpy(dtype=np.float64)
        values = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)
        names = frame["run"].to_numpy()
        starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
        parts = np.split(values, starts[1:])
        return {str(names[start]): part for start, part in zip(starts, parts, strict=True)}

    @cached_property
    def blocks(self) -> list[Block]:
        """Return the completed runs that trained for an epoch or more, grouped by their number of epochs."""
        by_length: dict[int, list[str]] = {}
        for run in self.completed:
            if run in self.histories and len(self.histories[run]) > 1:
                by_length.setdefault(len(self.histories[run]), []).append(run)
        return [self._block(runs) for _, runs in sorted(by_length.items())]

    def _block(self, runs: list[str]) -> Block:
        values_REM = np.stack([self.histories[run] for run in runs])
        names = [*COLUMNS, *self._further]
        recorded = {name: values_REM[:, 1:, index] for index, name in enumerate(names) if name != "lr"}
        lost = {name: _lost(curve_RE) for name, curve_RE in recorded.items()}
        rate_RE = values_REM[:, 1:, len(METRICS)]
        known = [self.predictions.get(run) for run in runs]
        return Block(
            runs,
            {name: _bridge(curve_RE, lost[name]) for name, curve_RE in recorded.items()},
            lost,
            {name: values_REM[:, 0, index] for index, name in enumerate(METRICS)},
            np.where((rate_RE >= 0).all(axis=1, keepdims=True), rate_RE, 1.0),
            np.array([self._uniform(run) for run in runs], dtype=np.float64),
            np.array([each.largest_class if each else np.nan for each in known], dtype=np.float64),
            np.array([self.samples(run) for run in runs], dtype=np.float64),
            np.array([each.balanced_excess if each else np.nan for each in known], dtype=np.float64),
        )

    def _uniform(self, run: str) -> float:
        classes = self.classes[run]
        return 1 / len(classes) if isinstance(classes, list) and len(classes) > 1 else np.nan

    def samples(self, run: str) -> float:
        """Count a run's validation samples: the setting may be a fraction of the data, or missing."""
        known, size = self.predictions.get(run), self.data.settings[run].get("data.val_size")
        if known:
            return known.samples
        return size if isinstance(size, int) and size > 1 else np.nan

    def note_damage(self, run: str, error: Exception) -> None:
        """Keep the reason why a file of a run cannot be read; its other files count."""
        self.damaged.setdefault(run, str(error).replace(f"{self.folders[run]}/", ""))

    @cached_property
    def predictions(self) -> dict[str, PredictionStatistics | None]:
        """Return statistics of completed classifiers' predictions by run, None where they are damaged."""
        statistics: dict[str, PredictionStatistics | None] = {}
        for run in self.completed:
            if self.data.settings[run].get("loss.name") in (*CLASSIFYING, None):
                try:
                    predictions = read_predictions(self.folders[run])
                    if predictions and predictions.labels.dtype.kind != "f":
                        statistics[run] = prediction_statistics(predictions)
                except (ValueError, OSError) as error:
                    self.note_damage(run, error)
                    statistics[run] = None
        return statistics

    @cached_property
    def scores(self) -> dict[int, Floats]:
        """Return the final values of the metric that ranks the settings [n], by index in Design.rows."""
        scores: dict[int, list[float]] = {}
        for run in self.completed:
            if np.isfinite(self.last_scores[run]):
                scores.setdefault(self.design.of_run[run], []).append(float(self.last_scores[run]))
        return {setting: np.array(scores[setting]) for setting in sorted(scores)}

    @cached_property
    def runs_of(self) -> dict[int, list[str]]:
        """Return the completed runs of each setting, by index in Design.rows."""
        runs: dict[int, list[str]] = {}
        for run in self.completed:
            runs.setdefault(self.design.of_run[run], []).append(run)
        return runs

    def mean(self, setting: int) -> float:
        """Return a setting's mean score."""
        return float(self.scores[setting].mean())

    @property
    def sign(self) -> int:
        """Return 1 where a higher score is better, else -1."""
        return 1 if self.summary.higher else -1


def _lost(curve_RE: Floats) -> Flags:
    finite_RE = np.isfinite(curve_RE)
    mostly_R = 2 * finite_RE.sum(axis=1) > curve_RE.shape[1]
    return np.asarray(~finite_RE & mostly_R[:, None], dtype=np.bool_)


def _bridge(curve_RE: Floats, lost_RE: Flags) -> Floats:
    """Fill lost epochs by straight lines between their neighbours, in curves that lost few of them."""
    epoch_E, lost_R = np.arange(curve_RE.shape[1]), lost_RE.sum(axis=1)
    filled_RE = curve_RE.copy()
    for row in np.flatnonzero((lost_R > 0) & (lost_R <= max(1, GAPS * len(epoch_E)))):
        lost_E = lost_RE[row]
        filled_RE[row, lost_E] = np.interp(epoch_E[lost_E], epoch_E[~lost_E], curve_RE[row, ~lost_E])
    return filled_RE


def pooled_variance(groups: Collection[Floats]) -> tuple[float, int]:
    """Return the variance within groups (NaN if none has two values) and its degrees of freedom."""
    freedom = sum(len(group_n) - 1 for group_n in groups)
    within = sum(float(((group_n - group_n.mean()) ** 2).sum()) for group_n in groups)
    return (within / freedom if freedom else float("nan")), freedom
