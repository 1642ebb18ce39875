"""What each key of a grid does on average over the others, and where that depends on another key.

Axes: scores are [L1, ..., LK, U], with K keys of L values each and U units (the seeds or splits).
"""

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dlx.report.crossing import Crossing, NotCrossed, find_crossing
from dlx.report.effects_text import write_apart, write_findings, write_headline, write_method, write_together
from dlx.report.text import visible
from dlx.stats.factorial import (
    FEWEST,
    PAIRED_LEVELS,
    Contrast,
    ContrastTests,
    check_contrasts,
    interaction_contrasts,
    main_contrasts,
)

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

Verdict = Literal["better", "worse", "undecided"]

FEW_SETTINGS = 8  # settings, at most, that are easier to read one by one than by their keys
FEW_UNITS = 2  # seeds, at most, that are too few for tests between settings, but enough for effects


@dataclass(frozen=True)
class Effect:
    """A value of a key against another one, averaged over all other keys, in the metric's unit.

    `name`: the key's short name. `value`, `other`: as written on the command line; `other` is "" where a
    value is compared with the mean of the key's other values. `difference`: the score of `value` minus that
    of `other`, with the 95% interval `low` to `high`; all effects of a study hold together. `p`: by itself;
    `p_holm`: after Holm's correction over all effects and interactions. `pairs`: matched pairs of runs, of
    which `value` is higher in `higher` and lower in `lower`. `verdict`: on `value`.
    """

    key: str
    name: str
    value: str
    other: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    pairs: int
    higher: int
    lower: int
    verdict: Verdict


@dataclass(frozen=True)
class Interaction:
    """Two keys of which one changes what the other does.

    `at`: the effect of `value` against `other` of `key` for each value of the key `by`. `p`, `p_holm`: of the
    clearest contrast between those effects. `means`: the mean score by written values of `key` and `by`.
    """

    key: str
    name: str
    value: str
    other: str
    by: str
    by_name: str
    at: dict[str, Effect]
    p: float
    p_holm: float
    means: dict[tuple[str, str], float]


@dataclass(frozen=True)
class Effects:
    """The effects of a grid, largest first, and the interactions that were found, clearest first.

    `metric`: of the scores; `higher`: whether higher is better. `settings`, `units`, `missing`: how many
    combinations and seeds there are, and how many scores of these are missing. `unit`: "seed" or "split".
    `left_out`: values of keys without a completed run.
    `tests`: how many were done. `undecided_up_to`: by how much an effect may still differ between values of
    another key, where no interaction was found; NaN if unknown.
    `answers`: whether these are what the report should say first. `sentences`: the findings, most important
    first; `headline`: the first of them in short; `together`: the best values of the keys that interact most;
    `apart`: further findings on keys that do not interact; `method`: how they were tested and what that
    assumes.
    """

    main: list[Effect]
    interactions: list[Interaction]
    metric: str
    higher: bool
    settings: int
    units: int
    unit: str
    missing: int
    left_out: list[str]
    tests: int
    undecided_up_to: float
    answers: bool
    sentences: list[str] = field(default_factory=list)
    method: list[str] = field(default_factory=list)

    headline: str = ""
    together: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)


def find_effects(analysis: "Analysis") -> Effects | NotCrossed:
    """Test together what each key of the study's grid does and which keys interact."""
    grid = find_crossing(analysis)
    if isinstance(grid, NotCrossed):
        return grid
    keys = range(len(grid.keys))
    singles = [each for key in keys for each in main_contrasts(grid.levels, key)]
    twofold = [
        each for pair in itertools.combinations(keys, 2) for each in interaction_contrasts(grid.levels, *pair)
    ]
    tests = check_contrasts(
        grid.scores, [*singles, *twofold], resolution=grid.step, level=grid.level, overlap=grid.overlap
    )
    single = [_effect(grid, contrast, tests, index) for index, contrast in enumerate(singles)]
    main = sorted((each for each in single if each.pairs), key=lambda each: -abs(each.difference))
    found = _clearest(twofold, tests, len(singles), grid.level)
    interactions = [_interaction(grid, twofold[index], tests, len(singles) + index, main) for index in found]
    settings, units = math.prod(grid.levels), grid.scores.shape[-1]
    whole = Effects(
        main=main,
        interactions=interactions,
        metric=analysis.summary.metric,
        higher=grid.higher,
        settings=settings,
        units=units,
        unit=analysis.comparisons.unit,
        missing=int(np.isnan(grid.scores).sum()),
        left_out=grid.left_out,
        tests=len(tests.p_M),
        undecided_up_to=_undecided_up_to(tests, len(singles), grid.level),
        answers=_answers(settings, units, max(grid.levels)),
    )
    return replace(
        whole,
        sentences=write_findings(whole),
        headline=write_headline(whole),
        together=write_together(whole),
        apart=write_apart(whole),
        method=write_method(whole),
    )


def _answers(settings: int, units: int, values: int) -> bool:
    """Return whether effects are what to read first: of too many settings, or with too few seeds for pairs.

    A key of many values is read better from its settings: "worse than the other values" names no best one.
    """
    return units >= FEWEST and (units <= FEW_UNITS or (settings > FEW_SETTINGS and values <= PAIRED_LEVELS))


def _effect(grid: Crossing, contrast: Contrast, tests: ContrastTests, index: int) -> Effect:
    """Return the effect of one key that a contrast tells."""
    ((key, weights),) = contrast.weights.items()
    value = grid.values[key][weights.index(1.0)]
    other = grid.values[key][weights.index(-1.0)] if -1.0 in weights else ""
    difference, p_holm = float(tests.mean_M[index]), float(tests.p_holm_M[index])
    verdict: Verdict = "undecided"
    if p_holm <= grid.level:
        verdict = "better" if (difference > 0) == grid.higher else "worse"
    return Effect(
        key=grid.keys[key],
        name=visible(grid.names[grid.keys[key]]),
        value=value,
        other=other,
        difference=difference,
        low=float(tests.low_M[index]),
        high=float(tests.high_M[index]),
        p=float(tests.p_M[index]),
        p_holm=p_holm,
        pairs=int(tests.sets_M[index]),
        higher=int(tests.above_M[index]),
        lower=int(tests.below_M[index]),
        verdict=verdict,
    )


def _clearest(contrasts: list[Contrast], tests: ContrastTests, offset: int, level: float) -> list[int]:
    """Return the index of the clearest contrast of each pair of keys that interacts, clearest pair first."""
    p_M, p_holm_M = tests.p_M[offset:], tests.p_holm_M[offset:]
    found = [index for index in np.argsort(p_M, kind="stable") if p_holm_M[index] <= level]
    first = {contrasts[index].keys: int(index) for index in reversed(found)}
    return sorted(first.values(), key=found.index)


def _undecided_up_to(tests: ContrastTests, offset: int, level: float) -> float:
    """Return the farthest end of the intervals of interactions that were not found."""
    undecided_M = tests.p_holm_M[offset:] > level
    ends = np.abs([tests.low_M[offset:][undecided_M], tests.high_M[offset:][undecided_M]])
    return float(ends.max()) if ends.size else math.nan


def _interaction(
    grid: Crossing, contrast: Contrast, tests: ContrastTests, index: int, main: list[Effect]
) -> Interaction:
    """Return the effect of one key at each value of the other, from the runs with that value alone."""
    key, by = _roles(grid, contrast.keys, main)
    single = Contrast({key: contrast.weights[key]})
    at = {}
    for row, value in enumerate(grid.values[by]):
        alone = check_contrasts(
            grid.scores.take([row], axis=by),
            [single],
            resolution=grid.step,
            level=grid.level,
            noise_order=2,
            family=grid.levels[by],
            overlap=grid.overlap,
        )
        if alone.sets_M[0]:
            at[value] = _effect(grid, single, alone, 0)
    others = tuple(axis for axis in range(grid.scores.ndim) if axis not in (key, by))
    with np.errstate(invalid="ignore"):
        means = np.nansum(grid.scores, axis=others) / (~np.isnan(grid.scores)).sum(axis=others)
    if by < key:
        means = means.T
    effect = next(iter(at.values()))
    return Interaction(
        key=effect.key,
        name=effect.name,
        value=effect.value,
        other=effect.other,
        by=grid.keys[by],
        by_name=visible(grid.names[grid.keys[by]]),
        at=at,
        p=float(tests.p_M[index]),
        p_holm=float(tests.p_holm_M[index]),
        means={
            (value, other): float(means[row, column])
            for row, value in enumerate(grid.values[key])
            for column, other in enumerate(grid.values[by])
        },
    )


def _roles(grid: Crossing, keys: tuple[int, ...], main: list[Effect]) -> tuple[int, int]:
    """Return the key whose effect is told, and the key that changes it.

    "Batch norm helps with this learning rate" is easier to read than the reverse, so the effect is that of a
    choice rather than that of a number. Otherwise it is that of the key with the larger effect.
    """

    def rank(key: int) -> tuple[bool, int]:
        named = grid.keys[key]
        return grid.numeric[key], next(index for index, each in enumerate(main) if each.key == named)

    first, second = sorted(keys, key=rank)
    return first, second
