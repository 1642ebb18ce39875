"""A small version of `python -m tests.studies.grades`, on drawn scores."""

import numpy as np

from tests.studies.grades import LUCK, failing


def scores(random, shift):
    """Draw accuracies and losses of 400 solutions; losses have the long tail of trained nets."""
    return {
        "val_accuracy": np.round(200 * np.sin(1.25 + 0.02 * random.normal(size=400) - shift) ** 2) / 200,
        "train_loss": 0.1 * np.exp(0.1 * random.gumbel(size=400) + 5 * shift),
    }


def test_right_solutions_fail_as_rarely_as_stated_and_wrong_ones_fail():
    random = np.random.default_rng(1)
    right, wrong = scores(random, 0), scores(random, 0.3)
    assert 0 < failing(right, right, seeds=5, references=150).mean() < LUCK
    assert failing(right, wrong, seeds=5, references=150).mean() > 0.95
