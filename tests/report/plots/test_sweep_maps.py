"""Heat maps and parallel coordinates: values, shades, heights, and settings that are left out."""

from typing import Any

import pytest

from dlx.report.plots.sweep_maps import connect, cross, heat_maps, parallel_coordinates
from dlx.report.text import MISSING


def grid(study: Any, *, missing: int = 0) -> None:
    points = [(lr, width) for lr in (0.1, 0.01, 0.001) for width in (8, 128)]
    for index, (lr, width) in enumerate(points[: len(points) - missing]):
        study.run(f"r{index}", study.curve(0.5 + index / 20), {"optimizer.lr": lr, "model.width": width})


def test_cells_hold_means_and_the_best_is_darkest(study: Any, analysed: Any) -> None:
    grid(study)
    analysis = analysed()
    heat_map = cross(analysis, "optimizer.lr", "model.width")
    assert (heat_map.across, heat_map.down) == ("lr", "width")
    assert heat_map.choices == (["0.001", "0.01", "0.1"], ["8", "128"])
    cells = heat_map.cells.set_index(["across", "down"])
    assert cells.loc[("0.1", "8"), "mean"] == pytest.approx(0.5)
    assert cells.loc[("0.001", "128"), ["text", "shade"]].tolist() == ["0.7500", 1.0]
    assert cells.loc[("0.1", "8"), "shade"] == 0.0


def test_a_third_key_is_averaged_over_and_the_caption_says_so(study: Any, drawn: Any) -> None:
    for norm, better in (("none", 0.0), ("batch", 0.2)):
        for lr in (0.1, 0.01):
            for width in (8, 128):
                changes = {"optimizer.lr": lr, "model.width": width, "model.norm": norm}
                study.run(f"{norm}{lr}{width}", study.curve(0.5 + better), changes)
    charts = drawn(heat_maps)
    assert list(charts) == ["heat_1", "heat_2", "heat_3"]
    assert "average over the other keys: up to 2 settings each" in charts["heat_1"].caption


def test_a_cell_without_a_completed_run_is_a_dash(study: Any, drawn: Any) -> None:
    grid(study, missing=1)
    study.run("lost", study.curve(0.1), {"optimizer.lr": 0.001, "model.width": 128}, status="diverged")
    chart = drawn(heat_maps)["heat_1"]
    rects, *texts = chart.spec["layer"]
    assert len(rects["data"]["values"]) == 5
    assert MISSING in [row["text"] for layer in texts for row in layer["data"]["values"]]
    assert f"{MISSING}: no run completed" in chart.caption


def test_a_random_search_has_no_map(study: Any, drawn: Any) -> None:
    for index in range(5):
        changes = {"optimizer.lr": 0.1 + index, "model.width": 8 + index}
        study.run(f"r{index}", study.curve(0.5), changes)
    assert drawn(heat_maps) == {}


def four_settings(study: Any) -> None:
    for index, (lr, width) in enumerate([(0.1, 8), (0.1, 16), (0.01, 8), (0.001, 32)]):
        study.run(f"r{index}", study.curve(0.5 + index / 10), {"optimizer.lr": lr, "model.width": width})


def test_values_are_spaced_evenly_and_the_result_by_its_size(study: Any, analysed: Any) -> None:
    four_settings(study)
    analysis = analysed()
    parallel = connect(analysis, ["optimizer.lr", "model.width"])
    assert parallel.axes == ["lr", "width", "validation accuracy"]
    heights = parallel.lines.pivot_table(index="label", columns="order", values="height")
    assert heights.loc["width 8, lr 0.1"].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert heights.loc["width 16, lr 0.1"].tolist() == pytest.approx([1.0, 0.5, 1 / 3])
    assert heights.loc["width 32, lr 0.001"].tolist() == pytest.approx([0.0, 1.0, 1.0])
    last = parallel.lines[parallel.lines["order"] == 0].iloc[-1]
    assert (last["label"], last["quality"], last["tooltip"]) == (
        "width 32, lr 0.001",
        1.0,
        "validation accuracy 0.8000",
    )


def test_settings_without_a_completed_run_are_counted(study: Any, drawn: Any) -> None:
    four_settings(study)
    study.run("lost", study.curve(0.1), {"optimizer.lr": 9.0, "model.width": 8}, status="diverged")
    chart = drawn(parallel_coordinates)["parallel"]
    assert "Not shown: 1 setting without a completed run." in chart.caption
    assert {row["label"] for row in chart.spec["layer"][0]["data"]["values"]}.isdisjoint({"width 8, lr 9"})


def test_a_single_key_has_no_parallel_coordinates(study: Any, drawn: Any) -> None:
    for index in range(5):
        study.run(f"r{index}", study.curve(0.5), {"optimizer.lr": 0.1 + index})
    assert drawn(parallel_coordinates) == {}
