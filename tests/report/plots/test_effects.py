"""The picture of effects: rows, colours, panels of interactions."""

import itertools
from typing import Any

import pytest

from dlx.report.plots.effects import effects, rows_of_effects


def write(study: Any, seeds: int = 3) -> None:
    """Write a grid of norm by lr, in which norm helps with the larger lr only."""
    for number, (norm, lr) in enumerate(itertools.product(["none", "batch"], [0.1, 0.2])):
        for seed in range(seeds):
            score = 0.7 + 0.1 * (norm == "batch") * (lr == 0.2) + 0.001 * ((7 * number + 3 * seed) % 5)
            study.run(
                f"r{number}_{seed}", study.curve(score), {"model.norm": norm, "optimizer.lr": lr}, seed=seed
            )


def test_rows_have_the_better_value_first_in_points(study: Any, analysed: Any) -> None:
    write(study)
    frame = rows_of_effects(analysed().effects)
    assert frame["label"].tolist() == ["norm: batch minus none", "lr: 0.2 minus 0.1"]
    assert frame["difference"].tolist() == pytest.approx([5, 5], abs=0.2)
    assert (frame["low"] < frame["difference"]).all()
    assert frame["verdict"].tolist() == ["better", "better"]
    assert frame["tooltip"].str.contains("matched pairs").all()


def test_a_single_interaction_stands_beside_the_effects(study: Any, drawn: Any) -> None:
    write(study)
    (chart,) = drawn(effects).values()
    forest, panel = chart.spec["hconcat"]
    assert [layer["mark"]["type"] for layer in forest["layer"]] == ["rule", "rule", "point"]
    line = panel["layer"][1]["data"]["values"]
    assert {(row["value"], row["by"]): round(row["mean"], 2) for row in line}["batch", "0.2"] == 0.80
    assert "not parallel" in chart.caption


def test_without_interactions_only_the_forest_is_drawn(study: Any, drawn: Any) -> None:
    for number, (norm, lr) in enumerate(itertools.product(["none", "batch"], [0.1, 0.2])):
        for seed in range(3):
            score = 0.7 + 0.1 * (norm == "batch") + 0.001 * ((7 * number + 3 * seed) % 5)
            study.run(
                f"r{number}_{seed}", study.curve(score), {"model.norm": norm, "optimizer.lr": lr}, seed=seed
            )
    (chart,) = drawn(effects).values()
    assert "layer" in chart.spec
    assert "not parallel" not in chart.caption


def test_nothing_is_drawn_without_a_grid_or_with_one_seed(study: Any, analysed: Any) -> None:
    write(study, seeds=1)
    assert effects(analysed()) == []
    study.run("other", study.curve(0.7), {"model.width": 1}, seed=0)
    assert effects(analysed()) == []
