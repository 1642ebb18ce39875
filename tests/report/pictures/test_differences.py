"""Pairwise differences: a row a pair with its interval and verdict; none without comparisons."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.pictures.differences import COLOUR_OF, differences, listed
from dlx.report.pictures.gallery import gallery

PAIR = Comparison(1, 0, 5, -0.1, -0.2, -0.05, 0.06, 0.12, "worse", None, "b is worse <script>\n")


@pytest.fixture
def compared(study: Any, loaded: Callable[[], Any]) -> tuple[Any, Comparisons]:
    for place in range(3):
        study.run(f"r{place}", study.curve(0.9 - place / 10), {"optimizer.lr": 0.1 + place})
    pairs = [PAIR, replace(PAIR, setting=2, verdict="undecided", low=float("-inf"), high=float("inf"))]
    return loaded(), Comparisons(pairs, [], "val_accuracy", "last", 0.01, [])


def test_a_row_is_a_pair_and_an_endless_interval_is_not_drawn(compared: Any) -> None:
    altair = pytest.importorskip("altair")
    (_, layout, summary), comparisons = compared
    frame = listed(layout, comparisons.against_best)
    assert frame["label"].tolist() == ["lr 1.1", "lr 2.1"]
    assert frame["told"].iloc[0] == "b is worse <script>\\n"
    (chart,) = differences(layout, summary, comparisons)
    altair.Chart.from_dict(chart.spec, validate=True)
    strip, _, intervals, points = (layer["data"]["values"] for layer in chart.spec["layer"])
    assert strip == [{"difference": -0.01, "high": 0.01}]
    assert [(row["low"], row["high"], row["verdict"]) for row in intervals] == [(-0.2, -0.05, "worse")]
    assert [row["verdict"] for row in points] == ["worse", "undecided"]
    scale = chart.spec["layer"][-1]["encoding"]["color"]["scale"]
    assert scale["range"] == [COLOUR_OF[verdict] for verdict in ("worse", "undecided")]
    assert "to lr 0.1 at the last epoch" in chart.caption


def test_without_a_margin_there_is_no_strip(compared: Any) -> None:
    (_, layout, summary), comparisons = compared
    (chart,) = differences(layout, summary, replace(comparisons, margin=float("nan")))
    assert "rect" not in {layer["mark"]["type"] for layer in chart.spec["layer"]}
    assert "margin" not in chart.caption


def test_the_section_follows_the_curves_if_settings_were_compared(compared: Any) -> None:
    loaded, comparisons = compared
    assert "Differences" not in gallery(*loaded)
    assert list(gallery(*loaded, comparisons))[:2] == ["Curves", "Differences"]


def test_pairs_without_a_shared_seed_have_no_picture(compared: Any) -> None:
    (_, layout, summary), _ = compared
    nan = float("nan")
    apart = Comparison(1, 0, 0, nan, nan, nan, nan, nan, "undecided", None, "no seed is shared")
    nothing = Comparisons([apart], [], "val_accuracy", "last", 0.01, [])
    assert differences(layout, summary, nothing) == []
