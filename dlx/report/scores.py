"""The scores of settings by unit: what is paired, and what varies independently from pair to pair.

Axes: C settings, S seeds (combinations of all seed keys), U units, M pairs of settings.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.report.design import Design, is_seed
from dlx.report.load import StudyData
from dlx.run.identity import comparable

SPLIT = "data.split_seed"


@dataclass(frozen=True)
class Scores:
    """The scores of C settings, in the order of Design.rows, by S seeds.

    A seed is one combination of all seed keys. `values_CS`: the mean score of the setting's runs with that
    seed; NaN if it has none, or if one of them did not complete. `lost_CS`: whether one did not complete.
    `unit_S`: the unit that each seed belongs to. `unit_name`: what a unit is, "seed" or "split".
    """

    values_CS: NDArray[np.float64]
    lost_CS: NDArray[np.bool_]
    unit_S: NDArray[np.int64]
    unit_name: str = "seed"

    def differences(self, first_M: NDArray[np.int64], second_M: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return first minus second by unit [M, U], each a mean over the seeds that both completed.

        NaN where they share no completed seed of a unit.
        """
        differences_MS: NDArray[np.float64] = self.values_CS[first_M] - self.values_CS[second_M]
        return self.by_unit(differences_MS)

    def by_unit(self, values_MS: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values of seeds over each unit [M, U], leaving out NaN."""
        units = int(self.unit_S.max(initial=-1)) + 1
        if units == len(self.unit_S):
            return values_MS[:, np.argsort(self.unit_S)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a unit without any value
            means = [np.nanmean(values_MS[:, self.unit_S == unit], axis=1) for unit in range(units)]
        return np.stack(means, axis=1)

    def lost(self, setting: int, reference: int) -> int:
        """Return how many seeds both were trained with, but only one or neither completed."""
        trained_CS = self.lost_CS | ~np.isnan(self.values_CS)
        either_S = self.lost_CS[setting] | self.lost_CS[reference]
        return int((either_S & trained_CS[setting] & trained_CS[reference]).sum())


def scores_by_unit(data: StudyData, design: Design, column: str) -> Scores:
    """Collect a column of StudyData.runs, for example `val_accuracy_last`, by setting and seed."""
    indices: dict[str, int] = {}
    seeds = {run: seed_of(data, design, run) for run in data.runs.index}
    for seed in seeds.values():
        indices.setdefault(seed, len(indices))
    shape = (len(design.rows), len(indices))
    sums_CS, counts_CS, lost_CS = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    for run, status, value in data.runs[["status", column]].itertuples(name=None):
        cell = design.of_run[run], indices[seeds[run]]
        if status == "completed":
            sums_CS[cell] += value
            counts_CS[cell] += 1
        else:
            lost_CS[cell] = True
    whole_CS = (counts_CS > 0) & ~lost_CS & np.isfinite(sums_CS)
    values_CS = np.divide(sums_CS, counts_CS, out=np.full(shape, np.nan), where=whole_CS)
    return Scores(values_CS, lost_CS, *_units(data, design, seeds, indices))


def _units(
    data: StudyData, design: Design, seeds: dict[str, str], indices: dict[str, int]
) -> tuple[NDArray[np.int64], str]:
    """Return the unit of each seed [S], and what a unit is called.

    Runs on one split share its luck, and so do runs with one initialisation in a crossed design. Scores of
    different splits are independent; with several splits a unit is a split. Without, it is a value of the
    seed key with the fewest values, if these are crossed with others.
    """
    keys = [key for key in design.seeds if is_seed(key)]
    values = {
        key: {seed: comparable(data.settings[run].get(key)) for run, seed in seeds.items()} for key in keys
    }
    distinct = {key: len(set(by_seed.values())) for key, by_seed in values.items()}
    crossed = [key for key in keys if distinct[key] < len(indices)]
    if SPLIT in keys:
        unit = SPLIT
    elif crossed:
        unit = min(crossed, key=distinct.__getitem__)
    else:
        return np.arange(len(indices)), "seed"
    numbers: dict[str, int] = {}
    unit_S = [numbers.setdefault(values[unit][seed], len(numbers)) for seed in indices]
    return np.array(unit_S, dtype=np.int64), "split" if unit == SPLIT else unit.removeprefix("seeds.")


def seed_of(data: StudyData, design: Design, run: str) -> str:
    """Write the seed of a run: the values of all seed keys that vary."""
    return comparable([data.settings[run].get(key) for key in design.seeds if is_seed(key)])
