"""The expected calibration error by value, and over-confidence from stored predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.analysis import Analysis
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.prediction_statistics import measure_calibration, prediction_statistics, softmax
from dlx.run.predictions import Predictions, write_predictions


def test_the_error_equals_a_hand_computed_example() -> None:
    # Confidences 0.95, 0.92 (bin 15: 14/15 < c) and 0.9 (bin 14), 0.55, 0.5 (bins 9 and 8).
    confidence = np.array([0.95, 0.94, 0.9, 0.55, 0.5])
    right = [True, False, True, False, True]
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0 if each else 1 for each in right])
    found = measure_calibration(probabilities, labels)
    gaps = [abs(1 - 0.95 - 0.94), 1 - 0.9, 0.55, 1 - 0.5]
    assert found.error == pytest.approx(sum(gaps) / 5, abs=1e-12)
    assert found.confidence == pytest.approx(confidence.mean(), abs=1e-12)
    assert found.accuracy == pytest.approx(0.6, abs=1e-12)
    variances = [0.95 * 0.05 + 0.94 * 0.06, 0.9 * 0.1, 0.55 * 0.45, 0.5 * 0.5]
    assert found.by_chance == pytest.approx(sum(np.sqrt(2 / np.pi * v) for v in variances) / 5, abs=1e-12)


def test_bins_include_their_upper_bound() -> None:
    """A confidence of exactly 3/4 lies in (2/4, 3/4], like 0.7 and unlike 0.8."""
    probabilities = np.array([[0.75, 0.25], [0.7, 0.3], [0.8, 0.2]])
    found = measure_calibration(probabilities, np.array([0, 1, 0]), bins=4)
    assert found.error == pytest.approx((abs(1 - 0.75 - 0.7) + 0.2) / 3, abs=1e-12)


def test_a_perfectly_calibrated_model_has_the_expected_error() -> None:
    draw = np.random.default_rng(0)
    probabilities = softmax(draw.normal(0, 2, size=(400, 10)))
    cumulated = probabilities.cumsum(axis=1)
    errors = []
    for _ in range(400):
        labels = (draw.random((400, 1)) > cumulated).sum(axis=1)
        errors.append(measure_calibration(probabilities, labels).error)
    expected = measure_calibration(probabilities, labels)
    assert np.mean(errors) == pytest.approx(expected.by_chance, rel=0.05)
    assert np.std(errors) == pytest.approx(expected.deviation, rel=0.15)


def test_softmax_takes_a_single_logit_and_does_not_overflow() -> None:
    assert softmax(np.array([[0.0], [np.log(3)]])) == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.75]]))
    assert softmax(np.array([[1e4, -1e4]], dtype=np.float32)).tolist() == [[1.0, 0.0]]


def with_predictions(simulator: Any, folder: Path, scale: float) -> Analysis:
    """Return a study of one clean run whose logits are `scale` times those of a calibrated model."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, size=(500, 10))
    gumbel = -np.log(-np.log(draw.random(logits.shape)))
    labels = (logits + gumbel).argmax(axis=1)  # drawn with the probabilities of these logits
    folder.mkdir()
    outputs = (scale * logits).astype(np.float32)
    write_predictions(folder, last=outputs, best=outputs, labels=labels, last_epoch=60, best_epoch=60)
    made = simulator(0, 60, 500)
    analysis = made.study([({}, made.clean(accuracy=0.7))])
    analysis.data.runs["folder"] = str(folder)
    return analysis


@pytest.mark.parametrize(("scale", "fires"), [(1.0, False), (0.5, False), (3.0, True)])
def test_only_logits_that_are_too_large_are_over_confident(
    simulator: Any, tmp_path: Path, scale: float, fires: bool
) -> None:
    diagnosis = diagnose(with_predictions(simulator, tmp_path / "run", scale))
    found = [one for one in diagnosis.findings if one.kind == "over-confident" and one.scope == "run"]
    assert bool(found) == fires
    if fires:
        assert found[0].numbers["calibration_error"] > 0.1
        assert found[0].numbers["confidence"] > found[0].numbers["accuracy"]
    assert not any(kind == "over-confident" for kind, _ in diagnosis.unchecked)


def test_unusable_predictions_are_reported_as_not_checked(simulator: Any, tmp_path: Path) -> None:
    analysis = with_predictions(simulator, tmp_path / "run", 3.0)
    path = tmp_path / "run" / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-100])
    reasons = dict(diagnose(analysis).unchecked)
    assert reasons["over-confident"] == (
        "damaged predictions.npz, so the calibration error is unknown (1 of 1 run)"
    )
    outputs = np.full((500, 10), np.nan, dtype=np.float32)
    labels = np.arange(500) % 10
    write_predictions(path.parent, last=outputs, best=outputs, labels=labels, last_epoch=60, best_epoch=60)
    reasons = dict(diagnose(analysis).unchecked)
    assert reasons["over-confident"].startswith("outputs that are not finite in predictions.npz, so")
    analysis.data.settings["run0000"]["loss.name"] = "mean_squared_error"
    reasons = dict(diagnose(analysis).unchecked)
    assert reasons["over-confident"] == "outputs trained with mean_squared_error are not logits (1 of 1 run)"


def imbalanced(simulator: Any, folder: Path, named: int, accuracy: float) -> list[Finding]:
    """Diagnose a run on 475 and 25 samples of two classes that names `named` of the 25 at the last epoch."""
    folder.mkdir(exist_ok=True)
    labels = (np.arange(500) >= 475).astype(int)
    outputs = np.stack([np.ones(500), np.where(np.arange(500) >= 500 - named, 2.0, 0.0)], axis=1)
    write_predictions(
        folder,
        last=outputs.astype(np.float32),
        best=outputs.astype(np.float32),
        labels=labels,
        last_epoch=60,
        best_epoch=60,
    )
    made = simulator(0, 60, 500)
    analysis = made.study([({"classes": 2}, made.clean(accuracy=0.9))])
    analysis.data.runs["folder"] = str(folder)
    analysis.data.histories["val_accuracy"] = accuracy
    return [one for one in diagnose(analysis).findings if one.kind == "never learned" and one.scope == "run"]


@pytest.mark.parametrize(
    ("named", "accuracy", "learned"),
    [(0, 0.95, False), (0, 0.952, False), (15, 0.98, True), (25, 1.0, True), (15, 0.953, True)],
)
def test_only_the_share_of_the_largest_class_is_nothing_learned(
    simulator: Any, tmp_path: Path, named: int, accuracy: float, learned: bool
) -> None:
    found = imbalanced(simulator, tmp_path / "run", named, accuracy)
    assert bool(found) != learned
    if found:
        assert "The largest class alone makes up 0.950 of the samples." in found[0].sentence
        assert "by luck" not in found[0].sentence


def test_balanced_accuracy_is_held_against_guessing() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    outputs = np.stack([np.zeros(100), np.where(np.arange(100) >= 95, 1.0, -1.0)], axis=1)
    seen = prediction_statistics(Predictions(outputs, outputs, labels, 1, 1))
    deviation = np.sqrt(0.25 * (1 / 90 + 1 / 10)) / 2
    assert seen.balanced_excess == pytest.approx((1 + 0.5) / 2 - 0.5 - 3 * deviation, abs=1e-12)
