"""Training against validation: means and runs by value, the diagonal, no picture without training."""

from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.pictures.gap import gap, gaps


def test_points_are_last_values_and_their_means(study: Any, loaded: Callable[[], Any]) -> None:
    for seed, accuracy in ((0, 0.7), (1, 0.9)):
        study.run(f"a{seed}", study.curve(0.1, accuracy), seed=seed)  # training is 0.01 above
    study.run("lost", study.curve(0.2), seed=2, status="diverged")
    frame = gaps(*loaded())
    assert frame["run"].tolist() == ["a0", "a1", ""]
    assert frame["val"].tolist() == pytest.approx([0.7, 0.9, 0.8])
    assert frame["gap"].tolist() == pytest.approx([0.01] * 3)
    assert frame["told"].tolist()[2] == "training 0.8100, validation 0.8000"


def test_the_diagonal_spans_both_axes_which_are_equal(
    study: Any, drawn: Callable[..., Any], loaded: Callable[[], Any]
) -> None:
    study.run("a", study.curve(0.7))
    study.run("b", study.curve(0.9), {"optimizer.lr": 1.0})
    chart = drawn(gap)["gap"]
    line, *points = chart.spec["layer"]
    domain = points[0]["encoding"]["x"]["scale"]["domain"]
    assert domain == points[0]["encoding"]["y"]["scale"]["domain"]
    assert [row["train"] for row in line["data"]["values"]] == domain
    assert [row["val"] for row in line["data"]["values"]] == domain
    assert chart.live


def test_without_training_accuracy_there_is_no_such_picture(study: Any, drawn: Callable[..., Any]) -> None:
    for place in range(2):
        study.run(f"a{place}", [(None, None, 2.3, 0.1)], {"optimizer.lr": 0.1 + place})
    assert drawn(gap) == {}
