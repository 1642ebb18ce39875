"""How much a winner's score flatters it: it was chosen for that score, and so for the luck in it.

C settings, S seeds, N validation samples, the same for every setting; R resamples.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dlx.statistics.noise import split_noise

RESAMPLES = 200


def flattery(values_CSN: NDArray[np.float64]) -> float:
    """Return by how much the score of the best of C settings, the highest mean of values, is too good.

    By half of the samples and half of the seeds the best setting is chosen; by the other halves, of which the
    choice knows nothing, it is scored; the loss, averaged over RESAMPLES random halves, is what choosing by
    half the data adds to a score. The luck in a half's score is larger than in the whole's, and so is what it
    adds. By which factor, the variance components of the settings' differences say: sqrt(2) for samples or
    seeds alone. One seed or one sample is not halved: its luck is not seen. NaN for one setting, or one
    value each.
    """
    settings, seeds, samples = values_CSN.shape
    if settings < 2 or seeds * samples < 2:
        return math.nan
    rng = np.random.default_rng([settings, seeds, samples])
    choosing_RS, scoring_RS = _halves(rng, seeds)
    choosing_RN, scoring_RN = _halves(rng, samples)
    chosen_by_CR = np.einsum("csr,rs->cr", values_CSN @ choosing_RN.T, choosing_RS)
    scored_by_CR = np.einsum("csr,rs->cr", values_CSN @ scoring_RN.T, scoring_RS)
    winner_R, each_R = chosen_by_CR.argmax(axis=0), np.arange(RESAMPLES)
    added = float((chosen_by_CR[winner_R, each_R] - scored_by_CR[winner_R, each_R]).mean())
    return max(0.0, added / _larger_luck(values_CSN))


def _halves(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of random halves and of the rest, [R, count]; of one, it is both."""
    if count == 1:
        return np.ones((RESAMPLES, 1)), np.ones((RESAMPLES, 1))
    half = (count + 1) // 2
    first = rng.permuted(np.tile(np.arange(count) < half, (RESAMPLES, 1)), axis=1)
    return first / half, ~first / (count - half)


def _larger_luck(values_CSN: NDArray[np.float64]) -> float:
    """Return the deviation of half the data's score over that of the whole's, for differences of settings."""
    _, seeds, samples = values_CSN.shape
    half_seeds, half_samples = (seeds + 1) // 2, (samples + 1) // 2
    if seeds > 1 and samples > 1:
        noise = split_noise(values_CSN - values_CSN.mean(axis=0))
        whole = noise.variance(seeds, samples)
        if whole > 0:
            return math.sqrt(noise.variance(half_seeds, half_samples) / whole)
    return math.sqrt(seeds * samples / (half_seeds * half_samples))
