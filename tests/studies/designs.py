"""Crossed splits, tuned choices, intervals that hold together: `python -m tests.studies.designs [STUDIES]`.

Each row compares what the report did at first with what it does now, on simulated studies of equal settings.
Axes: C settings, S splits, K seeds on each split, U units, M pairs.
"""

import sys
from collections.abc import Iterator

import numpy as np

from dlx.report.comparison import all_pairs
from dlx.report.scores import Scores
from dlx.report.tuning import _p
from dlx.stats.tests import paired_tests

LEVEL = 0.05


def scores_of(values_CS: np.ndarray, unit_S: np.ndarray | None = None) -> Scores:
    """Return scores with these units; by default every column is one."""
    units = np.arange(values_CS.shape[1]) if unit_S is None else unit_S
    return Scores(values_CS, np.zeros(values_CS.shape, dtype=bool), units)


def crossed(settings: int, splits: int, seeds: int, studies: int) -> tuple[float, float]:
    """Return how often equal settings differ: each seed a unit, and each split a unit.

    Every setting has a luck of its own on each split, with the deviation that seeds have.
    """
    rng = np.random.default_rng([settings, splits, seeds])
    split_S = np.repeat(np.arange(splits), seeds)
    wrong = np.zeros(2)
    for _ in range(studies):
        values_CS = rng.normal(size=(settings, splits))[:, split_S] + rng.normal(
            size=(settings, len(split_S))
        )
        families = [all_pairs(scores_of(values_CS)), all_pairs(scores_of(values_CS, split_S))]
        wrong += [(family.p_holm_M <= LEVEL).any() for family in families]
    return tuple(wrong / studies)


def tuned(rates: tuple[int, int], seeds: int, studies: int) -> tuple[float, float]:
    """Return how often two choices with equal bests differ: their means over the rates, and their bests.

    Of each choice's rates one is good, and the others lose 3 standard deviations a step.
    """
    rng = np.random.default_rng([*rates, seeds])
    first, second = (list(range(rates[0])), list(range(rates[0], sum(rates))))
    lost = -3.0 * np.r_[np.arange(rates[0]), np.arange(rates[1])]
    wrong = np.zeros(2)
    for _ in range(studies):
        values_CU = lost[:, None] + rng.normal(size=(sum(rates), seeds))
        means_1U = values_CU[first].mean(axis=0) - values_CU[second].mean(axis=0)
        wrong[0] += paired_tests(means_1U[None], 2).p_M[0] <= LEVEL
        wrong[1] += _p(all_pairs(scores_of(values_CU)), first, second) <= LEVEL
    return tuple(wrong / studies)


def held_together(settings: int, seeds: int, studies: int) -> tuple[float, float]:
    """Return how often all intervals of differences with the best are right: each 95%, and all 95%."""
    rng = np.random.default_rng([settings, seeds])
    held = np.zeros(2)
    first_M, second_M = np.triu_indices(settings, 1)
    for _ in range(studies):
        values_CU = rng.normal(size=(settings, seeds))
        tests = paired_tests(values_CU[first_M] - values_CU[second_M], settings)
        best = values_CU.mean(axis=1).argmax()
        with_best_M = (first_M == best) | (second_M == best)
        for index, family in enumerate((1, len(first_M))):
            inside_M = np.abs(tests.mean_M) <= tests.half_widths(LEVEL, family)
            held[index] += inside_M[with_best_M].all()
    return tuple(held / studies)


def rows(studies: int) -> Iterator[str]:
    """Yield a Markdown table."""
    yield "| what | study | before | now |"
    yield "|---|---|---|---|"
    for settings, splits, seeds in ((2, 4, 4), (4, 4, 4), (2, 3, 10), (4, 3, 10)):
        name = f"false findings | {settings} settings, {splits} splits x {seeds} seeds"
        yield _row(name, crossed(settings, splits, seeds, studies))
    for rates, seeds in (((4, 4), 5), ((2, 4), 5), ((2, 8), 3), ((2, 8), 10)):
        name = f"false findings | {rates[0]} and {rates[1]} rates, {seeds} seeds"
        yield _row(name, tuned(rates, seeds, studies))
    for settings, seeds in ((2, 5), (4, 5), (8, 10), (32, 10)):
        name = f"all intervals right | {settings} settings, {seeds} seeds"
        yield _row(name, held_together(settings, seeds, studies))


def _row(name: str, before_and_now: tuple[float, float]) -> str:
    return "| " + " | ".join([name, *(f"{share:.3f}" for share in before_and_now)]) + " |"


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 1000):
        print(row, flush=True)
