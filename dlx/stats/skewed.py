"""Prediction limits for scores with a long tail on one side, as training gives them.

Axes: R simulated studies, K values of each.
"""

import functools
import math

import numpy as np

STUDIES = 200_000  # a level of 0.001 then rests on 200 of them, which is right to within 15%
AT_ONCE = 20_000  # 8 MB of draws
MOST = 50  # values: with more, the factor falls by 8% at most


@functools.cache
def skewed_factor(count: int, level: float, new: int = 1) -> float:
    """Return k for which the mean of `new` values exceeds m + k s of `count` others with probability `level`.

    m and s are the mean and the standard deviation (n-1) of the others; count >= 2. All values have a Gumbel
    distribution, whose skewness is 1.14 to the right. The quantile is found by simulation, always from the
    same draws.
    """
    draws = np.random.default_rng(0)
    count = min(count, MOST)
    ratios = []
    for _ in range(STUDIES // AT_ONCE):
        values_RK = draws.gumbel(size=(AT_ONCE, count))
        new_R = draws.gumbel(size=(AT_ONCE, new)).mean(axis=1)
        ratios.append((new_R - values_RK.mean(axis=1)) / values_RK.std(axis=1, ddof=1))
    found = float(np.quantile(np.concatenate(ratios), 1 - level))
    assert math.isfinite(found), "continuous draws are never all equal"
    return found
