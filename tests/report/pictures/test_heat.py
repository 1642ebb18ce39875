"""Heat maps of two swept keys: means by value, the better darker, no map of what is no grid."""

from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.pictures.heat import cross, heat
from dlx.report.text import MISSING


def grid(study: Any, *, missing: int = 0) -> None:
    places = [(lr, width) for lr in (0.1, 0.01, 0.001) for width in (8, 128)]
    for place, (lr, width) in enumerate(places[: len(places) - missing]):
        study.run(f"r{place}", study.curve(0.5 + place / 20), {"optimizer.lr": lr, "model.width": width})


def test_cells_hold_means_and_the_best_is_darkest(study: Any, loaded: Callable[[], Any]) -> None:
    grid(study)
    _, layout, summary = loaded()
    made = cross(layout, summary, "optimizer.lr", "model.width")
    assert (made.across, made.down) == ("lr", "width")
    assert made.choices == (["0.001", "0.01", "0.1"], ["8", "128"])
    cells = made.cells.set_index(["across", "down"])
    assert cells.loc[("0.1", "8"), "mean"] == pytest.approx(0.5)
    assert cells.loc[("0.001", "128"), ["text", "shade"]].tolist() == ["0.7500", 1.0]
    assert cells.loc[("0.1", "8"), "shade"] == 0.0


def test_a_third_key_is_averaged_over_and_said(study: Any, drawn: Callable[..., Any]) -> None:
    for norm, better in (("none", 0.0), ("batch", 0.2)):
        for lr in (0.1, 0.01):
            for width in (8, 128):
                changes = {"optimizer.lr": lr, "model.width": width, "model.norm": norm}
                study.run(f"{norm}{lr}{width}", study.curve(0.5 + better), changes)
    charts = drawn(heat)
    assert list(charts) == ["heat_1", "heat_2", "heat_3"]
    assert "mean of up to 2 settings" in charts["heat_1"].caption


def test_a_cell_without_a_completed_run_is_a_dash(study: Any, drawn: Callable[..., Any]) -> None:
    grid(study, missing=1)
    study.run("lost", study.curve(0.1), {"optimizer.lr": 0.001, "model.width": 128}, status="diverged")
    chart = drawn(heat)["heat_1"]
    rects, *texts = chart.spec["layer"]
    assert len(rects["data"]["values"]) == 5
    assert MISSING in [row["text"] for layer in texts for row in layer["data"]["values"]]
    assert f"{MISSING}: no run completed" in chart.caption


def test_a_random_search_has_no_map(study: Any, drawn: Callable[..., Any]) -> None:
    for place in range(5):
        changes = {"optimizer.lr": 0.1 + place, "model.width": 8 + place}
        study.run(f"r{place}", study.curve(0.5), changes)
    assert drawn(heat) == {}
