"""Equivalence against pairs of one-sided t tests and of sign-flip tests."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.statistics.equivalence import beyond_p, equivalence_p, tost_p

# Student's sleep data (1908): extra hours of ten patients under two drugs.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
SLEEP = np.subtract(SLEEP_1, SLEEP_2)


@pytest.mark.parametrize("margin", [0.5, 1.58, 2.0, 3.0])
def test_tost_is_the_larger_p_of_two_one_sided_t_tests(margin):
    above = stats.ttest_1samp(SLEEP, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(SLEEP, margin, alternative="less").pvalue
    assert tost_p(SLEEP, margin) == pytest.approx(max(above, below), rel=1e-10)
    assert tost_p(-SLEEP, margin) == pytest.approx(tost_p(SLEEP, margin), rel=1e-12)


def test_tost_is_the_closed_form_on_students_sleep_data():
    # Mean -1.58, standard error 0.38896 (t = -4.0621, p = 0.002833, as published): t = (1.58 - 3) / 0.38896.
    assert SLEEP.mean() / stats.sem(SLEEP) == pytest.approx(-4.0621, abs=5e-5)
    assert tost_p(SLEEP, 3.0) == pytest.approx(stats.t.cdf((1.58 - 3) / stats.sem(SLEEP), 9), rel=1e-10)


def test_tost_is_inclusion_of_the_90_percent_interval():
    low, high = stats.t.interval(0.90, 9, SLEEP.mean(), stats.sem(SLEEP))
    edge = max(-low, high)
    assert tost_p(SLEEP, edge * 1.001) < 0.05 < tost_p(SLEEP, edge * 0.999)


def test_equal_differences_are_no_proof_of_a_deviation_of_zero():
    assert tost_p([0.002, 0.002], 0.01) == 1 / 4
    assert tost_p([0.0] * 5, 0.01) == 1 / 32
    assert tost_p([0.02] * 9, 0.01) == 1.0
    assert math.isnan(tost_p([0.002], 0.01))


def test_by_signs_it_is_two_one_sided_tests():
    near = [0.001, -0.002, 0.0, 0.003, -0.001]
    assert equivalence_p(near, 0.01) == 1 / 32
    assert equivalence_p([value + 0.02 for value in near], 0.01) == 1.0
    assert equivalence_p([value - 0.02 for value in near], 0.01) == 1.0
    assert beyond_p([value - 0.02 for value in near], 0.01) == 2 / 32
    assert beyond_p(near, 0.01) == 1.0
