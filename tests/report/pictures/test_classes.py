"""Accuracy by class by value, from the last epoch's outputs; names, counts and damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.pictures.classes import CLASSES, by_class, class_names, classes, predicted
from dlx.report.pictures.reading import read_first
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import Predictions, read_predictions, write_predictions

LABELS = [0, 0, 1, 1, 2]


def predict(folder: Path, guesses: list[int], labels: list[int], outputs: int = 3) -> None:
    """Write outputs whose largest is the guess; those of the best epoch guess 0 throughout."""
    last = np.eye(outputs)[guesses]
    best = np.eye(outputs)[[0] * len(guesses)]
    write_predictions(folder, last=last, best=best, labels=np.array(labels), last_epoch=3, best_epoch=1)


def found(loaded: Any) -> Any:
    return read_first(*loaded(), PREDICTIONS, read_predictions, 6)


def test_means_and_runs_by_class_at_the_last_epoch(study: Any, loaded: Any) -> None:
    data = {"classes": ["cat", "dog", "owl"]}
    predict(study.run("s0", study.curve(0.5), seed=0, data=data), [0, 1, 1, 1, 0], LABELS)
    predict(study.run("s1", study.curve(0.5), seed=1, data=data), [0, 0, 1, 0, 0], LABELS)
    accuracies = by_class(found(loaded), class_names(loaded()[0], found(loaded)))
    means = accuracies.means.set_index("class")
    assert means["accuracy"].to_dict() == {"cat": 0.75, "dog": 0.75, "owl": 0.0}
    assert (means.loc["cat", "low"], means.loc["cat", "high"], means.loc["cat", "n"]) == (0.5, 1.0, 2)
    assert len(accuracies.runs) == 6
    assert accuracies.classes == ["cat", "dog", "owl"]


def test_a_single_output_predicts_by_its_sign() -> None:
    outputs = np.array([[-1.0], [0.0], [2.0]])
    assert predicted(Predictions(outputs, outputs, np.array([0, 0, 1]), 1, 1)).tolist() == [0, 0, 1]


def test_names_that_do_not_fit_give_way_to_numbers(study: Any, loaded: Any) -> None:
    predict(study.run("a", study.curve(0.5), data={"classes": ["only", "two"]}), [0, 1, 1, 1, 0], LABELS)
    assert class_names(loaded()[0], found(loaded)) == ["0", "1", "2"]


def test_equal_and_hostile_names_stay_apart_and_visible(study: Any, loaded: Any) -> None:
    data = {"classes": ["x", "x", "\x1b[31m"]}
    predict(study.run("a", study.curve(0.5), data=data), [0, 1, 1, 1, 0], LABELS)
    assert class_names(loaded()[0], found(loaded)) == ["x (0)", "x (1)", "\\x1b[31m"]


def test_beyond_twenty_classes_the_worst_are_drawn_worst_first(study: Any, loaded: Any, drawn: Any) -> None:
    labels = list(range(30))
    guesses = [label if label % 2 else 0 for label in labels]
    predict(study.run("a", study.curve(0.5)), guesses, labels, outputs=30)
    accuracies = by_class(found(loaded), [str(label) for label in labels])
    assert accuracies.total == 30
    assert accuracies.classes[:14] == [str(label) for label in range(2, 30, 2)]
    assert len(accuracies.classes) == CLASSES
    assert "The worst 20 of 30 classes" in drawn(classes)["classes"].caption


@pytest.mark.parametrize("settings", [1, 2])
def test_bars_with_dots_for_runs(study: Any, drawn: Any, settings: int) -> None:
    for place in range(settings):
        for seed in range(2):
            changes = {"optimizer.lr": 0.1 + place}
            folder = study.run(f"r{place}{seed}", study.curve(0.5), changes, seed=seed)
            predict(folder, [0, 1, 1, 1, 0], LABELS)
    chart = drawn(classes)["classes"]
    bars, dots = chart.spec["layer"]
    assert len(bars["data"]["values"]) == 3 * settings
    assert len(dots["data"]["values"]) == 6 * settings
    assert ("xOffset" in bars["encoding"]) == (settings > 1)


def test_damaged_and_diverged_runs_are_no_part_of_it(study: Any, loaded: Any, drawn: Any) -> None:
    predict(study.run("good", study.curve(0.5)), [0, 1, 1, 1, 0], LABELS)
    predict(study.run("lost", study.curve(0.5), seed=1, status="diverged"), [0] * 5, LABELS)
    torn = study.run("torn", study.curve(0.5), seed=2)
    (torn / PREDICTIONS).write_bytes(b"PK\x03\x04")
    assert list(found(loaded).by_setting["all runs"]) == ["good"]
    assert "Left out because predictions.npz is damaged: torn" in drawn(classes)["classes"].caption
