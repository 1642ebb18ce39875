"""Diverged: a loss that is no number any more, and after which epoch."""

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Told
from dlx.report.diagnosis.evidence import Evidence
from dlx.report.load import METRICS


def find(evidence: Evidence) -> Found:
    """Take the status for it; the epoch is the first without a finite loss, or the one after the last row."""
    found = Found()
    for run in evidence.diverged:
        rows_EM = evidence.rows.get(run)
        numbers = {}
        if rows_EM is not None:
            train_E, val_E = (
                np.isnan(rows_EM[:, METRICS.index(name)]) for name in ("train_loss", "val_loss")
            )
            lost_E = (train_E & (np.arange(len(rows_EM)) > 0)) | (val_E & ~val_E.all())
            numbers = {"epoch": float(lost_E.argmax() if lost_E.any() else len(rows_EM))}
        found.numbers[run] = numbers
        found.problems.add(run)
    return found


def describe(told: Told) -> str:
    """Say when."""
    when = f" at {told.epoch()}" if told.has("epoch") else ""
    return f"Diverged{when}{told.where}: the loss was no longer a finite number."


CHECK = Check("diverged", find, describe)
