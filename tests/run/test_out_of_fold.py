"""out_of_fold.csv has each sample once, predicted by the fold that did not train on it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.run.out_of_fold import write_out_of_fold
from dlx.run.predictions import write_predictions
from dlx.run.result import Result

OUTPUTS = {1: [[2.0, -2.0], [0.0, 1.0]], 2: [[3.0, 0.0]]}
ROWS = {1: [2, 0], 2: [1]}
LABELS = {1: [0, 1], 2: [1]}


def fold(folder: Path, number: int, loss: str = "cross_entropy", **changes: Any) -> dict[Path, Result]:
    """The run of one of two folds, of three samples together."""
    run = folder / f"fold{number}"
    run.mkdir(parents=True)
    outputs = np.array(changes.pop("outputs", OUTPUTS)[number])
    labels = np.array(changes.pop("labels", LABELS)[number])
    rows = np.array(ROWS[number])
    last = {"last": outputs, "best": outputs, "last_epoch": 1, "best_epoch": 1, "exact": True}
    write_predictions(run, labels=labels, rows=rows, **last)
    (run / "result.json").touch()
    data = {"folds": 2, "fold": number, "split_seed": 0}
    result = {
        "status": changes.pop("status", "completed"),
        "identity": "ab" * 32,
        "config": {"data": data, "loss": {"name": loss}, "seed": changes.pop("seed", 1)},
        "data": {"classes": changes.pop("classes", ["cat", "dog"])},
    }
    return {run: Result.model_validate(result)}


def table(folder: Path, loss: str = "cross_entropy", **changes: Any) -> list[list[str]]:
    [file] = write_out_of_fold(fold(folder, 2, loss, **changes) | fold(folder, 1, loss, **changes))
    assert file == folder / "fold1" / "out_of_fold.csv"
    return [line.split(",") for line in file.read_text().splitlines()]


def softmax(*logits: float) -> list[float]:
    powers = np.exp(np.array(logits))
    return list(powers / powers.sum())


def test_samples_are_in_their_order_with_the_fold_that_predicted_them(tmp_path: Path) -> None:
    header, *rows = table(tmp_path)
    assert header[:4] == ["index", "fold", "label", "prediction"]
    assert [row[:4] for row in rows] == [
        ["0", "1", "dog", "dog"],
        ["1", "2", "dog", "cat"],
        ["2", "1", "cat", "cat"],
    ]
    expected = [softmax(0, 1), softmax(3, 0), softmax(2, -2)]
    np.testing.assert_allclose([[float(cell) for cell in row[4:]] for row in rows], expected, rtol=1e-5)


def test_a_repeat_that_lacks_a_fold_has_no_file(tmp_path: Path) -> None:
    whole = fold(tmp_path, 1) | fold(tmp_path, 2)
    assert write_out_of_fold(dict([next(iter(whole.items()))])) == []
    assert write_out_of_fold(fold(tmp_path / "a", 1) | fold(tmp_path / "a", 2, status="diverged")) == []
    assert write_out_of_fold(fold(tmp_path / "b", 1) | fold(tmp_path / "b", 2, seed=2)) == []
    assert len(write_out_of_fold(whole)) == 1


def test_a_file_that_is_newer_than_its_runs_is_left_as_it_is(tmp_path: Path) -> None:
    runs = fold(tmp_path, 1) | fold(tmp_path, 2)
    [file] = write_out_of_fold(runs)
    text = file.read_text()
    file.write_text("mine")
    assert write_out_of_fold(runs) == [file]
    assert file.read_text() == "mine"
    os.utime(tmp_path / "fold2" / "result.json", ns=(10**19 // 5, 10**19 // 5))  # trained again since
    write_out_of_fold(runs)
    assert file.read_text() == text


def test_predictions_that_are_gone_are_named(tmp_path: Path) -> None:
    runs = fold(tmp_path, 1) | fold(tmp_path, 2)
    (tmp_path / "fold2" / "predictions.npz").unlink()
    with pytest.raises(ValueError, match="fold2: its predictions are gone; rerun=true trains the run again"):
        write_out_of_fold(runs)


def test_other_losses_of_classes_have_scores(tmp_path: Path) -> None:
    _, *rows = table(tmp_path, "mean_squared_error")
    assert [[float(cell) for cell in row[4:]] for row in rows] == [[0, 1], [3, 0], [2, -2]]


def test_a_single_output_tells_two_classes_apart_by_its_sign(tmp_path: Path) -> None:
    outputs = {1: [[-2.0], [1.0]], 2: [[3.0]]}
    _, *rows = table(tmp_path, "binary_cross_entropy", outputs=outputs)
    assert [row[3] for row in rows] == ["dog", "dog", "cat"]
    positive = 1 / (1 + np.exp(-np.array([1.0, 3.0, -2.0])))
    expected = np.stack([1 - positive, positive], axis=1)
    np.testing.assert_allclose([[float(cell) for cell in row[4:]] for row in rows], expected, rtol=1e-5)


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    labels, outputs = {1: [0.5, 1.5], 2: [2.5]}, {1: [[0.25], [1.25]], 2: [[2.25]]}
    header, *rows = table(tmp_path, "huber", labels=labels, outputs=outputs, classes=[])
    assert header == ["index", "fold", "label", "prediction"]
    assert [[float(cell) for cell in row[2:]] for row in rows] == [[1.5, 1.25], [2.5, 2.25], [0.5, 0.25]]
