"""Variance components against their closed form and planted values; selection bias against simulations."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from dlx.stats.variance import selection_bias, variance_components


def test_planted_variance_components_are_recovered():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        seeds, samples = rng.normal(0, 0.2, (6, 1)), rng.normal(0, 0.5, (1, 200))
        found.append(variance_components(0.8 + seeds + samples + rng.normal(0, 0.3, (6, 200))))
    assert np.mean([each.seeds for each in found]) == pytest.approx(0.04, rel=0.1)
    assert np.mean([each.samples for each in found]) == pytest.approx(0.25, rel=0.05)
    assert np.mean([each.rest for each in found]) == pytest.approx(0.09, rel=0.02)


def test_components_agree_with_the_analysis_of_variance():
    # Two rows of three: row means 2 and 4, column means 1, 4, 4; sums of squares 6, 12, and 22 - 18 left.
    parts = variance_components(np.array([[1.0, 3.0, 2.0], [1.0, 5.0, 6.0]]))
    assert parts.rest == pytest.approx(4 / 2)
    assert parts.seeds == pytest.approx((6 / 1 - 2) / 3)
    assert parts.samples == pytest.approx((12 / 2 - 2) / 2)


def test_the_seed_deviation_is_the_deviation_of_scores():
    correct = (np.random.default_rng(1).random((5, 300)) < np.linspace(0.5, 0.9, 5)[:, None]).astype(float)
    parts = variance_components(correct)
    assert parts.seed_std == pytest.approx(correct.mean(axis=1).std(ddof=1), rel=1e-10)


def test_equal_seeds_leave_the_deviation_of_samples_which_is_the_binomials():
    one = (np.random.default_rng(2).random(400) < 0.8).astype(float)
    parts = variance_components(np.stack([one, one, one]))
    share = one.mean()
    assert parts.seed_std == 0.0
    assert parts.sample_std == pytest.approx(np.sqrt(share * (1 - share) / 399), rel=1e-10)
    assert parts.variance(3, 400) == pytest.approx(parts.samples / 400)


def test_components_are_never_negative():
    checkered = np.indices((4, 6)).sum(axis=0) % 2 * 1.0  # rows and columns have equal means
    parts = variance_components(checkered)
    assert (parts.seeds, parts.samples) == (0.0, 0.0)
    assert parts.rest > 0


SEED, SAMPLE, BOTH, DIFFICULTY = 0.15, 0.3, 0.7, 1.5  # deviations of what makes a prediction right


def correct(rng, better_C, seeds, samples):
    """Predictions right or wrong, [C, S, N], and each setting's accuracy on endless seeds and samples."""
    settings = len(better_C)
    parts = [(settings, seeds, 1), (settings, 1, samples), (settings, seeds, samples), (1, 1, samples)]
    scales = [SEED, SAMPLE, BOTH, DIFFICULTY]
    hidden = sum(rng.normal(0, scale, shape) for scale, shape in zip(scales, parts, strict=True))
    truth = ndtr((1.2 + better_C) / math.sqrt(sum(scale**2 for scale in scales)))
    return (1.2 + better_C[:, None, None] + hidden > 0) * 1.0, truth


@pytest.mark.parametrize("best", [0.0, 0.2, 1.0])
@pytest.mark.parametrize(("seeds", "samples"), [(5, 300), (3, 500)])
def test_selection_bias_is_the_gap_between_the_winners_score_and_its_accuracy(best, seeds, samples):
    rng = np.random.default_rng([seeds, samples])
    gaps, said = [], []
    for _ in range(150):
        values, truth = correct(rng, np.linspace(0, best, 6), seeds, samples)
        scores = values.mean(axis=(1, 2))
        gaps.append(scores.max() - truth[scores.argmax()])
        said.append(selection_bias(values))
    # Where one setting is clearly better, halves leave more to chance than the whole: the estimate is high.
    assert np.mean(gaps) - 0.004 < np.mean(said) < np.mean(gaps) + 0.008
    assert (np.mean(said) > 0.0125) == (best < 1)


def test_scores_alone_have_the_selection_bias_of_seeds():
    rng = np.random.default_rng(3)
    scores = rng.normal(0.8, 0.02, (400, 6, 5, 1))
    true = np.mean(scores.mean(axis=2).max(axis=1)) - 0.8
    assert np.mean([selection_bias(study) for study in scores]) == pytest.approx(true, rel=0.1)


def test_two_settings_that_each_win_on_one_seed_have_the_bias_of_that_seed():
    values = np.array([[[1.0], [0.0]], [[0.0], [1.0]]])  # picked by one seed, scored by the other: 1, then 0
    assert selection_bias(values) == pytest.approx(1 / math.sqrt(2))
    assert math.isnan(selection_bias(values[:, :1]))


def test_a_clear_winner_has_no_bias_and_a_single_setting_gives_nan():
    values = np.zeros((2, 3, 50))
    values[0] = 1.0
    assert selection_bias(values) == 0.0
    assert math.isnan(selection_bias(values[:1]))
    assert math.isnan(selection_bias(values[:, :1, :1]))


def test_selection_bias_is_reproducible():
    values, _ = correct(np.random.default_rng(0), np.zeros(4), 3, 100)
    assert selection_bias(values) == selection_bias(values.copy()) > 0
