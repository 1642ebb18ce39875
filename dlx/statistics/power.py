"""How many paired seeds would decide, with probability 0.8, by the very tests that will be made of them.

Differences are taken as normal with the mean and deviation that were seen; an effect is their ratio.
R simulated studies of K pairs, C = 2^K choices of signs.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlx.statistics.intervals import t_quantile
from dlx.statistics.search import smallest

POWER = 0.8  # the usual choice
SIMULATED = 17  # pairs up to which the sign-flip test is simulated; the t test stands for it beyond
STUDIES = 1000
CELLS = 1 << 23  # at most, studies times choices of signs: 64 studies of 17 pairs, 0.2 s
BLOCK = 1 << 21  # of them at once: 16 MiB
NODES = 200  # of the integral over the deviation that TOST will find


def pairs_for_sign(mean: float, std: float, level: float) -> int | None:
    """Return how many pairs would show a true mean difference `mean` of deviation `std`; None if too many.

    By the sign-flip test, one-sided at `level`.
    """
    if mean == 0 or not math.isfinite(mean) or not math.isfinite(std):
        return None
    effect = abs(mean) / std if std else math.inf
    least = math.ceil(-math.log2(level))
    return smallest(lambda count: effect >= critical_effect(count, level), least)


@lru_cache(maxsize=4096)
def critical_effect(count: int, level: float) -> float:
    """Return the effect that `count` pairs show with probability POWER, one-sided at `level`.

    That of the t test, put right by how much more the sign-flip test asks for in simulated studies: at a
    level of 0.0009 (28 tests) the t test would promise 0.80 for 12 pairs where signs give 0.68. Infinite if
    no choice of signs is rare enough.
    """
    if count < -math.log2(level):
        return math.inf
    effect = _student_effect(count, level)
    if count > SIMULATED:
        return effect
    studies = min(STUDIES, CELLS >> count)
    z_RK = np.random.default_rng([count, studies]).standard_normal((studies, count))
    by_signs_R = _sign_thresholds(z_RK, math.floor(level * 2.0**count * (1 + 1e-12)))
    by_t_R = t_quantile(count - 1, 1 - level) * z_RK.std(axis=1, ddof=1) / math.sqrt(count) - z_RK.mean(
        axis=1
    )
    return effect + float(np.quantile(by_signs_R, POWER) - np.quantile(by_t_R, POWER))


def _sign_thresholds(z_RK: NDArray[np.float64], allowed: int) -> NDArray[np.float64]:
    """Return the effect from which on each study is significant, [R].

    With an effect d added to every pair z, flipping a set I of signs reaches the sum seen if
    mean(z over I) + d <= 0. Significant is d if no more than `allowed` choices do, that of flipping none
    included: if d exceeds the `allowed`-th largest of -mean(z over I).
    """
    studies, count = z_RK.shape
    block = max(1, BLOCK >> count)
    sizes_C = _subset_sums(np.ones((1, count)))[0, 1:]
    found = [
        np.partition(_subset_sums(part_RK)[:, 1:] / sizes_C, allowed - 1, axis=1)[:, allowed - 1]
        for part_RK in np.split(z_RK, range(block, studies, block))
    ]
    return -np.concatenate(found)


def _subset_sums(values_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of all 2^K sets of values, [R, C], that of none first."""
    sums_RC = np.zeros((len(values_RK), 1))
    for value_R in values_RK.T:
        sums_RC = np.hstack([sums_RC, sums_RC + value_R[:, None]])
    return sums_RC


def _student_effect(count: int, level: float) -> float:
    """Return the effect that the one-sided paired t test shows with probability POWER."""
    from scipy.special import nctdtrinc

    return float(nctdtrinc(count - 1, 1 - POWER, t_quantile(count - 1, 1 - level))) / math.sqrt(count)


def pairs_for_equivalence(mean: float, std: float, margin: float, level: float) -> int | None:
    """Return how many pairs TOST needs to find a difference of `mean` within ±`margin`; None if none do."""
    if not abs(mean) < margin or not math.isfinite(std):
        return None
    return smallest(lambda count: tost_power(count, mean, std, margin, level) >= POWER, 2)


def tost_power(count: int, mean: float, std: float, margin: float, level: float) -> float:
    """Return the probability that TOST of `count` normal differences stays within the margin.

    The mean is inside ±(margin - t s / sqrt(K)) for each s that may be found, averaged over the
    distribution of s by NODES quantiles of chi squared.
    """
    from scipy.special import ndtr

    if std == 0:
        return 1.0
    error = std / math.sqrt(count)
    reach = np.maximum(0.0, margin / error - t_quantile(count - 1, 1 - level) * _deviations(count))
    inside = ndtr(reach - mean / error) - ndtr(-reach - mean / error)
    return float(np.where(reach > 0, inside, 0.0).mean())


@lru_cache(maxsize=1024)
def _deviations(count: int) -> NDArray[np.float64]:
    """Return NODES quantiles of the standard deviation of `count` values whose true one is 1."""
    from scipy.special import chdtri

    upper = (np.arange(NODES) + 0.5) / NODES
    return np.asarray(np.sqrt(chdtri(count - 1, upper) / (count - 1)), dtype=np.float64)
