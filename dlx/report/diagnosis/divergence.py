"""Runs that diverged, that lost single epochs, or whose last epochs collapsed. Axes: R runs, E epochs."""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Examination, Numbers, in_blocks
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.instability import DIP, LOSS_SHARE, SPIKE_DEVIATIONS, loss_before_training
from dlx.report.diagnosis.schedule import just_rose
from dlx.report.diagnosis.trend import Floats, epoch_noise
from dlx.report.load import METRICS

LAST = 3  # epochs at the end that may have collapsed
BEFORE = 10  # epochs before these, of which the median is the level to fall from
DEVIATIONS = 6.0  # of the epoch-to-epoch noise of accuracy; 2 of 16,800 healthy simulated runs fall as far
SAMPLING = 4.0  # standard deviations of an accuracy on the validation samples


def _detect_diverged(evidence: Evidence) -> Detections:
    """Report the runs with that status, and the first epoch without a finite loss or after the last row."""
    detections = Detections()
    for run in evidence.diverged:
        numbers: Numbers = {}
        if (history_EM := evidence.histories.get(run)) is not None:
            lost_EM = np.isnan(history_EM)
            train_E, val_E = (lost_EM[:, METRICS.index(name)] for name in ("train_loss", "val_loss"))
            lost_E = (train_E & (np.arange(len(history_EM)) > 0)) | (val_E & ~val_E.all())
            epoch = lost_E.argmax() if lost_E.any() else len(history_EM)
            numbers["epoch"] = float(epoch)
        detections.add(run, "problem", numbers)
    return detections


def _describe_diverged(runs: Affected) -> str:
    when = f" at epoch {runs['epoch']:.0f}" if "epoch" in runs else ""
    return f"Diverged{when}{runs.where}: the loss was no longer a finite number. Try a lower learning rate."


def _examine_lost_epochs(block: Block) -> Examination:
    """Look for epochs without a finite value in curves that have one at most epochs."""
    lost_RE = np.any([block.lost[name] for name in METRICS], axis=0)
    last_R = lost_RE[:, -1]
    return Examination(
        able_R=np.ones(len(lost_RE), dtype=bool),
        fires_R=lost_RE.any(axis=1),
        problem_R=True,
        numbers={
            "lost": lost_RE.sum(axis=1).astype(np.float64),
            "epoch": lost_RE.argmax(axis=1) + 1.0,
            "last": np.where(last_R, float(block.epochs), np.nan),
        },
        reason="",
    )


def _describe_lost_epochs(runs: Affected) -> str:
    lost = "one epoch has" if f"{runs['lost']:.0f}" == "1" else f"{runs['lost']:.0f} epochs have"
    score = " The last epoch, which is the score, is one of them." if "last" in runs else ""
    return (
        f"NaN or infinite metrics{runs.where}: from epoch {runs['epoch']:.0f}, "
        f"{lost} no finite value.{score} Lower the learning rate, or look for log(0) and division by 0."
    )


def _examine_last_epochs(block: Block) -> Examination:
    """Compare the last epoch with the ten epochs before the last three."""
    accuracy_RE, loss_RE = block.curves["val_accuracy"], block.curves["val_loss"]
    level_R = _level_before(accuracy_RE)
    loss_level_R = -_level_before(-loss_RE)
    sampling_R = np.sqrt(np.fmax(level_R * (1 - level_R), 1e-4) / block.samples_R)
    bound_R = np.fmax(DEVIATIONS * epoch_noise(accuracy_RE[:, :-LAST]), DIP)
    drop_RE = level_R[:, None] - accuracy_RE[:, -LAST:]
    fell_R = drop_RE[:, -1] > np.fmax(bound_R, SAMPLING * sampling_R)
    loss_bound_R = np.fmax(
        SPIKE_DEVIATIONS * epoch_noise(loss_RE[:, :-LAST]), LOSS_SHARE * loss_before_training(block)
    )
    rise_RE = loss_RE[:, -LAST:] - loss_level_R[:, None]
    rose_R = ~fell_R & (rise_RE[:, -1] > loss_bound_R)
    gone_RE = np.where(fell_R[:, None], drop_RE > drop_RE[:, -1:] / 2, rise_RE > rise_RE[:, -1:] / 2)
    restarted_R = just_rose(block.rate_RE)[:, -1]
    return Examination(
        able_R=block.finite("val_loss"),
        fires_R=fell_R | rose_R,
        problem_R=fell_R | ~block.finite("val_accuracy"),
        numbers={
            "epochs": np.cumprod(gone_RE[:, ::-1], axis=1).sum(axis=1).astype(np.float64),
            "accuracy": np.where(fell_R, accuracy_RE[:, -1], np.nan),
            "accuracy_before": np.where(fell_R, level_R, np.nan),
            "loss": np.where(rose_R, loss_RE[:, -1], np.nan),
            "loss_before": np.where(rose_R, loss_level_R, np.nan),
            "rate": np.where(restarted_R, block.rate_RE[:, -1], np.nan),
        },
        reason="no validation loss at every epoch",
    )


def _level_before(curve_RE: Floats) -> Floats:
    """Return the level before the last epochs [R]: the lower of the last ten's median and the last three's.

    So a fall that happened before the last epochs is not a collapse at the end.
    """
    ten_R, three_R = (
        np.median(curve_RE[:, -BEFORE - LAST : -LAST], axis=1),
        np.median(curve_RE[:, -2 * LAST : -LAST], axis=1),
    )
    return np.asarray(np.fmin(ten_R, three_R), dtype=np.float64)


def _describe_last_epochs(runs: Affected) -> str:
    fall = (
        f"validation accuracy is {runs['accuracy']:.4f} at the last epoch and was "
        f"{runs['accuracy_before']:.4f} shortly before"
    )
    rise = f"validation loss is {runs['loss']:.3g} at the last epoch and was {runs['loss_before']:.3g} before"
    clauses = "; ".join(runs.clauses({"accuracy": fall, "loss": rise}))
    epochs = f"{runs['epochs']:.0f}"
    help_ = (
        f"The learning rate had just risen to {runs['rate']:.3g}: end at its low point."
        if "rate" in runs
        else "Compare the best epochs instead, or train again with a lower learning rate."
    )
    return (
        f"Collapses in the last {'epoch' if epochs == '1' else f'{epochs} epochs'}{runs.where}: {clauses}. "
        f"The last epoch is the score. {help_}"
    )


DIVERGED = Check("diverged", _detect_diverged, _describe_diverged, training_failure=True, on_surfaces=True)
LOST_EPOCHS = Check("lost epochs", in_blocks(_examine_lost_epochs, shortest=1), _describe_lost_epochs)
COLLAPSED = Check(
    "collapse at the end",
    in_blocks(_examine_last_epochs),
    _describe_last_epochs,
    training_failure=True,
    instead_of=("unstable",),
)
