"""What stored predictions say about a run: its largest class, balanced accuracy and calibration.

Axes: N samples, K outputs, C classes, B bins of confidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.report.diagnosis.trend import Floats
from dlx.run.predictions import Predictions

BINS = 15  # of the expected calibration error
LUCK_DEVIATIONS = 3.0  # above what guessing reaches on average; one run in 740 gets there by luck


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

    `largest_class`: its share of the validation labels. `balanced_excess`: how far the balanced accuracy (the
    mean over classes of the share found) exceeds what guessing reaches by luck. `calibration`: None if an
    output is not finite.
    """

    samples: int
    largest_class: float
    balanced_excess: float
    calibration: Calibration | None


def prediction_statistics(predictions: Predictions) -> PredictionStatistics:
    """Compute the statistics of the last epoch's outputs."""
    labels_N, outputs_NK = predictions.labels.astype(np.int64), predictions.last_outputs
    finite = bool(np.isfinite(outputs_NK).all())
    probabilities_NK = softmax(outputs_NK) if finite else None
    return PredictionStatistics(
        samples=len(labels_N),
        largest_class=float(np.bincount(labels_N).max() / len(labels_N)),
        balanced_excess=float("nan")
        if probabilities_NK is None
        else _balanced_excess(probabilities_NK, labels_N),
        calibration=None if probabilities_NK is None else measure_calibration(probabilities_NK, labels_N),
    )


def _balanced_excess(probabilities_NK: Floats, labels_N: NDArray[np.int64]) -> float:
    """Return how far balanced accuracy exceeds that of guessing each of the classes, luck included."""
    right_N = (probabilities_NK.argmax(axis=1) == labels_N).astype(np.float64)
    count_C = np.bincount(labels_N)
    found_C = np.bincount(labels_N, weights=right_N)[count_C > 0] / count_C[count_C > 0]
    share, classes = 1 / probabilities_NK.shape[1], len(found_C)
    deviation = np.sqrt(share * (1 - share) * (1 / count_C[count_C > 0]).sum()) / classes
    return float(found_C.mean() - 1 / classes - LUCK_DEVIATIONS * deviation)


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
    logits_NK -= logits_NK.max(axis=1, keepdims=True)
    np.exp(logits_NK, out=logits_NK)
    logits_NK /= logits_NK.sum(axis=1, keepdims=True)
    return logits_NK
