"""Judges whether runs reproduce a published figure or order: yes, no, or too few runs to tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlx.reproduce.claim import Figure, Order
from dlx.stats.intervals import LEVEL, PredictionInterval, prediction_interval
from dlx.stats.power import (
    FEWEST_PAIRS,
    MAX_SEEDS,
    MOST_PAIRS,
    pairs_to_decide,
    seeds_for_width,
    widest_limit,
)
from dlx.stats.tests import FEWEST, beyond_p, paired_tests, resolution, tost_p

Word = Literal["REPRODUCED", "NOT REPRODUCED", "UNDERPOWERED"]


@dataclass(frozen=True)
class Judgement:
    """Whether a published figure or order is reproduced, and why."""

    word: Word
    note: str = ""  # the reason, or what would settle it
    mean: float | None = None  # of the runs, or of their differences
    interval: PredictionInterval | None = None  # of a figure: where one new run would fall
    p: float | None = None  # of the published order


def judge_figure(figure: Figure, values_K: Sequence[float], rounding: float) -> Judgement:
    """Judge a figure by the values of K completed runs; `rounding` widens the published range."""
    low, high = figure.ends
    mean = math.fsum(values_K) / len(values_K) if values_K else None
    if figure.tolerance is not None and values_K:
        off = max(max(low - value, value - high, 0.0) for value in values_K)
        word: Word = "REPRODUCED" if off <= figure.tolerance else "NOT REPRODUCED"
        return Judgement(word, f"deterministic: off by {off:.1e}, allowed {figure.tolerance:.1e}", mean)
    if len(values_K) < 2:
        return Judgement("UNDERPOWERED", "an interval needs 2 completed runs", mean)
    interval = prediction_interval(values_K)
    low, high = low - rounding, high + rounding
    judge = _judge_value if math.isfinite(low) and math.isfinite(high) else _judge_bound
    word, note = judge(interval, low, high, figure.useful_width)
    return Judgement(word, note, interval.mean, interval)


def _judge_value(interval: PredictionInterval, low: float, high: float, width: float) -> tuple[Word, str]:
    """Judge a value published to lie in [low, high], by whether one new run may fall there."""
    if interval.high < low or high < interval.low:
        return "NOT REPRODUCED", ""
    if interval.width <= width:
        return "REPRODUCED", ""
    needed = seeds_for_width(interval.std, width)
    if needed is not None:
        return "UNDERPOWERED", f"{needed} seeds would make the interval narrower than {width:.2g}"
    widest = widest_limit(interval.std)
    if widest < width:
        return "UNDERPOWERED", f"more than {MAX_SEEDS:,} seeds would be needed"
    return "UNDERPOWERED", f"no number of seeds settles it: the interval would still be {widest:.2g} wide"


def _judge_bound(interval: PredictionInterval, low: float, high: float, _: float) -> tuple[Word, str]:
    """Judge "at least `low`" or "at most `high`", by whether a new run would certainly satisfy it or not."""
    if low <= interval.low and interval.high <= high:
        return "REPRODUCED", ""
    if interval.high < low or high < interval.low:
        return "NOT REPRODUCED", ""
    inside = interval.mean - low if math.isinf(high) else high - interval.mean
    needed = seeds_for_width(interval.std, 2 * abs(inside)) if inside else None
    if needed is None:
        return "UNDERPOWERED", "no number of seeds settles it: single runs fall on both sides of the bound"
    return "UNDERPOWERED", f"{needed} seeds would put the interval on one side of the bound"


def judge_order(order: Order, first: Mapping[int, float], second: Mapping[int, float]) -> Judgement:
    """Judge an order by the values of its two sides, keyed by seed; a seed counts if it has both.

    By the same two-sided paired t test as `dlx report`.
    """
    sign = -1 if order.lower_is_better and order.equal is None else 1
    differences_K = np.array([sign * (first[seed] - second[seed]) for seed in first if seed in second])
    if not len(differences_K):
        return Judgement("UNDERPOWERED", "no seed completed both runs")
    mean = float(differences_K.mean())
    step = resolution([*first.values(), *second.values()])
    if order.margin is None:
        two_sided = float(paired_tests(differences_K[None], settings=2, resolution=step).p_M[0])
        p, against = (two_sided, 1.0) if mean > 0 else (1.0, two_sided)
        effect = mean
    else:
        p, against = (test(differences_K, order.margin, step) for test in (tost_p, beyond_p))
        effect = order.margin - abs(mean)
    if math.isnan(p) or math.isnan(against):
        return Judgement("UNDERPOWERED", f"a test needs at least {FEWEST} pairs of runs", sign * mean)
    if p <= LEVEL:
        return Judgement("REPRODUCED", mean=sign * mean, p=p)
    if against <= LEVEL:
        return Judgement("NOT REPRODUCED", f"the opposite has p {against:.2g}", sign * mean, p=p)
    return Judgement("UNDERPOWERED", _needed(differences_K, effect), sign * mean, p=p)


def _needed(differences_K: NDArray[np.float64], effect: float) -> str:
    """Say how many seeds would decide an order; "" if these are too few to say."""
    count = len(differences_K)
    if count < FEWEST_PAIRS:
        return ""
    needed = pairs_to_decide(effect, float(differences_K.std(ddof=1)), count, LEVEL)
    if needed is None:
        return f"even {MOST_PAIRS} seeds would probably not decide it"
    return f"{needed} seeds would probably decide it"
