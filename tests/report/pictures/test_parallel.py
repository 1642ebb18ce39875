"""Parallel coordinates: heights by value, the best line on top, and who is left out."""

from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.pictures.parallel import connect, parallel


def settings(study: Any) -> None:
    for place, (lr, width) in enumerate([(0.1, 8), (0.1, 16), (0.01, 8), (0.001, 32)]):
        study.run(f"r{place}", study.curve(0.5 + place / 10), {"optimizer.lr": lr, "model.width": width})


def test_values_are_spaced_evenly_and_the_result_by_its_size(study: Any, loaded: Callable[[], Any]) -> None:
    settings(study)
    _, layout, summary = loaded()
    made = connect(layout, summary, ["optimizer.lr", "model.width"])
    assert made.axes == ["lr", "width", "val accuracy"]
    heights = made.lines.pivot_table(index="label", columns="order", values="height")
    assert heights.loc["width 8, lr 0.1"].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert heights.loc["width 16, lr 0.1"].tolist() == pytest.approx([1.0, 0.5, 1 / 3])
    assert heights.loc["width 32, lr 0.001"].tolist() == pytest.approx([0.0, 1.0, 1.0])
    last = made.lines[made.lines["order"] == 0].iloc[-1]
    assert (last["label"], last["quality"], last["told"]) == (
        "width 32, lr 0.001",
        1.0,
        "val accuracy 0.8000",
    )


def test_settings_without_a_completed_run_are_counted(study: Any, drawn: Callable[..., Any]) -> None:
    settings(study)
    study.run("lost", study.curve(0.1), {"optimizer.lr": 9.0, "model.width": 8}, status="diverged")
    chart = drawn(parallel)["parallel"]
    assert "1 setting without a completed run: no line." in chart.caption
    assert {row["label"] for row in chart.spec["layer"][0]["data"]["values"]}.isdisjoint({"width 8, lr 9"})


def test_one_key_needs_no_such_picture(study: Any, drawn: Callable[..., Any]) -> None:
    for place in range(5):
        study.run(f"r{place}", study.curve(0.5), {"optimizer.lr": 0.1 + place})
    assert drawn(parallel) == {}
