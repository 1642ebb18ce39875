"""Mean absolute logits beside accuracy and loss; histograms with equal bins by value."""

from typing import Any

import numpy as np
import pytest

from dlx.report.plots.inside_net import (
    BINS,
    EPOCHS,
    MEAN_LOGIT,
    by_group,
    count_logits,
    logit_curves,
    logit_histograms,
    metrics_and_logit,
)
from dlx.report.plots.run_files import read_tables
from dlx.report.plots.style import QUANTITY
from dlx.run.probes import LAYER_COLUMNS, LAYERS, LOGITS, Logits, read_layers, write_logits

ROWS = [
    (epoch, "training", layer, "Linear", 0.0, value * epoch, 1.0)
    for epoch in (0, 1, 2)
    for layer, value in (("hidden", 1.0), ("output", 5.0))
]


def test_the_last_layer_is_the_logits_beside_means_of_the_histories(
    study: Any, analysed: Any, write: Any
) -> None:
    for seed, accuracy in enumerate((0.5, 0.7)):
        write(study.run(f"s{seed}", study.curve(accuracy, 0.9), seed=seed) / LAYERS, LAYER_COLUMNS, ROWS)
    study.run("without", study.curve(0.1), {"optimizer.lr": 1.0})
    analysis = analysed()
    plan = metrics_and_logit(analysis.data, read_tables(analysis, LAYERS, read_layers, 6))
    values = plan.frame.set_index(["panel", "split", "epoch"])["value"]
    assert values[MEAN_LOGIT, "training", 2] == pytest.approx(10.0)
    assert values[QUANTITY["accuracy"], "validation", 1] == pytest.approx(0.6)
    assert plan.labels == ["lr 0.001"]
    assert plan.panels == [*QUANTITY.values(), MEAN_LOGIT]


def test_there_are_three_panels(study: Any, drawn: Any, write: Any) -> None:
    write(study.run("a", study.curve(0.5)) / LAYERS, LAYER_COLUMNS, ROWS)
    assert len(drawn(logit_curves)["confidence"].spec["concat"]) == 3


def test_a_loss_on_its_way_out_does_not_flatten_the_others(study: Any, analysed: Any, write: Any) -> None:
    huge = [(None, None, 2.3, 0.1), (2e13, 0.1, 2.0, 0.1), (1.0, 0.5, 1.0, 0.5)]
    write(study.run("a", huge) / LAYERS, LAYER_COLUMNS, ROWS)
    analysis = analysed()
    plan = metrics_and_logit(analysis.data, read_tables(analysis, LAYERS, read_layers, 6))
    assert set(plan.ticks) == {QUANTITY["loss"]}
    assert QUANTITY["loss"] in plan.as_powers


OUTPUTS = np.array([[[1.0, -1.0], [0.0, 2.0]], [[3.0, -3.0], [-4.0, 4.0]]])
RUN = Logits(np.array([1, 5]), OUTPUTS, np.array([0, 1]))


def test_logits_are_the_true_classs_or_the_others() -> None:
    parts = by_group([RUN])
    assert sorted(parts[1]["true class"]) == [1.0, 2.0]
    assert sorted(parts[5]["other classes"]) == [-4.0, -3.0]


def test_runs_of_a_setting_are_taken_together_and_what_is_not_finite_is_left_out() -> None:
    broken = Logits(np.array([1]), np.array([[[np.nan, 7.0]]]), np.array([1]))
    assert sorted(by_group([RUN, broken])[1]["true class"]) == [1.0, 2.0, 7.0]


def test_a_single_output_is_split_by_the_samples_class() -> None:
    parts = by_group([Logits(np.array([1]), np.array([[[-2.0], [3.0]]]), np.array([0, 1]))])
    assert parts[1]["class 0"].tolist() == [-2.0]
    assert parts[1]["class 1"].tolist() == [3.0]


def test_shares_of_a_group_add_up_to_one_on_one_axis_for_all_epochs() -> None:
    counted = count_logits({"a": by_group([RUN])})
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
    counted = count_logits({"a": by_group([run])})
    assert len(counted.epochs) == EPOCHS
    assert (counted.epochs[0], counted.epochs[-1]) == (1, 20)


def test_a_row_a_setting_and_a_panel_an_epoch(study: Any, drawn: Any) -> None:
    for index, rate in enumerate((0.1, 0.2)):
        write_logits(study.run(f"r{index}", study.curve(0.5), {"optimizer.lr": rate}), RUN)
    chart = drawn(logit_histograms)["logits"]
    assert chart.spec["columns"] == 2
    assert len(chart.spec["concat"]) == 4
    domains = {str(panel["layer"][0]["encoding"]["x"]["scale"]["domain"]) for panel in chart.spec["concat"]}
    assert len(domains) == 1


def test_arrays_that_do_not_fit_each_other_are_damage(study: Any, drawn: Any) -> None:
    write_logits(study.run("odd", study.curve(0.5)), Logits(np.array([1]), OUTPUTS, np.array([0, 1])))
    assert drawn(logit_histograms)["logits"].caption == f"Left out because {LOGITS} is damaged: odd."
