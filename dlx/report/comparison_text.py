"""Comparisons in words: a sentence for each pair, a table's cell, and the method."""

from collections.abc import Sequence

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.text import MISSING, write_count, write_difference, write_p
from dlx.stats.intervals import LEVEL
from dlx.stats.tests import FEWEST


def sentence(pair: Comparison, labels: Sequence[str], comparisons: Comparisons) -> str:
    """Say how a setting compares with its reference: the verdict, then the numbers behind it."""
    setting, reference = labels[pair.setting], labels[pair.reference]
    unit, metric = comparisons.unit, comparisons.metric
    if not pair.pairs:
        why = f"no {unit} was completed by both" if pair.lost else f"they share no {unit}"
        return f"{setting} and {reference} are not compared: {why}."
    lost = f" ({pair.lost} more not completed by both)" if pair.lost else ""
    over = f"over {write_count(pair.pairs, unit)}{lost}"
    if pair.verdict == "equal":
        return f"{setting} and {reference} have the same score in each {unit}, {over}."
    side = f"{write_difference(metric, abs(pair.difference))} {'higher' if pair.difference > 0 else 'lower'}"
    than = f"{setting} is {side} than {reference} {over}"
    if not pair.tested:
        return f"{than}. A test needs at least {FEWEST} {unit}s."
    evidence = f"({_interval(pair, comparisons)}; {_p_value(pair)})"
    if pair.verdict == "equivalent":
        within = f"within ±{write_difference(metric, comparisons.margin)}, {write_p(pair.p_equivalent)}"
        real = " The small difference is real." if pair.p_holm <= comparisons.level else ""
        return f"{setting} is equivalent to {reference} ({within}): {side} {over} {evidence}.{real}"
    if pair.verdict == "undecided":
        return f"Undecided: {than} {evidence}."
    return f"{setting} is {pair.verdict} than {reference}: {side} {over} {evidence}."


def _interval(pair: Comparison, comparisons: Comparisons) -> str:
    interval = write_difference(comparisons.metric, pair.low, pair.high)
    return f"{100 * (1 - comparisons.level):.4g}% interval {interval}"


def _p_value(pair: Comparison) -> str:
    return write_p(pair.p_holm) + (f", corrected for {pair.tests:,} tests" if pair.tests > 1 else "")


def verdict_cell(pair: Comparison) -> str:
    """Write a verdict as a table's cell; a dash if there was no test."""
    return pair.verdict if pair.tested or pair.verdict == "equal" else MISSING


def method(comparisons: Comparisons) -> str:
    """Name the test, its family and its assumption in a sentence; "" if nothing was tested."""
    pair = next((each for each in comparisons.against_best if each.tested), None)
    if pair is None:
        return about_folds(comparisons).strip()
    over = f"Paired t tests over {write_units(comparisons, comparisons.most_pairs)}"
    family = f", corrected for {pair.tests:,} comparisons" if pair.tests > 1 else ""
    level = ""
    if comparisons.level != LEVEL:
        level = f" Only p below {comparisons.level:.2g} counts, because the report was read before."
    assumed = f"They assume that differences vary roughly normally over {comparisons.unit}s."
    return f"{over}{family}. {assumed}{about_folds(comparisons)}{level}"


def write_units(comparisons: Comparisons, count: int) -> str:
    """Write a number of units: "3 seeds", or "10 folds (2 times 5-fold cross-validation)"."""
    of = "" if comparisons.folding is None else f" ({comparisons.folding} cross-validation)"
    return f"{write_count(count, comparisons.unit)}{of}"


def about_folds(comparisons: Comparisons) -> str:
    """Say how the training data that folds share is allowed for; "" without folds."""
    if comparisons.folding is None:
        return ""
    return (
        " Folds share training data, so the variance of a mean over J folds is taken as "
        f"s² (1/J + {comparisons.folding.overlap:.2g}) instead of s²/J (Nadeau and Bengio, 2003)."
    )
