"""Runs that were still improving when they ended, as far as the learning rate allows.

Axes: R runs, E epochs.
"""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.schedule import changes, just_rose, since_last_step, training_time
from dlx.report.diagnosis.trend import (
    SHORTEST,
    Flags,
    Floats,
    end_level,
    end_window,
    epoch_noise,
    line_change,
    running_median,
)

ERRORS = 3.5  # standard errors of the change over the last fifth
LOSS_SHARE = 0.03  # of the loss, by which it must fall
FALL_SHARE = 0.1  # or of its fall since before training, for a network that has hardly learned yet
ACCURACY_GAIN = 0.015
LEAST = 5  # epochs since the last step of the learning rate; with fewer, nothing is said
LAST_FIFTH = 0.8  # of the training time, where it begins


def last_fifth(block: Block) -> tuple[Flags, Flags, Flags]:
    """Return the epochs to look at [R, E], where the rate decays in them, and where they are of no use [R].

    With a constant rate, the last fifth of the epochs. After a step of the rate, only what came since: a fall
    caused by the step says nothing about more epochs. Where the rate decays smoothly, the last fifth of the
    training time (the sum of the rates), because the last epochs of a cosine hardly move the weights.
    """
    epochs, window = block.epochs, end_window(block.epochs)
    late_E = np.arange(epochs) >= epochs - window
    since_RE = since_last_step(block.rate_RE)
    steps_R = (~since_RE & late_E).any(axis=1)
    inside_RE = since_RE & late_E
    decays_R = changes(block.rate_RE, inside_RE)
    in_time_RE = (training_time(block.rate_RE) > LAST_FIFTH) & (np.arange(epochs) >= epochs // 2)
    inside_RE = np.where(decays_R[:, None], (in_time_RE | late_E) & since_RE, inside_RE)
    rises_R = (just_rose(block.rate_RE) & inside_RE).any(axis=1)
    unusable_R = (
        rises_R | (inside_RE.sum(axis=1) < (LEAST if epochs >= SHORTEST else 1)) | (steps_R & decays_R)
    )
    return inside_RE, decays_R, np.asarray(unusable_R, dtype=np.bool_)


def _examine_convergence(block: Block) -> Examination:
    """Fit a line to the last fifth; its slope must be significant and steep enough to justify more epochs.

    Where the rate decays, the fit also has the rate itself as a term: it takes up the fall that the decay
    brings to any run, and leaves what a longer schedule would bring.
    """
    loss_RE, accuracy_RE = block.curves["val_loss"], block.curves["val_accuracy"]
    inside_RE, decays_R, unusable_R = last_fifth(block)
    fall_R, fall_noise_R, fall_error_R = _climb(-loss_RE, block, inside_RE, decays_R, 0.0)
    least_R = 0.5 / np.fmax(1, block.samples_R)
    gain_R, gain_noise_R, gain_error_R = _climb(accuracy_RE, block, inside_RE, decays_R, least_R)
    level_R = np.abs(np.where(inside_RE, loss_RE, 0.0)).sum(axis=1) / np.fmax(1, inside_RE.sum(axis=1))
    untrained_R = block.untrained["val_loss"]
    begun_R = np.where(np.isfinite(untrained_R), untrained_R, loss_RE[:, 0])
    total_fall_R = np.fmax(begun_R - end_level(loss_RE), 10 * fall_noise_R)
    worthwhile_R = (fall_R > LOSS_SHARE * level_R) | (fall_R > FALL_SHARE * total_fall_R)
    falling_R = (fall_R > ERRORS * fall_error_R) & worthwhile_R & _new_best(-loss_RE, inside_RE)
    gaining_R = (
        (gain_R > ERRORS * gain_error_R) & (gain_R > ACCURACY_GAIN) & _new_best(accuracy_RE, inside_RE)
    )
    large_R = falling_R & (fall_R > np.fmin(3 * LOSS_SHARE * level_R, FALL_SHARE * total_fall_R))
    peak_R = block.rate_RE.max(axis=1)
    decayed_R = block.rate_RE[:, -1] < peak_R / 2
    return Examination(
        able_R=block.finite("val_loss"),
        fires_R=(falling_R | gaining_R) & ~unusable_R,
        problem_R=large_R | gaining_R & (gain_R > 2 * ACCURACY_GAIN),
        numbers={
            "window": inside_RE.sum(axis=1).astype(np.float64),
            "fall": np.where(falling_R, fall_R, np.nan),
            "share": np.where(falling_R, fall_R / level_R, np.nan),
            "noise": np.where(falling_R, fall_noise_R, np.nan),
            "gain": np.where(gaining_R, gain_R, np.nan),
            "gain_noise": np.where(gaining_R, gain_noise_R, np.nan),
            "highest_rate": np.where(decayed_R, peak_R, np.nan),
            "last_rate": np.where(decayed_R, block.rate_RE[:, -1], np.nan),
        },
        reason="no validation loss at every epoch",
    )


def _new_best(curve_RE: Floats, inside_RE: Flags) -> Flags:
    """Return whether the end is above everything before the epochs inside, not a recovery [R]."""
    before_RE = np.where(inside_RE, -np.inf, running_median(curve_RE, 2))
    return np.asarray(end_level(curve_RE) > before_RE.max(axis=1), dtype=np.bool_)


def _climb(
    curve_RE: Floats, block: Block, inside_RE: Flags, decays_R: Flags, least_noise: Floats | float
) -> tuple[Floats, Floats, Floats]:
    """Return the climb over the epochs inside, the noise of the second half, and the climb's error [R]."""
    noise_R = np.fmax(epoch_noise(curve_RE[:, -(block.epochs // 2) :]), least_noise)
    epoch_RE = np.broadcast_to(np.arange(block.epochs, dtype=np.float64), curve_RE.shape)
    clock_RE = np.where(decays_R[:, None], training_time(block.rate_RE), epoch_RE)
    beside_RE = np.where(decays_R[:, None], block.rate_RE, 0.0)
    climb_R, error_R = line_change(curve_RE, clock_RE, inside_RE, noise_R, beside_RE)
    return climb_R, noise_R, error_R


def _describe_not_converged(runs: Affected) -> str:
    fall = (
        f"validation loss fell by {runs['fall']:.3g} ({runs['share'].percent}; "
        f"epoch-to-epoch noise {runs['noise']:.3g})"
    )
    gain = f"validation accuracy rose by {runs['gain']:.3f} (epoch-to-epoch noise {runs['gain_noise']:.3f})"
    clauses = " and ".join(runs.clauses({"fall": fall, "gain": gain}))
    epochs = f"over the last {runs['window']:.0f} epochs"
    help_ = "Train for more epochs."
    if "last_rate" in runs:
        help_ = (
            f"The learning rate had decayed from {runs['highest_rate']:.3g} to {runs['last_rate']:.3g}, "
            "so a longer schedule helps more than epochs at the last rate."
        )
    return f"Still improving at the end{runs.where}: {epochs}, {clauses}. {help_}"


NOT_CONVERGED = Check("not converged", in_blocks(_examine_convergence), _describe_not_converged)
