"""Contrasts of a grid against scipy, closed forms and a small simulation."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import isotonic_regression

from dlx.stats import factorial
from dlx.stats.factorial import (
    Contrast,
    check_contrasts,
    effective_settings,
    interaction_contrasts,
    main_contrasts,
)
from dlx.stats.tests import holm, paired_tests
from tests.studies.effects import NOISES, all_contrasts, measure, normal, plant

CUBE = (2, 2, 2)


def test_a_single_key_is_scipys_paired_t_test():
    scores = normal(np.random.default_rng(1), (2,), 6)
    tests = check_contrasts(scores, main_contrasts((2,), 0))
    expected = stats.ttest_rel(scores[1], scores[0])
    assert tests.p_M[0] == pytest.approx(expected.pvalue, rel=1e-10)
    low, high = expected.confidence_interval()
    assert (tests.low_M[0], tests.high_M[0]) == pytest.approx((low, high), rel=1e-10)
    assert (tests.sets_M[0], tests.units_M[0]) == (6, 6)


def test_a_grid_is_tested_like_rows_of_unit_norm():
    scores = normal(np.random.default_rng(13), (2, 2), 4)
    tests = check_contrasts(scores, all_contrasts((2, 2)))
    weights = np.array([[-1, -1, 1, 1], [-1, 1, -1, 1], [1, -1, -1, 1]]) / 2
    rows_RU = weights @ scores.reshape(4, 4)
    variance_R = rows_RU.var(axis=1, ddof=1)
    larger = np.sqrt(
        variance_R[:2].mean() / variance_R[2]
    )  # what one key does varies more than the interaction
    assert larger > 1.1
    rows_RU /= np.array([larger, larger, 1])[:, None]
    expected = paired_tests(rows_RU, effective_settings(scores.reshape(4, 4)), fewest=2)
    assert tests.p_M == pytest.approx(expected.p_M, rel=1e-10)
    assert tests.p_holm_M == pytest.approx(holm(expected.p_M), rel=1e-10)
    assert tests.mean_M[0] == pytest.approx(scores[1].mean() - scores[0].mean())
    half_M = expected.half_widths(0.05, 3) * [larger, larger, 2]
    assert tests.high_M - tests.low_M == pytest.approx(2 * half_M, rel=1e-10)


def test_the_variances_of_more_keys_do_not_exceed_those_of_fewer():
    rng = np.random.default_rng(4)
    orders_R = np.repeat([1, 2, 3, 4], [4, 6, 4, 1])
    for _ in range(20):
        rows_RU = rng.normal(size=(15, 3))
        variance_R = rows_RU.var(axis=1, ddof=1)
        means = [variance_R[orders_R == order].mean() for order in (1, 2, 3, 4)]
        falling = isotonic_regression(means, weights=[4, 6, 4, 1], increasing=False).x
        expected = np.sqrt(falling / falling[-1])[orders_R - 1]
        assert factorial._deviations(rows_RU, orders_R) == pytest.approx(expected, rel=1e-10)


def test_an_interaction_is_the_difference_of_two_differences():
    scores = normal(np.random.default_rng(2), (2, 3), 4)
    (first, *_) = interaction_contrasts((2, 3), 0, 1)
    tests = check_contrasts(scores, [first])
    means = scores.mean(axis=2)
    assert tests.mean_M[0] == pytest.approx((means[1, 1] - means[0, 1]) - (means[1, 0] - means[0, 0]))


def test_up_to_four_values_are_compared_in_pairs_and_more_with_the_mean_of_the_others():
    assert len(main_contrasts((4,), 0)) == 6
    assert main_contrasts((3,), 0)[0] == Contrast({0: (-1.0, 1.0, 0.0)})
    five = main_contrasts((5,), 0)
    assert [each.weights[0] for each in five][1] == (-0.25, 1.0, -0.25, -0.25, -0.25)
    assert len(interaction_contrasts((5, 2), 0, 1)) == 5


def test_a_missing_run_spoils_its_own_matched_sets_only():
    scores = np.zeros((2, 2, 3))
    scores[1, 0], scores[1, 1] = [1, 1, 2], [3, 5, 4]
    scores[1, 0, 0] = np.nan
    tests = check_contrasts(scores, main_contrasts((2, 2), 0))
    assert tests.mean_M[0] == pytest.approx(np.mean([3, (1 + 5) / 2, (2 + 4) / 2]))
    assert (tests.sets_M[0], tests.above_M[0], tests.below_M[0]) == (5, 5, 0)
    scores[0, 1] = np.nan  # a setting that never completed; the other column still compares
    tests = check_contrasts(scores, main_contrasts((2, 2), 0))
    assert tests.mean_M[0] == pytest.approx(1.5)


def test_equal_scores_have_no_effects_however_they_are_rounded():
    scores = np.full((5, 2, 3), 0.95)
    tests = check_contrasts(scores, all_contrasts((5, 2)))
    assert (tests.mean_M == 0).all()
    assert (tests.p_M == 1).all()


def test_a_single_unit_is_described_and_not_tested():
    tests = check_contrasts(np.arange(4.0).reshape(2, 2, 1), main_contrasts((2, 2), 0))
    assert tests.mean_M[0] == 2
    assert np.isnan([tests.p_M[0], tests.p_holm_M[0], tests.low_M[0]]).all()


def test_unequal_variances_tell_less_about_the_noise():
    rng = np.random.default_rng(3)
    equal = rng.normal(size=(32, 200))
    assert effective_settings(equal) == pytest.approx(32, rel=0.05)
    half = equal * np.repeat([1.0, 10.0], 16)[:, None]
    assert effective_settings(half) == pytest.approx(16, rel=0.15)  # (16 (1 + 100))^2 / (16 (1 + 10^4))
    wild = equal.copy()
    wild[0] *= 1000
    assert effective_settings(wild) == 2
    assert effective_settings(np.ones((5, 3))) == 5


def test_effective_settings_are_a_ratio_of_unbiased_estimates():
    scores = np.random.default_rng(5).normal(size=(12, 5)) * np.linspace(1, 3, 12)[:, None]
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    variances = (rest**2).sum(axis=1) / 4
    fourth = (variances**2).sum() / (1 + 2 / 4)  # a variance's square is on average 1 + 2 / 4 times too large
    expected = (variances.sum() ** 2 - 2 / 4 * fourth) / fourth
    assert 4 < expected < 10
    assert effective_settings(scores) == pytest.approx(expected, rel=1e-12)
    single = np.array([np.nan, np.nan, 7.0, np.nan, np.nan])
    assert effective_settings(np.vstack([single, scores])) == pytest.approx(expected, rel=1e-12)


def test_effective_settings_weigh_each_variance_by_its_own_runs():
    scores = np.random.default_rng(6).normal(size=(12, 5)) * np.linspace(1, 3, 12)[:, None]
    scores[0, 0] = scores[11, :2] = np.nan
    rest = scores - np.nanmean(scores, axis=1, keepdims=True)
    rest -= np.nanmean(rest, axis=0)
    freedom = np.array([3, *[4] * 10, 2])
    variances, typical = np.nansum(rest**2, axis=1) / freedom, freedom.mean()
    fourth = (variances**2).sum() / (1 + 2 / typical)
    expected = (variances.sum() ** 2 - 2 / typical * fourth) / fourth
    assert effective_settings(scores) == pytest.approx(expected, rel=1e-12)


def test_effects_that_depend_on_the_seed_get_their_own_larger_error(monkeypatch):
    scores = NOISES["effects by seed"](np.random.default_rng(8), (2,) * 5, 10)
    contrasts = all_contrasts((2,) * 5)

    def widths():
        tests = check_contrasts(scores, contrasts)
        return (tests.high_M - tests.low_M)[:5]

    with_own = widths()
    monkeypatch.setattr(factorial, "_deviations", lambda rows_RU, orders_R: np.ones(len(rows_RU)))
    assert (with_own > 1.04 * widths()).all()


def test_an_interval_excludes_zero_where_the_test_does():
    for seed in range(30):
        scores = normal(np.random.default_rng(seed), CUBE, 4) + plant(CUBE)[..., None]
        tests = check_contrasts(scores, all_contrasts(CUBE))
        inside_M = (tests.low_M < 0) & (tests.high_M > 0)
        assert (inside_M == (tests.p_holm_M > 0.05)).all()


@pytest.mark.parametrize("kind", ["normal", "effects by seed", "noisy values"])
def test_few_effects_are_found_where_there_are_none(kind):
    # With a true rate of 0.05, more than 8 false ones of 60 have a probability below 0.01.
    rates = measure(NOISES[kind], CUBE, 3, 60)
    assert rates.false <= 8 / 60
    assert rates.covered >= 1 - 8 / 60


def test_two_seeds_find_effects_of_a_grid_of_five_keys():
    rates = measure(NOISES["normal"], (2,) * 5, 2, 30)
    assert rates.false <= 4 / 30
    assert min(rates.main, rates.interaction) >= 0.25  # about 0.5
