"""Comparisons in words: a sentence for each pair, a table's cell, and the paragraphs of the headline."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlx.report.design import Design
from dlx.report.text import (
    MISSING,
    visible,
    write_count,
    write_interval,
    write_metric,
    write_names,
    write_p,
)
from dlx.run.identity import is_seed
from dlx.stats.intervals import LEVEL
from dlx.stats.power import POWER, fewest_seeds
from dlx.stats.tests import MIN_PAIRS, smallest_p

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis
    from dlx.report.comparison import Comparison
    from dlx.report.summary import Summary


def sentence(pair: "Comparison", labels: Sequence[str], metric: str, margin: float) -> str:
    """Say how a setting compares with its reference: the verdict, then the numbers behind it."""
    setting, reference = labels[pair.setting], labels[pair.reference]
    if not pair.pairs:
        why = f"no seed was completed by both ({pair.lost} lost)" if pair.lost else "they share no seed"
        return f"{setting} and {reference} are not compared: {why}."
    lost = f" ({pair.lost} more not completed by both)" if pair.lost else ""
    seeds = f"over {write_count(pair.pairs, 'shared seed')}{lost}"
    size = write_metric(metric, abs(pair.difference))
    side = f"{size} {'higher' if pair.difference > 0 else 'lower'}" if pair.difference else "equal"
    than = f"{setting} is {side} {'than' if pair.difference else 'to'} {reference} {seeds}"
    if pair.pairs < MIN_PAIRS:
        return f"{than}. With a single seed, the variation between seeds cannot be estimated."
    interval = f"95% interval {write_interval(metric, pair.low, pair.high)}"
    evidence = f"({interval}; {_p_values(pair)})"
    if pair.verdict == "equivalent":
        within = f"within ±{write_metric(metric, margin)}, p = {write_p(pair.p_equivalent)}"
        real = " The small difference is real." if pair.p_holm <= LEVEL else ""
        return f"{setting} is equivalent to {reference} ({within}): {side} {seeds} {evidence}.{real}"
    if pair.verdict != "undecided":
        return f"{setting} is {pair.verdict} than {reference}: {side} {seeds} {evidence}."
    return f"Undecided: {than} {evidence}. {_what_would_decide(pair)}"


def _p_values(pair: "Comparison") -> str:
    p = f"p = {write_p(pair.p)}"
    if pair.tests > 1:
        p += f", {write_p(pair.p_holm)} after Holm's correction for {pair.tests:,} tests"
    if pair.verdict == "undecided" and pair.p_student <= LEVEL:
        p += f"; {write_p(pair.p_student)} by a t test"
    return p


def _what_would_decide(pair: "Comparison") -> str:
    if pair.further_seeds is None:
        return "If the estimate is right, no feasible number of seeds would decide it."
    more = write_count(pair.further_seeds, "more seed")
    shown = "a difference" if pair.towards == "different" else "equivalence"
    return f"If the estimate is right, {more} would show {shown} with probability {POWER:g}."


def verdict_cell(pair: "Comparison") -> str:
    """Write a verdict as a table's cell; a dash if there was no test."""
    if pair.pairs < MIN_PAIRS:
        return MISSING
    if pair.further_seeds is None:
        return pair.verdict
    return f"undecided, +{write_count(pair.further_seeds, 'seed')}"


def notes(
    with_best: Sequence["Comparison"], with_baseline: Sequence["Comparison"], design: Design
) -> list[str]:
    """Say what these seeds cannot show, which pairs are not tested, and what is averaged."""
    said = [_out_of_reach(with_best)] if _too_few(with_best) else []
    families = ((with_best, "between two settings"), (with_baseline, "from the baseline"))
    if needed := [_needed_seeds(pairs, what) for pairs, what in families if _too_few(pairs)]:
        said.append(" ".join(needed))
    alone = [design.labels[pair.setting] for pair in with_best if not pair.pairs and not pair.lost]
    if alone:
        said.append(f"Not compared, because they share no seed with the best: {write_names(alone)}.")
    lost = [design.labels[pair.setting] for pair in with_best if pair.lost]
    if lost:
        said.append(
            "A seed counts only if both settings completed it. Dropping the others favours the setting that "
            f"failed: {write_names(lost)}."
        )
    averaged = [visible(key) for key in design.seeds if not is_seed(key)]
    if averaged:
        keys = ", ".join(averaged)
        said.append(f"Runs of one setting also differ in {keys}. Each seed's score is the mean of its runs.")
    return said


def _too_few(pairs: Sequence["Comparison"]) -> bool:
    """Return whether these seeds cannot show any difference, whatever the results."""
    most = _most_seeds(pairs)
    return most >= MIN_PAIRS and 2 * smallest_p(most) * pairs[0].tests > LEVEL


def _most_seeds(pairs: Sequence["Comparison"]) -> int:
    return max((pair.pairs for pair in pairs), default=0)


def _out_of_reach(pairs: Sequence["Comparison"]) -> str:
    most = _most_seeds(pairs)
    least = 2 * smallest_p(most)
    among, digits = ("", 3) if least > LEVEL else (f" among {pairs[0].tests} tests", 2)
    smallest = f"2/2^{most} = {least:.{digits}g}"
    return f"{most} seeds cannot show any difference{among}: the smallest possible p is {smallest}."


def _needed_seeds(pairs: Sequence["Comparison"], what: str) -> str:
    tests = pairs[0].tests
    holm = f" (Holm's correction for {tests:,} tests)" if tests > 1 else ""
    return f"To show a difference {what}, at least {fewest_seeds(tests)} seeds are needed{holm}."


def against_best(analysis: "Analysis") -> str:
    """Return the paragraph on how the other settings compare with the best; "" if there are none."""
    tested = [each for each in analysis.comparisons.against_best if each.p_holm == each.p_holm]
    if not tested:
        return _untested(analysis.summary)
    undecided = [each for each in tested if each.verdict == "undecided"]
    said = [_ranking(tested), tested[0].sentence]
    if undecided != tested[:1]:  # otherwise the sentence above says it
        said += [_hint(undecided, analysis.design.labels), _further(undecided)]
    return " ".join(each for each in said if each)


def against_baseline(analysis: "Analysis") -> str:
    """Return the paragraph on the baseline, with a sentence per better setting; "" without a baseline."""
    pairs = analysis.comparisons.against_baseline
    counts = Counter(each.verdict for each in pairs if each.pairs >= MIN_PAIRS)
    if not counts:
        return ""
    name = analysis.design.labels[pairs[0].reference]
    parts = [f"{count} {verdict}" for verdict, count in counts.most_common()]
    better = [each.sentence for each in pairs if each.verdict == "better"]
    return " ".join([f"Against the baseline ({name}): {', '.join(parts)}.", *better])


def _untested(summary: "Summary") -> str:
    table = summary.table.dropna(subset=[f"{summary.metric}_last_mean"])
    if len(table) < 2:
        return ""
    best, following = table[f"{summary.metric}_last_mean"].iloc[:2]
    apart = write_metric(summary.metric, abs(best - following))
    return (
        f"The next best is {table['label'].iloc[1]}, with a difference of {apart}. It cannot be tested, "
        "because the two share fewer than two seeds."
    )


def _ranking(tested: Sequence["Comparison"]) -> str:
    count = Counter(each.verdict for each in tested)
    others = f"the other {len(tested)} settings" if len(tested) > 1 else "the other setting"
    if count["worse"] == len(tested):
        largest = write_p(max(each.p_holm for each in tested))
        return f"It is better than {others} (p at most {largest})."
    if count["equivalent"] == len(tested):
        return f"It is equivalent to {others}, so choose by cost."
    if not count["worse"]:
        alike = f" It is equivalent to {count['equivalent']} of them." if count["equivalent"] else ""
        none = f"none of {others} is" if len(tested) > 1 else f"{others} is not"
        return f"The ranking is not settled: {none} shown to be worse.{alike}"
    parts = [
        f"{count[verdict]} {'is' if count[verdict] == 1 else 'are'} {verdict}"
        for verdict in ("worse", "equivalent", "undecided")
        if count[verdict]
    ]
    return f"Of {others}, {', '.join(parts[:-1])} and {parts[-1]}."


def _hint(undecided: Sequence["Comparison"], labels: Sequence[str]) -> str:
    """Name the undecided settings that a t test finds worse: sign flips of 5 seeds cannot find any."""
    far = [labels[each.setting] for each in undecided if each.p_student <= LEVEL]
    if not far:
        return ""
    test = "A t test with the same correction, which assumes normal differences,"
    return f"{test} finds {len(far)} of the undecided settings worse: {write_names(far)}."


def _further(undecided: Sequence["Comparison"]) -> str:
    known = [each.further_seeds for each in undecided if each.further_seeds is not None]
    if not known:
        return ""
    span = f"{min(known):,}" if min(known) == max(known) else f"{min(known):,} to {max(known):,}"
    which = f"{len(known)} of the {len(undecided)}" if len(known) < len(undecided) else f"the {len(known)}"
    what = f"{which} undecided settings" if len(undecided) > 1 else "the undecided setting"
    return f"Deciding {what} would take {span} more seeds{' each' if len(known) > 1 else ''}."
