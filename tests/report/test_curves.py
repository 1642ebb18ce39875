"""Curves by value: means and ranges over seeds, ends, axes that one diverged run cannot stretch."""

import math
from typing import Any

import pytest

from dlx.report.curves import POINTS, Curves, trace


def traced(study: Any) -> Curves:
    return trace(study.analysis())


def test_a_curve_is_mean_lowest_and_highest_by_epoch(study: Any) -> None:
    for seed, values in enumerate(((0.5, 0.80), (0.6, 0.90), (0.7, 0.85))):
        study.run(f"s{seed}", study.curve(*values), seed=seed)
    part = traced(study).of(metric="accuracy", split="validation").estimates
    last = part[part["epoch"] == 2].iloc[0]
    assert last["mean"] == pytest.approx(0.85)
    assert (last["low"], last["high"], last["n"]) == (0.80, 0.90, 3)


def test_a_curve_ends_where_the_first_of_its_runs_stopped(study: Any) -> None:
    study.run("long", study.curve(0.5, 0.6, 0.7, 0.8), seed=0)
    study.run("short", study.curve(0.5, 0.6), seed=1, stopped_early=True)
    part = traced(study).of(metric="accuracy", split="validation").estimates
    assert part["epoch"].max() == 2
    assert set(part["n"]) == {2}


def test_ranks_follow_the_table(study: Any) -> None:
    study.run("worse", study.curve(0.5), {"optimizer.lr": 0.1})
    study.run("better", study.curve(0.9), {"optimizer.lr": 0.01})
    curves = traced(study)
    assert curves.labels == ["lr 0.01", "lr 0.1"]
    assert set(zip(curves.estimates["rank"], curves.estimates["label"], strict=True)) == {
        (0, "lr 0.01"),
        (1, "lr 0.1"),
    }


def test_a_diverged_run_is_drawn_alone_and_stretches_nothing(study: Any) -> None:
    study.run("good", study.curve(0.5, 0.9), seed=0)
    blown = [(1e30, 0.1, 1e30, 0.1), (math.inf, 0.1, math.nan, 0.1)]
    study.run("bad", [*study.curve(0.5), *blown], seed=1, status="diverged")
    curves = traced(study).of(metric="loss", split="validation")
    axis = curves.axes["loss"]
    assert axis.high < 2.5
    assert axis.cut
    assert curves.estimates["mean"].max() == 2.3
    bad = curves.diverged
    assert bad["epoch"].tolist() == [0, 1, 2]
    assert bad["value"].iloc[-1] == axis.high  # clipped to the axis, at the last point
    assert bad["last"].tolist() == [False, False, True]


def test_a_setting_that_only_failed_has_no_curve(study: Any) -> None:
    study.run("good", study.curve(0.5), {"optimizer.lr": 0.1})
    study.run("bad", study.curve(0.5), {"optimizer.lr": 0.2}, status="failed")
    assert traced(study).labels == ["lr 0.1"]


def test_the_loss_axis_is_logarithmic_beyond_two_decades(study: Any) -> None:
    study.run("a", [(None, None, 2.0, 0.1), (1.0, 0.5, 1.0, 0.5), (0.001, 1.0, 0.5, 0.9)])
    axis = traced(study).axes["loss"]
    assert axis.log
    assert 0 < axis.low < 0.001 < 2.0 < axis.high
    assert axis.ticks == (0.001, 0.01, 0.1, 1.0)


def test_a_loss_of_zero_keeps_the_axis_linear(study: Any) -> None:
    study.run("a", [(None, None, 2.0, 0.1), (0.0, 1.0, 0.5, 0.9)])
    axis = traced(study).axes["loss"]
    assert not axis.log
    assert axis.low == 0.0


def test_the_accuracy_axis_leaves_out_the_climb_but_no_settings_end(study: Any) -> None:
    study.run("good", study.curve(*[0.9] * 60), {"optimizer.lr": 0.1})
    curves = traced(study)
    assert curves.axes["accuracy"].low == 0.85
    assert curves.axes["accuracy"].high == 0.95
    assert curves.axes["accuracy"].cut
    study.run("chance", study.curve(*[0.9] * 59, 0.1), {"optimizer.lr": 9.0})
    assert traced(study).axes["accuracy"].low <= 0.1


def test_long_curves_are_thinned_and_keep_their_last_epoch(study: Any) -> None:
    study.run("a", study.curve(*([0.5] * (2 * POINTS))))
    part = traced(study).of(metric="accuracy", split="validation")
    assert part.step == 3
    assert part.estimates["epoch"].max() == 2 * POINTS
    assert len(part.estimates) <= POINTS


def test_runs_that_all_diverge_at_once_still_have_curves(study: Any) -> None:
    study.run("a", [(None, None, math.nan, None), (math.nan, None, math.nan, None)], status="diverged")
    curves = traced(study)
    assert curves.axes == {}
    assert curves.labels == []


def test_the_largest_floats_and_negative_losses_fit_on_an_axis(study: Any) -> None:
    huge = 1.7e308
    study.run("a", [(None, None, -1.0, None), (-2.0, None, -3.0, None), (huge, None, -4.0, None)])
    axis = traced(study).axes["loss"]
    assert axis.low < -4.0 < -1.0 < axis.high < 0.0
