"""Overfitting: validation loss turns up while training loss goes on falling, and from which epoch."""

from dataclasses import dataclass

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import Flags, Floats, average, end_level, hinge, local_noise, noise, smooth

ERRORS = 5.0  # standard errors, that the loss must have risen by
AVERAGED = 5  # epochs behind the level of the minimum, and of the end
SHARE = 0.05  # of its minimum
TRAIN_SHARE = 0.1  # of training loss at the turn, that it must have fallen by since
SERIOUS = 0.25
WAY_UP = (
    0.35  # of the rise, that the bend is looked for in: of all, a loss that climbs ever faster bends late
)
DROP = 0.03  # of validation accuracy, from which overfitting costs something


@dataclass(frozen=True)
class Turn:
    """Where validation loss turns up [R], counted from epoch 1, its minimum, and what it came to."""

    epoch_R: Floats
    lowest_R: Floats
    end_R: Floats
    noise_R: Floats
    train_R: Floats
    train_end_R: Floats
    up_R: Flags


def turn(block: Block) -> Turn:
    """Find where the smoothed validation loss turns up, and whether it rose for good from its minimum."""
    loss_RE, train_RE = block.curves["val_loss"], block.curves["train_loss"]
    half = max(1, block.epochs // 40)
    smoothed_RE = average(block.smoothed["val_loss"], half)
    least_R = smoothed_RE.argmin(axis=1)
    rows_R = np.arange(len(loss_RE))
    lowest_R, end_R = smoothed_RE[rows_R, least_R], end_level(loss_RE)
    noise_R, end_noise_R = local_noise(loss_RE)[rows_R, least_R], noise(loss_RE[:, -block.epochs // 3 :])
    rise_R, error_R = end_R - lowest_R, np.hypot(noise_R, end_noise_R) / AVERAGED**0.5
    train_R, train_end_R = block.smoothed["train_loss"][rows_R, least_R], end_level(train_RE)
    falling_R = train_R - train_end_R > TRAIN_SHARE * np.abs(train_R)
    up_R = (rise_R > ERRORS * error_R) & (rise_R > SHARE * np.abs(lowest_R)) & falling_R
    inside_RE = _around(smoothed_RE, lowest_R + 2 * error_R, lowest_R + WAY_UP * rise_R)
    bend_R = np.maximum(hinge(smooth(loss_RE, 1), inside_RE), least_R)
    return Turn(bend_R + 1.0, lowest_R, end_R, noise_R, train_R, train_end_R, up_R)


def _around(smoothed_RE: Floats, bottom_R: Floats, upper_R: Floats) -> Flags:
    """Return the epochs from the first at the bottom to the first at `upper_R` behind the minimum [R, E].

    The bend is looked for there: a loss may lie flat for long before it turns, and level off after.
    """
    epoch_E = np.arange(smoothed_RE.shape[1])
    begin_R = (smoothed_RE <= bottom_R[:, None]).argmax(axis=1)
    least_R = smoothed_RE.argmin(axis=1)
    up_RE = (smoothed_RE >= upper_R[:, None]) & (epoch_E > least_R[:, None])
    until_R = np.where(up_RE, epoch_E, len(epoch_E)).min(axis=1)
    return np.asarray((epoch_E >= begin_R[:, None]) & (epoch_E <= until_R[:, None]), dtype=np.bool_)


def examine(block: Block) -> Verdict:
    """Fire where the loss turned up; it is a problem from a quarter of its minimum, or if accuracy fell."""
    found = turn(block)
    share_R = (found.end_R - found.lowest_R) / np.abs(found.lowest_R)
    return Verdict(
        able_R=block.finite("val_loss", "train_loss"),
        fired_R=found.up_R,
        problem_R=(share_R >= SERIOUS) | (accuracy_change(block, found) < -DROP),
        numbers={
            "epoch": found.epoch_R,
            "lowest": found.lowest_R,
            "end": found.end_R,
            "share": share_R,
            "noise": found.noise_R,
            "train_loss": found.train_R,
            "train_loss_end": found.train_end_R,
        },
        reason="no validation and training loss at every epoch",
    )


def accuracy_change(block: Block, found: Turn) -> Floats:
    """Return how much validation accuracy changed from the turn to the end [R]; NaN if there is none."""
    rows_R, turn_R = np.arange(len(block.runs)), found.epoch_R.astype(np.int64) - 1
    at_turn_R = block.smoothed["val_accuracy"][rows_R, turn_R]
    return np.asarray(end_level(block.curves["val_accuracy"]) - at_turn_R, dtype=np.float64)


def find(evidence: Evidence) -> Found:
    """Look at every run that completed."""
    return by_block(evidence, examine)


def describe(told: Told) -> str:
    """Say from where, how far up, beside which noise, and what training did meanwhile."""
    return (
        f"Overfits from {told.epoch()}{told.where}: validation loss turns up from {told.loss('lowest')} "
        f"to {told.loss('end')} (by {told.percent('share')}; its epoch-to-epoch noise is "
        f"{told.loss('noise')}) while training loss falls from {told.loss('train_loss')} "
        f"to {told.loss('train_loss_end')}."
    )


CHECK = Check("overfitting", find, describe)
