"""Labels as people store them, by value."""

import numpy as np
import pytest

from dlx.data.labels import read_labels

BASE = np.array([2, 0, 1, 1, 2, 0])


@pytest.mark.parametrize(
    ("stored", "classes", "note"),
    [
        (BASE, "012", None),
        (BASE.astype(np.uint8)[:, None], "012", None),
        (BASE.astype(float), "012", "y are whole numbers in float64 and were read as classes"),
        (np.eye(3)[BASE], "012", "y are one-hot and were read as classes 0 to 2"),
        (np.eye(3, dtype=bool)[BASE], "012", "y are one-hot and were read as classes 0 to 2"),
        (BASE + 1, "123", "y 1 to 3 were read as classes 0 to 2"),
        (BASE + 7, "789", "y 7 to 9 were read as classes 0 to 2"),
        (np.array(list("cab"))[BASE - 2], "abc", "y a, b, c were read as classes 0 to 2"),
        (np.array([b"a", b"b", b"c"])[BASE], "abc", "y a, b, c were read as classes 0 to 2"),
    ],
)
def test_labels_of_every_kind_become_the_same_classes(stored, classes, note):
    read = read_labels({"y": stored})
    assert read.classes == tuple(classes)
    assert read.arrays["y"].tolist() == BASE.tolist()
    assert read.arrays["y"].dtype == np.int64
    assert read.notes == ([note] if note else [])


def test_one_hot_labels_keep_a_class_that_has_no_training_sample():
    read = read_labels({"y": np.eye(4)[BASE], "val_y": np.eye(4)[[3, 0]]})
    assert read.classes == ("0", "1", "2", "3")
    assert read.arrays["val_y"].tolist() == [3, 0]


def test_names_stand_for_labels_from_1_and_for_texts():
    assert read_labels({"y": BASE + 1}, names=["a", "b", "c"]).classes == ("a", "b", "c")
    texts = read_labels({"y": np.array(["b", "c", "b"])}, names=["c", "b", "a"])
    assert texts.classes == ("c", "b", "a")
    assert texts.arrays["y"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(("stored", "shape"), [(BASE + 0.5, (6,)), (np.stack([BASE + 0.5, BASE], 1), (6, 2))])
def test_fractions_are_the_numbers_of_a_regression(stored, shape):
    read = read_labels({"y": stored, "val_y": np.round(stored)})
    assert (read.classes, read.notes) == ((), [])
    assert read.arrays["y"].tolist() == stored.tolist()
    assert read.arrays["val_y"].shape == shape
    assert read.arrays["val_y"].dtype == np.float64


def test_whole_numbers_are_a_regression_if_they_hardly_repeat_or_are_said_to_be_one():
    prices = np.array([100, 250, 260, 400, 900, 250])
    read = read_labels({"y": prices})
    assert read.arrays["y"].dtype == np.float64
    assert read.notes == [
        (
            "y are 5 different whole numbers in 6 samples, which were read as numbers, not classes; "
            "data.task=classification reads classes"
        )
    ]
    assert read_labels({"y": prices}, "classification").classes == ("100", "250", "260", "400", "900")
    assert read_labels({"y": BASE}, "regression").arrays["y"].tolist() == BASE.tolist()
    assert read_labels({"y": BASE}, "regression").classes == ()


def test_rows_of_zeros_and_ones_are_yes_or_no_labels_unless_every_row_is_one_hot():
    rows = np.array([[1, 1, 0], [0, 0, 1]])
    read = read_labels({"y": rows}, names=["a", "b", "c"])
    assert read.classes == ("a", "b", "c")
    assert read.arrays["y"].tolist() == rows.tolist()
    assert read.arrays["y"].dtype == np.float64


@pytest.mark.parametrize(
    ("given", "task", "message"),
    [
        ({"y": BASE - 1}, "auto", "-1 may stand for samples without a label"),
        ({"y": BASE + 0.5}, "classification", "y of shape .6,. in float64 are not classes"),
        ({"y": np.array([[0.2, 0.8]])}, "auto", r"are probabilities; store y.argmax\(1\)"),
        ({"y": np.array([[1, 1], [0, 1]])}, "classification", "several classes a sample or none"),
        ({"y": np.array([[3, 1], [0, 1]])}, "auto", "several whole numbers a sample"),
        ({"y": np.zeros((2, 3, 3), int)}, "auto", r"y has shape \(2, 3, 3\); expected one label a sample"),
        ({"y": np.array(["a", "b"])}, "regression", "y are texts; a regression .data.task=regression. needs"),
        (
            {"y": np.array(["a", "b"]), "val_y": np.array(["c"])},
            "auto",
            "val_y hold c, but there are 2 classes",
        ),
        ({"y": np.array([1 + 2j])}, "auto", "y are complex128; give whole numbers"),
    ],
)
def test_labels_that_could_mean_two_things_are_refused(given, task, message):
    with pytest.raises(ValueError, match=message):
        read_labels(given, task)
