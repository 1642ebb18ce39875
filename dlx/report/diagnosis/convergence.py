"""Runs that were still improving when they ended, as far as the learning rate allows.

Axes: R runs, E epochs.
"""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.schedule import CHANGED, changes, half_of_training, just_rose, since_last_step
from dlx.report.diagnosis.trend import (
    Flags,
    Floats,
    end_level,
    end_window,
    epoch_noise,
    line_change,
    median_around,
    running_median,
)

ERRORS = 3.5  # standard errors of the change over the last fifth
NOISES = 3.0  # of the epoch-to-epoch noise, by which the loss must fall: correlated noise alone drifts by 2
LOSS_SHARE = 0.03  # of the loss, by which it must fall
FALL_SHARE = 0.1  # or of its fall since before training, for a network that has hardly learned yet
LEAST_FALL = 20.0  # times the noise: the smallest fall since before training that counts as such
ACCURACY_GAIN = 0.015
LEAST = 5  # epochs since the last step of the learning rate; with fewer, nothing is said
LEFT = 0.2  # share of the whole fall in the second half of a schedule; 99% of converged runs have below 0.18


def last_epochs(block: Block) -> Flags:
    """Return the epochs to fit a line to [R, E]: the last fifth, but none before the last step of the rate.

    A fall that a step has caused says nothing about more epochs.
    """
    late_E = np.arange(block.epochs) >= block.epochs - end_window(block.epochs)
    return np.asarray(since_last_step(block.rate_RE) & late_E, dtype=np.bool_)


def _examine_convergence(block: Block) -> Examination:
    """Look at the last fifth of the epochs or, where the learning rate decays, at the whole schedule.

    Where the rate has just risen, or stepped down a few epochs ago, nothing is said.
    """
    inside_RE = last_epochs(block)
    decays_R = changes(block.rate_RE, inside_RE)
    rises_R = (just_rose(block.rate_RE) & inside_RE).any(axis=1)
    too_new_R = inside_RE.sum(axis=1) < LEAST
    climbs_R, large_R, numbers = _climbing(block, inside_RE)
    left_R, unfinished_R, of_schedule = _unfinished_schedule(block)
    numbers = {name: np.where(decays_R, np.nan, values_R) for name, values_R in numbers.items()}
    numbers |= {name: np.where(decays_R, values_R, np.nan) for name, values_R in of_schedule.items()}
    peak_R, last_R = block.rate_RE.max(axis=1), block.rate_RE[:, -1]
    numbers["highest_rate"] = np.where(last_R < CHANGED * peak_R, peak_R, np.nan)
    numbers["last_rate"] = np.where(last_R < CHANGED * peak_R, last_R, np.nan)
    return Examination(
        able_R=block.finite("val_loss"),
        fires_R=np.where(decays_R, unfinished_R, climbs_R) & ~rises_R & ~too_new_R,
        problem_R=np.where(decays_R, left_R > LEFT, large_R),
        numbers=numbers,
        reason="no validation loss at every epoch",
    )


def _climbing(block: Block, inside_RE: Flags) -> tuple[Flags, Flags, dict[str, Floats]]:
    """Fit a line to the epochs inside; its slope must be significant and steep enough to justify more epochs.

    Returns whether it is, whether that is a problem, and the numbers [R].
    """
    loss_RE, accuracy_RE = block.curves["val_loss"], block.curves["val_accuracy"]
    fall_R, fall_error_R, fall_noise_R = _climb(-loss_RE, inside_RE, 0.0)
    gain_R, gain_error_R, gain_noise_R = _climb(accuracy_RE, inside_RE, 0.5 / np.fmax(1, block.samples_R))
    level_R = np.where(inside_RE, np.abs(loss_RE), 0.0).sum(axis=1) / inside_RE.sum(axis=1)
    total_fall_R = np.fmax(_begun(block) - end_level(loss_RE), LEAST_FALL * fall_noise_R)
    worthwhile_R = (fall_R > LOSS_SHARE * level_R) | (fall_R > FALL_SHARE * total_fall_R)
    worthwhile_R &= fall_R > NOISES * fall_noise_R
    falling_R = (fall_R > ERRORS * fall_error_R) & worthwhile_R & _new_best(-loss_RE, inside_RE)
    gaining_R = (
        (gain_R > ERRORS * gain_error_R) & (gain_R > ACCURACY_GAIN) & _new_best(accuracy_RE, inside_RE)
    )
    large_R = falling_R & (fall_R > np.fmin(3 * LOSS_SHARE * level_R, FALL_SHARE * total_fall_R))
    numbers = {
        "window": inside_RE.sum(axis=1).astype(np.float64),
        "fall": np.where(falling_R, fall_R, np.nan),
        "share": np.where(falling_R, fall_R / level_R, np.nan),
        "noise": np.where(falling_R, fall_noise_R, np.nan),
        "gain": np.where(gaining_R, gain_R, np.nan),
        "gain_noise": np.where(gaining_R, gain_noise_R, np.nan),
    }
    return falling_R | gaining_R, large_R | gaining_R & (gain_R > 2 * ACCURACY_GAIN), numbers


def _unfinished_schedule(block: Block) -> tuple[Floats, Flags, dict[str, Floats]]:
    """Return the share of the loss's fall after half of the training time, whether it is large, and numbers.

    Every run falls while the rate decays, because the noise of the gradients fades. A run that had converged
    before has little of its whole fall left by then: a longer schedule would not bring more.
    """
    loss_RE, half_R = block.curves["val_loss"], half_of_training(block.rate_RE)
    width = max(3, block.epochs // 10)
    end_R, begun_R = end_level(loss_RE), _begun(block)
    fall_R = np.fmax(begun_R - end_R, 1e-300)
    left_R: Floats = (median_around(loss_RE, half_R, width) - end_R) / fall_R
    error_R = epoch_noise(loss_RE) / np.sqrt(width) / fall_R
    unfinished_R = np.asarray(left_R > np.fmax(LEFT, ERRORS * error_R), dtype=np.bool_)
    return left_R, unfinished_R, {"left": left_R, "half_epoch": half_R.astype(np.float64) + 1}


def _begun(block: Block) -> Floats:
    untrained_R = block.untrained["val_loss"]
    return np.where(np.isfinite(untrained_R), untrained_R, block.curves["val_loss"][:, 0])


def _new_best(curve_RE: Floats, inside_RE: Flags) -> Flags:
    """Return whether the end is above everything before the epochs inside, not a recovery [R]."""
    before_RE = np.where(inside_RE, -np.inf, running_median(curve_RE, 2))
    return np.asarray(end_level(curve_RE) > before_RE.max(axis=1), dtype=np.bool_)


def _climb(curve_RE: Floats, inside_RE: Flags, least_noise: Floats | float) -> tuple[Floats, Floats, Floats]:
    """Return the climb over the epochs inside, its error, and the noise of the second half [R]."""
    noise_R = np.fmax(epoch_noise(curve_RE[:, -(curve_RE.shape[1] // 2) :]), least_noise)
    return *line_change(curve_RE, inside_RE, noise_R), noise_R


def _describe_not_converged(runs: Affected) -> str:
    clauses = runs.clauses(
        {
            "fall": f"validation loss fell by {runs['fall']:.3g} ({runs['share'].percent}) over the last "
            f"{runs['window']:.0f} epochs",
            "gain": f"validation accuracy rose by {runs['gain']:.3f}",
            "left": f"{runs['left'].percent} of the fall of validation loss came in the second half of the "
            f"schedule, after epoch {runs['half_epoch']:.0f}",
        }
    )
    help_ = "Train for more epochs."
    if "last_rate" in runs:
        help_ = (
            f"The learning rate has decayed from {runs['highest_rate']:.3g} to {runs['last_rate']:.3g}: "
            "a longer schedule helps more than epochs at the last rate."
        )
    return f"Still improving at the end{runs.where}: {' and '.join(clauses)}. {help_}"


NOT_CONVERGED = Check("not converged", in_blocks(_examine_convergence), _describe_not_converged)
