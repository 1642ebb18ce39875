"""Overfitting and over-confidence: validation loss rises while training loss falls.

Axes: R runs, E epochs.
"""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Examination, Numbers, in_blocks
from dlx.report.diagnosis.evidence import BINS, CLASSIFYING, Block, Evidence
from dlx.report.diagnosis.training_failures import NEVER_LEARNED
from dlx.report.diagnosis.trend import (
    Flags,
    Floats,
    end_level,
    epoch_noise,
    find_breakpoint,
    local_noise,
    running_mean,
    running_median,
)

ERRORS = 5.0  # standard errors by which the loss must rise
AVERAGED = 5  # epochs averaged for the levels of the minimum and the end
SHARE = 0.05  # of its minimum by which the loss must rise
TRAIN_SHARE = 0.1  # by which training loss must fall after the upturn, as a share of its value there
SERIOUS = 0.25  # share of its minimum: a larger rise is a problem
WAY_UP = 0.35  # part of the rise searched for the upturn, because a loss that accelerates breaks late
DROP = 0.03  # of validation accuracy: a larger one is a problem

CALIBRATION_ERROR = 0.05  # smallest expected calibration error that is reported
DEVIATIONS = 4.0  # above the error of a perfectly calibrated model
STAYS = 0.02  # largest fall of an accuracy that counts as unchanged


def find_upturn(block: Block) -> tuple[Flags, Floats, dict[str, Floats]]:
    """Find where the smoothed validation loss turns upwards [R].

    Returns whether it stayed up and rose by more than noise explains, the change of validation accuracy from
    then to the end, and the numbers of the finding: the epoch (from 1), the lowest and last loss, and others.
    """
    loss_RE, train_RE = block.curves["val_loss"], block.curves["train_loss"]
    smoothed_RE = running_mean(block.smoothed["val_loss"], max(1, block.epochs // 40))
    rows_R, least_R = np.arange(len(loss_RE)), smoothed_RE.argmin(axis=1)
    lowest_R, end_R = smoothed_RE[rows_R, least_R], end_level(loss_RE)
    train_R, train_end_R = block.smoothed["train_loss"][rows_R, least_R], end_level(train_RE)
    noise_R = local_noise(loss_RE)[rows_R, least_R]
    end_noise_R = epoch_noise(loss_RE[:, -block.epochs // 3 :])
    rise_R, error_R = end_R - lowest_R, np.hypot(noise_R, end_noise_R) / AVERAGED**0.5
    falling_R = train_R - train_end_R > TRAIN_SHARE * np.abs(train_R)
    inside_RE = _around(smoothed_RE, lowest_R + 2 * error_R, lowest_R + WAY_UP * rise_R)
    upturn_R = np.maximum(find_breakpoint(running_median(loss_RE, 1), inside_RE), least_R)
    accuracy_R = block.smoothed["val_accuracy"][rows_R, upturn_R]
    return (
        (rise_R > ERRORS * error_R) & (rise_R > SHARE * np.abs(lowest_R)) & falling_R,
        end_level(block.curves["val_accuracy"]) - accuracy_R,
        {
            "epoch": upturn_R + 1.0,
            "lowest": lowest_R,
            "end": end_R,
            "share": rise_R / np.abs(lowest_R),
            "noise": noise_R,
            "train_loss": train_R,
            "train_loss_end": train_end_R,
        },
    )


def _around(smoothed_RE: Floats, bottom_R: Floats, upper_R: Floats) -> Flags:
    """Return the epochs to search for the breakpoint: from the bottom of the loss up to `upper_R` [R, E].

    Epochs further away would mislead: a loss may be flat long before it turns upwards, and level off later.
    """
    epoch_E = np.arange(smoothed_RE.shape[1])
    begin_R = (smoothed_RE <= bottom_R[:, None]).argmax(axis=1)
    least_R = smoothed_RE.argmin(axis=1)
    up_RE = (smoothed_RE >= upper_R[:, None]) & (epoch_E > least_R[:, None])
    until_R = np.where(up_RE, epoch_E, len(epoch_E)).min(axis=1)
    return np.asarray((epoch_E >= begin_R[:, None]) & (epoch_E <= until_R[:, None]), dtype=np.bool_)


def _examine_overfitting(block: Block) -> Examination:
    """Find upturns; they are a problem if the loss rose by a quarter of its minimum or accuracy fell."""
    real_R, accuracy_change_R, numbers = find_upturn(block)
    return Examination(
        able_R=block.finite("val_loss", "train_loss"),
        fires_R=real_R,
        problem_R=(numbers["share"] >= SERIOUS) | (accuracy_change_R < -DROP),
        numbers=numbers,
        reason="no validation and training loss at every epoch",
    )


def _describe_overfitting(runs: Affected) -> str:
    return (
        f"Overfits from epoch {runs['epoch']:.0f}{runs.where}: validation loss rises from "
        f"{runs['lowest']:.3g} to {runs['end']:.3g} (by {runs['share'].percent}) while training loss falls "
        f"from {runs['train_loss']:.3g} to {runs['train_loss_end']:.3g}. "
        f"Epoch-to-epoch noise of validation loss: {runs['noise']:.3g}."
    )


def _detect_over_confidence(evidence: Evidence) -> Detections:
    """Measure the calibration error of stored predictions; without them, judge a run by its curves."""
    detections, rising = Detections(), _detect_rise(evidence).numbers
    guessing = NEVER_LEARNED.detect(evidence).numbers
    for run in evidence.completed:
        loss = evidence.data.settings[run].get("loss.name", CLASSIFYING[0])
        if loss not in CLASSIFYING:
            detections.unchecked[f"outputs trained with {loss} are not logits"] += 1
            continue
        measured = _measure(evidence, run)
        if isinstance(measured, str):
            detections.unchecked[f"{measured}, so the calibration error is unknown"] += 1
            measured = rising.get(run, {})
        elif measured:
            measured |= rising.get(run, {})
        if measured and run not in guessing:
            detections.numbers[run] = measured
    return detections


def _measure(evidence: Evidence, run: str) -> Numbers | str:
    """Return the numbers of an over-confident run, {} for a calibrated one, or why they are unknown."""
    if run not in evidence.predictions:
        return "no predictions.npz"
    statistics = evidence.predictions[run]
    if statistics is None or statistics.calibration is None:
        return f"{'outputs that are not finite in' if statistics else 'damaged'} predictions.npz"
    seen = statistics.calibration
    beyond = seen.error > max(CALIBRATION_ERROR, seen.by_chance + DEVIATIONS * seen.deviation)
    if not beyond or seen.confidence <= seen.accuracy:
        return {}
    return {
        "calibration_error": seen.error,
        "by_chance": seen.by_chance,
        "confidence": seen.confidence,
        "accuracy": seen.accuracy,
    }


def _examine_rise(block: Block) -> Examination:
    """Find runs whose validation loss rose by a quarter of its minimum while accuracy did not fall."""
    real_R, change_R, numbers = find_upturn(block)
    stays_R = change_R > -np.fmax(STAYS, 2 * epoch_noise(block.curves["val_accuracy"]))
    return Examination(
        able_R=block.finite("val_loss", "train_loss", "val_accuracy"),
        fires_R=real_R & stays_R & (numbers["end"] > (1 + SERIOUS) * numbers["lowest"]),
        problem_R=np.zeros(len(stays_R), dtype=bool),
        numbers={name: numbers[name] for name in ("epoch", "lowest", "end")} | {"accuracy_change": change_R},
        reason="no losses and accuracy at every epoch",
    )


_detect_rise = in_blocks(_examine_rise)


def _describe_over_confidence(runs: Affected) -> str:
    error = (
        f"at the last epoch, mean confidence is {runs['confidence']:.3f} but accuracy is "
        f"{runs['accuracy']:.3f}; expected calibration error is {runs['calibration_error']:.3f} "
        f"({BINS} bins), where a perfectly calibrated model would have {runs['by_chance']:.3f}"
    )
    rise = (
        f"validation loss rises from {runs['lowest']:.3g} (at epoch {runs['epoch']:.0f}) to "
        f"{runs['end']:.3g} while accuracy does not fall (change {runs['accuracy_change']:+.3f})"
    )
    clauses = runs.clauses({"calibration_error": error, "lowest": rise})
    return f"Over-confident{runs.where}: {'; '.join(clauses)}."


OVERFITTING = Check("overfitting", in_blocks(_examine_overfitting), _describe_overfitting)
OVER_CONFIDENT = Check("over-confident", _detect_over_confidence, _describe_over_confidence)
