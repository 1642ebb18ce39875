"""How much the winner's score flatters it, against simulated studies whose true accuracies are known."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from dlx.statistics.selection import flattery

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
def test_it_is_the_gap_between_the_winners_score_and_its_accuracy(best, seeds, samples):
    rng = np.random.default_rng([seeds, samples])
    gaps, said = [], []
    for _ in range(150):
        values, truth = correct(rng, np.linspace(0, best, 6), seeds, samples)
        scores = values.mean(axis=(1, 2))
        gaps.append(scores.max() - truth[scores.argmax()])
        said.append(flattery(values))
    # Half the data leave more to luck than the whole where one setting is clearly better: on the large side.
    assert np.mean(gaps) - 0.004 < np.mean(said) < np.mean(gaps) + 0.008
    assert (np.mean(said) > 0.0125) == (best < 1)


def test_scores_alone_have_the_flattery_of_seeds():
    rng = np.random.default_rng(3)
    scores = rng.normal(0.8, 0.02, (400, 6, 5, 1))
    true = np.mean(scores.mean(axis=2).max(axis=1)) - 0.8
    assert np.mean([flattery(study) for study in scores]) == pytest.approx(true, rel=0.1)


def test_a_winner_beyond_doubt_is_not_flattered_and_nothing_chosen_has_no_number():
    values = np.zeros((2, 3, 50))
    values[0] = 1.0
    assert flattery(values) == 0.0
    assert math.isnan(flattery(values[:1]))
    assert math.isnan(flattery(values[:, :1, :1]))


def test_it_repeats():
    values, _ = correct(np.random.default_rng(0), np.zeros(4), 3, 100)
    assert flattery(values) == flattery(values.copy()) > 0
