"""Underfitting: training accuracy levels off at a low value. Axes: R runs, E epochs."""

from collections.abc import Mapping

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import (
    SHORTEST,
    Floats,
    end_level,
    end_window,
    linear_change,
    linear_change_error,
)
from dlx.run.identity import comparable, is_seed

BEHIND = 0.1  # of accuracy, behind the study's best run in training, and half of this in validation
GAP = 2.0  # standard deviations of validation accuracy
DECAYED = 0.1  # of its highest value: the learning rate may have stopped the run
FLAT = 0.03  # largest change of training accuracy over the last fifth
FLAT_ERRORS = 4.0  # standard errors of the fall of training loss
SLOW = 0.05  # of the whole fall of training loss: with more in the last fifth, the run is still learning


def _detect_underfitting(evidence: Evidence) -> Detections:
    """Compare every completed run with the best run on the same data."""
    data = {run: _data(evidence, run) for run in evidence.completed}
    blocks = [block for block in evidence.blocks if block.epochs >= SHORTEST]
    train, val = (_highest(blocks, data, metric) for metric in ("train_accuracy", "val_accuracy"))

    def examine(block: Block) -> Examination:
        return _examine_fit(
            block,
            np.array([train[data[run]] for run in block.runs]),
            np.array([val[data[run]] for run in block.runs]),
        )

    return in_blocks(examine)(evidence)


def _data(evidence: Evidence, run: str) -> str:
    """Return a run's data settings, apart from seeds, as a text to compare."""
    settings = evidence.data.settings[run].items()
    return comparable({key: value for key, value in settings if key.startswith("data.") and not is_seed(key)})


def _highest(blocks: list[Block], data: Mapping[str, str], metric: str) -> dict[str, float]:
    """Return the highest final accuracy of all runs on each data set."""
    highest: dict[str, float] = {}
    for block in blocks:
        ends_R = np.where(block.finite(metric), end_level(block.curves[metric]), 0.0)
        for run, end in zip(block.runs, ends_R.tolist(), strict=True):
            highest[data[run]] = max(end, highest.get(data[run], 0.0))
    return highest


def _examine_fit(block: Block, best_train_R: Floats, best_val_R: Floats) -> Examination:
    """Find runs whose training accuracy is flat and low, with no gap to validation.

    Low means less than halfway from guessing to perfect, or behind the best run in both training and
    validation. Augmentation lowers only training accuracy, so validation accuracy must be behind as well.
    """
    train_RE, loss_RE = block.curves["train_accuracy"], block.curves["train_loss"]
    train_R, val_R = end_level(train_RE), end_level(block.curves["val_accuracy"])
    deviation_R = np.sqrt(np.fmax(val_R * (1 - val_R), 1e-4) / block.samples_R)
    window = end_window(block.epochs)
    fall_R, total_fall_R = -linear_change(loss_RE[:, -window:]), loss_RE[:, 0] - end_level(loss_RE)
    fall_error_R = linear_change_error(loss_RE[:, -window:])
    still_learning_R = fall_R > np.fmax(SLOW * total_fall_R, FLAT_ERRORS * fall_error_R)
    fallen_R = block.smoothed["train_accuracy"].max(axis=1) - train_R > BEHIND
    flat_R = (np.abs(linear_change(train_RE[:, -window:])) < FLAT) & ~still_learning_R & ~fallen_R
    halfway_R = (block.chance + 1) / 2
    behind_R = (train_R < best_train_R - BEHIND) & (val_R < best_val_R - BEHIND / 2)
    no_gap_R = train_R - val_R < GAP * deviation_R
    peak_R = block.rate_RE.max(axis=1)
    decayed_R = block.rate_RE[:, -1] <= DECAYED * peak_R
    return Examination(
        able_R=block.finite("train_loss", "train_accuracy", "val_accuracy")
        & np.isfinite(deviation_R + halfway_R),
        fires_R=flat_R & block.learned & no_gap_R & ((train_R < halfway_R) | behind_R),
        problem_R=True,
        numbers={
            "train_accuracy": train_R,
            "val_accuracy": val_R,
            "best_train_accuracy": np.where(behind_R, best_train_R, np.nan),
            "halfway": np.where(behind_R, np.nan, halfway_R),
            "highest_rate": np.where(decayed_R, peak_R, np.nan),
            "last_rate": np.where(decayed_R, block.rate_RE[:, -1], np.nan),
        },
        reason="no training and validation accuracy, or the number of classes or samples is unknown",
    )


def _describe_underfitting(runs: Affected) -> str:
    compared_with = (
        f"The study's best run reaches {runs['best_train_accuracy']:.3f} in training."
        if "best_train_accuracy" in runs
        else f"Halfway from guessing to perfect would be {runs['halfway']:.3f}."
    )
    help_ = "Try a larger network, less regularisation or another learning rate."
    if "last_rate" in runs:
        help_ = (
            f"The learning rate had decayed from {runs['highest_rate']:.3g} to {runs['last_rate']:.3g}: "
            "try a higher rate or a slower decay."
        )
    return (
        f"Underfits{runs.where}: training accuracy levels off at {runs['train_accuracy']:.3f}, and "
        f"validation accuracy is about the same ({runs['val_accuracy']:.3f}). {compared_with} {help_}"
    )


UNDERFITTING = Check(
    "underfitting", _detect_underfitting, _describe_underfitting, training_failure=True, of_classes=True
)
