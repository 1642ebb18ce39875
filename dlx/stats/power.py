"""What more seeds would show: how many decide a pair, what they could find, when an interval is narrow.

Differences of pairs are assumed normal. Axes: D draws of what a pilot leaves unknown.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlx.stats.intervals import LEVEL, half_width, t_quantile

POWER = 0.8  # the usual choice
MAX_SEEDS = 10_000  # nobody trains more
# From fewer pairs a promise is a guess. At the level of 8 settings, 42% of those made from 3 pairs came true
# for a difference of half a standard deviation, and 62% for a whole one.
FEWEST_PAIRS = 5
MOST_PAIRS = 100  # further than that, a pilot of a few pairs does not see
DRAWS = 4000  # of a probability: exact to 0.006


def pairs_to_decide(
    mean: float, std: float, count: int, level: float, freedom: float | None = None
) -> int | None:
    """Return how many pairs in all, these `count` included, would probably show their difference.

    That is: a two-sided paired t test at `level` finds it, with this sign, with probability POWER. `mean` and
    `std` describe the pairs that there are; `freedom`: degrees of freedom of `std`, count - 1 by default.
    None if MOST_PAIRS are too few, and below FEWEST_PAIRS.
    """
    if count < FEWEST_PAIRS or not (math.isfinite(mean) and math.isfinite(std)) or mean == 0 or std == 0:
        return None
    freedom = count - 1 if freedom is None else freedom
    return smallest(
        lambda pairs: probability_to_decide(pairs, mean, std, count, level, freedom) >= POWER,
        count + 1,
        MOST_PAIRS,
    )


def probability_to_decide(
    pairs: int, mean: float, std: float, count: int, level: float, freedom: float
) -> float:
    """Return the probability that `pairs` pairs show the difference, given the `count` that there are.

    Averaged over what those do not know: with a flat prior for the true mean and Jeffreys' for the deviation,
    deviation = std sqrt(freedom / chi^2), true mean = mean + deviation z / sqrt(count). Taking the pilot's
    values for the truth promises too much, because a pilot that looks promising was lucky (`python -m
    tests.studies.promises`).
    """
    from scipy.special import stdtrit

    more = pairs - count
    z_D, new_D = _normal_draws()
    deviation_D = std * np.sqrt(freedom / _chi_squared_draws(freedom, 0))
    true_D = abs(mean) + deviation_D * z_D / math.sqrt(count)
    new_mean_D = true_D + deviation_D * new_D / math.sqrt(more)
    within_D = deviation_D**2 * _chi_squared_draws(more - 1, 1)
    between_D = (abs(mean) - new_mean_D) ** 2 * count * more / pairs
    variance_D = (freedom * std**2 + within_D + between_D) / (freedom + more)
    t_D = (count * abs(mean) + more * new_mean_D) / pairs / np.sqrt(variance_D / pairs)
    return float((t_D >= stdtrit(freedom + more, 1 - level / 2)).mean())


@lru_cache(maxsize=1)
def _normal_draws() -> NDArray[np.float64]:
    return np.random.default_rng(DRAWS).standard_normal((2, DRAWS))


@lru_cache(maxsize=512)
def _chi_squared_draws(freedom: float, stream: int) -> NDArray[np.float64]:
    """Return draws [D] that rise smoothly with `freedom`, so that more pairs are never worse by chance."""
    from scipy.special import chdtri

    if freedom == 0:
        return np.zeros(DRAWS)
    return np.asarray(chdtri(freedom, np.random.default_rng([DRAWS, stream]).uniform(size=DRAWS)))


def detectable_difference(std: float, freedom: float, pairs: int, level: float) -> float:
    """Return the true difference that a two-sided t test of `pairs` pairs finds with probability POWER.

    `std`: the deviation of the differences seen so far, with `freedom` degrees of freedom. The true one may
    be larger, so its upper 80% confidence limit is used. The differences themselves do not matter.
    """
    from scipy.special import chdtri, nctdtrinc

    limit = std * math.sqrt(freedom / float(chdtri(freedom, POWER)))
    effect = float(nctdtrinc(pairs - 1, 1 - POWER, t_quantile(pairs - 1, 1 - level / 2)))
    return limit * effect / math.sqrt(pairs)


def seeds_for_width(std: float, width: float) -> int | None:
    """Return how many values make the prediction interval no wider than `width`, if their deviation is `std`.

    None if MAX_SEEDS are too few; no number makes it narrower than `widest_limit`.
    """
    return smallest(lambda count: 2 * half_width(count, std) <= width, 2, MAX_SEEDS)


def widest_limit(std: float) -> float:
    """Return the width that the prediction interval approaches as values are added: 2 * 1.96 * std."""
    from scipy.special import ndtri

    return 2 * float(ndtri(1 - LEVEL / 2)) * std


def smallest(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the smallest count from `least` to `most` for which `holds`, by bisection, or None."""
    if least > most or not holds(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
