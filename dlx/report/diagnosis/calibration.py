"""How far a classifier's confidence is from its accuracy, and how far it would be by chance.

Axes: N samples, K classes, B bins of confidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.report.diagnosis.trend import Floats

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error of a model, and what it would be if its probabilities were right.

    `error`: measured. `by_chance` and `deviation`: mean and standard deviation of the error of a perfect
    model. `confidence` and `accuracy`: means over samples.
    """

    error: float
    by_chance: float
    deviation: float
    confidence: float
    accuracy: float


def calibration(probabilities_NK: Floats, labels_N: NDArray[np.integer], bins: int = BINS) -> Calibration:
    """Return the expected calibration error of Guo et al. (2017), "On calibration of modern neural networks".

    Samples are sorted into equally wide bins (m-1, m] / bins of the largest probability; the error is the
    mean over samples of their bin's |accuracy - confidence|. It is above 0 for a perfect model, too: were
    each answer right with the probability given, a bin's sum of (right - confidence) would be close to
    normal with variance sum of confidence (1 - confidence), whose mean absolute value is sqrt(2 / pi)
    deviations and whose variance (1 - 2 / pi).
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
    """Return the probabilities of K logits; of a single one those of the two classes it tells apart."""
    logits_NK = outputs_NK.astype(np.float64)
    if logits_NK.shape[1] == 1:
        logits_NK = np.concatenate([np.zeros_like(logits_NK), logits_NK], axis=1)
    shifted_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    return np.asarray(shifted_NK / shifted_NK.sum(axis=1, keepdims=True), dtype=np.float64)
