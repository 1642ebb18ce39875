"""Tests against scipy's, statsmodels' and textbook examples: moderated t, equivalence, Holm."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from dlx.stats.intervals import half_widths
from dlx.stats.tests import _prior, _trigamma_inverse, beyond_p, holm, paired_tests, resolution, tost_p
from tests.studies.folds import measure

# Darwin's fifteen pairs of Zea mays, differences in eighths of an inch (Fisher 1935, section 17).
DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)


def all_pairs(values_CU):
    first, second = np.triu_indices(len(values_CU), 1)
    return values_CU[first] - values_CU[second]


def test_a_single_pair_of_settings_is_students_paired_t_test():
    found = paired_tests(DARWIN[None], settings=2)
    assert found.p_M[0] == pytest.approx(stats.ttest_1samp(DARWIN, 0).pvalue, rel=1e-10)
    assert found.mean_M[0] / found.error_M[0] == pytest.approx(2.148, abs=5e-4)  # Fisher's t, section 17
    assert (found.freedom_M[0], found.prior_freedom) == (14, 0)
    low, high = stats.t.interval(0.95, 14, DARWIN.mean(), stats.sem(DARWIN))
    half = found.half_widths(0.05, 1)[0]
    assert (found.mean_M[0] - half, found.mean_M[0] + half) == pytest.approx((low, high), rel=1e-10)


@pytest.mark.parametrize("value", [1e-9, 0.01, 0.5, 1.6449, 30.0])
def test_the_inverse_of_trigamma(value):
    assert special.polygamma(1, _trigamma_inverse(value)) == pytest.approx(value, rel=1e-8)


def test_the_prior_solves_smyths_equations():
    rng = np.random.default_rng(0)
    freedom = np.full(40, 4.0)
    true = 6 * 2.0 / rng.chisquare(6, 40)
    variance = true * rng.chisquare(4, 40) / 4
    prior, scale = _prior(variance, freedom)
    spread = np.log(variance).var(ddof=1) - special.polygamma(1, 2.0)
    expected = optimize.brentq(lambda d: special.polygamma(1, d / 2) - spread, 0.1, 1e4)
    assert prior == pytest.approx(expected, rel=1e-8)
    # The mean of log s^2 is that of log(scale F(4, prior)).
    mean = math.log(scale) + special.digamma(2) - math.log(2) - special.digamma(prior / 2)
    assert np.log(variance).mean() == pytest.approx(mean + math.log(prior / 2), rel=1e-8)


def test_the_prior_recovers_what_the_variances_were_drawn_from():
    rng = np.random.default_rng(1)
    true = 8 * 0.3 / rng.chisquare(8, 20_000)
    found = _prior(true * rng.chisquare(3, 20_000) / 3, np.full(20_000, 3.0))
    assert found == (pytest.approx(8, rel=0.1), pytest.approx(0.3, rel=0.03))


def test_variances_are_moderated_from_three_differences_on():
    differences = np.random.default_rng(3).normal(0, 1, (3, 4))
    assert paired_tests(differences[:2], settings=3).prior_freedom == 0
    assert paired_tests(differences, settings=3).prior_freedom > 0


def test_a_moderated_variance_is_the_average_by_degrees_of_freedom():
    values = np.random.default_rng(2).normal(0, [[0.01], [0.02], [0.03], [0.05]], (4, 3))
    differences = all_pairs(values)
    found = paired_tests(differences, settings=4)
    prior, scale = _prior(differences.var(axis=1, ddof=1), np.full(6, 2.0))
    assert found.prior_freedom == prior > 0
    moderated = (prior * scale + 2 * differences.var(axis=1, ddof=1)) / (prior + 2)
    assert found.error_M == pytest.approx(np.sqrt(moderated / 3), rel=1e-10)
    freedom = min(prior + 2, 3 * 2)  # at most those of 4 settings x 3 units
    expected = 2 * stats.t.sf(np.abs(differences.mean(axis=1)) / found.error_M, freedom)
    assert found.p_M == pytest.approx(expected, rel=1e-8)


def test_missing_units_are_left_out_and_too_few_are_not_tested():
    differences = np.array([[0.1, 0.2, 0.4, np.nan], [0.3, 0.1, np.nan, np.nan]])
    found = paired_tests(differences, settings=3)
    assert found.counts_M.tolist() == [3, 2]
    assert found.p_M[0] == pytest.approx(stats.ttest_1samp([0.1, 0.2, 0.4], 0).pvalue, rel=1e-10)
    assert math.isnan(found.p_M[1])
    assert math.isnan(found.half_widths(0.05, 1)[1])


def test_rounded_scores_have_at_least_the_variance_of_rounding():
    equal = np.full((1, 3), 0.002)
    assert paired_tests(equal, 2).p_M[0] == 0  # a measured number does not repeat itself by chance
    error = math.sqrt(0.002**2 / 6 / 3)
    expected = 2 * stats.t.sf(0.002 / error, 2)
    assert paired_tests(equal, 2, resolution=0.002).p_M[0] == pytest.approx(expected, rel=1e-10)
    assert expected > 0.05
    assert paired_tests(np.zeros((1, 3)), 2).p_M[0] == 1


def test_the_resolution_is_the_step_between_scores():
    assert resolution([0.812, 0.818, np.nan, 0.808]) == pytest.approx(0.002)
    assert resolution(np.random.default_rng(0).normal(size=9)) == 0
    assert resolution([0.9, 0.9]) == 0


def test_equivalence_agrees_with_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.8, 0.02, (2, 8))
    expected = weightstats.ttost_paired(first, second, -0.02, 0.02)[0]
    assert tost_p(first - second, 0.02) == pytest.approx(expected, rel=1e-8)


def test_beyond_a_margin_is_a_t_test_from_its_edge():
    values = DARWIN + 40
    expected = stats.ttest_1samp(values, 20, alternative="greater").pvalue * 2
    assert beyond_p(values, 20) == beyond_p(-values, 20) == pytest.approx(expected, rel=1e-10)
    assert beyond_p(DARWIN, 30) == 1.0
    assert math.isnan(tost_p([0.1, 0.2], 1))
    assert (tost_p([0.1] * 3, 0.2), tost_p([0.3] * 3, 0.2)) == (0, 1)


def test_holm_agrees_with_statsmodels_and_leaves_out_what_was_not_tested():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(4).uniform(0, 0.2, 30)
    expected = multitest.multipletests(p, method="holm")[1]
    assert holm(p) == pytest.approx(expected, rel=1e-10)
    with_gap = np.insert(p, 7, np.nan)
    assert holm(with_gap)[np.r_[0:7, 8:31]] == pytest.approx(expected, rel=1e-10)
    assert math.isnan(holm(with_gap)[7])


def test_holms_example():
    # Holm (1979) as in R's p.adjust: 0.01, 0.02, 0.03, 0.04 become 0.04, 0.06, 0.06, 0.06.
    assert holm(np.array([0.03, 0.01, 0.04, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@pytest.mark.parametrize(("settings", "units"), [(2, 5), (4, 3), (8, 3), (8, 8)])
def test_equal_settings_are_rarely_found_different(settings, units):
    rng = np.random.default_rng([settings, units])
    deviations = np.linspace(1, 3, settings)[:, None]
    studies = [
        paired_tests(all_pairs(deviations * rng.standard_normal((settings, units))), settings)
        for _ in range(600)
    ]
    rate = np.mean([(holm(each.p_M) <= 0.05).any() for each in studies])
    assert rate < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)  # 4 to 5.5% in 2,000 studies


def test_clear_differences_of_three_seeds_are_found():
    rng = np.random.default_rng(5)
    means = np.array([0.0, 0, 0, 0, 0, 0, -20, -30])[:, None]
    adjusted = [holm(paired_tests(all_pairs(means + rng.standard_normal((8, 3))), 8).p_M) for _ in range(50)]
    first, second = np.triu_indices(8, 1)
    assert np.mean(np.array(adjusted)[:, (first == 0) & (second >= 6)] <= 0.05) > 0.97


def test_folds_that_share_training_data_have_the_variance_of_nadeau_and_bengio():
    random = np.random.default_rng(0)
    differences_U = random.normal(0.4, 1, 10)  # 2 times 5 folds
    tests = paired_tests(differences_U[None], 2, overlap=1 / 4)
    t = differences_U.mean() / math.sqrt(differences_U.var(ddof=1) * (1 / 10 + 1 / 4))
    assert tests.p_M[0] == pytest.approx(2 * stats.t.sf(abs(t), 9), rel=1e-10)
    half = stats.t.isf(0.025, 9) * differences_U.std(ddof=1) * math.sqrt(0.35)
    assert tests.half_widths(0.05, 1)[0] == pytest.approx(half, rel=1e-10)
    assert half_widths(differences_U[None], 1 / 4)[0] == pytest.approx(half, rel=1e-10)
    assert tests.deviations[0] == pytest.approx(differences_U.std(ddof=1), rel=1e-10)
    low, high = differences_U.mean() - 1.5, differences_U.mean() + 1.5
    deviation = differences_U.std(ddof=1) * math.sqrt(0.35)
    expected = max(stats.t.cdf(low / deviation, 9), stats.t.sf(high / deviation, 9))
    assert tost_p(differences_U, 1.5, overlap=1 / 4) == pytest.approx(expected, rel=1e-10)


def test_equally_good_learners_differ_over_repeated_folds_in_few_studies_only_after_the_correction():
    rates = measure(50, 5, 10, learners=2, studies=100)
    assert rates.false[0] > 0.3  # 0.54 in 1,000 studies
    assert rates.false[1] < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)  # 0.034
    assert rates.covered[0] < 0.7 < 0.9 < rates.covered[1]  # 0.48 and 0.96


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_equivalence_does_not_depend_on_the_unit(unit):
    differences = np.array([0.01, 0.03, -0.02, 0.02])
    for test in (tost_p, beyond_p):
        assert test(differences * unit, 0.04 * unit) == pytest.approx(test(differences, 0.04), rel=1e-9)


def test_equal_differences_are_equivalent_inside_the_margin_and_not_on_it():
    assert [tost_p([0.5] * 3, margin) for margin in (0.4, 0.5, 0.6)] == [1.0, 1.0, 0.0]
    assert [beyond_p([0.5] * 3, margin) for margin in (0.4, 0.5, 0.6)] == [0.0, 1.0, 1.0]
