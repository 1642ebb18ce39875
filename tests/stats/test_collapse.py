"""Runs of two kinds: what counts as collapsed, and how rarely one kind is taken for two."""

import numpy as np
import pytest

from dlx.stats.collapse import collapsed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.95, 0.1, 0.94], [False, True, False]),
        ([0.1, 0.95, 0.11, 0.1], [True, False, True, True]),
        ([0.95, 0.94, 0.90], [False, False, False]),  # a gap below 0.1
        ([0.9, 0.7, 0.5, 0.3], [False] * 4),  # spread out, not two kinds
        ([0.9, 0.1], [False, False]),
        ([0.9, 0.9, 0.9], [False] * 3),
        ([0.9, np.nan, 0.1], [False] * 3),
    ],
)
def test_the_worse_of_two_kinds_has_collapsed(values, expected):
    assert collapsed(values, gap=0.1, spread=0.01).tolist() == expected


def test_a_gap_of_just_the_least_size_is_enough():
    assert collapsed([0.0, 1.0, 1.0], gap=1.0, spread=0.25).tolist() == [True, False, False]
    assert not collapsed([0.0, 1.0, 1.0], gap=1.0, spread=0.2501).any()
    assert not collapsed([0.0, 1.0, 1.0], gap=1.0001, spread=0.25).any()


def test_the_typical_deviation_of_settings_counts_where_a_kind_is_one_run():
    assert not collapsed([0.9, 0.9, 0.7], gap=0.1, spread=0.06).any()
    assert collapsed([0.9, 0.9, 0.7], gap=0.1, spread=0.04).any()


@pytest.mark.parametrize("deviation", [0.01, 0.06, 0.17])
@pytest.mark.parametrize("count", [3, 10])
def test_normal_values_are_of_one_kind(deviation, count):
    rng = np.random.default_rng(count)
    found = [
        collapsed(0.7 + deviation * rng.standard_normal(count), 0.1, 0.7 * deviation).any()
        for _ in range(1000)
    ]
    assert np.mean(found) < 0.04  # 0.025 of 3,000 at most
