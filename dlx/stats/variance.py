"""The variance of a score between seeds and between validation samples, and the bias of picking the best.

Axes: C settings; S seeds, one run each; N validation samples, the same for every run; R resamples. A value is
1 if a run got a sample right and 0 if not, or the difference of two settings' values.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 200


@dataclass(frozen=True)
class VarianceComponents:
    """The variances in x = mean + seed + sample + rest, where the last three are random and independent.

    `seeds`, `samples`, `rest`: variances, at least 0. A score is a mean over `sample_count` samples.
    """

    seeds: float
    samples: float
    rest: float
    sample_count: int

    @property
    def seed_std(self) -> float:
        """Return the standard deviation of a run's score over seeds, on the same samples."""
        return math.sqrt(self.seeds + self.rest / self.sample_count)

    @property
    def sample_std(self) -> float:
        """Return the standard deviation of one network's score over sets of as many samples."""
        return math.sqrt((self.samples + self.rest) / self.sample_count)

    def variance(self, seeds: float, samples: float) -> float:
        """Return the variance of a mean over this many new seeds and new samples."""
        return self.seeds / seeds + self.samples / samples + self.rest / (seeds * samples)


def variance_components(values_SN: NDArray[np.float64]) -> VarianceComponents:
    """Estimate the variance components of values [S, N] by two-way analysis of variance; S >= 2, N >= 2.

    The mean squares of seeds, samples and rest have the expectations N a + e, S b + e and e (crossed random
    effects, one value per cell: Searle, Casella and McCulloch, Variance Components, 1992, section 4.3). For
    several settings [C, S, N] the mean squares are averaged before the bound at 0.
    """
    *_, seeds, samples = values_SN.shape
    of_seed, of_sample = values_SN.mean(axis=-1, keepdims=True), values_SN.mean(axis=-2, keepdims=True)
    mean = of_seed.mean(axis=-2, keepdims=True)
    by_seed = samples * _square(of_seed - mean) / (seeds - 1)
    by_sample = seeds * _square(of_sample - mean) / (samples - 1)
    rest = _square(values_SN - of_seed - of_sample + mean) / ((seeds - 1) * (samples - 1))
    return VarianceComponents(
        max(0.0, (by_seed - rest) / samples), max(0.0, (by_sample - rest) / seeds), rest, samples
    )


def selection_bias(values_CSN: NDArray[np.float64]) -> float:
    """Return by how much the score of the best of C settings is too high because it was picked for its score.

    The best setting is picked on half of the samples and half of the seeds, then scored on the other halves.
    The drop in score, averaged over RESAMPLES random splits, is the bias of picking by half the data. It is
    divided by how much more a half's score varies than the whole's, from the variance components of the
    settings' differences: sqrt(2) for samples or seeds alone. A single seed or sample is not split, so its
    variance is not counted. NaN for one setting, or for one value per setting.
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
    return max(0.0, added / _excess_deviation(values_CSN))


def _halves(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of random halves and of the other halves, [R, count]; a single one is in both."""
    if count == 1:
        return np.ones((RESAMPLES, 1)), np.ones((RESAMPLES, 1))
    half = (count + 1) // 2
    first = rng.permuted(np.tile(np.arange(count) < half, (RESAMPLES, 1)), axis=1)
    return first / half, ~first / (count - half)


def _excess_deviation(values_CSN: NDArray[np.float64]) -> float:
    """Return the standard deviation of a half's score over the whole's, for differences of settings."""
    _, seeds, samples = values_CSN.shape
    half_seeds, half_samples = (seeds + 1) // 2, (samples + 1) // 2
    if seeds > 1 and samples > 1:
        components = variance_components(values_CSN - values_CSN.mean(axis=0))
        whole = components.variance(seeds, samples)
        if whole > 0:
            return math.sqrt(components.variance(half_seeds, half_samples) / whole)
    return math.sqrt(seeds * samples / (half_seeds * half_samples))


def _square(values_SN: NDArray[np.float64]) -> float:
    return float((values_SN**2).sum(axis=(-2, -1)).mean())
