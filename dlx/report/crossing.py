"""A study as a grid: the scores by the values of each key, where these are crossed with each other."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.report.scores import Scores, scores_by_unit
from dlx.report.text import visible, write_value
from dlx.run.folds import Folding
from dlx.stats.tests import Floats, resolution

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

# Of all combinations of values, at least this share must have a score. At worst each missing one spoils
# another matched pair, so that of a key of two values half of the pairs remain.
CROSSED = 0.75


@dataclass(frozen=True)
class NotCrossed:
    """A study that is no grid of several keys, and the `reason`."""

    reason: str


@dataclass(frozen=True)
class Crossing:
    """The scores of every combination of K keys' values, [L1, ..., LK, U], by unit; NaN where one is missing.

    `values`: as written, by key. `numeric`: whether all values of a key are numbers. `higher`: whether higher
    scores are better. `level`: of the tests. `left_out`: values without a completed run, in words. `folding`:
    of cross-validation.
    """

    keys: list[str]
    names: dict[str, str]
    values: list[list[str]]
    numeric: list[bool]
    scores: Floats
    higher: bool
    level: float
    left_out: list[str]
    folding: Folding | None = None

    @property
    def overlap(self) -> float:
        """Return how far the training data of units overlap (see `dlx.stats.tests.paired_tests`)."""
        return 0.0 if self.folding is None else self.folding.overlap

    @property
    def step(self) -> float:
        """Return the step between possible scores."""
        return resolution(self.scores.ravel())

    @property
    def levels(self) -> tuple[int, ...]:
        """Return the number of values of each key."""
        return self.scores.shape[:-1]


def find_crossing(analysis: "Analysis") -> Crossing | NotCrossed:
    """Arrange the scores at the last epoch by the values of each key."""
    design, summary, comparisons = analysis.design, analysis.summary, analysis.comparisons
    if len(design.keys) < 2:
        return NotCrossed("fewer than two keys vary")
    if comparisons.averaged or comparisons.tuned:
        return NotCrossed("runs of one setting differ in more than seeds")
    if summary.exact:
        return NotCrossed("nothing in these runs is random")
    values = [_levels([row[key] for row in design.rows]) for key in design.keys]
    if len(design.rows) / math.prod(map(len, values)) < CROSSED:  # in this order for huge products
        return NotCrossed("fewer than three quarters of the combinations of values were trained")
    cells = [tuple(map(write_value, row.values())) for row in design.rows]
    if len(set(cells)) < len(cells):
        return NotCrossed("two values of a key are written alike")
    of_seeds = scores_by_unit(analysis.data, design, f"{summary.metric}_last")
    scores_CU = _by_unit(of_seeds)
    scores = np.full((*map(len, values), scores_CU.shape[1]), np.nan)
    for cell, scores_U in zip(cells, scores_CU, strict=True):
        scores[tuple(each.index(value) for each, value in zip(values, cell, strict=True))] = scores_U
    scores, left_out = scores[..., ~np.isnan(scores_CU).all(axis=0)], []
    for key, name in enumerate(design.names.values()):
        known = np.flatnonzero([not np.isnan(part).all() for part in np.moveaxis(scores, key, 0)])
        left_out += [
            f"{visible(name)} {each}" for level, each in enumerate(values[key]) if level not in known
        ]
        scores, values[key] = scores.take(known, axis=key), [values[key][level] for level in known]
    if min(map(len, values)) < 2:
        return NotCrossed("a key has fewer than two values with completed runs")
    if np.isnan(scores).mean() > 1 - CROSSED:
        return NotCrossed("more than a quarter of the grid's scores are missing, or settings share no seed")
    numeric = [all(_is_number(row[key]) for row in design.rows) for key in design.keys]
    return Crossing(
        *(design.keys, design.names, values, numeric, scores, summary.higher, comparisons.level, left_out),
        of_seeds.folding,
    )


def _by_unit(scores: Scores) -> Floats:
    """Return the mean score of each setting and unit [C, U]; NaN if the setting lacks a seed of the unit."""
    units = range(int(scores.unit_S.max(initial=-1)) + 1)
    return np.stack([scores.values_CS[:, scores.unit_S == unit].mean(axis=1) for unit in units], axis=1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _levels(values: list[Any]) -> list[str]:
    """Write the distinct values of a key in order: without a value or "none" first, numbers by size."""

    def order(value: Any) -> tuple[int, float]:
        if value is None or value == "none":
            return 0, 0.0
        return (1, float(value)) if isinstance(value, int | float) else (2, 0.0)

    return list(dict.fromkeys(write_value(value) for value in sorted(values, key=order)))
