"""95% intervals: confidence intervals of means and proportions, and prediction intervals for one new value.

Axes: G groups of K values, B resamples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05  # of every test; 1 - LEVEL is the coverage of every interval
BOOTSTRAP = 10  # values; with fewer, Student's t is used
RESAMPLES = 9999


class Interval(NamedTuple):
    """Both ends; NaN if there is no interval."""

    low: float
    high: float


def mean_intervals(values_GK: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both ends [G] of the 95% confidence interval of each row's mean; NaN below 2 values.

    NaN in a row marks a value that the group lacks. Student's t, m ± t(K-1) s / sqrt(K), below BOOTSTRAP
    values; the BCa bootstrap from there.
    """
    low_G, high_G = np.full((2, len(values_GK)), np.nan)
    counts_G = (~np.isnan(values_GK)).sum(axis=1)
    for count in np.unique(counts_G[counts_G >= 2]):
        group = counts_G == count
        values = values_GK[group]
        compact = values[~np.isnan(values)].reshape(-1, count)
        low_G[group], high_G[group] = (_student if count < BOOTSTRAP else _bootstrap)(compact)
    equal_G = (counts_G >= 2) & (
        np.nanmin(values_GK, 1, initial=np.inf) == np.nanmax(values_GK, 1, initial=-np.inf)
    )
    # The mean of equal values can be off by the last bit, and their skewness is 0 / 0.
    low_G[equal_G] = high_G[equal_G] = np.nanmin(values_GK[equal_G], axis=1, initial=np.inf)
    return low_G, high_G


def t_quantile(freedom: int, probability: float) -> float:
    """Return the quantile of Student's t distribution with `freedom` degrees of freedom."""
    from scipy.special import stdtrit  # scipy.stats takes 1.1 s to import, scipy.special 0.1

    return float(stdtrit(freedom, probability))


def wilson(successes: int, count: int) -> Interval:
    """Return Wilson's 95% interval (1927) for the proportion `successes` / `count`, with count >= 1."""
    from scipy.special import ndtri

    z2 = float(ndtri(1 - LEVEL / 2)) ** 2
    share = successes / count
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * count)) / count) / (1 + z2 / count)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class PredictionInterval:
    """Mean and standard deviation (n-1) of K values, and where a new one falls with 95% probability."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Return the distance between the ends."""
        return self.high - self.low


def prediction_interval(values_K: Sequence[float]) -> PredictionInterval:
    """Return the 95% prediction interval m ± t(K-1) s sqrt(1 + 1/K) for one new value; K >= 2.

    Exact for normal values (Hahn and Meeker, Statistical Intervals, 1991, section 4.7).
    """
    values = np.asarray(values_K, dtype=np.float64)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    if (values == values[0]).all():  # their mean can be off by the last bit
        mean, std = float(values[0]), 0.0
    half = half_width(len(values), std)
    return PredictionInterval(mean, std, mean - half, mean + half)


def half_width(count: int, std: float) -> float:
    """Return half the width of the prediction interval of `count` values with standard deviation `std`."""
    return t_quantile(count - 1, 1 - LEVEL / 2) * std * math.sqrt(1 + 1 / count)


def _student(values_GK: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = values_GK.shape[1]
    mean_G = values_GK.mean(axis=1)
    half_G = t_quantile(count - 1, 1 - LEVEL / 2) * values_GK.std(axis=1, ddof=1) / math.sqrt(count)
    return mean_G - half_G, mean_G + half_G


def _bootstrap(values_GK: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return BCa intervals of the means (Efron, "Better bootstrap confidence intervals", 1987)."""
    from scipy.special import ndtr, ndtri

    mean_G = values_GK.mean(axis=1)
    # Not `@`: on a busy machine, BLAS threads slow down a product this small.
    means_BG = np.einsum("bk,gk->bg", _weights(values_GK.shape[1]), values_GK)
    # A resample equal to the sample counts half; its mean may differ in the last bit.
    slack_G = 1e-12 * np.abs(values_GK).max(axis=1)
    below_G = ((means_BG < mean_G - slack_G).mean(axis=0) + (means_BG <= mean_G + slack_G).mean(axis=0)) / 2
    bias_G = ndtri(below_G)
    off_GK = values_GK - mean_G[:, None]
    with np.errstate(invalid="ignore"):  # equal values
        acceleration_G = (off_GK**3).sum(axis=1) / (6 * (off_GK**2).sum(axis=1) ** 1.5)
    ends = []
    means_BG.sort(axis=0)
    for z in (ndtri(LEVEL / 2), ndtri(1 - LEVEL / 2)):
        share_G = ndtr(bias_G + (bias_G + z) / (1 - acceleration_G * (bias_G + z)))
        ends.append([_quantile(*pair) for pair in zip(means_BG.T, share_G, strict=True)])
    return np.array(ends[0]), np.array(ends[1])


def _quantile(means_B: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(means_B, share)) if 0 <= share <= 1 else math.nan


@lru_cache(maxsize=8)
def _weights(count: int) -> NDArray[np.float64]:
    """Return the weight of each value in the mean of each resample, [B, K]; the generator is seeded by K."""
    drawn_BK = np.random.default_rng([count, RESAMPLES]).integers(0, count, (RESAMPLES, count))
    counts_BK: NDArray[np.float64] = (drawn_BK[:, :, None] == np.arange(count)).sum(axis=1) / count
    return counts_BK
