"""95% intervals: confidence intervals of means and proportions, and prediction intervals for one new value.

Axes: G groups of K values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05  # of every test; 1 - LEVEL is the coverage of every interval


class Interval(NamedTuple):
    """Both ends; NaN if there is no interval."""

    low: float
    high: float


def half_widths(
    values_GK: NDArray[np.float64], overlap: float | NDArray[np.float64] = 0.0
) -> NDArray[np.float64]:
    """Return half the width [G] of the 95% confidence interval of each row's mean: t(K-1) s / sqrt(K).

    NaN in a row marks a value that the group lacks. The result is NaN below 2 values, and for equal values:
    their deviation is unknown, not 0. `overlap`, of all rows or of each [G], widens the intervals of means
    over folds of cross-validation (see `dlx.stats.tests.paired_tests`).
    """
    from scipy.special import stdtrit

    counts_G = (~np.isnan(values_GK)).sum(axis=1)
    equal_G = np.nanmin(values_GK, 1, initial=np.inf) >= np.nanmax(values_GK, 1, initial=-np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_G = np.nansum(values_GK, axis=1) / counts_G
        variance_G = np.nansum((values_GK - mean_G[:, None]) ** 2, axis=1) / (counts_G - 1)
        half_G = stdtrit(counts_G - 1.0, 1 - LEVEL / 2) * np.sqrt(variance_G * (1 / counts_G + overlap))
    return np.where((counts_G < 2) | equal_G, np.nan, half_G)


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
    """Mean and standard deviation (n-1) of K values, and where a new one, or the mean of several, falls."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Return the distance between the ends."""
        return self.high - self.low


def prediction_interval(
    values_K: Sequence[float], level: float = LEVEL, new: int = 1, least_std: float = 0.0
) -> PredictionInterval:
    """Return the prediction interval m ± t(K-1) s sqrt(1/new + 1/K) for the mean of `new` values; K >= 2.

    `level`: the probability that this mean falls outside. `least_std`: s is at least this. Exact for normal
    values (Hahn and Meeker, Statistical Intervals, 1991, sections 4.7 and 4.8).
    """
    values = np.asarray(values_K, dtype=np.float64)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    if (values == values[0]).all():  # their mean can be off by the last bit
        mean, std = float(values[0]), 0.0
    std = max(std, least_std)
    half = half_width(len(values), std, level, new)
    return PredictionInterval(mean, std, mean - half, mean + half)


def half_width(count: int, std: float, level: float = LEVEL, new: int = 1) -> float:
    """Return half the width of the prediction interval of `count` values with standard deviation `std`."""
    return t_quantile(count - 1, 1 - level / 2) * std * math.sqrt(1 / new + 1 / count)
