"""Unstable training: spikes, dips, swings, and a lasting fall of accuracy. Axes: R runs, E epochs."""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.schedule import RISE, just_rose
from dlx.report.diagnosis.trend import Flags, Floats, end_epochs, end_level, epoch_noise, local_noise

SPIKE_REACH = 10  # epochs within which a spike rises and falls again
SPIKE_DEVIATIONS = 10.0  # of the epoch-to-epoch noise
LOSS_SHARE = 0.15  # of the loss before training: a spike of 0.35 with ten classes
DIP = 0.08  # of accuracy
FALL = 0.08  # of training accuracy, from its best to the end
SWING = 0.06  # epoch-to-epoch noise of accuracy


def loss_before_training(block: Block) -> Floats:
    """Return the validation loss before training, or after the first epoch if that is missing [R]."""
    untrained_R = np.abs(block.untrained["val_loss"])
    first_R = np.abs(block.curves["val_loss"][:, 0])
    return np.asarray(np.where(np.isfinite(untrained_R), untrained_R, first_R), dtype=np.float64)


def prominence(curve_RE: Floats) -> Floats:
    """Return each epoch's height above the lowest value within SPIKE_REACH epochs on either side [R, E].

    The side with the higher lowest value counts, so that neither a step nor a descent is a spike.
    """
    padded_RE = np.pad(curve_RE, ((0, 0), (SPIKE_REACH, SPIKE_REACH)), mode="edge")
    windows_REW = np.lib.stride_tricks.sliding_window_view(padded_RE, SPIKE_REACH + 1, axis=1)
    least_RE = windows_REW.min(axis=2)
    epochs = curve_RE.shape[1]
    before_RE, after_RE = least_RE[:, :epochs], least_RE[:, SPIKE_REACH : SPIKE_REACH + epochs]
    return np.asarray(curve_RE - np.maximum(before_RE, after_RE), dtype=np.float64)


def tallest_spike(curve_RE: Floats, floor_R: Floats | float, expected_RE: Flags) -> tuple[Floats, Floats]:
    """Return height and epoch of the tallest unexpected spike above `floor_R` [R]; NaN without one."""
    height_RE = np.where(expected_RE, 0.0, prominence(curve_RE))
    bound_RE = np.fmax(SPIKE_DEVIATIONS * local_noise(curve_RE), np.asarray(floor_R)[..., None])
    height_RE = np.where(height_RE > bound_RE, height_RE, 0.0)
    height_R = height_RE.max(axis=1)
    return (
        np.where(height_R > 0, height_R, np.nan),
        np.where(height_R > 0, height_RE.argmax(axis=1) + 1.0, np.nan),
    )


def _examine_stability(block: Block) -> Examination:
    """Look for spikes in the losses, and for dips, swings and a lasting fall in the accuracies.

    What happens just after the learning rate has risen is expected: a warm-up, a restart, a cycle. So is a
    fall since the best epoch if the rate was lower then.
    """
    val_loss_RE, train_RE = block.curves["val_loss"], block.curves["train_accuracy"]
    val_RE, smoothed_RE = block.curves["val_accuracy"], block.smoothed["train_accuracy"]
    floor_R, expected_RE = LOSS_SHARE * loss_before_training(block), just_rose(block.rate_RE)
    val_spike_R, val_epoch_R = tallest_spike(val_loss_RE, floor_R, expected_RE)
    train_spike_R, train_epoch_R = tallest_spike(block.curves["train_loss"], floor_R, expected_RE)
    dip_R, dip_epoch_R = tallest_spike(-val_RE, DIP, expected_RE)
    best_R, end_R = smoothed_RE.argmax(axis=1), end_level(train_RE)
    fall_R = smoothed_RE.max(axis=1) - end_R
    lower_then_R = block.rate_RE[:, -1] > RISE * block.rate_RE[np.arange(len(best_R)), best_R]
    fallen_R = (fall_R > FALL) & (fall_R > SPIKE_DEVIATIONS / 2 * epoch_noise(train_RE)) & ~lower_then_R
    swing_R = epoch_noise(val_RE[:, block.epochs // 3 :])
    swings_R = (swing_R > SWING) & (swing_R > 3 * np.sqrt(0.25 / block.samples_R))
    spiked_R = np.isfinite(val_spike_R) | np.isfinite(train_spike_R) | np.isfinite(dip_R)
    return Examination(
        able_R=block.finite("val_loss", "train_loss"),
        fires_R=spiked_R | fallen_R | swings_R,
        problem_R=fallen_R | swings_R | (dip_R > 2 * DIP) | (val_spike_R > 2 * floor_R),
        numbers={
            "val_spike": val_spike_R,
            "val_spike_epoch": val_epoch_R,
            "train_spike": train_spike_R,
            "train_spike_epoch": train_epoch_R,
            "dip": dip_R,
            "dip_epoch": dip_epoch_R,
            "best_train_accuracy": np.where(fallen_R, smoothed_RE.max(axis=1), np.nan),
            "best_epoch": np.where(fallen_R, best_R + 1.0, np.nan),
            "train_accuracy": np.where(fallen_R, end_R, np.nan),
            "window": np.where(fallen_R, float(end_epochs(block.epochs)), np.nan),
            "swing": np.where(swings_R, swing_R, np.nan),
        },
        reason="no validation and training loss at every epoch",
    )


def _describe_unstable(runs: Affected) -> str:
    """Describe the worst of each symptom, the most serious symptom first."""
    symptoms = {
        "train_accuracy": f"training accuracy fell from {runs['best_train_accuracy']:.3f} "
        f"(at epoch {runs['best_epoch']:.0f}) to {runs['train_accuracy']:.3f}, the median of the last "
        f"{runs['window']:.0f} epochs",
        "swing": f"validation accuracy swings by {runs['swing']:.3f} from epoch to epoch",
        "dip": f"validation accuracy drops by {runs['dip']:.3f} at epoch {runs['dip_epoch']:.0f}",
        "val_spike": f"validation loss jumps by {runs['val_spike']:.3g} "
        f"at epoch {runs['val_spike_epoch']:.0f}",
        "train_spike": f"training loss jumps by {runs['train_spike']:.3g} "
        f"at epoch {runs['train_spike_epoch']:.0f}",
    }
    return f"Unstable{runs.where}: {'; '.join(runs.clauses(symptoms))}. Try a lower learning rate."


UNSTABLE = Check("unstable", in_blocks(_examine_stability), _describe_unstable, training_failure=True)
