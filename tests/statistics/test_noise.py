"""The variance components against their closed form, a published table and what was planted."""

import numpy as np
import pytest

from dlx.statistics.noise import split_noise


def test_planted_components_come_out():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        seeds, samples = rng.normal(0, 0.2, (6, 1)), rng.normal(0, 0.5, (1, 200))
        found.append(split_noise(0.8 + seeds + samples + rng.normal(0, 0.3, (6, 200))))
    assert np.mean([noise.seeds for noise in found]) == pytest.approx(0.04, rel=0.1)
    assert np.mean([noise.samples for noise in found]) == pytest.approx(0.25, rel=0.05)
    assert np.mean([noise.rest for noise in found]) == pytest.approx(0.09, rel=0.02)


def test_mean_squares_are_those_of_the_analysis_of_variance():
    # Two rows of three: row means 2 and 4, column means 1, 4, 4; sums of squares 6, 12, and 22 - 18 left.
    noise = split_noise(np.array([[1.0, 3.0, 2.0], [1.0, 5.0, 6.0]]))
    assert noise.rest == pytest.approx(4 / 2)
    assert noise.seeds == pytest.approx((6 / 1 - 2) / 3)
    assert noise.samples == pytest.approx((12 / 2 - 2) / 2)


def test_the_noise_of_seeds_is_the_deviation_of_scores():
    correct = (np.random.default_rng(1).random((5, 300)) < np.linspace(0.5, 0.9, 5)[:, None]).astype(float)
    noise = split_noise(correct)
    assert noise.seed_std == pytest.approx(correct.mean(axis=1).std(ddof=1), rel=1e-10)


def test_equal_seeds_leave_the_noise_of_samples_which_is_the_binomials():
    one = (np.random.default_rng(2).random(400) < 0.8).astype(float)
    noise = split_noise(np.stack([one, one, one]))
    share = one.mean()
    assert noise.seed_std == 0.0
    assert noise.sample_std == pytest.approx(np.sqrt(share * (1 - share) / 399), rel=1e-10)
    assert noise.variance(3, 400) == pytest.approx(noise.samples / 400)


def test_components_are_never_negative():
    checkered = np.indices((4, 6)).sum(axis=0) % 2 * 1.0  # rows and columns have equal means
    noise = split_noise(checkered)
    assert (noise.seeds, noise.samples) == (0.0, 0.0)
    assert noise.rest > 0
