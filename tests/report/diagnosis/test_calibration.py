"""The expected calibration error, against examples worked by hand and against chance itself."""

import numpy as np
import pytest

from dlx.report.diagnosis.calibration import calibration, softmax


def test_the_error_of_a_hand_computed_example() -> None:
    # Confidences 0.95, 0.92 (bin 15: 14/15 < c) and 0.9 (bin 14), 0.55, 0.5 (bins 9 and 8).
    confidence = np.array([0.95, 0.94, 0.9, 0.55, 0.5])
    right = [True, False, True, False, True]
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0 if each else 1 for each in right])
    found = calibration(probabilities, labels)
    gaps = [abs(1 - 0.95 - 0.94), 1 - 0.9, 0.55, 1 - 0.5]
    assert found.error == pytest.approx(sum(gaps) / 5, abs=1e-12)
    assert found.confidence == pytest.approx(confidence.mean(), abs=1e-12)
    assert found.accuracy == pytest.approx(0.6, abs=1e-12)
    variances = [0.95 * 0.05 + 0.94 * 0.06, 0.9 * 0.1, 0.55 * 0.45, 0.5 * 0.5]
    assert found.by_chance == pytest.approx(sum(np.sqrt(2 / np.pi * v) for v in variances) / 5, abs=1e-12)


def test_bins_are_closed_above() -> None:
    """A confidence of exactly 3/4 lies in (2/4, 3/4], with 0.7 and apart from 0.8."""
    probabilities = np.array([[0.75, 0.25], [0.7, 0.3], [0.8, 0.2]])
    found = calibration(probabilities, np.array([0, 1, 0]), bins=4)
    assert found.error == pytest.approx((abs(1 - 0.75 - 0.7) + 0.2) / 3, abs=1e-12)


def test_a_perfect_model_has_the_error_that_chance_gives_it() -> None:
    draw = np.random.default_rng(0)
    probabilities = softmax(draw.normal(0, 2, size=(400, 10)))
    cumulated = probabilities.cumsum(axis=1)
    errors = []
    for _ in range(400):
        labels = (draw.random((400, 1)) > cumulated).sum(axis=1)
        errors.append(calibration(probabilities, labels).error)
    expected = calibration(probabilities, labels)
    assert np.mean(errors) == pytest.approx(expected.by_chance, rel=0.05)
    assert np.std(errors) == pytest.approx(expected.deviation, rel=0.15)


def test_one_logit_tells_two_classes_apart_and_large_ones_do_not_overflow() -> None:
    assert softmax(np.array([[0.0], [np.log(3)]])) == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.75]]))
    assert softmax(np.array([[1e4, -1e4]], dtype=np.float32)).tolist() == [[1.0, 0.0]]
