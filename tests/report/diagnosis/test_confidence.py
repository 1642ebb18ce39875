"""Over-confidence from stored predictions, and what is said where they are missing, damaged or no logits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.diagnosis.diagnose import diagnose
from dlx.run.predictions import write_predictions


def with_predictions(simulator: Any, folder: Path, scale: float) -> tuple[Any, Any, Any]:
    """Return a study of one clean run whose logits are `scale` times those of a calibrated model."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, size=(500, 10))
    gumbel = -np.log(-np.log(draw.random(logits.shape)))
    labels = (logits + gumbel).argmax(axis=1)  # drawn with the probabilities of these logits
    folder.mkdir()
    outputs = (scale * logits).astype(np.float32)
    write_predictions(folder, last=outputs, best=outputs, labels=labels, last_epoch=60, best_epoch=60)
    made = simulator(0, 60, 500)
    study, layout, summary = made.study([({}, made.clean(accuracy=0.7))])
    study.runs["folder"] = str(folder)
    return study, layout, summary


@pytest.mark.parametrize(("scale", "fires"), [(1.0, False), (0.5, False), (3.0, True)])
def test_only_logits_that_are_too_large_are_over_confident(
    simulator: Any, tmp_path: Path, scale: float, fires: bool
) -> None:
    diagnosis = diagnose(*with_predictions(simulator, tmp_path / "run", scale))
    found = [one for one in diagnosis.findings if one.kind == "over-confident" and one.scope == "run"]
    assert bool(found) == fires
    if fires:
        assert found[0].numbers["calibration_error"] > 0.1
        assert found[0].numbers["confidence"] > found[0].numbers["accuracy"]
    assert not any(kind == "over-confident" for kind, _ in diagnosis.unchecked)


def test_damage_is_named_and_other_losses_have_no_logits(simulator: Any, tmp_path: Path) -> None:
    study, layout, summary = with_predictions(simulator, tmp_path / "run", 3.0)
    path = tmp_path / "run" / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-100])
    reasons = dict(diagnose(study, layout, summary).unchecked)
    assert reasons["over-confident"] == "damaged predictions.npz: calibration error not known (1 of 1 run)"
    study.settings["run0000"]["loss.name"] = "mean_squared_error"
    reasons = dict(diagnose(study, layout, summary).unchecked)
    assert reasons["over-confident"] == "outputs under mean_squared_error are no logits (1 of 1 run)"


def test_chance_is_the_share_of_the_largest_class(simulator: Any, tmp_path: Path) -> None:
    study, layout, summary = with_predictions(simulator, tmp_path / "run", 1.0)
    labels = np.where(np.arange(500) < 350, 0, np.arange(500) % 10)
    outputs = np.zeros((500, 10), dtype=np.float32)
    write_predictions(
        tmp_path / "run", last=outputs, best=outputs, labels=labels, last_epoch=60, best_epoch=60
    )
    study.histories["val_accuracy"] = 0.7
    found = [one for one in diagnose(study, layout, summary).findings if one.kind == "never learned"]
    assert found[0].numbers["chance"] == pytest.approx(0.7 + 0.03)
