"""The level of repeated looks: published boundaries, multivariate normal probabilities, simulated studies."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from dlx.stats.intervals import LEVEL
from dlx.stats.sequential import RESERVE, Look, level_now, nominal_levels, obrien_fleming, spending
from tests.studies.looks import POLICIES, share_and_seeds, share_of_false_findings, simulate


def boundaries(spent):
    return norm.isf(np.array(nominal_levels(range(1, len(spent) + 1), spent)) / 2)


def test_the_boundaries_of_obrien_fleming_spending_are_those_of_lan_and_demets():
    spent = np.diff([0.0, *(obrien_fleming(look / 5, 0.05) for look in range(1, 6))])
    assert boundaries(spent) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=6e-4)


def test_the_boundaries_of_pocock_spending_are_those_of_lan_and_demets():
    spent = np.diff([0.0, *(0.05 * math.log(1 + (math.e - 1) * look / 5) for look in range(1, 6))])
    assert boundaries(spent) == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=6e-4)


def test_looks_at_the_nominal_levels_spend_what_they_may_by_the_multivariate_normal_distribution():
    information, spent = np.array([2.0, 3.0, 7.0]), [0.01, 0.02, 0.015]
    bounds = norm.isf(np.array(nominal_levels(information, spent)) / 2)
    correlation = np.sqrt(
        np.minimum.outer(information, information) / np.maximum.outer(information, information)
    )
    for looks in (1, 2, 3):
        walk = multivariate_normal(np.zeros(looks), correlation[:looks, :looks], abseps=1e-8, releps=1e-8)
        inside = walk.cdf(bounds[:looks], lower_limit=-bounds[:looks])
        assert 1 - inside == pytest.approx(sum(spent[:looks]), abs=1e-7)


def test_the_levels_do_not_depend_on_the_unit_of_the_information():
    information, spent = np.array([2.0, 3.0, 7.0]), [0.01, 0.02, 0.015]
    assert nominal_levels(information / 1000, spent) == pytest.approx(nominal_levels(information, spent))


def test_the_information_is_that_of_students_t():
    looks = [Look(4, 10), Look(7, 10), Look(10, 10)]
    for tests in (1, 3):
        boundary = norm.isf(LEVEL / tests / 2)
        information = [look.units * math.exp(-(boundary**2) / (2 * look.units)) for look in looks]
        expected = tests * nominal_levels(information, spending(looks, tests))[-1]
        assert level_now(looks[:2], 10, 10, tests) == pytest.approx(expected, rel=1e-9)


def test_a_plan_that_is_read_once_has_the_whole_level():
    assert level_now([], 10, 10) == LEVEL
    assert level_now([], 10, 10, tests=28) == LEVEL
    assert level_now([], 12, 10) == LEVEL  # seeds that nobody asked dlx for


def test_reading_the_same_results_again_is_the_same_look():
    looks = [Look(3, 5), Look(5, 5)]
    assert level_now(looks, 5, 5) == level_now(looks[:1], 5, 5)
    assert level_now([Look(3, 3)], 3, 10) == LEVEL  # the other seven have not ended
    assert level_now([Look(5, 5)], 4, 5) == LEVEL  # one of them was deleted since


def test_early_looks_cost_the_full_plan_little():
    early = level_now([], 5, 20)
    final = level_now([Look(5, 20), Look(10, 20)], 20, 20)
    assert early < 1e-4
    assert 0.045 < final < LEVEL


def test_a_plan_that_grows_before_it_is_read_costs_nothing():
    assert level_now([], 10, 10) == level_now([], 20, 20)


def test_extensions_share_the_reserve():
    looks = [Look(3, 3), Look(5, 5), Look(7, 9), Look(9, 9), Look(12, 12)]
    spent = spending(looks)
    assert spent[0] == LEVEL
    assert spent[1] == RESERVE / 2
    assert sum(spent[2:4]) == pytest.approx(RESERVE / 4)
    assert spent[2] == obrien_fleming(0.5, RESERVE / 4)  # two of the four seeds that were added
    assert spent[4] == RESERVE / 8
    assert sum(spending([Look(n, n) for n in range(3, 60)])) <= 0.055  # as the file promises


def test_a_plan_that_grows_after_it_was_read_in_part_keeps_half_of_what_is_left():
    first, rest = spending([Look(3, 5), Look(20, 20)])
    assert first == obrien_fleming(3 / 5, LEVEL)
    assert rest == (LEVEL - first) / 2


def test_the_levels_of_many_tests_are_those_of_one_test_at_its_share():
    looks = [Look(3, 3), Look(6, 9), Look(9, 9)]
    assert sum(spending(looks, tests=6)) == pytest.approx((LEVEL + RESERVE / 2) / 6)
    assert level_now(looks[:2], 9, 9, tests=28) < level_now(looks[:2], 9, 9)


@pytest.mark.parametrize("tests", [1, 28, 79_800])
def test_levels_are_positive_even_for_the_first_of_many_looks(tests):
    assert 0 < level_now([], 2, 100, tests) < 1e-9


@pytest.mark.slow
def test_looking_after_each_seed_finds_differences_between_equal_settings_in_5_percent():
    found = simulate([POLICIES[0], *POLICIES[2:4]], 300, 2, 0.0)
    at_each_look, planned, unplanned = map(share_of_false_findings, found)
    assert max(planned, unplanned) < 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 300)
    assert at_each_look > 0.15


@pytest.mark.slow
def test_differences_of_one_deviation_are_found_early():
    (found,) = simulate([POLICIES[2]], 100, 2, 1.0)
    share, seeds = share_and_seeds(found, 2, 20)
    assert share > 0.93
    assert seeds < 14
