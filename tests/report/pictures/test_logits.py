"""Histograms of logits by value: the true class against the others, equal bins, shares that add up to one."""

from typing import Any

import numpy as np
import pytest

from dlx.report.pictures.logits import BINS, EPOCHS, count, logits, split
from dlx.run.probes import LOGITS, Logits, write_logits

OUTPUTS = np.array([[[1.0, -1.0], [0.0, 2.0]], [[3.0, -3.0], [-4.0, 4.0]]])
RUN = Logits(np.array([1, 5]), OUTPUTS, np.array([0, 1]))


def test_logits_are_the_true_classs_or_the_others() -> None:
    parts = split([RUN])
    assert sorted(parts[1]["true class"]) == [1.0, 2.0]
    assert sorted(parts[5]["other classes"]) == [-4.0, -3.0]


def test_runs_of_a_setting_are_taken_together_and_what_is_not_finite_is_left_out() -> None:
    broken = Logits(np.array([1]), np.array([[[np.nan, 7.0]]]), np.array([1]))
    assert sorted(split([RUN, broken])[1]["true class"]) == [1.0, 2.0, 7.0]


def test_a_single_output_is_split_by_the_samples_class() -> None:
    parts = split([Logits(np.array([1]), np.array([[[-2.0], [3.0]]]), np.array([0, 1]))])
    assert parts[1]["class 0"].tolist() == [-2.0]
    assert parts[1]["class 1"].tolist() == [3.0]


def test_shares_of_a_group_add_up_to_one_on_one_axis_for_all_epochs() -> None:
    counted = count({"a": split([RUN])})
    totals = counted.frame.groupby(["label", "epoch", "group"])["share"].sum()
    assert totals.to_numpy() == pytest.approx(1.0)
    widths = counted.frame["right"] - counted.frame["left"]
    low, high = counted.reach
    assert widths.to_numpy() == pytest.approx((high - low) / BINS)
    assert -4.0 <= low < high <= 4.0
    assert counted.mean_abs["a", 1] == pytest.approx(1.0)
    assert counted.mean_abs["a", 5] == pytest.approx(3.5)


def test_of_many_epochs_some_are_drawn_the_first_and_last_among_them() -> None:
    run = Logits(np.arange(1, 21), np.ones((20, 1, 2)), np.array([0]))
    counted = count({"a": split([run])})
    assert len(counted.epochs) == EPOCHS
    assert (counted.epochs[0], counted.epochs[-1]) == (1, 20)


def test_a_row_a_setting_and_a_panel_an_epoch(study: Any, drawn: Any) -> None:
    for place, rate in enumerate((0.1, 0.2)):
        write_logits(study.run(f"r{place}", study.curve(0.5), {"optimizer.lr": rate}), RUN)
    chart = drawn(logits)["logits"]
    assert chart.spec["columns"] == 2
    assert len(chart.spec["concat"]) == 4
    domains = {str(panel["layer"][0]["encoding"]["x"]["scale"]["domain"]) for panel in chart.spec["concat"]}
    assert len(domains) == 1


def test_arrays_that_do_not_fit_each_other_are_damage(study: Any, drawn: Any) -> None:
    write_logits(study.run("odd", study.curve(0.5)), Logits(np.array([1]), OUTPUTS, np.array([0, 1])))
    assert drawn(logits)["logits"].caption == f"Left out because {LOGITS} is damaged: odd."
