"""Accuracy by class at the last epoch and by epoch, and the confusion matrix, by value."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.plots.classes import (
    MOST_CLASSES,
    accuracy_by_class,
    accuracy_by_epoch,
    class_curves,
    class_names,
    confusion,
    count_pairs,
    last_accuracy,
    predicted,
    read_classifications,
)
from dlx.report.plots.run_files import RunFiles, read_tables
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import Predictions, write_predictions
from dlx.run.probes import CLASSES, TABLES, read_classes

LABELS = [0, 0, 1, 1, 2]


def predict(folder: Path, guesses: list[int], labels: list[int], outputs: int = 3) -> None:
    """Write outputs that predict `guesses` at the last epoch and class 0 at the best epoch."""
    last = np.eye(outputs)[guesses]
    best = np.eye(outputs)[[0] * len(guesses)]
    write_predictions(folder, last=last, best=best, labels=np.array(labels), last_epoch=3, best_epoch=1)


def read(analysed: Any) -> Any:
    return read_classifications(analysed(), 6)


def test_means_and_runs_by_class_at_the_last_epoch(study: Any, analysed: Any) -> None:
    data = {"classes": ["cat", "dog", "owl"]}
    predict(study.run("s0", study.curve(0.5), seed=0, data=data), [0, 1, 1, 1, 0], LABELS)
    predict(study.run("s1", study.curve(0.5), seed=1, data=data), [0, 0, 1, 0, 0], LABELS)
    accuracies = last_accuracy(read(analysed), class_names(analysed(), read(analysed)))
    means = accuracies.means.set_index("class")
    assert means["accuracy"].to_dict() == {"cat": 0.75, "dog": 0.75, "owl": 0.0}
    assert (means.loc["cat", "low"], means.loc["cat", "high"], means.loc["cat", "n"]) == (0.5, 1.0, 2)
    assert len(accuracies.runs) == 6
    assert accuracies.classes == ["cat", "dog", "owl"]


def test_a_single_output_predicts_by_its_sign() -> None:
    outputs = np.array([[-1.0], [0.0], [2.0]])
    assert predicted(Predictions(outputs, outputs, np.array([0, 0, 1]), 1, 1)).tolist() == [0, 0, 1]


def test_names_that_do_not_match_the_outputs_are_replaced_by_numbers(study: Any, analysed: Any) -> None:
    predict(study.run("a", study.curve(0.5), data={"classes": ["only", "two"]}), [0, 1, 1, 1, 0], LABELS)
    assert class_names(analysed(), read(analysed)) == ["0", "1", "2"]


def test_equal_and_hostile_names_stay_apart_and_visible(study: Any, analysed: Any) -> None:
    data = {"classes": ["x", "x", "\x1b[31m"]}
    predict(study.run("a", study.curve(0.5), data=data), [0, 1, 1, 1, 0], LABELS)
    assert class_names(analysed(), read(analysed)) == ["x (0)", "x (1)", "\\x1b[31m"]


def test_beyond_twenty_classes_the_worst_are_drawn_worst_first(study: Any, analysed: Any, drawn: Any) -> None:
    labels = list(range(30))
    guesses = [label if label % 2 else 0 for label in labels]
    predict(study.run("a", study.curve(0.5)), guesses, labels, outputs=30)
    accuracies = last_accuracy(read(analysed), [str(label) for label in labels])
    assert accuracies.total == 30
    assert accuracies.classes[:14] == [str(label) for label in range(2, 30, 2)]
    assert len(accuracies.classes) == MOST_CLASSES
    assert "Only the worst 20 of 30 classes are drawn" in drawn(accuracy_by_class)["classes"].caption


@pytest.mark.parametrize("settings", [1, 2])
def test_bars_with_dots_for_runs(study: Any, drawn: Any, settings: int) -> None:
    for index in range(settings):
        for seed in range(2):
            changes = {"optimizer.lr": 0.1 + index}
            folder = study.run(f"r{index}{seed}", study.curve(0.5), changes, seed=seed)
            predict(folder, [0, 1, 1, 1, 0], LABELS)
    chart = drawn(accuracy_by_class)["classes"]
    bars, dots = chart.spec["layer"]
    assert len(bars["data"]["values"]) == 3 * settings
    assert len(dots["data"]["values"]) == 6 * settings
    assert ("xOffset" in bars["encoding"]) == (settings > 1)


def test_damaged_and_diverged_runs_are_left_out(study: Any, analysed: Any, drawn: Any) -> None:
    predict(study.run("good", study.curve(0.5)), [0, 1, 1, 1, 0], LABELS)
    predict(study.run("lost", study.curve(0.5), seed=1, status="diverged"), [0] * 5, LABELS)
    torn = study.run("torn", study.curve(0.5), seed=2)
    (torn / PREDICTIONS).write_bytes(b"PK\x03\x04")
    assert list(read(analysed).by_setting["all runs"]) == ["good"]
    assert "Left out because predictions.npz is damaged: torn" in drawn(accuracy_by_class)["classes"].caption


def guessed(guesses: list[int], labels: list[int], outputs: int = 3) -> Predictions:
    outputs_NK = np.eye(outputs)[guesses]
    return Predictions(outputs_NK, np.zeros_like(outputs_NK), np.array(labels), 3, 1)


def pooled(*runs: Predictions) -> RunFiles[Predictions]:
    return RunFiles(
        {"a": {str(index): run for index, run in enumerate(runs)}}, "predictions.npz", [], 1, False
    )


def test_pairs_are_counted_over_runs_and_shared_by_the_true_class() -> None:
    matrix = count_pairs(
        pooled(guessed([0, 1, 1], [0, 0, 1]), guessed([0, 0, 2], [0, 0, 1])), ["x", "y", "z"]
    )
    cells = matrix.cells.set_index(["true", "predicted"])
    assert cells["count"].to_dict() == {("x", "x"): 3, ("x", "y"): 1, ("y", "y"): 1, ("y", "z"): 1}
    assert cells["share"].to_dict() == pytest.approx(
        {("x", "x"): 75.0, ("x", "y"): 25.0, ("y", "y"): 50.0, ("y", "z"): 50.0}
    )
    assert cells.loc[("x", "x"), "text"] == "75"
    assert matrix.samples == 6


def test_with_many_classes_the_most_mistaken_are_kept_in_order() -> None:
    labels = list(range(30))
    guesses = [label if label < 20 else 0 for label in labels]
    matrix = count_pairs(pooled(guessed(guesses, labels, 30)), [str(label) for label in labels])
    assert matrix.total == 30
    assert len(matrix.classes) == MOST_CLASSES
    assert matrix.classes == [str(label) for label in [*range(10), *range(20, 30)]]


def test_the_matrix_is_of_the_first_setting_in_the_table(study: Any, drawn: Any) -> None:
    for accuracy, rate in ((0.5, 0.1), (0.9, 0.2)):
        folder = study.run(f"lr{rate}", study.curve(accuracy), {"optimizer.lr": rate})
        last = np.eye(2)[[0, 1]]
        write_predictions(folder, last=last, best=last, labels=np.array([0, 1]), last_epoch=1, best_epoch=1)
    chart = drawn(confusion)["confusion"]
    assert "2 validation samples at the last epoch, from 1 run with lr 0.2" in chart.caption
    cells = chart.spec["layer"][0]["data"]["values"]
    assert [(cell["true"], cell["predicted"], cell["share"]) for cell in cells] == [
        ("0", "0", 100.0),
        ("1", "1", 100.0),
    ]


def rows(
    *accuracies: tuple[float | None, ...], names: tuple[str, ...] = ("cat", "dog")
) -> list[tuple[Any, ...]]:
    """Return the rows of classes.csv, epoch by epoch."""
    return [
        (epoch, name, 5, value)
        for epoch, values in enumerate(accuracies)
        for name, value in zip(names, values, strict=True)
    ]


def curves(analysed: Any) -> Any:
    return accuracy_by_epoch(read_tables(analysed(), CLASSES, read_classes, 6))


def test_accuracy_by_epoch_is_the_mean_over_a_settings_runs(
    study: Any, analysed: Any, drawn: Any, write: Any
) -> None:
    write(study.run("s0", study.curve(0.5), seed=0) / CLASSES, TABLES[CLASSES], rows((0.2, 0.4), (0.6, 0.8)))
    write(study.run("s1", study.curve(0.5), seed=1) / CLASSES, TABLES[CLASSES], rows((0.4, 0.0), (1.0, 0.8)))
    plan, total = curves(analysed)
    values = plan.frame.set_index(["panel", "epoch"])["value"].to_dict()
    assert values == pytest.approx({("cat", 0): 0.3, ("dog", 0): 0.2, ("cat", 1): 0.8, ("dog", 1): 0.8})
    assert (plan.panels, total) == (["cat", "dog"], 2)
    chart = drawn(class_curves)["class_curves"]
    assert len(chart.spec["concat"]) == 2
    lines = chart.spec["concat"][0]["layer"][1]
    assert lines["encoding"]["y"]["scale"]["domain"] == [0.75, 1.0]
    assert [row["value"] for row in lines["data"]["values"]] == pytest.approx([0.75, 0.8])
    assert "All panels have the same axes. Values below the axis are drawn at its bottom." in chart.caption


def test_a_mean_ends_where_the_first_run_ends(study: Any, analysed: Any, write: Any) -> None:
    write(study.run("s0", study.curve(0.5), seed=0) / CLASSES, TABLES[CLASSES], rows((0.2, 0.4), (0.6, 0.8)))
    write(study.run("s1", study.curve(0.5), seed=1) / CLASSES, TABLES[CLASSES], rows((0.4, 0.0)))
    plan, _ = curves(analysed)
    assert plan.frame["epoch"].tolist() == [0, 0]


def test_an_absent_class_has_no_curve_and_equal_names_stay_apart(
    study: Any, analysed: Any, write: Any
) -> None:
    table = rows((0.2, None, 0.4), (0.6, None, 0.8), names=("x", "gone", "x"))
    write(study.run("a", study.curve(0.5)) / CLASSES, TABLES[CLASSES], table)
    plan, total = curves(analysed)
    assert (plan.panels, total) == (["x (0)", "x (2)"], 2)
    assert plan.frame["value"].tolist() == [0.2, 0.4, 0.6, 0.8]


def test_with_many_classes_those_with_the_lowest_final_accuracy_are_drawn(
    study: Any, analysed: Any, drawn: Any, write: Any
) -> None:
    names = tuple(str(number) for number in range(20))
    last = tuple((number * 7 % 20) / 20 for number in range(20))
    write(study.run("a", study.curve(0.5)) / CLASSES, TABLES[CLASSES], rows((0.0,) * 20, last, names=names))
    plan, total = curves(analysed)
    assert plan.panels == [name for name, value in zip(names, last, strict=True) if value < 12 / 20]
    assert total == 20
    assert (
        "The 12 of 20 classes with the lowest final accuracy" in drawn(class_curves)["class_curves"].caption
    )


def test_damaged_curves_are_named(study: Any, drawn: Any) -> None:
    (study.run("torn", study.curve(0.5)) / CLASSES).write_text("epoch,cl")
    chart = drawn(class_curves)["class_curves"]
    assert chart.spec is None
    assert chart.caption == "Left out because classes.csv is damaged: torn."
