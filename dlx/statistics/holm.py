"""Holm's correction: at most 5% of families of tests find anything by chance."""

import numpy as np
from numpy.typing import NDArray


def holm(p_M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the adjusted p of M tests, in their order; NaN is no test of the family and stays NaN.

    The i-th smallest p (from 0) times M - i, no smaller than that before it, at most 1. Holds under any
    dependence (Holm, "A simple sequentially rejective multiple test procedure", 1979).
    """
    adjusted_M = np.full(len(p_M), np.nan)
    tested = np.flatnonzero(~np.isnan(p_M))
    order = tested[np.argsort(p_M[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted_M[order] = np.minimum(1.0, np.maximum.accumulate(p_M[order] * steps))
    return adjusted_M
