"""The exact paired test: for which share of the 2^K choices of signs the mean difference is as large.

P tests of K pairs each, one a seed; C choices of signs. If neither side is better, each pair's difference
is as likely to have either sign (Fisher, The Design of Experiments, 1935, section 21).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

EXACT = 20  # pairs up to which all 2^K signs count
PRODUCT = 12  # pairs up to which all sums of many tests are formed at once; beyond, the sums of two halves
DRAWS = 200_000  # of signs beyond EXACT: a p of 0.05 is then known to 0.0005
SUMS = 1 << 22  # held at once: 32 MiB

Values = Sequence[float] | NDArray[np.float64]


def sign_flip_p(differences_K: Values) -> float:
    """Return the one-sided p of the mean of paired differences being above 0, by flipping their signs.

    The share of the 2^K choices of signs whose sum is at least the one seen; beyond EXACT pairs the share
    among DRAWS random choices and the one seen, by a generator derived from K.
    """
    return float(sign_flip_ps(np.asarray(differences_K, dtype=np.float64)[None])[0])


def two_sided_p(differences_K: Values) -> float:
    """Return the two-sided p of the mean of paired differences not being 0."""
    return float(two_sided_ps(np.asarray(differences_K, dtype=np.float64)[None])[0])


def two_sided_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two-sided p of each row; NaN is a pair that a test does not have.

    The sums of all signs lie symmetrically about 0, so this is twice the p of the larger side.
    """
    signs_P = np.where(np.nansum(differences_PK, axis=1) < 0, -1.0, 1.0)
    return np.minimum(1.0, 2 * sign_flip_ps(differences_PK * signs_P[:, None]))


def sign_flip_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the one-sided p of each row; NaN is a pair that a test does not have."""
    tests, most = differences_PK.shape
    values_PK = np.nan_to_num(differences_PK)  # a 0 doubles the choices and those that reach the sum alike
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
    """Return the smallest one-sided p of `count` pairs, 1 of 2^count signs; two-sided it is twice that."""
    return 0.5**count


def _exact_p(values_K: NDArray[np.float64]) -> float:
    count, least = len(values_K), _least(values_K[None])[0]
    # Every sum is one of the first half's and one of the second's: for each of those, how many of these are
    # large enough? 0.3 ms for 20 pairs, where a million sums take 24.
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
    """Return the sums seen, less what sums of the same numbers in another order are off by."""
    slack_P = 1e-12 * np.abs(values_PK).sum(axis=1)
    least_P: NDArray[np.float64] = values_PK.sum(axis=1) - slack_P
    return least_P


def _sums(values_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums for all choices of signs, [P, C], in 2 C additions each."""
    sums_PC = np.zeros((len(values_PK), 1))
    for value_P in values_PK.T:
        sums_PC = np.hstack([sums_PC + value_P[:, None], sums_PC - value_P[:, None]])
    return sums_PC
