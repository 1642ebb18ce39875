"""Trend and noise of curves, against closed forms and scipy."""

import numpy as np
import pytest
from scipy.stats import linregress

from dlx.report.diagnosis import trend


def test_noise_ignores_a_smooth_trend() -> None:
    e = np.arange(2000.0)
    white = np.random.default_rng(0).normal(0, 0.1, size=(3, len(e)))
    assert trend.epoch_noise(np.stack([3 - 0.5 * e, e / 7])) == pytest.approx([0, 0], abs=1e-12)
    assert trend.epoch_noise(white + 0.01 * e) == pytest.approx([0.1] * 3, rel=0.08)


def test_a_few_spikes_do_not_hide_in_their_own_noise() -> None:
    curve = np.random.default_rng(0).normal(0, 0.1, size=(1, 200))
    spiked = curve.copy()
    spiked[0, [50, 90, 91]] += 100
    assert trend.epoch_noise(spiked)[0] < 1.2 * trend.epoch_noise(curve)[0]


def test_local_noise_is_that_of_neighbouring_epochs() -> None:
    curve = np.random.default_rng(0).normal(0, 1, size=(1, 300))
    curve[:, 100:] *= 0.01
    around = trend.local_noise(curve)[0]
    assert around[:80].mean() == pytest.approx(1, rel=0.3)
    assert around[120:] == pytest.approx(np.full(180, trend.epoch_noise(curve)[0]), rel=0.6)


def test_the_running_median_is_mirrored_at_the_ends() -> None:
    assert trend.running_median(np.array([[1.0, 5.0, 2.0, 8.0, 3.0]]), 1).tolist() == [[5, 2, 5, 3, 8]]


def test_the_change_and_its_error_are_those_of_a_regression() -> None:
    curve = np.random.default_rng(1).normal(size=(2, 30)).cumsum(axis=1)
    for row, change, error in zip(
        curve, trend.linear_change(curve), trend.linear_change_error(curve), strict=True
    ):
        fit = linregress(np.arange(30), row)
        assert change == pytest.approx(29 * fit.slope, rel=1e-12)
        assert error == pytest.approx(29 * fit.stderr, rel=1e-12)
    assert trend.linear_change_error(curve, 100.0) == pytest.approx(100 * 29 / np.sqrt(30 * (30**2 - 1) / 12))


@pytest.mark.parametrize("breakpoint_epoch", [5, 40, 90])
def test_a_breakpoint_is_found_and_only_inside(breakpoint_epoch: int) -> None:
    e = np.arange(100.0)
    curve = 2 + 0.1 * np.maximum(0, e - breakpoint_epoch)[None]
    assert trend.find_breakpoint(curve, np.ones_like(curve, dtype=bool))[0] == breakpoint_epoch
    inside = (e >= 50)[None]
    assert trend.find_breakpoint(curve, inside)[0] >= 50


@pytest.mark.parametrize(("epochs", "window"), [(10, 5), (20, 10), (30, 10), (150, 30), (151, 31)])
def test_the_end_window_is_a_fifth_but_at_least_ten_epochs_and_at_most_half(epochs: int, window: int) -> None:
    assert trend.end_window(epochs) == window
