"""Comparisons in words: a sentence for each pair, a table's cell, and what these seeds cannot say."""

import math
from collections.abc import Sequence

from dlx.report.paired import PAIRS, Paired, fewest_seeds
from dlx.report.text import MISSING, write_count, write_metric
from dlx.statistics.intervals import LEVEL
from dlx.statistics.permutation import smallest_p
from dlx.statistics.power import POWER

SHOWN = 3  # labels in a note


def sentence(pair: Paired, labels: Sequence[str], metric: str, margin: float) -> str:
    """Say how a setting compares with its reference, with the numbers that say so."""
    setting, reference = labels[pair.setting], labels[pair.reference]
    lost = f" ({_lost(pair)})" if pair.lost else ""
    if not pair.pairs:
        why = (
            "no shared seed that both completed" if pair.lost else "no shared seed: train both with the same"
        )
        return f"{setting} and {reference} have {why}, so they are not compared{lost}."
    size = write_metric(metric, abs(pair.difference))
    side = f"{size} {'higher' if pair.difference > 0 else 'lower'} than" if pair.difference else "equal to"
    seeds = f"over {write_count(pair.pairs, 'shared seed')}{lost}"
    if pair.pairs < PAIRS:
        return f"{setting}: {side} {reference} {seeds}; one seed cannot say how much of that is chance."
    interval = f"95% interval {write_interval(metric, pair.low, pair.high)}"
    return f"{setting}: {side} {reference} {seeds}, {interval}. {_verdict(pair, metric, margin)}"


def write_interval(metric: str, low: float, high: float) -> str:
    """Write an interval's ends; a dash where there is none."""
    return f"{write_metric(metric, low)} to {write_metric(metric, high)}" if math.isfinite(low) else MISSING


def write_p(p: float) -> str:
    """Write a p with two digits."""
    return f"{p:.2g}" if math.isfinite(p) else MISSING


def brief(verdict: str, pairs: int, further_seeds: int | None) -> str:
    """Write a verdict as a table's cell."""
    if pairs < PAIRS:
        return MISSING
    if verdict != "undecided":
        return verdict
    return "undecided" if further_seeds is None else f"undecided, +{write_count(further_seeds, 'seed')}"


def limits(with_best: Sequence[Paired], with_baseline: Sequence[Paired], labels: Sequence[str]) -> list[str]:
    """Say what these seeds cannot show however the runs had come out, and which pairs are not tested."""
    notes = [note for note in (_out_of_reach(with_best), _reachable(with_best, with_baseline)) if note]
    alone = [labels[pair.setting] for pair in with_best if not pair.pairs and not pair.lost]
    if alone:
        notes.append(f"Not compared, having no seed in common with the best: {listed(alone)}.")
    lost = [labels[pair.setting] for pair in with_best if pair.lost]
    if lost:
        notes.append(
            "Seeds with a run that did not complete are no pair, which flatters the side that lost it: "
            f"{listed(lost)}."
        )
    return notes


def _verdict(pair: Paired, metric: str, margin: float) -> str:
    p = f"p {write_p(pair.p)}"
    if pair.tests > 1:
        p += f", {write_p(pair.p_holm)} after Holm's correction for {pair.tests:,} tests"
    if pair.verdict == "undecided" and pair.p_student <= LEVEL:
        p += f" ({write_p(pair.p_student)} if differences are normal)"
    if pair.verdict == "equivalent":
        real = f"; a difference there is ({p})" if pair.p_holm <= LEVEL else ""
        within = f"within ±{write_metric(metric, margin)} of each other"
        return f"Equivalent: {within} (p {write_p(pair.p_equivalent)}){real}."
    if pair.verdict != "undecided":
        return f"{pair.verdict.capitalize()}: {p}."
    if pair.further_seeds is None:
        return f"Undecided: {p}; no number of seeds in sight would decide it, if it is as it looks now."
    more = write_count(pair.further_seeds, "more seed")
    shown = "the difference" if pair.towards == "different" else "that the two are equivalent"
    return f"Undecided: {p}; {more} would show {shown} with probability {POWER:g}, if it is as it looks now."


def _lost(pair: Paired) -> str:
    return f"{pair.lost} more without a completed run on both sides"


def _out_of_reach(pairs: Sequence[Paired]) -> str:
    """Say that so few seeds cannot show any difference, whatever the runs had been."""
    most, tests = _size(pairs)
    if not _too_few(pairs):
        return ""
    best = 2 * smallest_p(most)
    if best > LEVEL:
        return f"{most} seeds cannot reach p < {LEVEL:g}: at best 2/2^{most} = {best:.3g}."
    return f"{most} seeds reach p = 2/2^{most} = {best:.2g} at best, which is too large among {tests} tests."


def _reachable(with_best: Sequence[Paired], with_baseline: Sequence[Paired]) -> str:
    """Say from how many seeds on a difference can be shown, where these are too few."""
    parts = []
    for pairs, what in (
        (with_best, "a difference of two settings"),
        (with_baseline, "one from the baseline"),
    ):
        if _too_few(pairs):
            _, tests = _size(pairs)
            holm = f" (Holm's correction for {tests:,} tests)" if tests > 1 else ""
            parts.append(f"{what} can be shown from {fewest_seeds(tests)} seeds on{holm}")
    return f"{said[0].upper()}{said[1:]}." if (said := ", ".join(parts)) else ""


def _too_few(pairs: Sequence[Paired]) -> bool:
    most, tests = _size(pairs)
    return most >= PAIRS and 2 * smallest_p(most) * tests > LEVEL


def _size(pairs: Sequence[Paired]) -> tuple[int, int]:
    """Return the most shared seeds of a pair, and the number of tests that the correction is over."""
    return max((pair.pairs for pair in pairs), default=0), pairs[0].tests if pairs else 0


def listed(labels: Sequence[str]) -> str:
    """Name the first few."""
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return "; ".join(labels[:SHOWN]) + more
