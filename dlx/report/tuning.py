"""Compares choices (optimizers) each at the best of the other settings that were tried with it (rates).

The mean over a list of learning rates depends on the list, and the best of a list is too good for having been
picked. So one choice is better than another only if one of its settings is better than all of the other's.

Axes: C settings, G groups of settings (one for each choice), A and B settings of two groups.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dlx.errors import RequestError
from dlx.report.comparison import Comparison, Comparisons, Family, all_pairs
from dlx.report.design import Design, find_design, find_key
from dlx.report.load import StudyData
from dlx.report.metric import find_ranking
from dlx.report.scores import Scores, scores_by_unit
from dlx.report.summary import Summary, summarise
from dlx.report.text import visible
from dlx.run.identity import comparable
from dlx.stats.tests import holm


def compare_tuned(
    data: StudyData, by: Sequence[str], over: Sequence[str], metric: str, level: float
) -> tuple[StudyData, Design, Summary, Comparisons]:
    """Compare the groups with different values of the keys `by`, each at its best over the keys `over`.

    Returns the runs of each group's best setting, what they achieved, and how the groups compare. Raises
    RequestError if a key does not vary, or if a key varies that is in neither.
    """
    ranking, design = find_ranking(data, metric), find_design(data.settings)
    data, summary = ranking.data, summarise(ranking, design)
    keys = [find_key(key, design.keys, design.names, "--by") for key in by]
    tuned = [find_key(key, design.keys, design.names, "--tune") for key in over]
    if both := [visible(key) for key in keys if key in tuned]:
        raise RequestError(f"--tune: {', '.join(both)} cannot be in --by and in --tune")
    if not keys:
        raise RequestError("--tune: say with --by what to compare")
    if rest := [visible(key) for key in design.keys if key not in (*keys, *tuned)]:
        raise RequestError(f"--tune: {', '.join(rest)} also varies; name it in --by or in --tune")
    scores = scores_by_unit(data, design, f"{summary.metric}_last")
    groups = _groups(design, summary, keys)
    chosen = data.runs.index[
        [design.of_run[run] in {group[0] for group in groups} for run in data.runs.index]
    ]
    kept = replace(
        data,
        runs=data.runs.loc[chosen],
        settings={run: data.settings[run] for run in chosen},
        histories=data.histories[data.histories["run"].isin(chosen)],
    )
    own_design = find_design(kept.settings, _varying([*keys, *tuned], kept))
    own_summary = summarise(replace(ranking, data=kept), own_design)
    index_of = {design.of_run[run]: own_design.of_run[run] for run in chosen}
    compared = _compare(groups, scores, all_pairs(scores), index_of, level, higher=summary.higher)
    note = _note(groups, [visible(design.names[key]) for key in tuned])
    comparisons = Comparisons(
        compared,
        [],
        summary.metric,
        float("nan"),
        level,
        unit=scores.unit_name,
        folding=scores.folding_of(groups[0][0]),
        tuned=note,
    )
    return kept, own_design, own_summary, comparisons


def _groups(design: Design, summary: Summary, keys: Sequence[str]) -> list[list[int]]:
    """Return the completed settings of each group, best first, and the groups best first."""
    groups: dict[tuple[str, ...], list[int]] = {}
    completed = summary.table.dropna(subset=[f"{summary.metric}_last_mean"])
    for setting in map(int, completed["setting"]):
        groups.setdefault(tuple(comparable(design.rows[setting][key]) for key in keys), []).append(setting)
    return list(groups.values())


def _varying(keys: Sequence[str], data: StudyData) -> list[str]:
    values = [[comparable(settings.get(key)) for settings in data.settings.values()] for key in keys]
    return [key for key, of_runs in zip(keys, values, strict=True) if len(set(of_runs)) > 1]


def _compare(
    groups: list[list[int]],
    scores: Scores,
    family: Family,
    index_of: dict[int, int],
    level: float,
    *,
    higher: bool,
) -> list[Comparison]:
    """Compare every group with the best one; Holm's correction is over all pairs of groups."""
    pairs = [(first, second) for second in range(len(groups)) for first in range(second + 1, len(groups))]
    p_M = np.array([_p(family, groups[first], groups[second]) for first, second in pairs])
    p_holm_M = holm(p_M)
    compared = []
    for (first, second), p, p_holm in zip(pairs, p_M, p_holm_M, strict=True):
        if second:
            continue
        setting, best = groups[first][0], groups[0][0]
        difference_U = scores.differences(np.array([setting]), np.array([best]))[0]
        difference_U = difference_U[~np.isnan(difference_U)]
        difference = float(difference_U.mean()) if len(difference_U) else float("nan")
        low, high = _interval(family, groups[first], groups[0], level / len(pairs), higher=higher)
        compared.append(
            Comparison(
                index_of[setting],
                index_of[best],
                len(difference_U),
                difference,
                low,
                high,
                float(p),
                float(p_holm),
                "worse" if p_holm <= level else "undecided",
                tests=len(pairs),
            )
        )
    return compared


def _signed(family: Family, first: list[int], second: list[int]) -> tuple[NDArray[np.float64], ...]:
    """Return mean differences, first minus second, their standard errors and degrees of freedom [A, B]."""
    row_AB = family.row_CC[np.ix_(first, second)]
    sign_AB = np.where(np.array(first)[:, None] < np.array(second)[None, :], 1.0, -1.0)
    tests = family.tests
    values = [
        np.where(row_AB >= 0, values_M[row_AB], np.nan) if len(values_M) else np.full(row_AB.shape, np.nan)
        for values_M in (tests.mean_M, tests.error_M, tests.freedom_M)
    ]
    return sign_AB * values[0], values[1], values[2]


def _p(family: Family, first: list[int], second: list[int]) -> float:
    """Return the two-sided p value that the best of one group differs from the best of the other.

    One setting must beat all of the other group, the largest of its p values (an intersection-union test).
    The setting was picked among those of its group, for which the smallest such p is corrected (Bonferroni).
    """
    from scipy.special import stdtr

    mean_AB, error_AB, freedom_AB = _signed(family, first, second)
    if np.isnan(error_AB).any():
        return float("nan")
    t_AB = np.divide(mean_AB, error_AB, out=np.sign(mean_AB) * np.inf, where=error_AB != 0)
    above_AB, below_AB = stdtr(freedom_AB, -t_AB), stdtr(freedom_AB, t_AB)
    either = len(first) * above_AB.max(axis=1).min(), len(second) * below_AB.max(axis=0).min()
    return min(1.0, 2 * float(min(either)))


def _interval(
    family: Family, first: list[int], second: list[int], level: float, *, higher: bool
) -> tuple[float, float]:
    """Return the interval of the best of `first` minus the best of `second` that goes with the test."""
    from scipy.special import stdtrit

    mean_AB, error_AB, freedom_AB = _signed(family, first, second)
    mean_AB = mean_AB if higher else -mean_AB
    below_AB = mean_AB - stdtrit(freedom_AB, 1 - level / (2 * len(first))) * error_AB
    above_AB = mean_AB + stdtrit(freedom_AB, 1 - level / (2 * len(second))) * error_AB
    ends = float(below_AB.min(axis=1).max()), float(above_AB.max(axis=0).min())
    return ends if higher else (-ends[1], -ends[0])


def _note(groups: list[list[int]], tuned: Sequence[str]) -> str:
    counts = sorted({len(group) for group in groups})
    many = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    return (
        f"Each is shown with the best {' and '.join(tuned)} of {many} tried. One counts as better only if "
        "one of its values beats all of the other's."
    )
