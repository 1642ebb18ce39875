"""Overfitting: validation loss rises while training loss falls.

Axes: R runs, E epochs.
"""

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Examination, in_blocks
from dlx.report.diagnosis.evidence import Block
from dlx.report.diagnosis.trend import (
    Flags,
    Floats,
    end_epochs,
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
SERIOUS = 0.25  # share of its minimum: without accuracies, a larger rise is a problem
WAY_UP = 0.35  # part of the rise searched for the upturn, because a loss that accelerates breaks late
DROP = 0.03  # of validation accuracy: a larger one is a problem


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
    """Find upturns: a problem where accuracy falls, a trade-off against the loss where it does not."""
    real_R, accuracy_change_R, numbers = find_upturn(block)
    accurate_R = block.finite("val_accuracy")
    costs_R = np.where(accurate_R, accuracy_change_R < -DROP, numbers["share"] >= SERIOUS)
    return Examination(
        able_R=block.finite("val_loss", "train_loss"),
        fires_R=real_R,
        problem_R=costs_R,
        trade_off_R=accurate_R,
        numbers=numbers
        | {
            "window": np.full(len(real_R), float(end_epochs(block.epochs))),
            "fallen_accuracy": np.where(accurate_R & costs_R, accuracy_change_R, np.nan),
            "kept_accuracy": np.where(accurate_R & ~costs_R, accuracy_change_R, np.nan),
        },
        reason="no validation and training loss at every epoch",
    )


def _describe_overfitting(runs: Affected) -> str:
    text = (
        f"Overfits from epoch {runs['epoch']:.0f}{runs.where}: validation loss rises from "
        f"{runs['lowest']:.3g} to {runs['end']:.3g} (by {runs['share'].percent}; median of the last "
        f"{runs['window']:.0f} epochs), while training loss falls from {runs['train_loss']:.3g} to "
        f"{runs['train_loss_end']:.3g}."
    )
    if "fallen_accuracy" in runs:
        return f"{text} Accuracy changes by {runs['fallen_accuracy']:+.3f}. Stop earlier, or regularise more."
    if "kept_accuracy" in runs:
        return (
            f"{text} Accuracy changes by {runs['kept_accuracy']:+.3f} meanwhile: stop earlier only if "
            "probabilities matter."
        )
    return f"{text} Stop earlier, or regularise more."


OVERFITTING = Check(
    "overfitting", in_blocks(_examine_overfitting), _describe_overfitting, instead_of=("memorising",)
)
