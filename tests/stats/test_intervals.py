"""Intervals against scipy's t, bootstrap and Wilson interval, the closed form, and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.stats.intervals import RESAMPLES, mean_intervals, prediction_interval, wilson


def interval_of(values):
    """The confidence interval of the mean of one group."""
    (low,), (high,) = mean_intervals(np.asarray(values, dtype=float)[None])
    return low, high


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_below_ten_values_the_interval_is_students_t(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    expected = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    np.testing.assert_allclose(interval_of(values), expected, rtol=1e-10)


@pytest.mark.parametrize("count", [10, 17])
def test_from_ten_values_the_interval_is_scipys_bca_bootstrap(count):
    values = np.random.default_rng(count).exponential(1, count)
    rng = np.random.default_rng([count, RESAMPLES])
    done = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=rng)
    np.testing.assert_allclose(interval_of(values), done.confidence_interval, rtol=1e-10)


def test_groups_of_several_sizes_do_not_mix():
    rows = np.random.default_rng(0).normal(0, 1, (5, 12))
    rows[1, 4] = rows[2, 3:] = rows[3, 1:] = np.nan
    low, high = mean_intervals(rows)
    for row, *ends in zip(rows, low, high, strict=True):
        np.testing.assert_allclose(ends, interval_of(row[~np.isnan(row)]), rtol=1e-12)
    assert math.isnan(low[3])


@pytest.mark.parametrize("count", [3, 12])
def test_equal_values_have_a_confidence_interval_of_zero_width(count):
    assert interval_of([0.1] * count) == (0.1, 0.1)


def test_one_value_or_none_has_no_interval():
    assert all(math.isnan(end) for values in ([0.5], []) for end in interval_of(values))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "least"), [(5, 0.94), (20, 0.92)])
def test_the_mean_is_covered_about_95_times_in_100(count, least):
    low, high = mean_intervals(np.random.default_rng(1).normal(0.8, 0.02, (3000, count)))
    assert least < np.mean((low <= 0.8) & (high >= 0.8)) < 0.96


@pytest.mark.parametrize(("successes", "count"), [(0, 10), (81, 263), (10, 10), (397, 500)])
def test_wilson_agrees_with_scipy(successes, count):
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(successes, count), expected, rtol=1e-10, atol=1e-15)


def test_wilson_agrees_with_newcombes_published_example():
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, Statistics in Medicine 17, table I, method 3).
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_the_prediction_interval_is_the_closed_form(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    got = prediction_interval(list(values))
    half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) * math.sqrt(1 + 1 / count)
    expected = (values.mean(), values.std(ddof=1), values.mean() - half, values.mean() + half)
    np.testing.assert_allclose((got.mean, got.std, got.low, got.high), expected, rtol=1e-10)
    assert got.width == pytest.approx(2 * half, rel=1e-10)


def test_equal_values_have_a_prediction_interval_of_zero_width():
    got = prediction_interval([0.1, 0.1, 0.1])  # whose sum / 3 is 0.10000000000000002
    assert (got.mean, got.std, got.low, got.high) == (0.1, 0.0, 0.1, 0.1)


def test_the_interval_of_five_covers_a_new_run_95_times_in_100():
    draws = np.random.default_rng(0).normal(0.8, 0.02, (4000, 6))
    intervals = [prediction_interval(list(five)) for five in draws[:, :5]]
    covered = np.mean(
        [each.low <= new <= each.high for each, new in zip(intervals, draws[:, 5], strict=True)]
    )
    assert covered == pytest.approx(0.95, abs=0.02)
