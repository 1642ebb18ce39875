"""How uncertain the best score is: its variance between seeds and samples, and the bias of picking it.

Axes: C settings, S seeds, N validation samples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.report.plots.run_files import read_first
from dlx.report.scores import scores_by_unit, seed_of
from dlx.report.summary import Summary
from dlx.report.text import write_difference
from dlx.run.folds import find_folding
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import read_predictions
from dlx.stats.variance import VarianceComponents, selection_bias, variance_components

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

LEAST = 5e-5  # smaller numbers would be written as 0
SETTINGS = 60  # whose predictions are read, best first; with more, the selection bias uses scores only
SINGLE = 500  # the same if every setting has one run: then scores alone say nothing, and the bias is largest

# By seed: which samples a run got right, [N], and the labels.
Right = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.integer]]]


@dataclass(frozen=True)
class Uncertainty:
    """The variance components `of_best`, the best score, and `of_lead`, its lead; None if unknown.

    `selection_bias`: by how much the best score is too good because it was picked; NaN if unknown. It was
    estimated from this many `settings`, `seeds` and `samples`; those above 1 were split in random halves.
    """

    of_best: VarianceComponents | None
    of_lead: VarianceComponents | None
    selection_bias: float
    settings: int
    seeds: int
    samples: int


def estimate_uncertainty(analysis: "Analysis") -> Uncertainty | None:
    """Estimate the uncertainty from stored predictions of validation accuracy, or else from scores.

    Predictions on different validation samples cannot be compared. Scores are used then, and the variance
    between samples is part of that between seeds. None if nothing is repeated, and for cross-validation: its
    folds are not independent, so random halves of them say too little about each other.
    """
    if find_folding(analysis.data.settings.values()) is not None:
        return None
    single = analysis.summary.table["runs"].max() == 1
    most = SINGLE if single else SETTINGS
    right_CSN, scores_CS1 = _right(analysis, most), _scores(analysis)
    few = len(analysis.design.rows) <= most or single
    values_CSN = right_CSN if right_CSN is not None and few else scores_CS1
    settings, seeds, samples = values_CSN.shape
    if min(values_CSN.shape) == 0 or seeds * samples < 2:
        return None
    of_best = of_lead = None
    if right_CSN is not None and min(right_CSN.shape[1:]) > 1:
        of_best = variance_components(right_CSN[0])
        of_lead = variance_components(right_CSN[0] - right_CSN[1]) if len(right_CSN) > 1 else None
    bias = selection_bias(values_CSN) if settings > 1 else math.nan
    return Uncertainty(of_best, of_lead, bias, settings, seeds, samples)


def _right(analysis: "Analysis", most: int) -> NDArray[np.float64] | None:
    """Return which samples runs got right at their last epoch, [C, S, N], best setting first; or None."""
    data, design, summary = analysis.data, analysis.design, analysis.summary
    if summary.metric != "val_accuracy":
        return None
    found = read_first(analysis, PREDICTIONS, _read_right, most).by_setting
    by_setting: list[Right] = [
        {seed_of(data, design, run): right for run, right in runs.items()} for runs in found.values()
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


def _scores(analysis: "Analysis") -> NDArray[np.float64]:
    """Return the scores, [C, S, 1], higher is better, of the settings that share the best one's seeds."""
    summary = analysis.summary
    scores = scores_by_unit(analysis.data, analysis.design, f"{summary.metric}_last")
    values_CS = scores.values_CS[summary.table["setting"].to_numpy()] * (1 if summary.higher else -1)
    values_CS = values_CS[:, ~np.isnan(values_CS[0])]
    whole_CS: NDArray[np.float64] = values_CS[~np.isnan(values_CS).any(axis=1)]
    return whole_CS[:, :, None]


def uncertainty_sentences(uncertainty: Uncertainty | None, summary: Summary) -> list[str]:
    """Say how the best score varies with seeds and samples, and how biased it is by being picked.

    Numbers that would be written as 0 are left out.
    """
    if uncertainty is None:
        return []
    metric, said = summary.metric, []
    if (best := uncertainty.of_best) and min(best.seed_std, best.sample_std) >= LEAST:
        seed, sample = (write_difference(metric, std) for std in (best.seed_std, best.sample_std))
        said.append(
            f"The best setting's score varies between seeds (standard deviation {seed}) and between sets of "
            f"{best.sample_count:,} validation samples ({sample})."
        )
    if lead := uncertainty.of_lead:
        std = math.sqrt(lead.samples / lead.sample_count)
        if std >= LEAST:
            said.append(
                "The tests cover other seeds but the same validation samples. On others its lead "
                f"varies by {write_difference(metric, std)} (standard deviation), whatever the seeds."
            )
    if uncertainty.selection_bias >= LEAST:
        counts = (("seeds", uncertainty.seeds), ("validation samples", uncertainty.samples))
        halves = " and ".join(name for name, count in counts if count > 1)
        bias = write_difference(metric, uncertainty.selection_bias)
        said.append(
            f"Because it was picked as the best of {uncertainty.settings}, its score is probably about "
            f"{bias} too {'high' if summary.higher else 'low'}. This is estimated by picking on random "
            f"halves of the {halves} and scoring on the others."
        )
    return said
