"""Dead units and exploding activations, in runs that recorded layers.csv or gradients.csv."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlx.report.diagnosis.check import Affected, Check, Detections, Numbers
from dlx.report.diagnosis.evidence import Evidence
from dlx.run.probes import GRADIENTS, LAYERS, read_gradients, read_layers

if TYPE_CHECKING:
    import pandas as pd

SILENT = 1e-6  # of the first epoch's mean |output|
GROWN = 100.0  # times the first epoch's mean |output|
LARGE = 1000.0  # mean |output|, however large it was at first; that of standardised inputs is below 1
PASSIVE = ("Flatten", "Identity", "Dropout")  # their outputs are those of the layer before


def _detect_dead_units(evidence: Evidence) -> Detections:
    """Look for layers that output only 0, and weights whose gradients are all 0, at the last epoch."""
    dead = _detect_in(evidence, LAYERS, read_layers, silent_layers)
    gradients = _detect_in(evidence, GRADIENTS, read_gradients, still_weights)
    for run, numbers in gradients.numbers.items():
        dead.numbers[run] = dead.numbers.get(run, {}) | numbers
    dead.severities |= gradients.severities
    if dead.unchecked or gradients.unchecked:
        dead.unchecked["single units are not recorded, so only whole dead layers are found"] = 0
    dead.unchecked.update(gradients.unchecked)
    return dead


def _detect_exploding_activations(evidence: Evidence) -> Detections:
    return _detect_in(evidence, LAYERS, read_layers, exploded_layers)


def _detect_in(
    evidence: Evidence,
    file: str,
    read: "Callable[[Path], pd.DataFrame | None]",
    examine: "Callable[[pd.DataFrame], Numbers]",
) -> Detections:
    """Examine the table of every run that has one; every finding is a problem."""
    detections = Detections()
    for run in (*evidence.completed, *evidence.diverged):
        try:
            table = read(evidence.folders[run])
        except (ValueError, OSError) as error:
            evidence.note_damage(run, error)
            detections.unchecked[f"{file} is damaged"] += 1
            continue
        if table is None or table.empty:
            probe = file.removesuffix(".csv")
            detections.unchecked[f"no {file} (probes.{probe}=true records it)"] += 1
        elif numbers := examine(table):
            detections.add(run, "problem", numbers)
    return detections


def silent_layers(table: "pd.DataFrame") -> Numbers:
    """Count the layers that output 0 for every training sample of the last epoch."""
    first, last = _ends(table)
    silent = last["abs_mean"].to_numpy() <= SILENT * np.fmax(first["abs_mean"].to_numpy(), 1e-30)
    return {"silent_layers": float(silent.sum()), "layers": float(len(silent))} if silent.any() else {}


def still_weights(table: "pd.DataFrame") -> Numbers:
    """Count weights with gradient 0 at every step of the last epoch; for a bias that may be by design."""
    last = table[(table["epoch"] == table["epoch"].max()) & table["parameter"].str.endswith("weight")]
    still = last["abs_gradient"].to_numpy() == 0
    return {"still_weights": float(still.sum()), "weights": float(len(still))} if still.any() else {}


def exploded_layers(table: "pd.DataFrame") -> Numbers:
    """Return the largest growth of a layer's mean |output| since the first epoch, if it is extreme."""
    first, last = _ends(table)
    before, after = first["abs_mean"].to_numpy(), last["abs_mean"].to_numpy()
    after = np.where(np.isfinite(after), after, np.inf)
    with np.errstate(invalid="ignore"):  # a layer that was infinite from the first epoch on has not grown
        growth = after / np.fmax(before, 1e-30)
    out = (growth > GROWN) & (after > 1) | (after > LARGE) & (growth > 2)
    if not out.any():
        return {}
    worst = int(np.where(out, growth, -np.inf).argmax())
    numbers = {"exploded_layers": float(out.sum()), "layers": float(len(out)), "before": float(before[worst])}
    return numbers | ({"after": float(after[worst])} if np.isfinite(after[worst]) else {})


def _ends(table: "pd.DataFrame") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the rows of the first and the last epoch, aligned by layer; from training if it is recorded."""
    rows = table[~table["module"].isin(PASSIVE)]
    training = rows[rows["phase"] == "training"]
    rows = training if len(training) else rows
    first, last = (
        rows[rows["epoch"] == epoch].drop_duplicates("layer").set_index("layer")
        for epoch in (rows["epoch"].min(), rows["epoch"].max())
    )
    return first.reindex(last.index), last


def _describe_dead_units(runs: Affected) -> str:
    layers = f"{runs['silent_layers']:.0f} of {runs['layers']:.0f} layers output 0 for every sample"
    weights = f"{runs['still_weights']:.0f} of {runs['weights']:.0f} weight tensors have gradient 0"
    clauses = runs.clauses({"silent_layers": layers, "still_weights": weights})
    return f"Dead units{runs.where}: at the last epoch, {'; '.join(clauses)}."


def _describe_exploding_activations(runs: Affected) -> str:
    """Describe the layer that grew most."""
    end = f"{runs['after']:.3g}" if "after" in runs else "a value that is not finite"
    return (
        f"Activations explode{runs.where}: mean |output| of one layer grew from {runs['before']:.3g} to "
        f"{end} ({runs['exploded_layers']:.0f} of {runs['layers']:.0f} layers affected)."
    )


DEAD_UNITS = Check("dead units", _detect_dead_units, _describe_dead_units)
EXPLODING_ACTIVATIONS = Check(
    "exploding activations", _detect_exploding_activations, _describe_exploding_activations
)
