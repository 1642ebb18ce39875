"""Underfitting, and runs that have not converged. Axes: R runs, E epochs."""

from collections.abc import Mapping

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.training_failures import accuracy_by_luck
from dlx.report.diagnosis.trend import (
    SHORTEST,
    Flags,
    Floats,
    end_level,
    end_window,
    epoch_noise,
    linear_change,
    linear_change_error,
    running_median,
)
from dlx.run.identity import comparable, is_seed

BEHIND = 0.1  # of accuracy, behind the study's best run in training, and half of this in validation
GAP = 2.0  # standard deviations of validation accuracy
FLAT = 0.03  # largest change of training accuracy over the last fifth
FLAT_ERRORS = 4.0  # standard errors of the fall of training loss
SLOW = 0.05  # of the whole fall of training loss: with more in the last fifth, the run is still learning

ERRORS = 3.5  # standard errors of the change over the last fifth
LOSS_SHARE = 0.03  # of the loss, by which it must fall
FALL_SHARE = 0.1  # or of its fall since before training, for a network that has hardly learned yet
ACCURACY_GAIN = 0.015


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
    halfway_R = (block.chance_R + 1) / 2
    behind_R = (train_R < best_train_R - BEHIND) & (val_R < best_val_R - BEHIND / 2)
    learned_R = block.smoothed["val_accuracy"].max(axis=1) > accuracy_by_luck(block)
    no_gap_R = train_R - val_R < GAP * deviation_R
    return Examination(
        able_R=block.finite("train_loss", "train_accuracy", "val_accuracy")
        & np.isfinite(deviation_R + halfway_R),
        fires_R=flat_R & learned_R & no_gap_R & ((train_R < halfway_R) | behind_R),
        problem_R=np.ones(len(train_R), dtype=bool),
        numbers={
            "train_accuracy": train_R,
            "val_accuracy": val_R,
            "best_train_accuracy": np.where(behind_R, best_train_R, np.nan),
            "halfway": np.where(behind_R, np.nan, halfway_R),
        },
        reason="no training and validation accuracy, or the number of classes or samples is unknown",
    )


def _describe_underfitting(runs: Affected) -> str:
    compared_with = (
        f"The study's best run reaches {runs['best_train_accuracy']:.3f} in training."
        if "best_train_accuracy" in runs
        else f"Halfway from guessing to perfect would be {runs['halfway']:.3f}."
    )
    return (
        f"Underfits{runs.where}: training accuracy levels off at {runs['train_accuracy']:.3f}, and "
        f"validation accuracy is about the same ({runs['val_accuracy']:.3f}). {compared_with}"
    )


def _examine_convergence(block: Block) -> Examination:
    """Fit a line to the last fifth; its slope must be significant and steep enough to justify more epochs."""
    loss_RE, accuracy_RE = block.curves["val_loss"], block.curves["val_accuracy"]
    window = end_window(block.epochs)
    fall_R, fall_noise_R, fall_error_R = _climb(-loss_RE, window, 0.0)
    gain_R, gain_noise_R, gain_error_R = _climb(accuracy_RE, window, 0.5 / np.fmax(1, block.samples_R))
    level_R = np.abs(loss_RE[:, -window:]).mean(axis=1)
    untrained_R = block.untrained["val_loss"]
    begun_R = np.where(np.isfinite(untrained_R), untrained_R, loss_RE[:, 0])
    total_fall_R = np.fmax(begun_R - end_level(loss_RE), 10 * fall_noise_R)
    worthwhile_R = (fall_R > LOSS_SHARE * level_R) | (fall_R > FALL_SHARE * total_fall_R)
    falling_R = (fall_R > ERRORS * fall_error_R) & worthwhile_R & _new_best(-loss_RE, window)
    gaining_R = (gain_R > ERRORS * gain_error_R) & (gain_R > ACCURACY_GAIN) & _new_best(accuracy_RE, window)
    return Examination(
        able_R=block.finite("val_loss"),
        fires_R=falling_R | gaining_R,
        problem_R=falling_R & (fall_R > np.fmin(3 * LOSS_SHARE * level_R, FALL_SHARE * total_fall_R))
        | gaining_R & (gain_R > 2 * ACCURACY_GAIN),
        numbers={
            "window": np.full(len(level_R), float(window)),
            "fall": np.where(falling_R, fall_R, np.nan),
            "share": np.where(falling_R, fall_R / level_R, np.nan),
            "noise": np.where(falling_R, fall_noise_R, np.nan),
            "gain": np.where(gaining_R, gain_R, np.nan),
            "gain_noise": np.where(gaining_R, gain_noise_R, np.nan),
        },
        reason="no validation loss at every epoch",
    )


def _new_best(curve_RE: Floats, window: int) -> Flags:
    """Return whether the end is above everything before the last `window` epochs, not a recovery [R]."""
    before_RE = running_median(curve_RE[:, :-window], 2)
    return np.asarray(end_level(curve_RE) > before_RE.max(axis=1), dtype=np.bool_)


def _climb(curve_RE: Floats, window: int, least_noise: Floats | float) -> tuple[Floats, Floats, Floats]:
    """Return the climb over the last `window` epochs, the noise of the second half, and the climb's error."""
    noise_R = np.fmax(epoch_noise(curve_RE[:, -(curve_RE.shape[1] // 2) :]), least_noise)
    end_RE = curve_RE[:, -window:]
    return linear_change(end_RE), noise_R, linear_change_error(end_RE, noise_R)


def _describe_not_converged(runs: Affected) -> str:
    fall = (
        f"validation loss fell by {runs['fall']:.3g} ({runs['share'].percent}; "
        f"epoch-to-epoch noise {runs['noise']:.3g})"
    )
    gain = f"validation accuracy rose by {runs['gain']:.3f} (epoch-to-epoch noise {runs['gain_noise']:.3f})"
    clauses = " and ".join(runs.clauses({"fall": fall, "gain": gain}))
    epochs = f"over the last {runs['window']:.0f} epochs"
    return f"Still improving at the end{runs.where}: {epochs}, {clauses}."


UNDERFITTING = Check("underfitting", _detect_underfitting, _describe_underfitting, training_failure=True)
NOT_CONVERGED = Check("not converged", in_blocks(_examine_convergence), _describe_not_converged)
