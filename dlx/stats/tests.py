"""Tests of paired differences: moderated t tests of many differences, equivalence (TOST), Holm's correction.

Axes: M differences that are tested together, U units (the seeds or splits that pair the settings).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FEWEST = 3  # units that a test needs: two tell next to nothing about their deviation
LEAST_FAMILY = 3  # differences; from fewer, the distribution of their variances cannot be estimated
ROUNDING = 1e-6  # of a score, relative
NO_SPREAD = 1e6  # degrees of freedom of a prior without spread

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats


@dataclass(frozen=True)
class PairedTests:
    """Moderated paired t tests of M differences, [M] each; NaN for a difference that cannot be tested.

    `counts_M`: units. `mean_M`: the mean difference. `error_M`: its moderated standard error. `freedom_M`:
    degrees of freedom. `p_M`: two-sided, of each test by itself. `prior_freedom`: how much each variance was
    moderated, as degrees of freedom; 0 if it was not. `overlap`: as for `paired_tests`.
    """

    counts_M: NDArray[np.int64]
    mean_M: Floats
    error_M: Floats
    freedom_M: Floats
    p_M: Floats
    prior_freedom: float
    overlap: float | Floats = 0.0

    @property
    def deviations(self) -> Floats:
        """Return the moderated standard deviation of each row's differences [M]."""
        deviation_M: Floats = self.error_M / np.sqrt(1 / self.counts_M.clip(1) + self.overlap)
        return deviation_M

    def half_widths(self, level: float, family: int) -> Floats:
        """Return half the width [M] of intervals for the means, by Bonferroni's correction for `family` ones.

        That many hold together with probability 1 - level.
        """
        from scipy.special import stdtrit

        half_M: Floats = stdtrit(self.freedom_M, 1 - level / (2 * max(1, family))) * self.error_M
        return half_M

    def weaker(self, others: "PairedTests") -> "PairedTests":
        """Return of each difference the test with the larger p, from two tests of the same differences.

        The counts stay those of the first tests.
        """
        taken_M = others.p_M > self.p_M  # never where one is NaN
        names = ("mean_M", "error_M", "freedom_M", "p_M")
        chosen = {name: np.where(taken_M, getattr(others, name), getattr(self, name)) for name in names}
        return replace(self, **chosen)


def paired_tests(
    differences_MU: Floats,
    settings: float,
    *,
    resolution: float = 0.0,
    fewest: int = FEWEST,
    overlap: float | Floats = 0.0,
) -> PairedTests:
    """Test whether the mean of each row differs from 0; NaN marks a unit that a row lacks.

    A paired t test whose variance is moderated: a few units estimate a variance badly, so it is averaged with
    what the variances of all rows have in common, in proportion to how much that is (Smyth, "Linear models
    and empirical Bayes methods", 2004, section 6). Rows are differences between `settings` settings. Their
    variances are estimated from the same runs, so a test has at most (settings - 1) (U - 1) degrees of
    freedom, those of a two-way layout. With fewer than LEAST_FAMILY rows it is the ordinary paired t test.

    `resolution`: the step between possible scores (one validation sample). Differences of rounded scores have
    at least the variance resolution^2 / 6, even if they happen to be equal in every unit. Without a step,
    equal differences do not happen by chance: their p is 0, or 1 if they are 0. Rows with fewer than `fewest`
    units are not tested.

    `overlap`, of all rows or of each [M]: if units are folds of cross-validation, the validation samples of a
    fold over its training samples. Folds share training data, so the variance of a mean over U of them is s^2
    (1/U + overlap) instead of s^2 / U (Nadeau and Bengio, "Inference for the generalization error", 2003,
    section 3.1; for repeated folds, Bouckaert and Frank, 2004).
    """
    from scipy.special import stdtr

    counts_M = (~np.isnan(differences_MU)).sum(axis=1)
    mean_M, variance_M = _moments(differences_MU, counts_M)
    variance_M = np.maximum(variance_M, resolution**2 / 6)
    freedom_M = np.where(counts_M >= fewest, counts_M - 1.0, np.nan)
    spread_M = (counts_M >= fewest) & (variance_M > (1e-12 * np.abs(mean_M)) ** 2)
    prior, typical = _prior(variance_M[spread_M], freedom_M[spread_M])
    moderated_M = (prior * typical + freedom_M * variance_M) / (prior + freedom_M)
    error_M = np.sqrt(np.where(spread_M, moderated_M, freedom_M * 0) * (1 / counts_M.clip(1) + overlap))
    total_M = np.minimum(prior + freedom_M, (settings - 1) * freedom_M)
    t_M = np.divide(np.abs(mean_M), error_M, out=np.where(mean_M == 0, 0.0, np.inf), where=error_M != 0)
    return PairedTests(counts_M, mean_M, error_M, total_M, 2 * stdtr(total_M, -t_M), prior, overlap)


def _moments(differences_MU: Floats, counts_M: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the mean and the variance (n - 1) of each row; NaN below one value and below two."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_M = np.nansum(differences_MU, axis=1) / counts_M
        squares_M = np.nansum((differences_MU - mean_M[:, None]) ** 2, axis=1)
        return mean_M, np.where(counts_M > 1, squares_M / (counts_M - 1), np.nan)


def _prior(variance_M: Floats, freedom_M: Floats) -> tuple[float, float]:
    """Fit a scaled inverse chi squared distribution to the true variances: its degrees of freedom and scale.

    By the mean and the variance of log s^2, whose sampling parts are known (Smyth, 2004, section 6.2). (0, 0)
    for fewer than LEAST_FAMILY variances.
    """
    from scipy.special import digamma, polygamma

    if len(variance_M) < LEAST_FAMILY:
        return 0.0, 0.0
    log_M = np.log(variance_M) - digamma(freedom_M / 2) + np.log(freedom_M / 2)
    spread = float(log_M.var(ddof=1) - polygamma(1, freedom_M / 2).mean())
    prior = min(NO_SPREAD, 2 * _trigamma_inverse(spread)) if spread > 0 else NO_SPREAD
    return prior, math.exp(float(log_M.mean()) + float(digamma(prior / 2)) - math.log(prior / 2))


def _trigamma_inverse(value: float) -> float:
    """Solve trigamma(x) = value for value > 0 by Newton's method on 1 / trigamma (Smyth, 2004, appendix)."""
    from scipy.special import polygamma

    if value < 1e-7:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x


def resolution(values: Values) -> float:
    """Return the step of which all distances between finite values are multiples; 0 if there is none.

    Accuracies on N samples are multiples of 1 / N. Measured losses have no step.
    """
    distinct = np.unique(np.asarray(values, dtype=np.float64))
    distinct = distinct[np.isfinite(distinct)]
    scale = float(np.abs(distinct).max(initial=0.0))
    step = 0.0
    for gap in np.diff(distinct):  # Euclid's algorithm
        larger, smaller = max(step, gap), min(step, gap)
        while smaller > ROUNDING * scale:
            larger, smaller = smaller, larger % smaller
        step = float(larger)
        if step < 10 * ROUNDING * scale:
            return 0.0
    return step


def tost_p(differences_U: Values, margin: float, resolution: float = 0.0, overlap: float = 0.0) -> float:
    """Return the p value of equivalence within ±`margin`: the larger p of two one-sided t tests.

    NaN below FEWEST units (Schuirmann 1987). `resolution`, `overlap`: as for `paired_tests`.
    """
    return _one_sided_p(differences_U, margin, resolution, overlap, beyond=False)


def beyond_p(differences_U: Values, margin: float, resolution: float = 0.0) -> float:
    """Return the p value that the mean difference lies outside ±`margin`, on either side, by t tests."""
    return min(1.0, 2 * _one_sided_p(differences_U, margin, resolution, 0.0, beyond=True))


def _one_sided_p(
    differences_U: Values, margin: float, resolution: float, overlap: float, *, beyond: bool
) -> float:
    from scipy.special import stdtr

    values = np.asarray(differences_U, dtype=np.float64)
    count = len(values)
    if count < FEWEST:
        return math.nan
    excess = abs(float(values.mean())) - margin
    excess = -excess if beyond else excess
    error = math.sqrt(max(float(values.var(ddof=1)), resolution**2 / 6) * (1 / count + overlap))
    if error <= 1e-12 * abs(excess):
        return 0.0 if excess < 0 else 1.0
    return float(stdtr(count - 1, excess / error))


def holm(p_M: Floats) -> Floats:
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
