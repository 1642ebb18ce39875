"""The paired t test, for what signs alone cannot show of few pairs."""

import numpy as np
from numpy.typing import NDArray

FEWEST = 3  # pairs: of two, rounding to whole samples makes equal differences, and a t of infinity, common


def student_ps(differences_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two-sided p of each row's mean not being 0, if differences are normal (Student 1908).

    NaN is a pair that a test does not have. 1 below FEWEST pairs, and for equal differences, which say
    nothing of their deviation.
    """
    from scipy.special import stdtr

    counts_P = (~np.isnan(differences_PK)).sum(axis=1)
    p_P = np.ones(len(differences_PK))
    tested_P = counts_P >= FEWEST
    values_PK, count_P = differences_PK[tested_P], counts_P[tested_P]
    mean_P = np.nanmean(values_PK, axis=1)
    std_P = np.nanstd(values_PK, axis=1, ddof=1)
    spread_P = std_P > 1e-12 * np.abs(mean_P)  # equal differences, off by rounding
    t_P = np.divide(np.abs(mean_P) * np.sqrt(count_P), std_P, out=np.zeros(len(std_P)), where=spread_P)
    p_P[tested_P] = 2 * stdtr(count_P - 1, -t_P)
    return p_P
