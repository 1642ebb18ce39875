"""Forest plot: a row for each compared pair, with its interval and verdict."""

from dataclasses import replace
from typing import Any

import pytest

from dlx.report.analysis import Analysis
from dlx.report.comparison import Comparison, Comparisons
from dlx.report.plots.differences import COLOUR_OF, differences, rows_of_pairs

PAIR = Comparison(1, 0, 5, -0.1, -0.2, -0.05, 0.006, 0.012, "worse", 0, 3)


@pytest.fixture
def compared(study: Any, analysed: Any) -> Analysis:
    for index in range(3):
        study.run(f"r{index}", study.curve(0.9 - index / 10), {"optimizer.lr": 0.1 + index})
    pairs = [PAIR, replace(PAIR, setting=2, verdict="undecided", low=float("-inf"), high=float("inf"))]
    return replace(analysed(), comparisons=Comparisons(pairs, [], "val_accuracy", 0.01))


def test_a_row_is_a_pair_and_an_infinite_interval_is_not_drawn(compared: Analysis) -> None:
    altair = pytest.importorskip("altair")
    frame = rows_of_pairs(compared.design.labels, compared.comparisons, compared.comparisons.against_best)
    assert frame["label"].tolist() == ["lr 1.1", "lr 2.1"]
    assert frame["tooltip"].iloc[0].startswith("lr 1.1 is worse than lr 0.1: 10.0 points lower over 5 seeds")
    (chart,) = differences(compared)
    altair.Root.validate(chart.spec)
    strip, _, intervals, points = (layer["data"]["values"] for layer in chart.spec["layer"])
    assert strip == [{"difference": -0.01, "high": 0.01}]
    assert [(row["low"], row["high"], row["verdict"]) for row in intervals] == [(-0.2, -0.05, "worse")]
    assert [row["verdict"] for row in points] == ["worse", "undecided"]
    scale = chart.spec["layer"][-1]["encoding"]["color"]["scale"]
    assert scale["range"] == [COLOUR_OF[verdict] for verdict in ("worse", "undecided")]
    assert "minus that of lr 0.1 at the last epoch" in chart.caption


def test_without_a_margin_there_is_no_strip(compared: Analysis) -> None:
    without = replace(compared.comparisons, margin=float("nan"))
    (chart,) = differences(replace(compared, comparisons=without))
    assert "rect" not in {layer["mark"]["type"] for layer in chart.spec["layer"]}
    assert "margin" not in chart.caption


def test_pairs_without_a_shared_seed_are_not_drawn(compared: Analysis) -> None:
    nan = float("nan")
    apart = Comparison(1, 0, 0, nan, nan, nan, nan, nan, "undecided")
    nothing = Comparisons([apart], [], "val_accuracy", 0.01)
    assert differences(replace(compared, comparisons=nothing)) == []
