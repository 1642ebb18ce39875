"""Training failures: diverged, never learned, unstable. Axes: R runs, E epochs."""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import Floats, end_level, epoch_noise, local_noise
from dlx.report.load import METRICS

GUESSING_DEVIATIONS = 3.0  # above the accuracy of guessing; one run in 740 gets there by luck
SPIKE_REACH = 10  # epochs within which a spike rises and falls again
SPIKE_DEVIATIONS = 10.0  # of the epoch-to-epoch noise
LOSS_SHARE = 0.15  # of the loss before training: a spike of 0.35 with ten classes
DIP = 0.08  # of accuracy
FALL = 0.08  # of training accuracy, from its best to the end
SWING = 0.06  # epoch-to-epoch noise of accuracy


def _detect_diverged(evidence: Evidence) -> Detections:
    """Report the runs with that status, and the first epoch without a finite loss or after the last row."""
    detections = Detections(problems=set(evidence.diverged))
    for run in evidence.diverged:
        detections.numbers[run] = {}
        if (history_EM := evidence.histories.get(run)) is not None:
            lost_EM = np.isnan(history_EM)
            train_E, val_E = (lost_EM[:, METRICS.index(name)] for name in ("train_loss", "val_loss"))
            lost_E = (train_E & (np.arange(len(history_EM)) > 0)) | (val_E & ~val_E.all())
            epoch = lost_E.argmax() if lost_E.any() else len(history_EM)
            detections.numbers[run] = {"epoch": float(epoch)}
    return detections


def _describe_diverged(runs: Affected) -> str:
    when = f" at epoch {runs['epoch']:.0f}" if "epoch" in runs else ""
    return f"Diverged{when}{runs.where}: the loss was no longer a finite number."


def accuracy_by_luck(block: Block) -> Floats:
    """Return the accuracy that guessing exceeds once in 740 runs [R], given the validation set's size."""
    deviation_R = np.sqrt(block.chance_R * (1 - block.chance_R) / block.samples_R)
    return np.asarray(block.chance_R + GUESSING_DEVIATIONS * deviation_R)


def _examine_learning(block: Block) -> Examination:
    """Compare the best smoothed accuracy with guessing or, without accuracies, the loss with epoch 0's."""
    accurate_R, bound_R = block.finite("val_accuracy"), accuracy_by_luck(block)
    best_R = block.smoothed["val_accuracy"].max(axis=1)
    untrained_R, lowest_R = block.untrained["val_loss"], block.smoothed["val_loss"].min(axis=1)
    by_loss_R = ~accurate_R & block.finite("val_loss") & np.isfinite(untrained_R)
    return Examination(
        able_R=accurate_R & np.isfinite(bound_R) | by_loss_R,
        fires_R=np.where(by_loss_R, lowest_R >= untrained_R, best_R <= bound_R),
        problem_R=np.ones(len(best_R), dtype=bool),
        numbers={
            "accuracy": np.where(by_loss_R, np.nan, best_R),
            "chance": np.where(by_loss_R, np.nan, block.chance_R),
            "bound": np.where(by_loss_R, np.nan, bound_R),
            "samples": np.where(by_loss_R, np.nan, block.samples_R),
            "lowest": np.where(by_loss_R, lowest_R, np.nan),
            "begun": np.where(by_loss_R, untrained_R, np.nan),
        },
        reason="no validation accuracy, or the number of classes or validation samples is unknown",
    )


def _describe_never_learned(runs: Affected) -> str:
    if "lowest" in runs:
        return (
            f"Never learned{runs.where}: validation loss never fell below {runs['lowest']:.3g}; "
            f"before training it was {runs['begun']:.3g}."
        )
    return (
        f"Never learned{runs.where}: validation accuracy never exceeded {runs['accuracy']:.3f}. "
        f"Guessing reaches {runs['chance']:.3f} on average and up to {runs['bound']:.3f} by luck "
        f"on {runs['samples']:,.0f} samples."
    )


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


def tallest_spike(curve_RE: Floats, floor_R: Floats | float) -> tuple[Floats, Floats]:
    """Return the height and the epoch of the tallest spike above `floor_R` [R]; NaN without one."""
    height_RE = prominence(curve_RE)
    bound_RE = np.fmax(SPIKE_DEVIATIONS * local_noise(curve_RE), np.asarray(floor_R)[..., None])
    height_RE = np.where(height_RE > bound_RE, height_RE, 0.0)
    height_R = height_RE.max(axis=1)
    return (
        np.where(height_R > 0, height_R, np.nan),
        np.where(height_R > 0, height_RE.argmax(axis=1) + 1.0, np.nan),
    )


def _examine_stability(block: Block) -> Examination:
    """Look for spikes in the losses, and for dips, swings and a lasting fall in the accuracies."""
    val_loss_RE, train_RE = block.curves["val_loss"], block.curves["train_accuracy"]
    val_RE, smoothed_RE = block.curves["val_accuracy"], block.smoothed["train_accuracy"]
    untrained_R = np.abs(block.untrained["val_loss"])
    floor_R = LOSS_SHARE * np.where(np.isfinite(untrained_R), untrained_R, np.abs(val_loss_RE[:, 0]))
    val_spike_R, val_epoch_R = tallest_spike(val_loss_RE, floor_R)
    train_spike_R, train_epoch_R = tallest_spike(block.curves["train_loss"], floor_R)
    dip_R, dip_epoch_R = tallest_spike(-val_RE, DIP)
    fall_R = smoothed_RE.max(axis=1) - end_level(train_RE)
    fallen_R = (fall_R > FALL) & (fall_R > SPIKE_DEVIATIONS / 2 * epoch_noise(train_RE))
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
            "best_epoch": np.where(fallen_R, smoothed_RE.argmax(axis=1) + 1.0, np.nan),
            "train_accuracy": np.where(fallen_R, end_level(train_RE), np.nan),
            "swing": np.where(swings_R, swing_R, np.nan),
        },
        reason="no validation and training loss at every epoch",
    )


def _describe_unstable(runs: Affected) -> str:
    """Describe the worst of each symptom, the most serious symptom first."""
    symptoms = {
        "train_accuracy": f"training accuracy fell from {runs['best_train_accuracy']:.3f} "
        f"(at epoch {runs['best_epoch']:.0f}) to {runs['train_accuracy']:.3f} at the end",
        "swing": f"validation accuracy swings by {runs['swing']:.3f} from epoch to epoch",
        "dip": f"validation accuracy drops by {runs['dip']:.3f} at epoch {runs['dip_epoch']:.0f}",
        "val_spike": f"validation loss jumps by {runs['val_spike']:.3g} "
        f"at epoch {runs['val_spike_epoch']:.0f}",
        "train_spike": f"training loss jumps by {runs['train_spike']:.3g} "
        f"at epoch {runs['train_spike_epoch']:.0f}",
    }
    return f"Unstable{runs.where}: {'; '.join(runs.clauses(symptoms))}."


DIVERGED = Check("diverged", _detect_diverged, _describe_diverged, training_failure=True, on_surfaces=True)
NEVER_LEARNED = Check(
    "never learned", in_blocks(_examine_learning, shortest=1), _describe_never_learned, training_failure=True
)
UNSTABLE = Check("unstable", in_blocks(_examine_stability), _describe_unstable, training_failure=True)
