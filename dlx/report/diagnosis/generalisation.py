"""Validation far below training without a rising loss, and validation that catches up late (grokking).

Axes: R runs, E epochs.
"""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.trend import end_level, end_window, linear_change, linear_change_error

GAP = 0.2  # of accuracy: 4 standard errors on 100 samples, and 4 times the gap of healthy simulated runs
GAP_DEVIATIONS = 4.0  # of the accuracy on the validation samples
FLAT = 0.03  # largest change of an accuracy over the last fifth
FLAT_ERRORS = 3.0  # standard errors of this change
PERFECT = 0.98  # of training accuracy
JUMP = 0.2  # of validation accuracy after training is perfect
LATE = 1.5  # times the epoch at which training was perfect, and LATER epochs after it
LATER = 10


def _examine_memorising(block: Block) -> Examination:
    """Compare the final accuracies where both are flat."""
    train_RE, val_RE = block.curves["train_accuracy"], block.curves["val_accuracy"]
    train_R, val_R, window = end_level(train_RE), end_level(val_RE), end_window(block.epochs)
    deviation_R = np.sqrt(np.fmax(val_R * (1 - val_R), 1e-4) / block.samples_R)
    flat_R = (np.abs(linear_change(train_RE[:, -window:])) < FLAT) & (
        linear_change(val_RE[:, -window:])
        < np.fmax(FLAT, FLAT_ERRORS * linear_change_error(val_RE[:, -window:]))
    )
    return Examination(
        able_R=block.finite("train_accuracy", "val_accuracy"),
        fires_R=flat_R & (train_R - val_R > np.fmax(GAP, GAP_DEVIATIONS * deviation_R)),
        problem_R=False,
        numbers={"train_accuracy": train_R, "val_accuracy": val_R, "gap": train_R - val_R},
        reason="no training and validation accuracy at every epoch",
    )


def _describe_memorising(runs: Affected) -> str:
    return (
        f"Memorises{runs.where}: training accuracy is flat at {runs['train_accuracy']:.3f} and validation "
        f"accuracy at {runs['val_accuracy']:.3f}, a gap of {runs['gap']:.2f}. "
        "More data, augmentation, weight decay or dropout may close it; more epochs will not."
    )


def _examine_grokking(block: Block) -> Examination:
    """Find when training is perfect, and when validation has made half of its later rise."""
    train_RE, val_RE = block.smoothed["train_accuracy"], block.smoothed["val_accuracy"]
    rows_R = np.arange(len(train_RE))
    perfect_R = (train_RE >= PERFECT).argmax(axis=1)
    then_R, end_R = val_RE[rows_R, perfect_R], end_level(block.curves["val_accuracy"])
    after_RE = np.arange(block.epochs) >= perfect_R[:, None]
    half_R = (after_RE & (val_RE >= ((then_R + end_R) / 2)[:, None])).argmax(axis=1)
    late_R = (half_R >= LATE * perfect_R) & (half_R >= perfect_R + LATER)
    return Examination(
        able_R=block.finite("train_accuracy", "val_accuracy"),
        fires_R=(train_RE.max(axis=1) >= PERFECT) & (end_R - then_R > JUMP) & late_R,
        problem_R=False,
        numbers={
            "perfect_epoch": perfect_R + 1.0,
            "jump_epoch": half_R + 1.0,
            "before": then_R,
            "after": end_R,
        },
        reason="no training and validation accuracy at every epoch",
    )


def _describe_grokking(runs: Affected) -> str:
    return (
        f"Groks{runs.where}: validation accuracy rises from {runs['before']:.3f} to {runs['after']:.3f} "
        f"around epoch {runs['jump_epoch']:.0f}, long after training accuracy was perfect "
        f"(epoch {runs['perfect_epoch']:.0f}). Shorter runs do not show the final accuracy."
    )


MEMORISES = Check("memorising", in_blocks(_examine_memorising), _describe_memorising, of_classes=True)
GROKS = Check("grokking", in_blocks(_examine_grokking), _describe_grokking, of_classes=True)
