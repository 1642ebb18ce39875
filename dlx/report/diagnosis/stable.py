"""Unstable: spikes that come and go, a net that forgets what it knew, swings from epoch to epoch.

Axes: R runs, E epochs.
"""

from collections.abc import Callable

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import Floats, end_level, local_noise, noise

REACH = 10  # epochs within which a spike has begun and gone
DEVIATIONS = 10.0  # of the epoch-to-epoch noise
LOSS_SHARE = 0.15  # of the loss before training: a spike of 0.35 with ten classes
DIP = 0.08  # of accuracy
FALL = 0.08  # of training accuracy, from its best to the end
SWING = 0.06  # epoch-to-epoch noise of accuracy


def prominence(curve_RE: Floats) -> Floats:
    """Return how far each epoch stands above the lowest value within REACH epochs on either side [R, E].

    The higher of the two sides counts, so that a step, or a curve on its way down, is no spike.
    """
    padded_RE = np.pad(curve_RE, ((0, 0), (REACH, REACH)), mode="edge")
    windows_REW = np.lib.stride_tricks.sliding_window_view(padded_RE, REACH + 1, axis=1)
    least_RE = windows_REW.min(axis=2)
    epochs = curve_RE.shape[1]
    before_RE, after_RE = least_RE[:, :epochs], least_RE[:, REACH : REACH + epochs]
    return np.asarray(curve_RE - np.maximum(before_RE, after_RE), dtype=np.float64)


def spikes(curve_RE: Floats, floor_R: Floats) -> tuple[Floats, Floats]:
    """Return the height and the epoch of the tallest spike [R], NaN without one."""
    above_RE = prominence(curve_RE)
    over_RE = above_RE > np.fmax(DEVIATIONS * local_noise(curve_RE), floor_R[:, None])
    any_R = over_RE.any(axis=1)
    above_RE = np.where(over_RE, above_RE, 0.0)
    return (
        np.where(any_R, above_RE.max(axis=1), np.nan),
        np.where(any_R, above_RE.argmax(axis=1) + 1.0, np.nan),
    )


def examine(block: Block) -> Verdict:
    """Look for spikes of the losses, dips of validation accuracy, a fall of training accuracy, and swings."""
    loss_RE, train_RE = block.curves["val_loss"], block.curves["train_loss"]
    accuracy_RE, learned_RE = block.curves["val_accuracy"], block.curves["train_accuracy"]
    scale_R = LOSS_SHARE * np.abs(block.untrained["val_loss"])
    scale_R = np.where(np.isfinite(scale_R), scale_R, LOSS_SHARE * np.abs(loss_RE[:, 0]))
    val_spike_R, val_epoch_R = spikes(loss_RE, scale_R)
    train_spike_R, train_epoch_R = spikes(train_RE, scale_R)
    dip_R, dip_epoch_R = spikes(-accuracy_RE, np.full(len(scale_R), DIP))
    best_RE = block.smoothed["train_accuracy"]
    fall_R = best_RE.max(axis=1) - end_level(learned_RE)
    fallen_R = (fall_R > FALL) & (fall_R > DEVIATIONS / 2 * noise(learned_RE))
    swing_R = noise(accuracy_RE[:, block.epochs // 3 :])
    swings_R = (swing_R > SWING) & (swing_R > 3 * np.sqrt(0.25 / block.samples_R))
    spiked_R = np.isfinite(val_spike_R) | np.isfinite(train_spike_R) | np.isfinite(dip_R)
    hidden_R = np.full(len(scale_R), np.nan)
    return Verdict(
        able_R=block.finite("val_loss", "train_loss"),
        fired_R=spiked_R | fallen_R | swings_R,
        problem_R=fallen_R | swings_R | (dip_R > 2 * DIP) | (val_spike_R > 2 * scale_R),
        numbers={
            "val_spike": val_spike_R,
            "val_spike_epoch": val_epoch_R,
            "train_spike": train_spike_R,
            "train_spike_epoch": train_epoch_R,
            "dip": dip_R,
            "dip_epoch": dip_epoch_R,
            "best_train_accuracy": np.where(fallen_R, best_RE.max(axis=1), hidden_R),
            "best_epoch": np.where(fallen_R, best_RE.argmax(axis=1) + 1.0, hidden_R),
            "train_accuracy": np.where(fallen_R, end_level(learned_RE), hidden_R),
            "swing": np.where(swings_R, swing_R, hidden_R),
        },
        reason="no validation and training loss at every epoch",
    )


def find(evidence: Evidence) -> Found:
    """Look at every run that completed."""
    return by_block(evidence, examine)


def describe(told: Told) -> str:
    """Name the worst of each sort that occurs."""
    sorts: dict[str, Callable[[], str]] = {
        "train_accuracy": lambda: (
            f"training accuracy fell from {told.accuracy('best_train_accuracy')} "
            f"(at {told.epoch('best_epoch')}) to {told.accuracy('train_accuracy')} at the end"
        ),
        "swing": lambda: f"validation accuracy swings by {told.accuracy('swing')} from epoch to epoch",
        "dip": lambda: f"validation accuracy dips by {told.accuracy('dip')} at {told.epoch('dip_epoch')}",
        "val_spike": lambda: (
            f"validation loss jumps by {told.loss('val_spike')} at {told.epoch('val_spike_epoch')}"
        ),
        "train_spike": lambda: (
            f"training loss jumps by {told.loss('train_spike')} at {told.epoch('train_spike_epoch')}"
        ),
    }
    parts = [f"{write()}{told.some(name)}" for name, write in sorts.items() if told.has(name)]
    return f"Unstable{told.where}: {'; '.join(parts)}."


CHECK = Check("unstable", find, describe)
