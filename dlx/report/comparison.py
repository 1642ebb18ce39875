"""Compares every setting with the best one, and with a baseline, seed by seed: tests, intervals, verdicts.

Axes: C settings, S seeds, M tests of a family.
"""

import math
from collections.abc import Sequence
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

Rule = Literal["last", "best"]
Verdict = Literal["better", "worse", "equivalent", "undecided"]
MARGIN = 0.01  # the default equivalence margin of accuracies: 5 of 500 images


@dataclass(frozen=True)
class Comparison:
    """A setting against a reference setting, over the seeds that both completed.

    `setting`, `reference`: indices in Design.rows. `pairs`: those seeds. `difference`: the mean of setting
    minus reference, in the metric's unit, with its 95% interval `low` to `high` (NaN below 2 pairs). `p`: of
    the exact sign-flip test; `p_holm`: after Holm's correction; NaN if there is nothing to test. `verdict`
    on the setting: "worse" than the best, "better" than a baseline. `further_seeds`: how many more seeds
    would decide an undecided pair with probability 0.8; None if no number would, or it is unknown.
    `p_student`: of a paired t test after the same correction, a hint if there are too few sign flips.

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
    towards: Literal["different", "equivalent"] = "different"


@dataclass(frozen=True)
class Comparisons:
    """`against_best`: every other setting against the best, best first; `against_baseline`: [] without one.

    `metric` and `rule`: the compared values. `margin`: the equivalence margin, NaN for none. `notes`: what
    the tests cannot show.
    """

    against_best: list[Comparison]
    against_baseline: list[Comparison]
    metric: str
    rule: Rule
    margin: float
    notes: list[str]


@dataclass(frozen=True)
class Family:
    """A family of tests for Holm's correction, by (setting, reference) in either order.

    `p`: of the sign-flip test; `p_holm`: after the correction; `p_student`: of the t test, corrected.
    `tests`: the size of the family. `ahead`: how many tests have a larger difference, in standard deviations
    over seeds. With more seeds those are decided first, and the correction is then over the rest.
    """

    p: dict[tuple[int, int], float]
    p_holm: dict[tuple[int, int], float]
    p_student: dict[tuple[int, int], float]
    ahead: dict[tuple[int, int], int]
    tests: int


def compare(
    data: StudyData,
    design: Design,
    summary: Summary,
    *,
    baseline: int | None = None,
    margin: float | None = None,
    rule: Rule = "last",
) -> Comparisons:
    """Compare all settings with the one that has the best mean, and with `baseline`, an index in Design.rows.

    The best is picked by the same runs it is then tested on. If only the tests against it were corrected for,
    equal settings would differ too often, so the family of Holm's correction is all pairs, of which those
    with the best are shown. A baseline is named beforehand: its family is the pairs with it. The default
    `margin` is MARGIN for accuracies and none for losses.
    """
    metric = summary.metric
    margin = margin if margin is not None else MARGIN if metric.endswith("accuracy") else math.nan
    means = summary.table.set_index("setting")[f"{metric}_{rule}_mean"].astype("float64").dropna()
    if summary.exact or means.empty or len(design.rows) < 2:
        return Comparisons([], [], metric, rule, margin, [])
    best = int((means if summary.higher else -means).sort_values(ascending=False, kind="stable").index[0])
    scores = scores_by_seed(data, design, f"{metric}_{rule}", higher=summary.higher)

    def against(family: Family, reference: int) -> list[Comparison]:
        compared = [
            replace(each, sentence=sentence(each, design.labels, metric, margin))
            for each in compare_with(scores, family, reference, margin)
        ]
        return sorted(compared, key=lambda each: summary.ranks[each.setting])

    with_best = against(every_pair(scores), best)
    with_baseline = [] if baseline is None else against(pairs_with(scores, baseline), baseline)
    return Comparisons(
        with_best, with_baseline, metric, rule, margin, notes(with_best, with_baseline, design)
    )


def every_pair(scores: Scores) -> Family:
    """Test every pair of settings: the family if the reference was picked by the same scores."""
    return _family(scores, np.argwhere(np.triu(_shared(scores) >= MIN_PAIRS, k=1)))


def pairs_with(scores: Scores, reference: int) -> Family:
    """Test every setting against a reference that was named beforehand."""
    others_C = np.flatnonzero(_shared(scores)[reference] >= MIN_PAIRS)
    others_C = others_C[others_C != reference]
    return _family(scores, np.stack([others_C, np.full_like(others_C, reference)], axis=1))


def compare_with(scores: Scores, family: Family, reference: int, margin: float) -> list[Comparison]:
    """Compare every other setting with `reference`, in the order of the settings; sentences are empty."""
    others = [setting for setting in range(len(scores.values_CS)) if setting != reference]
    differences = [scores.shared(setting, reference) for setting in others]
    p_equivalent_C = holm(np.array([_tost(each_S, margin) for each_S in differences]))
    # The first of those not yet equivalent has to pass Holm's correction over all of them.
    open_ones = int((p_equivalent_C > LEVEL).sum())
    low_C, high_C = _intervals(differences)
    compared = []
    for setting, each_S, *numbers in zip(others, differences, p_equivalent_C, low_C, high_C, strict=True):
        p_equivalent, low, high = map(float, numbers)
        pair = setting, reference
        difference = float(each_S.mean()) if len(each_S) else math.nan
        p_holm = family.p_holm.get(pair, math.nan)
        verdict = _verdict(difference if scores.higher else -difference, p_holm, p_equivalent)
        different, alike = (
            _further(each_S, family, family.ahead.get(pair, 0), margin, open_ones)
            if verdict == "undecided"
            else (math.inf,) * 2
        )
        compared.append(
            Comparison(
                setting=setting,
                reference=reference,
                pairs=len(each_S),
                difference=difference,
                low=low,
                high=high,
                p=family.p.get(pair, math.nan),
                p_holm=p_holm,
                verdict=verdict,
                further_seeds=None if math.isinf(min(different, alike)) else int(min(different, alike)),
                p_student=family.p_student.get(pair, math.nan),
                lost=scores.lost(setting, reference),
                tests=family.tests,
                p_equivalent=p_equivalent,
                towards="different" if different <= alike else "equivalent",
            )
        )
    return compared


def _shared(scores: Scores) -> NDArray[np.int64]:
    """Return how many seeds each pair of settings shares, [C, C]."""
    there_CS = (~np.isnan(scores.values_CS)).astype(np.int64)
    return there_CS @ there_CS.T


def _family(scores: Scores, pairs_M2: NDArray[np.int64]) -> Family:
    first_M, second_M = pairs_M2.T
    differences_MS = scores.values_CS[first_M] - scores.values_CS[second_M]
    p_M = two_sided_ps(differences_MS)
    both_ways = [*zip(first_M.tolist(), second_M.tolist(), strict=True)]
    both_ways += [(second, first) for first, second in both_ways]
    ahead_M = np.empty(len(p_M), dtype=np.int64)
    ahead_M[np.argsort(-_effects(differences_MS), kind="stable")] = np.arange(len(p_M))
    p, p_holm, p_student, ahead = (
        dict(zip(both_ways, values_M.tolist() * 2, strict=True))
        for values_M in (p_M, holm(p_M), holm(student_ps(differences_MS)), ahead_M)
    )
    return Family(p, p_holm, p_student, ahead, len(p_M))


def _effects(differences_MS: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the size of each mean difference in standard deviations, [M]."""
    means_M, stds_M = np.nanmean(differences_MS, axis=1), np.nanstd(differences_MS, axis=1, ddof=1)
    effects_M = np.full(len(means_M), np.inf)
    np.divide(np.abs(means_M), stds_M, out=effects_M, where=stds_M > 0)
    return effects_M


def _tost(differences_S: NDArray[np.float64], margin: float) -> float:
    return math.nan if math.isnan(margin) else tost_p(differences_S, margin)


def _intervals(differences: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    most = max(map(len, differences), default=0)
    padded = [np.pad(each_S, (0, most - len(each_S)), constant_values=np.nan) for each_S in differences]
    return mean_intervals(np.array(padded).reshape(len(differences), most))


def _verdict(gain: float, p_holm: float, p_equivalent: float) -> Verdict:
    """Equivalence comes first: a difference inside the margin can be real, but was declared not to matter."""
    if p_equivalent <= LEVEL:
        return "equivalent"
    if p_holm <= LEVEL:
        return "better" if gain > 0 else "worse"
    return "undecided"


def _further(
    differences_S: NDArray[np.float64], family: Family, ahead: int, margin: float, open_ones: int
) -> tuple[float, float]:
    """Return how many more seeds would show a difference, and how many equivalence; inf if none would."""
    count = len(differences_S)
    if count < MIN_PAIRS:
        return math.inf, math.inf
    mean, std = float(differences_S.mean()), float(differences_S.std(ddof=1))
    different = pairs_for_sign(mean, std, LEVEL / 2 / (family.tests - ahead))
    if different is not None:  # those ahead have to be decided first
        different = max(different, fewest_seeds(family.tests))
    level = LEVEL / open_ones if open_ones else LEVEL
    alike = None if math.isnan(margin) else pairs_for_equivalence(mean, std, margin, level)
    return _more(different, count), _more(alike, count)


def _more(needed: int | None, count: int) -> float:
    return math.inf if needed is None else max(1, needed - count)
