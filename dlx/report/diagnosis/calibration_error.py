"""Expected calibration error: how far a classifier's confidence is from its accuracy.

Axes: N samples, K outputs, B bins of confidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.report.diagnosis.trend import Floats
from dlx.run.predictions import Predictions

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error of a model, and what it would be if its probabilities were right.

    `error`: as measured. `by_chance`, `deviation`: mean and standard deviation of the error of a perfectly
    calibrated model on as many samples. `confidence`, `accuracy`: means over samples.
    """

    error: float
    by_chance: float
    deviation: float
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class PredictionStatistics:
    """What stored predictions say about the last epoch.

    `largest_class`: its share of the validation labels. `calibration`: None if an output is not finite.
    """

    samples: int
    largest_class: float
    calibration: Calibration | None


def prediction_statistics(predictions: Predictions) -> PredictionStatistics:
    """Measure the outputs of the last epoch."""
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

    Samples are sorted into equally wide bins (m-1, m] / bins of the largest probability; the error is the
    mean over samples of their bin's |accuracy - confidence|. Even a perfect model has an error above 0: if
    each prediction were right with the probability given, a bin's sum of (right - confidence) would be close
    to normal with variance sum of confidence (1 - confidence), whose mean absolute value is sqrt(2 / pi)
    deviations and whose variance is (1 - 2 / pi).
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
