"""Underfitting: training accuracy itself low and flat, with no gap to validation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlx.report.design import is_seed
from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.learned import guessing
from dlx.report.diagnosis.trend import SHORTEST, Floats, change_error, change_over, end_level, fifth
from dlx.run.identity import comparable

BEHIND = 0.1  # of accuracy, behind the study's best run in training and half of it in validation
GAP = 2.0  # standard deviations of validation accuracy
FLAT = 0.03  # of training accuracy over the last fifth
ERRORS = 4.0  # standard errors
SLOW = 0.05  # of the fall of training loss: more than that in the last fifth is still on its way


def find(evidence: Evidence) -> Found:
    """Look at every run that completed, beside the best of those on the same data."""
    data = {run: _data(evidence.study.settings[run]) for run in evidence.completed}
    blocks = [block for block in evidence.blocks if block.epochs >= SHORTEST]
    train, val = (highest(blocks, data, metric) for metric in ("train_accuracy", "val_accuracy"))

    def beside_the_best(block: Block) -> Verdict:
        return examine(
            block,
            np.array([train.get(data[run], 0.0) for run in block.runs]),
            np.array([val.get(data[run], 0.0) for run in block.runs]),
        )

    return by_block(evidence, beside_the_best)


def _data(settings: Mapping[str, Any]) -> str:
    """Return what a run was trained on, but for how it was split."""
    return comparable(
        {key: value for key, value in settings.items() if key.startswith("data.") and not is_seed(key)}
    )


def highest(blocks: list[Block], data: Mapping[str, str], metric: str) -> dict[str, float]:
    """Return the highest accuracy that any run on the same data ended with."""
    peaks: dict[str, float] = {}
    for block in blocks:
        ends_R = np.where(block.finite(metric), end_level(block.curves[metric]), 0.0)
        for run, end in zip(block.runs, ends_R.tolist(), strict=True):
            peaks[data[run]] = max(end, peaks.get(data[run], 0.0))
    return peaks


def examine(block: Block, peak_train_R: Floats, peak_val_R: Floats) -> Verdict:
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
    behind_R = (train_R < peak_train_R - BEHIND) & (val_R < peak_val_R - BEHIND / 2)
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
            "best_train_accuracy": np.where(behind_R, peak_train_R, np.nan),
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
