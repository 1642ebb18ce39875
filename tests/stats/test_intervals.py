"""Intervals against scipy's t and Wilson interval, the closed form, and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.stats.intervals import half_widths, prediction_interval, wilson


@pytest.mark.parametrize("count", [2, 3, 9, 30])
def test_the_interval_of_a_mean_is_students_t(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert half_widths(values[None])[0] == pytest.approx((high - low) / 2, rel=1e-10)


def test_groups_of_several_sizes_do_not_mix():
    rows = np.random.default_rng(0).normal(0, 1, (5, 12))
    rows[1, 4] = rows[2, 3:] = rows[3, 1:] = rows[4] = np.nan
    found = half_widths(rows)
    for row, half in zip(rows[:3], found, strict=False):
        np.testing.assert_allclose(half, half_widths(row[~np.isnan(row)][None])[0], rtol=1e-12)
    assert np.isnan(found[3:]).all()  # one value, and none


@pytest.mark.parametrize("count", [3, 12])
def test_equal_values_have_no_interval(count):
    assert math.isnan(half_widths(np.full((1, count), 0.1))[0])


@pytest.mark.parametrize("count", [3, 10, 20])
def test_the_mean_is_covered_95_times_in_100(count):
    values = np.random.default_rng(1).normal(0.8, 0.02, (4000, count))
    covered = np.abs(values.mean(axis=1) - 0.8) <= half_widths(values)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


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


def test_a_prediction_interval_holds_for_the_mean_of_several_values_at_any_level():
    values = [1.0, 2.0, 4.0, 7.0]
    half = stats.t.ppf(0.995, 3) * np.std(values, ddof=1) * np.sqrt(1 / 3 + 1 / 4)
    found = prediction_interval(values, level=0.01, new=3)
    assert (found.low, found.high) == pytest.approx((3.5 - half, 3.5 + half))


def test_a_prediction_interval_believes_no_deviation_below_the_least():
    found = prediction_interval([2.0, 2.0, 2.0], least_std=0.5)
    assert found.std == 0.5
    assert found.high == pytest.approx(2 + stats.t.ppf(0.975, 2) * 0.5 * np.sqrt(4 / 3))
