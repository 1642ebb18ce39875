"""Layers' outputs, gradients, weights and logits: means over seeds, the net's order, histograms, axes."""

from typing import Any

import numpy as np
import pytest

from dlx.report.plots.inside_net import (
    BINS,
    EPOCHS,
    MEAN_LOGIT,
    SETTINGS,
    by_group,
    by_name,
    changing_layers,
    count_logits,
    gradients_and_weights,
    layer_outputs,
    logit_curves,
    logit_histograms,
    metrics_and_logit,
    weights_first,
)
from dlx.report.plots.run_files import read_tables
from dlx.report.plots.style import PANELS, QUANTITY
from dlx.run.probes import (
    GRADIENTS,
    LAYERS,
    LOGITS,
    TABLES,
    Logits,
    read_gradients,
    read_layers,
    write_logits,
)

PLAIN = [("flatten", "Flatten"), ("linear1", "Linear"), ("dropout1", "Dropout"), ("output", "Linear")]
NORMED = [PLAIN[0], PLAIN[1], ("norm1", "BatchNorm1d"), *PLAIN[2:]]


def rows(net: list[tuple[str, str]], mean: float) -> list[tuple[object, ...]]:
    """Return statistics by epoch and phase; dropout repeats the output of the layer before it."""
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
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / LAYERS, TABLES[LAYERS], rows(PLAIN, mean))
    plan = by_name(read(analysed), "layer", ["linear1", "output"], "mean")
    values = plan.frame[plan.frame["epoch"] == 1].set_index(["panel", "split"])["value"]
    assert values["linear1", "training"] == pytest.approx(3.0)
    assert values["output", "validation"] == pytest.approx(5.0)
    assert plan.panels == ["linear1", "output"]


def test_layers_are_in_the_nets_order_without_those_that_change_nothing(
    study: Any, analysed: Any, write: Any
) -> None:
    plain = study.run("plain", study.curve(0.9))
    write(plain / LAYERS, TABLES[LAYERS], rows(PLAIN, 1.0))
    normed = study.run("normed", study.curve(0.5), {"model.norm": "batch"})
    write(normed / LAYERS, TABLES[LAYERS], rows(NORMED, 1.0))
    assert changing_layers(read(analysed)) == ["linear1", "norm1", "output"]


def test_dropout_that_drops_is_shown(study: Any, analysed: Any, write: Any) -> None:
    changed = [(*row[:4], row[4], row[5], 2.0) if row[2] == "dropout1" else row for row in rows(PLAIN, 1.0)]
    write(study.run("a", study.curve(0.5)) / LAYERS, TABLES[LAYERS], changed)
    assert "dropout1" in changing_layers(read(analysed))


def test_layers_have_three_charts_with_a_panel_per_layer_and_at_most_six_settings(
    study: Any, drawn: Any, write: Any
) -> None:
    net = [(f"linear{index}", "Linear") for index in range(15)] + [("dropout1", "Dropout"), PLAIN[-1]]
    for index in range(7):
        folder = study.run(f"r{index}", study.curve(0.9 - index / 10), {"optimizer.lr": 0.1 + index})
        write(folder / LAYERS, TABLES[LAYERS], rows(net, 1.0))
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
    write(study.run("a", study.curve(0.5)) / LAYERS, TABLES[LAYERS], [])
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
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / GRADIENTS, TABLES[GRADIENTS], rows)
    files = read_tables(analysed(), GRADIENTS, read_gradients, 6)
    plan = by_name(files, "parameter", ["linear1.weight", "linear1.bias"], "abs_weight")
    values = plan.frame.set_index(["panel", "epoch"])["value"]
    assert values["linear1.weight", 1] == pytest.approx(0.8)
    assert plan.ticks == {"linear1.bias": [1e-4, 1e-3, 1e-2, 1e-1]}
    assert values["linear1.bias", 0] == pytest.approx(2e-5)  # 0 is held at the smallest value above it
    assert plan.held


def test_gradients_before_training_are_missing_and_not_zero(study: Any, analysed: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, TABLES[GRADIENTS], MAGNITUDES)
    files = read_tables(analysed(), GRADIENTS, read_gradients, 6)
    plan = by_name(files, "parameter", ["linear1.weight"], "abs_gradient")
    assert plan.frame["epoch"].tolist() == [1, 2]
    assert plan.ticks == {}


def test_there_are_two_charts_with_weights_before_biases(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, TABLES[GRADIENTS], MAGNITUDES)
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


ROWS = [
    (epoch, "training", layer, "Linear", 0.0, value * epoch, 1.0)
    for epoch in (0, 1, 2)
    for layer, value in (("hidden", 1.0), ("output", 5.0))
]


def test_the_last_layer_is_the_logits_beside_means_of_the_histories(
    study: Any, analysed: Any, write: Any
) -> None:
    for seed, accuracy in enumerate((0.5, 0.7)):
        write(study.run(f"s{seed}", study.curve(accuracy, 0.9), seed=seed) / LAYERS, TABLES[LAYERS], ROWS)
    study.run("without", study.curve(0.1), {"optimizer.lr": 1.0})
    analysis = analysed()
    plan = metrics_and_logit(analysis.data, read_tables(analysis, LAYERS, read_layers, 6))
    values = plan.frame.set_index(["panel", "split", "epoch"])["value"]
    assert values[MEAN_LOGIT, "training", 2] == pytest.approx(10.0)
    assert values[QUANTITY["accuracy"], "validation", 1] == pytest.approx(0.6)
    assert plan.labels == ["lr 0.001"]
    assert plan.panels == [*QUANTITY.values(), MEAN_LOGIT]


def test_there_are_three_panels(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / LAYERS, TABLES[LAYERS], ROWS)
    assert len(drawn(logit_curves)["confidence"].spec["concat"]) == 3


def test_a_diverging_loss_does_not_flatten_the_others(study: Any, analysed: Any, write: Any) -> None:
    huge = [(None, None, 2.3, 0.1), (2e13, 0.1, 2.0, 0.1), (1.0, 0.5, 1.0, 0.5)]
    write(study.run("a", huge) / LAYERS, TABLES[LAYERS], ROWS)
    analysis = analysed()
    plan = metrics_and_logit(analysis.data, read_tables(analysis, LAYERS, read_layers, 6))
    assert set(plan.ticks) == {QUANTITY["loss"]}
    assert QUANTITY["loss"] in plan.as_powers


OUTPUTS = np.array([[[1.0, -1.0], [0.0, 2.0]], [[3.0, -3.0], [-4.0, 4.0]]])
RUN = Logits(np.array([1, 5]), OUTPUTS, np.array([0, 1]))


def test_logits_are_split_into_the_true_class_and_the_others() -> None:
    parts = by_group([RUN])
    assert sorted(parts[1]["true class"]) == [1.0, 2.0]
    assert sorted(parts[5]["other classes"]) == [-4.0, -3.0]


def test_runs_of_a_setting_are_pooled_without_values_that_are_not_finite() -> None:
    broken = Logits(np.array([1]), np.array([[[np.nan, 7.0]]]), np.array([1]))
    assert sorted(by_group([RUN, broken])[1]["true class"]) == [1.0, 2.0, 7.0]


def test_a_single_output_is_split_by_the_samples_class() -> None:
    parts = by_group([Logits(np.array([1]), np.array([[[-2.0], [3.0]]]), np.array([0, 1]))])
    assert parts[1]["class 0"].tolist() == [-2.0]
    assert parts[1]["class 1"].tolist() == [3.0]


def test_shares_of_a_group_add_up_to_one_on_one_axis_for_all_epochs() -> None:
    counted = count_logits({"a": by_group([RUN])})
    totals = counted.frame.groupby(["label", "epoch", "group"])["share"].sum()
    assert totals.to_numpy() == pytest.approx(1.0)
    widths = counted.frame["right"] - counted.frame["left"]
    low, high = counted.reach
    assert widths.to_numpy() == pytest.approx((high - low) / BINS)
    assert -4.0 <= low < high <= 4.0
    assert counted.mean_abs["a", 1] == pytest.approx(1.0)
    assert counted.mean_abs["a", 5] == pytest.approx(3.5)


def test_with_many_epochs_some_are_drawn_including_the_first_and_the_last() -> None:
    run = Logits(np.arange(1, 21), np.ones((20, 1, 2)), np.array([0]))
    counted = count_logits({"a": by_group([run])})
    assert len(counted.epochs) == EPOCHS
    assert (counted.epochs[0], counted.epochs[-1]) == (1, 20)


def test_histograms_have_a_row_per_setting_and_a_panel_per_epoch(study: Any, drawn: Any) -> None:
    for index, rate in enumerate((0.1, 0.2)):
        write_logits(study.run(f"r{index}", study.curve(0.5), {"optimizer.lr": rate}), RUN)
    chart = drawn(logit_histograms)["logits"]
    assert chart.spec["columns"] == 2
    assert len(chart.spec["concat"]) == 4
    domains = {str(panel["layer"][0]["encoding"]["x"]["scale"]["domain"]) for panel in chart.spec["concat"]}
    assert len(domains) == 1


def test_arrays_of_different_lengths_count_as_damage(study: Any, drawn: Any) -> None:
    write_logits(study.run("odd", study.curve(0.5)), Logits(np.array([1]), OUTPUTS, np.array([0, 1])))
    assert drawn(logit_histograms)["logits"].caption == f"Left out because {LOGITS} is damaged: odd."
