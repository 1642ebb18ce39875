"""What more seeds, or more repeats of folds, would probably show where nothing is decided."""

from collections.abc import Sequence
from math import isnan, sqrt
from typing import TYPE_CHECKING

from dlx.report.comparison import Comparison
from dlx.report.text import write_difference
from dlx.run.folds import Folding
from dlx.stats.intervals import LEVEL, t_quantile
from dlx.stats.power import MOST_PAIRS, detectable_difference, pairs_to_decide, smallest

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

MANY = 1000  # degrees of freedom: Student's t is as good as normal


def what_more_would_show(undecided: Sequence[Comparison], analysis: "Analysis") -> str:
    """Say how many seeds would probably decide the nearest rival, or find a gap like that to the farthest.

    What was seen is not the truth, and nothing is said of differences that no feasible number of seeds finds.
    """
    comparisons, labels = analysis.comparisons, analysis.design.labels
    level = comparisons.later / max(1, comparisons.undecided)  # Holm's correction spares the decided ones
    pair, unit, table = undecided[0], comparisons.unit, analysis.summary.table
    if isnan(pair.std) or pair.std == 0 or table["collapsed"].any():
        return ""
    if comparisons.folding is not None:
        return _what_more_folds_would_show(comparisons.folding, pair)
    needed = pairs_to_decide(pair.difference, pair.std, pair.pairs, level, pair.freedom)
    if needed is not None:
        names = f"{labels[pair.reference]} and {labels[pair.setting]}"
        return f"Train more {unit}s, all at once: {needed} in all would probably tell {names} apart."
    gap = max(undecided, key=lambda each: abs(each.difference))
    seen = write_difference(comparisons.metric, abs(gap.difference))
    enough = smallest(
        lambda pairs: detectable_difference(gap.std, gap.freedom, pairs, level) <= abs(gap.difference),
        gap.pairs + 1,
        MOST_PAIRS,
    )
    those = "the undecided settings" if len(undecided) > 1 else labels[gap.setting]
    if enough is None:
        return (
            f"Choose by something else, such as cost: {those} came within {seen} of the best. Finding a gap "
            f"like that would take over {MOST_PAIRS} {unit}s in all."
        )
    return f"Train about {enough} {unit}s in all to find a gap like the {seen} between {those} and the best."


def _what_more_folds_would_show(folding: Folding, pair: Comparison) -> str:
    """Say by how much repeats could narrow the interval: not to 0, because folds share training data."""
    now = t_quantile(pair.pairs - 1, 1 - LEVEL / 2) * sqrt(1 / pair.pairs + folding.overlap)
    least = t_quantile(MANY, 1 - LEVEL / 2) * sqrt(folding.overlap)
    share = f"{100 * (1 - least / now):.0f}%"
    return (
        f"More repeats of the folds (data.repeats) narrow the intervals by at most {share}, because folds "
        "share training data. Only more data narrows them further."
    )
