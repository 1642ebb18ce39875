"""Accuracy, loss and the last layer's magnitude side by side."""

from typing import Any

import pytest

from dlx.report.pictures.confidence import LOGIT, beside, confidence
from dlx.report.pictures.reading import read_first
from dlx.report.pictures.style import QUANTITY
from dlx.run.probes import LAYER_COLUMNS, LAYERS, read_layers

ROWS = [
    (epoch, "training", layer, "Linear", 0.0, value * epoch, 1.0)
    for epoch in (0, 1, 2)
    for layer, value in (("hidden", 1.0), ("output", 5.0))
]


def test_the_last_layer_is_the_logits_beside_means_of_the_histories(
    study: Any, loaded: Any, write: Any
) -> None:
    for seed, accuracy in enumerate((0.5, 0.7)):
        write(study.run(f"s{seed}", study.curve(accuracy, 0.9), seed=seed) / LAYERS, LAYER_COLUMNS, ROWS)
    study.run("without", study.curve(0.1), {"optimizer.lr": 1.0})
    read, layout, summary = loaded()
    plan = beside(read, read_first(read, layout, summary, LAYERS, read_layers, 6))
    values = plan.frame.set_index(["panel", "split", "epoch"])["value"]
    assert values[LOGIT, "training", 2] == pytest.approx(10.0)
    assert values[QUANTITY["accuracy"], "validation", 1] == pytest.approx(0.6)
    assert plan.labels == ["lr 0.001"]
    assert plan.panels == [*QUANTITY.values(), LOGIT]


def test_the_picture_has_three_panels(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, ROWS)
    assert len(drawn(confidence)["confidence"].spec["concat"]) == 3


def test_a_loss_on_its_way_out_does_not_flatten_the_others(study: Any, loaded: Any, write: Any) -> None:
    huge = [(None, None, 2.3, 0.1), (2e13, 0.1, 2.0, 0.1), (1.0, 0.5, 1.0, 0.5)]
    write(study.run("a", huge) / LAYERS, LAYER_COLUMNS, ROWS)
    read, layout, summary = loaded()
    plan = beside(read, read_first(read, layout, summary, LAYERS, read_layers, 6))
    assert set(plan.ticks) == {QUANTITY["loss"]}
    assert QUANTITY["loss"] in plan.as_powers
