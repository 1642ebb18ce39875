"""Gradients and weights: weights before biases, logarithmic axes where values span decades, zeros held."""

from typing import Any

import pytest

from dlx.report.pictures.magnitudes import by_parameter, magnitudes, weights_first
from dlx.report.pictures.reading import read_first
from dlx.run.probes import GRADIENT_COLUMNS, GRADIENTS, read_gradients

ROWS = [
    (0, "linear1.weight", None, 0.5),
    (0, "linear1.bias", None, 0.0),
    (1, "linear1.weight", 0.02, 0.4),
    (1, "linear1.bias", 0.0, 1e-5),
    (2, "linear1.weight", 0.01, 0.3),
    (2, "linear1.bias", 0.1, 0.1),
]


def test_values_by_parameter_and_epoch(study: Any, loaded: Any, write: Any) -> None:
    for seed, scale in enumerate((1.0, 3.0)):
        rows = [(epoch, name, gradient, scale * weight) for epoch, name, gradient, weight in ROWS]
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / GRADIENTS, GRADIENT_COLUMNS, rows)
    found = read_first(*loaded(), GRADIENTS, read_gradients, 6)
    plan = by_parameter(found, ["linear1.weight", "linear1.bias"], "abs_weight")
    values = plan.frame.set_index(["panel", "epoch"])["value"]
    assert values["linear1.weight", 1] == pytest.approx(0.8)
    assert plan.ticks == {"linear1.bias": [1e-4, 1e-3, 1e-2, 1e-1]}
    assert values["linear1.bias", 0] == pytest.approx(2e-5)  # 0 is held at the smallest value above it
    assert plan.held


def test_gradients_before_training_are_missing_and_not_zero(study: Any, loaded: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, GRADIENT_COLUMNS, ROWS)
    found = read_first(*loaded(), GRADIENTS, read_gradients, 6)
    plan = by_parameter(found, ["linear1.weight"], "abs_gradient")
    assert plan.frame["epoch"].tolist() == [1, 2]
    assert plan.ticks == {}


def test_two_figures_weights_before_biases(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / GRADIENTS, GRADIENT_COLUMNS, ROWS)
    charts = drawn(magnitudes)
    assert list(charts) == ["abs_gradient", "abs_weight"]
    headings = [
        panel["layer"][0]["encoding"]["text"]["value"] for panel in charts["abs_weight"].spec["concat"]
    ]
    assert headings == ["linear1.weight", "linear1.bias"]
    assert "logarithmic where the values span two decades" in charts["abs_weight"].caption


def test_weights_come_first_in_the_nets_order() -> None:
    assert weights_first(["a.weight", "a.bias", "b.weight", "scale"]) == [
        "a.weight",
        "b.weight",
        "a.bias",
        "scale",
    ]
