"""Whether two sides differ by less than a margin: the larger p of two one-sided tests (Schuirmann 1987)."""

import math
from collections.abc import Sequence

import numpy as np

from dlx.statistics.permutation import Values, sign_flip_p, smallest_p


def tost_p(differences_K: Values, margin: float) -> float:
    """Return the p of the mean difference lying within ±`margin`, by paired t tests; NaN below 2 pairs.

    Equal differences have no deviation to measure by, which with 500 samples happens by chance: inside the
    margin their p is then that of the signs, 1 / 2^K.
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
    """Return the same by flipping signs, which assumes no normal values and needs 5 pairs to reach 0.05."""
    values = np.asarray(differences_K, dtype=np.float64)
    return max(sign_flip_p(values + margin), sign_flip_p(margin - values))


def beyond_p(differences_K: Sequence[float], margin: float) -> float:
    """Return the p of the mean difference lying outside ±`margin`, on either side, by flipping signs."""
    values = np.asarray(differences_K, dtype=np.float64)
    return min(1.0, 2 * min(sign_flip_p(values - margin), sign_flip_p(-values - margin)))
