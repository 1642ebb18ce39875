"""Compares every setting with the best one, and with a baseline, unit by unit: tests, intervals, verdicts.

Axes: C settings, U units (seeds or splits), M tests of a family.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.scores import Scores, scores_by_unit
from dlx.report.summary import Summary
from dlx.run.folds import Folding
from dlx.run.identity import is_seed
from dlx.stats.intervals import LEVEL
from dlx.stats.tests import FEWEST, PairedTests, holm, paired_tests, resolution, tost_p

Verdict = Literal["better", "worse", "equal", "equivalent", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """A setting against a reference setting, over the units that both completed.

    `setting`, `reference`: indices in Design.rows. `pairs`: those units. `difference`: the mean of setting
    minus reference, in the metric's unit. `low` to `high`: its 95% interval; the intervals of a report hold
    together. `p`: of the moderated paired t test; `p_holm`: after Holm's correction. NaN below FEWEST pairs.
    `verdict` on the setting: "worse" than the best, "better" than a baseline; "equal" if every pair is.

    For the sentence only: `lost`: seeds that one side did not complete. `tests`: the size of the family.
    `p_equivalent`: of TOST, after Holm's correction over the settings compared with this reference. `std`:
    the moderated standard deviation of the pairs' differences, with its degrees of freedom, `freedom`.
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
    lost: int = 0
    tests: int = 0
    p_equivalent: float = math.nan
    std: float = math.nan
    freedom: float = math.nan

    @property
    def tested(self) -> bool:
        """Whether there were enough pairs for a test."""
        return not math.isnan(self.p_holm)


@dataclass(frozen=True)
class Comparisons:
    """`against_best`: every other setting against the best, best first; `against_baseline`: [] without one.

    `metric`: the compared values, those of the last epoch. `margin`: the declared equivalence margin, NaN for
    none. `level`: of the tests. `later`: what is left of it for a report on twice as many units. `unit`: what
    pairs the runs, "seed", "split" or "fold". `undecided`: the pairs of the whole family that no test has
    decided. `folding`: how the runs of the best setting were divided, if they are folds.
    `averaged`: keys other than seeds that differ between runs of one setting, which are then not compared.
    `tuned`: what was tuned before comparing, in a sentence; "" if nothing.
    """

    against_best: list[Comparison]
    against_baseline: list[Comparison]
    metric: str
    margin: float
    level: float = LEVEL
    later: float = LEVEL
    unit: str = "seed"
    undecided: int = 0
    folding: Folding | None = None
    averaged: list[str] = field(default_factory=list)
    tuned: str = ""

    @property
    def most_pairs(self) -> int:
        """The pairs of the comparison that has most."""
        return max((each.pairs for each in [*self.against_best, *self.against_baseline]), default=0)


@dataclass(frozen=True)
class Family:
    """The tests of all pairs of settings that share enough units: `row_CC[i, j]` is the row of i minus j."""

    tests: PairedTests
    row_CC: NDArray[np.int64]  # -1: not tested
    p_holm_M: NDArray[np.float64]
    resolution: float  # the step between possible scores, 0 if there is none


def compare(
    data: StudyData,
    design: Design,
    summary: Summary,
    *,
    baselines: Mapping[int, int] | None = None,
    declared: bool = False,
    margin: float | None = None,
    level: float = LEVEL,
    later: float = LEVEL,
) -> Comparisons:
    """Compare all settings with the one that has the best mean, and some with a baseline.

    `baselines`: by setting, its baseline. `declared`: whether the study's request named the baseline. The
    best is picked by the same runs it is then tested on. If only the tests against it were corrected for,
    equal settings would differ too often. So the family of Holm's correction is all pairs, though only those
    with the best are shown. A declared baseline's family is its own pairs; one that was picked later has the
    family of all.
    """
    metric, averaged = summary.metric, [key for key in design.seeds if not is_seed(key)]
    margin = math.nan if margin is None else margin
    scores = scores_by_unit(data, design, f"{metric}_last")
    best = int(summary.table["setting"].iloc[0])
    folding = scores.folding_of(best)  # of the runs that the best one is compared over
    nothing = Comparisons([], [], metric, margin, level, later, folding=folding, averaged=averaged)
    if summary.exact or len(design.rows) < 2 or math.isnan(summary.table[f"{metric}_last_mean"].iloc[0]):
        return nothing
    if averaged:  # the average depends on which values were tried
        return nothing
    family = all_pairs(scores)
    collapsed = set(summary.table.loc[summary.table["collapsed"] > 0, "setting"])
    compared = _Compared(scores, family, collapsed, summary.higher, margin, level)
    others = [setting for setting in map(int, summary.table["setting"]) if setting != best]
    own = sorted((baselines or {}).items(), key=lambda pair: summary.ranks[pair[0]])
    return Comparisons(
        compared.pairs([(setting, best) for setting in others]),
        compared.pairs(own, alone=declared),
        metric,
        margin,
        level,
        later,
        "seed" if scores.folding and folding is None else scores.unit_name,
        int((family.p_holm_M > level).sum()),
        folding,
    )


def all_pairs(scores: Scores) -> Family:
    """Test all pairs of settings that share enough units.

    In a crossed design each pair is tested with every key as the unit. The test with the largest p counts.
    """
    settings, step = len(scores.values_CS), resolution(scores.values_CS.ravel())
    there_CU = (~np.isnan(scores.by_unit(scores.values_CS))).astype(np.int64)
    first_M, second_M = np.nonzero(np.triu(there_CU @ there_CU.T >= FEWEST, k=1))
    differences_MU = scores.differences(first_M, second_M)
    tested = len({*first_M, *second_M})
    tests = paired_tests(differences_MU, tested, resolution=step, overlap=scores.overlaps[first_M])
    for other in scores.by_each_key():
        others = paired_tests(other.differences(first_M, second_M), tested, resolution=step)
        tests = tests.weaker(others)
    row_CC = np.full((settings, settings), -1)
    row_CC[first_M, second_M] = row_CC[second_M, first_M] = np.arange(len(first_M))
    return Family(tests, row_CC, holm(tests.p_M), step)


@dataclass(frozen=True)
class _Compared:
    """Makes comparisons from a family's tests."""

    scores: Scores
    family: Family
    collapsed: set[int]
    higher: bool
    margin: float
    level: float

    def pairs(self, pairs: Sequence[tuple[int, int]], *, alone: bool = False) -> list[Comparison]:
        """Compare (setting, reference) pairs; `alone`: corrected for among themselves, not among all."""
        if not pairs:
            return []
        setting_M, reference_M = np.array(pairs).T
        row_M = self.family.row_CC[setting_M, reference_M]
        tested_M, tests = row_M >= 0, self.family.tests
        size = int(tested_M.sum()) if alone else len(self.family.p_holm_M)

        def of_pairs(values_M: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.where(tested_M, np.append(values_M, np.nan)[row_M], np.nan)

        differences = [
            each_U[~np.isnan(each_U)] for each_U in self.scores.differences(setting_M, reference_M)
        ]
        half_M, p_M = of_pairs(tests.half_widths(self.level, size)), of_pairs(tests.p_M)
        numbers = {
            "p": p_M,
            "p_holm": holm(p_M) if alone else of_pairs(self.family.p_holm_M),
            "p_equivalent": self._equivalence(pairs, differences),
            "std": of_pairs(tests.deviations),
            "freedom": of_pairs(tests.freedom_M),
        }
        return [
            self._compare(
                pair,
                each_U,
                float(half_M[index]),
                size,
                {name: float(values_M[index]) for name, values_M in numbers.items()},
            )
            for index, (pair, each_U) in enumerate(zip(pairs, differences, strict=True))
        ]

    def _compare(
        self,
        pair: tuple[int, int],
        differences_U: NDArray[np.float64],
        half: float,
        tests: int,
        numbers: dict[str, Any],
    ) -> Comparison:
        difference = float(differences_U.mean()) if len(differences_U) else math.nan
        low, high = difference - half, difference + half
        if numbers["p_holm"] <= self.level:  # Holm's own interval ends at 0 (Strassburger and Bretz, 2008)
            low, high = (max(low, 0.0), high) if difference > 0 else (low, min(high, 0.0))
        return Comparison(
            *pair,
            pairs=len(differences_U),
            difference=difference,
            low=low,
            high=high,
            verdict=self._verdict(differences_U, difference, numbers["p_holm"], numbers["p_equivalent"]),
            lost=self.scores.lost(*pair),
            tests=tests,
            **numbers,
        )

    def _verdict(
        self, differences_U: NDArray[np.float64], difference: float, p_holm: float, p_equivalent: float
    ) -> Verdict:
        """Equivalence comes first: a difference inside the margin was declared not to matter."""
        if len(differences_U) >= FEWEST and not differences_U.any():
            return "equal"
        if p_equivalent <= self.level:
            return "equivalent"
        if p_holm <= self.level:
            return "better" if (difference > 0) == self.higher else "worse"
        return "undecided"

    def _equivalence(
        self, pairs: Sequence[tuple[int, int]], differences: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return TOST's p after Holm's correction [M]; NaN without a margin, and where a run collapsed.

        A mean of two kinds of runs says nothing about either. In a crossed design the largest p counts.
        """
        p_M = np.full(len(pairs), np.nan)
        others = [other.differences(*np.array(pairs).T) for other in self.scores.by_each_key()]
        for index, (pair, each_U) in enumerate(zip(pairs, differences, strict=True)):
            if not math.isnan(self.margin) and len(each_U) >= FEWEST and self.collapsed.isdisjoint(pair):
                of_each_key = [each_U, *(other_MU[index][~np.isnan(other_MU[index])] for other_MU in others)]
                ps = [
                    tost_p(each, self.margin, self.family.resolution, self.scores.overlaps[pair[0]])
                    for each in of_each_key
                ]
                p_M[index] = np.nanmax(ps)  # NaN where runs that failed leave too few units of another key
        return holm(p_M)
