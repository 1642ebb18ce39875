"""StudyData, layout, summary -> how every setting compares with the best one, and with a chosen baseline."""

import math
from dataclasses import dataclass
from typing import Literal

from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.paired import Family, Paired, Verdict, every_pair, hold_against, pairs_with
from dlx.report.pairing import score_by_seed
from dlx.report.settings import Design, is_seed
from dlx.report.text import visible
from dlx.report.wording import limits, sentence

Rule = Literal["last", "best"]
MARGIN = 0.01  # of an accuracy: what 5 of 500 images make

__all__ = ["MARGIN", "Comparison", "Comparisons", "Rule", "Verdict", "compare"]


@dataclass(frozen=True)
class Comparison:
    """A setting against another over the seeds that both completed.

    `setting`, `reference`: places in Design.rows. `pairs`: those seeds. `difference`: the mean of setting
    minus reference, in the metric's unit, and its 95% interval (NaN below 2 pairs). `p`, `p_holm`: of the
    exact sign-flip test, and after Holm's correction; NaN where there is nothing to test. `verdict`: of the
    setting: "worse" than the best, "better" than a baseline. `further_seeds`: how many more would decide an
    undecided pair with probability 0.8; None if no number does, or it is not known. `sentence`: all this.
    `p_student`: of a paired t test after the same correction, a hint where signs are too few to say anything.
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
    sentence: str
    p_student: float = math.nan


@dataclass(frozen=True)
class Comparisons:
    """`against_best`: every other setting against the best, best first; `against_baseline`: [] without one.

    `metric` and `rule` say by which values, `margin` within which differences do not matter (NaN: none was
    declared), `notes` what the tests cannot say.
    """

    against_best: list[Comparison]
    against_baseline: list[Comparison]
    metric: str
    rule: Rule
    margin: float
    notes: list[str]

    def of(self, setting: int) -> Comparison | None:
        """Return the comparison of a setting with the best; None for the best itself."""
        return next((each for each in self.against_best if each.setting == setting), None)


def compare(
    study: StudyData,
    layout: Design,
    summary: Summary,
    *,
    baseline: int | None = None,
    margin: float | None = None,
    rule: Rule = "last",
) -> Comparisons:
    """Compare all settings with the best by mean, and with `baseline`, a place in Design.rows.

    The best is picked by the very runs it is then tested on. Tests of the others against it alone would find
    a difference among equal settings too often, so the family that Holm's correction is over are all pairs,
    of which those with the best are shown. A baseline is named beforehand: its family are the pairs with it.
    Without a margin it is MARGIN for accuracies, and none for losses.
    """
    metric = summary.metric
    margin = margin if margin is not None else MARGIN if metric.endswith("accuracy") else math.nan
    means = summary.table.set_index("setting")[f"{metric}_{rule}_mean"].astype("float64").dropna()
    if summary.exact or means.empty or len(layout.rows) < 2:
        return Comparisons([], [], metric, rule, margin, [])
    best = int((means if summary.higher else -means).sort_values(ascending=False, kind="stable").index[0])
    scores = score_by_seed(study, layout, f"{metric}_{rule}", higher=summary.higher)
    rank = {int(setting): place for place, setting in enumerate(summary.table["setting"])}

    def held_against(family: Family, reference: int) -> list[Paired]:
        judged = hold_against(scores, family, reference, margin)
        return sorted(judged, key=lambda pair: rank[pair.setting])

    with_best = held_against(every_pair(scores), best)
    with_baseline = [] if baseline is None else held_against(pairs_with(scores, baseline), baseline)
    return Comparisons(
        [_compared(pair, layout, metric, margin) for pair in with_best],
        [_compared(pair, layout, metric, margin) for pair in with_baseline],
        metric,
        rule,
        margin,
        [*limits(with_best, with_baseline, layout.labels), *_grouped(layout)],
    )


def _grouped(layout: Design) -> list[str]:
    """Say so where runs of a setting differ in more than seeds."""
    over = [key for key in layout.seeds if not is_seed(key)]
    if not over:
        return []
    keys = ", ".join(visible(key) for key in over)
    return [f"Runs of a setting differ in {keys}, too: a seed's value is their mean, and so a pair's."]


def _compared(pair: Paired, layout: Design, metric: str, margin: float) -> Comparison:
    return Comparison(
        pair.setting,
        pair.reference,
        pair.pairs,
        pair.difference,
        pair.low,
        pair.high,
        pair.p,
        pair.p_holm,
        pair.verdict,
        pair.further_seeds,
        sentence(pair, layout.labels, metric, margin),
        pair.p_student,
    )
