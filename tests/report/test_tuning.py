"""--tune: choices compared at their best, by value and in simulated studies."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dlx.errors import RequestError
from dlx.report.analysis import Analysis
from dlx.report.comparison import all_pairs
from dlx.report.diagnosis.grid_edges import EDGE
from dlx.report.scores import Scores
from dlx.report.tuning import _interval, _p

RATES = (0.1, 0.01, 0.001)


def grid(study: Any, finals: dict[str, dict[float, list[float]]]) -> None:
    for name, by_rate in finals.items():
        for lr, values in by_rate.items():
            for seed, final in enumerate(values):
                changes = {"optimizer.name": name, "optimizer.lr": lr}
                study.run(f"{name}-{lr}-{seed}", study.curve(final), changes, seed=seed)


def tuned(study: Any, **options: Any) -> Analysis:
    analysis: Analysis = study.analysis(**{"by": ("optimizer",), "tune": ("lr",)} | options)
    return analysis


def noisy(level: float, seed: int) -> list[float]:
    return list(level + np.random.default_rng(seed).normal(0, 0.005, 5))


def test_a_choice_is_better_if_its_best_rate_beats_every_rate_of_the_other(study: Any) -> None:
    grid(study, {"adam": {0.1: noisy(0.3, 0), 0.001: noisy(0.9, 1)}, "sgd": {0.1: noisy(0.8, 2)}})
    analysis = tuned(study)
    (pair,) = analysis.comparisons.against_best
    assert analysis.design.labels[pair.reference] == "adam, lr 0.001"
    assert (analysis.design.labels[pair.setting], pair.verdict) == ("sgd, lr 0.1", "worse")
    assert pair.low < -0.1 < pair.high < 0
    assert len(analysis.data.runs) == 10  # the best setting of each
    assert "with the best lr of 1 to 2 tried" in analysis.answer.remarks[0]


def test_choices_that_are_equal_at_their_best_are_not_told_apart_by_the_list_of_rates(study: Any) -> None:
    """The averages over rates differ by 0.3; the best rates are equal."""
    grid(
        study,
        {
            "adam": {0.01: noisy(0.9, 0), 0.001: noisy(0.89, 1)},
            "sgd": {0.1: noisy(0.9, 2), 0.001: noisy(0.3, 3)},
        },
    )
    assert [pair.verdict for pair in tuned(study).comparisons.against_best] == ["undecided"]
    averaged = study.analysis(by=("optimizer",))
    assert averaged.comparisons.against_best == []
    assert "depends on which values of optimizer.lr were tried" in averaged.answer.sentence
    assert "--tune optimizer.lr" in averaged.answer.next_step


def test_two_settings_are_students_test_with_twice_the_smaller_side() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, (2, 6))
    family = all_pairs(Scores(values, values > 1, np.arange(6)))
    expected = stats.ttest_rel(*values)
    assert _p(family, [0], [1]) == pytest.approx(expected.pvalue, rel=1e-10)
    interval = expected.confidence_interval(0.95)
    assert _interval(family, [0], [1], 0.05, higher=True) == pytest.approx(tuple(interval), rel=1e-10)
    low, high = _interval(family, [1], [0], 0.05, higher=False)
    assert (-high, -low) == pytest.approx(tuple(interval), rel=1e-10)


@pytest.mark.parametrize(("first", "second"), [(4, 4), (2, 8)])
@pytest.mark.parametrize("step", [0.0, 1.0, 9.0])
def test_equal_bests_are_called_different_in_at_most_a_twentieth_of_studies(
    first: int, second: int, step: float
) -> None:
    rng = np.random.default_rng([first, second])
    means = np.r_[-step * np.arange(first), -step * np.arange(second)][:, None]
    groups = list(range(first)), list(range(first, first + second))
    wrong = covered = 0
    for _ in range(300):
        values = means + rng.normal(0, 1, (first + second, 5))
        family = all_pairs(Scores(values, np.zeros(values.shape, dtype=bool), np.arange(5)))
        wrong += _p(family, *groups) <= 0.05
        low, high = _interval(family, *groups, 0.05, higher=True)
        covered += low <= 0 <= high
    assert wrong / 300 <= 0.05
    assert covered / 300 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 300)


def test_a_key_that_varies_must_be_named(study: Any) -> None:
    for index, (norm, lr) in enumerate([("none", 0.1), ("batch", 0.1), ("none", 0.2), ("batch", 0.2)]):
        for name in ("adam", "sgd"):
            changes = {"model.norm": norm, "optimizer.lr": lr, "optimizer.name": name}
            study.run(f"{index}{name}", study.curve(0.9), changes)
    with pytest.raises(RequestError, match=r"model.norm also varies; name it in --by or in --tune"):
        tuned(study)


def test_an_edge_of_what_was_tuned_is_found_in_the_whole_study(study: Any) -> None:
    rising = {lr: noisy(level, 9 + int(10 * level)) for lr, level in zip(RATES, (0.8, 0.5, 0.2), strict=True)}
    grid(study, {"adam": {0.1: noisy(0.3, 0), 0.01: noisy(0.9, 1), 0.001: noisy(0.6, 2)}, "sgd": rising})
    kinds = {one.kind for one in tuned(study).diagnosis.findings if one.scope == "sweep"}
    assert EDGE in kinds


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": ()}, "say with --by what to compare"),
        ({"tune": ("norm",)}, "--tune: no key 'norm'"),
        ({"by": ("lr",), "tune": ("lr",)}, "optimizer.lr cannot be in --by and in --tune"),
        ({"margin": 0.01}, "cannot be combined with --baseline or --margin"),
    ],
)
def test_what_cannot_be_tuned_is_refused(study: Any, options: dict[str, Any], said: str) -> None:
    grid(study, {"adam": {0.1: [0.9], 0.01: [0.8]}, "sgd": {0.1: [0.7]}})
    with pytest.raises(RequestError, match=said):
        tuned(study, **options)
