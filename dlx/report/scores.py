"""The scores of settings by unit: what is paired, and what varies independently from pair to pair.

Axes: R runs, C settings, S seeds (combinations of all seed keys), U units, M pairs of settings.
"""

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.run.folds import Folding, find_folding
from dlx.run.identity import FOLD, FOLDS, comparable, is_seed
from dlx.run.units import other_units, units


@dataclass(frozen=True)
class Scores:
    """The scores of C settings, in the order of Design.rows, by S seeds.

    A seed is one combination of all seed keys. `values_CS`: the mean score of the setting's runs with that
    seed; NaN if it has none, or if one of them did not complete. `lost_CS`: whether one did not complete.
    `unit_S`: the unit that each seed belongs to. `unit_name`: what a unit is, "seed", "split" or "fold".
    `other_units`: as `unit_S`, for the other keys of a crossed design. `folding`: of cross-validation.
    `ordinary`: the settings whose runs are not folds, in a study that has both.
    """

    values_CS: NDArray[np.float64]
    lost_CS: NDArray[np.bool_]
    unit_S: NDArray[np.int64]
    unit_name: str = "seed"
    other_units: tuple[NDArray[np.int64], ...] = ()
    folding: Folding | None = None
    ordinary: tuple[int, ...] = ()

    @property
    def overlaps(self) -> NDArray[np.float64]:
        """Return how far the training data of a setting's units overlap (see `paired_tests`)."""
        overlap_C = np.full(len(self.values_CS), 0.0 if self.folding is None else self.folding.overlap)
        overlap_C[list(self.ordinary)] = 0.0
        return overlap_C

    def folding_of(self, setting: int) -> Folding | None:
        """Return how the runs of a setting were divided; None if they are not folds."""
        return None if setting in self.ordinary else self.folding

    def differences(self, first_M: NDArray[np.int64], second_M: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return first minus second by unit [M, U], each a mean over the seeds that both completed.

        NaN where they share no completed seed of a unit.
        """
        differences_MS: NDArray[np.float64] = self.values_CS[first_M] - self.values_CS[second_M]
        return self.by_unit(differences_MS)

    def by_each_key(self) -> "list[Scores]":
        """Return these scores once for each of the other units."""
        return [replace(self, unit_S=unit_S, other_units=()) for unit_S in self.other_units]

    def by_unit(self, values_MS: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values of seeds over each unit [M, U], leaving out NaN."""
        count = int(self.unit_S.max(initial=-1)) + 1
        if count == len(self.unit_S):
            return values_MS[:, np.argsort(self.unit_S)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a unit without any value
            means = [np.nanmean(values_MS[:, self.unit_S == unit], axis=1) for unit in range(count)]
        return np.stack(means, axis=1)

    def lost(self, setting: int, reference: int) -> int:
        """Return how many seeds both were trained with, but only one or neither completed."""
        trained_CS = self.lost_CS | ~np.isnan(self.values_CS)
        either_S = self.lost_CS[setting] | self.lost_CS[reference]
        return int((either_S & trained_CS[setting] & trained_CS[reference]).sum())


def scores_by_unit(data: StudyData, design: Design, column: str) -> Scores:
    """Collect a column of StudyData.runs, for example `val_accuracy_last`, by setting and seed."""
    setting_R, seed_R, empty = _cells(data, design)
    shape = empty.values_CS.shape
    completed_R = (data.runs["status"] == "completed").to_numpy()
    value_R = data.runs[column].to_numpy(dtype=np.float64)
    sums_CS, counts_CS, lost_CS = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    done = setting_R[completed_R], seed_R[completed_R]
    np.add.at(sums_CS, done, value_R[completed_R])
    np.add.at(counts_CS, done, 1)
    lost_CS[setting_R[~completed_R], seed_R[~completed_R]] = True
    whole_CS = (counts_CS > 0) & ~lost_CS & np.isfinite(sums_CS)
    values_CS = np.divide(sums_CS, counts_CS, out=np.full(shape, np.nan), where=whole_CS)
    return replace(empty, values_CS=values_CS, lost_CS=lost_CS)


@lru_cache(maxsize=2)  # a report asks for several columns
def _cells(data: StudyData, design: Design) -> tuple[NDArray[np.int64], NDArray[np.int64], Scores]:
    """Return each run's setting [R] and seed [R], and scores that lack the values."""
    runs = [str(run) for run in data.runs.index]
    seeds = [seed_of(data, design, run) for run in runs]
    configs = [data.settings[run] for run in runs]
    of_run, unit_name = units(configs)
    seed_numbers = {seed: number for number, seed in enumerate(dict.fromkeys(seeds))}
    nothing_CS = np.full((len(design.rows), len(seed_numbers)), np.nan)
    others = tuple(_number_units(seeds, column) for column in other_units(configs))
    unit_S = _number_units(seeds, of_run)
    folding = find_folding(configs)
    of_folds = {design.of_run[run] for run in runs if data.settings[run].get(FOLD) is not None}
    ordinary = tuple(setting for setting in range(len(design.rows)) if folding and setting not in of_folds)
    lost_CS = np.isfinite(nothing_CS)
    return (
        np.array([design.of_run[run] for run in runs], dtype=np.int64),
        np.array([seed_numbers[seed] for seed in seeds], dtype=np.int64),
        Scores(nothing_CS, lost_CS, unit_S, unit_name, others, folding, ordinary),
    )


def _number_units(seeds: list[str], of_run: list[str]) -> NDArray[np.int64]:
    """Return the number of each seed's unit [S], from the seed and the unit of each run."""
    unit_of_seed = dict(zip(seeds, of_run, strict=True))
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(unit_of_seed.values()))}
    return np.array([numbers[unit] for unit in unit_of_seed.values()], dtype=np.int64)


def seed_of(data: StudyData, design: Design, run: str) -> str:
    """Write the seed of a run: the values of all seed keys that vary, and how many folds it is one of."""
    keys = [*(key for key in design.seeds if is_seed(key)), FOLDS]
    return comparable([data.settings[run].get(key) for key in keys])
