"""Dead layers and exploding activations, of runs that recorded layers.csv or gradients.csv."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlx.report.diagnosis.check import Check, Found, Numbers, Told
from dlx.report.diagnosis.evidence import Evidence
from dlx.run.probes import GRADIENTS, LAYERS, read_gradients, read_layers

if TYPE_CHECKING:
    import pandas as pd

SILENT = 1e-6  # of the first epoch's mean |output|
GROWN = 100.0  # times the first epoch's mean |output|
LARGE = 1000.0  # mean |output|, whatever it began with: standardised inputs have 1
PASSIVE = ("Flatten", "Identity", "Dropout")  # say nothing that the layer before does not


def find_dead(evidence: Evidence) -> Found:
    """Look for layers whose every output, or weights whose every gradient, is 0 at the end."""
    found = _examine(evidence, LAYERS, read_layers, silent_layers)
    gradients = _examine(evidence, GRADIENTS, read_gradients, still_weights)
    for run, numbers in gradients.numbers.items():
        found.numbers[run] = found.numbers.get(run, {}) | numbers
    found.problems |= gradients.problems
    if found.unchecked or gradients.unchecked:
        found.unchecked["single units are not recorded: only whole layers can be seen to be dead"] = 0
    found.unchecked.update(gradients.unchecked)
    return found


def find_exploding(evidence: Evidence) -> Found:
    """Look for layers whose mean |output| grew out of all proportion, or is no number."""
    return _examine(evidence, LAYERS, read_layers, exploded_layers)


def _examine(
    evidence: Evidence,
    file: str,
    read: "Callable[[Path], pd.DataFrame | None]",
    look: "Callable[[pd.DataFrame], Numbers]",
) -> Found:
    found = Found()
    for run in (*evidence.completed, *evidence.diverged):
        try:
            table = read(evidence.folders[run])
        except (ValueError, OSError):
            found.unchecked[f"{file} is damaged"] += 1
            continue
        if table is None or table.empty:
            found.unchecked[f"no {file} (probes.{file.removesuffix('.csv')}=true records it)"] += 1
        elif numbers := look(table):
            found.numbers[run] = numbers
            found.problems.add(run)
    return found


def silent_layers(table: "pd.DataFrame") -> Numbers:
    """Count the layers that put out 0 for every training sample of the last epoch."""
    first, last = _ends(table)
    silent = last["abs_mean"].to_numpy() <= SILENT * np.fmax(first["abs_mean"].to_numpy(), 1e-30)
    return {"silent_layers": float(silent.sum()), "layers": float(len(silent))} if silent.any() else {}


def still_weights(table: "pd.DataFrame") -> Numbers:
    """Count weights whose gradient was 0 at every step of the last epoch; a bias may have none by design."""
    last = table[(table["epoch"] == table["epoch"].max()) & table["parameter"].str.endswith("weight")]
    still = last["abs_gradient"].to_numpy() == 0
    return {"still_weights": float(still.sum()), "weights": float(len(still))} if still.any() else {}


def exploded_layers(table: "pd.DataFrame") -> Numbers:
    """Return the largest growth of a layer's mean |output| over its first epoch's, if it is extreme."""
    first, last = _ends(table)
    before, after = first["abs_mean"].to_numpy(), last["abs_mean"].to_numpy()
    after = np.where(np.isfinite(after), after, np.inf)
    growth = after / np.fmax(before, 1e-30)
    out = (growth > GROWN) & (after > 1) | (after > LARGE) & (growth > 2)
    if not out.any():
        return {}
    worst = int(np.where(out, growth, -np.inf).argmax())
    numbers = {"exploded_layers": float(out.sum()), "layers": float(len(out)), "before": float(before[worst])}
    return numbers | ({"after": float(after[worst])} if np.isfinite(after[worst]) else {})


def _ends(table: "pd.DataFrame") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the first and the last epoch's rows of layers that do something, in training, side by side."""
    part = table[~table["module"].isin(PASSIVE)]
    training = part[part["phase"] == "training"]
    part = training if len(training) else part
    first = part[part["epoch"] == part["epoch"].min()].drop_duplicates("layer").set_index("layer")
    last = part[part["epoch"] == part["epoch"].max()].drop_duplicates("layer").set_index("layer")
    return first.reindex(last.index), last


def describe_dead(told: Told) -> str:
    """Count what is silent."""
    parts = []
    if told.has("silent_layers"):
        parts.append(
            f"{_count(told, 'silent_layers')} of {_count(told, 'layers')} layers put out 0 for every sample"
        )
    if told.has("still_weights"):
        parts.append(
            f"{_count(told, 'still_weights')} of {_count(told, 'weights')} weight tensors have no gradient"
        )
    return f"Dead units{told.where}: at the last epoch {'; '.join(parts)}."


def describe_exploding(told: Told) -> str:
    """Set the end beside the beginning, of the layer that grew most."""
    end = told.loss("after") if told.has("after") else "no finite number"
    return (
        f"Activations explode{told.where}: mean |output| of a layer went from {told.loss('before')} "
        f"to {end} ({_count(told, 'exploded_layers')} of {_count(told, 'layers')} layers grew so)."
    )


def _count(told: Told, name: str) -> str:
    return told.between(name, lambda value: f"{value:.0f}")


DEAD = Check("dead units", find_dead, describe_dead)
EXPLODING = Check("exploding activations", find_exploding, describe_exploding)
