"""The statistics of claims: where one new run would fall, and whether paired differences have a sign.

K runs or pairs, one a seed. Everything is computed from arguments alone; levels are 95% and 0.05.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05  # of every test; 1 - LEVEL is the coverage of every interval
POWER = 0.8  # with which `seeds_for_sign` is to decide, the usual choice
EXACT = 20  # pairs up to which all 2^K signs are tried: a million sums, 24 ms
DRAWS = 200_000  # of signs beyond that: a p of 0.05 is then known to 0.0005
MOST_SEEDS = 10_000  # nobody runs more


@dataclass(frozen=True)
class Interval:
    """Mean and standard deviation (n-1) of K values, and where one new value falls with 95% probability."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


def prediction_interval(values_K: Sequence[float]) -> Interval:
    """Return the 95% prediction interval m ± t(K-1) s sqrt(1 + 1/K) for one new value; K >= 2.

    Exact for normal values (Hahn and Meeker 1991, section 4.7).
    """
    values = np.asarray(values_K, dtype=np.float64)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    if (values == values[0]).all():  # the mean of equal values can be off by the last bit
        mean, std = float(values[0]), 0.0
    half = half_width(len(values), std)
    return Interval(mean, std, mean - half, mean + half)


def half_width(count: int, std: float) -> float:
    """Return half the width of the 95% prediction interval from `count` values of deviation `std`."""
    return _t_quantile(count - 1, 1 - LEVEL / 2) * std * math.sqrt(1 + 1 / count)


def seeds_for_width(std: float, width: float) -> int | None:
    """Return how many values of deviation `std` make the prediction interval no wider than `width`.

    None if no number does: however many, it stays wider than 2 * 1.96 * std (or beyond MOST_SEEDS).
    """
    return _first(lambda count: 2 * half_width(count, std) <= width, 2)


def widest_limit(std: float) -> float:
    """Return the width that the prediction interval shrinks to as values are added: 2 * 1.96 * std."""
    from scipy.special import ndtri

    return 2 * float(ndtri(1 - LEVEL / 2)) * std


def sign_flip_p(differences_K: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the one-sided p of the mean of paired differences being above 0, by flipping their signs.

    The share of the 2^K choices of signs whose sum is at least the one seen: exact under a symmetric null
    (Fisher 1935). Beyond EXACT pairs the share among DRAWS random choices and the one seen, by a generator
    derived from K.
    """
    values = np.asarray(differences_K, dtype=np.float64)
    slack = 1e-12 * float(np.abs(values).sum())  # sums of the same numbers in another order are equal
    if len(values) <= EXACT:
        sums: NDArray[np.float64] = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums + value, sums - value])
        return float((sums >= values.sum() - slack).mean())
    draws = np.random.default_rng([len(values), DRAWS])
    reached = 1
    for _ in range(DRAWS // 1000):
        signs = draws.integers(0, 2, (1000, len(values))) * 2 - 1
        reached += int((signs @ values >= values.sum() - slack).sum())
    return reached / (DRAWS + 1)


def equivalence_p(differences_K: Sequence[float], margin: float) -> float:
    """Return the p of the mean difference lying within ±`margin`: the larger of two one-sided tests."""
    values = np.asarray(differences_K, dtype=np.float64)
    return max(sign_flip_p(values + margin), sign_flip_p(margin - values))


def beyond_p(differences_K: Sequence[float], margin: float) -> float:
    """Return the p of the mean difference lying outside ±`margin`, on either side."""
    values = np.asarray(differences_K, dtype=np.float64)
    return min(1.0, 2 * min(sign_flip_p(values - margin), sign_flip_p(-values - margin)))


def smallest_p(count: int) -> float:
    """Return the smallest p that `count` pairs can reach: 1 of 2^count signs."""
    return 0.5**count


def seeds_for_sign(mean: float, std: float) -> int | None:
    """Return how many pairs would show a true mean difference `mean` of deviation `std`; None if too many.

    With probability POWER at level LEVEL, one-sided, by the paired t test, which the permutation test
    approaches; at least the 5 that a p of 0.05 needs.
    """
    if mean == 0:
        return None

    def decides(count: int) -> bool:
        needed = _t_quantile(count - 1, 1 - LEVEL) + _t_quantile(count - 1, POWER)
        return abs(mean) * math.sqrt(count) >= needed * std

    return _first(decides, math.ceil(-math.log2(LEVEL)))


def _t_quantile(freedom: int, probability: float) -> float:
    """Return the quantile of Student's t with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _first(holds: Callable[[int], bool], least: int) -> int | None:
    """Return the smallest count from `least` to MOST_SEEDS that holds, for what holds from some count on."""
    if not holds(MOST_SEEDS):
        return None
    low, high = least - 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
