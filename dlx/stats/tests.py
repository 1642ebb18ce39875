"""Tests of paired differences: sign flips, Student's t, equivalence (TOST), and Holm's correction.

Axes: P tests of K pairs each (one pair per seed), C choices of signs, M tests of a family.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

EXACT = 20  # pairs; up to here all 2^K choices of signs are counted
PRODUCT = 12  # pairs; up to here the sums of many tests are formed together, beyond from two halves
DRAWS = 200_000  # random choices beyond EXACT; they give a p of 0.05 to within 0.0005
SUMS = 1 << 22  # held at once: 32 MiB
MIN_PAIRS = 2  # that a test needs
FEWEST_T = 3  # pairs; with 2, rounding to whole samples often makes them equal and t infinite

Values = Sequence[float] | NDArray[np.float64]


def sign_flip_p(differences_K: Values) -> float:
    """Return the one-sided p value that the mean of paired differences is above 0, by the sign-flip test.

    If neither side is better, each difference is equally likely to have either sign (Fisher, The Design of
    Experiments, 1935, section 21). p is the share of the 2^K choices of signs whose sum is at least the
    observed one; beyond EXACT pairs, the share among DRAWS random choices, with a generator seeded by K.
    """
    return float(sign_flip_ps(np.asarray(differences_K, dtype=np.float64)[None])[0])


def two_sided_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two-sided sign-flip p value of each row, [P]; NaN marks a pair that a test lacks.

    The sums over all signs are symmetric about 0, so this is twice the one-sided p of the larger side.
    """
    signs_P = np.where(np.nansum(differences_PK, axis=1) < 0, -1.0, 1.0)
    return np.minimum(1.0, 2 * sign_flip_ps(differences_PK * signs_P[:, None]))


def sign_flip_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the one-sided sign-flip p value of each row, [P]; NaN marks a pair that a test lacks."""
    tests, most = differences_PK.shape
    values_PK = np.nan_to_num(differences_PK)  # a 0 doubles both counts of the ratio
    if most > PRODUCT:
        exact_P = (~np.isnan(differences_PK)).sum(axis=1) <= EXACT
        p_P = np.empty(tests)
        p_P[exact_P] = [_exact_p(row_K[~np.isnan(row_K)]) for row_K in differences_PK[exact_P]]
        p_P[~exact_P] = _drawn_ps(values_PK[~exact_P])
        return p_P
    least_P = _least(values_PK)
    p_P = np.empty(tests)
    block = max(1, SUMS >> most)
    for start in range(0, tests, block):
        part = slice(start, start + block)
        p_P[part] = (_sums(values_PK[part]) >= least_P[part, None]).mean(axis=1)
    return p_P


def smallest_p(count: int) -> float:
    """Return the smallest one-sided sign-flip p of `count` pairs, 1 / 2^count; two-sided it is twice that."""
    return 0.5**count


def student_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two-sided p value of each row's paired t test, [P], for normal differences (Student 1908).

    NaN marks a pair that a test lacks. p is 1 below FEWEST_T pairs and for equal differences, whose standard
    deviation is unknown.
    """
    from scipy.special import stdtr

    counts_P = (~np.isnan(differences_PK)).sum(axis=1)
    p_P = np.ones(len(differences_PK))
    tested_P = counts_P >= FEWEST_T
    values_PK, count_P = differences_PK[tested_P], counts_P[tested_P]
    mean_P = np.nanmean(values_PK, axis=1)
    std_P = np.nanstd(values_PK, axis=1, ddof=1)
    spread_P = std_P > 1e-12 * np.abs(mean_P)  # equal differences, off by rounding
    t_P = np.divide(np.abs(mean_P) * np.sqrt(count_P), std_P, out=np.zeros(len(std_P)), where=spread_P)
    p_P[tested_P] = 2 * stdtr(count_P - 1, -t_P)
    return p_P


def tost_p(differences_K: Values, margin: float) -> float:
    """Return the p value of equivalence within ±`margin`: the larger p of two one-sided t tests.

    NaN below 2 pairs (Schuirmann 1987). Equal differences have no standard deviation to test with, and with
    500 samples they happen by chance: inside the margin, p is then that of the signs, 1 / 2^K.
    """
    from scipy.special import stdtr

    values = np.asarray(differences_K, dtype=np.float64)
    count = len(values)
    if count < 2:
        return math.nan
    mean = float(values.mean())
    if (values == values[0]).all():
        return smallest_p(count) if abs(mean) < margin else 1.0
    error = float(values.std(ddof=1)) / math.sqrt(count)
    return float(stdtr(count - 1, (abs(mean) - margin) / error))


def equivalence_p(differences_K: Sequence[float], margin: float) -> float:
    """Return the same by sign-flip tests, which assume no normal values and need 5 pairs to reach 0.05."""
    values = np.asarray(differences_K, dtype=np.float64)
    return max(sign_flip_p(values + margin), sign_flip_p(margin - values))


def beyond_p(differences_K: Sequence[float], margin: float) -> float:
    """Return the sign-flip p value that the mean difference lies outside ±`margin`, on either side."""
    values = np.asarray(differences_K, dtype=np.float64)
    return min(1.0, 2 * min(sign_flip_p(values - margin), sign_flip_p(-values - margin)))


def holm(p_M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the M p values adjusted for multiple testing, in their order; NaN is not tested and stays NaN.

    The i-th smallest p (from 0) is multiplied by M - i, then made no smaller than the one before and at most
    1. Valid under any dependence (Holm, "A simple sequentially rejective multiple test procedure", 1979).
    """
    adjusted_M = np.full(len(p_M), np.nan)
    tested = np.flatnonzero(~np.isnan(p_M))
    order = tested[np.argsort(p_M[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted_M[order] = np.minimum(1.0, np.maximum.accumulate(p_M[order] * steps))
    return adjusted_M


def _exact_p(values_K: NDArray[np.float64]) -> float:
    count, least = len(values_K), _least(values_K[None])[0]
    # Every sum is one of the first half plus one of the second: sort the second, and count by bisection.
    # This takes 0.3 ms for 20 pairs; forming all million sums takes 24 ms.
    first_C, second_C = (_sums(half[None])[0] for half in np.split(values_K, [count // 2]))
    too_small_C = np.searchsorted(np.sort(second_C), least - first_C)
    return float((len(second_C) - too_small_C).sum() / 2.0**count)


def _drawn_ps(values_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    tests, count = values_PK.shape
    draws = np.random.default_rng([count, DRAWS])
    least_P, reached_P = _least(values_PK), np.ones(tests)
    for _ in range(DRAWS // 1000 if tests else 0):
        signs = draws.integers(0, 2, (1000, count)) * 2.0 - 1
        reached_P += (signs @ values_PK.T >= least_P).sum(axis=0)
    return reached_P / (DRAWS + 1)


def _least(values_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the observed sums, less the rounding error of sums in another order."""
    slack_P = 1e-12 * np.abs(values_PK).sum(axis=1)
    least_P: NDArray[np.float64] = values_PK.sum(axis=1) - slack_P
    return least_P


def _sums(values_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums for all choices of signs, [P, C], with 2 C additions each."""
    sums_PC = np.zeros((len(values_PK), 1))
    for value_P in values_PK.T:
        sums_PC = np.hstack([sums_PC + value_P[:, None], sums_PC - value_P[:, None]])
    return sums_PC
