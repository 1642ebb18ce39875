"""Which hyperparameter mattered most: shares of the variance between the settings of a full grid.

Axes: S settings, one axis for each varying key in the grid's array.
"""

import math

import numpy as np
from scipy.special import fdtrc

from dlx.report.diagnosis.finding import Finding
from dlx.report.diagnosis.sweep import Sweep, SweepCheck
from dlx.report.diagnosis.trend import Floats
from dlx.report.text import visible
from dlx.run.identity import comparable

KIND = "importance"
LUCK = 0.01  # how often settings that do not differ may get a line


def find(sweep: Sweep) -> tuple[list[Finding], list[str]]:
    """Split the variance of the settings' means, if seeds say that it is there."""
    keys = sweep.layout.keys
    if len(keys) < 2:
        return [], ["fewer than two keys vary"]
    grid = crossed(sweep)
    if isinstance(grid, str):
        return [], [grid]
    variance, freedom = sweep.seeds()
    if not freedom:
        return [], ["one run a setting: what is chance is not known"]
    counts = [len(values_n) for values_n in sweep.ends.values()]
    between = float(grid.var(ddof=1)) * len(counts) / sum(1 / count for count in counts)
    ratio = between / max(variance, 1e-300)
    if float(fdtrc(grid.size - 1, freedom, ratio)) > LUCK:
        return [], [f"settings differ no more than seeds do (F = {ratio:.2f})"]
    return [_finding(keys, shares(grid), sweep)], []


def crossed(sweep: Sweep) -> Floats | str:
    """Return the settings' means, an axis for each key; say why there is no such array."""
    rows, keys = sweep.layout.rows, sweep.layout.keys
    values = [list(dict.fromkeys(comparable(row[key]) for row in rows)) for key in keys]
    size = math.prod(len(each) for each in values)
    if size != len(rows):
        return (
            f"the grid is not crossed: {len(rows)} of {size} combinations of {', '.join(map(visible, keys))}"
        )
    if missing := len(rows) - len(sweep.ends):
        return f"{missing} of {len(rows)} settings have no completed run, so the grid has holes"
    grid = np.full([len(each) for each in values], np.nan)
    for place, row in enumerate(rows):
        at = tuple(each.index(comparable(row[key])) for key, each in zip(keys, values, strict=True))
        grid[at] = sweep.ends[place].mean()
    return grid


def shares(grid: Floats) -> list[float]:
    """Return each axis' share of the variance of a full grid by its main effect; the rest are interactions.

    On a full grid these are the first terms of functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014).
    """
    total = float(grid.var())
    axes = range(grid.ndim)
    return [
        float(grid.mean(axis=tuple(other for other in axes if other != axis)).var()) / total for axis in axes
    ]


def _finding(keys: list[str], parts: list[float], sweep: Sweep) -> Finding:
    order = sorted(range(len(keys)), key=lambda place: -parts[place])
    named = [f"{visible(sweep.layout.names[keys[place]])} {100 * parts[place]:.0f}%" for place in order]
    rest = max(0.0, 1 - sum(parts))
    sentence = (
        f"What mattered most: of the variance of {sweep.metric.replace('_', ' ')} between the "
        f"{len(sweep.ends)} settings, {', '.join(named)} each by itself, {100 * rest:.0f}% in combination."
    )
    numbers = {visible(keys[place]): parts[place] for place in order} | {"interactions": rest}
    return Finding(KIND, "sweep", "", "note", sentence, numbers)


CHECK = SweepCheck(KIND, find)
