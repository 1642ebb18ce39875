"""Prediction intervals against the closed form and simulation, and how many seeds narrow them."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.statistics.prediction import predict, seeds_for_width, widest_limit


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_the_interval_is_the_closed_form(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    got = predict(list(values))
    half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) * math.sqrt(1 + 1 / count)
    expected = (values.mean(), values.std(ddof=1), values.mean() - half, values.mean() + half)
    np.testing.assert_allclose((got.mean, got.std, got.low, got.high), expected, rtol=1e-10)
    assert got.width == pytest.approx(2 * half, rel=1e-10)


def test_equal_values_make_an_interval_of_no_width():
    got = predict([0.1, 0.1, 0.1])  # whose sum / 3 is 0.10000000000000002
    assert (got.mean, got.std, got.low, got.high) == (0.1, 0.0, 0.1, 0.1)


def test_the_interval_of_five_covers_a_new_run_95_times_in_100():
    draws = np.random.default_rng(0).normal(0.8, 0.02, (4000, 6))
    intervals = [predict(list(five)) for five in draws[:, :5]]
    covered = np.mean(
        [each.low <= new <= each.high for each, new in zip(intervals, draws[:, 5], strict=True)]
    )
    assert covered == pytest.approx(0.95, abs=0.02)


def test_the_seeds_for_a_width_are_the_fewest_that_reach_it():
    needed = seeds_for_width(0.02, 0.1)
    assert needed is not None
    widths = {n: 2 * stats.t.ppf(0.975, n - 1) * 0.02 * math.sqrt(1 + 1 / n) for n in (needed - 1, needed)}
    assert widths[needed] <= 0.1 < widths[needed - 1]
    assert seeds_for_width(0.0, 0.1) == 2


def test_no_number_of_seeds_makes_an_interval_narrower_than_the_spread_of_runs():
    assert widest_limit(0.03) == pytest.approx(2 * stats.norm.ppf(0.975) * 0.03, rel=1e-10)
    assert seeds_for_width(0.03, 0.117) is None  # the limit is 0.1176
