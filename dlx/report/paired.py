"""Tests of settings against a reference, seed by seed: a real difference, a small one, or how many more.

C settings, S seeds, M tests of a family.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlx.report.pairing import Scores
from dlx.statistics.equivalence import tost_p
from dlx.statistics.holm import holm
from dlx.statistics.intervals import LEVEL, mean_intervals
from dlx.statistics.permutation import two_sided_ps
from dlx.statistics.power import pairs_for_equivalence, pairs_for_sign
from dlx.statistics.student import student_ps

Verdict = Literal["better", "worse", "equivalent", "undecided"]
PAIRS = 2  # shared seeds that a test needs
Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class Family:
    """The tests that Holm's correction is over, by (setting, reference), either way round.

    `p` of the sign-flip test, `p_holm` after the correction; `p_student` of the t test, after it as well.
    `tests`: how many there are. `ahead`: in how many of them the difference is larger, by its deviation over
    seeds: with more seeds those are decided first, and Holm's correction is then over the rest.
    """

    p: dict[tuple[int, int], float]
    p_holm: dict[tuple[int, int], float]
    p_student: dict[tuple[int, int], float]
    ahead: dict[tuple[int, int], int]
    tests: int


@dataclass(frozen=True)
class Paired:
    """A setting against a reference; the names of Comparison, and what its sentence needs besides.

    `lost`: seeds of which a side did not complete. `p_student`: of the t test, after the correction of
    `p_holm`. `p_equivalent`: of TOST, after Holm's correction over the settings that are held against this
    reference. `towards`: what the further seeds would show.
    """

    setting: int
    reference: int
    pairs: int
    lost: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    tests: int
    p_student: float
    p_equivalent: float
    verdict: Verdict
    further_seeds: int | None
    towards: Literal["different", "equivalent"]


def every_pair(scores: Scores) -> Family:
    """Test every pair of settings: the family of a reference that the same scores have picked."""
    return _family(scores, np.argwhere(np.triu(_shared(scores) >= PAIRS, k=1)))


def pairs_with(scores: Scores, reference: int) -> Family:
    """Test every setting against a reference that was named beforehand."""
    others_C = np.flatnonzero(_shared(scores)[reference] >= PAIRS)
    others_C = others_C[others_C != reference]
    return _family(scores, np.stack([others_C, np.full_like(others_C, reference)], axis=1))


def hold_against(scores: Scores, family: Family, reference: int, margin: float) -> list[Paired]:
    """Judge every other setting against `reference`, in the order of the settings."""
    others = [setting for setting in range(len(scores.values_CS)) if setting != reference]
    differences = [scores.shared(setting, reference) for setting in others]
    p_equivalent_C = holm(np.array([_tost(each_S, margin) for each_S in differences]))
    # Of those not yet found equivalent the first has to pass Holm's correction over all of them.
    open_ones = int((p_equivalent_C > LEVEL).sum())
    low_C, high_C = _intervals(differences)
    judged = []
    for setting, each_S, *numbers in zip(others, differences, p_equivalent_C, low_C, high_C, strict=True):
        p_equivalent, low, high = map(float, numbers)
        pair = setting, reference
        difference = float(each_S.mean()) if len(each_S) else math.nan
        p_holm = family.p_holm.get(pair, math.nan)
        verdict = _judge(difference if scores.higher else -difference, p_holm, p_equivalent)
        different, alike = (
            _further(each_S, family, family.ahead.get(pair, 0), margin, open_ones)
            if verdict == "undecided"
            else (math.inf,) * 2
        )
        judged.append(
            Paired(
                setting=setting,
                reference=reference,
                pairs=len(each_S),
                lost=scores.lost(setting, reference),
                difference=difference,
                low=low,
                high=high,
                p=family.p.get(pair, math.nan),
                p_holm=p_holm,
                tests=family.tests,
                p_student=family.p_student.get(pair, math.nan),
                p_equivalent=p_equivalent,
                verdict=verdict,
                further_seeds=None if math.isinf(min(different, alike)) else int(min(different, alike)),
                towards="different" if different <= alike else "equivalent",
            )
        )
    return judged


def fewest_seeds(tests: int) -> int:
    """Return from how many seeds on a family finds anything: 2 / 2^K has to be enough for its first test."""
    return math.ceil(math.log2(2 * tests / LEVEL))


def _shared(scores: Scores) -> NDArray[np.int64]:
    """Return how many seeds each two settings share, [C, C]."""
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
    """Return the size of each mean difference in standard deviations."""
    means_M, stds_M = np.nanmean(differences_MS, axis=1), np.nanstd(differences_MS, axis=1, ddof=1)
    effects_M = np.full(len(means_M), np.inf)
    np.divide(np.abs(means_M), stds_M, out=effects_M, where=stds_M > 0)
    return effects_M


def _tost(differences_S: NDArray[np.float64], margin: float) -> float:
    return math.nan if math.isnan(margin) else tost_p(differences_S, margin)


def _intervals(differences: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    most = max(map(len, differences), default=0)
    padded = [np.pad(each_S, (0, most - len(each_S)), constant_values=np.nan) for each_S in differences]
    return mean_intervals(np.array(padded).reshape(len(differences), most))


def _judge(gain: float, p_holm: float, p_equivalent: float) -> Verdict:
    """Equivalent comes first: a difference inside the margin can be real, and was declared not to matter."""
    if p_equivalent <= LEVEL:
        return "equivalent"
    if p_holm <= LEVEL:
        return "better" if gain > 0 else "worse"
    return "undecided"


def _further(
    differences_S: NDArray[np.float64], family: Family, ahead: int, margin: float, open_ones: int
) -> tuple[float, float]:
    """Return how many more seeds would show the sides to be different, and to be equivalent; inf if none."""
    count = len(differences_S)
    if count < PAIRS:
        return math.inf, math.inf
    mean, std = float(differences_S.mean()), float(differences_S.std(ddof=1))
    different = pairs_for_sign(mean, std, LEVEL / 2 / (family.tests - ahead))
    if different is not None:  # those ahead have to be decided first
        different = max(different, fewest_seeds(family.tests))
    level = LEVEL / open_ones if open_ones else LEVEL
    alike = None if math.isnan(margin) else pairs_for_equivalence(mean, std, margin, level)
    return _beyond(different, count), _beyond(alike, count)


def _beyond(needed: int | None, count: int) -> float:
    return math.inf if needed is None else max(1, needed - count)
