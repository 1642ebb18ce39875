"""Underfitting: training accuracy itself low and flat, with no gap to validation."""

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.learned import guessing
from dlx.report.diagnosis.trend import SHORTEST, change_error, change_over, end_level, fifth

BEHIND = 0.1  # of accuracy, behind the study's best run in training and half of it in validation
GAP = 2.0  # standard deviations of validation accuracy
FLAT = 0.03  # of training accuracy over the last fifth
ERRORS = 4.0  # standard errors
SLOW = 0.05  # of the fall of training loss: more than that in the last fifth is still on its way


def find(evidence: Evidence) -> Found:
    """Look at every run that completed, beside the best of them."""
    blocks = [block for block in evidence.blocks if block.epochs >= SHORTEST]
    peak_train = highest(blocks, "train_accuracy")
    peak_val = highest(blocks, "val_accuracy")
    return by_block(evidence, lambda block: examine(block, peak_train, peak_val))


def highest(blocks: list[Block], metric: str) -> float:
    """Return the highest accuracy that any run ended with, 0 if there is none."""
    ends = [end_level(block.curves[metric][block.finite(metric)]) for block in blocks]
    return max((float(end_R.max()) for end_R in ends if len(end_R)), default=0.0)


def examine(block: Block, peak_train: float, peak_val: float) -> Verdict:
    """Fire where training accuracy is flat, has no gap to validation, and is low.

    Low is less than halfway from guessing to certainty, or behind the best run in training as well as in
    validation: a net held back by augmentation, which validates as well as the others, does not underfit.
    """
    train_RE, val_RE = block.curves["train_accuracy"], block.curves["val_accuracy"]
    train_R, val_R = end_level(train_RE), end_level(val_RE)
    deviation_R = np.sqrt(np.fmax(val_R * (1 - val_R), 1e-4) / block.samples_R)
    window = fifth(block.epochs)
    loss_RE = block.curves["train_loss"]
    fall_R, way_R = -change_over(loss_RE[:, -window:]), loss_RE[:, 0] - end_level(loss_RE)
    on_its_way_R = fall_R > np.fmax(SLOW * way_R, ERRORS * change_error(loss_RE[:, -window:]))
    fallen_R = block.smoothed["train_accuracy"].max(axis=1) - train_R > BEHIND
    flat_R = (np.abs(change_over(train_RE[:, -window:])) < FLAT) & ~on_its_way_R & ~fallen_R
    halfway_R = (block.chance_R + 1) / 2
    behind_R = (train_R < peak_train - BEHIND) & (val_R < peak_val - BEHIND / 2)
    learned_R = block.smoothed["val_accuracy"].max(axis=1) > guessing(block)
    return Verdict(
        able_R=block.finite("train_loss", "train_accuracy", "val_accuracy")
        & np.isfinite(deviation_R + halfway_R),
        fired_R=flat_R
        & learned_R
        & (train_R - val_R < GAP * deviation_R)
        & ((train_R < halfway_R) | behind_R),
        problem_R=np.ones(len(train_R), dtype=bool),
        numbers={
            "train_accuracy": train_R,
            "val_accuracy": val_R,
            "best_train_accuracy": np.where(behind_R, peak_train, np.nan),
            "halfway": np.where(behind_R, np.nan, halfway_R),
        },
        reason="no training and validation accuracy, or the number of classes or samples is not known",
    )


def describe(told: Told) -> str:
    """Set training accuracy beside validation and beside what would be high."""
    beside = (
        f"the study's best run trains to {told.accuracy('best_train_accuracy')}"
        if told.has("best_train_accuracy")
        else f"halfway from guessing to all right is {told.accuracy('halfway')}"
    )
    return (
        f"Underfits{told.where}: training accuracy is flat at {told.accuracy('train_accuracy')} "
        f"(validation {told.accuracy('val_accuracy')}, no gap); {beside}."
    )


CHECK = Check("underfitting", find, describe)
