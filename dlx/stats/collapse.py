"""Runs of two kinds: some that trained, and some that collapsed. Their mean describes neither.

Axes: K values of one setting, higher is better.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

APART = 4.0  # deviations of either kind that the gap between the two kinds must exceed


def collapsed(
    values_K: Sequence[float] | NDArray[np.float64], gap: float, spread: float
) -> NDArray[np.bool_]:
    """Return which of the K values are of the worse of two kinds; none if all are of one kind.

    The kinds are what the largest gap between neighbouring values separates. It must be at least `gap`, and
    APART times the standard deviation within either kind, taken to be at least `spread`: that of a typical
    setting. Fewer than 3 values are of one kind.
    """
    values = np.asarray(values_K, dtype=np.float64)
    none = np.zeros(len(values), dtype=np.bool_)
    if len(values) < 3 or not np.isfinite(values).all():
        return none
    ordered = np.sort(values)
    at = int(np.diff(ordered).argmax()) + 1
    size = ordered[at] - ordered[at - 1]
    within = max(float(kind.std(ddof=1)) for kind in (ordered[:at], ordered[at:]) if len(kind) > 1)
    if size < gap or size < APART * max(within, spread):
        return none
    return np.asarray(values < ordered[at], dtype=np.bool_)
