"""Over-confident: surer than it is right. Seen in stored predictions, else in the curves alone."""

import numpy as np

from dlx.report.diagnosis import learned
from dlx.report.diagnosis.answers import Answers
from dlx.report.diagnosis.check import Check, Found, Numbers, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import CLASSIFYING, Block, Evidence
from dlx.report.diagnosis.overfitting import SERIOUS, accuracy_change, turn
from dlx.report.diagnosis.trend import SHORTEST, noise

ERROR = 0.05  # expected calibration error worth a line
DEVIATIONS = 4.0  # above what chance alone gives
STAYS = 0.02  # of accuracy


def find(evidence: Evidence) -> Found:
    """Look at the curves of every run and at the predictions of those that have them."""
    rising = by_block(evidence, rises)
    guessing = learned.find(evidence).numbers
    found = Found()
    for run in evidence.completed:
        loss = evidence.study.settings[run].get("loss.name", CLASSIFYING[0])
        if loss not in CLASSIFYING:
            found.unchecked[f"outputs under {loss} are no logits"] += 1
            continue
        answers = evidence.answers.get(run)
        measured = _measured(answers)
        if measured is None:
            what = "damaged" if run in evidence.damaged else "no"
            found.unchecked[f"{what} predictions.npz: calibration error not known"] += 1
        if run in guessing:
            continue  # sure or not, it knows nothing
        if measured or (measured is None and run in rising.numbers):
            found.numbers[run] = (measured or {}) | rising.numbers.get(run, {})
    return found


def _measured(answers: Answers | None) -> Numbers | None:
    """Return the numbers of an over-confident run, none of a calibrated one; None if it is not known."""
    if answers is None or answers.calibration is None:
        return None
    seen = answers.calibration
    beyond = seen.error > max(ERROR, seen.by_chance + DEVIATIONS * seen.deviation)
    if not beyond or seen.confidence <= seen.accuracy:
        return {}
    return {
        "calibration_error": seen.error,
        "by_chance": seen.by_chance,
        "confidence": seen.confidence,
        "accuracy": seen.accuracy,
    }


def rises(block: Block) -> Verdict:
    """Fire where validation loss rose by a quarter of its minimum while accuracy stayed."""
    found = turn(block)
    change_R = accuracy_change(block, found)
    stays_R = change_R > -np.fmax(STAYS, 2 * noise(block.curves["val_accuracy"]))
    return Verdict(
        able_R=block.finite("val_loss", "train_loss", "val_accuracy"),
        fired_R=found.up_R & stays_R & (found.end_R > (1 + SERIOUS) * found.lowest_R),
        problem_R=np.zeros(len(change_R), dtype=bool),
        numbers={
            "epoch": found.epoch_R,
            "lowest": found.lowest_R,
            "end": found.end_R,
            "accuracy_change": change_R,
        },
        reason=f"no losses and accuracy at {SHORTEST} epochs",
    )


def describe(told: Told) -> str:
    """Give the calibration error, and the loss that rose for it."""
    parts = []
    change = told.between("accuracy_change", "{:+.3f}".format) if told.has("accuracy_change") else ""
    if told.has("calibration_error"):
        parts.append(
            f"at the last epoch mean confidence is {told.accuracy('confidence')} and accuracy "
            f"{told.accuracy('accuracy')}; expected calibration error {told.accuracy('calibration_error')} "
            f"in 15 bins, where chance alone gives {told.accuracy('by_chance')}"
            f"{told.some('by_chance')}"
        )
    if told.has("lowest"):
        parts.append(
            f"validation loss rises from {told.loss('lowest')} (at {told.epoch()}) to {told.loss('end')} "
            f"while accuracy does not fall (change {change})"
            f"{told.some('lowest')}"
        )
    return f"Over-confident{told.where}: {'; '.join(parts)}."


CHECK = Check("over-confident", find, describe)
