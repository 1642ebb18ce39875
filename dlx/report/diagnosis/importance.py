"""How much of the differences between settings each key explains."""

import math

import numpy as np
from scipy.special import fdtrc

from dlx.metrics.catalogue import label_of
from dlx.report.diagnosis.evidence import Evidence, pooled_variance
from dlx.report.diagnosis.finding import Finding, NotChecked
from dlx.report.diagnosis.trend import Floats
from dlx.report.text import visible
from dlx.run.identity import comparable

IMPORTANCE = "importance"
LUCK = 0.01  # probability that equal settings are reported


def find_importance(evidence: Evidence) -> list[Finding | NotChecked]:
    """Attribute the variance between the settings' means to keys, if there is more than seeds explain."""
    keys = evidence.design.keys
    if len(keys) < 2:
        return [NotChecked(IMPORTANCE, "fewer than two keys vary")]
    grid = crossed_grid(evidence)
    if isinstance(grid, str):
        return [NotChecked(IMPORTANCE, grid)]
    variance, freedom = pooled_variance(evidence.scores.values())
    if not freedom:
        return [NotChecked(IMPORTANCE, "only one run per setting, so the variation between seeds is unknown")]
    counts = [len(scores_n) for scores_n in evidence.scores.values()]
    between = float(grid.var(ddof=1)) * len(counts) / sum(1 / count for count in counts)
    ratio = between / max(variance, 1e-300)
    if float(fdtrc(grid.size - 1, freedom, ratio)) > LUCK:
        return [NotChecked(IMPORTANCE, f"settings differ no more than seeds do (F = {ratio:.2f})")]
    return [_importance_finding(evidence, dict(zip(keys, main_effects(grid), strict=True)))]


def crossed_grid(evidence: Evidence) -> Floats | str:
    """Return the settings' means in an array with an axis for each key, or why that is not possible."""
    rows, keys = evidence.design.rows, evidence.design.keys
    values = [list(dict.fromkeys(comparable(row[key]) for row in rows)) for key in keys]
    size = math.prod(len(each) for each in values)
    if size != len(rows):
        names = ", ".join(map(visible, keys))
        return f"the grid is not complete: it has {len(rows)} of {size} combinations of {names}"
    if missing := len(rows) - len(evidence.scores):
        return f"{missing} of {len(rows)} settings have no completed run"
    grid = np.full([len(each) for each in values], np.nan)
    for setting, row in enumerate(rows):
        at = tuple(each.index(comparable(row[key])) for key, each in zip(keys, values, strict=True))
        grid[at] = evidence.mean(setting)
    return grid


def main_effects(grid: Floats) -> list[float]:
    """Return each axis's main effect as a share of the variance of a full grid; the rest is interactions.

    These are the first-order terms of functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014).
    """
    total, axes = float(grid.var()), range(grid.ndim)
    return [
        float(grid.mean(axis=tuple(other for other in axes if other != axis)).var()) / total for axis in axes
    ]


def _importance_finding(evidence: Evidence, shares: dict[str, float]) -> Finding:
    first, *others = sorted(shares, key=lambda key: -shares[key])
    names = evidence.design.names
    rest = max(0.0, 1 - sum(shares.values()))
    smaller = "".join(f"{visible(names[key])} {100 * shares[key]:.0f}%, " for key in others)
    sentence = (
        f"{visible(names[first])} matters most: by itself it explains {100 * shares[first]:.0f}% of the "
        f"variance of {label_of(evidence.summary.metric)} between the {len(evidence.scores)} settings "
        f"({smaller}interactions {100 * rest:.0f}%)."
    )
    numbers = {visible(key): shares[key] for key in (first, *others)} | {"interactions": rest}
    return Finding(IMPORTANCE, "sweep", "", "note", sentence, numbers)
