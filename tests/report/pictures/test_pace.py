"""Steps and seconds: means at equal epochs, drawn only where settings differ in them."""

from typing import Any

import pytest

from dlx.report.curves import trace
from dlx.report.pictures.pace import measure, pace

HEADER = "epoch,step,time,lr,train_loss,train_accuracy,val_loss,val_accuracy\n"


def timed(folder: Any, steps: int, seconds: float, epochs: int = 4) -> None:
    """Rewrite a run's history with so many steps and seconds an epoch."""
    rows = [
        f"{epoch},{epoch * steps},{epoch * seconds},0.1,1.0,0.5,1.0,{epoch / 10}\n"
        for epoch in range(epochs + 1)
    ]
    (folder / "history.csv").write_text(HEADER + "".join(rows))


def test_settings_that_take_equal_steps_and_time_have_no_such_picture(study: Any, drawn: Any) -> None:
    for batch in (8, 16):
        timed(study.run(f"b{batch}", study.curve(0.5), {"batch_size": batch}), 10, 0.1)
    assert drawn(pace) == {}


def test_seconds_are_averaged_over_runs_at_equal_epochs(study: Any, loaded: Any, drawn: Any) -> None:
    for seed, seconds in enumerate((1.0, 2.0)):
        timed(study.run(f"slow{seed}", study.curve(0.5), {"model.width": 9}, seed=seed), 10, seconds)
    timed(study.run("fast", study.curve(0.5), {"model.width": 1}), 10, 0.5)
    read, layout, summary = loaded()
    against = measure(read, layout, trace(read, layout, summary))
    assert set(against.spans) == {"epoch", "time"}
    assert against.spans["time"] == (0.0, 6.0)
    slow = against.curves.of(metric="accuracy", split="validation", label="width 9").estimates
    assert slow["time"].tolist() == pytest.approx([0.0, 1.5, 3.0, 4.5, 6.0])
    charts = drawn(pace)
    assert set(charts) == {"accuracy_pace", "loss_pace"}
    assert charts["accuracy_pace"].title == "Accuracy against seconds"


def test_steps_beyond_a_decade_get_a_logarithmic_axis_from_the_first_epoch_on(
    study: Any, loaded: Any
) -> None:
    for batch, steps in ((4, 250), (128, 8)):
        timed(study.run(f"b{batch}", study.curve(0.5), {"batch_size": batch}), steps, 0.1)
    read, layout, summary = loaded()
    against = measure(read, layout, trace(read, layout, summary))
    assert against.log == ("step",)
    assert against.spans == {"epoch": (0.0, 4.0), "step": (8.0, 1000.0)}
    assert against.ticks == {"step": [10.0, 100.0, 1000.0]}


def test_epoch_0_is_not_drawn_where_it_has_no_place(study: Any, drawn: Any) -> None:
    for batch, steps in ((4, 250), (128, 8)):
        timed(study.run(f"b{batch}", study.curve(0.5), {"batch_size": batch}), steps, 0.1)
    chart = drawn(pace)["accuracy_pace"]
    by_epoch, by_step = chart.spec["concat"][:2]
    assert {row["epoch"] for row in by_epoch["layer"][0]["data"]["values"]} == {0, 1, 2, 3, 4}
    assert min(row["step"] for row in by_step["layer"][0]["data"]["values"]) == 8
    assert "epoch 0 is left out there" in chart.caption
