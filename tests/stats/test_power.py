"""Seeds that would decide: the tests, simulated with that many pairs, find what was promised."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import nct, t

from dlx.stats.power import (
    POWER,
    critical_effect,
    pairs_for_equivalence,
    pairs_for_sign,
    seeds_for_width,
    smallest,
    tost_power,
    widest_limit,
)
from dlx.stats.tests import sign_flip_ps, tost_p


@pytest.mark.slow
@pytest.mark.parametrize("tests", [1, 7, 28, 120])
@pytest.mark.parametrize("count", [6, 9, 11, 13, 16, 17, 18])
def test_the_critical_effect_is_found_with_probability_0_8(count, tests):
    level = 0.025 / tests
    effect = critical_effect(count, level)
    if 0.5**count > level:
        assert effect == math.inf
        return
    draws = np.random.default_rng(7).normal(effect, 1, (2000, count))
    assert (sign_flip_ps(draws) <= level).mean() == pytest.approx(POWER, abs=0.045)


def test_with_many_pairs_the_critical_effect_is_that_of_the_noncentral_t():
    effect = critical_effect(50, 0.01)
    assert nct.sf(t.ppf(0.99, 49), 49, effect * math.sqrt(50)) == pytest.approx(0.8, rel=1e-6)


@pytest.mark.parametrize(("mean", "std"), [(0.01, 0.015), (-0.01, 0.008), (0.01, 0.012)])
def test_pairs_for_sign_are_the_fewest_with_power_0_8(mean, std):
    needed = pairs_for_sign(mean, std, 0.025)
    draws = np.random.default_rng(1).normal(abs(mean), std, (2000, needed))
    assert (sign_flip_ps(draws) <= 0.025).mean() > POWER - 0.04
    assert (sign_flip_ps(draws[:, 1:]) <= 0.025).mean() < POWER + 0.04


def test_an_effect_that_no_number_of_pairs_shows_gives_none():
    assert pairs_for_sign(0.0, 0.1, 0.025) is None
    assert pairs_for_sign(1e-9, 0.1, 0.025) is None
    assert pairs_for_sign(math.nan, math.nan, 0.025) is None
    assert pairs_for_equivalence(0.01, 0.001, 0.01, 0.05) is None


def test_equal_differences_need_as_many_pairs_as_their_signs():
    assert pairs_for_sign(-0.1, 0.0, 0.05) == 5
    assert pairs_for_sign(0.1, 0.0, 0.025) == 6
    assert pairs_for_sign(0.1, 0.0, 0.025 / 28) == 11


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.01), (0.004, 0.01), (-0.007, 0.008), (0.0, 0.05)])
def test_pairs_for_equivalence_have_power_0_8(mean, std):
    needed = pairs_for_equivalence(mean, std, 0.01, 0.05)
    draws = np.random.default_rng(2).normal(mean, std, (1500, needed))
    found = np.mean([tost_p(row, 0.01) <= 0.05 for row in draws])
    assert found == pytest.approx(tost_power(needed, mean, std, 0.01, 0.05), abs=0.035)
    assert found > POWER - 0.035
    assert tost_power(needed - 1, mean, std, 0.01, 0.05) < POWER


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
    assert smallest(lambda count: count >= edge, 3) == edge


def test_bisection_returns_none_if_nothing_holds_and_the_least_if_all_do():
    assert smallest(lambda count: False, 3) is None
    assert smallest(lambda count: True, 3) == 3
