"""Not converged: a validation curve that was still improving when the run ended."""

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import (
    Flags,
    Floats,
    change_error,
    change_over,
    end_level,
    fifth,
    noise,
    smooth,
)

ERRORS = 3.5  # standard errors of the change over the last fifth
LOSS_SHARE = 0.03  # of the loss, that it must have fallen by
FALL_SHARE = 0.1  # or of its fall since before training, for a net that has hardly begun
ACCURACY_GAIN = 0.015


def examine(block: Block) -> Verdict:
    """Fit a line to the last fifth; its fall must be real, and worth waiting for."""
    loss_RE, accuracy_RE = block.curves["val_loss"], block.curves["val_accuracy"]
    window = fifth(block.epochs)
    fall_R, fall_noise_R, fall_error_R = change(-loss_RE, window, 0.0)
    gain_R, gain_noise_R, gain_error_R = change(accuracy_RE, window, 0.5 / np.fmax(1, block.samples_R))
    level_R = np.abs(loss_RE[:, -window:]).mean(axis=1)
    begun_R = np.where(np.isfinite(block.untrained["val_loss"]), block.untrained["val_loss"], loss_RE[:, 0])
    way_R = np.fmax(begun_R - end_level(loss_RE), 10 * fall_noise_R)
    worth_R = (fall_R > LOSS_SHARE * level_R) | (fall_R > FALL_SHARE * way_R)
    falling_R = (fall_R > ERRORS * fall_error_R) & worth_R & new_best(-loss_RE, window)
    gaining_R = (gain_R > ERRORS * gain_error_R) & (gain_R > ACCURACY_GAIN) & new_best(accuracy_RE, window)
    hidden_R = np.full(len(level_R), np.nan)
    return Verdict(
        able_R=block.finite("val_loss"),
        fired_R=falling_R | gaining_R,
        problem_R=falling_R & (fall_R > np.fmin(3 * LOSS_SHARE * level_R, FALL_SHARE * way_R))
        | gaining_R & (gain_R > 2 * ACCURACY_GAIN),
        numbers={
            "window": np.full(len(level_R), float(window)),
            "fall": np.where(falling_R, fall_R, hidden_R),
            "share": np.where(falling_R, fall_R / level_R, hidden_R),
            "noise": np.where(falling_R, fall_noise_R, hidden_R),
            "gain": np.where(gaining_R, gain_R, hidden_R),
            "gain_noise": np.where(gaining_R, gain_noise_R, hidden_R),
        },
        reason="no validation loss at every epoch",
    )


def new_best(curve_RE: Floats, window: int) -> Flags:
    """Say whether the end is above all before the last `window` epochs [R]: coming back is no progress."""
    before_RE = smooth(curve_RE[:, :-window], 2)
    return np.asarray(end_level(curve_RE) > before_RE.max(axis=1), dtype=np.bool_)


def change(curve_RE: Floats, window: int, least: Floats | float) -> tuple[Floats, Floats, Floats]:
    """Return the climb over the last `window` epochs, the noise of the second half, and the climb's error."""
    noise_R = np.fmax(noise(curve_RE[:, -(curve_RE.shape[1] // 2) :]), least)
    end_RE = curve_RE[:, -window:]
    return change_over(end_RE), noise_R, change_error(end_RE, noise_R)


def find(evidence: Evidence) -> Found:
    """Look at every run that completed."""
    return by_block(evidence, examine)


def describe(told: Told) -> str:
    """Say what was still improving, by how much, and beside which noise."""
    parts = []
    if told.has("fall"):
        parts.append(
            f"validation loss fell by {told.loss('fall')} ({told.percent('share')}), "
            f"epoch-to-epoch noise {told.loss('noise')}{told.some('fall')}"
        )
    if told.has("gain"):
        parts.append(
            f"validation accuracy rose by {told.accuracy('gain')}, noise {told.accuracy('gain_noise')}"
            f"{told.some('gain')}"
        )
    window = told.between("window", lambda value: f"{value:.0f}")
    return f"Still improving at the end{told.where}: over the last {window} epochs {'; '.join(parts)}."


CHECK = Check("not converged", find, describe)
