"""What each run's predictions.npz says at the last epoch: sizes, the largest class, calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlx.report.diagnosis.calibration import Calibration, calibration, softmax
from dlx.run.predictions import read_predictions


@dataclass(frozen=True)
class Answers:
    """`largest_class`: its share of the validation labels. `calibration`: None if an output is not finite."""

    samples: int
    largest_class: float
    calibration: Calibration | None


def read_answers(folders: Mapping[str, Path]) -> tuple[dict[str, Answers], list[str]]:
    """Read the predictions of every run that has them; also return the runs where they are damaged."""
    answers, damaged = {}, []
    for run, folder in folders.items():
        try:
            predictions = read_predictions(folder)
        except (ValueError, OSError):
            damaged.append(run)
            continue
        if predictions is None:
            continue
        labels_N, outputs_NK = predictions.labels.astype(np.int64), predictions.last_outputs
        finite = bool(np.isfinite(outputs_NK).all())
        answers[run] = Answers(
            len(labels_N),
            float(np.bincount(labels_N).max() / len(labels_N)),
            calibration(softmax(outputs_NK), labels_N) if finite else None,
        )
    return answers, damaged
