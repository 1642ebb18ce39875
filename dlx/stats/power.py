"""How many seeds are needed: to decide a paired test with probability 0.8, or to narrow an interval.

Differences are assumed normal with the observed mean and standard deviation; an effect is their ratio.
Axes: R simulated studies of K pairs, C = 2^K choices of signs.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlx.stats.intervals import LEVEL, half_width, t_quantile

POWER = 0.8  # the usual choice
MAX_SEEDS = 10_000  # nobody trains more
SIMULATED = 17  # pairs; up to here the sign-flip test is simulated, beyond the t test stands in for it
STUDIES = 1000
CELLS = 1 << 23  # studies times choices of signs: 64 studies of 17 pairs take 0.2 s
BLOCK = 1 << 21  # cells held at once: 16 MiB
NODES = 200  # of the integral over the standard deviation that TOST will find


def pairs_for_sign(mean: float, std: float, level: float) -> int | None:
    """Return how many pairs the one-sided sign-flip test at `level` needs to show a mean difference.

    `mean` and `std` describe the true differences. None if MAX_SEEDS pairs are too few.
    """
    if mean == 0 or not math.isfinite(mean) or not math.isfinite(std):
        return None
    effect = abs(mean) / std if std else math.inf
    least = math.ceil(-math.log2(level))
    return smallest(lambda count: effect >= critical_effect(count, level), least)


@lru_cache(maxsize=4096)
def critical_effect(count: int, level: float) -> float:
    """Return the effect that the sign-flip test of `count` pairs shows with probability POWER, one-sided.

    The effect of the t test, corrected by how much more the sign-flip test needs in simulated studies: at
    level 0.0009 (28 tests) the t test promises 0.80 for 12 pairs, where sign flips reach 0.68. Infinite if
    even the rarest choice of signs is not rare enough.
    """
    if count < -math.log2(level):
        return math.inf
    effect = _student_effect(count, level)
    if count > SIMULATED:
        return effect
    studies = min(STUDIES, CELLS >> count)
    z_RK = np.random.default_rng([count, studies]).standard_normal((studies, count))
    by_signs_R = _sign_thresholds(z_RK, math.floor(level * 2.0**count * (1 + 1e-12)))
    half_R = t_quantile(count - 1, 1 - level) * z_RK.std(axis=1, ddof=1) / math.sqrt(count)
    by_t_R = half_R - z_RK.mean(axis=1)
    return effect + float(np.quantile(by_signs_R, POWER) - np.quantile(by_t_R, POWER))


def _sign_thresholds(z_RK: NDArray[np.float64], allowed: int) -> NDArray[np.float64]:
    """Return the smallest significant effect of each study, [R].

    With an effect d added to every pair z, flipping a set I of signs reaches the observed sum if
    mean(z over I) + d <= 0. d is significant if at most `allowed` sets do, the empty one included: if d
    exceeds the `allowed`-th largest of -mean(z over I).
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
    """Return the sums of all 2^K subsets of the values, [R, C], the empty one first."""
    sums_RC = np.zeros((len(values_RK), 1))
    for value_R in values_RK.T:
        sums_RC = np.hstack([sums_RC, sums_RC + value_R[:, None]])
    return sums_RC


def _student_effect(count: int, level: float) -> float:
    """Return the effect that the one-sided paired t test shows with probability POWER."""
    from scipy.special import nctdtrinc

    return float(nctdtrinc(count - 1, 1 - POWER, t_quantile(count - 1, 1 - level))) / math.sqrt(count)


def pairs_for_equivalence(mean: float, std: float, margin: float, level: float) -> int | None:
    """Return how many pairs TOST needs to show `mean` to be within ±`margin`; None if none suffice."""
    if not abs(mean) < margin or not math.isfinite(std):
        return None
    return smallest(lambda count: tost_power(count, mean, std, margin, level) >= POWER, 2)


def seeds_for_width(std: float, width: float) -> int | None:
    """Return how many values make the prediction interval no wider than `width`, if their deviation is `std`.

    None if MAX_SEEDS are too few; no number makes it narrower than `widest_limit`.
    """
    return smallest(lambda count: 2 * half_width(count, std) <= width, 2)


def widest_limit(std: float) -> float:
    """Return the width that the prediction interval approaches as values are added: 2 * 1.96 * std."""
    from scipy.special import ndtri

    return 2 * float(ndtri(1 - LEVEL / 2)) * std


def fewest_seeds(tests: int) -> int:
    """Return the fewest seeds with which a family of sign-flip tests can find anything.

    The smallest p, 2 / 2^K, has to pass Holm's correction for the first of `tests` tests.
    """
    return math.ceil(math.log2(2 * tests / LEVEL))


def tost_power(count: int, mean: float, std: float, margin: float, level: float) -> float:
    """Return the probability that TOST finds `count` normal differences equivalent.

    It does if their mean is inside ±(margin - t s / sqrt(K)). That probability is averaged over the
    distribution of the standard deviation s, by NODES quantiles of chi squared.
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
    """Return NODES quantiles of the standard deviation of `count` values, if the true one is 1."""
    from scipy.special import chdtri

    upper = (np.arange(NODES) + 0.5) / NODES
    return np.asarray(np.sqrt(chdtri(count - 1, upper) / (count - 1)), dtype=np.float64)


def smallest(holds: Callable[[int], bool], least: int) -> int | None:
    """Return the smallest count from `least` to MAX_SEEDS for which `holds`, by bisection, or None."""
    if not holds(MAX_SEEDS):
        return None
    low, high = least - 1, MAX_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
