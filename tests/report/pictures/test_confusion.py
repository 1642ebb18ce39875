"""The confusion matrix by value, summed over the best setting's runs alone."""

from typing import Any

import numpy as np
import pytest

from dlx.report.pictures.confusion import CLASSES, confusion, tally
from dlx.report.pictures.reading import Found
from dlx.run.predictions import Predictions, write_predictions


def guessed(guesses: list[int], labels: list[int], outputs: int = 3) -> Predictions:
    outputs_NK = np.eye(outputs)[guesses]
    return Predictions(outputs_NK, np.zeros_like(outputs_NK), np.array(labels), 3, 1)


def found(*runs: Predictions) -> Found[Predictions]:
    return Found({"a": {str(place): run for place, run in enumerate(runs)}}, "predictions.npz", [], 1, False)


def test_pairs_are_counted_over_runs_and_shared_by_the_true_class() -> None:
    matrix = tally(found(guessed([0, 1, 1], [0, 0, 1]), guessed([0, 0, 2], [0, 0, 1])), ["x", "y", "z"])
    cells = matrix.cells.set_index(["true", "predicted"])
    assert cells["count"].to_dict() == {("x", "x"): 3, ("x", "y"): 1, ("y", "y"): 1, ("y", "z"): 1}
    assert cells["share"].to_dict() == pytest.approx(
        {("x", "x"): 75.0, ("x", "y"): 25.0, ("y", "y"): 50.0, ("y", "z"): 50.0}
    )
    assert cells.loc[("x", "x"), "text"] == "75"
    assert matrix.samples == 6


def test_of_many_classes_the_most_mistaken_are_kept_in_their_order() -> None:
    labels = list(range(30))
    guesses = [label if label < 20 else 0 for label in labels]
    matrix = tally(found(guessed(guesses, labels, 30)), [str(label) for label in labels])
    assert matrix.total == 30
    assert len(matrix.classes) == CLASSES
    assert matrix.classes == [str(label) for label in [*range(10), *range(20, 30)]]


def test_the_picture_is_of_the_first_setting_in_the_table(study: Any, drawn: Any) -> None:
    for accuracy, rate in ((0.5, 0.1), (0.9, 0.2)):
        folder = study.run(f"lr{rate}", study.curve(accuracy), {"optimizer.lr": rate})
        last = np.eye(2)[[0, 1]]
        write_predictions(folder, last=last, best=last, labels=np.array([0, 1]), last_epoch=1, best_epoch=1)
    chart = drawn(confusion)["confusion"]
    assert "1 run with lr 0.2, 2 in all" in chart.caption
    cells = chart.spec["layer"][0]["data"]["values"]
    assert [(cell["true"], cell["predicted"], cell["share"]) for cell in cells] == [
        ("0", "0", 100.0),
        ("1", "1", 100.0),
    ]
