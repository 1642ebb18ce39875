"""The sign-flip test against scipy's permutation test, Fisher's own figures, and its drawn form."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.statistics import permutation
from dlx.statistics.permutation import sign_flip_p, sign_flip_ps, smallest_p, two_sided_p, two_sided_ps

# Darwin's fifteen pairs of Zea mays, differences in eighths of an inch (Fisher 1935, section 17).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def by_scipy(values, alternative):
    return stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    ).pvalue


def test_darwins_maize_is_fishers_1726_of_32768():
    # Section 21: 835 sums exceed the one seen and 28 equal it, so 863 on a side.
    assert two_sided_p(DARWIN) == 1726 / 32768 == pytest.approx(0.05267, abs=5e-6)


@pytest.mark.parametrize("count", [2, 5, 8, 12, 13, 15])
def test_p_is_that_of_scipys_permutation_test(count):
    values = np.random.default_rng(count).normal(0.5, 1, count)
    assert sign_flip_p(values) == pytest.approx(by_scipy(values, "greater"), rel=1e-10)
    assert two_sided_p(values) == pytest.approx(by_scipy(values, "two-sided"), rel=1e-10)
    assert two_sided_p(-values) == two_sided_p(values)


def test_one_pair_has_two_choices():
    assert [sign_flip_p([value]) for value in (1.0, -1.0)] == [0.5, 1.0]
    assert two_sided_p([3.0]) == 1.0


def test_ties_count_however_sums_are_rounded():
    assert sign_flip_p([0.1, 0.2, 0.3]) == 1 / 8
    assert sign_flip_p([-0.1, -0.2, -0.3]) == 1.0
    assert sign_flip_p([0.3, -0.1, -0.2]) == 5 / 8  # the sum is 0, and so is its mirror's
    assert two_sided_p([0.3, -0.1, -0.2]) == 1.0
    assert two_sided_p([0.1] * 14) == 2 / 2**14  # two halves of seven


def test_five_seeds_can_just_reach_significance_and_only_one_sided():
    assert sign_flip_p([1.0] * 5) == smallest_p(5) == 1 / 32
    assert two_sided_p([1.0] * 5) == 2 / 32 > 0.05 > two_sided_p([1.0] * 6)


@pytest.mark.parametrize("count", [6, 14])
def test_many_tests_are_each_their_own_and_nan_is_no_pair(count):
    rows = np.random.default_rng(count).normal(0.3, 1, (40, count))
    rows[::3, 2] = np.nan
    expected = [two_sided_p(row[~np.isnan(row)]) for row in rows]
    np.testing.assert_allclose(two_sided_ps(rows), expected, rtol=1e-12)


def test_tests_of_more_and_of_fewer_than_twenty_pairs_go_side_by_side():
    rows = np.random.default_rng(5).normal(0.3, 1, (6, 22))
    rows[::2, :4] = np.nan
    found = two_sided_ps(rows)
    assert (found[::2] == [two_sided_p(row[4:]) for row in rows[::2]]).all()
    assert (found[1::2] == [two_sided_p(row) for row in rows[1::2]]).all()


def test_more_tests_than_fit_at_once_are_the_same(monkeypatch):
    rows = np.random.default_rng(0).normal(0.3, 1, (20, 6))
    whole = sign_flip_ps(rows)
    monkeypatch.setattr(permutation, "SUMS", 200)  # three tests at once
    assert (sign_flip_ps(rows) == whole).all()


def test_beyond_twenty_pairs_signs_are_drawn_and_nearly_right():
    values = np.random.default_rng(3).normal(0.25, 1, 24)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    exact = float((sums >= values.sum() - 1e-9).mean())
    drawn = sign_flip_p(values)
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / permutation.DRAWS))
    assert drawn == sign_flip_p(values)
    assert drawn != exact
