"""Curves by epoch: valid Vega-Lite, few colours however many settings, captions that say what is drawn."""

from typing import Any

import pytest

from dlx.report.curves import Curves, trace
from dlx.report.design import find_design
from dlx.report.load import load_study
from dlx.report.pictures.epochs import compare, each, epochs
from dlx.report.pictures.style import COLOURS, GREY, PANELS
from dlx.report.summary import summarise


def traced(study: Any, *, apart: bool = False) -> Curves:
    loaded = load_study([study.folder])
    layout = find_design(loaded.settings)
    return trace(loaded, layout, summarise(loaded, layout), apart=apart)


def many(study: Any, settings: int, *, apart: bool = False) -> Curves:
    for place in range(settings):
        study.run(f"run{place}", study.curve(0.5, 0.9 - place / 100), {"optimizer.lr": 0.1 + place})
    return traced(study, apart=apart)


def marks(spec: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return each layer's mark and colour, over all panels."""
    panels = spec.get("vconcat") or spec.get("concat") or [spec]
    return [
        (layer["mark"]["type"], layer["encoding"].get("color"))
        for panel in panels
        for layer in panel["layer"]
    ]


@pytest.mark.parametrize("settings", [1, 2, 9, 14])
def test_charts_are_valid_vega_lite(study: Any, settings: int) -> None:
    altair = pytest.importorskip("altair")
    for curves, chart in ((many(study, settings), each), (traced(study, apart=True), compare)):
        for metric in ("accuracy", "loss"):
            spec = chart(curves.of(metric=metric), metric)
            altair.Chart.from_dict(spec, validate=True)
            assert metric in spec["description"]


def test_beyond_eight_settings_the_others_are_grey(study: Any) -> None:
    curves = many(study, 9, apart=True).of(metric="accuracy")
    spec = compare(curves, "accuracy")
    coloured = next(colour for _, colour in marks(spec) if "scale" in colour)
    assert spec["params"] == [{"name": "shown", "value": curves.labels[:8]}]
    assert coloured["scale"]["domain"] == {"expr": "shown"}
    assert coloured["scale"]["range"] == list(COLOURS)
    assert ("line", {"value": GREY}) in marks(spec)


def test_a_tiny_training_loss_does_not_flatten_that_of_validation(study: Any) -> None:
    for place in range(2):
        epochs = [(None, None, 2.3, 0.1), (1e-5, 1.0, 0.7 + place / 10, 0.8)]
        study.run(f"r{place}", epochs, {"optimizer.lr": 0.1 + place})
    curves = traced(study, apart=True).of(metric="loss")
    validation, training = compare(curves, "loss")["vconcat"]
    scales = [panel["layer"][0]["encoding"]["y"]["scale"] for panel in (validation, training)]
    assert scales[0]["type"] == "linear"
    assert scales[0]["domain"][1] < 3
    assert scales[1]["domain"][1] < 1
    assert list(curves.axes) == ["loss training", "loss validation"]


def test_small_multiples_stop_at_twelve(study: Any) -> None:
    spec = each(many(study, 14).of(metric="accuracy"), "accuracy")
    assert len(spec["concat"]) == PANELS
    assert spec["columns"] == 4


def test_a_band_is_drawn_only_over_several_seeds(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9), seed=0)
    assert "area" not in dict(marks(each(traced(study).of(metric="loss"), "loss")))
    study.run("b", study.curve(0.5, 0.8), seed=1)
    assert "area" in dict(marks(each(traced(study).of(metric="loss"), "loss")))


def test_captions_say_what_is_drawn(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9), {"model.norm": "batch"}, seed=0)
    study.run("b", study.curve(0.5, 0.8), {"model.norm": "batch"}, seed=1, status="diverged")
    study.run("c", study.curve(0.5, 0.8), seed=0)
    loaded = load_study([study.folder])
    layout = find_design(loaded.settings)
    charts = epochs(loaded, layout, summarise(loaded, layout))
    assert [chart.name for chart in charts] == ["accuracy", "loss", "accuracy_by_setting", "loss_by_setting"]
    assert "Thin lines are diverged runs (1)" in charts[0].caption
