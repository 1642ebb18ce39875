"""What more seeds would show: promises are kept in simulated studies, effects are the noncentral t's."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.stats.power import (
    FEWEST_PAIRS,
    MOST_PAIRS,
    POWER,
    detectable_difference,
    pairs_to_decide,
    probability_to_decide,
    seeds_for_width,
    smallest,
    widest_limit,
)
from tests.studies.promises import as_observed, effect_found, kept


@pytest.mark.parametrize(("pairs", "count", "mean"), [(7, 5, 1.4), (20, 5, -1.0), (30, 8, 0.5)])
def test_the_probability_is_that_of_studies_drawn_from_what_the_pilot_leaves_unknown(pairs, count, mean):
    random = np.random.default_rng(1)
    studies = 20_000
    pilot = np.array(random.standard_normal(count))
    pilot = (pilot - pilot.mean()) / pilot.std(ddof=1) + mean
    deviation = np.sqrt((count - 1) / random.chisquare(count - 1, studies))
    true = mean + deviation * random.standard_normal(studies) / math.sqrt(count)
    new = true[:, None] + deviation[:, None] * random.standard_normal((studies, pairs - count))
    whole = np.hstack([np.tile(pilot, (studies, 1)), new])
    p = stats.ttest_1samp(whole, 0.0, axis=1, alternative="greater" if mean > 0 else "less").pvalue
    expected = (p <= 0.01 / 2).mean()
    assert 0.02 < expected < 0.98
    assert probability_to_decide(pairs, mean, 1.0, count, 0.01, count - 1) == pytest.approx(
        expected, abs=0.02
    )


def test_the_number_of_pairs_is_the_smallest_with_power_0_8():
    needed = pairs_to_decide(0.8, 1.0, 6, 0.05)
    assert 6 < needed < MOST_PAIRS
    assert probability_to_decide(needed, 0.8, 1.0, 6, 0.05, 5) >= POWER
    assert probability_to_decide(needed - 1, 0.8, 1.0, 6, 0.05, 5) < POWER
    assert needed > as_observed(0.8, 1.0, 6, 0.05)  # which takes the pilot for the truth
    assert pairs_to_decide(-8.0, 10.0, 6, 0.05) == needed  # neither sign nor unit matters


def test_a_deviation_that_is_known_better_needs_fewer_pairs():
    assert pairs_to_decide(1.0, 1.0, 5, 0.002, freedom=50) < pairs_to_decide(1.0, 1.0, 5, 0.002)


@pytest.mark.parametrize(
    ("mean", "std", "count"),
    [(0.0, 1.0, 8), (math.nan, 1.0, 8), (1.0, 0.0, 8), (0.1, 1.0, 8), (1.0, 1.0, FEWEST_PAIRS - 1)],
)
def test_where_it_would_be_a_guess_nothing_is_promised(mean, std, count):
    assert pairs_to_decide(mean, std, count, 0.05) is None


@pytest.mark.parametrize("pilot", [5, 8])
def test_promises_are_kept_more_often_than_by_taking_the_pilot_for_the_truth(pilot):
    studies, level = 250, 0.05 / 28
    ours, theirs = (kept(rule, pilot, 1.0, level, studies)[1] for rule in (pairs_to_decide, as_observed))
    assert ours > max(0.78, theirs)


def test_the_detectable_difference_is_found_with_probability_0_8():
    found = detectable_difference(0.02, 1e9, 10, 0.05)
    noncentral = stats.nct(9, found / 0.02 * math.sqrt(10))
    assert noncentral.sf(stats.t.ppf(0.975, 9)) == pytest.approx(0.8, rel=1e-4)
    assert found == pytest.approx(0.02 * effect_found(10, 0.05), rel=1e-4)


def test_the_detectable_difference_uses_the_upper_limit_of_the_deviation():
    limit = math.sqrt(4 / stats.chi2.ppf(0.2, 4))
    ratio = detectable_difference(0.02, 4, 10, 0.05) / detectable_difference(0.02, 1e9, 10, 0.05)
    assert ratio == pytest.approx(limit, rel=1e-4)


def test_seeds_for_width_are_the_fewest_that_reach_it():
    needed = seeds_for_width(0.02, 0.1)
    assert needed is not None
    widths = {n: 2 * stats.t.ppf(0.975, n - 1) * 0.02 * math.sqrt(1 + 1 / n) for n in (needed - 1, needed)}
    assert widths[needed] <= 0.1 < widths[needed - 1]
    assert seeds_for_width(0.0, 0.1) == 2


def test_no_number_of_seeds_makes_an_interval_narrower_than_the_spread_of_runs():
    assert widest_limit(0.03) == pytest.approx(2 * stats.norm.ppf(0.975) * 0.03, rel=1e-10)
    assert seeds_for_width(0.03, 0.117) is None  # the limit is 0.1176


@pytest.mark.parametrize("edge", [3, 4, 57, 10_000])
def test_bisection_finds_the_smallest_count_that_holds(edge):
    assert smallest(lambda count: count >= edge, 3, 10_000) == edge


def test_bisection_returns_none_if_nothing_holds_and_the_least_if_all_do():
    assert smallest(lambda count: False, 3, 10) is None
    assert smallest(lambda count: True, 3, 10) == 3
    assert smallest(lambda count: True, 11, 10) is None
