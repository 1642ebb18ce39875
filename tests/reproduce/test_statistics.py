"""The statistics of claims, against closed forms, scipy, and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.reproduce import statistics


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_the_interval_is_the_closed_form(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    got = statistics.prediction_interval(list(values))
    half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) * math.sqrt(1 + 1 / count)
    expected = (values.mean(), values.std(ddof=1), values.mean() - half, values.mean() + half)
    np.testing.assert_allclose((got.mean, got.std, got.low, got.high), expected, rtol=1e-10)
    assert got.width == pytest.approx(2 * half, rel=1e-10)


def test_equal_values_make_an_interval_of_no_width():
    got = statistics.prediction_interval([0.1, 0.1, 0.1])  # whose sum / 3 is 0.10000000000000002
    assert (got.mean, got.std, got.low, got.high) == (0.1, 0.0, 0.1, 0.1)


def test_the_interval_of_five_covers_a_new_run_95_times_in_100():
    draws = np.random.default_rng(0).normal(0.8, 0.02, (4000, 6))
    intervals = [statistics.prediction_interval(list(five)) for five in draws[:, :5]]
    covered = np.mean(
        [each.low <= new <= each.high for each, new in zip(intervals, draws[:, 5], strict=True)]
    )
    assert covered == pytest.approx(0.95, abs=0.02)


def test_the_seeds_for_a_width_are_the_fewest_that_reach_it():
    needed = statistics.seeds_for_width(0.02, 0.1)
    assert needed is not None
    widths = {n: 2 * stats.t.ppf(0.975, n - 1) * 0.02 * math.sqrt(1 + 1 / n) for n in (needed - 1, needed)}
    assert widths[needed] <= 0.1 < widths[needed - 1]
    assert statistics.seeds_for_width(0.0, 0.1) == 2


def test_no_number_of_seeds_makes_an_interval_narrower_than_the_spread_of_runs():
    assert statistics.widest_limit(0.03) == pytest.approx(2 * stats.norm.ppf(0.975) * 0.03, rel=1e-10)
    assert statistics.seeds_for_width(0.03, 0.117) is None  # the limit is 0.1176


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_sign_flip_test_is_scipys_permutation_test(count):
    values = np.random.default_rng(count).normal(0.5, 1, count)
    expected = 1.0 if count == 1 else None
    if count == 1:  # scipy wants two
        expected = 0.5 if values[0] > 0 else 1.0
    else:
        done = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
        )
        expected = done.pvalue
    assert statistics.sign_flip_p(list(values)) == pytest.approx(expected, rel=1e-10)


def test_the_sign_flip_test_counts_ties_however_sums_are_rounded():
    assert statistics.sign_flip_p([0.1, 0.2, 0.3]) == 1 / 8
    assert statistics.sign_flip_p([-0.1, -0.2, -0.3]) == 1.0
    assert statistics.sign_flip_p([0.3, -0.1, -0.2]) == 5 / 8  # the sum is 0, and so is its mirror's
    assert statistics.sign_flip_p([0.0, 0.0]) == 1.0


def test_five_seeds_can_just_reach_significance_and_only_one_sided():
    assert statistics.sign_flip_p([1.0] * 5) == statistics.smallest_p(5) == 1 / 32
    assert statistics.smallest_p(4) > statistics.LEVEL > statistics.smallest_p(5)
    assert 2 * statistics.smallest_p(5) > statistics.LEVEL


def test_beyond_twenty_pairs_signs_are_drawn_and_nearly_right():
    values = np.random.default_rng(3).normal(0.25, 1, 24)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    exact = float((sums >= values.sum() - 1e-9).mean())
    drawn = statistics.sign_flip_p(values)
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / statistics.DRAWS))
    assert drawn == statistics.sign_flip_p(values)
    assert drawn != exact


def test_equivalence_is_two_one_sided_tests():
    near = [0.001, -0.002, 0.0, 0.003, -0.001]
    assert statistics.equivalence_p(near, 0.01) == 1 / 32
    assert statistics.equivalence_p([value + 0.02 for value in near], 0.01) == 1.0
    assert statistics.equivalence_p([value - 0.02 for value in near], 0.01) == 1.0
    assert statistics.beyond_p([value - 0.02 for value in near], 0.01) == 2 / 32
    assert statistics.beyond_p(near, 0.01) == 1.0


def test_the_seeds_for_an_order_would_decide_it_four_times_in_five():
    needed = statistics.seeds_for_sign(0.01, 0.015)
    assert needed is not None
    draws = np.random.default_rng(1).normal(0.01, 0.015, (600, needed))
    decided = np.mean([statistics.sign_flip_p(row) <= 0.05 for row in draws])
    assert decided == pytest.approx(0.8, abs=0.06)


def test_an_order_without_a_difference_is_never_decided():
    assert statistics.seeds_for_sign(0.0, 0.1) is None
    assert statistics.seeds_for_sign(1e-9, 0.1) is None
    assert statistics.seeds_for_sign(-0.1, 0.0) == 5
