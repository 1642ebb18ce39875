"""How the best setting stands: whether to believe its first place, who is next, what is left open."""

from collections import Counter
from collections.abc import Sequence

from dlx.report.aggregate import Summary
from dlx.report.comparison import Comparison, Comparisons
from dlx.report.text import write_count, write_metric
from dlx.report.wording import listed, write_p
from dlx.statistics.intervals import LEVEL


def against_best(comparisons: Comparisons, summary: Summary) -> str:
    """Return the paragraph on the others; "" if there are none."""
    tested = [each for each in comparisons.against_best if each.p_holm == each.p_holm]
    if not tested:
        return _untested(summary)
    undecided = [each for each in tested if each.verdict == "undecided"]
    said = [_belief(tested), tested[0].sentence]
    if undecided != tested[:1]:  # whose sentence says it
        said += [_hint(undecided, summary), _further(undecided)]
    return " ".join(sentence for sentence in said if sentence)


def against_baseline(comparisons: Comparisons, summary: Summary) -> str:
    """Return the paragraph, with a sentence for each setting that is better; "" without a baseline."""
    counts = Counter(each.verdict for each in comparisons.against_baseline if each.pairs > 1)
    if not counts:
        return ""
    name = _labels(summary)[comparisons.against_baseline[0].reference]
    parts = [f"{count} {verdict}" for verdict, count in counts.most_common()]
    better = [each.sentence for each in comparisons.against_baseline if each.verdict == "better"]
    return " ".join([f"Against the baseline ({name}): {', '.join(parts)}.", *better])


def _untested(summary: Summary) -> str:
    table = summary.table.dropna(subset=[f"{summary.metric}_last_mean"])
    if len(table) < 2:
        return ""
    best, following = table[f"{summary.metric}_last_mean"].iloc[:2]
    apart = write_metric(summary.metric, abs(best - following))
    return (
        f"Next: {table['label'].iloc[1]}, {apart} away. The two share fewer than two seeds, so nothing here "
        "says how much of that is chance."
    )


def _belief(tested: Sequence[Comparison]) -> str:
    count = Counter(each.verdict for each in tested)
    if count["worse"] == len(tested):
        largest = write_p(max(each.p_holm for each in tested))
        return f"It is better than {_every(tested)}, and not by chance (p {largest} at most)."
    if count["equivalent"] == len(tested):
        return f"It is equivalent to {_every(tested)}: choose by cost."
    if not count["worse"]:
        alike = f", and equivalent to {count['equivalent']}" if count["equivalent"] else ""
        others = f"any of the {len(tested)} others" if len(tested) > 1 else "the other"
        said = f"it is not shown to be better than {others}{alike}"
        return f"Do not take its first place for settled: {said}."
    parts = [
        *([f"better than {count['worse']}"] if count["worse"] else []),
        *([f"equivalent to {count['equivalent']}"] if count["equivalent"] else []),
        *([f"undecided against {count['undecided']}"] if count["undecided"] else []),
    ]
    return f"Of the {len(tested)} other settings it is {', '.join(parts[:-1])} and {parts[-1]}."


def _every(tested: Sequence[Comparison]) -> str:
    return f"all {len(tested)} others" if len(tested) > 1 else "the other"


def _hint(undecided: Sequence[Comparison], summary: Summary) -> str:
    """Name the undecided that a test which assumes more finds worse: 5 seeds have too few signs for any."""
    labels = _labels(summary)
    far = [labels[each.setting] for each in undecided if each.p_student <= LEVEL]
    if not far:
        return ""
    test = "A t test with the same correction, which takes differences to be normal,"
    return f"{test} finds {len(far)} of the undecided worse: {listed(far)}."


def _further(undecided: Sequence[Comparison]) -> str:
    known = [each.further_seeds for each in undecided if each.further_seeds is not None]
    if not known:
        return ""
    span = f"{min(known):,}" if min(known) == max(known) else f"{min(known):,} to {max(known):,}"
    which = "" if len(undecided) == 1 else " each" if len(known) == len(undecided) else f" for {len(known)}"
    return (
        f"To decide the {write_count(len(undecided), 'undecided one')} would take {span} more seeds{which}."
    )


def _labels(summary: Summary) -> dict[int, str]:
    return dict(zip(summary.table["setting"].tolist(), summary.table["label"].tolist(), strict=True))
