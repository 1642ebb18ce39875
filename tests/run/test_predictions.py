"""predictions.npz is read as it was written, is None if missing, and is refused by name if damaged."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from dlx.run.arrays import write_arrays
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import read_predictions, write_predictions


def written(folder: Path) -> bytes:
    outputs = np.random.default_rng(0).normal(size=(6, 3))
    labels = np.array([0, 1, 2, 0, 1, 2])
    write_predictions(folder, last=outputs, best=outputs[::-1], labels=labels, last_epoch=9, best_epoch=4)
    return (folder / PREDICTIONS).read_bytes()


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    written(tmp_path)
    back = read_predictions(tmp_path)
    assert back is not None
    expected = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(back.last_outputs, expected, rtol=1e-3)
    np.testing.assert_array_equal(back.best_outputs, back.last_outputs[::-1])
    assert back.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert (back.last_epoch, back.best_epoch) == (9, 4)


def test_a_run_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) is None


@pytest.mark.slow
def test_a_flipped_bit_is_harmless_or_a_value_error(tmp_path: Path) -> None:
    content = written(tmp_path)
    refused = 0
    for place in range(0, 8 * len(content), 3):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / PREDICTIONS).write_bytes(flipped)
        with contextlib.suppress(ValueError):
            read_predictions(tmp_path)
            continue
        refused += 1
    assert refused > len(content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": np.array([0])}, "labels of shape"),
        ({"labels": np.array([0.0, 1.0])}, "float64 labels"),
        ({"labels": np.array([0, 5])}, "labels from 0 to 5"),
        ({"best_outputs": np.zeros((2, 3))}, "outputs of shapes"),
        ({"last_outputs": np.zeros(2)}, "outputs of shapes"),
        ({"last_epoch": np.array([1, 2])}, "an epoch is not a number"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray], reason: str
) -> None:
    outputs = np.eye(2)
    arrays = {"last_outputs": outputs, "best_outputs": outputs, "labels": np.array([0, 1])}
    write_arrays(tmp_path / PREDICTIONS, **{**arrays, "last_epoch": 1, "best_epoch": 1, **changes})
    with pytest.raises(ValueError, match=reason):
        read_predictions(tmp_path)


def test_a_single_unnamed_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / PREDICTIONS).open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=PREDICTIONS):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("outputs", "dtype"),
    [
        ([[0.1, 2.0], [3.0, -1.0]], np.float16),
        ([[1.0, 1.0001], [3.0, -1.0]], np.float32),  # as float16, both classes would be equal
        ([[1e6, 2.0], [3.0, -1.0]], np.float32),  # infinite as float16
        ([[1e-9], [-1.0]], np.float32),  # of a single output, the sign is the class
        ([[0.5], [-1.0]], np.float16),
        ([[1e-9, 2.0], [3.0, -1.0]], np.float16),
    ],
)
def test_outputs_are_stored_as_float16_where_no_class_changes(tmp_path: Path, outputs, dtype) -> None:
    array = np.array(outputs)
    write_predictions(tmp_path, last=array, best=array, labels=np.array([0, 1]), last_epoch=1, best_epoch=1)
    kept = read_predictions(tmp_path)
    assert kept is not None
    assert (kept.last_outputs.dtype, kept.best_outputs.dtype) == (dtype, dtype)
    np.testing.assert_allclose(kept.last_outputs, array, rtol=1e-3, atol=1e-7)


def test_exact_outputs_keep_their_type(tmp_path: Path) -> None:
    array = np.array([[0.1, 2.0], [3.0, -1.0]])
    write_predictions(tmp_path, last=array, best=array, labels=array, last_epoch=1, best_epoch=1, exact=True)
    kept = read_predictions(tmp_path)
    assert kept is not None
    np.testing.assert_array_equal(kept.last_outputs, array)
    np.testing.assert_array_equal(kept.labels, array)
