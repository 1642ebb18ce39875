"""Tests against scipy's, published figures and textbook examples: sign flips, t, equivalence, Holm."""

import math

import numpy as np
import pytest
from scipy import stats

from dlx.stats import tests
from dlx.stats.tests import (
    beyond_p,
    equivalence_p,
    holm,
    sign_flip_p,
    sign_flip_ps,
    smallest_p,
    student_ps,
    tost_p,
    two_sided_ps,
)

# Darwin's fifteen pairs of Zea mays, differences in eighths of an inch (Fisher 1935, section 17).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def two_sided(values):
    """The two-sided p of one test."""
    return two_sided_ps(np.asarray(values, dtype=float)[None])[0]


def by_scipy(values, alternative):
    return stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    ).pvalue


def test_sign_flips_of_darwins_maize_give_fishers_1726_of_32768():
    # Section 21: 835 sums exceed the one seen and 28 equal it, so 863 on a side.
    assert two_sided(DARWIN) == 1726 / 32768 == pytest.approx(0.05267, abs=5e-6)


@pytest.mark.parametrize("count", [2, 5, 8, 12, 13, 15])
def test_sign_flip_p_agrees_with_scipys_permutation_test(count):
    values = np.random.default_rng(count).normal(0.5, 1, count)
    assert sign_flip_p(values) == pytest.approx(by_scipy(values, "greater"), rel=1e-10)
    assert two_sided(values) == pytest.approx(by_scipy(values, "two-sided"), rel=1e-10)
    assert two_sided(-values) == two_sided(values)


def test_one_pair_has_two_choices():
    assert [sign_flip_p([value]) for value in (1.0, -1.0)] == [0.5, 1.0]
    assert two_sided([3.0]) == 1.0


def test_ties_count_however_sums_are_rounded():
    assert sign_flip_p([0.1, 0.2, 0.3]) == 1 / 8
    assert sign_flip_p([-0.1, -0.2, -0.3]) == 1.0
    assert sign_flip_p([0.3, -0.1, -0.2]) == 5 / 8  # the sum is 0, and so is its mirror's
    assert two_sided([0.3, -0.1, -0.2]) == 1.0
    assert two_sided([0.1] * 14) == 2 / 2**14  # two halves of seven


def test_five_seeds_can_just_reach_significance_and_only_one_sided():
    assert sign_flip_p([1.0] * 5) == smallest_p(5) == 1 / 32
    assert two_sided([1.0] * 5) == 2 / 32 > 0.05 > two_sided([1.0] * 6)


@pytest.mark.parametrize("count", [6, 14])
def test_many_tests_are_independent_and_nan_is_not_a_pair(count):
    rows = np.random.default_rng(count).normal(0.3, 1, (40, count))
    rows[::3, 2] = np.nan
    expected = [two_sided(row[~np.isnan(row)]) for row in rows]
    np.testing.assert_allclose(two_sided_ps(rows), expected, rtol=1e-12)


def test_tests_with_more_and_fewer_than_twenty_pairs_can_be_mixed():
    rows = np.random.default_rng(5).normal(0.3, 1, (6, 22))
    rows[::2, :4] = np.nan
    found = two_sided_ps(rows)
    assert (found[::2] == [two_sided(row[4:]) for row in rows[::2]]).all()
    assert (found[1::2] == [two_sided(row) for row in rows[1::2]]).all()


def test_tests_in_several_blocks_give_the_same_p(monkeypatch):
    rows = np.random.default_rng(0).normal(0.3, 1, (20, 6))
    whole = sign_flip_ps(rows)
    monkeypatch.setattr(tests, "SUMS", 200)  # three tests at once
    assert (sign_flip_ps(rows) == whole).all()


def test_beyond_twenty_pairs_random_signs_are_nearly_right():
    values = np.random.default_rng(3).normal(0.25, 1, 24)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    exact = float((sums >= values.sum() - 1e-9).mean())
    drawn = sign_flip_p(values)
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / tests.DRAWS))
    assert drawn == sign_flip_p(values)
    assert drawn != exact


def test_the_t_test_agrees_with_scipy_and_nan_is_not_a_pair():
    rows = np.random.default_rng(0).normal(0.5, 1, (6, 9))
    rows[2, 4:] = np.nan
    expected = [stats.ttest_1samp(row[~np.isnan(row)], 0).pvalue for row in rows]
    np.testing.assert_allclose(student_ps(rows), expected, rtol=1e-10)


def test_the_t_test_agrees_with_students_own_example():
    # Extra sleep of ten patients under two drugs (Student 1908): t = 4.0621, p = 0.002833.
    differences = np.array([[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]])
    assert student_ps(differences)[0] == pytest.approx(0.002833, abs=5e-7)


def test_the_t_test_finds_nothing_in_equal_differences_or_two_pairs():
    rows = np.array([[0.1, 0.1, 0.1, 0.1], [0.1, 0.2, np.nan, np.nan], [np.nan] * 4])
    assert (student_ps(rows) == 1.0).all()
    assert student_ps(np.zeros((0, 5))).shape == (0,)


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


def test_tost_of_equal_differences_is_that_of_the_signs():
    assert tost_p([0.002, 0.002], 0.01) == 1 / 4
    assert tost_p([0.0] * 5, 0.01) == 1 / 32
    assert tost_p([0.02] * 9, 0.01) == 1.0
    assert math.isnan(tost_p([0.002], 0.01))


def test_equivalence_by_sign_flips_is_two_one_sided_tests():
    near = [0.001, -0.002, 0.0, 0.003, -0.001]
    assert equivalence_p(near, 0.01) == 1 / 32
    assert equivalence_p([value + 0.02 for value in near], 0.01) == 1.0
    assert equivalence_p([value - 0.02 for value in near], 0.01) == 1.0
    assert beyond_p([value - 0.02 for value in near], 0.01) == 2 / 32
    assert beyond_p(near, 0.01) == 1.0


def test_holm_gives_the_textbook_example():
    # Four p of 0.01, 0.04, 0.03, 0.005 at level 0.05: the second and third stay (Wikipedia, "Holm-Bonferroni
    # method"; R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")).
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_holm_never_lets_a_later_p_fall_below_an_earlier_one_or_rise_above_1():
    np.testing.assert_allclose(holm(np.array([0.02, 0.021, 0.9])), [0.06, 0.06, 0.9], rtol=1e-12)
    assert (holm(np.array([0.6, 0.7])) == 1.0).all()


def test_holm_leaves_out_what_was_not_tested():
    np.testing.assert_allclose(holm(np.array([np.nan, 0.01, 0.04])), [np.nan, 0.02, 0.04], rtol=1e-12)
    assert len(holm(np.array([]))) == 0


def test_holm_finds_one_of_a_family_without_differences_in_a_twentieth_of_cases():
    p = np.random.default_rng(0).random((4000, 6))
    found = np.mean([holm(row).min() <= 0.05 for row in p])
    assert abs(found - (1 - (1 - 0.05 / 6) ** 6)) < 0.012
