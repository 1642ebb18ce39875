"""Effects in a grid: what each key does on average over the others, and which two keys interact.

Axes: scores are [L1, ..., LK, U], with K keys of L levels each and U units (the seeds or splits); NaN marks a
missing run. M contrasts. A contrast takes one or two keys apart. Each combination of the other keys' levels
is a matched set, such as the two runs that differ in one key alone.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.stats.intervals import LEVEL
from dlx.stats.tests import Floats, holm, paired_tests

PAIRED_LEVELS = 4  # of a key, at most, to compare them in pairs: 5 levels have 10 pairs and 5 means
FEWEST = 2  # units; the other contrasts of the grid tell the deviation that two units cannot
ROUNDING = 1e-12  # of a score, relative: smaller contrasts are 0
NOISE_ROWS = 500  # untested contrasts, at most: with so many the deviation is known to 3%

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """The `weights` of the levels of each key that is taken apart, by the key's index; each sums to 0."""

    weights: dict[int, Weights]

    @property
    def keys(self) -> tuple[int, ...]:
        """Return the keys that are taken apart."""
        return tuple(self.weights)


@dataclass(frozen=True)
class ContrastTests:
    """Tests of M contrasts, [M] each; NaN where too few units have a matched set.

    `mean_M`: the contrast in the scores' unit. `low_M`, `high_M`: intervals that hold together and agree
    with the tests: one that excludes 0 by Holm's correction alone ends at 0. `p_M`: two-sided, of each test
    by itself. `p_holm_M`: after Holm's correction over all M. `sets_M`: matched sets over all units, of which
    the contrast is above 0 in `above_M` and below in `below_M`. `units_M`: units with a matched set.
    """

    mean_M: Floats
    low_M: Floats
    high_M: Floats
    p_M: Floats
    p_holm_M: Floats
    sets_M: NDArray[np.int64]
    above_M: NDArray[np.int64]
    below_M: NDArray[np.int64]
    units_M: NDArray[np.int64]


def main_contrasts(levels: Sequence[int], key: int) -> list[Contrast]:
    """Return the contrasts of one key: later minus earlier level, or each level minus the others' mean."""
    return [Contrast({key: weights}) for weights in _comparisons(levels[key])]


def interaction_contrasts(levels: Sequence[int], key: int, other: int) -> list[Contrast]:
    """Return the products of the contrasts of two keys: how far the effect of one differs with the other."""
    pairs = itertools.product(_comparisons(levels[key]), _comparisons(levels[other]))
    return [Contrast({key: first, other: second}) for first, second in pairs]


def _comparisons(levels: int) -> list[Weights]:
    if levels <= PAIRED_LEVELS:
        return [
            tuple(float(level == second) - float(level == first) for level in range(levels))
            for first, second in itertools.combinations(range(levels), 2)
        ]
    rest = -1 / (levels - 1)
    return [tuple(1.0 if level == one else rest for level in range(levels)) for one in range(levels)]


def check_contrasts(
    scores: Floats,
    contrasts: Sequence[Contrast],
    *,
    resolution: float = 0.0,
    level: float = LEVEL,
    noise_order: int = 3,
    family: int | None = None,
    overlap: float = 0.0,
) -> ContrastTests:
    """Test together whether each contrast of the scores [L1, ..., LK, U] differs from 0 on average.

    Within a unit, a contrast is the mean over its complete matched sets. Scaled to the variance of one run,
    all contrasts have about the same variance between units. So the moderated t tests of `paired_tests`
    estimate it from all of them, and from those of `noise_order` keys and more, which are not tested. Two
    precautions: what a key does may depend on the seed, so contrasts of fewer keys are allowed a larger
    variance than those of more keys, as much as is seen; and unequal variances of the settings reduce the
    degrees of freedom (`effective_settings`).

    `resolution`: the step between possible scores (see `dlx.stats.tests.resolution`). `level`: of the tests;
    1 - level is the coverage of the intervals. `family`: how many of these hold together, by default all M.
    `overlap`: as for `paired_tests`.
    """
    noise = _noise_contrasts(scores.shape[:-1], noise_order)
    rows = [*contrasts, *itertools.islice(noise, NOISE_ROWS)]
    smallest = ROUNDING * float(np.nanmax(np.abs(scores), initial=0.0))
    sets = [_matched_sets(scores, each, smallest) for each in rows]
    means, scales = zip(*map(_row, sets, rows), strict=True)
    scale_R, orders_R = np.array(scales), np.array([len(each.weights) for each in rows])
    rows_RU = np.array(means) * scale_R[:, None]
    deviations_R = _deviations(rows_RU, orders_R)
    scale_R /= deviations_R
    tests = paired_tests(
        rows_RU / deviations_R[:, None],
        effective_settings(scores.reshape(-1, scores.shape[-1])),
        resolution=resolution / math.sqrt(2),  # paired_tests expects differences of two scores
        fewest=FEWEST,
        overlap=overlap,
    )
    tested = slice(len(contrasts))
    scale_M, p_holm_M = scale_R[tested], holm(tests.p_M[tested])
    mean_M = tests.mean_M[tested] / scale_M
    half_M = tests.half_widths(level, family or len(contrasts))[tested] / scale_M
    found_M = p_holm_M <= level
    return ContrastTests(
        mean_M,
        np.where(found_M & (mean_M > 0), np.maximum(mean_M - half_M, 0), mean_M - half_M),
        np.where(found_M & (mean_M < 0), np.minimum(mean_M + half_M, 0), mean_M + half_M),
        tests.p_M[tested],
        p_holm_M,
        np.array([(~np.isnan(each)).sum() for each in sets[tested]], dtype=np.int64),
        np.array([(each > 0).sum() for each in sets[tested]], dtype=np.int64),
        np.array([(each < 0).sum() for each in sets[tested]], dtype=np.int64),
        tests.counts_M[tested],
    )


def effective_settings(scores_CU: Floats) -> float:
    """Return how many settings of equal variance would tell as much about the noise as these do.

    The degrees of freedom of a sum of variances (Satterthwaite 1946): (sum of v)^2 / (sum of v^2), where both
    are corrected for the variances being estimated, each with U - 1 degrees of freedom. At least 2.
    """
    counts_C = (~np.isnan(scores_CU)).sum(axis=1)
    repeated_CU = scores_CU[counts_C > 1]
    if not len(repeated_CU):
        return 2.0
    rest_CU = repeated_CU - np.nanmean(repeated_CU, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest_CU = rest_CU - np.nansum(rest_CU, axis=0) / (~np.isnan(rest_CU)).sum(axis=0)
    freedom_C = counts_C[counts_C > 1] - 1.0
    variance_C = np.nansum(rest_CU**2, axis=1) / freedom_C
    if not variance_C.any():
        return max(2.0, len(variance_C))
    freedom = float(freedom_C.mean())
    ratio = float(variance_C.sum() ** 2 / (variance_C**2).sum())
    return min(max(2.0, ((freedom + 2) * ratio - 2) / freedom), max(2.0, len(variance_C)))


def _matched_sets(scores: Floats, contrast: Contrast, smallest: float) -> Floats:
    """Return the contrast of each matched set, [sets, U]; NaN if one of its runs is missing.

    Contrasts smaller than `smallest` are 0.
    """
    sets = np.moveaxis(scores, list(contrast.keys), range(len(contrast.keys)))
    for weights in contrast.weights.values():  # a missing run of a level without weight does no harm
        sets = np.add.reduce([weight * sets[level] for level, weight in enumerate(weights) if weight])
    sets = sets.reshape(-1, scores.shape[-1])
    return np.where(np.abs(sets) < smallest, 0.0, sets)


def _row(sets: Floats, contrast: Contrast) -> tuple[Floats, float]:
    """Return the mean over the complete matched sets of each unit [U], NaN without one, and its scale.

    The scale is the factor that gives the mean the variance of a single run.
    """
    whole = ~np.isnan(sets)
    count_U = whole.sum(axis=0)
    sum_U = sets.sum(axis=0, where=whole)
    mean_U = np.divide(sum_U, count_U, out=np.full(len(count_U), np.nan), where=count_U > 0)
    typical = float(count_U.sum() / max(1, (count_U > 0).sum()))
    squares = math.prod(sum(weight**2 for weight in weights) for weights in contrast.weights.values())
    return mean_U, math.sqrt(max(1.0, typical) / squares)


def _deviations(rows_RU: Floats, orders_R: NDArray[np.int64]) -> Floats:
    """Return the deviation between units that is typical of contrasts of as many keys, relative to the least.

    The mean variances of each number of keys, made to fall with it by isotonic regression (the min-max
    formula; Barlow et al., Statistical Inference under Order Restrictions, 1972).
    """
    deviations_R = np.ones(len(orders_R))
    repeated_R = (~np.isnan(rows_RU)).sum(axis=1) > 1
    orders = np.unique(orders_R[repeated_R])
    if not len(orders):
        return deviations_R
    variance_R = np.nanvar(rows_RU[repeated_R], axis=1, ddof=1)
    of_order = [variance_R[orders_R[repeated_R] == order] for order in orders]
    count = len(orders)
    falling = [
        min(max(np.concatenate(of_order[i : j + 1]).mean() for j in range(r, count)) for i in range(r + 1))
        for r in range(count)
    ]
    for order, variance in zip(orders, falling, strict=True):
        deviations_R[orders_R == order] = math.sqrt(variance / falling[-1]) if falling[-1] else 1.0
    return deviations_R


def _noise_contrasts(levels: Sequence[int], fewest: int) -> Iterator[Contrast]:
    """Yield orthogonal contrasts of the `fewest` keys and more, those of fewer keys first."""
    for order in range(fewest, len(levels) + 1):
        for keys in itertools.combinations(range(len(levels)), order):
            for weights in itertools.product(*(_orthogonal(levels[key]) for key in keys)):
                yield Contrast(dict(zip(keys, weights, strict=True)))


def _orthogonal(levels: int) -> list[Weights]:
    """Return Helmert's contrasts: each level but the first, minus the mean of those before it."""
    return [(-1 / level,) * level + (1.0,) + (0.0,) * (levels - level - 1) for level in range(1, levels)]
