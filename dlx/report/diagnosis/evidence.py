"""What the checks look at: learning curves as arrays, stored predictions, and each setting's final scores.

Axes: R runs, E epochs (the first is epoch 1), n completed runs of a setting, N samples, K outputs, B bins of
confidence.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.report.diagnosis.trend import Flags, Floats, running_median
from dlx.report.load import METRICS
from dlx.run.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

LARGEST = 1e100  # larger values overflow when they are squared
CLASSIFYING = ("cross_entropy", "binary_cross_entropy")
BINS = 15  # of the expected calibration error


@dataclass(frozen=True)
class Block:
    """Completed runs with the same number of epochs.

    `curves`: by metric [R, E], NaN where missing. `untrained`: by metric [R], before training. `chance_R`:
    the accuracy of guessing, the larger of 1 / classes and the largest class's share. `samples_R`: the
    number of validation samples. The last two are NaN where unknown.
    """

    runs: list[str]
    curves: dict[str, Floats]
    untrained: dict[str, Floats]
    chance_R: Floats
    samples_R: Floats

    @property
    def epochs(self) -> int:
        """Return E."""
        return int(self.curves[METRICS[0]].shape[1])

    @cached_property
    def smoothed(self) -> dict[str, Floats]:
        """Return the curves' running medians over five epochs."""
        return {name: running_median(curve_RE, 2) for name, curve_RE in self.curves.items()}

    def finite(self, *metrics: str) -> Flags:
        """Return for each run whether these curves have a value at every epoch [R]."""
        whole = [np.isfinite(self.curves[name]).all(axis=1) for name in metrics]
        return np.asarray(np.all(whole, axis=0), dtype=np.bool_)


class Evidence:
    """An analysis, prepared for the checks; each part is computed when it is first needed.

    `training_failures`: by run, the kind of the first check that found a training failure. `diagnose` fills
    it in before it checks the sweep.
    """

    def __init__(self, analysis: "Analysis") -> None:
        self.data, self.design, self.summary = analysis.data, analysis.design, analysis.summary
        self.training_failures: dict[str, str] = {}
        last = f"{self.summary.metric}_last"
        runs = self.data.runs[["folder", "status", "classes", last]].to_dict()
        self.classes, self.last_scores = runs["classes"], runs[last]
        self.folders = {str(run): Path(folder) for run, folder in runs["folder"].items()}
        self.statuses = {str(run): str(status) for run, status in runs["status"].items()}
        self.completed = [run for run, status in self.statuses.items() if status == "completed"]
        self.diverged = [run for run, status in self.statuses.items() if status == "diverged"]

    @cached_property
    def histories(self) -> dict[str, Floats]:
        """Return each run's history [epochs with epoch 0, metrics in the order of METRICS]."""
        frame = self.data.histories
        if frame.empty:
            return {}
        values = frame[[*METRICS]].to_numpy(dtype=np.float64)
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
        return Block(
            runs,
            {name: values_REM[:, 1:, index] for index, name in enumerate(METRICS)},
            {name: values_REM[:, 0, index] for index, name in enumerate(METRICS)},
            np.array([self._chance(run) for run in runs], dtype=np.float64),
            np.array([self._samples(run) for run in runs], dtype=np.float64),
        )

    def _chance(self, run: str) -> float:
        classes, known = self.classes[run], self.predictions.get(run)
        uniform = 1 / len(classes) if isinstance(classes, list) and len(classes) > 1 else np.nan
        return float(np.fmax(uniform, known.largest_class)) if known else uniform

    def _samples(self, run: str) -> float:
        """Count the stored predictions: the setting may be a fraction of the data, or missing."""
        known, size = self.predictions.get(run), self.data.settings[run].get("data.val_size")
        if known:
            return known.samples
        return size if isinstance(size, int) and size > 1 else np.nan

    @cached_property
    def predictions(self) -> "dict[str, PredictionStatistics | None]":
        """Return statistics of completed classifiers' predictions by run, None where they are damaged."""
        statistics: dict[str, PredictionStatistics | None] = {}
        for run in self.completed:
            if self.data.settings[run].get("loss.name") in (*CLASSIFYING, None):
                try:
                    if predictions := read_predictions(self.folders[run]):
                        statistics[run] = prediction_statistics(predictions)
                except (ValueError, OSError):
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

    def mean(self, setting: int) -> float:
        """Return a setting's mean score."""
        return float(self.scores[setting].mean())

    @property
    def sign(self) -> int:
        """Return 1 where a higher score is better, else -1."""
        return 1 if self.summary.higher else -1


def pooled_variance(groups: Collection[Floats]) -> tuple[float, int]:
    """Return the variance within groups (NaN if none has two values) and its degrees of freedom."""
    freedom = sum(len(group_n) - 1 for group_n in groups)
    within = sum(float(((group_n - group_n.mean()) ** 2).sum()) for group_n in groups)
    return (within / freedom if freedom else float("nan")), freedom


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error of a model, and what a perfectly calibrated model would have.

    `by_chance`, `deviation`: mean and standard deviation of the error of a perfectly calibrated model on
    the same number of samples. `confidence`, `accuracy`: means over samples.
    """

    error: float
    by_chance: float
    deviation: float
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class PredictionStatistics:
    """Statistics of the predictions of the last epoch.

    `largest_class`: its share of the validation labels. `calibration`: None if an output is not finite.
    """

    samples: int
    largest_class: float
    calibration: Calibration | None


def prediction_statistics(predictions: Predictions) -> PredictionStatistics:
    """Compute the statistics of the last epoch's outputs."""
    labels_N, outputs_NK = predictions.labels.astype(np.int64), predictions.last_outputs
    finite = bool(np.isfinite(outputs_NK).all())
    return PredictionStatistics(
        samples=len(labels_N),
        largest_class=float(np.bincount(labels_N).max() / len(labels_N)),
        calibration=measure_calibration(softmax(outputs_NK), labels_N) if finite else None,
    )


def measure_calibration(
    probabilities_NK: Floats, labels_N: NDArray[np.integer], bins: int = BINS
) -> Calibration:
    """Return the expected calibration error of Guo et al. (2017), "On calibration of modern neural networks".

    Samples are sorted by their largest probability into bins (m-1, m] / bins; the error is the mean over
    samples of their bin's |accuracy - confidence|. Even a perfectly calibrated model has an error above 0.
    Its sum of (right - confidence) in a bin is close to normal, with variance sum of confidence
    (1 - confidence). The absolute value of a normal variable has a mean of sqrt(2 / pi) deviations and
    (1 - 2 / pi) of the variance.
    """
    confidence_N = probabilities_NK.max(axis=1)
    right_N = (probabilities_NK.argmax(axis=1) == labels_N).astype(np.float64)
    bin_N = np.clip(np.ceil(confidence_N * bins).astype(np.int64) - 1, 0, bins - 1)
    gap_B = np.bincount(bin_N, weights=right_N - confidence_N, minlength=bins)
    variance_B = np.bincount(bin_N, weights=confidence_N * (1 - confidence_N), minlength=bins)
    samples = len(labels_N)
    return Calibration(
        error=float(np.abs(gap_B).sum() / samples),
        by_chance=float(np.sqrt(2 / np.pi * variance_B).sum() / samples),
        deviation=float(np.sqrt((1 - 2 / np.pi) * variance_B.sum()) / samples),
        confidence=float(confidence_N.mean()),
        accuracy=float(right_N.mean()),
    )


def softmax(outputs_NK: NDArray[np.floating]) -> Floats:
    """Return the probabilities of K logits; a single logit becomes the probabilities of two classes."""
    logits_NK = outputs_NK.astype(np.float64)
    if logits_NK.shape[1] == 1:
        logits_NK = np.concatenate([np.zeros_like(logits_NK), logits_NK], axis=1)
    shifted_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    return np.asarray(shifted_NK / shifted_NK.sum(axis=1, keepdims=True), dtype=np.float64)
