"""Runs that never learned, and runs that learn too slowly to get anywhere. Axes: R runs, E epochs."""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.instability import loss_before_training
from dlx.report.diagnosis.prediction_statistics import LUCK_DEVIATIONS
from dlx.report.diagnosis.schedule import half_of_training
from dlx.report.diagnosis.trend import SHORTEST, Flags, Floats, end_level, epoch_noise, median_around
from dlx.report.text import write_value

STUCK = 0.9  # share of epochs with exactly the last epoch's accuracy
ENTROPY_SHARE = 0.9  # of that entropy, because training and validation differ a little in their classes
FIRST = 2  # epochs in which the biases find the mean or the class shares
FLAT = 0.02  # largest change of a loss after the first epochs, as a share of its level
UNEXPLAINED = 0.5  # share of the loss before training that remains: with less, much was learned at once
SLOW = 0.5  # fall in the second half / in the first; 0.6 is an exponential over one of its time constants
NOISE = 6.0  # standard errors by which the loss must fall for these halves to be told apart
LEAST = 0.002  # share of the first loss by which it must fall
REMAINS = 0.6  # share of the loss before training that a slow run still has at the end


def _examine_learning(block: Block) -> Examination:
    """Compare accuracies with guessing; without accuracies, the loss with epoch 0's."""
    accurate_R = block.finite("val_accuracy")
    best_R = block.smoothed["val_accuracy"].max(axis=1)
    untrained_R, lowest_R = block.untrained["val_loss"], block.smoothed["val_loss"].min(axis=1)
    by_loss_R = ~accurate_R & block.finite("val_loss") & np.isfinite(untrained_R)
    guessing_R = accurate_R & (~block.learned & np.isfinite(block.guessing_bound) | _unbalanced(block))
    majority_R = block.largest_class_R >= block.guessing_bound - 1 / block.samples_R
    stuck_R = accurate_R & np.isnan(block.largest_class_R) & ~guessing_R & _stuck(block)
    still_R, mean_R = by_loss_R & (lowest_R >= untrained_R), by_loss_R & _predicts_the_mean(block)

    def where(kind_R: Flags, values_R: Floats) -> Floats:
        return np.where(kind_R, values_R, np.nan)

    return Examination(
        able_R=accurate_R & np.isfinite(block.guessing_bound) | by_loss_R | stuck_R,
        fires_R=guessing_R | stuck_R | still_R | mean_R,
        problem_R=True,
        numbers={
            "accuracy": where(guessing_R, best_R),
            "chance": where(guessing_R, block.chance),
            "bound": where(guessing_R, block.guessing_bound),
            "largest_class": where(guessing_R & majority_R, block.largest_class_R),
            "samples": where(guessing_R, block.samples_R),
            "constant": where(stuck_R, block.curves["val_accuracy"][:, -1]),
            "lowest": where(still_R, lowest_R),
            "begun": where(still_R, untrained_R),
            "level": where(mean_R & ~still_R, end_level(block.curves["val_loss"])),
        },
        reason="no validation accuracy, or the number of classes or validation samples is unknown",
    )


def _unbalanced(block: Block) -> Flags:
    """Return whether a run is as good as one that names the largest class, and blind to the others [R]."""
    best_R = block.smoothed["val_accuracy"].max(axis=1)
    near_R = block.chance + LUCK_DEVIATIONS * np.sqrt(block.chance * (1 - block.chance) / block.samples_R)
    return np.asarray((block.balanced_excess_R <= 0) & (best_R <= near_R), dtype=np.bool_)


def _stuck(block: Block) -> Flags:
    """Return whether accuracy is the same at almost every epoch and training loss does not fall [R].

    A network that names one class for every sample does this, and its cross-entropy is at least the entropy
    of being right that often. A trained network with so steady an accuracy has a smaller loss.
    """
    accuracy_RE, train_RE = block.curves["val_accuracy"], block.curves["train_loss"]
    if block.epochs < SHORTEST:
        return np.zeros(len(accuracy_RE), dtype=np.bool_)
    same_R = (np.abs(accuracy_RE - accuracy_RE[:, -1:]) < 1e-9).mean(axis=1) >= STUCK
    right_R = np.clip(accuracy_RE[:, -1], 1e-9, 1 - 1e-9)
    entropy_R = -right_R * np.log(right_R) - (1 - right_R) * np.log(1 - right_R)
    uncertain_R = end_level(train_RE) > ENTROPY_SHARE * entropy_R
    return np.asarray(same_R & uncertain_R & _flat_from_the_start(train_RE) & (accuracy_RE[:, -1] < 1))


def _flat_from_the_start(curve_RE: Floats) -> Flags:
    """Return whether a curve changes by no more than FLAT after its first epochs [R]."""
    width = max(3, curve_RE.shape[1] // 10)
    early_R, late_R = np.median(curve_RE[:, FIRST : FIRST + width], axis=1), end_level(curve_RE)
    error_R = 4 * epoch_noise(curve_RE) / np.sqrt(width)
    return np.asarray(np.abs(early_R - late_R) <= FLAT * np.abs(late_R) + error_R, dtype=np.bool_)


def _predicts_the_mean(block: Block) -> Flags:
    """Return whether both losses are flat after the first epochs, at a large part of the loss before [R]."""
    val_RE, train_RE = block.curves["val_loss"], block.curves["train_loss"]
    if block.epochs < SHORTEST:
        return np.zeros(len(val_RE), dtype=np.bool_)
    flat_R = _flat_from_the_start(val_RE) & _flat_from_the_start(train_RE)
    return np.asarray(flat_R & (end_level(val_RE) > UNEXPLAINED * block.untrained["val_loss"]))


def _describe_never_learned(runs: Affected) -> str:
    clauses = {
        "lowest": f"validation loss never fell below {runs['lowest']:.3g}; "
        f"before training it was {runs['begun']:.3g}",
        "level": f"after the first epochs both losses are flat (validation loss {runs['level']:.3g}), as if "
        "the mean target were predicted for every sample",
        "constant": f"validation accuracy is {runs['constant']:.3f} at almost every epoch and training loss "
        "does not fall, as if one class were predicted for every sample",
        "accuracy": f"validation accuracy never exceeded {runs['accuracy']:.3f}",
    }
    text = f"Never learned{runs.where}: {'; '.join(runs.clauses(clauses))}."
    if "largest_class" in runs:
        text += f" The largest class alone makes up {runs['largest_class']:.3f} of the samples."
    elif "accuracy" in runs:
        text += (
            f" Guessing reaches {runs['chance']:.3f} on average and up to {runs['bound']:.3f} by luck "
            f"on {runs['samples']:,.0f} samples."
        )
    return f"{text} Try other learning rates; if none helps, check the inputs and the labels."


def _examine_speed(block: Block) -> Examination:
    """Compare the fall of training loss in the second half of the training time with that in the first.

    Nearly equal falls mean a nearly straight line. A run that gets somewhere is excluded: its accuracy is
    above halfway from guessing to perfect, or its loss has fallen to REMAINS of its first value.
    """
    train_RE = block.curves["train_loss"]
    width = max(3, block.epochs // 10)
    first_R, end_R = np.median(train_RE[:, :width], axis=1), np.median(train_RE[:, -width:], axis=1)
    middle_R = median_around(train_RE, half_of_training(block.rate_RE), width)
    error_R = epoch_noise(train_RE) / np.sqrt(width)
    least_R = np.fmax(NOISE * error_R, LEAST * np.abs(first_R))
    falls_R = (first_R - end_R > least_R) & (middle_R - end_R > SLOW * (first_R - middle_R))
    steady_R = first_R - middle_R > SLOW * (middle_R - end_R)  # a late jump is not slow progress
    halfway_R = (block.chance + 1) / 2
    low_R = ~(end_level(block.curves["val_accuracy"]) > halfway_R)
    return Examination(
        able_R=block.finite("train_loss"),
        fires_R=falls_R & steady_R & low_R & (end_R > REMAINS * loss_before_training(block)),
        problem_R=True,
        numbers={
            "first": train_RE[:, 0],
            "last": train_RE[:, -1],
            "rate": np.where((block.rate_RE != 1).any(axis=1), block.rate_RE.max(axis=1), np.nan),
        },
        reason="no training loss at every epoch",
    )


def _describe_slow(runs: Affected) -> str:
    rate = " The learning rate"
    if "rate" in runs:
        low, high = (write_value(end(runs["rate"].values)) for end in (min, max))
        rate += f", {low if low == high else f'{low} to {high}'},"
    return (
        f"Learns too slowly{runs.where}: training loss falls almost in a straight line, only from "
        f"{runs['first']:.4g} to {runs['last']:.4g}.{rate} is probably far too small: try ten times as much."
    )


NEVER_LEARNED = Check(
    "never learned",
    in_blocks(_examine_learning, shortest=1),
    _describe_never_learned,
    training_failure=True,
    instead_of=("underfitting", "over-confident"),
)
TOO_SLOW = Check(
    "too slow",
    in_blocks(_examine_speed),
    _describe_slow,
    training_failure=True,
    instead_of=("never learned", "not converged", "underfitting"),
)
