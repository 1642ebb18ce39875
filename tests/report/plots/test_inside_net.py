"""Layers' outputs, gradients and weights: means over seeds, the net's order, axes by value."""

from typing import Any

import pytest

from dlx.report.plots.inside_net import (
    SETTINGS,
    by_layer,
    by_parameter,
    changing_layers,
    gradients_and_weights,
    layer_outputs,
    weights_first,
)
from dlx.report.plots.run_files import read_tables
from dlx.report.plots.style import PANELS
from dlx.run.probes import GRADIENT_COLUMNS, GRADIENTS, LAYER_COLUMNS, LAYERS, read_gradients, read_layers

PLAIN = [("flatten", "Flatten"), ("linear1", "Linear"), ("dropout1", "Dropout"), ("output", "Linear")]
NORMED = [PLAIN[0], PLAIN[1], ("norm1", "BatchNorm1d"), *PLAIN[2:]]


def rows(net: list[tuple[str, str]], mean: float) -> list[tuple[object, ...]]:
    """Statistics by epoch and phase; dropout passes on what the layer before it puts out."""
    values = {name: mean + index for index, (name, _) in enumerate(net)}
    before = [name for name, _ in net][[name for name, _ in net].index("dropout1") - 1]
    values["dropout1"] = values[before]
    return [
        (epoch, phase, name, module, values[name] * epoch, abs(values[name]) * epoch, 1.0)
        for epoch in (0, 1)
        for phase in ("training", "validation")
        for name, module in net
    ]


def read(analysed: Any) -> Any:
    return read_tables(analysed(), LAYERS, read_layers, SETTINGS)


def test_statistics_are_means_over_the_runs_of_a_setting(study: Any, analysed: Any, write: Any) -> None:
    for seed, mean in enumerate((1.0, 3.0)):
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / LAYERS, LAYER_COLUMNS, rows(PLAIN, mean))
    plan = by_layer(read(analysed), ["linear1", "output"], "mean")
    values = plan.frame[plan.frame["epoch"] == 1].set_index(["panel", "split"])["value"]
    assert values["linear1", "training"] == pytest.approx(3.0)
    assert values["output", "validation"] == pytest.approx(5.0)
    assert plan.panels == ["linear1", "output"]


def test_layers_stand_in_the_nets_order_without_those_that_change_nothing(
    study: Any, analysed: Any, write: Any
) -> None:
    plain = study.run("plain", study.curve(0.9))
    write(plain / LAYERS, LAYER_COLUMNS, rows(PLAIN, 1.0))
    normed = study.run("normed", study.curve(0.5), {"model.norm": "batch"})
    write(normed / LAYERS, LAYER_COLUMNS, rows(NORMED, 1.0))
    assert changing_layers(read(analysed)) == ["linear1", "norm1", "output"]


def test_dropout_that_drops_is_shown(study: Any, analysed: Any, write: Any) -> None:
    changed = [(*row[:4], row[4], row[5], 2.0) if row[2] == "dropout1" else row for row in rows(PLAIN, 1.0)]
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, changed)
    assert "dropout1" in changing_layers(read(analysed))


def test_three_figures_with_a_panel_a_layer_and_at_most_six_settings(
    study: Any, drawn: Any, write: Any
) -> None:
    net = [(f"linear{index}", "Linear") for index in range(15)] + [("dropout1", "Dropout"), PLAIN[-1]]
    for index in range(7):
        folder = study.run(f"r{index}", study.curve(0.9 - index / 10), {"optimizer.lr": 0.1 + index})
        write(folder / LAYERS, LAYER_COLUMNS, rows(net, 1.0))
    charts = drawn(layer_outputs)
    assert list(charts) == ["layers_mean", "layers_abs_mean", "layers_std"]
    chart = charts["layers_mean"]
    assert len(chart.spec["concat"]) == PANELS
    assert chart.spec["concat"][-1]["layer"][0]["encoding"]["text"]["value"] == "output"
    coloured = chart.spec["concat"][0]["layer"][1]["encoding"]["color"]["scale"]["domain"]
    assert coloured == [f"lr {0.1 + index:g}" for index in range(6)]
    assert "The first 11 of 16 layers and the last" in chart.caption
    assert "Only the first 6 of the 7 settings that have layers.csv" in chart.caption
    assert "Solid is validation, dashed is training" in chart.caption


def test_a_table_without_rows_is_not_drawn(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, [])
    assert drawn(layer_outputs) == {}


MAGNITUDES = [
    (0, "linear1.weight", None, 0.5),
    (0, "linear1.bias", None, 0.0),
    (1, "linear1.weight", 0.02, 0.4),
    (1, "linear1.bias", 0.0, 1e-5),
    (2, "linear1.weight", 0.01, 0.3),
    (2, "linear1.bias", 0.1, 0.1),
]


def test_values_by_parameter_and_epoch(study: Any, analysed: Any, write: Any) -> None:
    for seed, scale in enumerate((1.0, 3.0)):
        rows = [(epoch, name, gradient, scale * weight) for epoch, name, gradient, weight in MAGNITUDES]
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / GRADIENTS, GRADIENT_COLUMNS, rows)
    files = read_tables(analysed(), GRADIENTS, read_gradients, 6)
    plan = by_parameter(files, ["linear1.weight", "linear1.bias"], "abs_weight")
    values = plan.frame.set_index(["panel", "epoch"])["value"]
    assert values["linear1.weight", 1] == pytest.approx(0.8)
    assert plan.ticks == {"linear1.bias": [1e-4, 1e-3, 1e-2, 1e-1]}
    assert values["linear1.bias", 0] == pytest.approx(2e-5)  # 0 is held at the smallest value above it
    assert plan.held


def test_gradients_before_training_are_missing_and_not_zero(study: Any, analysed: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, GRADIENT_COLUMNS, MAGNITUDES)
    files = read_tables(analysed(), GRADIENTS, read_gradients, 6)
    plan = by_parameter(files, ["linear1.weight"], "abs_gradient")
    assert plan.frame["epoch"].tolist() == [1, 2]
    assert plan.ticks == {}


def test_two_figures_weights_before_biases(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, GRADIENT_COLUMNS, MAGNITUDES)
    charts = drawn(gradients_and_weights)
    assert list(charts) == ["abs_gradient", "abs_weight"]
    headings = [
        panel["layer"][0]["encoding"]["text"]["value"] for panel in charts["abs_weight"].spec["concat"]
    ]
    assert headings == ["linear1.weight", "linear1.bias"]
    assert "logarithmic where the values span more than two decades" in charts["abs_weight"].caption


def test_weights_come_first_in_the_nets_order() -> None:
    assert weights_first(["a.weight", "a.bias", "b.weight", "scale"]) == [
        "a.weight",
        "b.weight",
        "a.bias",
        "scale",
    ]
