"""Limits for scores with a long tail: other draws than those that the factor was found from."""

import numpy as np
import pytest

from dlx.stats.skewed import skewed_factor


@pytest.mark.parametrize(("count", "new"), [(3, 1), (5, 1), (5, 3), (20, 1)])
def test_the_mean_of_new_values_exceeds_the_limit_with_the_stated_probability(count, new):
    random, studies, level = np.random.default_rng([count, new, 7]), 100_000, 0.01
    values = random.gumbel(3, 2, size=(studies, count))
    means = random.gumbel(3, 2, size=(studies, new)).mean(axis=1)
    limit = values.mean(axis=1) + skewed_factor(count, level, new) * values.std(axis=1, ddof=1)
    assert np.mean(means > limit) == pytest.approx(level, abs=0.0015)


def test_with_many_values_the_factor_is_near_the_quantile_of_the_distribution():
    level = 0.01
    quantile = (-np.log(-np.log(1 - level)) - np.euler_gamma) / (np.pi / np.sqrt(6))
    assert quantile < skewed_factor(1000, level) < 1.09 * quantile
