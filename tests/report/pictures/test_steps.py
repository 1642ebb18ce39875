"""The loss by step: a moving average by value, lines by setting or by run, damage named."""

from typing import Any

import pytest

from dlx.report.pictures.steps import POINTS, smooth, steps
from dlx.report.pictures.style import COLOURS, GREY
from dlx.run.probes import STEP_COLUMNS, STEPS


def table(losses: list[float]) -> Any:
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses})


def test_each_point_is_the_mean_of_the_steps_up_to_it() -> None:
    smoothed = smooth({"a": [table([float(step) for step in range(1, 61)])]})
    assert smoothed.window == 25
    assert smoothed.frame["step"].tolist() == list(range(25, 61))
    assert smoothed.frame["loss"].tolist() == pytest.approx([step - 12 for step in range(25, 61)])


def test_runs_are_averaged_as_far_as_all_of_them_go() -> None:
    smoothed = smooth({"a": [table([1.0] * 70), table([3.0] * 60)]})
    assert smoothed.frame["loss"].tolist() == pytest.approx([2.0] * 36)
    assert smoothed.frame["step"].max() == 60


def test_few_steps_are_not_smoothed_and_many_are_thinned() -> None:
    assert smooth({"a": [table([5.0, 1.0, 3.0])]}).frame["loss"].tolist() == [5.0, 1.0, 3.0]
    long = smooth({"a": [table([1.0] * 5000)]})
    assert len(long.frame) <= POINTS
    assert long.frame["step"].max() == 5000


def test_one_setting_has_a_line_a_run_and_beyond_eight_they_are_grey(
    study: Any, drawn: Any, write: Any
) -> None:
    for seed in range(10):
        write(study.run(f"s{seed}", study.curve(0.5), seed=seed) / STEPS, STEP_COLUMNS, [(1, 2.0), (2, 1.0)])
    chart = drawn(steps)["steps"]
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
        write(folder / STEPS, STEP_COLUMNS, [(step, rate) for step in range(1, 101)])
    torn = study.run("torn<b>", study.curve(0.5), {"optimizer.lr": 0.1}, seed=1)
    (torn / STEPS).write_text("step,loss\n1,0.")
    chart = drawn(steps)["steps"]
    (lines,) = chart.spec["layer"]
    assert lines["encoding"]["color"]["scale"]["domain"] == ["lr 0.1", "lr 0.2"]
    assert chart.caption.endswith("Left out because steps.csv is damaged: torn<b>.")


def test_damage_alone_is_said_without_a_picture(study: Any, drawn: Any) -> None:
    (study.run("torn", study.curve(0.5)) / STEPS).write_text("step")
    chart = drawn(steps)["steps"]
    assert chart.spec is None
    assert chart.caption == "Left out because steps.csv is damaged: torn."


def test_without_the_probe_there_is_no_picture(study: Any, drawn: Any) -> None:
    study.run("a", study.curve(0.5))
    assert drawn(steps) == {}
