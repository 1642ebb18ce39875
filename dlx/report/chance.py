"""How much of the best score is luck: of its seeds, of the validation samples, of having been chosen.

C settings, S seeds, N validation samples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.pairing import score_by_seed, seed_of
from dlx.report.plots.run_files import completed_folders, read_folders
from dlx.report.settings import Design
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import read_predictions
from dlx.statistics.noise import Noise, split_noise
from dlx.statistics.selection import flattery

SETTINGS = 60  # whose predictions are read, best first; the choice among more is weighed by scores alone

# By seed, what a run got right, [N], and the labels.
Right = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.integer]]]


@dataclass(frozen=True)
class Chance:
    """`noise`: of the best setting's score; `apart`: of its difference to the next one; None if not known.

    `flattery`: by how much choosing the best setting raised its score; NaN if it is not known. It rests on
    `settings`, `seeds` and `samples`, each resampled if it is more than 1.
    """

    noise: Noise | None
    apart: Noise | None
    flattery: float
    settings: int
    seeds: int
    samples: int


def weigh(study: StudyData, layout: Design, summary: Summary) -> Chance | None:
    """Estimate it from stored predictions where the metric is validation accuracy, else from scores alone.

    Predictions of runs on different validation samples cannot be set side by side: then scores alone count,
    too, and the luck of samples is within that of seeds. None if nothing was repeated.
    """
    right_CSN, scores_CS1 = _right(study, layout, summary), _scores(study, layout, summary)
    values_CSN = scores_CS1 if right_CSN is None or len(layout.rows) > SETTINGS else right_CSN
    settings, seeds, samples = values_CSN.shape
    if min(values_CSN.shape) == 0 or seeds * samples < 2:
        return None
    noise = apart = None
    if right_CSN is not None and min(right_CSN.shape[1:]) > 1:
        noise = split_noise(right_CSN[0])
        apart = split_noise(right_CSN[0] - right_CSN[1]) if len(right_CSN) > 1 else None
    picked = flattery(values_CSN) if settings > 1 else math.nan
    return Chance(noise, apart, picked, settings, seeds, samples)


def _right(study: StudyData, layout: Design, summary: Summary) -> NDArray[np.float64] | None:
    """Return what runs got right at their last epoch, [C, S, N], best setting first; None if not known."""
    if summary.metric != "val_accuracy":
        return None
    folders = completed_folders(study, layout, summary)
    found = read_folders(folders, PREDICTIONS, _read_right, SETTINGS).by_setting
    by_setting: list[Right] = [
        {seed_of(study, layout, run): right for run, right in runs.items()} for runs in found.values()
    ]
    if not by_setting or summary.table["label"].iloc[0] not in found:
        return None
    if any(len(rights) < len(runs) for rights, runs in zip(by_setting, found.values(), strict=True)):
        return None  # several runs of a setting with one seed
    seeds = list(by_setting[0])
    whole = [rights for rights in by_setting if all(seed in rights for seed in seeds)]
    labels_N = whole[0][seeds[0]][1]
    if not all(np.array_equal(rights[seed][1], labels_N) for rights in whole for seed in seeds):
        return None
    return np.array([[rights[seed][0] for seed in seeds] for rights in whole], dtype=np.float64)


def _read_right(folder: Path) -> tuple[NDArray[np.bool_], NDArray[np.integer]] | None:
    read = read_predictions(folder)
    if read is None:
        return None
    outputs_NK = read.last_outputs
    said_N = outputs_NK.argmax(axis=1) if outputs_NK.shape[1] > 1 else outputs_NK[:, 0] > 0
    return said_N == read.labels, read.labels


def _scores(study: StudyData, layout: Design, summary: Summary) -> NDArray[np.float64]:
    """Return the scores, [C, S, 1], higher is better, of settings that share the best one's seeds."""
    scores = score_by_seed(study, layout, f"{summary.metric}_last", higher=summary.higher)
    values_CS = scores.values_CS[summary.table["setting"].to_numpy()] * (1 if summary.higher else -1)
    values_CS = values_CS[:, ~np.isnan(values_CS[0])]
    whole_CS: NDArray[np.float64] = values_CS[~np.isnan(values_CS).any(axis=1)]
    return whole_CS[:, :, None]
