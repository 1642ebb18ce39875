"""Trend and noise of curves, against closed forms and scipy."""

import numpy as np
import pytest
from scipy.stats import linregress

from dlx.report.diagnosis import trend


def test_a_smooth_trend_has_no_noise_and_white_noise_has_its_own() -> None:
    e = np.arange(2000.0)
    white = np.random.default_rng(0).normal(0, 0.1, size=(3, len(e)))
    assert trend.noise(np.stack([3 - 0.5 * e, e / 7])) == pytest.approx([0, 0], abs=1e-12)
    assert trend.noise(white + 0.01 * e) == pytest.approx([0.1] * 3, rel=0.08)


def test_a_few_spikes_do_not_hide_in_their_own_noise() -> None:
    curve = np.random.default_rng(0).normal(0, 0.1, size=(1, 200))
    spiked = curve.copy()
    spiked[0, [50, 90, 91]] += 100
    assert trend.noise(spiked)[0] < 1.2 * trend.noise(curve)[0]


def test_noise_around_an_epoch_is_that_of_its_neighbours() -> None:
    curve = np.random.default_rng(0).normal(0, 1, size=(1, 300))
    curve[:, 100:] *= 0.01
    around = trend.local_noise(curve)[0]
    assert around[:80].mean() == pytest.approx(1, rel=0.3)
    assert around[120:] == pytest.approx(np.full(180, trend.noise(curve)[0]), rel=0.6)


def test_the_running_median_is_mirrored_at_the_ends() -> None:
    assert trend.smooth(np.array([[1.0, 5.0, 2.0, 8.0, 3.0]]), 1).tolist() == [[5, 2, 5, 3, 8]]


def test_the_change_and_its_error_are_those_of_a_regression() -> None:
    curve = np.random.default_rng(1).normal(size=(2, 30)).cumsum(axis=1)
    for row, change, error in zip(curve, trend.change_over(curve), trend.change_error(curve), strict=True):
        fit = linregress(np.arange(30), row)
        assert change == pytest.approx(29 * fit.slope, rel=1e-12)
        assert error == pytest.approx(29 * fit.stderr, rel=1e-12)
    assert trend.change_error(curve, 100.0) == pytest.approx(100 * 29 / np.sqrt(30 * (30**2 - 1) / 12))


@pytest.mark.parametrize("bend", [5, 40, 90])
def test_a_bend_is_found_where_it_is_and_only_inside(bend: int) -> None:
    e = np.arange(100.0)
    curve = 2 + 0.1 * np.maximum(0, e - bend)[None]
    assert trend.hinge(curve, np.ones_like(curve, dtype=bool))[0] == bend
    inside = (e >= 50)[None]
    assert trend.hinge(curve, inside)[0] >= 50


@pytest.mark.parametrize(("epochs", "window"), [(10, 5), (20, 10), (30, 10), (150, 30), (151, 31)])
def test_the_end_is_a_fifth_but_at_least_ten_epochs_and_at_most_half(epochs: int, window: int) -> None:
    assert trend.fifth(epochs) == window
