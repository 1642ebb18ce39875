"""Curves by step and second, drawn only if settings differ in them, and the time to accuracies."""

from typing import Any

import pytest

from dlx.report.curves import trace
from dlx.report.plots.speed import add_costs, curves_by_cost, target_times, time_to_accuracy

HEADER = "epoch,step,time,lr,train_loss,train_accuracy,val_loss,val_accuracy\n"


def costs_of(analysis: Any) -> Any:
    return add_costs(analysis, trace(analysis))


def timed(folder: Any, steps: int, seconds: float, epochs: int = 4) -> None:
    """Rewrite a run's history with this number of steps and seconds per epoch."""
    rows = [
        f"{epoch},{epoch * steps},{epoch * seconds},0.1,1.0,0.5,1.0,{epoch / 10}\n"
        for epoch in range(epochs + 1)
    ]
    (folder / "history.csv").write_text(HEADER + "".join(rows))


def test_settings_with_equal_steps_and_times_have_no_plot_by_cost(study: Any, drawn: Any) -> None:
    for batch in (8, 16):
        timed(study.run(f"b{batch}", study.curve(0.5, 0.5, 0.5, 0.5), {"batch_size": batch}), 10, 0.1)
    assert drawn(curves_by_cost) == {}


def test_seconds_are_averaged_over_runs_at_equal_epochs(study: Any, analysed: Any, drawn: Any) -> None:
    for seed, seconds in enumerate((1.0, 2.0)):
        timed(
            study.run(f"slow{seed}", study.curve(0.5, 0.5, 0.5, 0.5), {"model.width": 9}, seed=seed),
            10,
            seconds,
        )
    timed(study.run("fast", study.curve(0.5, 0.5, 0.5, 0.5), {"model.width": 1}), 10, 0.5)
    costs = costs_of(analysed())
    assert set(costs.spans) == {"epoch", "time"}
    assert costs.spans["time"] == (0.0, 6.0)
    slow = costs.curves.of(metric="accuracy", split="validation", label="width 9").estimates
    assert slow["time"].tolist() == pytest.approx([0.0, 1.5, 3.0, 4.5, 6.0])
    charts = drawn(curves_by_cost)
    assert set(charts) == {"accuracy_pace", "loss_pace"}
    assert charts["accuracy_pace"].title == "Accuracy against seconds"


def test_steps_that_span_a_decade_get_a_logarithmic_axis_from_epoch_1(study: Any, analysed: Any) -> None:
    for batch, steps in ((4, 250), (128, 8)):
        timed(study.run(f"b{batch}", study.curve(0.5, 0.5, 0.5, 0.5), {"batch_size": batch}), steps, 0.1)
    costs = costs_of(analysed())
    assert costs.log == ("step",)
    assert costs.spans == {"epoch": (0.0, 4.0), "step": (8.0, 1000.0)}
    assert costs.ticks == {"step": [10.0, 100.0, 1000.0]}


def test_epoch_0_is_not_drawn_on_a_logarithmic_axis(study: Any, drawn: Any) -> None:
    for batch, steps in ((4, 250), (128, 8)):
        timed(study.run(f"b{batch}", study.curve(0.5, 0.5, 0.5, 0.5), {"batch_size": batch}), steps, 0.1)
    chart = drawn(curves_by_cost)["accuracy_pace"]
    by_epoch, by_step = chart.spec["concat"][:2]
    assert {row["epoch"] for row in by_epoch["layer"][0]["data"]["values"]} == {0, 1, 2, 3, 4}
    assert min(row["step"] for row in by_step["layer"][0]["data"]["values"]) == 8
    assert "leaves out epoch 0" in chart.caption


FAST, SLOW, NEVER = (0.7, 0.8, 0.8), (0.5, 0.7, 0.8), (0.2, 0.2, 0.2)


def test_seconds_are_those_of_the_first_epoch_at_the_target(study: Any, analysed: Any) -> None:
    study.run("fast", study.curve(*FAST), {"optimizer.lr": 0.1})
    study.run("slow", study.curve(*SLOW), {"optimizer.lr": 0.2})
    times, targets = target_times(analysed())
    assert targets == ["0.6400", "0.7600", "0.7900"]  # 0.8, 0.95 and 0.99 of 0.8, in steps of 0.005
    seconds = times.pivot_table(index="label", columns="target", values="seconds")
    assert seconds.loc["lr 0.1"].tolist() == pytest.approx([0.1, 0.2, 0.2])  # an epoch takes 0.1
    assert seconds.loc["lr 0.2"].tolist() == pytest.approx([0.2, 0.3, 0.3])


def test_a_run_that_never_arrives_is_slower_than_any(study: Any, analysed: Any) -> None:
    for seed, curve in enumerate((FAST, FAST, NEVER)):
        study.run(f"a{seed}", study.curve(*curve), {"optimizer.lr": 0.1}, seed=seed)
    for seed, curve in enumerate((FAST, NEVER)):
        study.run(f"b{seed}", study.curve(*curve), {"optimizer.lr": 0.2}, seed=seed)
    frame, _ = target_times(analysed())
    assert set(frame["label"]) == {"lr 0.1"}  # only half of the other's runs arrived
    assert (frame["seconds"] == frame["high"]).all()


def test_a_single_setting_has_no_time_to_accuracy(study: Any, drawn: Any) -> None:
    study.run("a", study.curve(*FAST))
    assert drawn(time_to_accuracy) == {}
    study.run("b", study.curve(*SLOW), {"optimizer.lr": 0.2})
    assert list(drawn(time_to_accuracy)) == ["time_to_accuracy"]
