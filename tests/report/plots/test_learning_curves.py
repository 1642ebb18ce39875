"""Curves by epoch, loss by step, training against validation: values, colours, captions."""

from typing import Any

import pytest

from dlx.report.analysis import Options, analyse
from dlx.report.curves import Curves, trace
from dlx.report.load import load_study
from dlx.report.plots.learning_curves import (
    POINTS,
    all_settings,
    average_steps,
    curves_by_epoch,
    generalisation_gap,
    loss_by_step,
    setting_by_setting,
    training_and_validation,
)
from dlx.report.plots.style import COLOURS, GREY, PANELS
from dlx.run.probes import STEPS, TABLES


def traced(study: Any, *, apart: bool = False) -> Curves:
    analysis = analyse(load_study([study.folder]), Options())
    return trace(analysis, apart=apart)


def many(study: Any, settings: int, *, apart: bool = False) -> Curves:
    for index in range(settings):
        study.run(f"run{index}", study.curve(0.5, 0.9 - index / 100), {"optimizer.lr": 0.1 + index})
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
    for curves, chart in (
        (many(study, settings), setting_by_setting),
        (traced(study, apart=True), all_settings),
    ):
        for metric in ("accuracy", "loss"):
            spec = chart(curves.of(metric=metric), metric)
            altair.Root.validate(spec)
            assert metric in spec["description"]


def test_beyond_eight_settings_the_others_are_grey(study: Any) -> None:
    curves = many(study, 9, apart=True).of(metric="accuracy")
    spec = all_settings(curves, "accuracy")
    coloured = next(colour for _, colour in marks(spec) if "scale" in colour)
    assert spec["params"] == [{"name": "shown", "value": curves.labels[:8]}]
    assert coloured["scale"]["domain"] == {"expr": "shown"}
    assert coloured["scale"]["range"] == list(COLOURS)
    assert ("line", {"value": GREY}) in marks(spec)


def test_a_tiny_training_loss_does_not_flatten_that_of_validation(study: Any) -> None:
    for index in range(2):
        epochs = [(None, None, 2.3, 0.1), (1e-5, 1.0, 0.7 + index / 10, 0.8)]
        study.run(f"r{index}", epochs, {"optimizer.lr": 0.1 + index})
    curves = traced(study, apart=True).of(metric="loss")
    validation, training = all_settings(curves, "loss")["vconcat"]
    scales = [panel["layer"][0]["encoding"]["y"]["scale"] for panel in (validation, training)]
    assert scales[0]["type"] == "linear"
    assert scales[0]["domain"][1] < 3
    assert scales[1]["domain"][1] < 1
    assert list(curves.axes) == ["loss training", "loss validation"]


def test_small_multiples_stop_at_twelve(study: Any) -> None:
    spec = setting_by_setting(many(study, 14).of(metric="accuracy"), "accuracy")
    assert len(spec["concat"]) == PANELS
    assert spec["columns"] == 4


def test_a_band_is_drawn_only_over_several_seeds(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9), seed=0)
    assert "area" not in dict(marks(setting_by_setting(traced(study).of(metric="loss"), "loss")))
    study.run("b", study.curve(0.5, 0.8), seed=1)
    assert "area" in dict(marks(setting_by_setting(traced(study).of(metric="loss"), "loss")))


def test_captions_say_what_is_drawn(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9), {"model.norm": "batch"}, seed=0)
    study.run("b", study.curve(0.5, 0.8), {"model.norm": "batch"}, seed=1, status="diverged")
    study.run("c", study.curve(0.5, 0.8), seed=0)
    charts = curves_by_epoch(analyse(load_study([study.folder]), Options()))
    assert [chart.name for chart in charts] == ["accuracy", "loss", "accuracy_by_setting", "loss_by_setting"]
    assert "Thin lines are diverged runs (1)" in charts[0].caption


def table(losses: list[float]) -> Any:
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses})


def test_each_point_is_the_mean_of_the_steps_up_to_it() -> None:
    smoothed = average_steps({"a": [table([float(step) for step in range(1, 61)])]})
    assert smoothed.window == 25
    assert smoothed.frame["step"].tolist() == list(range(25, 61))
    assert smoothed.frame["loss"].tolist() == pytest.approx([step - 12 for step in range(25, 61)])


def test_runs_are_averaged_as_far_as_all_of_them_go() -> None:
    smoothed = average_steps({"a": [table([1.0] * 70), table([3.0] * 60)]})
    assert smoothed.frame["loss"].tolist() == pytest.approx([2.0] * 36)
    assert smoothed.frame["step"].max() == 60


def test_few_steps_are_not_smoothed_and_many_are_thinned() -> None:
    assert average_steps({"a": [table([5.0, 1.0, 3.0])]}).frame["loss"].tolist() == [5.0, 1.0, 3.0]
    long = average_steps({"a": [table([1.0] * 5000)]})
    assert len(long.frame) <= POINTS
    assert long.frame["step"].max() == 5000


def test_one_setting_has_a_line_per_run_and_beyond_eight_they_are_grey(
    study: Any, drawn: Any, write: Any
) -> None:
    for seed in range(10):
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / STEPS, TABLES[STEPS], [(1, 2.0), (2, 1.0)])
    chart = drawn(loss_by_step)["steps"]
    grey, coloured = chart.spec["layer"]
    assert grey["encoding"]["color"] == {"value": GREY}
    assert coloured["encoding"]["color"]["scale"]["domain"] == [f"seed {seed}" for seed in range(8)]
    assert len(COLOURS) == 8
    assert "Not smoothed" in chart.caption


def test_several_settings_have_a_line_each_and_a_damaged_file_is_named(
    study: Any, drawn: Any, write: Any
) -> None:
    for rate in (0.1, 0.2):
        folder = study.run(f"lr{rate}", study.curve(0.5), {"optimizer.lr": rate})
        write(folder / STEPS, TABLES[STEPS], [(step, rate) for step in range(1, 101)])
    torn = study.run("torn<b>", study.curve(0.5), {"optimizer.lr": 0.1}, seed=1)
    (torn / STEPS).write_text("step,loss\n1,0.")
    chart = drawn(loss_by_step)["steps"]
    (lines,) = chart.spec["layer"]
    assert lines["encoding"]["color"]["scale"]["domain"] == ["lr 0.1", "lr 0.2"]
    assert chart.caption.endswith("Left out because steps.csv is damaged: torn<b>.")


def test_a_line_shorter_than_the_moving_average_is_counted_and_not_in_the_legend(
    study: Any, drawn: Any, write: Any
) -> None:
    for rate, steps in ((0.1, 60), (0.2, 60), (0.3, 20)):
        folder = study.run(f"lr{rate}", study.curve(0.5), {"optimizer.lr": rate})
        write(folder / STEPS, TABLES[STEPS], [(step, rate) for step in range(1, steps + 1)])
    chart = drawn(loss_by_step)["steps"]
    (lines,) = chart.spec["layer"]
    assert lines["encoding"]["color"]["scale"]["domain"] == ["lr 0.1", "lr 0.2"]
    assert "1 of 3 have fewer steps and are not drawn" in chart.caption


def test_damage_alone_is_noted_without_a_plot(study: Any, drawn: Any) -> None:
    (study.run("torn", study.curve(0.5)) / STEPS).write_text("step")
    chart = drawn(loss_by_step)["steps"]
    assert chart.spec is None
    assert chart.caption == "Left out because steps.csv is damaged: torn."


def test_without_the_probe_there_is_no_plot(study: Any, drawn: Any) -> None:
    study.run("a", study.curve(0.5))
    assert drawn(loss_by_step) == {}


def test_points_are_last_values_and_their_means(study: Any, analysed: Any) -> None:
    for seed, accuracy in ((0, 0.7), (1, 0.9)):
        study.run(f"a{seed}", study.curve(0.1, accuracy), seed=seed)  # training is 0.01 above
    study.run("lost", study.curve(0.2), seed=2, status="diverged")
    frame = training_and_validation(analysed())
    assert frame["run"].tolist() == ["a0", "a1", ""]
    assert frame["val"].tolist() == pytest.approx([0.7, 0.9, 0.8])
    assert frame["tooltip"].tolist()[2] == "training 0.8100, validation 0.8000"


def test_the_diagonal_spans_both_axes_which_are_equal(study: Any, drawn: Any, analysed: Any) -> None:
    study.run("a", study.curve(0.7))
    study.run("b", study.curve(0.9), {"optimizer.lr": 1.0})
    chart = drawn(generalisation_gap)["gap"]
    line, *points = chart.spec["layer"]
    domain = points[0]["encoding"]["x"]["scale"]["domain"]
    assert domain == points[0]["encoding"]["y"]["scale"]["domain"]
    assert [row["train"] for row in line["data"]["values"]] == domain
    assert [row["val"] for row in line["data"]["values"]] == domain
    assert chart.live


def test_without_training_accuracy_there_is_no_gap(study: Any, drawn: Any) -> None:
    for index in range(2):
        study.run(f"a{index}", [(None, None, 2.3, 0.1)], {"optimizer.lr": 0.1 + index})
    assert drawn(generalisation_gap) == {}
