"""Compares every setting with the best one, and with a baseline, seed by seed: tests, intervals, verdicts.

Axes: C settings, S seeds, M tests of a family.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlx.report.comparison_text import notes, sentence
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.summary import Scores, Summary, scores_by_seed
from dlx.stats.intervals import LEVEL, mean_intervals
from dlx.stats.power import fewest_seeds, pairs_for_equivalence, pairs_for_sign
from dlx.stats.tests import MIN_PAIRS, holm, student_ps, tost_p, two_sided_ps

Verdict = Literal["better", "worse", "equivalent", "undecided"]
Towards = Literal["different", "equivalent"]
MARGIN = 0.01  # the default equivalence margin of accuracies: 5 of 500 images


@dataclass(frozen=True)
class Comparison:
    """A setting against a reference setting, over the seeds that both completed.

    `setting`, `reference`: indices in Design.rows. `pairs`: those seeds. `difference`: the mean of setting
    minus reference, in the metric's unit, with its 95% interval `low` to `high` (NaN below 2 pairs). `p`: of
    the exact sign-flip test; `p_holm`: after Holm's correction; NaN if there is nothing to test. `verdict`
    on the setting: "worse" than the best, "better" than a baseline. `further_seeds`: how many more seeds
    would decide an undecided pair with probability 0.8; None if no number would, or if it is unknown.
    `p_student`: of a paired t test after the same correction, a hint where seeds are too few for sign flips.

    For the sentence only: `lost`: seeds that one side did not complete. `tests`: the size of the family.
    `p_equivalent`: of TOST, after Holm's correction over the settings compared with this reference.
    `towards`: what the further seeds would show.
    """

    setting: int
    reference: int
    pairs: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: Verdict
    further_seeds: int | None
    sentence: str = ""
    p_student: float = math.nan
    lost: int = 0
    tests: int = 0
    p_equivalent: float = math.nan
    towards: Towards = "different"


@dataclass(frozen=True)
class Comparisons:
    """`against_best`: every other setting against the best, best first; `against_baseline`: [] without one.

    `metric`: the compared values, those of the last epoch. `margin`: the equivalence margin, NaN for none.
    `notes`: what the tests cannot show.
    """

    against_best: list[Comparison]
    against_baseline: list[Comparison]
    metric: str
    margin: float
    notes: list[str]


@dataclass(frozen=True)
class Family:
    """The M = `tests` tests of a family for Holm's correction, by setting and reference in either order.

    `p_CC`: of the sign-flip test; `p_holm_CC`: after the correction; `p_student_CC`: of the t test, likewise
    corrected. `ahead_CC`: how many tests have a larger difference, in standard deviations over seeds. With
    more seeds those are decided first, and the correction is then over the rest. NaN: no test.
    """

    tests: int
    p_CC: NDArray[np.float64]
    p_holm_CC: NDArray[np.float64]
    p_student_CC: NDArray[np.float64]
    ahead_CC: NDArray[np.float64]


def compare(
    data: StudyData,
    design: Design,
    summary: Summary,
    *,
    baseline: int | None = None,
    margin: float | None = None,
) -> Comparisons:
    """Compare all settings with the one that has the best mean, and with `baseline`, an index in Design.rows.

    The best is picked by the same runs it is then tested on. If only the tests against it were corrected for,
    equal settings would differ too often. So the family of Holm's correction is all pairs, though only those
    with the best are shown. A baseline is named beforehand: its family is the pairs with it. The default
    `margin` is MARGIN for accuracies and none for losses.
    """
    metric = summary.metric
    if margin is None:
        margin = MARGIN if metric.endswith("accuracy") else math.nan
    if summary.exact or len(design.rows) < 2 or math.isnan(summary.table[f"{metric}_last_mean"].iloc[0]):
        return Comparisons([], [], metric, margin, [])
    scores = scores_by_seed(data, design, f"{metric}_last")
    there_CS = (~np.isnan(scores.values_CS)).astype(np.int64)
    testable_CC = there_CS @ there_CS.T >= MIN_PAIRS

    def against(reference: int, pairs_M2: NDArray[np.int64]) -> list[Comparison]:
        compared = [
            replace(each, sentence=sentence(each, design.labels, metric, margin))
            for each in _compare_with(
                scores, _family(scores, pairs_M2), reference, margin, higher=summary.higher
            )
        ]
        return sorted(compared, key=lambda each: summary.ranks[each.setting])

    with_best = against(int(summary.table["setting"].iloc[0]), np.argwhere(np.triu(testable_CC, k=1)))
    with_baseline = []
    if baseline is not None:
        others_M = np.flatnonzero(testable_CC[baseline])
        others_M = others_M[others_M != baseline]
        with_baseline = against(baseline, np.stack([others_M, np.full_like(others_M, baseline)], axis=1))
    return Comparisons(with_best, with_baseline, metric, margin, notes(with_best, with_baseline, design))


def _compare_with(
    scores: Scores, family: Family, reference: int, margin: float, *, higher: bool
) -> list[Comparison]:
    """Compare every other setting with `reference`, in the order of the settings; sentences are empty."""
    others = [setting for setting in range(len(scores.values_CS)) if setting != reference]
    differences = [scores.shared(setting, reference) for setting in others]
    p_equivalent_C = np.full(len(others), np.nan)
    if not math.isnan(margin):
        p_equivalent_C = holm(np.array([tost_p(each_S, margin) for each_S in differences]))
    # The first of those not yet equivalent has to pass Holm's correction over all of them.
    open_ones = int((p_equivalent_C > LEVEL).sum())
    low_C, high_C = mean_intervals(scores.values_CS[others] - scores.values_CS[reference])
    compared = []
    for setting, each_S, *numbers in zip(others, differences, p_equivalent_C, low_C, high_C, strict=True):
        p_equivalent, low, high = map(float, numbers)
        pair = setting, reference
        difference = float(each_S.mean()) if len(each_S) else math.nan
        p_holm = float(family.p_holm_CC[pair])
        verdict = _verdict(difference if higher else -difference, p_holm, p_equivalent)
        further: tuple[int | None, Towards] = None, "different"
        if verdict == "undecided" and len(each_S) >= MIN_PAIRS:
            further = _further(each_S, family.tests, family.ahead_CC[pair], margin, open_ones)
        compared.append(
            Comparison(
                setting=setting,
                reference=reference,
                pairs=len(each_S),
                difference=difference,
                low=low,
                high=high,
                p=float(family.p_CC[pair]),
                p_holm=p_holm,
                verdict=verdict,
                further_seeds=further[0],
                p_student=float(family.p_student_CC[pair]),
                lost=scores.lost(setting, reference),
                tests=family.tests,
                p_equivalent=p_equivalent,
                towards=further[1],
            )
        )
    return compared


def _family(scores: Scores, pairs_M2: NDArray[np.int64]) -> Family:
    first_M, second_M = pairs_M2.T
    differences_MS = scores.values_CS[first_M] - scores.values_CS[second_M]
    means_M, stds_M = np.nanmean(differences_MS, axis=1), np.nanstd(differences_MS, axis=1, ddof=1)
    effects_M = np.full(len(means_M), np.inf)
    np.divide(np.abs(means_M), stds_M, out=effects_M, where=stds_M > 0)
    ahead_M = np.empty(len(effects_M))
    ahead_M[np.argsort(-effects_M, kind="stable")] = np.arange(len(effects_M))

    def both_ways(values_M: NDArray[np.float64]) -> NDArray[np.float64]:
        values_CC = np.full((len(scores.values_CS),) * 2, np.nan)
        values_CC[first_M, second_M] = values_CC[second_M, first_M] = values_M
        return values_CC

    p_M, p_student_M = two_sided_ps(differences_MS), student_ps(differences_MS)
    return Family(len(p_M), *map(both_ways, (p_M, holm(p_M), holm(p_student_M), ahead_M)))


def _verdict(gain: float, p_holm: float, p_equivalent: float) -> Verdict:
    """Equivalence comes first: a difference inside the margin can be real, but was declared not to matter."""
    if p_equivalent <= LEVEL:
        return "equivalent"
    if p_holm <= LEVEL:
        return "better" if gain > 0 else "worse"
    return "undecided"


def _further(
    differences_S: NDArray[np.float64], tests: int, ahead: float, margin: float, open_ones: int
) -> tuple[int | None, Towards]:
    """Return how many more seeds would decide, None if none would, and what they would show."""
    mean, std = float(differences_S.mean()), float(differences_S.std(ddof=1))
    needed: dict[Towards, int | None] = {"different": pairs_for_sign(mean, std, LEVEL / 2 / (tests - ahead))}
    if (pairs := needed["different"]) is not None:  # those ahead have to be decided first
        needed["different"] = max(pairs, fewest_seeds(tests))
    if not math.isnan(margin):
        level = LEVEL / open_ones if open_ones else LEVEL
        needed["equivalent"] = pairs_for_equivalence(mean, std, margin, level)
    count = len(differences_S)
    more = [(max(1, pairs - count), towards) for towards, pairs in needed.items() if pairs is not None]
    return min(more) if more else (None, "different")
