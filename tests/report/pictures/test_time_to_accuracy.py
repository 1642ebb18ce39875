"""Time to accuracy: medians over runs by value, one that never arrives as infinitely slow."""

from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.pictures.time_to_accuracy import time_to_accuracy, waits

FAST, SLOW, NEVER = (0.7, 0.8, 0.8), (0.5, 0.7, 0.8), (0.2, 0.2, 0.2)


def test_seconds_are_those_of_the_first_epoch_at_the_target(study: Any, loaded: Callable[[], Any]) -> None:
    study.run("fast", study.curve(*FAST), {"optimizer.lr": 0.1})
    study.run("slow", study.curve(*SLOW), {"optimizer.lr": 0.2})
    found = waits(*loaded())
    assert found.targets == ["0.6400", "0.7600", "0.7900"]  # 0.8, 0.95 and 0.99 of 0.8, in steps of 0.005
    seconds = found.frame.pivot_table(index="label", columns="target", values="seconds")
    assert seconds.loc["lr 0.1"].tolist() == pytest.approx([0.1, 0.2, 0.2])  # an epoch takes 0.1
    assert seconds.loc["lr 0.2"].tolist() == pytest.approx([0.2, 0.3, 0.3])


def test_a_run_that_never_arrives_is_slower_than_any(study: Any, loaded: Callable[[], Any]) -> None:
    for seed, curve in enumerate((FAST, FAST, NEVER)):
        study.run(f"a{seed}", study.curve(*curve), {"optimizer.lr": 0.1}, seed=seed)
    for seed, curve in enumerate((FAST, NEVER)):
        study.run(f"b{seed}", study.curve(*curve), {"optimizer.lr": 0.2}, seed=seed)
    frame = waits(*loaded()).frame
    assert set(frame["label"]) == {"lr 0.1"}  # of the other's runs only half arrived
    assert (frame["seconds"] == frame["high"]).all()


def test_the_picture_is_of_several_settings(study: Any, drawn: Callable[..., Any]) -> None:
    study.run("a", study.curve(*FAST))
    assert drawn(time_to_accuracy) == {}
    study.run("b", study.curve(*SLOW), {"optimizer.lr": 0.2})
    assert list(drawn(time_to_accuracy)) == ["time_to_accuracy"]
