"""Where one new run would fall, and how many runs would say it narrowly enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlx.statistics.intervals import LEVEL, t_quantile
from dlx.statistics.search import smallest


@dataclass(frozen=True)
class Prediction:
    """Mean and standard deviation (n-1) of K values, and where one new value falls with 95% probability."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


def predict(values_K: Sequence[float]) -> Prediction:
    """Return the 95% prediction interval m ± t(K-1) s sqrt(1 + 1/K) for one new value; K >= 2.

    Exact for normal values (Hahn and Meeker 1991, section 4.7).
    """
    values = np.asarray(values_K, dtype=np.float64)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    if (values == values[0]).all():  # the mean of equal values can be off by the last bit
        mean, std = float(values[0]), 0.0
    half = half_width(len(values), std)
    return Prediction(mean, std, mean - half, mean + half)


def half_width(count: int, std: float) -> float:
    """Return half the width of the 95% prediction interval from `count` values of deviation `std`."""
    return t_quantile(count - 1, 1 - LEVEL / 2) * std * math.sqrt(1 + 1 / count)


def seeds_for_width(std: float, width: float) -> int | None:
    """Return how many values of deviation `std` make the prediction interval no wider than `width`.

    None if no number does: however many, it stays wider than 2 * 1.96 * std (or beyond search.MOST).
    """
    return smallest(lambda count: 2 * half_width(count, std) <= width, 2)


def widest_limit(std: float) -> float:
    """Return the width that the prediction interval shrinks to as values are added: 2 * 1.96 * std."""
    from scipy.special import ndtri

    return 2 * float(ndtri(1 - LEVEL / 2)) * std
