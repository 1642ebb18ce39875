"""Runs -> what each setting scored with each seed, so that settings are compared seed by seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlx.report.load import StudyData
from dlx.report.settings import Design, is_seed
from dlx.run.identity import comparable


@dataclass(frozen=True)
class Scores:
    """C settings, in the order of Design.rows, by S seeds.

    A seed is one combination of all seed keys. `values_CS`: the score, or the mean of the setting's runs with
    that seed where it has several; NaN if it has none, or if one of them did not complete. `lost_CS`: where
    one did not. `higher`: whether higher scores are better.
    """

    values_CS: NDArray[np.float64]
    lost_CS: NDArray[np.bool_]
    higher: bool

    def shared(self, setting: int, reference: int) -> NDArray[np.float64]:
        """Return the differences, setting minus reference, over the seeds that both completed."""
        differences_S: NDArray[np.float64] = self.values_CS[setting] - self.values_CS[reference]
        both_S: NDArray[np.float64] = differences_S[~np.isnan(differences_S)]
        return both_S

    def lost(self, setting: int, reference: int) -> int:
        """Return how many seeds both were trained with of which either did not complete."""
        trained_CS = self.lost_CS | ~np.isnan(self.values_CS)
        either_S = self.lost_CS[setting] | self.lost_CS[reference]
        return int((either_S & trained_CS[setting] & trained_CS[reference]).sum())


def score_by_seed(study: StudyData, layout: Design, column: str, *, higher: bool) -> Scores:
    """Collect a column of StudyData.runs, `val_accuracy_last` say, by setting and seed."""
    places: dict[str, int] = {}
    seeds = {run: seed_of(study, layout, run) for run in study.runs.index}
    for seed in seeds.values():
        places.setdefault(seed, len(places))
    shape = (len(layout.rows), len(places))
    sums_CS, counts_CS, lost_CS = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    for run, status, value in study.runs[["status", column]].itertuples(name=None):
        place = layout.of_run[run], places[seeds[run]]
        if status == "completed":
            sums_CS[place] += value
            counts_CS[place] += 1
        else:
            lost_CS[place] = True
    whole_CS = (counts_CS > 0) & ~lost_CS & np.isfinite(sums_CS)
    values_CS = np.divide(sums_CS, counts_CS, out=np.full(shape, np.nan), where=whole_CS)
    return Scores(values_CS, lost_CS, higher)


def seed_of(study: StudyData, layout: Design, run: str) -> str:
    """Write the seed of a run: the values of all seed keys that vary."""
    return comparable([study.settings[run].get(key) for key in layout.seeds if is_seed(key)])
