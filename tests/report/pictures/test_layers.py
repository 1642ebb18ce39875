"""Statistics of layers: means over seeds, the net's order, layers that change nothing left out."""

from typing import Any

import pytest

from dlx.report.pictures.layers import SETTINGS, by_layer, layers, telling
from dlx.report.pictures.reading import read_first
from dlx.report.pictures.style import PANELS
from dlx.run.probes import LAYER_COLUMNS, LAYERS, read_layers

PLAIN = [("flatten", "Flatten"), ("linear1", "Linear"), ("dropout1", "Dropout"), ("output", "Linear")]
NORMED = [PLAIN[0], PLAIN[1], ("norm1", "BatchNorm1d"), *PLAIN[2:]]


def rows(net: list[tuple[str, str]], mean: float) -> list[tuple[object, ...]]:
    """Statistics by epoch and phase; dropout passes on what the layer before it puts out."""
    values = {name: mean + place for place, (name, _) in enumerate(net)}
    before = [name for name, _ in net][[name for name, _ in net].index("dropout1") - 1]
    values["dropout1"] = values[before]
    return [
        (epoch, phase, name, module, values[name] * epoch, abs(values[name]) * epoch, 1.0)
        for epoch in (0, 1)
        for phase in ("training", "validation")
        for name, module in net
    ]


def found(loaded: Any) -> Any:
    return read_first(*loaded(), LAYERS, read_layers, SETTINGS)


def test_statistics_are_means_over_the_runs_of_a_setting(study: Any, loaded: Any, write: Any) -> None:
    for seed, mean in enumerate((1.0, 3.0)):
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / LAYERS, LAYER_COLUMNS, rows(PLAIN, mean))
    plan = by_layer(found(loaded), ["linear1", "output"], "mean")
    values = plan.frame[plan.frame["epoch"] == 1].set_index(["panel", "split"])["value"]
    assert values["linear1", "training"] == pytest.approx(3.0)
    assert values["output", "validation"] == pytest.approx(5.0)
    assert plan.panels == ["linear1", "output"]


def test_layers_stand_in_the_nets_order_without_those_that_change_nothing(
    study: Any, loaded: Any, write: Any
) -> None:
    plain = study.run("plain", study.curve(0.9))
    write(plain / LAYERS, LAYER_COLUMNS, rows(PLAIN, 1.0))
    normed = study.run("normed", study.curve(0.5), {"model.norm": "batch"})
    write(normed / LAYERS, LAYER_COLUMNS, rows(NORMED, 1.0))
    assert telling(found(loaded)) == ["linear1", "norm1", "output"]


def test_dropout_that_drops_is_shown(study: Any, loaded: Any, write: Any) -> None:
    changed = [(*row[:4], row[4], row[5], 2.0) if row[2] == "dropout1" else row for row in rows(PLAIN, 1.0)]
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, changed)
    assert "dropout1" in telling(found(loaded))


def test_three_figures_with_a_panel_a_layer_and_at_most_six_settings(
    study: Any, drawn: Any, write: Any
) -> None:
    net = [(f"linear{place}", "Linear") for place in range(15)] + [("dropout1", "Dropout"), PLAIN[-1]]
    for place in range(7):
        folder = study.run(f"r{place}", study.curve(0.9 - place / 10), {"optimizer.lr": 0.1 + place})
        write(folder / LAYERS, LAYER_COLUMNS, rows(net, 1.0))
    charts = drawn(layers)
    assert list(charts) == ["layers_mean", "layers_abs_mean", "layers_std"]
    chart = charts["layers_mean"]
    assert len(chart.spec["concat"]) == PANELS
    assert chart.spec["concat"][-1]["layer"][0]["encoding"]["text"]["value"] == "output"
    coloured = chart.spec["concat"][0]["layer"][1]["encoding"]["color"]["scale"]["domain"]
    assert coloured == [f"lr {0.1 + place:g}" for place in range(6)]
    assert "The first 11 of 16 layers and the last" in chart.caption
    assert "Drawn are 6 of 7 settings that have layers.csv" in chart.caption
    assert "Solid is validation, dashed is training" in chart.caption


def test_a_table_without_rows_is_no_picture(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, [])
    assert drawn(layers) == {}
