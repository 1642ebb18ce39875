"""Never learned: no better than guessing at any epoch, or, without an accuracy, than before training."""

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told, Verdict, by_block
from dlx.report.diagnosis.evidence import Block, Evidence
from dlx.report.diagnosis.trend import Floats

DEVIATIONS = 3.0  # of a guesser's accuracy; one run in 740 would pass by luck


def guessing(block: Block) -> Floats:
    """Return the accuracy that a guesser exceeds once in 740 [R]: the validation set's size sets it."""
    chance_R = block.chance_R
    return np.asarray(chance_R + DEVIATIONS * np.sqrt(chance_R * (1 - chance_R) / block.samples_R))


def examine(block: Block) -> Verdict:
    """Compare the best of five epochs' medians with guessing; where there is no accuracy, with epoch 0."""
    accurate_R, bound_R = block.finite("val_accuracy"), guessing(block)
    best_R = block.smoothed["val_accuracy"].max(axis=1)
    begun_R, lowest_R = block.untrained["val_loss"], block.smoothed["val_loss"].min(axis=1)
    lossy_R = ~accurate_R & block.finite("val_loss") & np.isfinite(begun_R)
    return Verdict(
        able_R=accurate_R & np.isfinite(bound_R) | lossy_R,
        fired_R=np.where(lossy_R, lowest_R >= begun_R, best_R <= bound_R),
        problem_R=np.ones(len(best_R), dtype=bool),
        numbers={
            "accuracy": np.where(lossy_R, np.nan, best_R),
            "chance": np.where(lossy_R, np.nan, block.chance_R),
            "bound": np.where(lossy_R, np.nan, bound_R),
            "samples": np.where(lossy_R, np.nan, block.samples_R),
            "lowest": np.where(lossy_R, lowest_R, np.nan),
            "begun": np.where(lossy_R, begun_R, np.nan),
        },
        reason="no validation accuracy, or the number of classes or validation samples is not known",
    )


def find(evidence: Evidence) -> Found:
    """Look at every run that completed."""
    return by_block(evidence, examine, shortest=1)


def describe(told: Told) -> str:
    """Set the accuracy beside chance, or the loss beside what it was before training."""
    if told.has("lowest"):
        return (
            f"Never learned{told.where}: validation loss was never below {told.loss('lowest')}, "
            f"and {told.loss('begun')} before training."
        )
    return (
        f"Never learned{told.where}: validation accuracy stayed at or below {told.accuracy('accuracy')}, "
        f"guessing gives {told.accuracy('chance')} and by luck up to {told.accuracy('bound')} "
        f"on {told.between('samples', lambda value: f'{value:,.0f}')} samples."
    )


CHECK = Check("never learned", find, describe)
