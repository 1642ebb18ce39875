"""Never learned: validation accuracy no better than guessing at any epoch."""

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
    """Compare the best of five epochs' medians with what guessing reaches."""
    bound_R = guessing(block)
    best_R = block.smoothed["val_accuracy"].max(axis=1)
    return Verdict(
        able_R=block.finite("val_accuracy") & np.isfinite(bound_R),
        fired_R=best_R <= bound_R,
        problem_R=np.ones(len(best_R), dtype=bool),
        numbers={"accuracy": best_R, "chance": block.chance_R, "bound": bound_R, "samples": block.samples_R},
        reason="no validation accuracy, or the number of classes or validation samples is not known",
    )


def find(evidence: Evidence) -> Found:
    """Look at every run that completed."""
    return by_block(evidence, examine, shortest=1)


def describe(told: Told) -> str:
    """Set the accuracy beside chance."""
    return (
        f"Never learned{told.where}: validation accuracy stayed at or below {told.accuracy('accuracy')}, "
        f"guessing gives {told.accuracy('chance')} and by luck up to {told.accuracy('bound')} "
        f"on {told.between('samples', lambda value: f'{value:,.0f}')} samples."
    )


CHECK = Check("never learned", find, describe)
